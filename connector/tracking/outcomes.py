"""What became of an attempt to send a batch, where it wasn't accepted; and the end of a batch that is never sent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from connector.ledger import log, totals
from connector.ledger.tables import BatchState, DispatchState, MessageState, Task, dispatches, messages
from connector.model.event import EventKind, SkipReason, Status
from connector.tracking.standing import batch_by_number, end_attempt, integration_name, move


def doubted(connection: Connection, number: int, *, attempt: int, cause: str, now: datetime, due_at: datetime) -> None:
    """The attempt may have been accepted: the batch is in doubt, to be looked up at `due_at`."""
    batch = batch_by_number(connection, number)
    end_attempt(connection, batch, attempt, "in_doubt", cause=cause)
    if batch.state == BatchState.sending and batch.attempts == attempt:
        move(
            connection,
            batch,
            BatchState.in_doubt,
            task=Task.look_up,
            due_at=due_at,
            doubt_since=now,
            look_ups=0,
            good_look_ups=0,
            last_look_up=None,
        )


def returned(
    connection: Connection, number: int, *, attempt: int, ended: str, cause: str, now: datetime, due_at: datetime
) -> None:
    """The attempt was surely not accepted: the batch waits again, until `due_at`."""
    batch = batch_by_number(connection, number)
    end_attempt(connection, batch, attempt, ended, cause=cause)
    # An outcome may come so late that the batch is in doubt, or on its way again.
    if batch.state == BatchState.sending and batch.attempts == attempt:
        # A look-up starts before the first request that may have been accepted.
        first_sent_at = None if batch.doubt_since is None else batch.first_sent_at
        move(connection, batch, BatchState.waiting, task=Task.send, due_at=due_at, first_sent_at=first_sent_at)
        if is_cancelled(connection, batch.dispatch):
            never_sent(connection, number, now=now)


def stopped(connection: Connection, dispatch: int, state: DispatchState, cause: str) -> None:
    """Stop or pause a running dispatch, with the cause."""
    connection.execute(
        update(dispatches)
        .where(dispatches.c.number == dispatch, dispatches.c.state == DispatchState.running)
        .values(state=state, cause=cause)
    )


def withdrawn(connection: Connection, number: int, reason: SkipReason, *, now: datetime) -> None:
    """A batch that is surely not sent any more: its messages are skipped, for this reason."""
    batch = batch_by_number(connection, number)
    skip(connection, batch.dispatch, connection.execute(log.members(batch)).all(), reason, now=now)
    move(connection, batch, BatchState.cancelled, task=None, due_at=None)


def skip(connection: Connection, dispatch: int, rows: Sequence[Row[Any]], reason: SkipReason, *, now: datetime) -> None:
    """Messages of a batch that waits are not sent any more, for this reason; the batch is left to the caller."""
    connection.execute(
        update(messages)
        .where(messages.c.dispatch == dispatch, messages.c.ordinal == bindparam("o"))
        .values(state=MessageState.withdrawn, reason=reason.value),
        [{"o": row.ordinal} for row in rows],
    )
    integration = integration_name(connection, dispatch)
    log.append(
        connection,
        [
            {
                "kind": EventKind.message,
                "status": Status.skipped,
                "integration": integration,
                "dispatch": dispatch,
                "ordinal": row.ordinal,
                "size": 1,
                "occurred_at": now,
                "recorded_at": now,
                "comment": reason.value,
            }
            for row in rows
        ],
    )
    totals.add(connection, dispatch, {totals.SKIPPED + reason: len(rows)})


def never_sent(connection: Connection, number: int, *, now: datetime) -> None:
    """A batch that waits is not sent any more, as its dispatch was cancelled."""
    batch = batch_by_number(connection, number)
    if batch.doubt_since is None:
        withdrawn(connection, number, SkipReason.cancelled, now=now)
    else:
        # It was about to be sent again: an early copy may still surface.
        move(connection, batch, BatchState.in_doubt, task=Task.look_up, due_at=now, good_look_ups=0)


def is_cancelled(connection: Connection, dispatch: int) -> bool:
    """Whether a person ended a dispatch."""
    return connection.scalar(_STATE, {"number": dispatch}) == DispatchState.cancelled


# Asked for every batch: built once, as building it costs more than running it.
_STATE = select(dispatches.c.state).where(dispatches.c.number == bindparam("number"))


def given_up(connection: Connection, number: int, *, now: datetime) -> None:
    """A person gave up finding out what became of a batch: its messages are unknown."""
    batch = batch_by_number(connection, number)
    move(connection, batch, BatchState.given_up, task=None, due_at=None)
    log.append(
        connection,
        [
            {
                "kind": EventKind.message,
                "status": Status.unknown,
                "integration": integration_name(connection, batch.dispatch),
                "dispatch": batch.dispatch,
                "batch": batch.number,
                "size": batch.size,
                "occurred_at": now,
                "recorded_at": now,
                "comment": "given up by a person",
            }
        ],
    )
