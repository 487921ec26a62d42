"""Batches of the simulated Batch API. Source: the Conversation API's page "Batch API"."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector_sinch.conversation.simulator_apps import App
from connector_sinch.conversation.simulator_callbacks import stamp
from connector_sinch.conversation.simulator_request import NOT_FOUND, BatchRequest, Problem, Request, invalid

READY, SCHEDULED, PROCESSED, CANCELLED = "READY", "SCHEDULED", "PROCESSED", "CANCELLED"

MAX_AHEAD = timedelta(days=7)
EXACT = timedelta(minutes=1)
"""Times that are nearer are kept as they are."""
ROUNDED_SECONDS = 5 * 60


class BatchId(Request):
    """A request to cancel a batch."""

    batch_id: str


@dataclass(slots=True, eq=False)
class Batch:
    id: str
    app: App
    request: BatchRequest
    accepted_at: datetime
    send_after: datetime | None
    status: str
    left: int = 0
    """How many of its messages have left the queue."""

    @property
    def size(self) -> int:
        return len(self.request.recipient_and_params)

    def ready(self) -> int:
        """Note that its time has come; how many messages it is."""
        if self.status == SCHEDULED:
            self.status = READY
        return self.size

    @property
    def names(self) -> list[str]:
        """Whom it is for, as the account counts them."""
        return [counted(each.recipient) for each in self.request.recipient_and_params]

    def as_answered(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "batch_id": self.id,
            "meta_data": self.request.batch_metadata,
            "status": self.status,
        }
        if self.send_after is not None:
            shown["send_after"] = stamp(self.send_after)
        return shown

    def notification(self) -> dict[str, Any]:
        """What the trigger BATCH_STATUS_UPDATE tells."""
        return {
            "batch_id": self.id,
            "batch_status": f"BATCH_STATUS_{self.status}",
            "batch_type": "BATCH_TYPE_MESSAGES",
            "additional_data": {
                "message_batch_data": {
                    "send_after": stamp(self.send_after or self.accepted_at),
                    "batch_metadata": self.request.batch_metadata,
                }
            },
        }


def counted(recipient: Any) -> str:
    """What a recipient is counted under: the first identity, without a plus, or the contact's id."""
    if recipient.contact_id is not None:
        return str(recipient.contact_id)
    return str(recipient.identified_by.channel_identities[0].identity).removeprefix("+")


class Batches:
    """All batches of the project."""

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}

    def add(self, batch: Batch) -> None:
        self._batches[batch.id] = batch

    def all(self) -> list[Batch]:
        return list(self._batches.values())

    def get(self, batch_id: str) -> Batch | None:
        return self._batches.get(batch_id)

    def by_id(self, batch_id: str) -> Batch:
        batch = self.get(batch_id)
        if batch is None:
            raise Problem(404, NOT_FOUND, f"Batch {batch_id} was not found.")
        return batch

    def with_metadata(self, key: str, value: str, until: datetime) -> Iterator[Batch]:
        """Those that carry a value under a key, and were accepted by a moment."""
        for batch in self._batches.values():
            if batch.accepted_at <= until and str(batch.request.batch_metadata.get(key)) == value:
                yield batch


def moment_to_send(send_after: datetime | None, now: datetime) -> datetime | None:
    """When a batch is sent that wants to be sent then; None: at once. Raises `Problem`."""
    if send_after is None or send_after <= now:
        return None
    send_after = send_after.astimezone(UTC)
    if send_after > now + MAX_AHEAD:
        raise invalid("send_after must be at most 7 days ahead.")
    if send_after <= now + EXACT:
        return send_after
    seconds = send_after.timestamp()
    return datetime.fromtimestamp(-(-seconds // ROUNDED_SECONDS) * ROUNDED_SECONDS, UTC)
