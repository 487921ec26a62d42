"""Reading what the Conversation API says later: everything that an app's webhook may bring, and listed messages.

A callback doesn't name its trigger: it is told by which payload stands beside the fields that all of them share.
Source: the API's page "Callbacks" with its schemas, and the page of the Batch API for its status.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from connector.model.event import EventKind, Status, StatusCodeSource
from connector.model.outcome import Scope
from connector.model.report import Receipt, ReceiptKind, Report
from connector_sinch.conversation import outages
from connector_sinch.conversation.addresses import BY_NUMBER, CONTACT
from connector_sinch.conversation.codes import status_of
from connector_sinch.conversation.resources.resource import Channel
from connector_sinch.conversation.sessions import open_until
from connector_sinch.errors import without_numbers
from connector_sinch.values import moment, phone_number, quoted, string

BATCH_KEY = "batch"
MESSAGE_KEY = "message"
"""What our own keys are called in the metadata of a message, and of a batch."""
_BATCH_ID = "_batch_id"
"""What the Batch API adds to the metadata of every message."""
_MAX_KEY_CHARACTERS = 200

_NO_REASON = "UNSPECIFIED_SUB_CODE"
# (event, final); a message that was delivered may still be read.
_STATUSES: dict[str, tuple[Status | None, bool]] = {
    "QUEUED_ON_CHANNEL": (None, False),
    "DELIVERED": (Status.delivered, False),
    "READ": (Status.read, True),
    "FAILED": (Status.failed, True),
}
_SWITCHING = "SWITCHING_CHANNEL"
_BATCH_STATES = {"READY", "SCHEDULED", "PROCESSED", "CANCELLED"}


@dataclass(frozen=True, slots=True)
class _Callback:
    """One callback: what all of them share, and its payload."""

    trigger: str
    payload: dict[str, Any]
    body: dict[str, Any]
    """As it came."""
    received_at: datetime
    batch_key: str | None = None
    """From the address that was called."""

    @property
    def happened_at(self) -> datetime | None:
        return moment(self.body.get("event_time")) or moment(self.body.get("accepted_time"))


@dataclass(frozen=True, slots=True)
class _Keys:
    """What the metadata of a message tells of where it came from."""

    batch_key: str | None = None
    message_id: str | None = None
    provider_batch_id: str | None = None


def parse(report: Report) -> list[Receipt]:
    """The receipts of a body; never raises, what isn't understood becomes a receipt of kind `unknown`."""
    try:
        body: Any = from_json(report.body, allow_inf_nan=False)
    except ValueError:
        return [_not_understood("the body is not JSON", {})]
    if not isinstance(body, dict):
        return [_not_understood("the body is not a JSON object", {})]
    listed = body.get("messages")
    if isinstance(listed, list):
        return [receipt for entry in listed for receipt in _listed(entry, report.received_at)]
    for payload_key, (trigger, reader) in _READERS.items():
        payload = body.get(payload_key)
        if payload is None:
            continue
        if not isinstance(payload, dict):
            return [_not_understood(f"{payload_key} is not a JSON object", body)]
        return list(reader(_Callback(trigger, payload, body, report.received_at, report.batch_key)))
    payloads = [quoted(name) for name in body if name not in _ENVELOPE]
    return [_not_understood(f"nothing that is known stands in it, but {', '.join(payloads[:3]) or 'nothing'}", body)]


def _listed(entry: Any, received_at: datetime) -> Iterator[Receipt]:
    """A message as the API lists it: only what people wrote is news."""
    if not isinstance(entry, dict):
        yield _not_understood("an entry of the list is not a JSON object", {})
    elif isinstance(entry.get("contact_message"), dict):
        yield from _inbound(_Callback("MESSAGE_INBOUND", entry, {"message": entry}, received_at))


# Messages


