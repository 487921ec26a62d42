"""Channels that are out of use: what an event of a channel says of it, and what the app shows of its channels.

Source: the API's schemas `ChannelEvent` and `ChannelIntegrationState`. Of the types of events only the change of a
WhatsApp number's quality is documented, and the data beside it is the channel's own: so the words are what counts.
"""

import re
from collections.abc import Iterator
from typing import Any

from connector.model.errors import ReadFailed
from connector_sinch.conversation.resources.apps import FAILING, App
from connector_sinch.errors import without_numbers

_OUT_OF_USE = {FAILING, "BANNED", "BLOCKED", "DEACTIVATED", "DELETED", "DISABLED", "DISCONNECTED"}
_OUT_OF_USE |= {"INACTIVE", "RESTRICTED", "REVOKED", "SUSPENDED"}
_OF_SOMETHING_ELSE = {"TEMPLATE", "FLOW", "MESSAGE"}
"""What is said of these isn't said of the channel."""
_STANDS_IN = ("status", "state", "event", "decision")
_EARLIER = ("previous", "old", "former")
_WORDS = re.compile(r"[A-Z]+")
MOST_CHARACTERS = 300


def out_of_use(kind: str | None, details: Any) -> bool:
    """Whether an event says that nothing gets through over its channel any more: by its type, or a state beside it."""
    named = _WORDS.findall((kind or "").upper())
    if _OF_SOMETHING_ELSE.intersection(named):
        return False
    states = [
        _WORDS.findall(value.upper())
        for key, value in _texts(details)
        if any(word in key.lower() for word in _STANDS_IN) and not key.lower().startswith(_EARLIER)
    ]
    return any(_OUT_OF_USE.intersection(words) for words in (named, *states))


def words(details: Any) -> str | None:
    """What stands beside the type of an event, for people."""
    said = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in _texts(details))
    return without_numbers(said)[:MOST_CHARACTERS] or None


def _texts(details: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(details, dict):
        for name, inner in details.items():
            yield from _texts(inner, str(name))
    elif isinstance(details, list):
        for inner in details:
            yield from _texts(inner, key)
    elif isinstance(details, str) and details:
        yield key, details


def failing(app: App) -> dict[str, str]:
    """The channels of an app that are FAILING, each with the API's words. Raises `ReadFailed` where it is no app."""
    if not app.id:
        raise ReadFailed("The API's answer doesn't show the app.")
    return {
        str(each.channel): f"{FAILING}: {each.state.description}" if each.state.description else FAILING
        for each in app.channel_credentials
        if each.state.status == FAILING
    }
