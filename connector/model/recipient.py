"""Recipients: the people of a campaign."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person to message."""

    to: str
    """Address as the platform has it; phone numbers in any usual spelling."""
    customer_id: str | None = None
    """The platform's own id of this person; comes back in every event."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Values for the `${name}`s of the text."""
    text: str | None = None
    """The whole text for this person, already rendered by the platform."""
    sender: str | None = None
    language: str | None = None
    time_zone: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Comes back in every event; never sent to the provider."""
