"""Sessions: some channels take any message for people who wrote lately, and only approved ones for all others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionRule:
    """What a message needs that its channel lets through only to people with an open session."""

    channel: str
    """As the receipts name it that open sessions."""
    identity_of: Callable[[str, Sequence[str]], str | None]
    """From a person's address and identities to who that is on the channel, as receipts name people there; None: the
    message goes to this person another way."""
    otherwise: bool = False
    """Whether the message has another one for those without; else they are skipped."""
