"""ULIDs, which Sinch's APIs use as ids: 26 characters of Crockford's alphabet, the time first."""

import random
import re
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID = re.compile(f"[0-7][{_ALPHABET}]{{25}}")


def new_ulid(dice: random.Random) -> str:
    """An id of this moment."""
    number = (time.time_ns() // 1_000_000) << 80 | dice.getrandbits(80)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_ulid(text: str) -> bool:
    return _ULID.fullmatch(text) is not None
