"""Building requests: one for up to 1,000 recipients of the Batch API, or one of messages:send for a single one.

The Batch API fills `${name}` in any string from each recipient's `parameters`; for messages:send they are filled here.
Source: the pages "Batch API" (Messages) and "Messages" of the API.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from connector.model.batch import Batch
from connector.model.text import HOST_TEXT, Template, changed
from connector_sinch.conversation.addresses import CONTACT, for_numbers, recipient
from connector_sinch.conversation.messages import (
    BESIDE,
    KINDS,
    LEAST_TTL_SECONDS,
    ONLY_ALONE,
    OTHERWISE,
    OVERRIDES,
)
from connector_sinch.conversation.reports import BATCH_KEY, MESSAGE_KEY
from connector_sinch.conversation.resources.resource import Channel
from connector_sinch.conversation.settings import ConversationSettings

RAW = "explicit_channel_message"
"""Strings that are JSON themselves: what is filled in there is escaped."""
SENDERS = {Channel.SMS: "SMS_SENDER", Channel.MMS: "MMS_SENDER"}
"""The properties that name the sender."""
MOST_PARTS = "SMS_MAX_NUMBER_OF_MESSAGE_PARTS"
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_DOLLARS = re.compile(r"\$+(?=\{)")
_LAST_DOLLARS = re.compile(r"\$+\Z")
_ALIKE = ("channel_priority_order", "processing_strategy")


def goes_alone(message: Mapping[str, Any], settings: ConversationSettings) -> bool:
    """Whether the Batch API can't carry a campaign's message."""
    return settings.consent_management or any(message.get(key) is not None for key in ONLY_ALONE)


def by_single_request(batch: Batch, settings: ConversationSettings) -> bool:
    """Whether a batch is one message of messages:send: one that came by itself, or that the Batch API can't carry.

    What was in a list stays with the Batch API, also alone: only there can it be looked up.
    """
    came_alone = batch.size == 1 and batch.prompt and batch.attempt.send_at is None
    return came_alone or goes_alone(batch.message, settings)


def batch_body(batch: Batch, settings: ConversationSettings) -> bytes:
    """The JSON body of the Batch API's `POST /messages`."""
    filling = _Filling(batch)
    request: dict[str, Any] = {
        "app_id": settings.app_id,
        "message": filling.named(app_message(batch)),
        "recipient_and_params": [],
        "batch_metadata": {BATCH_KEY: batch.key},
        **_shared(batch, filling.named),
    }
    metadata = batch.message.get("conversation_metadata")
    if metadata is not None:
        request["conversation_metadata"] = filling.named(metadata)
    if batch.attempt.send_at is not None:
        request["send_after"] = batch.attempt.send_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    channels = channels_of(batch)
    for place, (address, message_id) in enumerate(zip(batch.recipients, batch.message_ids, strict=True)):
        entry: dict[str, Any] = {
            "recipient": recipient(address, _identities(batch, place), channels),
            "message_metadata": {BATCH_KEY: batch.key, MESSAGE_KEY: message_id},
        }
        parameters = filling.parameters(batch.values[place])
        if parameters:
            entry["parameters"] = parameters
        request["recipient_and_params"].append(entry)
    return to_json(request)


def single_body(batch: Batch, settings: ConversationSettings) -> bytes:
    """The JSON body of `POST /messages:send` for a batch of one."""
    fill = filled(batch, 0)
    metadata = {BATCH_KEY: batch.key, MESSAGE_KEY: batch.message_ids[0]}
    request: dict[str, Any] = {
        "app_id": settings.app_id,
        "recipient": recipient(batch.recipients[0], _identities(batch, 0), channels_of(batch)),
        "message": fill(app_message(batch)),
        "message_metadata": json.dumps(metadata, sort_keys=True, separators=(",", ":")),
        **_shared(batch, fill),
    }
    for key in (*ONLY_ALONE, "conversation_metadata"):
        if batch.message.get(key) is not None:
            request[key] = fill(batch.message[key])
    if settings.consent_management and "message_content_type" not in request:
        request["message_content_type"] = "CONTENT_NOTIFICATION" if batch.transactional else "CONTENT_MARKETING"
    return to_json(request)


