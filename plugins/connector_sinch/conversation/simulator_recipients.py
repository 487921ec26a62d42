"""Whom a message is for, in the simulated Conversation API: identities in their order, contacts, conversations.

Source: the Conversation API's pages "Processing modes", "Channel priority" and "Messages".
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from connector_sinch.conversation.simulator_apps import App
from connector_sinch.conversation.simulator_callbacks import Callbacks
from connector_sinch.conversation.simulator_contacts import Contact, ContactFields, Contacts
from connector_sinch.conversation.simulator_conversations import Conversation, ConversationFields, Conversations
from connector_sinch.conversation.simulator_messages import CONVERSATION, DISPATCH
from connector_sinch.conversation.simulator_request import Identity, Problem, Recipient, Sending, invalid


class Addressed(NamedTuple):
    """A recipient as a message has it; ids are empty in dispatch mode."""

    identities: list[Identity]
    contact: Contact | None
    conversation: Conversation | None
    mode: str


class Recipients:
    """Finds out whom messages are for; in conversation mode it makes contacts and conversations as they are needed."""

    def __init__(self, contacts: Contacts, conversations: Conversations, callbacks: Callbacks) -> None:
        self._contacts = contacts
        self._conversations = conversations
        self._callbacks = callbacks
        self._last: dict[tuple[str, str, str], tuple[dict[str, Any], str]] = {}

    def check(self, app: App, request: Sending, recipients: list[Recipient]) -> None:
        """What a request is refused for as a whole. Raises `Problem`."""
        for channel in request.channel_priority_order or ():
            if channel not in app.channels:
                raise invalid(f"channel_priority_order: the app has no {channel}.")
        for recipient in recipients:
            if recipient.contact_id is None:
                continue
            if app.dispatches or request.processing_strategy == "DISPATCH_ONLY":
                raise invalid("recipient: in dispatch mode only identified_by can be used.")
            if self._contacts.get(recipient.contact_id) is None:
                raise Problem(404, "NOT_FOUND", f"Contact {recipient.contact_id} was not found.")

    def address(self, app: App, recipient: Recipient, order: Sequence[str], dispatch_only: bool) -> Addressed:
        """The identities to try, in this order or their own, and who it is."""
        given = [] if recipient.identified_by is None else recipient.identified_by.channel_identities
        if app.dispatches or dispatch_only:
            return Addressed(_ordered(given, order), None, None, DISPATCH)
        if recipient.contact_id is None:
            contact = self.contact_of(app, given)
        else:
            found = self._contacts.get(recipient.contact_id)
            if found is None:
                return Addressed([], None, None, CONVERSATION)
            contact, given = found, found.identities
            conversation = self._conversations.active_of(app.id, contact.id)
            active = None if conversation is None else conversation.fields.active_channel
            order = order or list(dict.fromkeys([*([active] if active else []), *contact.priority, *app.channels]))
        identities = _ordered(given, order)
        conversation = self.conversation_of(app, contact, identities[0].channel if identities else None)
        return Addressed(identities, contact, conversation, CONVERSATION)

    def remember(
        self, app: App, addressed: Addressed, metadata: dict[str, Any] | None, correlation_id: str, merge: bool
    ) -> str:
        """Keep what a message says of its conversation, for what people write back; the metadata as callbacks show it.

        In dispatch mode it is the identity's, and kept only where messages are.
        """
        kept = addressed.conversation is not None or app.fields.dispatch_retention_policy.ttl_days > 0
        if addressed.conversation is not None:
            before = addressed.conversation.fields.metadata_json or {}
            metadata = _merged(before, metadata) if merge and metadata is not None else metadata
        for identity in addressed.identities if kept else ():
            self._last[_key(app, identity)] = (metadata or {}, correlation_id)
        if addressed.conversation is not None and (metadata is not None or correlation_id):
            self._conversations.change(
                addressed.conversation, metadata_json=metadata or before, correlation_id=correlation_id
            )
        return shown_metadata(app, metadata)

    def remembered(self, app: App, identity: Identity) -> tuple[str, str]:
        """The metadata and the correlation id that what somebody writes is called back with."""
        metadata, correlation_id = self._last.get(_key(app, identity), ({}, ""))
        return shown_metadata(app, metadata), correlation_id

    def contact_of(self, app: App, identities: list[Identity]) -> Contact:
        """Whose one of the identities is, made where nobody's is."""
        contact = self._contacts.with_identity(identities)
        if contact is None:
            contact = self._contacts.create(ContactFields(channel_identities=identities))
            self._callbacks.tell(app, "CONTACT_CREATE", {"contact": contact.as_answered()})
        return contact

    def conversation_of(self, app: App, contact: Contact, channel: Any) -> Conversation:
        """The active conversation of a contact with an app, begun where there is none."""
        conversation = self._conversations.active_of(app.id, contact.id)
        if conversation is None:
            conversation = self._conversations.create(
                ConversationFields(app_id=app.id, contact_id=contact.id, active_channel=channel)
            )
            self._callbacks.tell(app, "CONVERSATION_START", {"conversation": conversation.as_answered()})
        return conversation

    def written(self, app: App, identity: Identity, at: datetime) -> tuple[Contact, Conversation]:
        """Note that somebody wrote to an app in conversation mode."""
        contact = self.contact_of(app, [identity])
        conversation = self.conversation_of(app, contact, identity.channel)
        conversation.last_received = at
        self._conversations.change(conversation, active_channel=identity.channel)
        return contact, conversation


def shown_metadata(app: App, metadata: dict[str, Any] | None) -> str:
    """The metadata of a conversation as callbacks repeat it: not at all, unless the app wants it."""
    if not metadata or app.fields.conversation_metadata_report_view != "FULL":
        return ""
    return to_json(metadata).decode()


def _key(app: App, identity: Identity) -> tuple[str, str, str]:
    return (app.id, identity.channel, identity.identity.removeprefix("+"))


def _merged(before: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """JSON Merge Patch (RFC 7386)."""
    after = dict(before)
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, dict):
            inner = after.get(name)
            after[name] = _merged(inner if isinstance(inner, dict) else {}, value)
        else:
            after[name] = value
    return after


def _ordered(identities: list[Identity], order: Sequence[str]) -> list[Identity]:
    """Those on the channels of an order, in it; without one all as they are."""
    if not order:
        return list(identities)
    return [identity for channel in order for identity in identities if identity.channel == channel]
