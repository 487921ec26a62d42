"""Queries and pages of the simulated Conversation API."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from connector_sinch.conversation.simulator_request import invalid

Entry = TypeVar("Entry")
Shown = Callable[[Sequence[Any]], Sequence[Any]]
"""Which entries of a page are shown."""


def read_query(query: Mapping[str, str], kinds: Mapping[str, str | tuple[str, ...]]) -> dict[str, Any]:
    """The query's values by kind: number, boolean, time, words, text, or one of some words. Raises `Problem`.

    The real API may pass over what it doesn't know; here it is refused, as it would list what wasn't asked for.
    """
    read: dict[str, Any] = {}
    for name, value in query.items():
        kind = kinds.get(name)
        if kind is None:
            raise invalid(f"{name}: there is no such parameter.")
        if isinstance(kind, tuple):
            if value not in kind:
                raise invalid(f"{name} must be one of {', '.join(kind)}.")
            read[name] = value
        elif kind == "time":
            read[name] = _time(name, value)
        elif kind == "number":
            if not (value.isascii() and value.isdecimal()):
                raise invalid(f"{name} must be a whole number.")
            read[name] = int(value)
        elif kind == "words":
            read[name] = [word.strip() for word in value.split(",") if word.strip()]
        elif kind == "boolean":
            # The official SDK for Python writes True.
            if value.lower() not in ("true", "false"):
                raise invalid(f"{name} must be true or false.")
            read[name] = value.lower() == "true"
        else:
            read[name] = value
    return read


def _time(name: str, value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise invalid(f"{name} must be a time, as in 2026-12-01T10:00:00Z.") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


PAGED: Mapping[str, str] = {"page_size": "number", "page_token": "text"}
"""What every listing with pages can be asked with."""


def page(
    key: str,
    found: Iterable[Entry],
    show: Callable[[Entry], Any],
    query: Mapping[str, Any],
    shown: Shown,
    *,
    most: int,
    size: int = 10,
) -> dict[str, Any]:
    """One page of at most `most` entries, and the token of the next. Raises `Problem`."""
    entries = list(found)
    size = query.get("page_size") or size
    if size > most:
        raise invalid(f"page_size must be at most {most}.")
    start = _start(query.get("page_token") or "")
    more = start + size < len(entries)
    return {
        key: [show(entry) for entry in shown(entries[start : start + size])],
        "next_page_token": base64.urlsafe_b64encode(f"from {start + size}".encode()).decode() if more else "",
    }


def _start(token: str) -> int:
    if not token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode("latin-1").partition(" ")
        if word == "from":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise invalid("page_token is not one of a page before.")
