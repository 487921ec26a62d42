"""The receiving edge: callbacks as a plain ASGI callable."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from connector.model.callback import Request, Response
from connector.model.errors import ConnectorError
from connector.tracking import callbacks
from connector.tracking.recording import Recorder

logger = logging.getLogger("connector.tracking")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Edge:
    """Takes callbacks at `/webhooks/{integration id}[/{batch key}]`.

    `read` verifies and reads one request; `recorder` makes it durable before it is answered.
    """

    def __init__(
        self, read: Callable[[Request], "callbacks.Read | Response"], recorder: Callable[[], Recorder]
    ) -> None:
        self._read = read
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        await respond(send, await self._respond(scope, receive))

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        # Mounted under a prefix, the path still carries it.
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        place = callbacks.address(path)
        declared = headers.get("content-length", "0")
        body = None
        if not declared.isdigit() or int(declared) <= callbacks.MAX_BODY_BYTES:
            body = await _body(receive)
        if body is None:
            if place is not None:
                await self._count("too_large", place[0])
            return callbacks.TOO_LARGE
        try:
            read = self._read(Request(scope["method"], path, headers, body))
            if isinstance(read, Response):
                return read
            arrivals = [(read.integration, receipt) for receipt in read.receipts]
            await asyncio.wrap_future(self._recorder().submit(arrivals, read.counts))
            return callbacks.answer(read)
        except ConnectorError as error:
            logger.error("A callback could not be stored: %s", error)
        except Exception:
            logger.exception("A callback could not be stored.")
        return callbacks.NOT_STORED

    async def _count(self, name: str, integration: str) -> None:
        try:
            await asyncio.wrap_future(self._recorder().submit([], {name: integration}))
        except ConnectorError as error:
            logger.error("A refused callback could not be counted: %s", error)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when it grows over the limit."""
    chunks = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
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
