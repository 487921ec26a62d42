"""Which events a sink gets, and what it sees of the people in them."""

import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from typing import Self

from connector.extension.secret import Secret
from connector.extension.sink import SinkSettings
from connector.model.event import Event, Status

_NUMBER = re.compile(r"[0-9]{7,15}")
_KIND = re.compile(r"([A-Za-z][A-Za-z_-]{0,29}):")
"""How an address that is no phone number begins, as in `contact:ID`: its kind, which tells of nobody."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a sink is given; without anything, every event as it is."""

    statuses: frozenset[Status] | None = None
    integrations: frozenset[str] | None = None
    campaigns: frozenset[str] | None = None
    recipient: str = "clear"
    key: Secret | None = None
    without: str | None = None
    """A campaign whose events it never gets."""

    @classmethod
    def of(cls, settings: SinkSettings, *, without: str | None = None) -> Self:
        """What the settings of a sink say."""
        return cls(
            None if settings.only_statuses is None else frozenset(settings.only_statuses),
            None if settings.only_integrations is None else frozenset(settings.only_integrations),
            None if settings.only_campaigns is None else frozenset(settings.only_campaigns),
            settings.recipient,
            settings.recipient_key,
            without,
        )

    def wants(self, event: Event) -> bool:
        """Whether the sink gets this event."""
        return (self.statuses is None or event.status in self.statuses) and self.concerns(
            event.integration, event.campaign_name
        )

    def concerns(self, integration: str | None, campaign: str | None) -> bool:
        """Whether the sink gets events of this campaign through this integration."""
        return (
            (self.integrations is None or integration in self.integrations)
            and (self.campaigns is None or campaign in self.campaigns)
            and (self.without is None or campaign != self.without)
        )

    def shown(self, event: Event) -> Event:
        """An event as the sink sees it. Raises `ConfigurationError` where the key of the hash can't be read."""
        if self.recipient == "clear":
            return event
        # The provider's own words have the number in them.
        return replace(event, recipient=self.person(event.recipient), payload={})

    def person(self, recipient: str | None) -> str | None:
        """An address as the sink sees it: of a phone number HMAC-SHA256 of its digits in hex, or nothing.

        Of any other address the hash stands behind its kind, as in `contact:HASH`, or behind `address:` where none is
        told, so that no sink takes it for a number's.
        """
        if self.recipient == "clear" or not recipient:
            return recipient
        if self.key is None:
            return None
        hashed = hmac.new(self.key.recent().encode(), recipient.encode(), hashlib.sha256).hexdigest()
        if _NUMBER.fullmatch(recipient):
            return hashed
        kind = _KIND.match(recipient)
        return f"{kind[1] if kind else 'address'}:{hashed}"


EVERYTHING = Choice()
"""What the sinks of a host's own process get."""
