"""Faults of a provider, by name, each with a probability; seeded, so that runs repeat."""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from connector.model.errors import InputError

CHANCES = {
    "unauthorized": "every request is answered 401",
    "token_expired": "an access token is refused as expired, before its time",
    "overloaded": "every request is answered 429, look-ups too",
    "throttled": "a send is answered 429 and not accepted",
    "error_before": "a send is answered 503 and not accepted",
    "error_after": "a send is accepted and answered 503",
    "drop_before": "the connection is closed without an answer, the send is not accepted",
    "drop_after": "the send is accepted, and the connection closed without an answer",
    "slow": "a send is accepted, and answered after `slow_seconds`",
    "listing_error": "a look-up is answered 503",
    "listing_truncated": "a listing leaves out the second half of its page, and counts all of it",
    "callback_lost": "a callback is never sent",
    "callback_doubled": "a callback is sent twice",
    "callback_shuffled": "a callback is overtaken by later ones",
}
"""Faults that happen by chance: the value is a probability, `0.1`, or `1x2`: the first two times."""

SECONDS = {
    "slow_seconds": ("how long a slow answer takes", 2.0),
    "listing_lag": ("seconds until a batch shows in listings", 0.0),
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


def _schema() -> dict[str, Any]:
    chance = [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": r"^[0-9.]+(x[0-9]+)?$"}]
    return {
        "type": "object",
        "properties": {
            **{name: {"description": f"{what}.", "anyOf": chance} for name, what in CHANCES.items()},
            **{
                name: {"description": f"{what}.", "type": "number", "minimum": 0, "default": default}
                for name, (what, default) in SECONDS.items()
            },
        },
        "additionalProperties": False,
    }


FaultValues = Annotated[Mapping[str, str | float], AfterValidator(_checked), WithJsonSchema(_schema())]
"""Fault to its probability or seconds, as a field of options."""
