"""Messages from people in the simulated SMS API. Source: its page "Inbounds"."""

import random
from datetime import datetime
from typing import Any

from connector_sinch.sms.simulator_batch import stamp
from connector_sinch.sms.simulator_request import (
    CONSTRAINT,
    FORMAT,
    Checks,
    Problem,
    check_base64,
    check_hex,
    check_text,
    check_url,
    read_fields,
    read_number,
    read_object,
)
from connector_sinch.ulid import new_ulid

OWN_NUMBER = "12015550100"
"""The plan's number, where people write to who answer no number."""

TEXT, BINARY, MEDIA = "mo_text", "mo_binary", "mo_media"


class Inbounds:
    """All messages that people wrote, in the order they came."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._inbounds: dict[str, dict[str, Any]] = {}

    def newest_first(self) -> list[dict[str, Any]]:
        return list(reversed(self._inbounds.values()))

    def by_id(self, inbound_id: str) -> dict[str, Any]:
        inbound = self._inbounds.get(inbound_id)
        if inbound is None:
            raise Problem(404, "unknown_inbound", "There is no such inbound message.")
        return inbound

    def receive(
        self, written: dict[str, Any], now: datetime, *, to: str | None, client_reference: str | None
    ) -> dict[str, Any]:
        """Take a message; `to` and `client_reference` are those of the batch it answers, where it says nothing."""
        inbound = {
            "type": written["type"],
            "id": new_ulid(self._dice),
            "from": written["from"],
            "to": written.get("to") or to or OWN_NUMBER,
            "body": written["body"],
            "operator_id": "310000",
            "received_at": stamp(now),
        }
        if written["type"] == BINARY:
            inbound["udh"] = written.get("udh", "")
        if (reference := written.get("client_reference", client_reference)) is not None:
            inbound["client_reference"] = reference
        self._inbounds[inbound["id"]] = inbound
        return inbound


def read_inbound(content: dict[str, Any]) -> dict[str, Any]:
    """What somebody is to write: `from`, `body`; optional `to`, `type`, `udh`, `client_reference`, `callback_url`.

    A binary body is Base64; a media body is an object with `media`, a list of objects with `url` and `content_type`.
    Raises `Problem`.
    """
    fields = {"type": TEXT, **read_object(content)}
    checks = _CHECKS.get(fields["type"]) if isinstance(fields["type"], str) else None
    if checks is None:
        raise Problem(400, CONSTRAINT, f"The field 'type' must be one of {', '.join(_CHECKS)}.")
    read = read_fields(fields, checks, ("from", "body"))
    body = read["body"] if fields["type"] == MEDIA else fields["body"]
    return {**fields, "from": read["from"], "to": read.get("to"), "body": body}


def _plain(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Problem(400, CONSTRAINT, f"The field '{name}' must be a string.")
    return value


def _number(name: str, value: Any) -> str:
    number = read_number(value)
    if number is None:
        raise Problem(400, FORMAT, f"The format of parameter '{name}' is invalid; value '{value}' is not a number.")
    return number


def _own_number(name: str, value: Any) -> str:
    return _plain(name, value).removeprefix("+")


def _media(name: str, value: Any) -> dict[str, Any]:
    items = value.get("media", []) if isinstance(value, dict) else None
    if not isinstance(items, list) or not all(
        isinstance(item, dict) and isinstance(item.get("content_type"), str) for item in items
    ):
        raise Problem(
            400,
            CONSTRAINT,
            f"The field '{name}' must be an object; 'media' in it a list of objects with url and content_type.",
        )
    return {**value, "media": [{"status": "Uploaded", "code": 0, **item} for item in items]}


_COMMON: Checks = {
    "type": _plain,
    "from": _number,
    "to": _own_number,
    "client_reference": _plain,
    "callback_url": check_url,
}
_CHECKS: dict[str, Checks] = {
    TEXT: {**_COMMON, "body": check_text},
    BINARY: {**_COMMON, "body": check_base64, "udh": check_hex},
    MEDIA: {**_COMMON, "body": _media},
}
