"""The walk through the Conversation API in the docs, typed into shells line by line, in the order of the page."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import httpx
import pytest
from setup_kit import free_port

PAGE = Path(__file__).parent.parent.parent / "docs" / "conversation.md"
WALK = "## All of it on the simulator\n"
SIMULATOR_PORT, SERVER_PORT = "9000", "8080"
ENDS = "that-was-it"
PATIENCE_SECONDS, LONGEST_SECONDS = 60, 300


class Block(NamedTuple):
    """One block of the page."""

    kind: str
    before: str
    """The line of prose above it."""
    content: str


def _blocks() -> list[Block]:
    walk = PAGE.read_text().partition(WALK)[2]
    found = re.finditer(r"^```(sh|text|toml|csv)\n(.*?)^```", walk, re.MULTILINE | re.DOTALL)
    return [Block(each[1], walk[: each.start()].rstrip().splitlines()[-1], each[2]) for each in found]


class Terminal(AbstractContextManager["Terminal"]):
    """A shell that is typed into; whatever runs in it ends with the block."""

    def __init__(self, folder: Path) -> None:
        # As an installation puts it on the path.
        command = folder / "bin" / "connector"
        if not command.exists():
            command.parent.mkdir()
            start = "from connector.cli.main import main; main()"
            command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n')
            command.chmod(0o755)
        environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"}
        self.is_busy = False
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        # What never says anything more must not keep the tests for ever.
        self._given_up = threading.Timer(LONGEST_SECONDS, lambda: os.killpg(self._shell.pid, signal.SIGKILL))
        self._given_up.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        if self.is_busy:
            os.killpg(self._shell.pid, signal.SIGTERM)
        self._shell.stdin.close()
        try:
            self._shell.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()
        self._given_up.cancel()
        self._shell.stdout.close()

    def type(self, line: str) -> str:
        """What a command says until it ends, or says that Ctrl-C stops it."""
        self._put(f"{line}\n")
        stays = re.match(r"connector (serve|simulate (?!.*--inbound))", line) is not None
        if not stays:
            self._put(f"echo; echo {ENDS} $?\n")
        said = []
        for told in self._lines():
            said.append(told)
            if stays and "Ctrl-C" in told:
                self.is_busy = True
                break
            if told.startswith(ENDS):
                assert told.split()[1:] == ["0"], f"{line}\n{''.join(said)}"
                break
        else:
            pytest.fail(f"{line} ended:\n{''.join(said)}")
        return "".join(said)

    def _put(self, text: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(text)
        self._shell.stdin.flush()

    def _lines(self) -> Iterator[str]:
        assert self._shell.stdout is not None
        return iter(self._shell.stdout.readline, "")


def _missing(shown: str, said: str) -> list[str]:
    """The lines that the page shows and that were not said, in this order; `...` stands for anything."""
    left, missing = said, []
    for line in shown.splitlines():
        parts = [r"\s+".join(map(re.escape, re.split(r"\s+", part))) for part in line.split("...")]
        found = re.search(r"[^\n]*".join(parts), left)
        if found is None:
            missing.append(line)
        else:
            left = left[found.end() :]
    return missing


def test_the_walk_comes_out_as_shown(tmp_path: Path) -> None:
    one = other = free_port()
    while other == one:
        other = free_port()
    ports = {SIMULATOR_PORT: str(one), SERVER_PORT: str(other)}
    blocks = [
        each._replace(content=re.sub(r"\b(9000|8080)\b", lambda port: ports[port[0]], each.content))
        for each in _blocks()
    ]
    assert [each.kind for each in blocks].count("text") >= 5
    said, shown = "", 0
    with ExitStack() as stack, httpx.Client(timeout=PATIENCE_SECONDS) as http:
        terminal = stack.enter_context(Terminal(tmp_path))
        for block in blocks:
            match block.kind:
                case "toml":
                    name = re.match(r"# (\S+\.toml)", block.content)
                    assert name is not None
                    (tmp_path / name[1]).write_text(block.content)
                case "csv":
                    name = re.search(r"`(\S+\.csv)`", block.before)
                    assert name is not None
                    (tmp_path / name[1]).write_text(block.content)
                case "sh":
                    if terminal.is_busy:
                        terminal = stack.enter_context(Terminal(tmp_path))
                    said = ""
                    for line in block.content.splitlines():
                        said += terminal.type(line)
                        # A person reads between two lines; meanwhile all callbacks are taken.
                        if line.startswith("connector"):
                            url = f"http://127.0.0.1:{ports[SIMULATOR_PORT]}/_simulator/idle"
                            assert http.get(url).is_success
                case "text":
                    shown += 1
                    assert not _missing(block.content, said), said
    assert shown
    assert (tmp_path / "events.csv").read_text().count(",replied,") == 2
