"""How far each reader of the log has come, and when one that failed is due again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select, update

from connector.extension.sink import Sink
from connector.ledger import log
from connector.ledger.tables import cursors, events

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)

BEGINNING = -1
"""The position before every event."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a reader stands: everything up to `position` was taken."""

    position: int
    failures: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class SinkState:
    """How a sink is doing."""

    name: str
    position: int
    """Of the last event that it has taken; -1: none."""
    lag: int
    """How many events it has still to take."""
    failures: int
    """How often in a row it has failed to take the next ones."""
    trouble: str | None
    """Why it failed the last time."""
    next_try: datetime | None


def declare(connection: Connection, sinks: Mapping[str, Sink]) -> None:
    """Give each sink its cursor, where the ledger doesn't know it yet: at the end of the log, or at its beginning."""
    known = set(connection.scalars(select(cursors.c.name).where(cursors.c.name.in_(sinks))))
    for name, sink in sinks.items():
        if name not in known:
            position = BEGINNING if sink.start == "beginning" else log.end(connection)
            connection.execute(insert(cursors).values(name=name, position=position, failures=0))


def read(connection: Connection, name: str) -> Cursor:
    """A sink's cursor."""
    row = connection.execute(select(cursors).where(cursors.c.name == name)).one()
    return Cursor(row.position, row.failures, row.due_at)


def advance(connection: Connection, name: str, position: int) -> None:
    """A sink has taken everything up to a position: whatever troubled it is over."""
    connection.execute(
        update(cursors).where(cursors.c.name == name).values(position=position, failures=0, due_at=None, trouble=None)
    )


def pause_after(failures: int) -> timedelta:
    """How long a sink waits that has failed so often in a row."""
    doubled: int = 2 ** min(failures - 1, 16)
    return min(LONGEST_PAUSE, FIRST_PAUSE * doubled)


def fail(connection: Connection, name: str, cursor: Cursor, trouble: str) -> None:
    """A sink failed to take what follows a position: it is due again at a later time."""
    connection.execute(
        update(cursors)
        .where(cursors.c.name == name)
        .values(position=cursor.position, failures=cursor.failures, due_at=cursor.due_at, trouble=trouble)
    )


def states(connection: Connection) -> list[SinkState]:
    """Every sink that the ledger knows."""
    return [
        SinkState(row.name, row.position, _lag(connection, row.position), row.failures, row.trouble, row.due_at)
        for row in connection.execute(select(cursors).order_by(cursors.c.name))
    ]


def _lag(connection: Connection, position: int) -> int:
    """How many events follow a position."""
    row, place = divmod(position, log.STRIDE)
    later = connection.scalar(select(func.sum(events.c.size)).where(events.c.number > row)) or 0
    size = connection.scalar(select(events.c.size).where(events.c.number == row)) or 0
    return later + max(0, size - place - 1)
