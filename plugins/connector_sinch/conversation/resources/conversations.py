"""Conversations: one app and one contact; the API makes them by itself in CONVERSATION mode.

Source: the schema `Conversation` of the API's OpenAPI document, and the official SDKs (how pages of `recent` come).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from connector.model.batch import utc_now
from connector.model.errors import InputError
from connector_sinch.conversation.resources import limits
from connector_sinch.conversation.resources.host import Host, api_time, given
from connector_sinch.conversation.resources.messages import Message
from connector_sinch.conversation.resources.resource import ChannelName, Resource, Time, read, read_each


class Conversation(Resource):
    """What one contact and one app have said to each other."""

    id: str = ""
    app_id: str = ""
    contact_id: str = ""
    active: bool = False
    active_channel: ChannelName = ""
    last_received: Time = None
    """When the contact wrote last; 1970 where it never did."""
    metadata: str = ""
    metadata_json: dict[str, Any] = Field(default_factory=dict)
    correlation_id: str = ""


class RecentConversation(Resource):
    """A conversation with its last message."""

    conversation: Conversation = Conversation()
    last_message: Message = Message()


class Conversations:
    """The conversations of a project."""

    def __init__(self, api: Host) -> None:
        self._api = api

    def list(
        self,
        *,
        app_id: str | None = None,
        contact_id: str | None = None,
        only_active: bool | None = None,
        active_channel: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Conversation]:
        """Those of an app, a contact, or both."""
        if app_id is None and contact_id is None:
            raise InputError("app_id or contact_id is missing; the API needs one of them.")
        query = given(app_id=app_id, contact_id=contact_id, only_active=only_active, active_channel=active_channel)
        found = self._api.pages(
            "conversations", entries="conversations", query=query, size=page_size, limit=limits.CONVERSATIONS
        )
        return read_each(Conversation, found)

    def recent(
        self, app_id: str, *, only_active: bool | None = None, page_size: int | None = None
    ) -> Iterator[RecentConversation]:
        """Those of an app by their last message, newest first."""
        query = given(app_id=app_id, only_active=only_active)
        # Without a size of the page the API has answered with an empty list.
        found = self._api.pages(
            "conversations:recent", entries="conversations", query=query, size=page_size, limit=limits.RECENT
        )
        return read_each(RecentConversation, found)

    def get(self, conversation_id: str) -> Conversation:
        """One conversation."""
        return read(Conversation, self._api.get("conversations", conversation_id))

    def create(
        self,
        app_id: str,
        contact_id: str,
        *,
        active_channel: str | None = None,
        metadata_json: Mapping[str, Any] | None = None,
        correlation_id: str | None = None,
    ) -> Conversation:
        """A new, active conversation."""
        limits.at_most("correlation_id", correlation_id, limits.CORRELATION_CHARACTERS)
        body = given(
            app_id=app_id,
            contact_id=contact_id,
            active=True,
            active_channel=active_channel,
            metadata_json=metadata_json,
            correlation_id=correlation_id,
        )
        return read(Conversation, self._api.post("conversations", body=body))

    def update(
        self,
        conversation_id: str,
        *,
        active_channel: str | None = None,
        metadata_json: Mapping[str, Any] | None = None,
        correlation_id: str | None = None,
    ) -> Conversation:
        """Change what is given."""
        limits.at_most("correlation_id", correlation_id, limits.CORRELATION_CHARACTERS)
        changes = given(active_channel=active_channel, metadata_json=metadata_json, correlation_id=correlation_id)
        if not changes:
            raise InputError("Nothing is to be changed: say what.")
        query = {"update_mask": list(changes)}
        return read(
            Conversation, self._api.change("PATCH", "conversations", conversation_id, body=changes, query=query)
        )

    def stop(self, conversation_id: str) -> None:
        """End a conversation; the next message begins a new one."""
        self._api.change("POST", "conversations", f"{conversation_id}:stop", body={})

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation with its messages."""
        self._api.change("DELETE", "conversations", conversation_id)

    def inject_message(
        self,
        conversation_id: str,
        *,
        message: Mapping[str, Any],
        direction: str,
        channel_identity: Mapping[str, str],
        contact_id: str,
        accept_time: datetime,
        metadata: str | None = None,
        now: datetime | None = None,
    ) -> None:
        """Put a message of another system into a conversation; nothing is sent.

        `message` is `{"text_message": ...}` and the like; `accept_time` lies in the past, at most 30 days.
        """
        limits.one_of("direction", direction, ("TO_APP", "TO_CONTACT"))
        limits.at_most("metadata", metadata, limits.METADATA_CHARACTERS)
        age = (now or utc_now()) - accept_time
        if not timedelta() <= age <= timedelta(days=limits.INJECTED_DAYS):
            raise InputError(f"accept_time lies in the past, at most {limits.INJECTED_DAYS} days.")
        body = given(
            direction=direction,
            channel_identity=dict(channel_identity),
            contact_id=contact_id,
            accept_time=api_time(accept_time),
            metadata=metadata,
        )
        body["app_message" if direction == "TO_CONTACT" else "contact_message"] = dict(message)
        self._api.post("conversations", f"{conversation_id}:inject-message", body=body)

    def inject_event(
        self, conversation_id: str, *, event: Mapping[str, Any], channel_identity: Mapping[str, str], at: datetime
    ) -> str:
        """Put an event of the app into a conversation; its id."""
        body = {"app_event": dict(event), "channel_identity": dict(channel_identity), "accept_time": api_time(at)}
        said = self._api.post("conversations", f"{conversation_id}:inject-event", body=body)
        return str(said.get("event_id", ""))
