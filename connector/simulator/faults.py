"""Faults of a provider, by name, each with a probability; seeded, so that runs repeat."""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from connector.model.errors import InputError

CHANCES = {
    "unauthorized": "any request is refused for its credentials (HTTP 401)",
    "token_expired": "an access token is refused as expired, before its time (HTTP 401)",
    "overloaded": "any request is told to wait, look-ups too (HTTP 429)",
    "throttled": "a send is told to wait, and nothing is accepted (HTTP 429)",
    "error_before": "a send fails, and nothing is accepted (HTTP 503)",
    "error_after": "a send fails, though all of it is accepted (HTTP 503)",
    "drop_before": "the connection breaks before a send is accepted",
    "drop_after": "the connection breaks after a send is accepted, before the answer",
    "slow": "a send is accepted, and answered only after `slow_seconds`",
    "listing_error": "a look-up fails (HTTP 503)",
    "listing_truncated": "a list that is looked up leaves out the second half of its page, though it counts all",
    "callback_lost": "a delivery report or a reply is never called back",
    "callback_doubled": "a delivery report or a reply is called back twice",
    "callback_shuffled": "a delivery report or a reply is overtaken by later ones",
}
"""Faults that happen by chance: the value is a probability, `0.1`, or `1x2`: the first two times."""

TO_PLATFORMS = (
    "unauthorized",
    "overloaded",
    "throttled",
    "error_before",
    "error_after",
    "drop_before",
    "drop_after",
    "slow",
)
"""Those of them that the double of a platform has: it is sent events, and has nothing to look up or call back."""

SECONDS = {
    "slow_seconds": ("how long a slow answer takes", 2.0),
    "listing_lag": ("how long a batch takes to show in lists", 0.0),
}
"""Faults that are a length of time, with their defaults."""


@dataclass(slots=True)
class _Fault:
    value: float
    """A probability, or seconds."""
    times: float
    """How often it may still happen."""
    dice: random.Random
    written: str


class Faults:
    """The faults that are set, and the dice for each."""

    def __init__(self, values: Mapping[str, str | float], seed: int) -> None:
        self._seed = seed
        self._passing: dict[str, _Fault] = {}
        self._own: dict[str, _Fault] = {}
        self._shuffling = random.Random(f"{seed}:shuffling")
        self.set(values)

    def set(self, values: Mapping[str, str | float]) -> None:
        """Replace all faults; the dice start anew. Raises `InputError` and then changes nothing."""
        self._own = self._read(values)

    def during(self, values: Mapping[str, str | float]) -> None:
        """The faults of a phase, which stand in for those of the same name until the next call.

        Those that go on unchanged keep their dice and counts. Raises `InputError`.
        """
        read = self._read(values)
        for name, fault in read.items():
            before = self._passing.get(name)
            if before is not None and before.written == fault.written:
                read[name] = before
        self._passing = read

    def happens(self, name: str) -> bool:
        """Throw the dice for one fault."""
        fault = self._passing.get(name) or self._own.get(name)
        if fault is None or not fault.times or fault.dice.random() >= fault.value:
            return False
        fault.times -= 1
        return True

    def seconds(self, name: str) -> float:
        fault = self._passing.get(name) or self._own.get(name)
        return SECONDS[name][1] if fault is None else fault.value

    def throw(self) -> float:
        """A number from 0 to 1 for a fault's own use."""
        return self._shuffling.random()

    def _read(self, values: Mapping[str, str | float]) -> dict[str, _Fault]:
        read = {}
        for name, value in values.items():
            if name in SECONDS:
                number, times = _number(name, str(value), most=math.inf), math.inf
            elif name in CHANCES:
                chance, x, count = str(value).partition("x")
                number = _number(name, chance, most=1.0)
                times = _number(name, count, most=math.inf) if x else math.inf
            else:
                raise InputError(f"There is no fault {name!r}; known are: {', '.join([*CHANCES, *SECONDS])}.")
            read[name] = _Fault(number, times, random.Random(f"{self._seed}:{name}"), str(value))
        return read


def parse(words: Iterable[str]) -> dict[str, str]:
    """Faults from `name=value` words as a command line has them. Raises `InputError`."""
    values = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"{word!r} is no fault; write name=probability, as in throttled=0.1.")
        values[name.strip()] = value.strip()
    Faults(values, seed=0)
    return values


def _number(name: str, text: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= most:
        wanted = "a probability from 0 to 1, or 1x2 for the first two times" if most == 1.0 else "a number from 0 up"
        raise InputError(f"The fault {name} is {text!r}; it takes {wanted}.")
    return number


def _checked(values: Mapping[str, str | float]) -> Mapping[str, str | float]:
    try:
        Faults(values, seed=0)
    except InputError as error:
        raise ValueError(str(error)) from None
    return values


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _schema() -> dict[str, Any]:
    counted = {"type": "string", "pattern": r"^[0-9.]+(x[0-9]+)?$", "examples": ["1x2"]}
    chance = [{"type": "number", "minimum": 0, "maximum": 1}, counted]
    return {
        "type": "object",
        "properties": {
            **{name: {"description": _sentence(what), "anyOf": chance} for name, what in CHANCES.items()},
            **{
                name: {"description": _sentence(what), "type": "number", "minimum": 0, "default": default}
                for name, (what, default) in SECONDS.items()
            },
        },
        "additionalProperties": False,
    }


FaultValues = Annotated[Mapping[str, str | float], AfterValidator(_checked), WithJsonSchema(_schema())]
"""Fault to its probability or seconds, as a field of options."""