def _delivery(callback: _Callback) -> Iterator[Receipt]:
    report = callback.payload
    channel, recipient = _identity(report)
    keys = _keys(report.get("metadata"), report, callback.body)
    provider_id = string(report.get("message_id"))
    batch_key = keys.batch_key or callback.batch_key
    # A message that was sent alone is its own batch to the API.
    provider_batch_id = keys.provider_batch_id or provider_id
    given = report.get("status")
    reason, comment = _reason(report.get("reason"))
    if given == _SWITCHING:
        yield _notice(
            callback,
            EventKind.channel,
            keys=_Keys(batch_key, keys.message_id, keys.provider_batch_id),
            recipient=recipient,
            channel=channel,
            raw_status=_SWITCHING,
            error=reason,
            comment=comment,
            provider_id=_joined(provider_id, channel),
        )
        return
    status, final, problem = _status(given)
    # A message that was sent alone is told by its own id.
    if problem is None and recipient is None and keys.message_id is None and keys.provider_batch_id is not None:
        problem = "the report names no recipient"
    if problem is None and batch_key is None and provider_batch_id is None:
        problem = "the report names no message"
    failed = status is Status.failed
    yield Receipt(
        kind=ReceiptKind.message if problem is None else ReceiptKind.unknown,
        status=(status_of(reason) if failed else status) if problem is None else None,
        final=final and problem is None,
        batch_key=batch_key,
        provider_batch_id=provider_batch_id,
        message_id=keys.message_id,
        recipient=recipient,
        occurred_at=callback.happened_at,
        # A reason beside any other status says nothing.
        status_code_source=StatusCodeSource.conversation if failed else None,
        error=reason if failed else None,
        comment=comment if failed else None,
        raw_status=string(given),
        channel=channel,
        provider_id=provider_id,
        problem=problem,
        payload=callback.body,
    )


def _status(given: Any) -> tuple[Status | None, bool, str | None]:
    """The event of a status, whether it is final, and what was not understood."""
    if not isinstance(given, str):
        return None, False, "the report has no status"
    known = _STATUSES.get(given)
    return (*known, None) if known else (None, False, f"the status {quoted(given)} is not known")


def _reason(reason: Any) -> tuple[str, str | None]:
    """A reason's code, and what stands beside it."""
    if not isinstance(reason, dict):
        return "UNKNOWN", None
    described, sub_code, channel_code = (
        string(reason.get(name)) for name in ("description", "sub_code", "channel_code")
    )
    words = [
        without_numbers(described) if described else "",
        f"sub code {sub_code}" if sub_code and sub_code != _NO_REASON else "",
        f"channel code {channel_code}" if channel_code else "",
    ]
    return string(reason.get("code")) or "UNKNOWN", "; ".join(filter(None, words)) or None


def _submitted(callback: _Callback) -> Iterator[Receipt]:
    told = callback.payload
    channel, recipient = _identity(told)
    keys = _keys(told.get("metadata"), told, callback.body)
    provider_id = string(told.get("message_id"))
    yield _notice(
        callback,
        EventKind.channel,
        keys=_Keys(keys.batch_key or callback.batch_key, keys.message_id, keys.provider_batch_id),
        recipient=recipient,
        channel=channel,
        provider_id=_joined(provider_id, channel),
    )


def _batch_status(callback: _Callback) -> Iterator[Receipt]:
    told = callback.payload
    extra = told.get("additional_data")
    of_messages = extra.get("message_batch_data") if isinstance(extra, dict) else None
    keys = _keys(of_messages.get("batch_metadata") if isinstance(of_messages, dict) else None)
    key, provider_batch_id = keys.batch_key or callback.batch_key, string(told.get("batch_id"))
    kind = told.get("batch_type")
    if isinstance(kind, str) and not kind.endswith("MESSAGES"):
        yield _notice(callback, EventKind.contact, comment=_joined(kind, string(told.get("batch_status")), by=" "))
        return
    if key is None and provider_batch_id is None:
        yield _not_understood("the status names no batch", callback.body)
        return
    # Whatever its status: the API has it.
    yield Receipt(
        ReceiptKind.batch,
        batch_key=key,
        provider_batch_id=provider_batch_id,
        occurred_at=callback.happened_at,
        raw_status=string(told.get("batch_status")),
        payload=callback.body,
    )
    given = told.get("batch_status")
    if not isinstance(given, str) or given.removeprefix("BATCH_STATUS_") not in _BATCH_STATES:
        named = quoted(given) if isinstance(given, str) else "none"
        yield _not_understood(
            f"the API reports the status {named} of a batch that it took: its messages may never have been sent, look "
            "for it in the dashboard",
            callback.body,
            batch_key=key,
            provider_batch_id=provider_batch_id,
        )


# People


