"""Error codes of a provider: what each means, whom it concerns, whose turn it is."""

from dataclasses import dataclass
from enum import StrEnum

from connector.model.event import StatusCodeSource
from connector.model.outcome import Scope


class Turn(StrEnum):
    """Who can do something about a code."""

    nobody = "nobody"
    """Nothing to do."""
    sender = "sender"
    """Whoever runs the campaign: text, sender, list."""
    integrator = "integrator"
    """Whoever runs the integration: settings, credentials, account."""
    provider = "provider"
    """The provider's support."""
    recipient = "recipient"
    """The recipient: phone off, full, blocked."""
    unknown = "unknown"
    """Not known."""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One code of a provider's catalogue."""

    code: str
    """As it travels: `402`, `syntax_invalid_json`."""
    source: StatusCodeSource
    meaning: str
    """A plain sentence."""
    turn: Turn = Turn.unknown
    scope: Scope = Scope.recipient
    final: bool = True
    retry: bool | None = None
    """Whether sending again may help; None: not said."""


Catalogue = dict[tuple[StatusCodeSource, str], ErrorCode]
