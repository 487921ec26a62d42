"""Forks, as pre-forking servers and multiprocessing make them: each process works by itself, and nothing is lost."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from api_kit import Platform, build, forked
from receiving_kit import ADA, BO, CY, Api, Clock, nothing_wrong, receipt, send_to, statuses, take
from sending_kit import CAMPAIGN, Host, people

from connector import Connector, LedgerError
from connector.ledger import forking

# Later versions of Python warn of every fork beside a thread; these forks are what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def connector(tmp_path: Path, api: Api, clock: Clock) -> Iterator[Connector]:
    with build(tmp_path, api, clock) as made:
        yield made


class Turns:
    """Lets parent and child take turns."""

    def __init__(self) -> None:
        self._parent, self._child = socket.socketpair()

    def __enter__(self) -> "Turns":
        return self

    def __exit__(self, *error: object) -> None:
        self._parent.close()
        self._child.close()

    def parent_goes_on(self) -> None:
        self._child.sendall(b"!")

    def child_goes_on(self) -> None:
        self._parent.sendall(b"!")

    def await_child(self) -> None:
        assert self._parent.recv(1) == b"!"

    def await_parent(self) -> None:
        assert self._child.recv(1) == b"!"


def test_what_a_child_writes_while_its_parent_closes_is_kept(
    tmp_path: Path, api: Api, clock: Clock, connector: Connector
) -> None:
    """The child has the ledger open when the parent, whose connections it inherited, closes its last one."""
    send_to(connector, ADA, BO)
    key = api.sent[0].key
    with Turns() as turns:

        def child() -> None:
            take(connector, receipt(ADA, client_reference=key))
            turns.parent_goes_on()
            turns.await_parent()
            take(connector, receipt(BO, client_reference=key))

        with forked(child):
            turns.await_child()
            connector.close()
            turns.child_goes_on()
    with build(tmp_path, api, clock) as again:
        assert statuses(again, ADA) == statuses(again, BO) == ["enqueued", "delivered"]


def test_a_child_may_close_and_its_parent_goes_on(api: Api, connector: Connector) -> None:
    send_to(connector, ADA, BO)
    with forked(connector.close):
        pass
    for person in (ADA, BO):
        take(connector, receipt(person, client_reference=api.sent[0].key))
    assert statuses(connector, ADA) == statuses(connector, BO) == ["enqueued", "delivered"]


def test_a_fork_waits_for_transactions_of_other_threads(api: Api, connector: Connector) -> None:
    send_to(connector, ADA)
    key = api.sent[0].key
    inside, may_end, forking_now = threading.Event(), threading.Event(), threading.Event()
    ended: list[bool] = []

    def read() -> None:
        with connector.ledger.read():
            inside.set()
            may_end.wait(60)
            ended.append(True)

    def child() -> None:
        assert ended, "the transaction was over before the fork"
        take(connector, receipt(ADA, client_reference=key))

    def release() -> None:
        # Another thread that comes while the fork waits has to wait, too: the fork has its turn in the end.
        forking_now.wait(60)
        may_end.set()

    threads = [threading.Thread(target=read), threading.Thread(target=release)]
    for thread in threads:
        thread.start()
    assert inside.wait(60)
    forking_now.set()
    with forked(child):
        pass
    for thread in threads:
        thread.join()
    assert statuses(connector, ADA) == ["enqueued", "delivered"]


def test_forks_beside_threads_that_work(tmp_path: Path, api: Api, clock: Clock, connector: Connector) -> None:
    """As in a host that works in a thread, and starts processes of its own now and then."""
    stop = threading.Event()
    worker = threading.Thread(target=lambda: connector.run(stop))
    worker.start()
    try:
        for turn in range(3):

            def child(turn: int = turn) -> None:
                campaign = {"name": f"turn {turn}", "message": {"text": "Hello"}, "sender": "Shop"}
                connector.send(campaign, [{"to": f"+{ADA}"}, {"to": f"+{BO}"}], drain=False)
                connector.close()

            with forked(child):
                connector.send({"name": f"{turn}", "message": {"text": "Hi"}}, [{"to": f"+{CY}", "sender": "Me"}])
    finally:
        stop.set()
        worker.join()
    for line in connector.dispatches():
        connector.dispatch(line.id).drain()
    assert [line.enqueued for line in connector.dispatches()].count(2) == 3
    assert nothing_wrong(connector)


def test_a_child_forked_in_the_midst_says_so_and_spoils_nothing(
    connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another thread stays in its transaction for too long."""
    monkeypatch.setattr(forking, "PATIENCE_SECONDS", 0.01)
    inside, may_end = threading.Event(), threading.Event()

    def read() -> None:
        with connector.ledger.read():
            inside.set()
            may_end.wait(60)

    def child() -> None:
        for _ in range(2):
            with pytest.raises(LedgerError, match="forked while its parent was at work"):
                connector.dispatches()
            connector.close()

    thread = threading.Thread(target=read)
    thread.start()
    assert inside.wait(60)
    with forked(child):
        pass
    may_end.set()
    thread.join()
    assert connector.dispatches() == []


def test_a_fork_inside_of_a_transaction_waits_for_nobody(connector: Connector) -> None:
    def child() -> None:
        with pytest.raises(LedgerError):
            connector.dispatches()

    with connector.ledger.read(), forked(child):
        pass
    assert connector.dispatches() == []


def sockets() -> set[str]:
    """The connections that this process has open, by their numbers in the system."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            target = str(descriptor.readlink())
            if target.startswith("socket:"):
                found.add(target)
    return found


def test_parent_and_child_send_over_connections_of_their_own(host: Host) -> None:
    """Over real HTTP: the parent's kept-alive connection serves it again after a child has come and gone."""
    plan = host.plan()
    before_all = sockets()
    connector = host.connector(plan)
    connector.send(CAMPAIGN, people(3), key="before")
    of_parent = sockets() - before_all
    assert of_parent

    def child() -> None:
        assert connector.send(CAMPAIGN, people(3, after=10), key="of the child").report().enqueued == 3
        assert sockets() - of_parent - before_all, "a connection of its own"
        connector.close()

    with forked(child):
        pass
    assert connector.send(CAMPAIGN, people(3, after=20), key="after").report().enqueued == 3
    assert of_parent & sockets(), "nobody closed it"
    assert plan.account()["accepted_once"] == 9
    assert nothing_wrong(connector)


def test_children_of_a_parent_that_never_used_it(tmp_path: Path, api: Api, clock: Clock) -> None:
    """As most pre-forking servers do: built at import, used in the children alone."""
    platform = Platform()
    connector = build(tmp_path, api, clock, on_event=platform)

    def child() -> None:
        campaign = {"name": f"of {os.getpid()}", "message": {"text": "Hello"}, "sender": "Shop"}
        assert connector.send(campaign, [{"to": f"+{ADA}"}]).report().enqueued == 1
        connector.close()

    with forked(child), forked(child):
        pass
    assert not any(thread.name.startswith("connector") for thread in threading.enumerate())
    with connector:
        assert [line.enqueued for line in connector.dispatches()] == [1, 1]
        assert nothing_wrong(connector)


PROGRAM = """
from connector import Connector, Sink

class Own(Sink):
    def deliver(self, events):
        pass

connector = Connector({}, sinks={"own": Own()})
connector.deliver()
connector.close()
"""


def test_a_program_that_keeps_its_connector_until_the_end_ends_without_a_word(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    ended = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
