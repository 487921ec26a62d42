"""The sink: batches of track calls."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic_core import to_json

from connector.extension import CheckResult, DeadLetter, Sink, SinkSettings
from connector.extension.neutral import told
from connector.http import Http
from connector.model.errors import ConfigurationError, SinkStopped
from connector.model.event import Event
from connector_segment.settings import SegmentSettings

MAX_CALL_BYTES = 32_000
MAX_BATCH_BYTES = 490_000
"""Below the 500 KB of a request: it carries a few words more."""


class Segment(Sink):
    """Tracks events in a Segment workspace, each with its id as `messageId`, by which repeats are dropped there.

    Segment takes nearly everything with a 200 and tells nobody what it drops, so that calls are measured before they
    leave. Source: Segment's documentation, page "HTTP API Source" (32 KB a call, 500 KB and 2,500 calls a batch).
    """

    name = "segment"
    title = "Twilio Segment"
    Settings: ClassVar[type[SinkSettings]] = SegmentSettings
    batch_events: ClassVar[int] = 500
    parallel: ClassVar[int] = 4
    guidance = (
        "You need the write key of an HTTP API source, and must know whether the workspace is in the US or the EU."
    )

    def __init__(self, settings: SegmentSettings, http: Http) -> None:
        self._settings = settings
        self._client = http.client(settings.url, timeout_seconds=settings.request_timeout_seconds)

    def deliver(self, events: Sequence[Event]) -> list[DeadLetter]:
        dead: list[DeadLetter] = []
        calls: list[tuple[Event, bytes]] = []
        for event in events:
            who = self._who(event.customer_id, event.recipient)
            call = to_json(self._call(event, who))
            if not who:
                # Who was sent to has an ID; somebody who only wrote may be nobody's user.
                left_out = self._settings.without_id == "leave_out" or event.message_id is None
                dead.append(DeadLetter(event, "This event has no customer_id, so its user isn't known.", left_out))
            elif len(call) > MAX_CALL_BYTES:
                dead.append(DeadLetter(event, "It is longer than the 32 KB that Segment takes."))
            else:
                calls.append((event, call))
        waiting: list[tuple[Event, bytes]] = []
        size = 0
        for each in calls:
            if waiting and size + len(each[1]) + 1 > MAX_BATCH_BYTES:
                dead += self._send(waiting)
                waiting, size = [], 0
            waiting.append(each)
            size += len(each[1]) + 1
        return dead + self._send(waiting)

    def _send(self, calls: list[tuple[Event, bytes]]) -> list[DeadLetter]:
        if not calls:
            return []
        body = b'{"batch":[' + b",".join(call for _, call in calls) + b"]}"
        answer = self._client.post_events("/v1/batch", body, self._authorization())
        if answer.status == 200:
            return []
        if answer.status in (400, 413):
            if len(calls) == 1:
                return [DeadLetter(calls[0][0], f"Segment refused it (HTTP {answer.status}).")]
            # Which of them is to blame isn't said.
            half = len(calls) // 2
            return self._send(calls[:half]) + self._send(calls[half:])
        raise SinkStopped(f"Segment refused the write key or the address (HTTP {answer.status}).")

    def _call(self, event: Event, who: Mapping[str, str]) -> dict[str, Any]:
        return {
            "type": "track",
            "messageId": event.id,
            "event": self._settings.name_of(event.status),
            "timestamp": event.occurred_at,
            "properties": told(event, self._settings.properties),
            **who,
        }

    def _who(self, customer_id: str | None, recipient: str | None) -> dict[str, str]:
        if customer_id:
            return {"userId": customer_id}
        return {"anonymousId": recipient} if recipient and self._settings.without_id == "anonymous" else {}

    def lacks(self, recipient: str, customer_id: str | None, metadata: Mapping[str, Any]) -> str | None:
        return "no customer_id" if self._settings.without_id == "refuse" and not customer_id else None

    def _authorization(self) -> dict[str, str]:
        try:
            key = self._settings.write_key.recent()
        except ConfigurationError as error:
            raise SinkStopped(str(error)) from error
        return {"authorization": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"}

    def check(self) -> list[CheckResult]:
        """Nothing can be asked without tracking something."""
        unproved = "Segment answers nothing about a write key without an event: look at the source's debugger."
        return [CheckResult("write key", None, unproved)]
