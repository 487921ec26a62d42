"""Messages as the API keeps them: for the app's retention in CONVERSATION mode, in DISPATCH mode often not at all.

They have no state of delivery: that comes by callback only. Source: the schemas `ConversationMessage` and
`TranscodeMessageRequest` of the API's OpenAPI document.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from connector.model.errors import InputError
from connector_sinch.conversation.resources import limits
from connector_sinch.conversation.resources.host import Host, api_time, entries_of, given, next_token
from connector_sinch.conversation.resources.resource import ChannelIdentity, Resource, Time, read, read_each

SOURCES = ("CONVERSATION_SOURCE", "DISPATCH_SOURCE")
DIRECTIONS = ("TO_APP", "TO_CONTACT")


class Message(Resource):
    """A message to a person (`app_message`) or from one (`contact_message`)."""

    id: str = ""
    direction: str = ""
    app_message: dict[str, Any] = Field(default_factory=dict)
    contact_message: dict[str, Any] = Field(default_factory=dict)
    channel_identity: ChannelIdentity = ChannelIdentity()
    conversation_id: str = ""
    contact_id: str = ""
    metadata: str = ""
    accept_time: Time = None
    sender_id: str = ""
    processing_mode: str = ""
    injected: bool = False


class Messages:
    """The messages of a project. `source` is where they are kept: `SOURCES`; None: that of conversations."""

    def __init__(self, api: Host) -> None:
        self._api = api

    def list(
        self,
        *,
        app_id: str | None = None,
        conversation_id: str | None = None,
        contact_id: str | None = None,
        channel_identity: str | None = None,
        channel: str | None = None,
        direction: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        source: str | None = None,
        only_recipient_originated: bool | None = None,
        with_metadata: bool = True,
        page_size: int | None = None,
    ) -> Iterator[Message]:
        """Newest first, by the time that they were accepted.

        `only_recipient_originated`: what people wrote, of DISPATCH_SOURCE only.
        """
        _check(direction, source)
        if only_recipient_originated is not None and source != "DISPATCH_SOURCE":
            raise InputError("only_recipient_originated: the API looks by it in DISPATCH_SOURCE only.")
        if source == "DISPATCH_SOURCE" and (conversation_id is not None or contact_id is not None):
            raise InputError("conversation_id and contact_id: the API looks by them in CONVERSATION_SOURCE only.")
        query = given(
            app_id=app_id,
            conversation_id=conversation_id,
            contact_id=contact_id,
            channel_identity=channel_identity,
            channel=channel,
            direction=direction,
            start_time=start,
            end_time=end,
            messages_source=source,
            only_recipient_originated=only_recipient_originated,
            view=None if with_metadata else "WITHOUT_METADATA",
        )
        found = self._api.pages("messages", entries="messages", query=query, size=page_size, limit=limits.MESSAGES)
        return read_each(Message, found)

    def last(
        self,
        app_id: str,
        *,
        channel_identities: Sequence[str] = (),
        contact_ids: Sequence[str] = (),
        channel: str | None = None,
        direction: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        source: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Message]:
        """The last message of each identity, or of each contact."""
        _check(direction, source)
        if bool(channel_identities) is bool(contact_ids):
            raise InputError("channel_identities or contact_ids: the API takes one of them, and needs one.")
        if contact_ids and source == "DISPATCH_SOURCE":
            raise InputError("contact_ids: the API looks by them in CONVERSATION_SOURCE only.")
        body = given(
            app_id=app_id,
            channel_identities=list(channel_identities) or None,
            contact_ids=list(contact_ids) or None,
            channel=channel,
            direction=direction,
            start_time=None if start is None else api_time(start),
            end_time=None if end is None else api_time(end),
            messages_source=source,
            page_size=limits.page_size(page_size, limits.MESSAGES),
        )
        return self._last(body)

    def _last(self, body: Mapping[str, Any]) -> Iterator[Message]:
        token = ""
        while True:
            said = self._api.ask("messages:fetch-last-message", body={**body, **given(page_token=token or None)})
            yield from read_each(Message, entries_of(said, "messages"))
            token, before = next_token(said), token
            if not token or token == before:
                return

    def get(self, message_id: str, *, source: str | None = None) -> Message:
        """One message."""
        _check(None, source)
        return read(Message, self._api.get("messages", message_id, query=given(messages_source=source)))

    def delete(self, message_id: str, *, source: str | None = None) -> None:
        """Delete what is kept of a message; one that was sent is not called back by that."""
        _check(None, source)
        self._api.change("DELETE", "messages", message_id, query=given(messages_source=source))

    def set_metadata(self, message_id: str, metadata: str, *, source: str | None = None) -> Message:
        """Change the metadata of a message."""
        _check(None, source)
        limits.at_most("metadata", metadata, limits.METADATA_CHARACTERS)
        said = self._api.change(
            "PATCH", "messages", message_id, body={"metadata": metadata}, query=given(messages_source=source)
        )
        return read(Message, said)

    def transcode(self, app_id: str, message: Mapping[str, Any], channels: Sequence[str]) -> dict[str, str]:
        """What channels would make of a message, by channel; nothing is sent."""
        limits.needed("channels", channels)
        body = {"app_id": app_id, "app_message": dict(message), "channels": list(channels)}
        said = self._api.ask("messages:transcode", body=body).get("transcoded_message")
        return {str(key): str(value) for key, value in said.items()} if isinstance(said, dict) else {}


def _check(direction: str | None, source: str | None) -> None:
    if direction is not None:
        limits.one_of("direction", direction, DIRECTIONS)
    if source is not None:
        limits.one_of("messages_source", source, SOURCES)
