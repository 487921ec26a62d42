"""Contacts of a project: shared by all of its apps, with their identities on channels.

Source: the schemas `Contact`, `ChannelIdentity`, `IdentityConflicts` of the API's OpenAPI document; the page
"Batch API, Contacts".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from connector.model.errors import ConnectorError, InputError, ReadFailed
from connector_sinch.conversation.resources import limits
from connector_sinch.conversation.resources.host import Host, given
from connector_sinch.conversation.resources.resource import (
    APP_SCOPED,
    ChannelIdentity,
    ChannelName,
    Resource,
    read,
    read_each,
)


class Contact(Resource):
    """A person, as the project knows them."""

    id: str = ""
    channel_identities: list[ChannelIdentity] = Field(default_factory=list)
    channel_priority: list[ChannelName] = Field(default_factory=list)
    display_name: str = ""
    email: str = ""
    external_id: str = ""
    """What another system calls this person."""
    metadata: str = ""
    language: str = ""


class IdentityConflict(Resource):
    """One identity that several contacts have."""

    identity: str = ""
    channels: list[ChannelName] = Field(default_factory=list)
    contact_ids: list[str] = Field(default_factory=list)


def identity(channel: str, value: str, app_id: str | None = None) -> dict[str, str]:
    """An identity as the API takes it. Raises `InputError`."""
    limits.needed("channel", channel)
    limits.needed("identity", value)
    if channel in APP_SCOPED and not app_id:
        raise InputError(f"identity: one of {channel} belongs to an app; say its app_id, too.")
    made = {"channel": str(channel), "identity": value}
    return {**made, "app_id": app_id} if app_id else made


def contact(
    *,
    channel_identities: Sequence[Mapping[str, str]],
    language: str = "UNSPECIFIED",
    channel_priority: Sequence[str] | None = None,
    display_name: str | None = None,
    email: str | None = None,
    external_id: str | None = None,
    metadata: str | None = None,
) -> dict[str, Any]:
    """A new contact as the API takes it. Raises `InputError`."""
    limits.needed("channel_identities", channel_identities)
    limits.needed("language", language)
    limits.at_most("metadata", metadata, limits.METADATA_CHARACTERS)
    fields = given(
        channel_priority=None if channel_priority is None else list(channel_priority),
        display_name=display_name,
        email=email,
        external_id=external_id,
        metadata=metadata,
    )
    return {"channel_identities": [dict(each) for each in channel_identities], "language": language, **fields}


class Contacts:
    """The contacts of a project. Where an app works in DISPATCH mode, it makes and reads none."""

    def __init__(self, api: Host, batches: Host) -> None:
        self._api = api
        self._batches = batches

    def list(
        self,
        *,
        external_id: str | None = None,
        channel: str | None = None,
        identity: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Contact]:
        """All, or those with an external id, or with an identity on a channel."""
        if (channel is None) != (identity is None):
            raise InputError("channel and identity: the API looks by both together.")
        if external_id is not None and channel is not None:
            raise InputError("external_id: the API looks either by it, or by channel and identity.")
        query = given(external_id=external_id, channel=channel, identity=identity)
        found = self._api.pages("contacts", entries="contacts", query=query, size=page_size, limit=limits.CONTACTS)
        return read_each(Contact, found)

    def get(self, contact_id: str) -> Contact:
        """One contact."""
        return read(Contact, self._api.get("contacts", contact_id))

    def create(self, new: Mapping[str, Any]) -> Contact:
        """Make a contact, written by `contact`."""
        return read(Contact, self._api.post("contacts", body=new))

    def update(
        self,
        contact_id: str,
        *,
        channel_identities: Sequence[Mapping[str, str]] | None = None,
        channel_priority: Sequence[str] | None = None,
        display_name: str | None = None,
        email: str | None = None,
        external_id: str | None = None,
        metadata: str | None = None,
        language: str | None = None,
    ) -> Contact:
        """Change what is given; an empty text takes it away."""
        limits.at_most("metadata", metadata, limits.METADATA_CHARACTERS)
        if channel_identities is not None:
            limits.needed("channel_identities", channel_identities)
        changes = given(
            channel_identities=None if channel_identities is None else [dict(each) for each in channel_identities],
            channel_priority=None if channel_priority is None else list(channel_priority),
            display_name=display_name,
            email=email,
            external_id=external_id,
            metadata=metadata,
            language=language,
        )
        if not changes:
            raise InputError("Nothing is to be changed: say what.")
        query = {"update_mask": list(changes)}
        return read(Contact, self._api.change("PATCH", "contacts", contact_id, body=changes, query=query))

    def add_identity(self, contact_id: str, new: Mapping[str, str]) -> Contact:
        """Add an identity, in the place of the one that the contact has on this channel (and app)."""
        before = [_plain(each) for each in self.get(contact_id).channel_identities]
        kept = [each for each in before if _where(each) != _where(new)]
        return self.update(contact_id, channel_identities=[*kept, new])

    def remove_identity(self, contact_id: str, channel: str, app_id: str | None = None) -> Contact:
        """Take the identity on a channel away; `app_id` says which, where there are several."""
        before = [_plain(each) for each in self.get(contact_id).channel_identities]
        kept = [
            each
            for each in before
            if each["channel"] != channel or (app_id is not None and each.get("app_id", "") != app_id)
        ]
        if len(kept) == len(before):
            raise InputError(f"The contact has no identity on {channel}.")
        if not kept:
            raise InputError("A contact keeps at least one identity: delete the contact instead.")
        return self.update(contact_id, channel_identities=kept)

    def delete(self, contact_id: str) -> None:
        """Delete a contact."""
        self._api.change("DELETE", "contacts", contact_id)

    def merge(self, destination_id: str, source_id: str) -> Contact:
        """Merge a contact into another one; the id of the source is gone then.

        Conversations move; identities move for channels that the destination lacks; other fields fill blanks.
        """
        if destination_id == source_id:
            raise InputError("source_id: a contact can't be merged into itself.")
        body = {"source_id": source_id, "strategy": "MERGE"}
        return read(Contact, self._api.post("contacts", f"{destination_id}:merge", body=body))

    def conflicts(self, *, page_size: int | None = None) -> Iterator[IdentityConflict]:
        """Identities that several contacts have on channels which share phone numbers."""
        found = self._api.pages(
            "contacts:identityConflicts", entries="conflicts", size=page_size, limit=limits.CONFLICTS
        )
        return read_each(IdentityConflict, found)

    def create_many(self, new: Iterable[Mapping[str, Any]]) -> Iterator[int]:
        """Make contacts by the Batch API, 1,000 a request; yields how many it has taken so far.

        They are made later, one by one; one that can't be made is silent, others are told by the trigger
        CONTACT_CREATE. Raises `ReadFailed`, which says how many were taken before.
        """
        return self._in_batches("POST", "contacts", new)

    def delete_many(self, contact_ids: Iterable[str]) -> Iterator[int]:
        """Delete contacts by the Batch API, 1,000 a request; yields how many it has taken so far."""
        return self._in_batches("DELETE", "contact_ids", contact_ids)

    def _in_batches(self, method: str, field: str, items: Iterable[Any]) -> Iterator[int]:
        taken = 0
        for piece in limits.slices(items, limits.BATCH):
            body = {field: piece}
            try:
                if method == "POST":
                    self._batches.post("contacts", body=body)
                else:
                    self._batches.change(method, "contacts", body=body)
            except ConnectorError as error:
                if not taken:
                    raise
                raise ReadFailed(f"{error} {taken:,} were taken before that.") from error
            taken += len(piece)
            yield taken


def _plain(each: ChannelIdentity) -> dict[str, str]:
    made = {"channel": str(each.channel), "identity": each.identity}
    return {**made, "app_id": each.app_id} if each.app_id else made


def _where(each: Mapping[str, str]) -> tuple[str, str]:
    return each["channel"], each.get("app_id", "")
