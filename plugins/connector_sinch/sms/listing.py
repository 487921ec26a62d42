"""The API's lists, page by page.

Pages count from 0; `count` is of the whole list and grows while it is read, `page_size` in an answer is of that page.
Source: the SMS API's pages "Batches", "Delivery reports" and "Inbounds".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.http import Answer
from connector.model.errors import ReadFailed
from connector_sinch.sms.connection import Connection

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    body: bytes
    entries: list[dict[str, Any]]
    count: int
    """Of the whole list, as this page tells it."""


def pages(connection: Connection, name: str, query: Mapping[str, str], *, most: int) -> Iterator[Page]:
    """The pages of a list, at least one and at most `most`, until as many entries were seen as the list says it has.

    Raises `ReadFailed`.
    """
    seen = 0
    for number in range(most):
        asked = {**query, "page_size": str(PAGE_SIZE), "page": str(number)}
        page = _read(connection.reader().get(connection.path(name), asked), name)
        yield page
        seen += len(page.entries)
        if seen >= page.count or not page.entries:
            return


def _read(answer: Answer, name: str) -> Page:
    parsed = answer.json()
    if answer.status == 200 and isinstance(parsed, dict):
        entries, count = parsed.get(name), parsed.get("count")
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries) and isinstance(count, int):
            return Page(answer.body, entries, count)
    raise ReadFailed(f"The API's list of {name.replace('_', ' ')} can't be read (HTTP {answer.status}).")
