"""The sink: batches of `customers/events` commands."""

import base64
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic_core import to_json

from connector.extension import CheckResult, DeadLetter, Sink, SinkSettings
from connector.http import Http
from connector.model.errors import ConfigurationError, NotTaken, ReadFailed, SinkStopped
from connector.model.event import Event, Status
from connector_bloomreach.answers import Invalid, Refused, forbids_the_event_type, proof, refusals
from connector_bloomreach.pace import Pace
from connector_bloomreach.settings import METADATA, BloomreachSettings

MAX_COMMANDS = 50
MAX_VALUE_BYTES = 16_384

NUMBER = re.compile(r"[0-9]{7,15}|[0-9a-f]{64}")
"""A phone number's digits, or its hash; a recipient may also be a contact, or an identity on a channel."""

ALIKE = 3
"""Where so many events are refused alike, each by a request of its own, and no other is taken, it is not they."""

Call = tuple[Event, bytes]
"""An event, and the command that tracks it, in JSON."""


class Bloomreach(Sink):
    """Tracks events in a project of Bloomreach Engagement.

    Source: the Engagement API reference's pages "Batch commands", "Add event" and "Tracking API overview" (50
    commands a request, 100 requests a second and address, times in seconds, values below 16 KB).
    """

    name = "bloomreach"
    title = "Bloomreach Engagement"
    Settings: ClassVar[type[SinkSettings]] = BloomreachSettings
    asked: ClassVar[Sequence[str]] = ("customer_ids", "only_statuses", "start")
    batch_events: ClassVar[int] = MAX_COMMANDS
    parallel: ClassVar[int] = 10
    guidance = (
        "You need a private API key of the project (Project settings, Access management, API), whose group has the "
        "permission Events, Set, for the event type campaign or the one that it is mapped to. The base URL and the "
        "project token stand on the same page."
    )

    def __init__(self, settings: BloomreachSettings, http: Http) -> None:
        self._settings = settings
        names = settings.names
        action_type = names.pop("action_type", None)
        self._constant = {} if action_type is None else {action_type: settings.action_type}
        self._status = names.pop("status", None)
        self._fields = [(field, name) for field, name in names.items() if not field.startswith(METADATA)]
        self._metadata = [
            (field.removeprefix(METADATA), name) for field, name in names.items() if field.startswith(METADATA)
        ]
        self._values = {status: settings.values.get(status, status.value) for status in Status}
        self._client = http.client(settings.base_url, timeout_seconds=settings.request_timeout_seconds)
        self._project = f"/track/v2/projects/{settings.project_token}"
        # Who hands events over makes no calls that would only wait here, and can't be ended.
        self.calls_per_second = settings.requests_per_second
        self._pace = Pace()
        """Of requests: where one is refused as a whole, its halves are requests as well."""
        self._ended = threading.Event()
        self._had: set[str] = set()
        """Of calls that failed, the ids of the events that were taken: all of such a call come again."""

    def deliver(self, events: Sequence[Event]) -> list[DeadLetter]:
        dead: list[DeadLetter] = []
        calls: list[Call] = []
        for event in events:
            ids = self._ids(event.recipient, event.customer_id, event.metadata)
            if not ids:
                reason = f"This event has {self._missing()}, so its customer isn't known."
                # Who was sent to has an ID; somebody who only wrote may be nobody's customer.
                left_out = self._settings.without_id == "leave_out" or event.message_id is None
                dead.append(DeadLetter(event, reason, left_out))
                continue
            properties = self._properties(event)
            command = to_json(self._command(event, ids, properties))
            wrong = _too_long(properties) if len(command) >= MAX_VALUE_BYTES else None
            if wrong is not None:
                dead.append(DeadLetter(event, f"The property {wrong} is longer than 16 KB."))
            else:
                calls.append((event, command))
        return dead + self._send(calls)

    def _send(self, calls: list[Call]) -> list[DeadLetter]:
        new = [call for call in calls if call[0].id not in self._had] if self._had else calls
        reasons = self._reasons(new, self._ended) if new else []
        wrong = [str(reason) for reason in reasons if isinstance(reason, Invalid)]
        if len(wrong) == len(calls) >= ALIKE and len(set(wrong)) == 1:
            raise SinkStopped(f"Bloomreach refuses every request, whatever event is in it ({wrong[0]}).")
        if self._had:
            self._had.difference_update(event.id for event, _ in calls)
        return [
            DeadLetter(event, str(reason))
            for (event, _), reason in zip(new, reasons, strict=True)
            if reason is not None
        ]

    def _reasons(self, calls: list[Call], ended: threading.Event) -> list[str | Invalid | None]:
        """Of each event, why it was refused, `Invalid` where it was a request of its own; None: it was taken."""
        try:
            return [*self._post(calls, ended)]
        except Invalid as error:
            if len(calls) == 1:
                return [error]
        # Which of them is to blame isn't said.
        half = len(calls) // 2
        reasons = self._reasons(calls[:half], ended)
        self._note(calls[:half], reasons)
        return reasons + self._reasons(calls[half:], ended)

    def _post(self, calls: list[Call], ended: threading.Event) -> list[str | None]:
        """One request; of each event, why it was refused. Raises as `refusals`."""
        if not self._pace.wait(self.calls_per_second, ended):
            raise NotTaken("The sink was closed.")
        body = b'{"commands":[%b]}' % b",".join([command for _, command in calls])
        answer = self._client.post_events(f"{self._project}/batch", body, self._authorization())
        reasons = refusals(answer, len(calls))
        for reason in filter(forbids_the_event_type, filter(None, reasons)):
            self._note(calls, reasons)
            raise SinkStopped(
                f"Bloomreach refused the event type: {reason}. Allow it to the API group, or mend event_type."
            )
        return reasons

    def _note(self, calls: list[Call], reasons: Sequence[object]) -> None:
        """Keep in mind what was taken, as others of its call may fail yet."""
        self._had.update(event.id for (event, _), reason in zip(calls, reasons, strict=True) if reason is None)

    def _command(self, event: Event, ids: dict[str, str], properties: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": "customers/events",
            "command_id": event.id,
            "data": {
                "customer_ids": ids,
                "event_type": self._settings.event_type,
                "timestamp": event.occurred_at.timestamp(),
                "properties": properties,
            },
        }

    def _properties(self, event: Event) -> dict[str, Any]:
        properties = self._constant.copy()
        told = vars(event)
        for field, name in self._fields:
            value = told[field]
            if value is not None:
                properties[name] = value
        if self._status is not None:
            properties[self._status] = self._values[event.status]
        for key, name in self._metadata:
            value = event.metadata.get(key)
            if value is not None:
                properties[name] = value
        return properties

    def _ids(self, recipient: str | None, customer_id: str | None, metadata: Mapping[str, Any]) -> dict[str, str]:
        """The customer's IDs: a value has at least one letter or digit."""
        ids = {}
        for name, source in self._settings.customer_ids.items():
            value: Any
            if source == "customer_id":
                value = customer_id
            elif source.startswith(METADATA):
                value = metadata.get(source.removeprefix(METADATA))
            elif recipient is None or not NUMBER.fullmatch(recipient):
                value = None
            else:
                value = f"+{recipient}" if source == "recipient_with_plus" else recipient
            if value is not None and any(map(str.isalnum, str(value))):
                ids[name] = str(value)
        return ids

    def _missing(self) -> str:
        return f"no {' or '.join(self._settings.customer_ids.values())}"

    def lacks(self, recipient: str, customer_id: str | None, metadata: Mapping[str, Any]) -> str | None:
        if self._settings.without_id == "leave_out" or self._ids(recipient, customer_id, metadata):
            return None
        return self._missing()

    def _authorization(self) -> dict[str, str]:
        settings = self._settings
        try:
            if settings.api_token is not None:
                return {"authorization": f"Token {settings.api_token.recent()}"}
            secret = settings.api_secret.recent() if settings.api_secret is not None else ""
        except ConfigurationError as error:
            raise SinkStopped(str(error)) from error
        key = base64.b64encode(f"{settings.api_key_id}:{secret}".encode()).decode()
        return {"authorization": f"Basic {key}"}

    def check(self) -> list[CheckResult]:
        """Ask for the server's time; whether events may be tracked can't be tried without tracking one."""
        try:
            answer = self._client.repeatable("GET", f"{self._project}/system/time", headers=self._authorization())
        except SinkStopped as error:
            return [CheckResult("credentials", False, str(error), reached=False)]
        except ReadFailed as error:
            return [CheckResult("address", False, f"{error} Check base_url.", reached=False)]
        try:
            proved = proof(answer)
        except Refused as error:
            return [CheckResult(error.about, False, str(error))]
        unproved = f"Whether they may track {self._settings.event_type} can't be tried without tracking an event."
        return [
            CheckResult("address", True, proved),
            CheckResult("permission", None, unproved),
        ]

    def close(self) -> None:
        """End what waits for its turn; what is handed over afterwards begins anew."""
        ended, self._ended = self._ended, threading.Event()
        ended.set()


def _too_long(properties: Mapping[str, Any]) -> str | None:
    """The property whose value is longer than the platform takes."""
    for name, value in properties.items():
        # A character takes six bytes at most.
        if isinstance(value, str) and len(value) * 6 < MAX_VALUE_BYTES:
            continue
        if isinstance(value, str | dict | list) and len(to_json(value)) >= MAX_VALUE_BYTES:
            return name
    return None
