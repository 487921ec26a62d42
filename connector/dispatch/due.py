"""What is to be sent next, and when: found without going through all that waits.

A paused dispatch, or one whose account has to wait, may have a million batches that are due. So the way goes over
the dispatches of which something waits, from each to the next, and to the first batch of each that may be sent.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, literal_column, select

from connector.ledger.tables import DispatchState, Task, accounts, batches, dispatches

# A bound value would not tell SQLite that the index of what is to be sent will do.
_TO_SEND = batches.c.task == literal_column(f"'{Task.send}'")
_DUE = _TO_SEND & (batches.c.due_at <= bindparam("now"))
_OF_DISPATCH = batches.c.dispatch == dispatches.c.number

# Statements of every batch are built once: building one costs more than running it.
_first = select(func.min(batches.c.dispatch).label("dispatch")).where(_TO_SEND).cte("waiting", recursive=True)
_next = select(func.min(batches.c.dispatch)).where(_TO_SEND, batches.c.dispatch > _first.c.dispatch)
_waiting = _first.union_all(select(_next.scalar_subquery()).where(_first.c.dispatch.is_not(None)))
_running = (dispatches.c.number == _waiting.c.dispatch) & (dispatches.c.state == DispatchState.running)
_first_due = (
    select(batches.c.number).where(_DUE, _OF_DISPATCH).order_by(batches.c.due_at, batches.c.number).limit(1)
).scalar_subquery()
_ready = (
    select(_first_due.label("number"))
    .join_from(_waiting, dispatches, _running)
    .join(accounts, accounts.c.name == dispatches.c.account)
    .where(
        dispatches.c.number.not_in(bindparam("without", expanding=True)),
        accounts.c.free_at <= bindparam("now"),
        accounts.c.probe_at.is_(None),
        accounts.c.channels_due_at.is_(None),
    )
    .cte("ready")
)
_FIRST = (
    select(batches)
    .join_from(_ready, batches, batches.c.number == _ready.c.number)
    # What is prompt goes before what is of a list.
    .order_by(func.coalesce(batches.c.prompt, False).desc(), batches.c.due_at, batches.c.number)
    .limit(1)
)
_NEXT_DUE = select(func.min(batches.c.due_at)).where(batches.c.task == Task.send, batches.c.due_at > bindparam("now"))
_NEXT_FREE = (
    select(func.min(accounts.c.free_at))
    .join_from(_waiting, dispatches, _running)
    .join(accounts, accounts.c.name == dispatches.c.account)
    .where(accounts.c.free_at > bindparam("now"), _first_due.is_not(None))
)


_DISPATCHES = (
    select(dispatches.c.number)
    .join_from(_waiting, dispatches, _running)
    .where(_first_due.is_not(None))
    .order_by(dispatches.c.number)
)


def first(connection: Connection, now: datetime, *, without: Sequence[int] = ()) -> Row[Any] | None:
    """The batch that is to be sent now: it is due, its dispatch runs, and its account takes it; None: there is none.

    `without`: the dispatches of which nothing is to be sent. What is prompt comes first, then what is due longest.
    """
    return connection.execute(_FIRST, {"now": now, "without": list(without)}).first()


def next_due(connection: Connection, now: datetime) -> datetime | None:
    """When the next batch that isn't due yet is to be sent; None: there is none."""
    at: datetime | None = connection.scalar(_NEXT_DUE, {"now": now})
    return at


def next_free(connection: Connection, now: datetime) -> datetime | None:
    """When the first account will be free for which something waits by now; None: none has to wait."""
    at: datetime | None = connection.scalar(_NEXT_FREE, {"now": now})
    return at


def of_dispatches(connection: Connection, now: datetime) -> Sequence[int]:
    """The dispatches of which something is to be sent now, or once their account takes it, oldest first."""
    return connection.scalars(_DISPATCHES, {"now": now}).all()