def _inbound(callback: _Callback) -> Iterator[Receipt]:
    message = callback.payload
    channel, person = _identity(message)
    provider_id = string(message.get("id"))
    if person is None or provider_id is None:
        problem = "the inbound message has no id" if provider_id is None else "the inbound message names no sender"
        yield _not_understood(problem, callback.body)
        return
    said = message.get("contact_message")
    said = said if isinstance(said, dict) else {}
    choice = said.get("choice_response_message")
    wrote_at = moment(callback.body.get("event_time")) or moment(message.get("accept_time"))
    # Only of a choice is this what was sent with the message; else it is the channel's own.
    of_choice = _keys(message.get("metadata")) if isinstance(choice, dict) else _Keys()
    # What was last sent into the conversation: it tells the batch, but not surely the message.
    of_conversation = _keys(callback.body.get("message_metadata"))
    yield Receipt(
        kind=ReceiptKind.person,
        status=Status.replied,
        final=True,
        batch_key=of_choice.batch_key or of_conversation.batch_key,
        provider_batch_id=of_choice.provider_batch_id or of_conversation.provider_batch_id,
        message_id=of_choice.message_id or of_conversation.message_id,
        recipient=person,
        sender=string(message.get("sender_id")),
        occurred_at=wrote_at,
        channel=channel,
        provider_id=provider_id,
        reply_to=_reply_to(said, choice),
        text=_text(said),
        open_until=open_until(channel, wrote_at or callback.received_at),
        known_as=_known_as(message),
        on_channel=_on_channel(channel, person),
        payload=callback.body,
    )


def _reply_to(said: Mapping[str, Any], choice: Any) -> str | None:
    """The API's id of the message that is answered."""
    for named in (said.get("reply_to"), choice):
        if isinstance(named, dict) and (found := string(named.get("message_id"))):
            return found
    return None


_WORDS = {
    "text_message": "text",
    "choice_response_message": "postback_data",
    "media_card_message": "caption",
    "location_message": "title",
    "product_response_message": "title",
    "fallback_message": "raw_message",
}
"""Where the words stand in each kind of message; the other kinds have none."""


def _text(said: Mapping[str, Any]) -> str | None:
    for kind, name in _WORDS.items():
        content = said.get(kind)
        if isinstance(content, dict):
            return string(content.get(name))
    return None


def _consent(callback: _Callback) -> Iterator[Receipt]:
    told = callback.payload
    given = string(told.get("status"))
    succeeded = given == f"{callback.trigger}_SUCCEEDED"
    channel = string(told.get("channel"))
    recipient = _person(channel, told.get("identity"))
    # What was last sent to them, where the app tells it.
    keys = _keys(callback.body.get("message_metadata"))
    details = told.get("error_details")
    described = string(details.get("description")) if isinstance(details, dict) else None
    if not succeeded:
        yield _notice(
            callback,
            EventKind.person,
            keys=keys,
            recipient=recipient,
            channel=channel,
            comment=_joined(given, without_numbers(described) if described else None, by=": "),
            known_as=_known_as(told),
        )
        return
    yield Receipt(
        kind=ReceiptKind.person,
        status=Status.opted_in if callback.trigger == "OPT_IN" else Status.opted_out,
        final=True,
        batch_key=keys.batch_key,
        provider_batch_id=keys.provider_batch_id,
        message_id=keys.message_id,
        recipient=recipient,
        occurred_at=callback.happened_at,
        channel=channel,
        raw_status=given,
        provider_id=string(told.get("request_id")),
        known_as=_known_as(told),
        on_channel=_on_channel(channel, recipient),
        payload=callback.body,
    )


def _person_event(callback: _Callback) -> Iterator[Receipt]:
    told = callback.payload
    channel, recipient = _identity(told)
    inner = next((told[name] for name in ("contact_event", "contact_message_event") if name in told), None)
    names = [name for name in inner if name.endswith("_event")] if isinstance(inner, dict) else []
    concerned = inner.get(names[0]) if isinstance(inner, dict) and names else None
    yield _notice(
        callback,
        EventKind.person,
        keys=_keys(callback.body.get("message_metadata")),
        recipient=recipient,
        channel=channel,
        comment=names[0] if names else None,
        provider_id=string(told.get("id")),
        # A reaction names what it reacts to.
        reply_to=string(concerned.get("message_id")) if isinstance(concerned, dict) else None,
        known_as=_known_as(told),
        at=moment(told.get("accept_time")),
    )


