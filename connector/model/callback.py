"""A callback request and its answer, free of any web framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request that reached us."""

    method: str
    path: str
    """Without the query."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """Our answer: a status and a plain sentence."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


class Verdict(StrEnum):
    """What a provider's check of a callback says of who sent it."""

    genuine = "genuine"
    """Signed or authenticated as configured."""
    stale = "stale"
    """Genuine, but signed long ago: accepted, and counted."""
    not_checked = "not_checked"
    """No secret is set: the unguessable address alone protects."""
    forged = "forged"
    """Wrong or missing signature or credentials."""
