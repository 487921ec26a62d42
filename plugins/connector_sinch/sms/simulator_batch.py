"""A batch inside the simulated SMS API, and the reports on it."""

from collections.abc import Container
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from connector.simulator.outcomes import Fate
from connector_sinch.sms.simulator_request import MEDIA, TEXT, BatchRequest

QUEUED = Fate("Queued", 400)
DISPATCHED = Fate("Dispatched", 401)
NO_VALUE = Fate("Aborted", 405)
EXPIRED_INSIDE = Fate("Aborted", 406)
CANCELLED = Fate("Cancelled", 407)
NO_ORIGINATOR = Fate("Aborted", 410)
TOO_MANY_PARTS = Fate("Aborted", 411)


@lru_cache(maxsize=256)
def stamp(moment: datetime) -> str:
    """As the API writes times: UTC with milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


class State(NamedTuple):
    """Where a recipient's message is."""

    fate: Fate
    at: datetime
    parts: int | None
    """None where the text could not be made."""
    final: bool


class Batch:
    """An accepted batch and what became of its messages."""

    __slots__ = (
        "canceled",
        "confirmed",
        "created_at",
        "finished",
        "id",
        "modified_at",
        "recipients",
        "request",
        "states",
    )

    def __init__(self, identity: str, request: BatchRequest, created_at: datetime) -> None:
        self.id = identity
        self.request = request
        self.recipients = request.numbers
        """Numbers; those of groups are among them once its time to send has come."""
        self.created_at = created_at
        self.modified_at = created_at
        self.canceled = False
        self.finished = 0
        """How many of its messages came to an end."""
        self.states: dict[str, State] = {}
        """By number, once a message left the queue or was cancelled in it."""
        self.confirmed: set[str] = set()
        """Numbers that delivery feedback named."""

    def change(self, request: BatchRequest, now: datetime) -> None:
        """Take another request in place of its own, before any of its messages has left."""
        self.request = request
        self.recipients = request.numbers
        self.modified_at = now

    def as_answered(self) -> dict[str, Any]:
        """The batch as the API shows it."""
        request = self.request
        shown = {
            **({"flash_message": False} if request.kind == TEXT else {}),
            "feedback_enabled": False,
            **request.given,
            "id": self.id,
            "canceled": self.canceled,
            "created_at": stamp(self.created_at),
            "modified_at": stamp(self.modified_at),
            "delivery_report": request.delivery_report,
        }
        shown["expire_at"] = stamp(request.expire_at)
        if request.send_at is not None:
            shown["send_at"] = stamp(request.send_at)
        return shown

    def state_of(self, number: str) -> State | None:
        """None where there is nothing to say: the number isn't in it, or it was cancelled before its time."""
        state = self.states.get(number)
        if state is None and number in self.recipients and not self.canceled:
            return State(QUEUED, self.modified_at, None, final=False)
        return state

    def _report_type(self) -> str:
        return "delivery_report_mms" if self.request.kind == MEDIA else "delivery_report_sms"

    def recipient_report(self, number: str, state: State) -> dict[str, Any]:
        """`recipient_delivery_report_sms`, or `_mms`.

        The parts are told only where the batch limits them (SMS API, delivery reports).
        """
        report: dict[str, Any] = {
            "type": f"recipient_{self._report_type()}",
            "batch_id": self.id,
            "recipient": number,
            "code": state.fate.code,
            "status": state.fate.status,
            "at": stamp(state.at),
        }
        if state.final and state.fate.code < 400:
            report["operator_status_at"] = f"{state.at:%Y-%m-%dT%H:%M:%SZ}"
        if self.request.client_reference is not None:
            report["client_reference"] = self.request.client_reference
        if self.request.max_parts is not None and state.parts is not None:
            report["number_of_message_parts"] = state.parts
        return report

    def batch_report(
        self, full: bool, statuses: Container[str] | None = None, codes: Container[int] | None = None
    ) -> dict[str, Any]:
        """`delivery_report_sms`, or `_mms`: only codes that a recipient has; numbers only where `full`."""
        groups: dict[Fate, list[str]] = {}
        for number in self.recipients:
            if (state := self.state_of(number)) is not None:
                groups.setdefault(state.fate, []).append(number)
        report: dict[str, Any] = {
            "type": self._report_type(),
            "batch_id": self.id,
            "statuses": [
                {
                    "code": fate.code,
                    "status": fate.status,
                    "count": len(numbers),
                    **({"recipients": numbers} if full else {}),
                }
                for fate, numbers in groups.items()
                if (statuses is None or fate.status.lower() in statuses) and (codes is None or fate.code in codes)
            ],
            "total_message_count": len(self.recipients),
        }
        if self.request.client_reference is not None:
            report["client_reference"] = self.request.client_reference
        return report
