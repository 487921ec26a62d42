"""Whom a message goes to: a phone number, a contact of the project, or identities on channels in their order.

In the ledger a phone number is its digits, a contact `contact:ID`, an identity `CHANNEL:IDENTITY`.
Source: the API's OpenAPI document (schemas `Recipient`, `ChannelRecipientIdentity`, `ChannelIdentity`).
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from connector.model.phone import Numbers
from connector_sinch.conversation.resources.resource import APP_SCOPED, Channel

CONTACT = "contact:"
BY_NUMBER = (Channel.SMS, Channel.RCS, Channel.MMS, Channel.WHATSAPP, Channel.VIBERBM, Channel.KAKAOTALK)
"""Channels where a person's identity is the phone number."""

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_CONTACT = re.compile(r"contact:(\S{1,100})")
_IDENTITY = re.compile(r"([A-Z]{2,30}):(\S{1,200})")
_OF_APP = re.compile(r"([A-Z]{2,30})(?:/([^\s/:]{1,100}))?:(\S{1,200})")
_BETWEEN = re.compile(r"[\s,;]+")

_canonical = Numbers().canonical


def address_of(written: str) -> str | None:
    """A contact, by its id alone or behind `contact:`, or one identity; None: neither."""
    text = written.strip()
    if _ULID.fullmatch(text):
        return f"{CONTACT}{text}"
    if _CONTACT.fullmatch(text):
        return text
    match = _IDENTITY.fullmatch(text)
    return None if match is None else _identity(*match.groups())


def identities_of(written: str, app_id: str) -> Sequence[str]:
    """The identities of one person: `CHANNEL:IDENTITY` one after the other, or a JSON list as the API has it.

    Where the identity belongs to one app (`CHANNEL/APP:IDENTITY`), that of another app is left out. Empty: one of
    them is not as it should be, or none is left.
    """
    text = written.strip()
    found: list[str] = []
    for channel, identity, app in _from_json(text) if text[:1] in ("[", "{") else _from_words(text):
        if channel in APP_SCOPED and app not in ("", app_id):
            continue
        canonical = _identity(channel, identity)
        if canonical is None:
            return ()
        if canonical not in found:
            found.append(canonical)
    return tuple(found)


Parts = tuple[str, str, str]
_WRONG: list[Parts] = [("", "", "")]


def _from_words(text: str) -> list[Parts]:
    matches = [_OF_APP.fullmatch(word) for word in _BETWEEN.split(text) if word]
    return [(match[1], match[3], match[2] or "") for match in matches if match] if all(matches) else _WRONG


def _from_json(text: str) -> list[Parts]:
    try:
        parsed: Any = from_json(text)
    except ValueError:
        return _WRONG
    entries = parsed if isinstance(parsed, list) else [parsed]
    parts = []
    for entry in entries:
        if not isinstance(entry, dict):
            return _WRONG
        given = [entry.get(name) or "" for name in ("channel", "identity", "app_id")]
        if not all(isinstance(word, str) for word in given):
            return _WRONG
        parts.append((given[0], given[1], given[2]))
    return parts


def _identity(channel: str, identity: str) -> str | None:
    if not _IDENTITY.fullmatch(f"{channel}:{identity}"):
        return None
    if channel not in BY_NUMBER:
        return f"{channel}:{identity}"
    number = _canonical(identity)
    return None if number is None else f"{channel}:{number[0]}"


def for_numbers(order: Sequence[str]) -> Sequence[str]:
    """The channels of an order that take phone numbers, as those may that are not known here; without one SMS."""
    if not order:
        return [Channel.SMS]
    return [channel for channel in order if channel in BY_NUMBER or channel not in list(Channel)]


def recipient(address: str, identities: Sequence[str], channels: Sequence[str]) -> dict[str, Any]:
    """A recipient as the API takes it; `channels` are tried for a phone number."""
    if not identities and address.startswith(CONTACT):
        return {"contact_id": address.removeprefix(CONTACT)}
    if not identities:
        identities = [f"{channel}:{address}" for channel in channels] if address.isdigit() else [address]
    return {"identified_by": {"channel_identities": [_on_the_wire(identity) for identity in identities]}}


def _on_the_wire(identity: str) -> dict[str, str]:
    channel, _, name = identity.partition(":")
    return {"channel": channel, "identity": f"+{name}" if channel in BY_NUMBER else name}
