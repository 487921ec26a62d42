"""A running double of the Tracking API: single events, customers, batches, server time.

Strict where the documentation is: what it doesn't allow is refused. Source: the Engagement API reference's pages "Add
event", "Update customer properties", "Batch commands", "Tracking API overview", "Tracking API error messages" and
"Tracking API authorization errors".
"""

import base64
import math
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from pydantic_core import from_json, to_json

from connector.http import Answer
from connector.simulator.service import Call, Service, json_answer
from connector_bloomreach.simulator_options import BloomreachOptions

PREFIX = "/track/v2/projects/"
MAX_COMMANDS = 50
MAX_EVENT_BYTES = 800_000
MAX_VALUE_BYTES = 16_000


class _Wrong(Exception):
    """A command that can't be carried out."""


class BloomreachService(Service):
    """One project: what was tracked in it, by customer."""

    def __init__(self, options: BloomreachOptions) -> None:
        super().__init__(options, ())
        self._options = options
        self._times: deque[float] = deque()
        self.forget()

    def forget(self) -> None:
        self._events: list[dict[str, Any]] = []

    def batches(self) -> list[dict[str, Any]]:
        """Every event that was tracked, in the order that they came."""
        return self._events

    def take_up(self, held: Mapping[str, Any]) -> None:
        """Nothing is sent from here that could come to an end."""

    def leave(self, batch: Any, start: int, stop: int) -> NoReturn:
        raise NotImplementedError("nothing waits to be sent here")

    def sign(self, body: bytes) -> NoReturn:
        raise NotImplementedError("nothing is called back from here")

    def inbound(self, content: dict[str, Any]) -> Answer:
        return json_answer(400, {"error": "Nobody writes to a project."})

    async def answer(self, call: Call) -> Answer:
        project, _, path = call.path.removeprefix(PREFIX).partition("/")
        if not call.path.startswith(PREFIX):
            return json_answer(404, {"success": False, "error": "Not found"})
        if project != self._options.project_token:
            return json_answer(400, {"success": False, "error": "Could not authenticate"})
        refused = self._refused(call.headers.get("authorization", ""))
        if refused is not None:
            return refused
        if (call.method, path) == ("GET", "system/time"):
            return json_answer(200, {"success": True, "time": time.time()})
        if call.method != "POST" or path not in ("customers/events", "customers", "batch"):
            return json_answer(404, {"success": False, "error": "Not found"})
        if self._too_many():
            answer = Answer(429, {}, b"")
        else:
            answer = await self.accepting(lambda: self._take(path, call.body))
        if answer.status == 429 and self._options.retry_after_seconds is not None:
            return Answer(429, {"retry-after": str(self._options.retry_after_seconds)}, answer.body)
        return answer

    def _refused(self, authorization: str) -> Answer | None:
        options = self._options
        key = base64.b64encode(f"{options.api_key_id}:{options.api_secret}".encode()).decode()
        if authorization in (f"Basic {key}", f"Token {options.api_token}"):
            return None
        try:
            given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        except ValueError:
            given = ""
        if given.partition(":")[0] == options.api_key_id:
            return json_answer(403, {"success": False, "errors": ["invalid secret"]})
        return json_answer(401, {"success": False, "errors": ["Access key not found"]})

    def _too_many(self) -> bool:
        """Whether this request is one too many within a second."""
        if self._options.requests_per_second is None:
            return False
        now = time.monotonic()
        while self._times and self._times[0] <= now - 1.0:
            self._times.popleft()
        if len(self._times) >= self._options.requests_per_second:
            return True
        self._times.append(now)
        return False

    def _take(self, path: str, body: bytes) -> Answer:
        try:
            content = from_json(body)
        except ValueError:
            return json_answer(400, {"success": False, "message": "Invalid JSON"})
        if path == "batch":
            return self._batch(content)
        try:
            self._carry_out(path, content, None)
        except _Wrong as error:
            return json_answer(400, {"success": False, "errors": [str(error)]})
        return json_answer(200, {"success": True, "errors": []})

    def _batch(self, content: Any) -> Answer:
        commands = content.get("commands") if isinstance(content, dict) else None
        if not isinstance(commands, list) or not all(isinstance(command, dict) for command in commands):
            return json_answer(200, {"success": False, "errors": ["commands: a list of commands is expected"]})
        if len(commands) > MAX_COMMANDS:
            return json_answer(200, {"success": False, "errors": [f"At most {MAX_COMMANDS} commands are allowed."]})
        began = time.time()
        results: list[dict[str, Any]] = []
        for command in commands:
            try:
                name = command.get("name")
                if name not in ("customers", "customers/events"):
                    raise _Wrong("Unknown command name.")
                self._carry_out(name, command.get("data"), command.get("command_id"))
            except _Wrong as error:
                results.append({"success": False, "errors": [str(error)]})
            else:
                results.append({"success": True})
        times = {"start_time": began, "end_time": time.time()}
        return json_answer(200, {"results": results, **times, "success": True})

    def _carry_out(self, name: str, data: Any, command_id: Any) -> None:
        if not isinstance(data, dict):
            raise _Wrong("Data of the command are missing.")
        ids = _checked_ids(data.get("customer_ids"))
        properties = data.get("properties")
        if not isinstance(properties, dict) or not properties:
            raise _Wrong("At least one property should be specified.")
        if any(len(to_json(value)) >= MAX_VALUE_BYTES for value in properties.values()):
            raise _Wrong("A property value is too large.")
        if len(to_json(data)) >= MAX_EVENT_BYTES:
            raise _Wrong("The event is too large.")
        if name == "customers":
            return
        event_type = data.get("event_type")
        if not isinstance(event_type, str) or not event_type:
            raise _Wrong("event_type: a text is expected.")
        if self._options.event_types is not None and event_type not in self._options.event_types:
            raise _Wrong("Not authorized to add event of specified type")
        event = {
            "customer_ids": ids,
            "event_type": event_type,
            "timestamp": _seconds(data.get("timestamp")),
            "properties": properties,
            "command_id": command_id,
        }
        if self._options.remember:
            self._events.append(event)
            self.tally.accept([str(command_id)])


def _checked_ids(ids: Any) -> dict[str, str]:
    if not isinstance(ids, dict) or not ids:
        raise _Wrong("At least one id should be specified.")
    for value in ids.values():
        if not isinstance(value, str) or not any(map(str.isalnum, value)):
            raise _Wrong("An id should contain at least one alphanumeric character.")
    return ids


def _seconds(at: Any) -> float:
    """A time as the platform understands it: seconds, never milliseconds; ISO 8601; now where there is none."""
    if at is None:
        return time.time()
    if isinstance(at, int | float) and not isinstance(at, bool) and math.isfinite(at):
        return float(at)
    try:
        return datetime.fromisoformat(at).timestamp()
    except (TypeError, ValueError):
        raise _Wrong("timestamp: seconds since 1970 or an ISO 8601 date are expected.") from None
