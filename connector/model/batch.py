"""A batch: what one provider request carries."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector.model.errors import NotReached
from connector.model.text import Template


def utc_now() -> datetime:
    """The clock that is used where no other is given."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment after which a request must not be written any more.

    Held against the wall clock, which other processes share, and against the monotonic clock, which
    does not jump.
    """

    at: datetime
    monotonic_seconds: float
    clock: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic

    def check(self) -> None:
        """Raise `NotReached` when the deadline has passed."""
        if self.clock() >= self.at or self.monotonic() >= self.monotonic_seconds:
            raise NotReached("The worker was held up past the batch's deadline, so it did not send.")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send a batch: what may differ between tries of the same key."""

    number: int
    deadline: Deadline
    send_at: datetime | None = None
    expire_at: datetime | None = None
    callback_url: str | None = None
    """Where the provider reports to; None: nothing is called back, reports are polled."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Up to 1,000 recipients of one dispatch, with one sender and one text.

    Everything but `attempt` is the same for ever under one key.
    """

    key: str
    """Unique for ever, at most 128 characters, no personal data: the provider's client reference."""
    sender: str | None
    template: Template
    """The text; `template.names` are the parameters that are used, in it and elsewhere in `message`."""
    defaults: dict[str, str]
    """Values for recipients that have none."""
    max_parts: int
    recipients: Sequence[str]
    """Addresses in canonical form: for phone numbers digits with country code, without `+`."""
    values: Sequence[Sequence[str | None]]
    """For each recipient the values in the order of `template.names`; None: the default serves."""
    attempt: Attempt
    first_sent_at: datetime
    """When the first attempt was claimed: a look-up starts well before."""
    provider_batch_id: str | None = None
    """The provider's id of the accepted copy, once known."""
    message: dict[str, Any] = field(default_factory=dict)
    """The campaign's `[message]` as given, for providers that take more than a text."""
    own_texts: bool = False
    """Whether every recipient brings a text of its own, which stands in place of the campaign's."""
    prompt: bool = False
    """Whether it is of an open dispatch: its messages were added one at a time, and go before those of lists."""
    transactional: bool = False
    """Whether people asked for it, by the category of its campaign; else it is marketing."""
    identities: Sequence[tuple[str, ...]] = ()
    """For each recipient the addresses to try in their order, as the provider's `identities_of` gave them; an empty
    tuple, or nothing at all: the recipient's own address serves."""
    outside_session: bool = False
    """Whether it is for people without an open session, who get what the message has for them."""
    message_ids: Sequence[str] = ()
    """For each recipient our own id of the message, for providers that bring it back in their reports."""

    @property
    def size(self) -> int:
        return len(self.recipients)
