"""Who can't get a campaign's message, by their address or their values: found out before anything is sent.

Source: the API's page "Messages" (`conversation_metadata`, `correlation_id`, `channel_properties`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from connector.model.campaign import Message
from connector.model.event import SkipReason
from connector.model.text import parameters
from connector_sinch.conversation.addresses import for_numbers
from connector_sinch.conversation.messages import (
    MAX_CORRELATION_ID_CHARACTERS,
    MAX_METADATA_CHARACTERS,
    MAX_PROPERTY_CHARACTERS,
)
from connector_sinch.conversation.request import filler
from connector_sinch.conversation.resources.resource import Channel

_CHANNELS = frozenset(map(str, Channel))
"""Those that are known here: another one in a campaign's order may reach anybody, and so may an identity on one."""


def _characters(metadata: Any) -> int:
    return len(to_json(metadata).decode())


def _longest(properties: Mapping[str, str]) -> int:
    return max(map(len, properties.values()))


_MEASURED: dict[str, tuple[Callable[[Any], int], int]] = {
    "conversation_metadata": (_characters, MAX_METADATA_CHARACTERS),
    "correlation_id": (len, MAX_CORRELATION_ID_CHARACTERS),
    "channel_properties": (_longest, MAX_PROPERTY_CHARACTERS),
}
"""What is too long only with somebody's values in it: how it is measured, and the most that the API takes."""


def unfit(message: Message) -> Callable[[str, Sequence[str], Mapping[str, str]], str | None] | None:
    """What tells by address, identities and values why somebody can't get a message; None: everybody can."""
    given: dict[str, Any] = message.model_extra or {}
    order: Sequence[str] = given.get("channel_priority_order") or ()
    takes_numbers = bool(for_numbers(order))
    not_used = _CHANNELS.difference(order) if order and _CHANNELS.issuperset(order) else frozenset()
    measured = [(given[key], *how) for key, how in _MEASURED.items() if given.get(key) and parameters(given[key])]

    def reason(address: str, identities: Sequence[str], values: Mapping[str, str]) -> str | None:
        if not takes_numbers and not identities and address.isdigit():
            return SkipReason.no_channel
        if not_used and not_used.issuperset(each.partition(":")[0] for each in identities or (address,)):
            return SkipReason.no_channel
        if not measured:
            return None
        fill = filler(values)
        return SkipReason.too_long if any(size(fill(part)) > most for part, size, most in measured) else None

    return reason if measured or not_used or not takes_numbers else None
