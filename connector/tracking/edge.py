"""The receiving edge: callbacks as a plain ASGI callable."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from connector.model.callback import Request, Response
from connector.model.errors import ConnectorError, without_words
from connector.tracking import callbacks
from connector.tracking.recording import Recorder

MOST_WAITING = 5000
"""Callbacks that may wait to be written; beyond it memory would grow with what the provider sends."""

logger = logging.getLogger("connector.tracking")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Edge:
    """Takes callbacks at `/webhooks/{integration id}[/{batch key}]`.

    `prepare` makes ready what the others need, where `is_ready` says that it isn't; `read` verifies and reads one
    request; `recorder` makes it durable before it is answered.
    """

    def __init__(
        self,
        read: Callable[[Request], "callbacks.Read | Response"],
        recorder: Callable[[], Recorder],
        *,
        is_ready: Callable[[], bool],
        prepare: Callable[[], None],
    ) -> None:
        self._read = read
        self._recorder = recorder
        self._is_ready = is_ready
        self._prepare = prepare

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            await respond(send, await self._respond(scope, receive))
        except _Gone:
            # Half a report is none: who sent it sends it again.
            return

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        path = path_of(scope)
        body = None if _declares_too_much(headers) else await _body(receive)
        try:
            if not self._is_ready():
                # A host's event loop has others to serve while a ledger is made.
                await asyncio.to_thread(self._prepare)
            if body is None:
                read = callbacks.too_large(path)
            else:
                read = self._read(Request(scope["method"], path, headers, body))
            if isinstance(read, Response):
                return read
            recorder = self._recorder()
            if recorder.waiting > MOST_WAITING:
                logger.error("Callbacks come faster than the ledger takes them; the provider is asked to repeat some.")
                return callbacks.NOT_STORED
            arrivals = [(read.integration, receipt) for receipt in read.receipts]
            await recorder.store(arrivals, read.counts)
            return callbacks.answer(read)
        except ConnectorError as error:
            logger.error("A callback could not be stored: %s", error)
        except Exception as error:
            logger.error("A callback could not be stored: %s", without_words(error))
        return callbacks.NOT_STORED


class _Gone(Exception):
    """The other side went away before its request was whole."""


def path_of(scope: Scope) -> str:
    """The path of a request, without the prefix that the application is mounted under."""
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "").rstrip("/")
    # Some servers take the prefix off themselves.
    return path[len(prefix) :] if path == prefix or path.startswith(f"{prefix}/") else path


def _declares_too_much(headers: Mapping[str, str]) -> bool:
    try:
        return int(headers.get("content-length", "0")) > callbacks.MAX_BODY_BYTES
    except ValueError:
        return False


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when it grows over the limit. Raises `_Gone`."""
    chunks = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > callbacks.MAX_BODY_BYTES:
            return None
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


async def respond(send: Send, response: Response) -> None:
    """Send an answer."""
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
