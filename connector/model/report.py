"""What the provider says later: the report as it came, and the receipts that are read from it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from connector.model.event import EventKind, Status, StatusCodeSource
from connector.model.outcome import Scope


class ReportSource(StrEnum):
    """How a report reached us."""

    callback = "callback"
    """The provider called us."""
    poll = "poll"
    """We asked."""


@dataclass(frozen=True, slots=True)
class Report:
    """One body from the provider, as it came."""

    source: ReportSource
    body: bytes
    received_at: datetime
    batch_key: str | None = None
    """From the callback's address, or the batch that was polled."""
    closes: bool = False
    """Polled: the answer speaks for the whole batch."""


class ReceiptKind(StrEnum):
    """What a receipt is about."""

    message = "message"
    """One message: `message_id`; or `batch_key` or `provider_batch_id`, and `recipient`."""
    batch = "batch"
    """A whole batch: it proves that the batch was accepted, nothing more."""
    person = "person"
    """A person's doing: a reply."""
    notice = "notice"
    """Something else, about a message or not: it is logged as `noted`, and changes no message."""
    unknown = "unknown"
    """Read, but of a type or status that this version doesn't know; kept."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One fact about one message, batch or person."""

    kind: ReceiptKind
    status: Status | None = None
    """The event it makes; None: no event (queued, dispatched, an unclear end)."""
    final: bool = False
    """Whether the provider will say nothing more about this message."""
    batch_key: str | None = None
    provider_batch_id: str | None = None
    message_id: str | None = None
    """Our own id of the message, where it travelled with it: a message is found by it before anything else."""
    recipient: str | None = None
    """Canonical address: for phone numbers digits only."""
    sender: str | None = None
    occurred_at: datetime | None = None
    """The provider's or operator's time; None: not said."""
    status_code: int | None = None
    status_code_source: StatusCodeSource | None = None
    error: str | None = None
    comment: str | None = None
    raw_status: str | None = None
    number_of_message_parts: int | None = None
    operator: str | None = None
    encoding: str | None = None
    channel: str | None = None
    provider_id: str | None = None
    """The provider's id: of a message; of what a person did, or of a notice, where repeats are known by it."""
    reply_to: str | None = None
    """The provider's id of the message that a person answers."""
    open_until: datetime | None = None
    """Kind `person`, on a channel where what people write lets anything be sent to them for a while: until when."""
    known_as: str | None = None
    """Kinds `person` and `notice`: another address that messages may be sent to the recipient by, such as what the
    provider has on file."""
    on_channel: str | None = None
    """Kinds `person` and `notice`: the recipient's address where a message names the channel as well."""
    about: EventKind = EventKind.person
    """Kinds `person` and `notice`: whom the event is about."""
    text: str | None = None
    """What a person wrote."""
    scope: Scope = Scope.recipient
    """Whom its code concerns, by the provider's catalogue; a notice about a channel that concerns the account says that
    nothing gets through over this channel any more, and why in its `comment`."""
    meaning: str | None = None
    """What its code means, where it concerns more than this message."""
    problem: str | None = None
    """Kind `unknown`: what was not understood."""
    payload: dict[str, Any] = field(default_factory=dict)
    """The body, or the entry of it, as it came."""
