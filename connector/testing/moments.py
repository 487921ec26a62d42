"""The moments at which a process may end: around every commit, at every step of a request and of a callback.

Production knows nothing of this: commits are seen by the events of the database library, requests by the trace
of the HTTP transport, callbacks by what the receiving edge is given to read and to answer with.
"""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpcore
from sqlalchemy import Connection, Engine, Pool, event

from connector.tracking.edge import Edge, Receive, Scope, Send

Reached = Callable[[str], None]
"""Called with the name of a moment, in the thread that has come to it."""

BEFORE_COMMIT = "commit: before"
AFTER_COMMIT = "commit: after"
CALLBACK_TAKEN = "callback: taken"
CALLBACK_STORED = "callback: stored, not answered"
CALLBACK_ANSWERED = "callback: answered"
CONNECTED = "connected, deadline not checked"
ABOUT_TO_WRITE = "about to write"
"""For a send: its deadline has just been checked."""

_STEPS = {
    "http11.send_request_headers.complete": "half written",
    "http11.send_request_body.complete": "written",
    "http11.receive_response_headers.complete": "answer begins",
    "http11.receive_response_body.complete": "answered, nothing recorded",
}


@contextmanager
def watched(reached: Reached) -> Iterator[None]:
    """Have `reached` called at every moment of this process until the end of the block."""
    with _commits(reached), _requests(reached), _callbacks(reached):
        yield


@contextmanager
def _commits(reached: Reached) -> Iterator[None]:
    def before(connection: Connection) -> None:
        if connection.get_execution_options().get("connector_writes"):
            connection.info["commits"] = True
            reached(BEFORE_COMMIT)

    def after(connection: Any, record: Any) -> None:
        # A connection is given back as soon as its transaction has ended.
        if record.info.pop("commits", False):
            reached(AFTER_COMMIT)

    event.listen(Engine, "commit", before)
    event.listen(Pool, "checkin", after)
    try:
        yield
    finally:
        event.remove(Engine, "commit", before)
        event.remove(Pool, "checkin", after)


@contextmanager
def _requests(reached: Reached) -> Iterator[None]:
    handle = httpcore.ConnectionPool.handle_request

    def handle_watched(pool: httpcore.ConnectionPool, request: httpcore.Request) -> httpcore.Response:
        method = request.method.decode()
        theirs = request.extensions.get("trace", lambda name, info: None)

        def trace(name: str, info: dict[str, Any]) -> None:
            begins = name == "http11.send_request_headers.started"
            if begins:
                reached(f"{method}: {CONNECTED}")
            theirs(name, info)
            if begins:
                reached(f"{method}: {ABOUT_TO_WRITE}")
            elif name in _STEPS:
                reached(f"{method}: {_STEPS[name]}")

        request.extensions = {**request.extensions, "trace": trace}
        return handle(pool, request)

    httpcore.ConnectionPool.handle_request = handle_watched  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        httpcore.ConnectionPool.handle_request = handle  # type: ignore[method-assign]


@contextmanager
def _callbacks(reached: Reached) -> Iterator[None]:
    call = Edge.__call__

    async def call_watched(edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_watched(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                reached(CALLBACK_STORED)
            await send(message)
            if message["type"] == "http.response.body":
                reached(CALLBACK_ANSWERED)

        reached(CALLBACK_TAKEN)
        await call(edge, scope, receive, send_watched)

    Edge.__call__ = call_watched  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Edge.__call__ = call  # type: ignore[method-assign]


class Count:
    """Counts moments; safe to call from any thread."""

    def __init__(self) -> None:
        self.times: Counter[str] = Counter()
        self._guard = threading.Lock()

    def __call__(self, moment: str) -> None:
        self.reach(moment)

    def reach(self, moment: str) -> int:
        """Note a moment; returns how often it has come."""
        with self._guard:
            self.times[moment] += 1
            return self.times[moment]


class Ends(Count):
    """Sends this process a signal when a moment comes for the n-th time: SIGKILL ends it, SIGSTOP freezes it.

    `met` is a file that is made just before.
    """

    def __init__(self, moment: str, times: int, by: signal.Signals, met: Path) -> None:
        super().__init__()
        self._moment = moment
        self._times = times
        self._by = by
        self._met = met

    def __call__(self, moment: str) -> None:
        if self.reach(moment) == self._times and moment == self._moment:
            self._met.touch()
            # To the process, another thread of it might be stopped first, and this one go on for a while.
            signal.pthread_kill(threading.get_ident(), self._by)
