"""Access tokens by OAuth2 client credentials (RFC 6749, section 4.4), with a limit on how many are asked for."""

import base64
import binascii
import hmac
import math
import random
import time
from collections.abc import Callable
from enum import Enum
from urllib.parse import parse_qsl

from connector.http import Answer
from connector.simulator.service import Call, json_answer

KEPT = 10_000
"""As many tokens are remembered, so that an old one is told from an invented one."""


class TokenState(Enum):
    """What is known of an access token."""

    valid = "valid"
    expired = "expired"
    unknown = "unknown"


class Bucket:
    """A token bucket: `size` requests at once, refilled with `per_second`."""

    def __init__(self, size: int, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._per_second = per_second
        self._clock = clock
        self._left = float(size)
        self._then = clock()

    def take(self) -> bool:
        """Take one, if there is one."""
        now = self._clock()
        self._left = min(self._size, self._left + (now - self._then) * self._per_second)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class TokenIssuer:
    """The token endpoint of one access key, and the tokens that it gave; they live `life_seconds`."""

    def __init__(
        self,
        key_id: str,
        key_secret: str,
        *,
        life_seconds: float,
        bucket: Bucket,
        seed: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = f"{key_id}:{key_secret}".encode()
        self._life_seconds = life_seconds
        self._bucket = bucket
        self._dice = random.Random(f"{seed}:tokens")
        self._clock = clock
        self._ends: dict[str, float] = {}

    def answer(self, call: Call) -> Answer:
        """Answer a request for a token."""
        if not self._bucket.take():
            return Answer(429, {}, b"")
        if not hmac.compare_digest(_basic(call.headers.get("authorization", "")), self._key):
            refused = _refused(401, "invalid_client", "The key ID or the key secret is wrong.")
            return Answer(401, {**refused.headers, "www-authenticate": "Basic"}, refused.body)
        kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            return _refused(400, "invalid_request", "The body must be application/x-www-form-urlencoded.")
        if dict(parse_qsl(call.body.decode("latin-1"))).get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "The grant_type must be client_credentials.")
        return json_answer(
            200,
            {
                "access_token": self._issue(),
                "expires_in": math.ceil(self._life_seconds),
                "scope": "",
                "token_type": "bearer",
            },
        )

    def state_of(self, token: str) -> TokenState:
        ends = self._ends.get(token)
        if ends is None:
            return TokenState.unknown
        return TokenState.valid if self._clock() < ends else TokenState.expired

    def _issue(self) -> str:
        token = f"simulated-{self._dice.getrandbits(128):032x}"
        self._ends[token] = self._clock() + self._life_seconds
        if len(self._ends) > KEPT:
            del self._ends[next(iter(self._ends))]
        return token


def _basic(authorization: str) -> bytes:
    kind, _, encoded = authorization.partition(" ")
    try:
        return base64.b64decode(encoded, validate=True) if kind.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        return b""


def _refused(status: int, error: str, description: str) -> Answer:
    return json_answer(status, {"error": error, "error_description": description})
