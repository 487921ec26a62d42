"""Reading the errors of Sinch's APIs.

Bodies come in several shapes, and some statuses have an empty body or none that is JSON:

    {"code": "syntax_constraint_violation", "text": "..."}               the SMS API itself
    {"timestamp": ..., "status": 400, "error": "Bad Request", ...}       the framework before it
    {"error": {"code": 400, "message": "...", "status": "...", ...}}     the Conversation API, and the SMS API's gateway
    {"code": 400, "message": "...", "status": "INVALID_REQUEST", ...}    the Conversation API's own examples
    {"type": ..., "title": "...", "detail": "..."}                       the gateway of both (RFC 9457)

Source: the SMS API's pages "Status codes" and "Errors", the legacy SDK's `BadRequestError`, the Conversation API's
OpenAPI document, and the pages "Errors, registry".
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

MAX_TEXT_CHARACTERS = 400
HIDDEN_NUMBER = "(number)"
# Fewer digits are years, counts and codes; no number with its country code is that short. Days and addresses of
# machines are no people.
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_NUMBER = re.compile(
    r"(?P<other>(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)"
    rf"|(?<![\d.]){_OCTET}(?:\.{_OCTET}){{3}}(?!\.?\d))"
    r"|(?:\(?\+|\()?(?<![\d#])\d(?:[\s.()/\u2010-\u2015-]{0,4}\d){6,}|\d{7,}"
)


@dataclass(frozen=True, slots=True)
class ApiError:
    """What an error body says; None where it doesn't."""

    code: str | None = None
    """The API's own word: `syntax_invalid_json`."""
    text: str | None = None
    """The API's sentence, as it came: it may name phone numbers."""


def read_error(body: bytes) -> ApiError:
    """Read an error body of any shape; never raises."""
    try:
        parsed: Any = from_json(body)
    except ValueError:
        return ApiError()
    if not isinstance(parsed, dict):
        return ApiError()
    inner = parsed.get("error")
    if isinstance(inner, dict):
        return ApiError(_word(inner.get("status")), _word(inner.get("message")))
    if isinstance(inner, str):
        return ApiError(None, _word(inner))
    # An older edition of the SMS API's document spells the sentence "description".
    sentences = (_word(parsed.get(name)) for name in ("text", "description", "message", "detail", "title"))
    return ApiError(_word(parsed.get("code")) or _word(parsed.get("status")), next(filter(None, sentences), None))


def without_numbers(text: str) -> str:
    """A provider's sentence with every phone number in it hidden, however it is grouped, and of bounded length."""
    hidden = _NUMBER.sub(lambda found: found["other"] or HIDDEN_NUMBER, text)
    return hidden if len(hidden) <= MAX_TEXT_CHARACTERS else hidden[: MAX_TEXT_CHARACTERS - 1] + "…"


def _word(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
