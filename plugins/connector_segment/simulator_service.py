"""A running double of the HTTP tracking API: it answers 200 to nearly everything, and drops without a word.

Source: Segment's documentation, pages "HTTP API Source" and "Handling Duplicate Data".
"""

import base64
from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic_core import from_json, to_json

from connector.http import Answer
from connector.simulator import Options
from connector.simulator.service import Call, Service, json_answer

MAX_BATCH_CALLS = 2500
MAX_BATCH_BYTES = 500_000
MAX_CALL_BYTES = 32_768


class SegmentService(Service):
    """One source: what came to the workspace, each `messageId` once."""

    def __init__(self, options: Options, *, write_key: str, retry_after_seconds: int | None) -> None:
        super().__init__(options, ())
        self._key = base64.b64encode(f"{write_key}:".encode()).decode()
        self._retry_after_seconds = retry_after_seconds
        self.forget()

    def forget(self) -> None:
        self._events: dict[str, dict[str, Any]] = {}

    def batches(self) -> list[dict[str, Any]]:
        """Every event of the workspace, in the order that they came."""
        return list(self._events.values())

    def take_up(self, held: Mapping[str, Any]) -> None:
        """Nothing is sent from here that could come to an end."""

    def leave(self, batch: Any, start: int, stop: int) -> NoReturn:
        raise NotImplementedError("nothing waits to be sent here")

    def sign(self, body: bytes) -> NoReturn:
        raise NotImplementedError("nothing is called back from here")

    def inbound(self, content: dict[str, Any]) -> Answer:
        return json_answer(400, {"error": "Nobody writes to a workspace."})

    async def answer(self, call: Call) -> Answer:
        if (call.method, call.path) not in (("POST", "/v1/batch"), ("POST", "/v1/track")):
            return json_answer(404, {"success": False})
        answer = await self.accepting(lambda: self._take(call))
        if answer.status == 429 and self._retry_after_seconds is not None:
            return Answer(429, {"retry-after": str(self._retry_after_seconds)}, answer.body)
        return answer

    def _take(self, call: Call) -> Answer:
        if len(call.body) > MAX_BATCH_BYTES:
            return json_answer(400, {"success": False, "message": "Exceeds maximum size"})
        try:
            content = from_json(call.body)
        except ValueError:
            return json_answer(400, {"success": False, "message": "malformed JSON"})
        single = call.path == "/v1/track"
        calls = [content] if single else content.get("batch") if isinstance(content, dict) else None
        taken = json_answer(200, {"success": True})
        if not isinstance(calls, list) or len(calls) > MAX_BATCH_CALLS:
            return taken
        if call.headers.get("authorization") != f"Basic {self._key}":
            # Nor does it say that nobody knows this key.
            return taken
        for each in calls:
            self._track(each, single)
        return taken

    def _track(self, call: Any, single: bool) -> None:
        if not isinstance(call, dict) or not (single or call.get("type") == "track") or not call.get("event"):
            return
        if not (call.get("userId") or call.get("anonymousId")) or len(to_json(call)) > MAX_CALL_BYTES:
            return
        self._events.setdefault(str(call.get("messageId")), call)
        self.tally.accept([str(call.get("messageId"))])
