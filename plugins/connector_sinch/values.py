"""Reading single values of what Sinch's APIs call back, as editions of them write one thing in several ways."""

from datetime import UTC, datetime
from typing import Any

from connector_sinch.errors import without_numbers

_MAX_INTEGER = 2**31 - 1
_MAX_DIGITS = 20


def string(value: Any) -> str | None:
    """A text that isn't empty."""
    return value if isinstance(value, str) and value else None


def integer(value: Any) -> int | None:
    """A count or code, which came as a number or (in older editions) as a string of digits."""
    if isinstance(value, str) and len(value) <= 10 and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_INTEGER:
        return value
    return None


def phone_number(value: Any) -> str | None:
    """A phone number as digits only; None for what is none."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**_MAX_DIGITS:
        value = str(value)
    if not isinstance(value, str):
        return None
    digits = value.strip().removeprefix("+")
    return digits if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS else None


def moment(value: Any) -> datetime | None:
    """A time, to the microsecond; without an offset it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def quoted(word: str) -> str:
    """A word of a body for a sentence, without anything that could be a phone number, or long."""
    return repr(without_numbers(word[:40]))