def _unsupported(callback: _Callback) -> Iterator[Receipt]:
    told = callback.payload
    channel, recipient = _identity(told)
    yield _notice(
        callback,
        EventKind.person,
        recipient=recipient,
        channel=channel or string(told.get("channel")),
        provider_id=string(told.get("id")),
    )


# Channels, contacts, conversations


def _event_delivery(callback: _Callback) -> Iterator[Receipt]:
    told = callback.payload
    channel, recipient = _identity(told)
    given = string(told.get("status"))
    failed = given in ("FAILED", _SWITCHING)
    reason, comment = _reason(told.get("reason")) if failed else (None, None)
    yield _notice(
        callback,
        EventKind.conversation,
        recipient=recipient,
        channel=channel,
        error=reason,
        comment=_joined(given, comment, by=": "),
        provider_id=_joined(string(told.get("event_id")), given, channel),
    )


def _channel_event(callback: _Callback) -> Iterator[Receipt]:
    told = callback.payload.get("channel_event")
    told = told if isinstance(told, dict) else {}
    kind, details = string(told.get("event_type")), told.get("additional_data")
    notice = _notice(callback, EventKind.channel, channel=string(told.get("channel")), comment=kind)
    if outages.out_of_use(kind, details):
        words = _joined(kind or callback.trigger, outages.words(details), by=": ")
        notice = replace(notice, scope=Scope.account, comment=words)
    yield notice


def _capability(callback: _Callback) -> Iterator[Receipt]:
    told = callback.payload
    reason, comment = _reason(told.get("reason")) if told.get("reason") else (None, None)
    channel = string(told.get("channel"))
    yield _notice(
        callback,
        EventKind.channel,
        recipient=_person(told.get("channel"), told.get("identity")),
        channel=channel,
        error=reason,
        comment=_joined(string(told.get("capability_status")), comment, by=": "),
        provider_id=_joined(string(told.get("request_id")), channel),
    )


def _contact(callback: _Callback) -> Iterator[Receipt]:
    contact = callback.payload.get("contact") or callback.payload.get("preserved_contact")
    identities = contact.get("channel_identities") if isinstance(contact, dict) else None
    first = identities[0] if isinstance(identities, list) and identities else None
    recipient = _person(first.get("channel"), first.get("identity")) if isinstance(first, dict) else None
    yield _notice(callback, EventKind.contact, recipient=recipient)


def _conversation(callback: _Callback) -> Iterator[Receipt]:
    conversation = callback.payload.get("conversation")
    active = conversation.get("active_channel") if isinstance(conversation, dict) else None
    yield _notice(callback, EventKind.conversation, channel=string(active))


def _analysis(callback: _Callback) -> Iterator[Receipt]:
    told = callback.payload
    yield _notice(
        callback,
        EventKind.conversation,
        recipient=_person(told.get("channel"), told.get("channel_identity")),
        channel=string(told.get("channel")),
        reply_to=string(told.get("message_id")),
    )


def _record(callback: _Callback) -> Iterator[Receipt]:
    told = callback.payload
    channel, recipient = _identity(told)
    yield _notice(
        callback,
        EventKind.conversation,
        recipient=recipient,
        channel=channel,
        comment=string(told.get("record_status")),
        provider_id=_joined(string(told.get("entity_id")), string(told.get("record_status"))),
    )


_READERS: dict[str, tuple[str, Callable[[_Callback], Iterator[Receipt]]]] = {
    "message_delivery_report": ("MESSAGE_DELIVERY", _delivery),
    "message_submit_notification": ("MESSAGE_SUBMIT", _submitted),
    "message": ("MESSAGE_INBOUND", _inbound),
    # The same message without what could tell who wrote it.
    "message_redaction": ("MESSAGE_INBOUND_SMART_CONVERSATION_REDACTION", _inbound),
    "event": ("EVENT_INBOUND", _person_event),
    "event_delivery_report": ("EVENT_DELIVERY", _event_delivery),
    "opt_in_notification": ("OPT_IN", _consent),
    "opt_out_notification": ("OPT_OUT", _consent),
    "channel_event_notification": ("CHANNEL_EVENT", _channel_event),
    "capability_notification": ("CAPABILITY", _capability),
    "contact_create_notification": ("CONTACT_CREATE", _contact),
    "contact_update_notification": ("CONTACT_UPDATE", _contact),
    "contact_delete_notification": ("CONTACT_DELETE", _contact),
    "contact_merge_notification": ("CONTACT_MERGE", _contact),
    "duplicated_contact_identities_notification": ("CONTACT_IDENTITIES_DUPLICATION", _contact),
    "conversation_start_notification": ("CONVERSATION_START", _conversation),
    "conversation_stop_notification": ("CONVERSATION_STOP", _conversation),
    "conversation_delete_notification": ("CONVERSATION_DELETE", _conversation),
    "smart_conversation_notification": ("SMART_CONVERSATION", _analysis),
    "record_notification": ("RECORD_NOTIFICATION", _record),
    "unsupported_callback": ("UNSUPPORTED", _unsupported),
    "batch_status_update_notification": ("BATCH_STATUS_UPDATE", _batch_status),
}
_ENVELOPE = {"app_id", "project_id", "accepted_time", "event_time", "message_metadata", "correlation_id"}

