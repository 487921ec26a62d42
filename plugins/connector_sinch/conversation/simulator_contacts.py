"""Contacts of the simulated Conversation API. Source: its page "Contact"."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from connector_sinch.conversation.simulator_options import Channel
from connector_sinch.conversation.simulator_request import (
    NOT_FOUND,
    Identity,
    Metadata,
    Problem,
    Request,
    changed,
    invalid,
)
from connector_sinch.ulid import new_ulid

MAX_BULK = 1000

APP_SCOPED = ("MESSENGER", "INSTAGRAM", "LINE", "WECHAT")
"""Channels on which a person has another identity for each app."""
UNIFIED = ("SMS", "RCS", "MMS")
"""Channels that share their numbers."""


class ContactFields(Request):
    """What a request says of a contact."""

    channel_identities: Annotated[list[Identity], Field(min_length=1)] | None = None
    channel_priority: list[Channel] | None = None
    display_name: str = ""
    email: str = ""
    external_id: str = ""
    metadata: Metadata = ""
    language: Annotated[str, Field(pattern=r"^[A-Z_]{2,12}$")] = "UNSPECIFIED"
    id: Any = None
    """Read-only: a client may write back what it read."""


class NewContact(ContactFields):
    """A request to make a contact."""

    channel_identities: Annotated[list[Identity], Field(min_length=1)]
    language: Annotated[str, Field(pattern=r"^[A-Z_]{2,12}$")]


class NewContacts(Request):
    """The Batch API's request to make many."""

    contacts: Annotated[list[NewContact], Field(min_length=1, max_length=MAX_BULK)]


class ContactIds(Request):
    """The Batch API's request to delete many."""

    contact_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_BULK)]


class Merge(Request):
    source_id: str
    strategy: Literal["MERGE"] = "MERGE"


@dataclass(slots=True)
class Contact:
    id: str
    fields: ContactFields

    @property
    def identities(self) -> list[Identity]:
        return self.fields.channel_identities or []

    @property
    def priority(self) -> list[str]:
        return list(self.fields.channel_priority or dict.fromkeys(each.channel for each in self.identities))

    def as_answered(self) -> dict[str, Any]:
        fields = self.fields
        return {
            "id": self.id,
            "channel_identities": [identity.shown() for identity in self.identities],
            "channel_priority": self.priority,
            "display_name": fields.display_name or "Unknown",
            "email": fields.email,
            "external_id": fields.external_id,
            "metadata": fields.metadata,
            "language": fields.language,
        }


def _key(identity: Identity) -> tuple[str, str, str]:
    return (identity.channel, identity.identity.removeprefix("+"), identity.app_id or "")


class Contacts:
    """All contacts of the project. What names an unknown one raises `Problem`."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._contacts: dict[str, Contact] = {}
        self._by_identity: dict[tuple[str, str, str], str] = {}
        self.unified = False
        """Whether one number on several channels is one identity."""

    def newest_first(self) -> list[Contact]:
        return list(reversed(self._contacts.values()))

    def by_id(self, contact_id: str) -> Contact:
        contact = self.get(contact_id)
        if contact is None:
            raise Problem(404, NOT_FOUND, f"Contact {contact_id} was not found.")
        return contact

    def get(self, contact_id: str) -> Contact | None:
        return self._contacts.get(contact_id)

    def with_identity(self, identities: Iterable[Identity]) -> Contact | None:
        """Whose one of these identities is."""
        for identity in identities:
            if (contact_id := self._by_identity.get(_key(identity))) is not None:
                return self._contacts[contact_id]
        return None

    def create(self, request: ContactFields) -> Contact:
        for identity in request.channel_identities or ():
            self._check(identity)
            if _key(identity) in self._by_identity:
                raise Problem(400, "ALREADY_EXISTS", "A contact with one of these channel identities exists already.")
        contact = Contact(new_ulid(self._dice), request)
        self._put(contact)
        return contact

    @staticmethod
    def _check(identity: Identity) -> None:
        if identity.channel in APP_SCOPED and not identity.app_id:
            raise invalid(f"channel_identities: {identity.channel} needs an app_id.")

    def _put(self, contact: Contact) -> None:
        self._contacts[contact.id] = contact
        for identity in contact.identities:
            self._by_identity[_key(identity)] = contact.id

    def _take(self, contact: Contact) -> None:
        for identity in contact.identities:
            self._by_identity.pop(_key(identity), None)

    def update(self, contact: Contact, request: ContactFields, mask: Iterable[str]) -> None:
        fields = changed(contact.fields, request, mask)
        if not fields.channel_identities:
            raise invalid("channel_identities must not be empty.")
        for identity in fields.channel_identities:
            self._check(identity)
            if self._by_identity.get(_key(identity), contact.id) != contact.id:
                raise Problem(400, "ALREADY_EXISTS", "Another contact has one of these channel identities.")
        self._take(contact)
        contact.fields = fields
        self._put(contact)

    def delete(self, contact: Contact) -> None:
        self._take(contact)
        del self._contacts[contact.id]

    def merge(self, destination: Contact, source: Contact) -> None:
        """Identities move for channels that the destination lacks, other fields fill what is blank there."""
        if source is destination:
            raise invalid("source_id must be another contact.")
        self.delete(source)
        self._take(destination)
        had = {identity.channel for identity in destination.identities}
        moved = [identity for identity in source.identities if identity.channel not in had]
        blanks = {
            name: getattr(source.fields, name)
            for name in ("display_name", "email", "external_id", "metadata")
            if not getattr(destination.fields, name)
        }
        destination.fields = destination.fields.model_copy(
            update={
                **blanks,
                "channel_identities": [*destination.identities, *moved],
                "channel_priority": [*destination.priority, *(each.channel for each in moved)],
            }
        )
        self._put(destination)

    def conflicts(self) -> Iterator[dict[str, Any]]:
        """Numbers that several contacts have on channels which share them."""
        held: dict[str, dict[str, str]] = {}
        for (channel, identity, _), contact_id in self._by_identity.items():
            if channel in UNIFIED:
                held.setdefault(identity, {})[channel] = contact_id
        for identity, by_channel in held.items():
            contact_ids = list(dict.fromkeys(by_channel.values()))
            if len(contact_ids) > 1:
                yield {"identity": identity, "channels": sorted(by_channel), "contact_ids": contact_ids}
