"""What became of a batch that was sent, and what a look-up found of it."""

from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """Whom a refusal concerns."""

    recipient = "recipient"
    """The recipients it points at; the others go again."""
    campaign = "campaign"
    """Every batch of this dispatch: sender, text, expiry."""
    country = "country"
    """Everybody in the recipient's country: sender or registration there."""
    account = "account"
    """Every dispatch on this account: credentials, credit, region."""
    unknown = "unknown"
    """The provider doesn't say."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the batch."""

    provider_batch_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider surely refused the batch."""

    scope: Scope
    status_code: int
    """The HTTP status."""
    error: str | None = None
    """The provider's code."""
    comment: str | None = None
    """The provider's text, without personal data."""
    recipients: tuple[int, ...] = ()
    """Positions in the batch that the refusal points at, for scope `recipient`."""
    advice: str | None = None
    """What a person should do about it."""

    def sentence(self) -> str:
        """The refusal for the one who can act."""
        code = f" {self.error}" if self.error else ""
        text = f": {self.comment}" if self.comment else ""
        advice = f" {self.advice}" if self.advice else ""
        return f"The provider refused with HTTP {self.status_code}{code}{text}.{advice}".replace("..", ".")


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The batch may have been accepted or not."""

    cause: str


Outcome = Accepted | Refused | InDoubt


class FoundState(StrEnum):
    """What a look-up by batch key says."""

    accepted = "accepted"
    """The provider shows at least one accepted copy."""
    absent = "absent"
    """The provider answered in full and shows none."""
    cannot_tell = "cannot_tell"
    """No statement: error, throttling, the window of the listing is past."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a look-up."""

    state: FoundState
    provider_batch_ids: tuple[str, ...] = ()
    """The accepted copies that are not cancelled, oldest first."""
    cause: str | None = None
    """Why nothing can be told."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a provider would make of a batch that isn't sent."""

    messages: int
    """Recipients that would get it."""
    parts: int | None
    """Text parts of all of them together, as the provider counts; None: it doesn't."""
    by_channel: dict[str, str] = field(default_factory=dict)
    """What the first recipient would get on each channel, in the words of the channel."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One batch in a provider's own list."""

    provider_batch_id: str
    batch_key: str | None
    """Our key of it, where it carries one."""
    cancelled: bool = False
