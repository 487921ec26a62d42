"""Where a batch stands: its state, what its messages are counted as, and how its attempts ended."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from connector.ledger import totals
from connector.ledger.tables import BatchState, Task, attempts, batches, dispatches, shapes

BUCKET = {
    BatchState.waiting: totals.WAITING,
    BatchState.sending: totals.SENDING,
    BatchState.in_doubt: totals.IN_DOUBT,
    BatchState.given_up: totals.UNKNOWN,
}
"""Where the messages of a batch are counted while they have no state of their own."""

ENDED_ACCEPTED = "accepted"
ENDED_CANCELLING = "cancelling"
"""The provider was, or is being, asked to cancel this copy."""
ENDED_CANCELLED = "cancelled"


# Statements of every batch are built once: building one costs more than running it.
_BATCH = select(batches).where(batches.c.number == bindparam("number"))
_CHANGE_BATCH = update(batches).where(batches.c.number == bindparam("of_number"))
_INTEGRATION = select(dispatches.c.integration).where(dispatches.c.number == bindparam("number"))

# A receipt may have proved it accepted before its own answer, or the lack of one, is written.
_END_ATTEMPT = update(attempts).where(
    attempts.c.batch == bindparam("of_batch"),
    attempts.c.number == bindparam("of_number"),
    attempts.c.ended.is_(None),
)
# Its answer may come after it was found, and cancelled.
_ACCEPT_ATTEMPT = update(attempts).where(
    attempts.c.batch == bindparam("of_batch"),
    attempts.c.number == bindparam("of_number"),
    attempts.c.ended.is_(None) | attempts.c.ended.not_in([ENDED_CANCELLING, ENDED_CANCELLED]),
)


_NEAREST = (
    select(batches.c.last)
    .where(
        batches.c.dispatch == bindparam("dispatch"),
        batches.c.shape == bindparam("shape"),
        batches.c.first <= bindparam("last"),
    )
    .order_by(batches.c.first.desc())
    .limit(1)
)
"""The batch of a shape that begins last up to a row."""


def batch_by_number(connection: Connection, number: int) -> Row[Any]:
    """A batch as it stands in this transaction."""
    return connection.execute(_BATCH, {"number": number}).one()


def move(connection: Connection, batch: Row[Any], state: BatchState, **columns: Any) -> None:
    """Change a batch's state, and what its messages are counted as."""
    connection.execute(_CHANGE_BATCH, {"of_number": batch.number, "state": state, **columns})
    old, new = BUCKET.get(BatchState(batch.state)), BUCKET.get(state)
    if old != new:
        deltas: Counter[str] = Counter()
        if old:
            deltas[old] -= batch.size
        if new:
            deltas[new] += batch.size
        totals.add(connection, batch.dispatch, deltas)


def end_attempt(
    connection: Connection,
    batch: Row[Any],
    attempt: int,
    ended: str,
    *,
    cause: str | None = None,
    provider_batch_id: str | None = None,
) -> None:
    """Note how an attempt ended."""
    values: dict[str, Any] = {"of_batch": batch.number, "of_number": attempt, "ended": ended, "cause": cause}
    if provider_batch_id is not None:
        values["provider_batch_id"] = provider_batch_id
    connection.execute(_ACCEPT_ATTEMPT if ended == ENDED_ACCEPTED else _END_ATTEMPT, values)


def integration_name(connection: Connection, dispatch: int) -> str | None:
    """The name of the integration of a dispatch."""
    return connection.scalar(_INTEGRATION, {"number": dispatch})


def batch_key(dispatch_id: str, ordinal: int, split: int) -> str:
    """A batch's key: unique for ever, and no secret of anybody's."""
    return f"{dispatch_id}-b{ordinal}-{split}"


_KEY = re.compile(r"([0-9a-f]{16})-b[0-9]+-[0-9]+")


def dispatch_of_key(key: str) -> str | None:
    """The id of the dispatch that a batch's key tells; None: it is no key of ours."""
    match = _KEY.fullmatch(key)
    return match.group(1) if match else None


def part_of(
    connection: Connection,
    batch: Row[Any],
    rows: Sequence[Row[Any]],
    task: Task,
    now: datetime,
    *,
    shape: int | None = None,
) -> int:
    """A new batch of some of a batch's messages, which waits; `shape` where they have another now."""
    split = 1 + (
        connection.scalar(
            select(func.max(batches.c.split)).where(
                batches.c.dispatch == batch.dispatch, batches.c.ordinal == batch.ordinal
            )
        )
        or 0
    )
    made = connection.execute(
        insert(batches).values(
            dispatch=batch.dispatch,
            ordinal=batch.ordinal,
            split=split,
            parent=batch.number,
            key=batch_key(batch.key.split("-", 1)[0], batch.ordinal, split),
            account=batch.account,
            shape=batch.shape if shape is None else shape,
            first=rows[0].ordinal,
            last=rows[-1].ordinal,
            size=len(rows),
            parts=sum(row.parts or 0 for row in rows),
            state=BatchState.waiting,
            task=task,
            due_at=now,
            attempts=0,
            look_ups=0,
            good_look_ups=0,
            held=False,
            polls=0,
            prompt=batch.prompt,
        )
    )
    totals.add(connection, batch.dispatch, {totals.WAITING: len(rows)})
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def parted_shape(
    connection: Connection, batch: Row[Any], rows: Sequence[Row[Any]], *, outside: bool | None = None
) -> int:
    """A shape like that of a batch for some of its rows, which are parted from it; with `outside`, for those without
    an open session.

    A batch is a range of rows of one shape: of what was parted before, nothing may lie in the range of these.
    """
    of_dispatch = shapes.c.dispatch == batch.dispatch
    own = connection.execute(select(shapes).where(of_dispatch, shapes.c.shape == batch.shape)).one()
    outside = outside or own.outside
    twins = connection.scalars(
        select(shapes.c.shape)
        .where(of_dispatch, shapes.c.twin_of == batch.shape, shapes.c.outside.is_not_distinct_from(outside))
        .order_by(shapes.c.shape)
    ).all()
    for twin in twins:
        nearest = connection.execute(
            _NEAREST, {"dispatch": batch.dispatch, "shape": twin, "last": rows[-1].ordinal}
        ).first()
        if nearest is None or nearest.last < rows[0].ordinal:
            return int(twin)
    made = 1 + (connection.scalar(select(func.max(shapes.c.shape)).where(of_dispatch)) or 0)
    connection.execute(
        insert(shapes).values(
            dispatch=batch.dispatch, shape=made, sender=own.sender, text=own.text, twin_of=batch.shape, outside=outside
        )
    )
    return int(made)
