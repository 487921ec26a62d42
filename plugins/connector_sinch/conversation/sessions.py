"""Sessions: on WhatsApp a person's message opens one for 24 hours; outside of it only approved templates get through.

The API shows no state of a session: it is told by what people wrote. Source: the API's pages on WhatsApp, "Template
support" and "Messages", and its reason OUTSIDE_ALLOWED_SENDING_WINDOW.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from connector.model.campaign import Message
from connector.model.session import SessionRule
from connector_sinch.conversation.addresses import BY_NUMBER, CONTACT
from connector_sinch.conversation.messages import OTHERWISE, may_be_template
from connector_sinch.conversation.resources.resource import Channel

LENGTHS: dict[str, timedelta] = {Channel.WHATSAPP: timedelta(hours=24)}
"""For how long a person's message lets anything be sent to them, on channels that have such a window."""


def open_until(channel: str | None, wrote_at: datetime) -> datetime | None:
    """Until when a person who wrote at a time may get anything on a channel; None: it has no such window."""
    length = LENGTHS.get(channel or "")
    return None if length is None else wrote_at + length


def rule_of(message: Message) -> SessionRule | None:
    """What a campaign's message needs of the sessions of people; None: nothing, as it is a template on WhatsApp."""
    given: dict[str, Any] = message.model_extra or {}
    channel = Channel.WHATSAPP
    if may_be_template(given, channel):
        return None
    otherwise = given.get(OTHERWISE) is not None
    order: Sequence[str] = given.get("channel_priority_order") or ()

    def identity_of(address: str, identities: Sequence[str]) -> str | None:
        tried = _tried(address, identities, order)
        if not tried or tried[0][0] != channel:
            return None
        # Where another channel follows, who has no session is reached there.
        return tried[0][1] if otherwise or all(name in LENGTHS for name, _ in tried) else None

    return SessionRule(channel, identity_of, otherwise)


def _tried(address: str, identities: Sequence[str], order: Sequence[str]) -> list[tuple[str, str]]:
    """The channels that are tried for a person, in order, with who that is on each; of a contact those of the order."""
    if not identities and address.isdigit():
        return [(name, address) for name in order if name in BY_NUMBER]
    if not identities and address.startswith(CONTACT):
        return [(name, address) for name in order]
    named = [identity.partition(":") for identity in identities or [address]]
    on = {name: person for name, _, person in reversed(named) if name in list(Channel)}
    return [(name, on[name]) for name in order if name in on] if order else list(reversed(on.items()))
