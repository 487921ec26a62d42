"""A connector costs nothing until it is used, works in forked children, and leaves nothing behind."""

import asyncio
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pydantic_core import to_json
from receiving_kit import (
    ADA,
    BO,
    CY,
    Api,
    Clock,
    address,
    call,
    connect,
    id_of,
    nothing_wrong,
    receipt,
    send_to,
    settings_of,
    statuses,
    take,
)

from connector.connector import Connector
from connector.extension.plugins import Plugins
from connector.model.batch import Batch
from connector.model.callback import Request
from connector.model.outcome import Accepted
from connector.server.serve import serving

# Later versions of Python warn of every fork beside a thread; these forks happen while no thread holds a lock.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def open_files() -> set[str]:
    """What this process has open: files, sockets and pipes."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(f"{descriptor.name} {descriptor.readlink()}")
    return found


@contextmanager
def nothing_left() -> Iterator[None]:
    threads, files = set(threading.enumerate()), open_files()
    yield
    assert set(threading.enumerate()) == threads
    assert {name for name in open_files() - files if "/proc/" not in name} == set()


def test_building_one_opens_nothing(tmp_path: Path, api: Api, clock: Clock) -> None:
    """Not even a wrong folder or a secret that is missing shows before it is used."""

    def secret(reference: str) -> str:
        raise AssertionError("a secret was read")

    settings = settings_of(tmp_path / "nowhere", callback_secret="env:ANY")
    with nothing_left():
        connector = Connector(settings, plugins=Plugins([api], installed=False), secrets=secret, clock=clock)
        assert list(tmp_path.iterdir()) == []
        assert callable(connector.asgi)
        connector.close()
    assert list(tmp_path.iterdir()) == []


def test_closing_leaves_no_thread_and_no_file_open(tmp_path: Path, api: Api, clock: Clock) -> None:
    with nothing_left():
        with connect(tmp_path, api, clock) as connector:
            send_to(connector, ADA, BO)
            take(connector, receipt(ADA, client_reference=api.sent[0].key))
            body = to_json(receipt(BO, client_reference=api.sent[0].key))
            assert asyncio.run(call(connector.asgi, address(connector), body)).status == 200
            assert any(thread.name == "connector-recorder" for thread in threading.enumerate())
        # Closed twice is closed.
        connector.close()


def test_a_server_leaves_nothing_either(tmp_path: Path, api: Api, clock: Clock) -> None:
    with nothing_left(), connect(tmp_path, api, clock) as connector, serving(connector):
        assert any(thread.name == "connector-worker" for thread in threading.enumerate())


def test_after_closing_it_may_be_used_again(tmp_path: Path, api: Api, clock: Clock) -> None:
    with nothing_left():
        connector = connect(tmp_path, api, clock)
        dispatch = send_to(connector, ADA)
        connector.close()
        take(connector, receipt(ADA, client_reference=api.sent[0].key))
        assert dispatch.report().delivered == 1
        connector.close()


def test_what_a_block_raises_is_not_hidden_and_all_is_closed(tmp_path: Path, api: Api, clock: Clock) -> None:
    with nothing_left(), pytest.raises(ZeroDivisionError), connect(tmp_path, api, clock) as connector:
        send_to(connector, ADA)
        raise ZeroDivisionError


def forked(step: Callable[[], object]) -> Callable[[], None]:
    """Do something in a forked child; the answer waits for it, and sees that it went well."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            step()
            status = 0
        except BaseException:
            os.write(writing, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(status)
    os.close(writing)

    def wait() -> None:
        with os.fdopen(reading) as told:
            words = told.read()
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, words

    return wait


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "in use"])
def test_a_forked_child_sends_and_receives_by_itself(tmp_path: Path, api: Api, clock: Clock, used: bool) -> None:
    with connect(tmp_path, api, clock) as connector:
        if used:
            send_to(connector, ADA, name="before")
            body = to_json(receipt(ADA, client_reference=api.sent[0].key))
            assert asyncio.run(call(connector.asgi, address(connector), body)).status == 200

        def child() -> None:
            sent: list[Batch] = []

            def send(batch: Batch) -> Accepted:
                sent.append(batch)
                return Accepted(id_of(batch))

            api.send = send
            dispatch = send_to(connector, ADA, BO, name="of the child")
            key = sent[0].key
            take(connector, receipt(ADA, client_reference=key))
            body = to_json(receipt(BO, client_reference=key))
            assert asyncio.run(call(connector.asgi, address(connector), body)).status == 200
            assert dispatch.report().delivered == 2
            assert nothing_wrong(connector)
            connector.close()

        forked(child)()
        forked(connector.close)()
        # The parent goes on with what it had, and sees what the child did.
        send_to(connector, CY, name="after")
        take(connector, receipt(CY, client_reference=api.sent[-1].key))
        assert statuses(connector, CY) == ["enqueued", "delivered"]
        assert statuses(connector, BO) == ["enqueued", "delivered"]
        assert [line.campaign for line in connector.dispatches()] == ["after", "of the child"] + ["before"] * used
        body = to_json(receipt(CY, client_reference=api.sent[-1].key))
        assert asyncio.run(call(connector.asgi, address(connector), body)).status == 200
        assert nothing_wrong(connector)


def test_what_a_child_takes_after_its_parent_closed_is_kept(tmp_path: Path, api: Api, clock: Clock) -> None:
    """The last connection that is closed tidies the ledger's files: the child must not write through the parent's."""
    waiting, closed = os.pipe()
    with connect(tmp_path, api, clock) as connector:
        send_to(connector, ADA)
        key = api.sent[0].key
        path = address(connector)

        def child() -> None:
            os.read(waiting, 1)
            assert (
                connector.receive(Request("POST", path, {}, to_json(receipt(ADA, client_reference=key)))).status == 200
            )

        wait = forked(child)
    os.write(closed, b"!")
    wait()
    os.close(waiting)
    os.close(closed)
    with connect(tmp_path, api, clock) as connector:
        assert statuses(connector, ADA) == ["enqueued", "delivered"]


def test_parent_and_child_receive_at_the_same_time(tmp_path: Path, api: Api, clock: Clock) -> None:
    """As the workers of a pre-forking web server do."""
    with connect(tmp_path, api, clock) as connector:
        send_to(connector, ADA, BO, CY)
        key = api.sent[0].key

        def child() -> None:
            for _ in range(30):
                take(connector, receipt(ADA, client_reference=key))
            connector.close()

        wait = forked(child)
        for _ in range(30):
            take(connector, receipt(BO, client_reference=key))
        wait()
        assert statuses(connector, ADA) == statuses(connector, BO) == ["enqueued", "delivered"]
        assert connector.counters()["sms"]["repeated"] == 58
        assert nothing_wrong(connector)
