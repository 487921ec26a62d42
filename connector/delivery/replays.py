"""Parts of the log that go to a sink beside what is new: again, or as they are from before it was added."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from connector.delivery import cursors
from connector.ledger.tables import replays


@dataclass(frozen=True, slots=True)
class Replay:
    """What stands after `position`, up to `until`; `ahead` of it has been taken already."""

    number: int
    dispatch: int | None
    position: int
    until: int
    ahead: frozenset[int]


def ask(connection: Connection, sink: str, *, dispatch: int | None, after: int, until: int, now: datetime) -> None:
    """Have a part of the log go to a sink, whether it has had it or not: of one dispatch, or of all."""
    connection.execute(insert(replays).values(sink=sink, dispatch=dispatch, position=after, until=until, asked_at=now))


def first(connection: Connection, sink: str) -> Replay | None:
    """The part that goes to a sink next."""
    row = connection.execute(select(replays).where(replays.c.sink == sink).order_by(replays.c.number).limit(1)).first()
    if row is None:
        return None
    return Replay(row.number, row.dispatch, row.position, row.until, cursors.positions(row.ahead))


def advance(connection: Connection, number: int, position: int, ahead: frozenset[int]) -> None:
    """Write down how far one has come."""
    connection.execute(
        update(replays).where(replays.c.number == number).values(position=position, ahead=cursors.written(ahead))
    )


def end(connection: Connection, number: int) -> None:
    """All of one was handed over."""
    connection.execute(delete(replays).where(replays.c.number == number))
