"""Serving a simulator: in the foreground, or in a thread."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from connector.model.errors import ConnectorError, InputError
from connector.simulator.service import Service
from connector.simulator.simulator import Simulator

START_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep a connection that they don't use: else it might end just as they use it again."""


class _Protocol(H11Protocol):
    """Lets the application reach the connection: ASGI has no way to close one without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    def __init__(self, service: Service, ready: Callable[[], None]) -> None:
        self._service = service
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                service,
                http=_Protocol,
                ws="none",
                lifespan="on",
                loop="asyncio",
                log_config=None,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=2,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )

    def stop(self) -> None:
        """Stop in good order; may be called from any thread."""
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._stop.set)

    async def main_loop(self) -> None:
        # uvicorn's own looks ten times a second whether it is to stop: tests stop hundreds of simulators.
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 0.1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.stop_waiting()
        await super().shutdown(sockets=sockets)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's delay, 40 ms an answer here, only where the protocol is named.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(512)
    except OSError as error:
        listening.close()
        raise InputError(f"Can't listen on {host} port {port}: {error.strerror}. Choose another --port.") from error
    return listening


def serve(
    simulator: Simulator,
    options: Any = None,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve a simulator in the main thread until SIGINT or SIGTERM, then stop in good order.

    `ready` is called with the port once requests are answered; port 0 takes a free one. Raises `InputError`.
    """
    service = simulator.service(options or simulator.Options())
    with _listen(host, port) as listening:
        taken = listening.getsockname()[1]
        server = _Server(service, lambda: ready(taken) if ready else None)
        # uvicorn stops in good order and then raises the signal once more, for whoever handled it before.
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            server.run(sockets=[listening])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def running(simulator: Simulator, options: Any = None) -> Iterator[str]:
    """Serve a simulator in a thread on a free port of loopback; gives its base URL.

    It answers when the block begins, and is stopped at its end. Raises `ConnectorError` when it doesn't start.
    """
    service = simulator.service(options or simulator.Options())
    with _listen("127.0.0.1", 0) as listening:
        answered = threading.Event()
        server = _Server(service, answered.set)
        thread = threading.Thread(
            target=_run, args=(server, listening, answered), name=f"simulator-{simulator.name}", daemon=True
        )
        thread.start()
        if not (answered.wait(START_SECONDS) and server.started):
            raise ConnectorError(f"The simulator {simulator.name} did not start.")
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.stop()
            thread.join()


def _run(server: _Server, listening: socket.socket, answered: threading.Event) -> None:
    try:
        server.run(sockets=[listening])
    finally:
        answered.set()
