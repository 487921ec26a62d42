"""What the simulated SMS API takes in a batch request, checked as strictly as the API describes it."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from connector.http import Answer
from connector.model.parts import count_parts
from connector.simulator.service import json_answer

TEXT, BINARY, MEDIA = "mt_text", "mt_binary", "mt_media"

MAX_RECIPIENTS = 1000
MAX_CHANGED = 100
"""As many targets an update adds, or removes."""
MAX_BODY = 2000
MAX_BINARY = 140
MAX_VALUE = 160
MAX_REFERENCE = 128
MAX_CALLBACK_URL = 2048
MAX_VALIDITY = timedelta(days=3)
REPORT_KINDS = ("none", "summary", "full", "per_recipient", "per_recipient_final")

_NUMBER = re.compile(r"(?:\+|00)?([1-9]\d{6,14})")
_IGNORED_IN_NUMBERS = str.maketrans("", "", " -()")
_GROUP = re.compile(r"(?=.*[A-Z])[0-9A-Z]{26}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_SENDER_DIGITS = re.compile(r"\+?(\d{3,15})")
_SENDER_NAME = re.compile(r"(?=.*[A-Za-z])[ -~]{1,11}")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,16}")
_PARAMETER = re.compile(r"\$\{([A-Za-z0-9._-]{1,16})\}")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")

Checks = dict[str, Callable[[str, Any], Any]]
"""Field to what checks it, given its name and value, and gives what is read."""

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

    given: dict[str, Any]
    """The fields as they come back."""
    kind: str
    """`mt_text`, `mt_binary` or `mt_media`."""
    numbers: list[str]
    """The numbers in `to`."""
    groups: list[str]
    """The group IDs in `to`."""
    sender: str | None
    pieces: list[str]
    """The text cut at its parameters: literal, key, literal, ..., literal; a binary body whole."""
    parameters: dict[str, dict[str, str]]
    """Key to number, or `default`, to value."""
    delivery_report: str
    send_at: datetime | None
    expire_at: datetime
    callback_url: str | None
    client_reference: str | None
    feedback_enabled: bool
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

    def parts(self, text: str) -> int:
        """How many parts the rendered text takes; only a text is split."""
        return 1 if self.truncate or self.kind != TEXT else count_parts(text)


def read_number(value: Any) -> str | None:
    """The digits of a number with `+`, `00` or neither; None when it is none."""
    if not isinstance(value, str):
        return None
    match = _NUMBER.fullmatch(value) or _NUMBER.fullmatch(value.translate(_IGNORED_IN_NUMBERS))
    return match.group(1) if match else None


def read_time(name: str, value: Any, *, dates: bool = False) -> datetime:
    """An ISO 8601 time, or with `dates` a date; without an offset it is UTC."""
    try:
        if isinstance(value, str) and (dates or len(value) > len("2026-12-01")):
            time = datetime.fromisoformat(value)
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except ValueError:
        pass
    raise _malformed(name, value, "a valid ISO 8601 time")


def read_batch(content: Any, now: datetime) -> BatchRequest:
    """Check a request to send or replace a batch. Raises `Problem`."""
    fields = read_object(content)
    kind = fields.setdefault("type", TEXT)
    checks = _CHECKS.get(kind) if isinstance(kind, str) else None
    if checks is None:
        raise Problem(400, CONSTRAINT, f"The field 'type' must be one of {', '.join(_CHECKS)}.")
    read = read_fields(fields, checks, ("to", "body", "udh") if kind == BINARY else ("to", "body"))
    if kind == BINARY and (size := read["body"] + read["udh"]) > MAX_BINARY:
        raise Problem(
            400, CONSTRAINT, f"The fields 'body' and 'udh' must have at most {MAX_BINARY} bytes together, not {size}."
        )
    start = max(read.get("send_at") or now, now)
    expire_at = read.get("expire_at")
    if expire_at is not None and expire_at <= start:
        raise Problem(400, CONSTRAINT, "The field 'expire_at' must be after 'send_at' and in the future.")
    if expire_at is not None and expire_at > start + MAX_VALIDITY:
        raise Problem(400, CONSTRAINT, "The field 'expire_at' must be at most 3 days after 'send_at'.")
    to: Targets = read["to"]
    request = BatchRequest(
        given={**fields, "to": to.entries},
        kind=kind,
        numbers=to.numbers,
        groups=to.groups,
        sender=read.get("from"),
        pieces=[fields["body"]] if kind == BINARY else _PARAMETER.split(read["body"]),
        parameters=read.get("parameters", {}),
        delivery_report=read.get("delivery_report", "none"),
        send_at=read.get("send_at"),
        expire_at=expire_at or start + MAX_VALIDITY,
        callback_url=read.get("callback_url"),
        client_reference=read.get("client_reference"),
        feedback_enabled=read.get("feedback_enabled", False),
        max_parts=read.get("max_number_of_message_parts"),
        truncate=read.get("truncate_concat", False),
    )
    if request.sender is not None:
        request.given["from"] = request.sender
    if len(request.pieces) > 1 and any(len(request.render(number)[0]) > MAX_BODY for number in request.numbers):
        raise Problem(400, CONSTRAINT, f"The field 'body' must be at most {MAX_BODY} characters with its parameters.")
    return request


def read_update(content: Any, before: BatchRequest, now: datetime) -> BatchRequest:
    """Check a request to update a batch; the request that it makes of the one before. Raises `Problem`.

    `null` is the same as absent: it leaves the field as it was.
    """
    fields = read_object(content)
    kind = fields.pop("type", before.kind)
    if kind != before.kind:
        raise Problem(400, CONSTRAINT, f"The field 'type' must be '{before.kind}', as the batch was sent.")
    checks = {**_CHECKS[before.kind], "to_add": _targets(MAX_CHANGED), "to_remove": _targets(MAX_CHANGED)}
    del checks["to"]
    read = read_fields(fields, checks, ("udh",) if kind == BINARY else ())
    added, removed = fields.pop("to_add", None), fields.pop("to_remove", None)
    to = list(before.given["to"])
    if added is not None:
        to += [entry for entry in read["to_add"].entries if entry not in to]
    if removed is not None:
        gone = set(read["to_remove"].entries)
        to = [entry for entry in to if entry not in gone]
    return read_batch({**before.given, **fields, "to": to}, now)


def read_object(content: Any) -> dict[str, Any]:
    """The fields of a JSON object; null is the same as absent. Raises `Problem`."""
    if not isinstance(content, dict):
        raise Problem(400, CONSTRAINT, "The request must be a JSON object.")
    return {name: value for name, value in content.items() if value is not None}


def read_fields(fields: Mapping[str, Any], checks: Checks, required: Iterable[str] = ()) -> dict[str, Any]:
    """What each field's check makes of it. Raises `Problem`."""
    for name in fields:
        if name not in checks:
            raise Problem(400, CONSTRAINT, f"Unknown field '{name}'.")
    for name in required:
        if name not in fields:
            raise Problem(400, CONSTRAINT, f"The required field '{name}' is missing.")
    return {name: checks[name](name, value) for name, value in fields.items()}