TRIGGERS = tuple(trigger for trigger, _ in _READERS.values())
"""Every trigger whose callbacks are read."""


# What all of them need


def _notice(
    callback: _Callback,
    about: EventKind,
    *,
    keys: _Keys | None = None,
    recipient: str | None = None,
    channel: str | None = None,
    raw_status: str | None = None,
    error: str | None = None,
    comment: str | None = None,
    provider_id: str | None = None,
    reply_to: str | None = None,
    known_as: str | None = None,
    at: datetime | None = None,
) -> Receipt:
    keys = keys or _Keys()
    named = raw_status or callback.trigger
    return Receipt(
        kind=ReceiptKind.notice,
        about=about,
        status=Status.noted,
        batch_key=keys.batch_key,
        provider_batch_id=keys.provider_batch_id,
        message_id=keys.message_id,
        recipient=recipient,
        occurred_at=callback.happened_at or at,
        status_code_source=StatusCodeSource.conversation if error else None,
        error=error,
        comment=comment,
        raw_status=named,
        channel=channel,
        # Where the API numbers it not, the whole of it tells it from others.
        provider_id=None if provider_id is None else f"{named} {provider_id}",
        reply_to=reply_to,
        known_as=known_as,
        on_channel=_on_channel(channel, recipient),
        payload=callback.body,
    )


def _not_understood(
    problem: str, body: dict[str, Any], *, batch_key: str | None = None, provider_batch_id: str | None = None
) -> Receipt:
    return Receipt(
        kind=ReceiptKind.unknown,
        batch_key=batch_key,
        provider_batch_id=provider_batch_id,
        problem=problem,
        payload=body,
    )


def _keys(metadata: Any, *beside: Mapping[str, Any]) -> _Keys:
    """Our keys, and the batch's id, in metadata: JSON as text, or an object; the id may also stand beside it."""
    if isinstance(metadata, str):
        try:
            metadata = from_json(metadata, allow_inf_nan=False)
        except ValueError:
            metadata = None
    named = metadata if isinstance(metadata, dict) else {}
    ids = [_key(named.get(_BATCH_ID)), _key(named.get("batch_id")), *(_key(each.get("batch_id")) for each in beside)]
    return _Keys(_key(named.get(BATCH_KEY)), _key(named.get(MESSAGE_KEY)), next(filter(None, ids), None))


def _key(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_KEY_CHARACTERS else None


def _identity(payload: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The channel and the person of a payload."""
    given = payload.get("channel_identity")
    if not isinstance(given, dict):
        return None, None
    return string(given.get("channel")), _person(given.get("channel"), given.get("identity"))


def _person(channel: Any, identity: Any) -> str | None:
    """Who somebody is on a channel, as the ledger has it: by number the digits only, else `CHANNEL:IDENTITY`."""
    name, known = string(identity), string(channel)
    if known is None or known in BY_NUMBER or known not in list(Channel):
        return phone_number(identity) or name
    return name and f"{known}:{name}"


def _known_as(payload: Mapping[str, Any]) -> str | None:
    """The contact of a payload, as messages are addressed to it."""
    contact = string(payload.get("contact_id"))
    return contact and f"{CONTACT}{contact}"


def _on_channel(channel: str | None, person: str | None) -> str | None:
    """Somebody who is known by number, as messages are addressed to them on one channel."""
    return f"{channel}:{person}" if channel and person and not person.startswith(f"{channel}:") else None


def _joined(*words: str | None, by: str = "/") -> str | None:
    """The words that are there; None where the first isn't."""
    return by.join(filter(None, words)) if words[0] else None
