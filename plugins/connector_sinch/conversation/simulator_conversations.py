"""Conversations of the simulated Conversation API, of an app with a contact each. Source: "Conversation"."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import model_validator

from connector_sinch.conversation.simulator_callbacks import stamp
from connector_sinch.conversation.simulator_options import Channel
from connector_sinch.conversation.simulator_request import (
    NOT_FOUND,
    AppId,
    Identity,
    Metadata,
    Problem,
    Request,
    Time,
    changed,
    invalid,
)
from connector_sinch.ulid import new_ulid

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class ConversationFields(Request):
    """What a request says of a conversation."""

    app_id: AppId | None = None
    contact_id: str | None = None
    active: bool = True
    active_channel: Channel | None = None
    metadata: Metadata = ""
    metadata_json: dict[str, Any] | None = None
    correlation_id: str = ""
    id: Any = None
    """Read-only, as is the next."""
    last_received: Any = None


class NewConversation(ConversationFields):
    """A request to make a conversation."""

    app_id: AppId
    contact_id: str


class InjectedMessage(Request):
    """A message that was exchanged elsewhere."""

    app_message: dict[str, Any] | None = None
    contact_message: dict[str, Any] | None = None
    accept_time: Time
    channel_identity: Identity
    contact_id: str
    direction: Literal["TO_APP", "TO_CONTACT"]
    conversation_id: str | None = None
    sender_id: str = ""
    processing_mode: Literal["CONVERSATION", "DISPATCH"] = "CONVERSATION"
    metadata: Metadata = ""

    @model_validator(mode="after")
    def _one_way(self) -> "InjectedMessage":
        if (self.app_message is None) == (self.contact_message is None):
            raise ValueError("must have exactly one of app_message and contact_message")
        return self


class InjectedEvent(Request):
    """An event of the app's that happened elsewhere."""

    app_event: dict[str, Any]
    accept_time: Time
    channel_identity: Identity | None = None
    contact_id: str | None = None
    conversation_id: str | None = None
    processing_mode: Literal["CONVERSATION"] = "CONVERSATION"


@dataclass(slots=True)
class Conversation:
    id: str
    fields: ConversationFields
    last_received: datetime = NEVER

    @property
    def app_id(self) -> str:
        return self.fields.app_id or ""

    @property
    def contact_id(self) -> str:
        return self.fields.contact_id or ""

    def as_answered(self) -> dict[str, Any]:
        fields = self.fields
        return {
            "id": self.id,
            "app_id": self.app_id,
            "contact_id": self.contact_id,
            "active": fields.active,
            "active_channel": fields.active_channel,
            "last_received": stamp(self.last_received),
            "metadata": fields.metadata,
            "metadata_json": fields.metadata_json,
            "correlation_id": fields.correlation_id,
        }


class Conversations:
    """All conversations of the project. What names an unknown one raises `Problem`."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._conversations: dict[str, Conversation] = {}
        self._active: dict[tuple[str, str], Conversation] = {}

    def newest_first(self) -> list[Conversation]:
        return list(reversed(self._conversations.values()))

    def get(self, conversation_id: str) -> Conversation | None:
        return self._conversations.get(conversation_id)

    def by_id(self, conversation_id: str) -> Conversation:
        conversation = self.get(conversation_id)
        if conversation is None:
            raise Problem(404, NOT_FOUND, f"Conversation {conversation_id} was not found.")
        return conversation

    def active_of(self, app_id: str, contact_id: str) -> Conversation | None:
        return self._active.get((app_id, contact_id))

    def create(self, request: ConversationFields) -> Conversation:
        conversation = Conversation(new_ulid(self._dice), request)
        if request.active and self.active_of(conversation.app_id, conversation.contact_id) is not None:
            raise invalid("The contact has an active conversation with this app already.")
        self._put(conversation)
        return conversation

    def _put(self, conversation: Conversation) -> None:
        self._conversations[conversation.id] = conversation
        key = (conversation.app_id, conversation.contact_id)
        if conversation.fields.active:
            self._active[key] = conversation
        elif self._active.get(key) is conversation:
            del self._active[key]

    def update(self, conversation: Conversation, request: ConversationFields, mask: Iterable[str]) -> None:
        fields = changed(conversation.fields, request, mask)
        if (fields.app_id, fields.contact_id) != (conversation.app_id, conversation.contact_id):
            raise invalid("app_id and contact_id can't be changed.")
        conversation.fields = fields
        self._put(conversation)

    def change(self, conversation: Conversation, **fields: Any) -> None:
        """Give some of its fields other values."""
        conversation.fields = conversation.fields.model_copy(update=fields)
        self._put(conversation)

    def stop(self, conversation: Conversation) -> None:
        self.change(conversation, active=False)

    def delete(self, conversation: Conversation) -> None:
        self.stop(conversation)
        del self._conversations[conversation.id]

    def move(self, source_id: str, destination_id: str) -> None:
        """The conversations of a contact that was merged into another one."""
        for conversation in list(self._conversations.values()):
            if conversation.contact_id != source_id:
                continue
            taken = self.active_of(conversation.app_id, destination_id) is not None
            self._active.pop((conversation.app_id, source_id), None)
            self.change(conversation, contact_id=destination_id, active=conversation.fields.active and not taken)

    def of_contact(self, contact_id: str) -> list[Conversation]:
        return [each for each in self._conversations.values() if each.contact_id == contact_id]
