"""What becomes of each message: a weighted mix, the same for the same seed and number, with rules for some numbers."""

from bisect import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Annotated, Any, TypeVar

import phonenumbers
from pydantic import AfterValidator, WithJsonSchema

from connector.model.errors import InputError
from connector.model.phone import Numbers


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


class Mix:
    """One outcome, or several with their weights. Raises `InputError`."""

    def __init__(self, given: str | Mapping[str, float]) -> None:
        weights = {given: 1.0} if isinstance(given, str) else given
        self._fates = [Fate.read(text) for text in weights]
        self._bounds = list(accumulate(_weight(text, weight) for text, weight in weights.items()))
        if not self._bounds or self._bounds[-1] <= 0:
            raise InputError("The outcomes need at least one weight above 0.")
        self._whole = self._bounds[-1]
        self._last = len(self._fates) - 1

    def draw(self, drawn: float) -> Fate:
        """The outcome for a number from 0 to 1."""
        return self._fates[min(bisect(self._bounds, drawn * self._whole), self._last)]


def _weight(text: str, weight: float) -> float:
    try:
        number = float(weight)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InputError(f"The outcome {text} has the weight {weight!r}; write a number from 0 up.")
    return number


class Outcomes:
    """The fate of every number.

    `mix` gives each outcome, written `Status:code`, its weight. Rules come before it, each with one outcome or a mix
    of its own: `endings` and `beginnings` for numbers that end or begin with some digits, the longest that fits;
    then `countries`, by ISO code. Raises `InputError`.
    """

    def __init__(
        self,
        mix: Mapping[str, float],
        endings: Mapping[str, str | Mapping[str, float]],
        seed: int,
        *,
        beginnings: Mapping[str, str | Mapping[str, float]] | None = None,
        countries: Mapping[str, str | Mapping[str, float]] | None = None,
    ) -> None:
        self._mix = Mix(mix)
        self._endings = _by_digits(endings)
        self._beginnings = _by_digits(beginnings or {})
        self._countries = _by_country(countries or {})
        self._ruled = bool(self._endings or self._beginnings or self._countries)
        self._numbers = Numbers()
        self._salt = str(seed).encode()[:16]

    def of(self, number: str) -> Fate:
        """What becomes of a message to this number, given as digits."""
        drawn = int.from_bytes(blake2b(number.encode(), digest_size=7, salt=self._salt).digest(), "big") / (1 << 56)
        return (self._rule_for(number) if self._ruled else self._mix).draw(drawn)

    def _rule_for(self, number: str) -> Mix:
        for digits, mix in self._endings:
            if number.endswith(digits):
                return mix
        for digits, mix in self._beginnings:
            if number.startswith(digits):
                return mix
        return self._countries.get(self._country_of(number), self._mix) if self._countries else self._mix

    def _country_of(self, number: str) -> str:
        canonical = self._numbers.canonical(number)
        if canonical is not None:
            return canonical[1]
        # A number that can't exist, such as many of those kept for fiction: the first country of its calling code.
        for length in (1, 2, 3):
            regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(number[:length]))
            if regions:
                return str(regions[0])
        return ""


def _by_digits(rules: Mapping[str, str | Mapping[str, float]]) -> list[tuple[str, Mix]]:
    for digits in rules:
        if not (digits.isascii() and digits.isdecimal()):
            raise InputError(f"{digits!r} is no part of a phone number; write digits alone, as in 0199=Failed:150.")
    return sorted(((digits, Mix(given)) for digits, given in rules.items()), key=lambda rule: -len(rule[0]))


def _by_country(rules: Mapping[str, str | Mapping[str, float]]) -> dict[str, Mix]:
    for country in rules:
        if country not in phonenumbers.SUPPORTED_REGIONS:
            raise InputError(f"{country!r} is no country; write its ISO code, as in SE=Failed:150.")
    return {country: Mix(given) for country, given in rules.items()}


Value = TypeVar("Value")


def _checked(check: Callable[[Value], Any]) -> Callable[[Value], Value]:
    """A validator that says in our words what is wrong."""

    def validate(value: Value) -> Value:
        try:
            check(value)
        except InputError as error:
            raise ValueError(str(error)) from None
        return value

    return validate


_OUTCOME: dict[str, Any] = {
    "type": "string",
    "pattern": "^[^:]+:[0-9]+$",
    "examples": ["Failed:150"],
    "description": "A status, and the code that goes with it.",
}
_MIX: dict[str, Any] = {
    "type": "object",
    "propertyNames": _OUTCOME,
    "additionalProperties": {"type": "number", "minimum": 0},
    "minProperties": 1,
}
_RULES: dict[str, Any] = {"type": "object", "additionalProperties": {"anyOf": [_OUTCOME, _MIX]}}

OutcomeMix = Annotated[Mapping[str, float], AfterValidator(_checked(Mix)), WithJsonSchema(_MIX)]
"""Outcome, written `Status:code`, to its weight, as a field of options."""
Rules = Mapping[str, str | Mapping[str, float]]
DigitRules = Annotated[Rules, AfterValidator(_checked(_by_digits)), WithJsonSchema(_RULES)]
"""Digits to an outcome or a mix, as a field of options."""
CountryRules = Annotated[Rules, AfterValidator(_checked(_by_country)), WithJsonSchema(_RULES)]
"""ISO code of a country to an outcome or a mix, as a field of options."""
