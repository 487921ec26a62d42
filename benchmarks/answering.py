"""An HTTP server that answers everything with 201 and a new id, and does nothing else.

    python benchmarks/answering.py

prints the address it listens at, and answers until its standard input is closed.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

_content_length = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search
_ids = count(1)


class Answering(asyncio.Protocol):
    """Reads past a request's body, and answers."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = b""
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        # One request at a time on a connection: neither client pipelines.
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _content_length(self._head, 0, end + 2)
            self._missing = end + 4 + int(length[1] if length else 0) - len(self._head)
            self._head = b""
        if not self._missing:
            body = b'{"id":"%026d"}' % next(_ids)
            self._transport.write(
                b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def answering() -> Iterator[str]:
    """The address of such a server in a process of its own."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


if __name__ == "__main__":
    asyncio.run(_serve())