def transcode_body(batch: Batch, settings: ConversationSettings) -> bytes:
    """The JSON body of `POST /messages:transcode` for the first message of a batch."""
    request: dict[str, Any] = {
        "app_id": settings.app_id,
        "app_message": filled(batch, 0)(app_message(batch)),
        "channels": list(channels_of(batch)),
    }
    if batch.sender is not None:
        request["from"] = batch.sender
    return to_json(request)


def app_message(batch: Batch) -> dict[str, Any]:
    """The message as the API has it, its `${name}`s as the campaign writes them."""
    given = batch.message
    if batch.own_texts or given.get("text") is not None:
        message = {"text_message": {"text": HOST_TEXT if batch.own_texts else given["text"]}}
    else:
        message = {key: given[key] for key in KINDS if given.get(key) is not None}
    usual = message | {key: given[key] for key in (*OVERRIDES, *BESIDE) if given.get(key) is not None}
    return _outside(usual, batch) if batch.outside_session else usual


def _outside(usual: Mapping[str, Any], batch: Batch) -> dict[str, Any]:
    """The message for people without an open session: the template on WhatsApp, the usual one on other channels."""
    others = [channel for channel in batch.message.get("channel_priority_order") or () if channel != Channel.WHATSAPP]
    kind = {key: usual[key] for key in KINDS if key in usual}
    own: dict[str, dict[str, Any]] = {
        key: {channel: content for channel, content in usual[key].items() if channel != Channel.WHATSAPP}
        for key in OVERRIDES
        if key in usual
    }
    instead: dict[str, Any] = batch.message[OTHERWISE]
    template = kind.pop("template_message", None)
    if template is not None:
        # The template for one channel stands beside those for the others.
        of_channels = (template.get("channel_template") or {}) | instead["template_message"]["channel_template"]
        instead = {"template_message": {**template, "channel_template": of_channels}}
    unsaid = [channel for channel in others if not any(channel in of_channel for of_channel in own.values())]
    if kind and unsaid:
        own.setdefault("explicit_channel_omni_message", {}).update(dict.fromkeys(unsaid, kind))
    beside = {key: usual[key] for key in BESIDE if key in usual}
    return {**instead, **{key: content for key, content in own.items() if content}, **beside}


def channels_of(batch: Batch) -> Sequence[str]:
    """The channels to try for a phone number."""
    order: Sequence[str] = batch.message.get("channel_priority_order") or ()
    return for_numbers(order) or order


def channels_used(batch: Batch) -> frozenset[str] | None:
    """The channels that the messages of a batch may go over; None: any that the app has, as a contact decides."""
    order: Sequence[str] = batch.message.get("channel_priority_order") or ()
    used: set[str] = set()
    for place, address in enumerate(batch.recipients):
        identities = _identities(batch, place)
        if not identities and address.startswith(CONTACT):
            if not order:
                return None
            used.update(order)
        elif not identities and address.isdigit():
            used.update(channels_of(batch))
        else:
            own = {identity.partition(":")[0] for identity in identities or (address,)}
            # Of the channels that the campaign names, a person has some.
            used.update(own.intersection(order) or own if order else own)
    return frozenset(used)


def filled(batch: Batch, place: int) -> Callable[[Any], Any]:
    """What fills the `${name}`s of one recipient into any part of a message."""
    return filler(
        {
            name: batch.defaults.get(name, "") if value is None else value
            for name, value in zip(batch.template.names, batch.values[place], strict=True)
        }
    )


def filler(values: Mapping[str, str]) -> Callable[[Any], Any]:
    """What fills values into any part of a message."""
    escaped = {name: _escaped(value) for name, value in values.items()}

    def fill(part: Any) -> Any:
        if isinstance(part, Mapping) and RAW in part:
            rest = {key: value for key, value in part.items() if key != RAW}
            raw = changed(part[RAW], lambda text: Template.read(text).render(escaped))
            return {**fill(rest), RAW: raw}
        return changed(part, lambda text: Template.read(text).render(values))

    return fill