def read_inner(name: str, value: Any, checks: Checks, required: str) -> dict[str, Any]:
    """The same for an object that is a field itself."""
    if not isinstance(value, dict):
        raise Problem(400, CONSTRAINT, f"The field '{name}' must be an object.")
    fields = {f"{name}.{key}": each for key, each in value.items() if each is not None}
    read = read_fields(fields, {f"{name}.{key}": check for key, check in checks.items()}, (f"{name}.{required}",))
    return {key.removeprefix(f"{name}."): each for key, each in read.items()}


def _malformed(name: str, value: Any, wanted: str) -> Problem:
    return Problem(400, FORMAT, f"The format of parameter '{name}' is invalid; value '{value}' is not {wanted}.")


class Targets(NamedTuple):
    """Whom a batch is for."""

    entries: list[str]
    """Numbers as digits, and group IDs, in their order."""
    numbers: list[str]
    groups: list[str]


def _targets(most: int) -> Callable[[str, Any], Targets]:
    def check(name: str, value: Any) -> Targets:
        entries = read_numbers(name, value, least=1, most=most, groups=True)
        if "".join(entries).isdecimal():
            return Targets(entries, entries, [])
        numbers = [entry for entry in entries if entry.isdecimal()]
        return Targets(entries, numbers, [entry for entry in entries if not entry.isdecimal()])

    return check


