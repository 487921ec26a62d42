"""What becomes of each message: a weighted mix, the same for the same seed and number, with fixed endings."""

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate

from connector.model.errors import InputError


@dataclass(frozen=True, slots=True)
class Fate:
    """A final status of the provider's, and its code."""

    status: str
    code: int

    @classmethod
    def read(cls, text: str) -> "Fate":
        """From `Failed:150`. Raises `InputError`."""
        status, colon, code = text.partition(":")
        if not (status and colon and code.isdecimal()):
            raise InputError(f"{text!r} is no outcome; write a status and a code, as in Failed:150.")
        return cls(status, int(code))


class Outcomes:
    """The fate of every number.

    `mix` gives each outcome, written `Status:code`, its weight. `endings` sets the outcome of the numbers
    that end in some digits; the longest ending that fits wins. Raises `InputError`.
    """

    def __init__(self, mix: Mapping[str, float], endings: Mapping[str, str], seed: int) -> None:
        self._fates = [Fate.read(text) for text in mix]
        self._bounds = list(accumulate(mix.values()))
        if not self._bounds or min(mix.values()) < 0 or self._bounds[-1] <= 0:
            raise InputError("The outcomes need at least one weight above 0, and none below.")
        for digits in endings:
            if not digits.isdecimal():
                raise InputError(f"{digits!r} is no ending of a phone number; write digits, as in 0199=Failed:150.")
        self._endings = sorted(
            ((digits, Fate.read(text)) for digits, text in endings.items()), key=lambda ending: -len(ending[0])
        )
        self._salt = str(seed).encode()[:16]

    def of(self, number: str) -> Fate:
        """What becomes of a message to this number, given as digits."""
        for digits, fate in self._endings:
            if number.endswith(digits):
                return fate
        drawn = int.from_bytes(blake2b(number.encode(), digest_size=7, salt=self._salt).digest(), "big") / (1 << 56)
        return self._fates[min(bisect(self._bounds, drawn * self._bounds[-1]), len(self._fates) - 1)]
