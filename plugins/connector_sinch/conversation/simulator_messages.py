"""Messages of the simulated Conversation API, on their way and kept. Source: its page "Messages"."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from connector_sinch.conversation.simulator_apps import App
from connector_sinch.conversation.simulator_callbacks import stamp
from connector_sinch.conversation.simulator_options import Channel
from connector_sinch.conversation.simulator_request import (
    NOT_FOUND,
    AppId,
    Identity,
    Metadata,
    Problem,
    Request,
    Sending,
    Time,
)

TO_APP, TO_CONTACT = "TO_APP", "TO_CONTACT"
CONVERSATION, DISPATCH = "CONVERSATION", "DISPATCH"


@dataclass(slots=True, eq=False)
class Message:
    """A message to a person, from its acceptance on."""

    id: str
    app: App
    request: Sending
    content: dict[str, Any]
    """With the recipient's values in it."""
    missing: frozenset[str]
    """Parameters that the recipient has no value for."""
    identities: list[Identity]
    """In the order in which they are tried."""
    contact_id: str
    conversation_id: str
    mode: str
    metadata: str
    conversation_metadata: str
    """JSON, as callbacks repeat it; empty where they don't."""
    correlation_id: str
    content_type: str
    accepted_at: datetime

    def about(self, identity: Identity) -> dict[str, Any]:
        """What reports on it have in common."""
        return {
            "message_id": self.id,
            "conversation_id": self.conversation_id,
            "channel_identity": identity.shown(),
            "contact_id": self.contact_id,
            "metadata": self.metadata,
            "processing_mode": self.mode,
        }


@dataclass(slots=True)
class Kept:
    """A message in storage."""

    id: str
    app_id: str
    direction: str
    content: dict[str, Any]
    """`app_message` or `contact_message`, by its name."""
    identity: Identity
    conversation_id: str
    contact_id: str
    metadata: str
    accepted_at: datetime
    mode: str
    sender_id: str = ""
    injected: bool = False

    def as_answered(self, with_metadata: bool = True) -> dict[str, Any]:
        return {
            "id": self.id,
            "direction": self.direction,
            **self.content,
            "channel_identity": self.identity.shown(),
            "conversation_id": self.conversation_id,
            "contact_id": self.contact_id,
            "metadata": self.metadata if with_metadata else "",
            "accept_time": stamp(self.accepted_at),
            "sender_id": self.sender_id,
            "processing_mode": self.mode,
            "injected": self.injected,
        }


class MetadataUpdate(Request):
    metadata: Metadata


class LastMessages(Request):
    """Asks for the last message of each person."""

    app_id: AppId | None = None
    channel_identities: list[str] | None = None
    contact_ids: list[str] | None = None
    messages_source: Literal["CONVERSATION_SOURCE", "DISPATCH_SOURCE"] = "CONVERSATION_SOURCE"
    direction: Literal["TO_APP", "TO_CONTACT"] | None = None
    channel: Channel | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    view: Literal["WITH_METADATA", "WITHOUT_METADATA"] = "WITH_METADATA"
    page_size: int | None = None
    page_token: str | None = None


class Messages:
    """All messages in storage."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    @staticmethod
    def keeps(app: App, mode: str) -> bool:
        """Whether messages of a mode are stored at all."""
        return mode == CONVERSATION or app.fields.dispatch_retention_policy.ttl_days > 0

    def keep(self, message: Kept) -> None:
        self._kept[message.id] = message

    def get(self, message_id: str) -> Kept | None:
        return self._kept.get(message_id)

    def by_id(self, message_id: str, source: str) -> Kept:
        message = self.get(message_id)
        if message is None or message.mode != mode_of(source):
            raise Problem(404, NOT_FOUND, f"Message {message_id} was not found.")
        return message

    def delete(self, message: Kept) -> None:
        del self._kept[message.id]

    def drop(self, unwanted: Callable[[Kept], bool]) -> None:
        """Take out those of a conversation or contact that is gone."""
        for message in [each for each in self._kept.values() if unwanted(each)]:
            self.delete(message)

    def move(self, source_id: str, destination_id: str) -> None:
        """The messages of a contact that was merged into another one."""
        for message in self._kept.values():
            if message.contact_id == source_id:
                message.contact_id = destination_id

    def newest_first(self, wanted: Mapping[str, Any]) -> Iterator[Kept]:
        """Those that fit what a listing asks for."""
        mode = mode_of(wanted.get("messages_source", "CONVERSATION_SOURCE"))
        start, end = wanted.get("start_time"), wanted.get("end_time")
        identity = str(wanted.get("channel_identity", "")).removeprefix("+")
        for message in sorted(self._kept.values(), key=lambda each: each.accepted_at, reverse=True):
            if (
                message.mode == mode
                and wanted.get("app_id") in (None, message.app_id)
                and wanted.get("conversation_id") in (None, message.conversation_id)
                and wanted.get("contact_id") in (None, message.contact_id)
                and wanted.get("channel") in (None, message.identity.channel)
                and wanted.get("direction") in (None, message.direction)
                and identity in ("", message.identity.identity.removeprefix("+"))
                and (start is None or message.accepted_at >= start)
                and (end is None or message.accepted_at < end)
                and (not wanted.get("only_recipient_originated") or message.direction == TO_APP)
            ):
                yield message


def mode_of(source: str) -> str:
    return DISPATCH if source == "DISPATCH_SOURCE" else CONVERSATION
