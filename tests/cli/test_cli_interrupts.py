"""Ctrl-C, SIGTERM, and questions on a terminal."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_kit import Desk

SEND = ("send", "campaign.toml", "--recipients", "people.csv")


def test_whoever_stops_it_while_it_starts_sees_no_traceback(tmp_path: Path) -> None:
    # A library that takes as long to load as the test likes.
    (tmp_path / "uvicorn.py").write_text("import sys\nprint('loading', flush=True)\nsys.stdin.read()\n")
    with subprocess.Popen(
        [sys.executable, "-c", "from connector.cli.start import main; main()", "--version"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as starting:
        assert starting.stdout is not None and starting.stderr is not None
        assert starting.stdout.readline() == "loading\n"
        starting.send_signal(signal.SIGINT)
        assert (starting.stderr.read(), starting.wait(30)) == ("", 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_under_way_is_finished_and_the_same_command_goes_on(desk: Desk, number: int) -> None:
    # More batches than leave before the first is accepted: some are still waiting when those are held.
    desk.people(20, senders=True)
    desk.ask("hold", {"at": "after"})
    with desk.start(*SEND, "--json") as sending:
        desk.ask("held?count=4")
        sending.signal(number)
        assert sending.line_of_errors().startswith("Stopping")
        desk.ask("release", {})
        status, out, err = sending.end()
    stopped = json.loads(out)
    assert status == 1
    assert stopped["in_doubt"] == stopped["sending"] == 0
    assert stopped["enqueued"] == desk.account()["numbers"] < 20
    assert f"connector resume {stopped['dispatch']}" in err
    assert desk.send()["enqueued"] == 20
    account = desk.account()
    assert (account["accepted_once"], account["accepted_more"]) == (20, 0)


def test_a_second_ctrl_c_ends_at_once(desk: Desk) -> None:
    desk.people(2)
    desk.ask("hold", {"at": "after"})
    with desk.start(*SEND) as sending:
        desk.ask("held")
        assert sending.interrupt_until_ended() == 1
    desk.ask("release", {})
    assert desk.send()["enqueued"] == 2
    assert desk.account()["accepted_once"] == 2


class Terminal:
    """A command that somebody runs at a terminal."""

    def __init__(self, desk: Desk, *arguments: str, columns: int = 150) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from connector.cli.main import main; main()", *arguments],
            cwd=desk.folder,
            env={**os.environ, **desk.environment, "COLUMNS": str(columns), "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def read_until(self, words: bytes) -> str:
        """What is shown until some words are, or until the end."""
        shown = b""
        while words not in shown:
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:
                # How Linux says that the other end of a terminal is closed.
                break
            if not chunk:
                break
            shown += chunk
        return shown.decode()

    def answer(self, words: str) -> tuple[int, str]:
        """Type an answer; exit status and what is shown after it."""
        os.write(self._ours, words.encode())
        return self.end()

    def end(self) -> tuple[int, str]:
        """Exit status and what is still shown."""
        shown = self.read_until(b"\0")
        os.close(self._ours)
        return self._process.wait(), shown


def test_on_a_terminal_the_audience_is_shown_and_sending_is_asked_for(desk: Desk) -> None:
    desk.write("people.csv", "to,name\n+12015550123,Ada\n+12015550123,Ada\n")
    terminal = Terminal(desk, *SEND)
    shown = terminal.read_until(b"[y/N]")
    assert "the same person stands earlier in the list" in shown
    assert "Hi Ada, we open on Monday." in shown
    assert "Send 1 message?" in shown
    status, shown = terminal.answer("n\n")
    assert status == 1
    assert "Nothing was sent." in shown
    assert desk.account()["requests"] == {}

    terminal = Terminal(desk, *SEND)
    terminal.read_until(b"[y/N]")
    status, shown = terminal.answer("y\n")
    assert status == 0
    assert "enqueued" in shown
    assert desk.account()["accepted_once"] == 1


def test_on_a_narrow_terminal_no_word_of_an_error_is_broken(desk: Desk) -> None:
    desk.write("people.csv", "to,name\n+12015550123,Ada\n")
    desk.write("campaign.toml", 'name = "opening"\nsender = "A sender that is far too long"\n[message]\ntext = "Hi"\n')
    _, shown = Terminal(desk, *SEND, columns=40).end()
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert max(map(len, lines)) <= 40 < len(" ".join(lines))
    assert " ".join(lines).split() == desk.run(*SEND).stderr.split()
