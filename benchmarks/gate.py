"""A platform that takes every event, or nothing: a double of Bloomreach's batches that holds its answers back.

    python benchmarks/gate.py

prints the address it listens at. Each line of its standard input opens the gate or, while it is open, closes it.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_content_length = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search
_waiting: list["Gate"] = []
_is_open = False


class Gate(asyncio.Protocol):
    """Reads a batch, and answers that all of it was tracked, when the gate is open."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._request = bytearray()

    def data_received(self, data: bytes) -> None:
        self._request += data
        end = self._request.find(b"\r\n\r\n")
        length = _content_length(self._request, 0, end + 2) if end >= 0 else None
        if length is None or len(self._request) < end + 4 + int(length[1]):
            return
        if _is_open:
            self.answer()
        else:
            _waiting.append(self)

    def answer(self) -> None:
        results = b",".join([b'{"success":true}'] * self._request.count(b'"command_id"'))
        self._request.clear()
        body = b'{"results":[%b],"success":true}' % results
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )


async def _serve() -> None:
    global _is_open
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Gate, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        _is_open = not _is_open
        if _is_open:
            for held in _waiting:
                held.answer()
            _waiting.clear()


@contextmanager
def gate() -> Iterator["subprocess.Popen[str]"]:
    """Such a platform in a process of its own, closed."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.terminate()


if __name__ == "__main__":
    asyncio.run(_serve())
