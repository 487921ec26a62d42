"""How far each reader of the log has come, and when one that failed is due again."""

import json
import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from connector.delivery import dead_letters
from connector.extension.sink import Sink
from connector.ledger import log
from connector.ledger.tables import cursors, replays
from connector.model.errors import NotFound

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)

BEGINNING = -1
"""The position before every event."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a reader stands: everything up to `position` was taken, and what is `ahead` of it."""

    position: int
    failures: int = 0
    due_at: datetime | None = None
    ahead: frozenset[int] = frozenset()
    is_stopped: bool = False


@dataclass(frozen=True, slots=True)
class SinkState:
    """How a sink is doing."""

    name: str
    position: int
    """Of the last event before which it has taken all; -1: none."""
    lag: int
    """How many events it has still to take."""
    failures: int
    """How often in a row it has failed to take the next ones."""
    trouble: str | None
    """Why it failed the last time."""
    next_try: datetime | None
    is_stopped: bool = False
    """Whether it waits for a person: its credentials or settings were refused."""
    dead_letters: int = 0
    """How many events it refused."""
    again: int = 0
    """How many of these are to be tried once more."""
    replaying: int = 0
    """How many events of its replays it has still to take."""
    events_per_second: float | None = None
    """Of its latest work."""
    taken_at: datetime | None = None
    """When it last took something."""
    left_out: int = 0
    """How often an event was none for its platform, such as a stranger's reply: once more with each replay of it."""
    is_configured: bool = True
    """Whether the settings have it, or a host's program hands it over; else nothing goes there any more."""
    of_program: bool = False
    """Whether a host's program hands it over, so that no configuration names it."""


def declare(connection: Connection, sinks: Mapping[str, Sink], of_program: Collection[str]) -> None:
    """Give each sink its cursor, where the ledger doesn't know it yet: at the end of the log, or at its beginning.

    `of_program`: those that no configuration names, as a host's program hands them over.
    """
    known = {
        row.name: bool(row.of_program)
        for row in connection.execute(select(cursors.c.name, cursors.c.of_program).where(cursors.c.name.in_(sinks)))
    }
    for name, sink in sinks.items():
        handed_over = name in of_program
        if name not in known:
            position = BEGINNING if sink.start == "beginning" else log.end(connection)
            values = {"name": name, "position": position, "failures": 0, "of_program": handed_over}
            connection.execute(insert(cursors).values(values))
        elif known[name] != handed_over:
            connection.execute(update(cursors).where(cursors.c.name == name).values(of_program=handed_over))


def read(connection: Connection, name: str) -> Cursor:
    """A sink's cursor. Raises `NotFound` for one that was forgotten since this process began."""
    row = connection.execute(select(cursors).where(cursors.c.name == name)).first()
    if row is None:
        raise NotFound(
            f"The sink {name} was forgotten (`connector discard --forget`): this process hands it nothing any more. "
            "Where it is to begin anew, start the process again."
        )
    return Cursor(row.position, row.failures, row.due_at, positions(row.ahead), bool(row.stopped))


def positions(written: str | None) -> frozenset[int]:
    """Positions as they are written down."""
    return frozenset(json.loads(written)) if written else frozenset()


def written(ahead: Collection[int]) -> str | None:
    """Positions to write down."""
    return json.dumps(sorted(ahead), separators=(",", ":")) if ahead else None


def advance(connection: Connection, name: str, cursor: Cursor) -> None:
    """A sink has come further with what is new."""
    connection.execute(
        update(cursors).where(cursors.c.name == name).values(position=cursor.position, ahead=written(cursor.ahead))
    )


def took(connection: Connection, name: str, *, now: datetime, events_per_second: float) -> None:
    """A sink has taken something, new or once more: whatever troubled it is over."""
    connection.execute(
        update(cursors).where(cursors.c.name == name).values(taken_at=now, events_per_second=events_per_second)
    )
    be_well(connection, name)


def be_well(connection: Connection, name: str) -> None:
    """Nothing troubles a sink any more."""
    connection.execute(
        update(cursors).where(cursors.c.name == name).values(failures=0, due_at=None, trouble=None, stopped=None)
    )


def pause_after(failures: int, waits_seconds: Sequence[float] | None, jitter: random.Random) -> timedelta:
    """How long a sink waits that has failed so often in a row; `waits_seconds`: what it has in place of ours."""
    if waits_seconds:
        pause = timedelta(seconds=waits_seconds[min(failures, len(waits_seconds)) - 1])
    else:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 16))
    return pause * (0.5 + jitter.random() / 2)


def fail(connection: Connection, name: str, cursor: Cursor, trouble: str) -> None:
    """A sink failed to take what follows: it is due again at a later time, or waits for a person."""
    connection.execute(
        update(cursors)
        .where(cursors.c.name == name)
        .values(failures=cursor.failures, due_at=cursor.due_at, stopped=cursor.is_stopped or None, trouble=trouble)
    )


def leave_out(connection: Connection, name: str, count: int) -> None:
    """Count events that were none for the platform of a sink."""
    left_out = func.coalesce(cursors.c.left_out, 0) + count
    connection.execute(update(cursors).where(cursors.c.name == name).values(left_out=left_out))


def resume(connection: Connection, name: str) -> bool:
    """Let a sink try at once what it failed to take; False: the ledger doesn't know it."""
    found = connection.execute(update(cursors).where(cursors.c.name == name).values(stopped=None, due_at=None))
    return bool(found.rowcount)


def forget(connection: Connection, name: str) -> int:
    """Remove all that is kept of a sink; returns how many events it had refused."""
    connection.execute(delete(cursors).where(cursors.c.name == name))
    connection.execute(delete(replays).where(replays.c.sink == name))
    return dead_letters.discard(connection, name, None)


def states(connection: Connection, configured: Collection[str]) -> list[SinkState]:
    """Every sink that the ledger knows; `configured`: those that this process has."""
    refused = dead_letters.counts(connection)
    replaying = _replaying(connection)
    return [
        SinkState(
            name=row.name,
            position=row.position,
            lag=log.count(connection, after=row.position) - len(positions(row.ahead)),
            failures=row.failures,
            trouble=row.trouble,
            next_try=row.due_at,
            is_stopped=bool(row.stopped),
            dead_letters=refused.get(row.name, (0, 0))[0],
            again=refused.get(row.name, (0, 0))[1],
            replaying=replaying[row.name],
            events_per_second=row.events_per_second,
            taken_at=row.taken_at,
            left_out=row.left_out or 0,
            is_configured=row.name in configured or bool(row.of_program),
            of_program=bool(row.of_program),
        )
        for row in connection.execute(select(cursors).order_by(cursors.c.name))
    ]


def _replaying(connection: Connection) -> Counter[str]:
    """How many events of its replays each sink has still to take."""
    found: Counter[str] = Counter()
    for row in connection.execute(select(replays)).all():
        left = log.count(connection, after=row.position, until=row.until, dispatch=row.dispatch)
        found[row.sink] += left - len(positions(row.ahead))
    return found
