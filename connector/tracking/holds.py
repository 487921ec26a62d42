"""Codes in delivery reports that concern more than one message: who is left waits until a person has mended it."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from connector.ledger import log, totals
from connector.ledger.tables import BatchState, DispatchState, Task, batches, dispatches, messages
from connector.model.event import Status
from connector.model.outcome import Scope
from connector.model.report import Receipt
from connector.tracking.outcomes import stopped
from connector.tracking.policy import Policy
from connector.tracking.standing import move, part_of, parted_shape

Told = tuple[Row[Any], int, Receipt]
"""A batch, the ordinal of one of its messages, and what was reported of it."""


def hold(connection: Connection, told: Sequence[Told]) -> None:
    """Pause the dispatches, or their countries, whose messages were rejected for all that is alike.

    What was accepted before the last `resume` tells nothing of the mend.
    """
    for batch, ordinal, receipt in told:
        dispatch = connection.execute(select(dispatches).where(dispatches.c.number == batch.dispatch)).one()
        if dispatch.state != DispatchState.running:
            continue
        if dispatch.resumed_at is not None and batch.accepted_at < dispatch.resumed_at:
            continue
        code = f"{receipt.status_code_source} {receipt.error if receipt.status_code is None else receipt.status_code}"
        if receipt.scope is Scope.country:
            country = connection.scalar(
                select(messages.c.country).where(messages.c.dispatch == batch.dispatch, messages.c.ordinal == ordinal)
            )
            paused = json.loads(dispatch.paused_countries or "{}")
            if country is None or country in paused:
                continue
            paused[country] = f"{receipt.meaning} ({code})"
            wrong = "; ".join(f"{name}: {meaning}" for name, meaning in paused.items())
            connection.execute(
                update(dispatches)
                .where(dispatches.c.number == batch.dispatch)
                .values(
                    paused_countries=json.dumps(paused),
                    cause=f"Nobody else is sent to in these countries until you resume. {wrong}",
                )
            )
        else:
            stopped(
                connection,
                batch.dispatch,
                DispatchState.paused,
                f"A delivery report says that this concerns everybody: {receipt.meaning} ({code}){_words(receipt)}",
            )


def _words(receipt: Receipt) -> str:
    return f" In the provider's words: {receipt.comment}" if receipt.comment else ""


def watch_errors(connection: Connection, dispatch: int, policy: Policy) -> None:
    """Pause a dispatch of which too many fail; once a person has resumed it, it goes on whatever comes."""
    if policy.stop_at_error_rate is None:
        return
    counts = totals.read(connection, dispatch)
    failed = sum(counts.get(state, 0) for state in (Status.rejected, Status.failed, Status.enqueue_failed))
    ended = failed + counts.get(Status.delivered, 0) + counts.get(Status.read, 0)
    if ended < policy.stop_after_messages or failed <= ended * policy.stop_at_error_rate:
        return
    connection.execute(
        update(dispatches)
        .where(
            dispatches.c.number == dispatch,
            dispatches.c.state == DispatchState.running,
            dispatches.c.resumed_at.is_(None),
        )
        .values(
            state=DispatchState.paused,
            cause=f"{failed:,} of the first {ended:,} messages failed, more than {policy.stop_at_error_rate:.0%}: look "
            f"at the error codes of the report, then resume or cancel.",
        )
    )


def set_aside(connection: Connection, batch: Row[Any], dispatch: Row[Any], now: datetime) -> bool:
    """Keep those of a batch back who are in a paused country; False: there are none, and it may be sent as it is."""
    paused = json.loads(dispatch.paused_countries)
    rows = connection.execute(log.members(batch)).all()
    held = [row for row in rows if row.country in paused]
    if not held:
        return False
    if len(held) == len(rows) or batch.doubt_since is not None:
        # What was once in doubt keeps its key, and all of its recipients.
        connection.execute(update(batches).where(batches.c.number == batch.number).values(task=Task.country))
        return True
    # A batch is a range of rows of one shape: those who are held become one of their own.
    twin = parted_shape(connection, batch, held)
    connection.execute(
        update(messages)
        .where(messages.c.dispatch == batch.dispatch, messages.c.ordinal == bindparam("o"))
        .values(shape=twin),
        [{"o": row.ordinal} for row in held],
    )
    move(connection, batch, BatchState.split, task=None, due_at=None)
    part_of(connection, batch, [row for row in rows if row.country not in paused], Task.send, now)
    part_of(connection, batch, held, Task.country, now, shape=twin)
    return True


def resume(connection: Connection, dispatch: int, *, now: datetime) -> None:
    """A person says that what paused or stopped a dispatch, or some of its countries, is mended."""
    resumed = connection.execute(
        update(dispatches)
        .where(
            dispatches.c.number == dispatch,
            dispatches.c.state.in_((DispatchState.running, DispatchState.paused, DispatchState.stopped)),
        )
        .values(state=DispatchState.running, cause=None, paused_countries=None, resumed_at=now)
    ).rowcount
    if resumed:
        connection.execute(
            update(batches).where(batches.c.dispatch == dispatch, batches.c.task == Task.country).values(task=Task.send)
        )
