"""Events of a conversation beside its messages: somebody types, has read, joins.

Source: the schemas `SendEventRequest` and `ConversationEvent` of the API's OpenAPI document.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from connector_sinch.conversation.resources import limits
from connector_sinch.conversation.resources.host import Host, given
from connector_sinch.conversation.resources.resource import ChannelIdentity, Resource, Time, read, read_each

KINDS = (
    "composing_event",
    "composing_end_event",
    "read_message_event",
    "comment_reply_event",
    "agent_joined_event",
    "agent_left_event",
    "generic_event",
)
QUEUES = ("NORMAL_PRIORITY", "HIGH_PRIORITY")


class Event(Resource):
    """An event to a person (`app_event`) or from one (`contact_event`, `contact_message_event`)."""

    id: str = ""
    direction: str = ""
    app_event: dict[str, Any] = Field(default_factory=dict)
    contact_event: dict[str, Any] = Field(default_factory=dict)
    contact_message_event: dict[str, Any] = Field(default_factory=dict)
    channel_identity: ChannelIdentity = ChannelIdentity()
    conversation_id: str = ""
    contact_id: str = ""
    accept_time: Time = None
    processing_mode: str = ""


class SentEvent(Resource):
    """An event that was taken."""

    event_id: str = ""
    accepted_time: Time = None


class Events:
    """The events of a project."""

    def __init__(self, api: Host) -> None:
        self._api = api

    def send(
        self,
        app_id: str,
        recipient: Mapping[str, Any],
        kind: str,
        content: Mapping[str, Any] | None = None,
        *,
        channel: str | None = None,
        metadata: str | None = None,
        queue: str | None = None,
    ) -> SentEvent:
        """Send an event of one of `KINDS` to somebody, as `recipient.recipient` writes them."""
        limits.one_of("event", kind, KINDS)
        limits.at_most("event_metadata", metadata, limits.METADATA_CHARACTERS)
        if queue is not None:
            limits.one_of("queue", queue, QUEUES)
        body = given(
            app_id=app_id,
            recipient=dict(recipient),
            event={kind: dict(content or {})},
            # The API takes one channel here, in a list.
            channel_priority_order=None if channel is None else [channel],
            event_metadata=metadata,
            queue=queue,
        )
        return read(SentEvent, self._api.post("events:send", body=body))

    def list(
        self, *, conversation_id: str | None = None, contact_id: str | None = None, page_size: int | None = None
    ) -> Iterator[Event]:
        """Those of a conversation or a contact."""
        query = given(conversation_id=conversation_id, contact_id=contact_id)
        found = self._api.pages("events", entries="events", query=query, size=page_size, limit=limits.EVENTS)
        return read_each(Event, found)

    def get(self, event_id: str) -> Event:
        """One event."""
        return read(Event, self._api.get("events", event_id))

    def delete(self, event_id: str) -> None:
        """Delete an event."""
        self._api.change("DELETE", "events", event_id)
