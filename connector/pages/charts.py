"""Where the lines of the pictures lie; the page draws them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from connector.pages.course import Course

WIDTH = 760
LEFT, RIGHT, TOP = 72, 12, 8
CURVE_HEIGHT, BARS_HEIGHT, GAP = 190, 56, 26
LABEL_ROOM = 40
MOST_TICKS = 5
_ROUND_SPANS = [
    *(timedelta(seconds=each) for each in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=each) for each in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=each) for each in (1, 2, 3, 6, 12)),
    *(timedelta(days=each) for each in (1, 2, 7, 14, 28)),
]


class Segment(NamedTuple):
    """A part of a bar."""

    name: str
    messages: int
    x: float
    width: float


def bar(parts: Iterable[tuple[str, int]]) -> list[Segment]:
    """Parts side by side over the whole width; a part of nothing is left out."""
    given = [(name, messages) for name, messages in parts if messages]
    whole = sum(messages for _, messages in given)
    segments, before = [], 0
    for name, messages in given:
        segments.append(Segment(name, messages, _at(before, whole), _at(messages, whole)))
        before += messages
    return segments


def _at(messages: int, whole: int) -> float:
    return round(WIDTH * messages / whole, 2)


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float
    label: str

    @property
    def anchor(self) -> str:
        """Which part of the label stands at the mark, so that it stays in the picture."""
        if self.at < LEFT + LABEL_ROOM:
            return "start"
        return "end" if self.at > WIDTH - RIGHT - LABEL_ROOM else "middle"


@dataclass(frozen=True, slots=True)
class Curve:
    """The picture of a dispatch over time: what there is so far in all above, what each step brought below."""

    taken: str
    delivered: str
    delivered_area: str
    undelivered: str
    bars: list[tuple[float, float, float, float]]
    """x, y, width and height of what was delivered in each step."""
    messages: list[Tick]
    times: list[Tick]
    most_in_a_step: int
    bars_top: float
    base: float
    """Where the curves' own axis lies."""
    height: float


def curve(course: Course) -> Curve:
    """The lines and bars of a course."""
    steps = len(course.delivered)
    per_step = (WIDTH - LEFT - RIGHT) / steps
    base = TOP + CURVE_HEIGHT
    bars_top = base + GAP
    bars_base = bars_top + BARS_HEIGHT
    ticks = _message_ticks(max(sum(course.taken), sum(course.delivered), sum(course.undelivered), 1))
    most = ticks[-1]

    def line(counts: Sequence[int]) -> list[tuple[float, float]]:
        return [
            (round(LEFT + place * per_step, 1), round(base - CURVE_HEIGHT * reached / most, 1))
            for place, reached in enumerate(accumulate(counts, initial=0))
        ]

    delivered = line(course.delivered)
    most_in_a_step = max(course.delivered)
    bars = []
    for place, times in enumerate(course.delivered):
        height = round(BARS_HEIGHT * times / most_in_a_step, 1) if times else 0.0
        bars.append((round(LEFT + place * per_step, 1), round(bars_base - height, 1), round(per_step, 1), height))
    return Curve(
        taken=_path(line(course.taken)),
        delivered=_path(delivered),
        delivered_area=_path([*delivered, (delivered[-1][0], base), (LEFT, base)]),
        undelivered=_path(line(course.undelivered)),
        bars=[each for each in bars if each[3]],
        messages=[Tick(round(base - CURVE_HEIGHT * each / most, 1), f"{each:,}") for each in ticks],
        times=_time_ticks(course.begins_at, course.step * steps),
        most_in_a_step=most_in_a_step,
        bars_top=bars_top,
        base=base,
        height=bars_base + 22,
    )


def _path(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _message_ticks(most: int) -> list[int]:
    """Round numbers from nothing to at least the most."""
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            if step * MOST_TICKS >= most:
                return list(range(0, most + step, step))
        size *= 10


def _time_ticks(begin: datetime, length: timedelta) -> list[Tick]:
    """Round times of the clock, at most some."""
    every = next((each for each in _ROUND_SPANS if each * MOST_TICKS >= length), length)
    first = begin.astimezone()
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + -(-(first - midnight) // every) * every
    ticks, day = [], None
    while at <= first + length:
        label = f"{at:%H:%M:%S}" if every < timedelta(minutes=1) else f"{at:%H:%M}"
        if day is not None and at.date() != day:
            label = f"{at:%b} {at.day}, {label}"
        day = at.date()
        ticks.append(Tick(round(LEFT + (at - first) / length * (WIDTH - LEFT - RIGHT), 1), label))
        at += every
    return ticks
