"""Recipients: the people of a campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person to message."""

    to: str = ""
    """Address as the platform has it; phone numbers in any usual spelling. Empty where `identities` tell."""
    customer_id: str | None = None
    """The platform's own id of this person; comes back in every event."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Values for the `${name}`s of the text."""
    text: str | None = None
    """The whole text for this person, already rendered by the platform."""
    sender: str | None = None
    language: str | None = None
    time_zone: str | None = None
    identities: str | Sequence[Mapping[str, str]] | None = None
    """Where the person is reached on the channels of a provider that has several, the first to be tried first."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Comes back in every event; never sent to the provider."""
