"""The time of day of a process, moved: forward, so that waits are over at once, and back, as clocks may jump."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import time_machine


class Clock:
    """The time of day as everything in this process reads it, simulators too; it goes on by itself."""

    def __init__(self, shift: Callable[[timedelta], None]) -> None:
        self._shift = shift

    def __call__(self) -> datetime:
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Move ahead, or back by less than nothing."""
        self._shift(timedelta(seconds=seconds))

    def advance_to(self, moment: datetime) -> None:
        """Move ahead to a moment, unless it is past."""
        self.advance(max(0.0, (moment - self()).total_seconds() + 0.001))


@contextmanager
def moving() -> Iterator[Clock]:
    """A clock that can be moved until the end of the block. What only measures time (monotonic) is left alone."""
    with time_machine.travel(datetime.now(UTC), tick=True) as coordinates:
        yield Clock(coordinates.shift)