def _identities(batch: Batch, place: int) -> Sequence[str]:
    return batch.identities[place] if batch.identities else ()


def _shared(batch: Batch, fill: Callable[[Any], Any]) -> dict[str, Any]:
    """What both requests have."""
    shared: dict[str, Any] = {key: batch.message[key] for key in _ALIKE if batch.message.get(key) is not None}
    properties = _channel_properties(batch)
    if properties:
        shared["channel_properties"] = fill(properties)
    ttl = _ttl(batch)
    if ttl is not None:
        shared["ttl"] = ttl
    if batch.attempt.callback_url is not None:
        shared["callback_url"] = batch.attempt.callback_url
    return shared


def _channel_properties(batch: Batch) -> dict[str, str]:
    order = batch.message.get("channel_priority_order") or (Channel.SMS,)
    properties = {
        name: batch.sender for channel, name in SENDERS.items() if channel in order and batch.sender is not None
    }
    if Channel.SMS in order:
        properties[MOST_PARTS] = str(batch.max_parts)
    return properties | (batch.message.get("channel_properties") or {})


def _ttl(batch: Batch) -> str | None:
    """How long the message may wait: what the campaign says, and at most until it expires."""
    said = batch.message.get("ttl")
    seconds = [] if said is None else [int(said[:-1])]
    if batch.attempt.expire_at is not None:
        begins: datetime = batch.attempt.send_at or batch.attempt.deadline.clock()
        left = int((batch.attempt.expire_at - begins).total_seconds())
        seconds.append(max(left, LEAST_TTL_SECONDS))
    return f"{min(seconds)}s" if seconds else None


def _escaped(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


class _Filling:
    """How the parameters of a batch are called on the wire, and each recipient's values for them.

    Names that may not be taken get another one, and so does each `$` that could be read as the start of a name: how
    a literal `${` is escaped is not documented.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._names: dict[tuple[str, bool], str] = {}
        self._dollar: str | None = None
        self._taken = {name for name in batch.template.names if _PLAIN_NAME.fullmatch(name)}

    def named(self, part: Any) -> Any:
        """A part of the message with the names of the wire in it."""
        if isinstance(part, Mapping) and RAW in part:
            rest = {key: value for key, value in part.items() if key != RAW}
            return {**self.named(rest), RAW: changed(part[RAW], lambda text: self._written(text, escaped=True))}
        return changed(part, lambda text: self._written(text, escaped=False))

    def parameters(self, values: Sequence[str | None]) -> dict[str, str]:
        """The values of one recipient, by the names of the wire."""
        defaults = self._batch.defaults
        row = {
            name: defaults.get(name, "") if value is None else value
            for name, value in zip(self._batch.template.names, values, strict=True)
        }
        found = {wire: _escaped(row[name]) if escaped else row[name] for (name, escaped), wire in self._names.items()}
        return found if self._dollar is None else {**found, self._dollar: "$"}

    def _written(self, text: str, *, escaped: bool) -> str:
        pieces = list(Template.read(text).pieces)
        for place, piece in enumerate(pieces):
            if place % 2:
                pieces[place] = f"${{{self._name(piece, escaped)}}}"
                continue
            literal = _DOLLARS.sub(self._put_in, piece)
            pieces[place] = literal if place == len(pieces) - 1 else _LAST_DOLLARS.sub(self._put_in, literal)
        return "".join(pieces)

    def _name(self, name: str, escaped: bool) -> str:
        wire = self._names.get((name, escaped))
        if wire is None:
            wire = name if not escaped and name in self._taken else self._free()
            self._names[name, escaped] = wire
        return wire

    def _put_in(self, dollars: re.Match[str]) -> str:
        if self._dollar is None:
            self._dollar = self._free()
        return f"${{{self._dollar}}}" * len(dollars.group())

    def _free(self) -> str:
        number = len(self._taken) + 1
        while (wire := f"p{number}") in self._taken:
            number += 1
        self._taken.add(wire)
        return wire
