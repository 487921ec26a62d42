"""Faults of a provider, by name, each with a probability; seeded, so that runs repeat."""

import math
import random
from collections.abc import Iterable, Mapping

from connector.model.errors import InputError

CHANCES = {
    "unauthorized": "every request is answered 401",
    "throttled": "a send is answered 429 and not accepted",
    "error_before": "a send is answered 503 and not accepted",
    "error_after": "a send is accepted and answered 503",
    "drop_before": "the connection is closed without an answer, the send is not accepted",
    "drop_after": "the send is accepted, and the connection closed without an answer",
    "slow": "a send is accepted, and answered after `slow_seconds`",
    "listing_error": "a look-up is answered 503",
    "callback_lost": "a callback is never sent",
    "callback_doubled": "a callback is sent twice",
    "callback_shuffled": "a callback is overtaken by later ones",
}
"""Faults that happen by chance: the value is a probability, `0.1`, or `1x2`: the first two times."""

SECONDS = {
    "slow_seconds": ("how long a slow answer takes", 2.0),
    "listing_lag": ("seconds until a batch shows in listings", 0.0),
}
"""Faults that are a length of time."""


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


class Faults:
    """The faults that are set, and the dice for each."""

    def __init__(self, values: Mapping[str, str | float], seed: int) -> None:
        self._seed = seed
        self.set(values)

    def set(self, values: Mapping[str, str | float]) -> None:
        """Replace all faults; the dice start anew. Raises `InputError` and then changes nothing."""
        chances: dict[str, float] = {}
        times: dict[str, float] = {}
        seconds = {name: default for name, (_, default) in SECONDS.items()}
        for name, value in values.items():
            if name in SECONDS:
                seconds[name] = _number(name, str(value), most=math.inf)
            elif name in CHANCES:
                chance, x, count = str(value).partition("x")
                chances[name] = _number(name, chance, most=1.0)
                times[name] = _number(name, count, most=math.inf) if x else math.inf
            else:
                raise InputError(f"There is no fault {name!r}; known are: {', '.join([*CHANCES, *SECONDS])}.")
        self._chances, self._times, self._seconds = chances, times, seconds
        self._dice = {name: random.Random(f"{self._seed}:{name}") for name in CHANCES}

    def happens(self, name: str) -> bool:
        """Throw the dice for one fault."""
        chance = self._chances.get(name, 0.0)
        if not chance or not self._times[name] or self._dice[name].random() >= chance:
            return False
        self._times[name] -= 1
        return True

    def seconds(self, name: str) -> float:
        return self._seconds[name]

    def throw(self) -> float:
        """A number from 0 to 1 for a fault's own use."""
        return self._dice["callback_shuffled"].random()


def _number(name: str, text: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= most:
        wanted = "a probability from 0 to 1, or 1x2 for the first two times" if most == 1.0 else "a number from 0 up"
        raise InputError(f"The fault {name} is {text!r}; it takes {wanted}.")
    return number
