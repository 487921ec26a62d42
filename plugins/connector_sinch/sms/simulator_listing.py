"""Queries and pages of the simulated SMS API."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connector.http import Answer
from connector.simulator.service import json_answer
from connector_sinch.sms.simulator_request import CONSTRAINT, FORMAT, Problem, read_time

PAGE_SIZE = 30
MAX_PAGE_SIZE = 100

LISTING = {
    "page": "number",
    "page_size": "number",
    "start_date": "time",
    "end_date": "time",
    "client_reference": "text",
}
"""What every listing can be asked with, and of which kind it is."""


def read_query(query: Mapping[str, str], kinds: Mapping[str, str]) -> dict[str, Any]:
    """The query's values by kind: number, numbers, boolean, time, words (lower case), text. Raises `Problem`.

    The real API may pass over what it doesn't know; here it is refused, as it would list what wasn't asked for.
    """
    read: dict[str, Any] = {}
    for name, value in query.items():
        kind = kinds.get(name)
        if kind is None:
            raise Problem(400, CONSTRAINT, f"Unknown parameter '{name}'.")
        if kind == "time":
            read[name] = read_time(name, value, dates=True)
        elif kind == "number":
            read[name] = _number(name, value)
        elif kind == "numbers":
            read[name] = {_number(name, word) for word in value.split(",")}
        elif kind == "words":
            read[name] = {word.strip().removeprefix("+").lower() for word in value.split(",")}
        elif kind == "boolean":
            # The official SDK for Python writes True.
            if value.lower() not in ("true", "false"):
                raise Problem(400, FORMAT, f"The parameter '{name}' must be true or false.")
            read[name] = value.lower() == "true"
        else:
            read[name] = value
    return read


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise Problem(400, FORMAT, f"The parameter '{name}' must be a whole number.")
    return int(value)


Listed = Callable[[], dict[str, Any]]
"""Shows one entry of a listing, when its page is asked for."""


def page(
    key: str, found: Sequence[Listed], query: Mapping[str, Any], shown: Callable[[Sequence[Listed]], Sequence[Listed]]
) -> Answer:
    """One page: `count` of all entries, `page` from 0, `page_size` as the number of entries on this page.

    `shown` says which entries of the page are shown.
    """
    number, size = query.get("page", 0), query.get("page_size", PAGE_SIZE)
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise Problem(400, CONSTRAINT, f"The parameter 'page_size' must be 1 to {MAX_PAGE_SIZE}.")
    entries = [show() for show in shown(found[number * size : (number + 1) * size])]
    return json_answer(200, {"count": len(found), "page": number, "page_size": len(entries), key: entries})
