"""Serving: callbacks by uvicorn, and a worker beside it, until the process is told to stop."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from connector.connector import Connector
from connector.model.errors import ConnectorError, InputError
from connector.server.app import Server

START_SECONDS = 15.0
GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 75
"""Longer than load balancers keep an idle connection (60 s): a callback that meets its end gets a 502 of theirs."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `InputError` when the address can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise InputError(
            f"The server can't listen on {host} port {port}: {error.strerror}. Choose another with --port."
        ) from error
    return listening


class _Uvicorn(uvicorn.Server):
    def __init__(self, connector: Connector, ready: Callable[[], None]) -> None:
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                Server(connector),
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                # Nobody asks whom a callback came from.
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


@contextmanager
def _working(connector: Connector, with_worker: bool) -> Iterator[None]:
    stop = threading.Event()
    work = connector.run if with_worker else connector.keep_up
    thread = threading.Thread(target=work, args=(stop,), name="connector-worker")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def serve(
    connector: Connector,
    listening: socket.socket,
    *,
    with_worker: bool = True,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve in the main thread until SIGINT or SIGTERM; what is under way is finished first."""
    connector.prepare()
    connector.recorder.start()
    # uvicorn stops in good order and then raises the signal anew for whoever handled it before: the worker
    # must still finish what is under way.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _working(connector, with_worker):
            _Uvicorn(connector, ready).run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def serving(connector: Connector, *, with_worker: bool = True, listening: socket.socket | None = None) -> Iterator[str]:
    """Serve in a thread, on a free port of loopback where no socket is given; gives the base URL."""
    with listening or listen("127.0.0.1", 0) as listening:
        connector.prepare()
        connector.recorder.start()
        answered = threading.Event()
        server = _Uvicorn(connector, answered.set)
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]), name="connector-server")
        with _working(connector, with_worker):
            thread.start()
            try:
                if not answered.wait(START_SECONDS):
                    raise ConnectorError("The server did not start.")
                yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            finally:
                server.should_exit = True
                thread.join()