def read_numbers(name: str, value: Any, *, least: int, most: int, groups: bool = False) -> list[str]:
    """The digits of a list of numbers, with `groups` of group IDs too. Raises `Problem`."""
    if not isinstance(value, list):
        raise Problem(400, CONSTRAINT, f"The field '{name}' must be an array.")
    if not least <= len(value) <= most:
        raise Problem(400, CONSTRAINT, f"The field '{name}' must have {least} to {most} entries.")
    read = []
    for place, entry in enumerate(value):
        number = read_number(entry)
        if number is None:
            if not (groups and is_group_id(entry)):
                raise _malformed(
                    f"{name}[{place}]", entry, "a valid MSISDN or group ID" if groups else "a valid MSISDN"
                )
            number = entry
        read.append(number)
    return read


def is_group_id(value: Any) -> bool:
    return isinstance(value, str) and _GROUP.fullmatch(value) is not None


def _from(name: str, value: Any) -> str:
    if isinstance(value, str):
        if digits := _SENDER_DIGITS.fullmatch(value):
            return digits.group(1)
        if _SENDER_NAME.fullmatch(value):
            return value
    raise _malformed(name, value, "a valid originator")


def check_text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_BODY:
        raise Problem(400, CONSTRAINT, f"The field '{name}' must be a string of at most {MAX_BODY} characters.")
    return value


def check_base64(name: str, value: Any) -> int:
    try:
        return len(base64.b64decode(value, validate=True))
    except (TypeError, ValueError):
        raise _malformed(name, value, "valid Base64") from None


def check_hex(name: str, value: Any) -> int:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise _malformed(name, value, "a valid hexadecimal string")
    return len(value) // 2


def _media(name: str, value: Any) -> str:
    """The message of a media body; without a URL it is refused."""
    read = read_inner(name, value, {"url": check_url, "message": check_text, "subject": check_text}, "url")
    return str(read.get("message", ""))


def _parameters(name: str, value: Any) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict):
        raise Problem(400, CONSTRAINT, "The field 'parameters' must be an object.")
    parameters: dict[str, dict[str, str]] = {}
    for key, by_number in value.items():
        if not _KEY.fullmatch(key):
            raise _malformed("parameters", key, "a parameter key of 1 to 16 letters, digits, '.', '-' or '_'")
        if not isinstance(by_number, dict):
            raise Problem(400, CONSTRAINT, f"The field 'parameters.{key}' must be an object.")
        values = parameters[key] = {}
        for raw, text in by_number.items():
            number = raw if raw == "default" else read_number(raw)
            if number is None:
                raise _malformed(f"parameters.{key}", raw, "a valid MSISDN or 'default'")
            if not isinstance(text, str) or not 1 <= len(text) <= MAX_VALUE:
                raise Problem(
                    400,
                    CONSTRAINT,
                    f"The field 'parameters.{key}.{raw}' must be a string of 1 to {MAX_VALUE} characters.",
                )
            values[number] = text
    return parameters


def _any(name: str, value: Any) -> Any:
    return value


def _report(name: str, value: Any) -> str:
    if value not in REPORT_KINDS:
        raise Problem(400, CONSTRAINT, f"The field 'delivery_report' must be one of {', '.join(REPORT_KINDS)}.")
    return str(value)


def is_url(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > MAX_CALLBACK_URL or re.search(r"[^!-~]", value):
        return False
    try:
        parts = urlsplit(value)
        named = _HOST.fullmatch(parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}"))
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and named is not None


def check_url(name: str, value: Any) -> str:
    if not is_url(value):
        raise _malformed(name, value, f"a valid URL of at most {MAX_CALLBACK_URL} characters")
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


_COMMON: Checks = {
    "type": _any,
    "to": _targets(MAX_RECIPIENTS),
    "from": _from,
    "delivery_report": _report,
    "send_at": read_time,
    "expire_at": read_time,
    "callback_url": check_url,
    "client_reference": _reference,
    "feedback_enabled": _boolean,
}
_NUMBERING: Checks = {"from_ton": _whole_number(0, 6), "from_npi": _whole_number(0, 18)}
_CHECKS: dict[str, Checks] = {
    TEXT: {
        **_COMMON,
        **_NUMBERING,
        "body": check_text,
        "parameters": _parameters,
        "flash_message": _boolean,
        "truncate_concat": _boolean,
        "max_number_of_message_parts": _whole_number(1, None),
    },
    BINARY: {**_COMMON, **_NUMBERING, "body": check_base64, "udh": check_hex},
    MEDIA: {**_COMMON, "body": _media, "parameters": _parameters, "strict_validation": _boolean},
}
"""What each kind of message takes."""
