"""TLS in front of a cluster, which has none of its own."""

import asyncio
import queue
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka_kit import Cluster


class Front:
    """Where the cluster is reached by TLS, and which certificates were shown there."""

    def __init__(self, cluster: Cluster, context: ssl.SSLContext) -> None:
        self.servers = ""
        self.shown: list[dict[str, Any] | None] = []
        """The certificate of each client that came; None: it has shown none."""
        self._context = context
        self._host, _, port = cluster.servers.partition(":")
        self._port = int(port)
        self._port_here = 0

    async def serve(self, ready: "queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
        """Listen until the event that is put into the queue is set."""
        over = asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, ssl=self._context)
        self._port_here = server.sockets[0].getsockname()[1]
        self.servers = f"127.0.0.1:{self._port_here}"
        ready.put((asyncio.get_running_loop(), over))
        await over.wait()
        server.close()

    async def _pass_on(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.shown.append(to_client.get_extra_info("peercert"))
        from_broker, to_broker = await asyncio.open_connection(self._host, self._port)

        async def questions() -> None:
            while asked := await from_client.read(65536):
                to_broker.write(asked)
            raise EOFError

        async def answers() -> None:
            # The broker tells where it is, and clients would go there past this.
            there, here = (self._host.encode() + struct.pack(">i", port) for port in (self._port, self._port_here))
            while True:
                (length,) = struct.unpack(">i", await from_broker.readexactly(4))
                answer = (await from_broker.readexactly(length)).replace(there, here)
                to_client.write(struct.pack(">i", length) + answer)

        try:
            await asyncio.gather(questions(), answers())
        except (OSError, EOFError):
            # One side is gone.
            pass
        finally:
            to_client.transport.abort()
            to_broker.transport.abort()


@contextmanager
def behind_tls(cluster: Cluster, context: ssl.SSLContext) -> Iterator[Front]:
    """A front that listens while the block runs."""
    front = Front(cluster, context)
    ready: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()
    thread = threading.Thread(target=lambda: asyncio.run(front.serve(ready)))
    thread.start()
    loop, over = ready.get(timeout=60)
    try:
        yield front
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
