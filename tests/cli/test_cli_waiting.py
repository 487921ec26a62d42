"""What whoever waits is told: who no longer takes reports, who stands still, what is still to come, that it stops."""

import io
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cli_kit import Desk
from receiving_kit import (
    ADA,
    BO,
    SECRETS,
    Api,
    Clock,
    api,
    batch_report,
    clock,
    connect,
    connector,
    send_to,
    settings_of,
)
from sending_kit import wait_until
from setup_kit import Terminal

from connector.audience.reading import read_file
from connector.cli.following import conclude
from connector.cli.output import ERR
from connector.cli.progress import reading, sending
from connector.connector import Connector, Dispatch
from connector.extension.plugins import Plugins

__all__ = ["api", "clock", "connector"]

TURNS = 800


class Screen(io.StringIO):
    """A terminal that a test reads."""

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        """What was said, without lines' ends and what steers a terminal."""
        return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue()).split())


def screen_of(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A terminal in the place of standard error; to be made in the test itself, as pytest sets its own before it."""
    made = Screen()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", made)
    # What the console found where it was made.
    monkeypatch.setattr(ERR, "is_interactive", True)
    return made


@contextmanager
def beside(do: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
    """Do something in a thread; the event is set when it is done, and ends it earlier."""
    ended = threading.Event()

    def course() -> None:
        try:
            do(ended)
        finally:
            ended.set()

    thread = threading.Thread(target=course)
    thread.start()
    try:
        yield ended
    finally:
        ended.set()
        thread.join()


def pass_time(clock: Clock, ended: threading.Event, until: Callable[[], bool] = lambda: False) -> None:
    """Let the time pass, second by second, until something has happened; for some while at most."""
    for _ in range(TURNS):
        if until() or ended.wait(0.05):
            return
        clock.go(seconds=1)


def goes_along(connector: Connector, dispatch: Dispatch, over: threading.Event, *, final: bool = True) -> bool:
    """Wait for a dispatch as the commands do; whether that came to its end by itself."""
    with sending(connector, dispatch, lambda: 0, final=final):
        dispatch.drain(final=final, stop=over)
    return not over.is_set()


def ends(connector: Connector, dispatch: Dispatch) -> int:
    """Say how it ended; the exit status."""
    try:
        conclude(connector, dispatch, as_json=False, final=True)
    except SystemExit as error:
        return int(str(error.code))
    return 0


@pytest.fixture
def server(tmp_path: Path, api: Api, clock: Clock, connector: Connector) -> Iterator[Connector]:
    """Another connector on the ledger, that takes callbacks."""
    with connect(tmp_path, api, clock) as made:
        made.recorder.start()
        wait_until(made.server_is_running)
        yield made


class TestTheServerEnds:
    def test_where_reports_cannot_be_asked_for(
        self, connector: Connector, api: Api, clock: Clock, server: Connector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        screen = screen_of(monkeypatch)
        api.provider.declines = {**api.provider.declines, "poll": "there is nothing to ask for"}
        dispatch = send_to(connector, ADA, BO)

        def course(ended: threading.Event) -> None:
            wait_until(lambda: "0 of 2" in screen.getvalue())
            server.close()
            wait_until(lambda: "Nobody takes" in screen.getvalue())
            pass_time(clock, ended)

        with beside(course) as over:
            assert goes_along(connector, dispatch, over)
        assert screen.text().count("Nobody takes the delivery reports any more") == 1
        assert "They can't be asked for" in screen.text()
        assert ends(connector, dispatch) == 1
        assert "2 final reports are still to come." in screen.text()
        assert f"Beside it `connector report {dispatch.id} --wait` waits for them." in screen.text()

    def test_where_they_can(
        self, connector: Connector, api: Api, clock: Clock, server: Connector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        screen = screen_of(monkeypatch)
        dispatch = send_to(connector, ADA)

        def course(ended: threading.Event) -> None:
            wait_until(lambda: "0 of 1" in screen.getvalue())
            server.close()
            wait_until(lambda: "Nobody takes" in screen.getvalue())
            api.poll = lambda batch: [batch_report(batch, {ADA: ("Delivered", 0)})]
            pass_time(clock, ended)

        with beside(course) as over:
            assert goes_along(connector, dispatch, over)
        assert "They are asked for from now on." in screen.text()
        assert ends(connector, dispatch) == 0


def test_where_no_report_can_come_at_all_that_is_said(
    tmp_path: Path, api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = screen_of(monkeypatch)
    api.provider.declines = {**api.provider.declines, "poll": "there is nothing to ask for"}
    settings = settings_of(tmp_path)
    del settings["server"]
    plugins = Plugins([api], installed=False)
    with Connector(settings, plugins=plugins, secrets=SECRETS.__getitem__, clock=clock) as connector:
        dispatch = send_to(connector, ADA)
        dispatch.wait()
        assert ends(connector, dispatch) == 1
    assert "1 message has no final report, and none can come" in screen.text()


def test_who_follows_one_that_stands_still_is_told_once(
    tmp_path: Path, connector: Connector, api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = screen_of(monkeypatch)
    dispatch = connector.send(
        {"name": "spring", "message": {"text": "Hello"}, "sender": "Shop"}, [{"to": f"+{ADA}"}], drain=False
    )
    with connect(tmp_path, api, clock) as other, ExitStack() as role:
        role.enter_context(other.ledger.hold("worker"))

        def course(ended: threading.Event) -> None:
            pass_time(clock, ended, lambda: "moved for a minute" in screen.getvalue())
            # Some looks more, in which it could be said again.
            ended.wait(1)
            role.close()
            ended.wait(TURNS)

        with beside(course) as over:
            assert goes_along(connector, dispatch, over, final=False)
    assert screen.text().count("nothing of this dispatch has moved for a minute") == 1
    assert dispatch.report().enqueued == 1


def test_that_it_stops_is_said_above_the_bars(desk: Desk) -> None:
    desk.people(20, senders=True)
    desk.ask("hold", {"at": "after"})
    send = ("send", "campaign.toml", "--recipients", "people.csv", "--yes", "--wait")
    with Terminal(desk.folder, *send, **desk.environment, TERM="xterm", COLUMNS="120") as sending:
        desk.ask("held?count=4")
        sending.wait_for("Reported")
        sending.interrupt()
        sending.wait_for("Once more ends at once.")
        desk.ask("release", {})
        assert sending.end() == 1
    # On a line that was cleared, not behind a bar that is drawn anew over it.
    assert re.search(r"\x1b\[2K(?:\x1b\[[0-9;]*m)*Stopping: what is under way", sending.shown)


def test_ctrl_c_while_the_bars_come_up_leaves_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen_of(monkeypatch)
    list_of_people = tmp_path / "people.csv"
    list_of_people.write_text("to\n+12015550123\n")
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "connector-progress":
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with read_file(str(list_of_people)) as rows, pytest.raises(KeyboardInterrupt), reading(rows):
        pass
    assert [each for each in threading.enumerate() if each.name == "connector-progress"] == []
