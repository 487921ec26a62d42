"""What becomes of each message: a weighted mix, the same for the same seed and number, with rules for some numbers."""

from bisect import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Annotated, Any, Generic, TypeVar

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


Drawn = TypeVar("Drawn")
"""What a provider's outcomes are: `Fate`, or what its own simulator reads."""
Read = Callable[[str], Drawn]
"""Reads an outcome from how it is written. Raises `InputError`."""
Rules = Mapping[str, str | Mapping[str, float]]
"""Digits, or the code of a country, to an outcome or a mix."""


class Mix(Generic[Drawn]):
    """One outcome, or several with their weights. Raises `InputError`."""

    def __init__(self, given: str | Mapping[str, float], read: Read[Drawn]) -> None:
        weights = {given: 1.0} if isinstance(given, str) else given
        self._fates = [read(text) for text in weights]
        self._bounds = list(accumulate(_weight(text, weight) for text, weight in weights.items()))
        if not self._bounds or self._bounds[-1] <= 0:
            raise InputError("The outcomes need at least one weight above 0.")
        self._whole = self._bounds[-1]
        self._last = len(self._fates) - 1

    def draw(self, drawn: float) -> Drawn:
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


class Outcomes(Generic[Drawn]):
    """The fate of every number.

    `mix` gives each outcome, written as `read` reads it, its weight. Rules come before it, each with one outcome or
    a mix of its own: `endings` and `beginnings` for numbers that end or begin with some digits, the longest that
    fits; then `countries`, by ISO code. Raises `InputError`.
    """

    def __init__(
        self,
        mix: Mapping[str, float],
        endings: Rules,
        seed: int | str,
        *,
        read: Read[Drawn],
        beginnings: Rules | None = None,
        countries: Rules | None = None,
    ) -> None:
        self._mix = Mix(mix, read)
        self._endings = _by_digits(endings, read)
        self._beginnings = _by_digits(beginnings or {}, read)
        self._countries = _by_country(countries or {}, read)
        self._ruled = bool(self._endings or self._beginnings or self._countries)
        self._numbers = Numbers()
        self._salt = str(seed).encode()[:16]

    def of(self, number: str) -> Drawn:
        """What becomes of a message to this number, given as digits."""
        drawn = int.from_bytes(blake2b(number.encode(), digest_size=7, salt=self._salt).digest(), "big") / (1 << 56)
        return (self._rule_for(number) if self._ruled else self._mix).draw(drawn)

    def _rule_for(self, number: str) -> Mix[Drawn]:
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


def _by_digits(rules: Rules, read: Read[Drawn]) -> list[tuple[str, Mix[Drawn]]]:
    for digits in rules:
        if not (digits.isascii() and digits.isdecimal()):
            raise InputError(f"{digits!r} is no part of a phone number; write digits alone, as in 0199=Failed:150.")
    return sorted(((digits, Mix(given, read)) for digits, given in rules.items()), key=lambda rule: -len(rule[0]))


def _by_country(rules: Rules, read: Read[Drawn]) -> dict[str, Mix[Drawn]]:
    for country in rules:
        if country not in phonenumbers.SUPPORTED_REGIONS:
            raise InputError(f"{country!r} is no country; write its ISO code, as in SE=Failed:150.")
    return {country: Mix(given, read) for country, given in rules.items()}


class Writing(Generic[Drawn]):
    """How a provider's outcomes are written: what goes into the annotations of fields of options."""

    def __init__(self, read: Read[Drawn], outcome: dict[str, Any]) -> None:
        """`outcome`: the JSON Schema of one."""
        mix = {
            "type": "object",
            "propertyNames": outcome,
            "additionalProperties": {"type": "number", "minimum": 0},
            "minProperties": 1,
        }
        rules = {"type": "object", "additionalProperties": {"anyOf": [outcome, mix]}}
        self.mix_check = _checked(lambda given: Mix(given, read))
        self.mix_schema = WithJsonSchema(mix)
        self.digits_check = _checked(lambda given: _by_digits(given, read))
        self.countries_check = _checked(lambda given: _by_country(given, read))
        self.rules_schema = WithJsonSchema(rules)


def _checked(check: Callable[[Any], Any]) -> AfterValidator:
    """A validator that says in our words what is wrong."""

    def validate(value: Any) -> Any:
        try:
            check(value)
        except InputError as error:
            raise ValueError(str(error)) from None
        return value

    return AfterValidator(validate)


_CODED = Writing(
    Fate.read,
    {
        "type": "string",
        "pattern": "^[^:]+:[0-9]+$",
        "examples": ["Failed:150"],
        "description": "A status, and the code that goes with it.",
    },
)

OutcomeMix = Annotated[Mapping[str, float], _CODED.mix_check, _CODED.mix_schema]
"""Outcome, written `Status:code`, to its weight, as a field of options."""
DigitRules = Annotated[Rules, _CODED.digits_check, _CODED.rules_schema]
"""Digits to an outcome or a mix, as a field of options."""
CountryRules = Annotated[Rules, _CODED.countries_check, _CODED.rules_schema]
"""ISO code of a country to an outcome or a mix, as a field of options."""
