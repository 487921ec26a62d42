"""What became of an attempt to send a batch, where it wasn't accepted; and the end of a batch that is never sent."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, update

from connector.ledger import log, totals
from connector.ledger.tables import BatchState, DispatchState, MessageState, Task, batches, dispatches, messages
from connector.model.event import EventKind, Status, StatusCodeSource
from connector.model.outcome import Refused, Scope
from connector.tracking.standing import batch_by_number, batch_key, end_attempt, integration_name, move


def doubted(connection: Connection, number: int, *, attempt: int, cause: str, now: datetime, due_at: datetime) -> None:
    """The attempt may have been accepted: the batch is in doubt, to be looked up at `due_at`."""
    batch = batch_by_number(connection, number)
    end_attempt(connection, batch, attempt, "in_doubt", cause=cause)
    if batch.state == BatchState.sending:
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


def returned(connection: Connection, number: int, *, attempt: int, ended: str, cause: str, due_at: datetime) -> None:
    """The attempt was surely not accepted: the batch waits again."""
    batch = batch_by_number(connection, number)
    end_attempt(connection, batch, attempt, ended, cause=cause)
    if batch.state == BatchState.sending:
        # A look-up starts before the first request that may have been accepted.
        first_sent_at = None if batch.doubt_since is None else batch.first_sent_at
        move(connection, batch, BatchState.waiting, task=Task.send, due_at=due_at, first_sent_at=first_sent_at)


def stopped(connection: Connection, dispatch: int, state: DispatchState, cause: str) -> None:
    """Stop or pause a running dispatch, with the cause."""
    connection.execute(
        update(dispatches)
        .where(dispatches.c.number == dispatch, dispatches.c.state == DispatchState.running)
        .values(state=state, cause=cause)
    )


def refused(connection: Connection, number: int, *, attempt: int, outcome: Refused, now: datetime) -> None:
    """The provider surely refused the batch.

    A refusal of single recipients fails those, and the rest goes again as a new batch; any other stops the
    dispatch, with nobody failed.
    """
    batch = batch_by_number(connection, number)
    places = sorted(set(outcome.recipients))
    rows = connection.execute(log.members(batch)).all()
    if outcome.scope is not Scope.recipient or not places or places[-1] >= len(rows):
        returned(connection, number, attempt=attempt, ended="refused", cause=outcome.sentence(), due_at=now)
        stopped(connection, batch.dispatch, DispatchState.stopped, outcome.sentence())
        return
    end_attempt(connection, batch, attempt, "refused", cause=outcome.sentence())
    if batch.state != BatchState.sending:
        return
    wrong = [rows[place] for place in places]
    rest = batch.size - len(wrong)
    connection.execute(
        update(messages)
        .where(messages.c.dispatch == batch.dispatch, messages.c.ordinal == bindparam("o"))
        .values(
            state=MessageState.enqueue_failed,
            status_code=outcome.status_code,
            status_code_source=StatusCodeSource.http,
        ),
        [{"o": row.ordinal} for row in wrong],
    )
    integration = integration_name(connection, batch.dispatch)
    log.append(
        connection,
        [
            {
                "kind": EventKind.message,
                "status": Status.enqueue_failed,
                "integration": integration,
                "dispatch": batch.dispatch,
                "ordinal": row.ordinal,
                "size": 1,
                "occurred_at": now,
                "recorded_at": now,
                "status_code": outcome.status_code,
                "status_code_source": StatusCodeSource.http,
                "error": outcome.error,
                "comment": outcome.comment,
            }
            for row in wrong
        ],
    )
    code = totals.code_name(Status.enqueue_failed, StatusCodeSource.http, outcome.status_code, outcome.error)
    totals.add(connection, batch.dispatch, {totals.ENQUEUE_FAILED: len(wrong), code: len(wrong)})
    move(
        connection,
        batch,
        BatchState.split if rest else BatchState.refused,
        task=None,
        due_at=None,
    )
    if rest:
        split = 1 + (
            connection.scalar(
                select(func.max(batches.c.split)).where(
                    batches.c.dispatch == batch.dispatch, batches.c.ordinal == batch.ordinal
                )
            )
            or 0
        )
        dispatch_id = batch.key.split("-", 1)[0]
        connection.execute(
            insert(batches).values(
                dispatch=batch.dispatch,
                ordinal=batch.ordinal,
                split=split,
                parent=batch.number,
                key=batch_key(dispatch_id, batch.ordinal, split),
                account=batch.account,
                shape=batch.shape,
                first=batch.first,
                last=batch.last,
                size=rest,
                parts=batch.parts - sum(row.parts or 0 for row in wrong),
                state=BatchState.waiting,
                task=Task.send,
                due_at=now,
                attempts=0,
                look_ups=0,
                good_look_ups=0,
                held=False,
                polls=0,
            )
        )
        totals.add(connection, batch.dispatch, {totals.WAITING: rest})


def expired(connection: Connection, number: int, *, now: datetime) -> None:
    """A batch whose expiry passed before it was sent: its messages are skipped."""
    batch = batch_by_number(connection, number)
    rows = connection.execute(log.members(batch)).all()
    connection.execute(
        update(messages)
        .where(messages.c.dispatch == batch.dispatch, messages.c.ordinal == bindparam("o"))
        .values(state=MessageState.withdrawn, reason="expired"),
        [{"o": row.ordinal} for row in rows],
    )
    integration = integration_name(connection, batch.dispatch)
    log.append(
        connection,
        [
            {
                "kind": EventKind.message,
                "status": Status.skipped,
                "integration": integration,
                "dispatch": batch.dispatch,
                "ordinal": row.ordinal,
                "size": 1,
                "occurred_at": now,
                "recorded_at": now,
                "comment": "expired",
            }
            for row in rows
        ],
    )
    move(connection, batch, BatchState.cancelled, task=None, due_at=None)
    totals.add(connection, batch.dispatch, {totals.SKIPPED + "expired": len(rows)})


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
