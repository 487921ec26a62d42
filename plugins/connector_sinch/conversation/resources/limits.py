"""The API's limits, checked before it is asked: an error names the field and the limit.

Source: the schemas of the API's OpenAPI document, and the pages "Batch API" and "Callbacks".
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from connector.model.errors import InputError

METADATA_CHARACTERS = 1024
"""Of a contact, a message, an event; of a conversation's own."""
CORRELATION_CHARACTERS = 128
CALLBACK_SECRET_CHARACTERS = 256
WEBHOOKS_OF_AN_APP = 5
TARGET_CHARACTERS = 742
SCOPE_CHARACTERS = 1024
"""Of the access token that a webhook's address wants."""
RETENTION_DAYS = (1, 3650)
DISPATCH_RETENTION_DAYS = (0, 7)
RETRY_SECONDS = (30, 3600)
FALLBACK_SECONDS = (10, 259_200)
BATCH = 1000
"""Contacts or consent records in one request to the Batch API."""
INJECTED_DAYS = 30
"""How old an injected message may be."""


@dataclass(frozen=True, slots=True)
class Pages:
    """How many entries one page of a list may have."""

    most: int


CONTACTS = Pages(20)
CONFLICTS = Pages(20)
CONVERSATIONS = Pages(20)
RECENT = Pages(50)
MESSAGES = Pages(1000)
EVENTS = Pages(20)
CONSENTS = Pages(50)

Item = TypeVar("Item")


def page_size(asked: int | None, pages: Pages) -> int:
    """How many entries are asked for; None: as many as there may be."""
    if asked is None:
        return pages.most
    between("page_size", asked, 1, pages.most)
    return asked


def at_most(field: str, text: str | None, characters: int) -> None:
    """Raises `InputError` where a text is too long."""
    if text is not None and len(text) > characters:
        raise InputError(f"{field} has {len(text):,} characters; the API takes up to {characters:,}.")


def between(field: str, number: int, least: int, most: int) -> None:
    """Raises `InputError` where a number is out of its range."""
    if not least <= number <= most:
        raise InputError(f"{field} is {number:,}; the API takes {least:,} to {most:,}.")


def needed(field: str, value: Collection[object] | None) -> None:
    """Raises `InputError` where something is missing or empty."""
    if not value:
        raise InputError(f"{field} is missing; the API needs it.")


def one_of(field: str, value: str, known: Sequence[str]) -> None:
    """Raises `InputError` where a word is none of those that are known."""
    if value not in known:
        raise InputError(f"{field} is {value[:40]!r}; the API knows {', '.join(known)}.")


def slices(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Items by as many as one request takes."""
    left = iter(items)
    while piece := list(islice(left, size)):
        yield piece
