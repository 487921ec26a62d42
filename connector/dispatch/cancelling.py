"""Cancelling a dispatch: what waits is never sent, and what the provider has is called back where it can be."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from connector.dispatch import doubt
from connector.dispatch.sending import Desk
from connector.ledger.database import Ledger
from connector.ledger.tables import BatchState, DispatchState, Task, batches, dispatches, refused_alone, trials
from connector.model.errors import ConnectorError, without_words
from connector.tracking import outcomes, standing

logger = logging.getLogger("connector.dispatch")

CAUSE = "Cancelled by a person."
AGAIN_AFTER = timedelta(seconds=15)
LOOK_AFTER = timedelta(seconds=5)
"""How soon the reports of what was called back are asked for."""


def cancel(ledger: Ledger, dispatch: int, *, now: datetime) -> bool:
    """End a dispatch for good; False where there is nothing to end: it has come to its end, or is being read.

    What waits is skipped. What is in doubt is looked up as ever, and what the provider took is called back by
    the worker.
    """
    with ledger.write() as connection:
        left = select(batches.c.number).where(
            batches.c.dispatch == dispatch,
            batches.c.state.in_((BatchState.waiting, BatchState.sending, BatchState.in_doubt))
            | (batches.c.task.in_((Task.poll, Task.recheck))),
        )
        open_ = select(dispatches.c.number).where(dispatches.c.number == dispatch, dispatches.c.open.is_(True))
        if connection.execute(left.limit(1)).first() is None and connection.execute(open_).first() is None:
            return False
        ended = connection.execute(
            update(dispatches)
            .where(
                dispatches.c.number == dispatch,
                dispatches.c.state.in_((DispatchState.running, DispatchState.paused, DispatchState.stopped)),
            )
            .values(state=DispatchState.cancelled, cause=CAUSE)
        ).rowcount
        if not ended:
            return False
        connection.execute(delete(trials).where(trials.c.dispatch == dispatch))
        connection.execute(delete(refused_alone).where(refused_alone.c.dispatch == dispatch))
        # What waited for a person's word on sending it again is not sent again: it is found out about once more.
        connection.execute(
            update(batches)
            .where(batches.c.dispatch == dispatch, batches.c.state == BatchState.in_doubt, batches.c.held)
            .values(held=False, task=Task.look_up, due_at=now, good_look_ups=0)
        )
        connection.execute(
            update(batches)
            .where(batches.c.dispatch == dispatch, batches.c.state == BatchState.accepted, batches.c.task == Task.poll)
            .values(task=Task.cancel, due_at=now)
        )
        # A copy that was sent again is looked up once more, and called back, now: not just before its time.
        connection.execute(
            update(batches)
            .where(
                batches.c.dispatch == dispatch, batches.c.state == BatchState.accepted, batches.c.task == Task.recheck
            )
            .values(due_at=now)
        )
    withdraw(ledger, dispatch, now=now)
    return True


def withdraw(ledger: Ledger, dispatch: int, *, now: datetime) -> None:
    """Skip whatever waits of a cancelled dispatch, one batch in a transaction."""
    while True:
        with ledger.write() as connection:
            number = connection.scalar(
                select(batches.c.number)
                .where(batches.c.dispatch == dispatch, batches.c.state == BatchState.waiting)
                .limit(1)
            )
            if number is None:
                return
            outcomes.never_sent(connection, number, now=now)


def left_over(ledger: Ledger) -> list[int]:
    """Cancelled dispatches of which something still waits: the process that cancelled them has died."""
    with ledger.read() as connection:
        return list(
            connection.scalars(
                select(dispatches.c.number)
                .join_from(dispatches, batches, batches.c.dispatch == dispatches.c.number)
                .where(dispatches.c.state == DispatchState.cancelled, batches.c.state == BatchState.waiting)
                .distinct()
            )
        )


def call_back(desk: Desk, number: int) -> None:
    """Ask the provider to cancel an accepted batch; its reports then tell whom that still helped."""
    with desk.ledger.read() as connection:
        line = desk.line_of(connection, standing.batch_by_number(connection, number).dispatch)
    if line is not None:
        doubt.identify(desk, line, number)
    with desk.ledger.read() as connection:
        batch = standing.batch_by_number(connection, number)
    if batch.state != BatchState.accepted or batch.task != Task.cancel:
        return
    now = desk.clock()
    over = now > desk.policy.period_ends(batch.accepted_at, batch.send_at)
    cancelled: bool | None = None
    if line is not None and not line.provider.supports("cancel"):
        cancelled = False
    elif line is not None and line.provider.account == batch.account and batch.provider_batch_id is not None:
        try:
            cancelled = line.provider.cancel(batch.provider_batch_id)
        except ConnectorError as error:
            logger.warning("A batch could not be cancelled at the provider, and is tried again: %s", error)
        except Exception as error:
            logger.error(
                "The plugin of %s failed while it cancelled batch %s: %s",
                line.provider.name,
                batch.key,
                without_words(error),
            )
    if cancelled is None and not over:
        values: dict[str, object] = {"due_at": desk.clock() + AGAIN_AFTER}
    else:
        values = {"task": Task.poll, "due_at": desk.clock() + LOOK_AFTER}
        if cancelled:
            values["cancelled_at"] = desk.clock()
    with desk.ledger.write() as connection:
        still = update(batches).where(batches.c.number == number, batches.c.task == Task.cancel)
        connection.execute(still.values(**values))
