"""What the simulated SMS API takes in a batch request, checked as strictly as the API describes it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from connector.http import Answer
from connector.simulator.service import json_answer

MAX_RECIPIENTS = 1000
MAX_BODY = 2000
MAX_VALUE = 160
MAX_REFERENCE = 128
MAX_CALLBACK_URL = 2048
MAX_VALIDITY = timedelta(days=3)
REPORT_KINDS = ("none", "summary", "full", "per_recipient", "per_recipient_final")

_NUMBER = re.compile(r"(?:\+|00)?([1-9]\d{6,14})")
_IGNORED_IN_NUMBERS = str.maketrans("", "", " -()")
_GROUP = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_SENDER_DIGITS = re.compile(r"\+?(\d{3,15})")
_SENDER_NAME = re.compile(r"(?=.*[A-Za-z])[ -~]{1,11}")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,16}")
_PARAMETER = re.compile(r"\$\{([A-Za-z0-9._-]{1,16})\}")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")

FORMAT = "syntax_invalid_parameter_format"
CONSTRAINT = "syntax_constraint_violation"


class Problem(Exception):
    """A refusal with a body: an HTTP status, a code and a text."""

    def __init__(self, status: int, code: str, text: str) -> None:
        self.status = status
        self.code = code
        self.text = text
        super().__init__(text)

    def answer(self) -> Answer:
        return json_answer(self.status, {"code": self.code, "text": self.text})


@dataclass(slots=True)
class BatchRequest:
    """A checked batch request; numbers are digits."""

    echo: dict[str, Any]
    """The fields as they come back."""
    to: list[str]
    sender: str | None
    pieces: list[str]
    """The body cut at its parameters: literal, key, literal, ..., literal."""
    parameters: dict[str, dict[str, str]]
    """Key to number, or `default`, to value."""
    delivery_report: str
    send_at: datetime | None
    expire_at: datetime
    callback_url: str | None
    client_reference: str | None
    max_parts: int | None
    truncate: bool

    def render(self, number: str) -> tuple[str, bool]:
        """The text for one recipient, and whether every parameter had a value; a value is not expanded again."""
        if len(self.pieces) == 1:
            return self.pieces[0], True
        text, whole = list(self.pieces), True
        for place in range(1, len(text), 2):
            values = self.parameters.get(text[place], {})
            value = values.get(number)
            if value is None:
                value = values.get("default")
            if value is None:
                whole = False
                value = f"${{{text[place]}}}"
            text[place] = value
        return "".join(text), whole


def read_number(value: Any) -> str | None:
    """The digits of a number with `+`, `00` or neither; None when it is none."""
    if not isinstance(value, str):
        return None
    match = _NUMBER.fullmatch(value) or _NUMBER.fullmatch(value.translate(_IGNORED_IN_NUMBERS))
    return match.group(1) if match else None


def read_time(name: str, value: Any) -> datetime:
    """An ISO 8601 time; without an offset it is UTC."""
    try:
        if isinstance(value, str) and len(value) > len("2026-12-01"):
            time = datetime.fromisoformat(value)
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except ValueError:
        pass
    raise _format(name, value, "a valid ISO 8601 time")


def read_batch(content: Any, now: datetime) -> BatchRequest:
    """Check a batch request. Raises `Problem`."""
    if not isinstance(content, dict):
        raise Problem(400, CONSTRAINT, "The request must be a JSON object.")
    # null is the same as absent.
    fields = {name: value for name, value in content.items() if value is not None}
    for name in fields:
        if name not in _CHECKS:
            raise Problem(400, CONSTRAINT, f"Unknown field '{name}'.")
    for name in ("to", "body"):
        if name not in fields:
            raise Problem(400, CONSTRAINT, f"The required field '{name}' is missing.")
    fields.setdefault("type", "mt_text")
    read = {name: _CHECKS[name](name, value) for name, value in fields.items()}
    start = max(read.get("send_at") or now, now)
    expire_at = read.get("expire_at")
    if expire_at is not None and expire_at <= start:
        raise Problem(400, CONSTRAINT, "The field 'expire_at' must be after 'send_at' and in the future.")
    if expire_at is not None and expire_at > start + MAX_VALIDITY:
        raise Problem(400, CONSTRAINT, "The field 'expire_at' must be at most 3 days after 'send_at'.")
    request = BatchRequest(
        echo={**fields, "to": read["to"]},
        to=read["to"],
        sender=read.get("from"),
        pieces=_PARAMETER.split(read["body"]),
        parameters=read.get("parameters", {}),
        delivery_report=read.get("delivery_report", "none"),
        send_at=read.get("send_at"),
        expire_at=expire_at or start + MAX_VALIDITY,
        callback_url=read.get("callback_url"),
        client_reference=read.get("client_reference"),
        max_parts=read.get("max_number_of_message_parts"),
        truncate=read.get("truncate_concat", False),
    )
    if request.sender is not None:
        request.echo["from"] = request.sender
    if len(request.pieces) > 1 and any(len(request.render(number)[0]) > MAX_BODY for number in request.to):
        raise Problem(400, CONSTRAINT, f"The field 'body' must be at most {MAX_BODY} characters with its parameters.")
    return request


def _format(name: str, value: Any, wanted: str) -> Problem:
    return Problem(400, FORMAT, f"The format of parameter '{name}' is invalid; value '{value}' is not {wanted}.")


def _to(name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise Problem(400, CONSTRAINT, "The field 'to' must be an array.")
    if not 1 <= len(value) <= MAX_RECIPIENTS:
        raise Problem(400, CONSTRAINT, f"The field 'to' must have 1 to {MAX_RECIPIENTS} entries.")
    numbers = []
    for place, entry in enumerate(value):
        number = read_number(entry)
        if number is None:
            if isinstance(entry, str) and _GROUP.fullmatch(entry):
                raise Problem(403, "unknown_group", f"Group '{entry}' is unknown or deleted")
            raise _format(f"to[{place}]", entry, "a valid MSISDN or group ID")
        numbers.append(number)
    return numbers


def _from(name: str, value: Any) -> str:
    if isinstance(value, str):
        if digits := _SENDER_DIGITS.fullmatch(value):
            return digits.group(1)
        if _SENDER_NAME.fullmatch(value):
            return value
    raise _format(name, value, "a valid originator")


def _body(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_BODY:
        raise Problem(400, CONSTRAINT, f"The field 'body' must be a string of at most {MAX_BODY} characters.")
    return value


def _parameters(name: str, value: Any) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict):
        raise Problem(400, CONSTRAINT, "The field 'parameters' must be an object.")
    parameters: dict[str, dict[str, str]] = {}
    for key, by_number in value.items():
        if not _KEY.fullmatch(key):
            raise _format("parameters", key, "a parameter key of 1 to 16 letters, digits, '.', '-' or '_'")
        if not isinstance(by_number, dict):
            raise Problem(400, CONSTRAINT, f"The field 'parameters.{key}' must be an object.")
        values = parameters[key] = {}
        for raw, text in by_number.items():
            number = raw if raw == "default" else read_number(raw)
            if number is None:
                raise _format(f"parameters.{key}", raw, "a valid MSISDN or 'default'")
            if not isinstance(text, str) or not 1 <= len(text) <= MAX_VALUE:
                raise Problem(
                    400,
                    CONSTRAINT,
                    f"The field 'parameters.{key}.{raw}' must be a string of 1 to {MAX_VALUE} characters.",
                )
            values[number] = text
    return parameters


def _type(name: str, value: Any) -> str:
    if value != "mt_text":
        raise Problem(400, CONSTRAINT, "The field 'type' must be 'mt_text'; other types are not simulated.")
    return "mt_text"


def _report(name: str, value: Any) -> str:
    if value not in REPORT_KINDS:
        raise Problem(400, CONSTRAINT, f"The field 'delivery_report' must be one of {', '.join(REPORT_KINDS)}.")
    return str(value)


def is_callback_url(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > MAX_CALLBACK_URL or re.search(r"[^!-~]", value):
        return False
    try:
        parts = urlsplit(value)
        named = _HOST.fullmatch(parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}"))
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and named is not None


def _callback_url(name: str, value: Any) -> str:
    if not is_callback_url(value):
        raise _format(name, value, f"a valid URL of at most {MAX_CALLBACK_URL} characters")
    return str(value)


def _reference(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_REFERENCE:
        raise Problem(
            400, CONSTRAINT, f"The field 'client_reference' must be a string of at most {MAX_REFERENCE} characters."
        )
    return value


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Problem(400, CONSTRAINT, f"The field '{name}' must be true or false.")
    return value


def _whole_number(least: int, most: int | None) -> Callable[[str, Any], int]:
    def check(name: str, value: Any) -> int:
        if type(value) is not int or value < least or (most is not None and value > most):
            limit = f"{least} or more" if most is None else f"{least} to {most}"
            raise Problem(400, CONSTRAINT, f"The field '{name}' must be a whole number, {limit}.")
        return value

    return check


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "type": _type,
    "to": _to,
    "from": _from,
    "body": _body,
    "parameters": _parameters,
    "delivery_report": _report,
    "send_at": read_time,
    "expire_at": read_time,
    "callback_url": _callback_url,
    "client_reference": _reference,
    "feedback_enabled": _boolean,
    "flash_message": _boolean,
    "truncate_concat": _boolean,
    "max_number_of_message_parts": _whole_number(1, None),
    "from_ton": _whole_number(0, 6),
    "from_npi": _whole_number(0, 18),
}
