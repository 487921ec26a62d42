"""How a dispatch went over time: when its messages were taken, and when they came to their end.

Everything is counted in the ledger; what is held is some hundred numbers, however many messages there are.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, func, select, type_coerce

from connector.ledger.tables import events, from_microseconds, messages
from connector.model.event import EventKind, Status

SECOND = 1_000_000
FINE_STEPS = 1000
MOST_STEPS = 60
MOST = 0.95
"""The picture ends where nearly all have come to their end: a few that took days must not squeeze the others."""
ROUND_SECONDS = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10_800, 21_600, 43_200),
)
HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class Course:
    """How many messages were taken, delivered and not delivered in each step of time, and after the last one."""

    begins_at: datetime
    step: timedelta
    taken: list[int]
    delivered: list[int]
    undelivered: list[int]
    taken_later: int
    delivered_later: int
    undelivered_later: int
    last_at: datetime
    """When the last of these happened."""

    def time_until(self, part: float) -> timedelta | None:
        """How long it took, from the beginning, until this part of what is delivered was; None: longer than shown."""
        wanted = part * (sum(self.delivered) + self.delivered_later)
        for place, reached in enumerate(accumulate(self.delivered), 1):
            if reached and reached >= wanted:
                return self.step * place
        return None


def course(connection: Connection, numbers: Sequence[int]) -> Course | None:
    """The course of some dispatches together; None: nothing was taken yet."""
    occurred = _microseconds(events.c.occurred_at)
    of_messages = events.c.dispatch.in_(numbers) & (events.c.kind == EventKind.message)
    begin = connection.scalar(select(func.min(occurred)).where(of_messages, events.c.status == Status.enqueued))
    if begin is None:
        return None
    told = (Status.enqueued, *_DELIVERED, *_UNDELIVERED)
    last = connection.scalar(select(func.max(occurred)).where(of_messages, events.c.status.in_(told))) or begin
    fine = max(SECOND, -(-(last - begin) // FINE_STEPS))
    counted = _counts(connection, numbers, begin, fine)
    shown = fine * (1 + max(_place_of_most(counts) for counts in counted.values()))
    step = _round_step(shown) * SECOND
    # A step begins where a clock would begin it.
    before = begin % min(step, HOUR_SECONDS * SECOND)
    begin -= before
    steps = -(-(before + shown) // step)
    counted = _counts(connection, numbers, begin, step)
    by_step = {name: [counts[place] for place in range(steps)] for name, counts in counted.items()}
    later = {name: counts.total() - sum(by_step[name]) for name, counts in counted.items()}
    return Course(
        begins_at=from_microseconds(begin),
        step=timedelta(microseconds=step),
        taken=by_step["taken"],
        delivered=by_step["delivered"],
        undelivered=by_step["undelivered"],
        taken_later=later["taken"],
        delivered_later=later["delivered"],
        undelivered_later=later["undelivered"],
        last_at=from_microseconds(last),
    )


_DELIVERED = (Status.delivered, Status.read)
_UNDELIVERED = (Status.rejected, Status.failed)


def _microseconds(column: ColumnElement[Any]) -> ColumnElement[int]:
    return type_coerce(column, BigInteger)


def _counts(connection: Connection, numbers: Sequence[int], begin: int, step: int) -> Mapping[str, Counter[int]]:
    """How many messages in each step; what has a time before the beginning counts as being in the first."""
    of_messages = events.c.dispatch.in_(numbers) & (events.c.kind == EventKind.message)
    taken = (
        select(_microseconds(events.c.occurred_at).label("at"), events.c.size)
        .where(of_messages, events.c.status == Status.enqueued)
        .subquery()
    )
    # What was read was delivered, too: by the first word of either.
    delivered = (
        select(func.min(_microseconds(events.c.occurred_at)).label("at"))
        .where(of_messages, events.c.status.in_(_DELIVERED))
        .group_by(events.c.dispatch, events.c.ordinal)
        .subquery()
    )
    # A message may be rejected, then failed, then delivered after all: its last state is what counts.
    undelivered = (
        select(_microseconds(events.c.occurred_at).label("at"))
        .join_from(
            events,
            messages,
            (messages.c.dispatch == events.c.dispatch)
            & (messages.c.ordinal == events.c.ordinal)
            & (messages.c.state == events.c.status),
        )
        .where(of_messages, events.c.status.in_(_UNDELIVERED))
        .subquery()
    )
    queries: dict[str, Select[int, Any]] = {
        "taken": select(_step(taken.c.at, begin, step), func.sum(taken.c.size)),
        "delivered": select(_step(delivered.c.at, begin, step), func.count()),
        "undelivered": select(_step(undelivered.c.at, begin, step), func.count()),
    }
    found = {}
    for name, query in queries.items():
        counts = found[name] = Counter[int]()
        for place, times in connection.execute(query.group_by("place")):
            counts[max(0, place)] += times
    return found


def _step(at: ColumnElement[int], begin: int, step: int) -> ColumnElement[int]:
    return ((at - begin) // step).label("place")


def _place_of_most(counts: Counter[int]) -> int:
    """The step by which nearly all have happened."""
    reached, wanted = 0, MOST * counts.total()
    for place in sorted(counts):
        reached += counts[place]
        if reached >= wanted:
            return place
    return 0


def _round_step(span: int) -> int:
    """Seconds of a step that people would choose, so that there are not too many."""
    seconds = -(-span // (SECOND * MOST_STEPS))
    whole_days = -(-seconds // DAY_SECONDS) * DAY_SECONDS
    return next((each for each in ROUND_SECONDS if each >= seconds), whole_days)
