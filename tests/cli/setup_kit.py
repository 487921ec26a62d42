"""What the tests of `setup` and `check` share: a terminal to type at, ports, and other web servers."""

import codecs
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from cli_kit import SIMULATOR, Desk

TOKEN = SIMULATOR.Options().api_token
PATIENCE_SECONDS = 120.0


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def words(desk: Desk, **more: Any) -> list[str]:
    """The `--set`s of an integration at the simulator; `more` adds some, or changes them; None leaves one out."""
    settings = {**SIMULATOR.settings(desk.base_url, desk.options), "name": "sms-eu", **more}
    del settings["provider"]
    return [
        part
        for key, value in settings.items()
        if value is not None
        for part in ("--set", f"{key.replace('__', '.')}={value}")
    ]


def findings(told: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What a document found, by the name of what was tried: result and message."""
    return {each["name"]: (each["result"], each["message"]) for each in told["findings"]}


class Terminal(AbstractContextManager["Terminal"]):
    """A command that somebody types at, in a process of its own, which ends with the block at the latest."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        self.shown = ""
        # What is read may end within a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._read_to = 0
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from connector.cli.main import main; main()", *arguments],
            cwd=folder,
            env={**os.environ, "COLUMNS": "100", "TERM": "dumb", **environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def type(self, *lines: str, at: str) -> None:
        """Wait until it asks, and type the first line; then the next where it asks the same again."""
        for line in lines:
            self.wait_for(at)
            os.write(self._ours, f"{line}\n".encode())

    def wait_for(self, words: str) -> None:
        """Wait until it shows something that it had not shown before."""
        while (place := self.shown.find(words, self._read_to)) < 0:
            assert self._read(), f"it ended before it said {words!r}:\n{self.shown}"
        self._read_to = place + len(words)

    def interrupt(self) -> None:
        """Do what Ctrl-C does.

        Not by typing it: the terminal takes that when it gets to it, and then throws away what it has not shown yet.
        """
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait until it ends; its exit status."""
        while self._read():
            pass
        return self._process.wait(PATIENCE_SECONDS)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], PATIENCE_SECONDS)
        assert ready, f"it says nothing more:\n{self.shown}"
        try:
            read = os.read(self._ours, 65536)
        except OSError:
            # How Linux says that the other end of a terminal is closed.
            return False
        self.shown += self._decoder.decode(read)
        return bool(read)


@contextmanager
def answering(status: int, body: bytes = b"", **headers: str) -> Iterator[str]:
    """A web server that gives everybody the same answer; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
