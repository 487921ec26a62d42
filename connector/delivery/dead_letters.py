"""Events that a sink refused for good: kept with the platform's words, until they are sent again or given up."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from connector.extension.sink import DeadLetter
from connector.ledger import log
from connector.ledger.tables import dead_letters
from connector.model.errors import NotFound
from connector.model.event import Event, Status

LONGEST_REASON = 500
NOT_WANTED = "The settings of this sink leave it out now (statuses, integrations or campaigns): discard it."
LARGEST_NUMBER = 2**63 - 1
"""The database has no larger ones."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that a sink refused."""

    number: int
    """What `replay` and `discard` name it by."""
    sink: str
    event_id: str
    position: int
    dispatch: str | None
    status: Status
    reason: str
    """The platform's words."""
    tries: int
    refused_at: datetime
    again: bool
    """Whether it is to be tried once more."""


def keep(connection: Connection, sink: str, dead: Sequence[DeadLetter], *, now: datetime) -> None:
    """Write down what a sink refused; what it refused before has one try more."""
    for letter in dead:
        reason = letter.reason[:LONGEST_REASON]
        new = insert(dead_letters).values(
            sink=sink,
            position=letter.event.position,
            event_id=letter.event.id,
            dispatch=letter.event.dispatch,
            status=letter.event.status,
            reason=reason,
            tries=1,
            refused_at=now,
        )
        connection.execute(
            new.on_conflict_do_update(
                index_elements=["sink", "position"],
                set_={"reason": reason, "tries": dead_letters.c.tries + 1, "refused_at": now, "again": None},
            )
        )


def settle(connection: Connection, sink: str, positions: Collection[int]) -> None:
    """A sink has taken these after all."""
    some = sorted(positions)
    for start in range(0, len(some), _AT_ONCE):
        connection.execute(
            delete(dead_letters).where(
                dead_letters.c.sink == sink, dead_letters.c.position.in_(some[start : start + _AT_ONCE])
            )
        )


def leave(connection: Connection, sink: str, positions: Collection[int]) -> None:
    """A sink doesn't get these any more: they stay refused, and are not tried once more."""
    some = sorted(positions)
    for start in range(0, len(some), _AT_ONCE):
        connection.execute(
            update(dead_letters)
            .where(dead_letters.c.sink == sink, dead_letters.c.position.in_(some[start : start + _AT_ONCE]))
            .values(again=None, reason=NOT_WANTED)
        )


def due(connection: Connection, sink: str, limit: int) -> list[Event]:
    """Refused events that are to be tried once more, oldest first."""
    positions = connection.scalars(
        select(dead_letters.c.position)
        .where(dead_letters.c.sink == sink, dead_letters.c.again.is_(True))
        .order_by(dead_letters.c.position)
        .limit(limit)
    ).all()
    return [event for position in positions for event in log.read(connection, after=position - 1, limit=1)]


def listed(connection: Connection, sink: str, *, limit: int) -> list[RefusedEvent]:
    """What a sink refused, latest first."""
    rows = connection.execute(
        select(dead_letters).where(dead_letters.c.sink == sink).order_by(dead_letters.c.number.desc()).limit(limit)
    )
    return [
        RefusedEvent(
            row.number,
            row.sink,
            row.event_id,
            row.position,
            row.dispatch,
            Status(row.status),
            row.reason,
            row.tries,
            row.refused_at,
            bool(row.again),
        )
        for row in rows
    ]


def counts(connection: Connection) -> dict[str, tuple[int, int]]:
    """How many events each sink refused, and how many of them are to be tried once more."""
    rows = connection.execute(
        select(dead_letters.c.sink, func.count(), func.count(dead_letters.c.again)).group_by(dead_letters.c.sink)
    )
    return {sink: (refused, again) for sink, refused, again in rows}


def try_again(connection: Connection, sink: str, numbers: Sequence[int] | None) -> int:
    """Have refused events tried once more: those named, or all; returns how many. Raises `NotFound`."""
    return connection.execute(update(dead_letters).where(_of(connection, sink, numbers)).values(again=True)).rowcount


def discard(connection: Connection, sink: str, numbers: Sequence[int] | None) -> int:
    """Give refused events up: those named, or all; returns how many. Raises `NotFound`."""
    return connection.execute(delete(dead_letters).where(_of(connection, sink, numbers))).rowcount


def _of(connection: Connection, sink: str, numbers: Sequence[int] | None) -> ColumnElement[bool]:
    of_sink = dead_letters.c.sink == sink
    if numbers is None:
        return of_sink
    named = of_sink & dead_letters.c.number.in_([each for each in numbers if abs(each) <= LARGEST_NUMBER])
    unknown = sorted({*numbers}.difference(connection.scalars(select(dead_letters.c.number).where(named))))
    if unknown:
        events = "event with the number" if len(unknown) == 1 else "events with the numbers"
        raise NotFound(
            f"The sink {sink} has refused no {events} {', '.join(map(str, unknown))}: `connector sinks {sink}` lists "
            "what it refused. Nothing was done."
        )
    return named
