"""The copies of a batch that the provider accepted, and which of them counts."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from connector.ledger import counters, log, totals
from connector.ledger.tables import BatchState, Task, WhyKept, attempts, batches
from connector.model.event import EventKind, Status
from connector.model.report import Receipt, ReceiptKind
from connector.tracking import kept
from connector.tracking.outcomes import is_cancelled
from connector.tracking.policy import Policy
from connector.tracking.standing import (
    BUCKET,
    ENDED_ACCEPTED,
    ENDED_CANCELLED,
    ENDED_CANCELLING,
    batch_by_number,
    end_attempt,
    integration_name,
    move,
)

logger = logging.getLogger("connector.tracking")

UNSEEN = attempts.c.provider_batch_id.is_(None) & (attempts.c.ended.is_(None) | (attempts.c.ended == "in_doubt"))
"""An attempt that may have been accepted, and of which the provider has shown no copy."""

_SEND_AT = select(attempts.c.send_at).where(
    attempts.c.batch == bindparam("batch"), attempts.c.number == bindparam("number")
)


def accept(
    connection: Connection,
    number: int,
    *,
    provider_batch_id: str | None,
    attempt: int | None,
    now: datetime,
    policy: Policy,
    callbacks_expected: bool = True,
) -> Row[Any] | None:
    """Write a batch down as accepted, or one more copy of it; returns the batch where it is news."""
    batch = batch_by_number(connection, number)
    send_at = _send_at_of(connection, batch, attempt)
    if attempt is None and provider_batch_id is not None:
        attempt = _attempt_of(connection, batch, provider_batch_id)
    elif provider_batch_id is not None and batch.attempts > 1:
        _not_of_another(connection, batch, attempt, provider_batch_id)
    if attempt is not None:
        end_attempt(connection, batch, attempt, ENDED_ACCEPTED, provider_batch_id=provider_batch_id)
    if batch.state == BatchState.accepted:
        _another_copy(connection, batch, provider_batch_id, now)
        return None
    if batch.state not in BUCKET:
        logger.error("Batch %s is %s, and the provider shows it as accepted.", batch.key, batch.state)
        return None
    # Only a resend is scheduled while an older copy may yet surface.
    watched = send_at is not None and send_at > now and batch.attempts > 1
    first_poll = policy.first_poll if callbacks_expected else policy.first_poll_alone
    task, due_at = Task.poll, max(now, send_at or now) + first_poll
    if watched and send_at:
        task, due_at = Task.recheck, policy.recheck_at(send_at)
    elif is_cancelled(connection, batch.dispatch):
        task, due_at = Task.cancel, now
    move(
        connection,
        batch,
        BatchState.accepted,
        provider_batch_id=provider_batch_id,
        accepted_at=now,
        send_at=send_at,
        held=False,
        task=task,
        due_at=due_at,
    )
    totals.add(
        connection,
        batch.dispatch,
        {totals.ENQUEUED: batch.size, totals.OPEN: batch.size, totals.PARTS: batch.parts},
    )
    log.append(
        connection,
        [
            {
                "kind": EventKind.message,
                "status": Status.enqueued,
                "integration": integration_name(connection, batch.dispatch),
                "dispatch": batch.dispatch,
                "batch": batch.number,
                "size": batch.size,
                "occurred_at": now,
                "recorded_at": now,
            }
        ],
    )
    return batch


def _send_at_of(connection: Connection, batch: Row[Any], attempt: int | None) -> datetime | None:
    """When an accepted copy is sent; where it isn't known whose it is, the latest time that it may have."""
    latest: datetime | None
    if attempt is not None:
        latest = connection.scalar(_SEND_AT, {"batch": batch.number, "number": attempt})
    else:
        open_ones = attempts.c.ended.is_(None) | (attempts.c.ended == "in_doubt")
        latest = connection.scalar(
            select(func.max(attempts.c.send_at)).where(attempts.c.batch == batch.number, open_ones)
        )
    return latest


def _attempt_of(connection: Connection, batch: Row[Any], provider_batch_id: str) -> int | None:
    """The attempt of an accepted copy: the one that names it, else one without an id, else the oldest without end."""
    rows = connection.execute(
        select(attempts).where(attempts.c.batch == batch.number).order_by(attempts.c.number)
    ).all()
    for row in rows:
        if row.provider_batch_id == provider_batch_id:
            return int(row.number)
    nameless = [row for row in rows if row.provider_batch_id is None]
    candidates = [row for row in nameless if row.ended == ENDED_ACCEPTED]
    candidates += [row for row in nameless if row.ended in (None, "in_doubt")]
    return int(candidates[0].number) if candidates else None


def _not_of_another(connection: Connection, batch: Row[Any], attempt: int | None, provider_batch_id: str) -> None:
    """A copy whose receipt overtook its answer may have been taken for an older attempt's."""
    connection.execute(
        update(attempts)
        .where(
            attempts.c.batch == batch.number,
            attempts.c.number != attempt,
            attempts.c.provider_batch_id == provider_batch_id,
            attempts.c.ended == ENDED_ACCEPTED,
        )
        .values(provider_batch_id=None, ended="in_doubt")
    )


def _another_copy(connection: Connection, batch: Row[Any], provider_batch_id: str | None, now: datetime) -> None:
    """A batch that is accepted already was seen as accepted again: the copies are told apart by a look-up."""
    if provider_batch_id is None or provider_batch_id == batch.provider_batch_id:
        return
    values: dict[str, Any] = {}
    if batch.provider_batch_id is None:
        values["provider_batch_id"] = provider_batch_id
    else:
        logger.error("Batch %s was accepted twice; the copy that can be cancelled is cancelled.", batch.key)
    if batch.attempts > 1 or batch.provider_batch_id is not None:
        values |= {"task": Task.recheck, "due_at": now}
    if values:
        connection.execute(update(batches).where(batches.c.number == batch.number).values(**values))


def cancelling(connection: Connection, number: int, *, copy: str, instead: str) -> None:
    """A copy of an accepted batch is about to be cancelled: from now on the other one counts."""
    connection.execute(update(batches).where(batches.c.number == number).values(provider_batch_id=instead))
    _end_copy(connection, number, copy, ENDED_CANCELLING)


def cancel_answered(connection: Connection, number: int, *, copy: str, cancelled: bool) -> None:
    """The provider said whether it cancelled a copy."""
    _end_copy(connection, number, copy, ENDED_CANCELLED if cancelled else ENDED_ACCEPTED)


def _end_copy(connection: Connection, number: int, copy: str, ended: str) -> None:
    connection.execute(
        update(attempts)
        .where(attempts.c.batch == number, attempts.c.provider_batch_id == copy)
        .values(ended=ended, cause=None if ended == ENDED_ACCEPTED else "an older copy had been accepted")
    )


def counts(
    connection: Connection,
    integration: str,
    receipt: Receipt,
    batch: Row[Any],
    now: datetime,
    count: Counter[tuple[str, str]],
) -> tuple[Row[Any], bool]:
    """Whether a receipt speaks of the copy that counts; a second accepted copy is noted as a double send."""
    copy = receipt.provider_batch_id
    if copy is None or batch.provider_batch_id is None or copy == batch.provider_batch_id:
        return batch, True
    attempt = connection.execute(
        select(attempts).where(attempts.c.batch == batch.number, attempts.c.provider_batch_id == copy)
    ).first()
    if (
        attempt is not None
        and attempt.ended in (ENDED_CANCELLING, ENDED_CANCELLED)
        and receipt.status is Status.rejected
    ):
        _end_copy(connection, batch.number, copy, ENDED_CANCELLED)
        count[integration, "cancelled_copy"] += 1
        return batch, False
    if attempt is None:
        number = _attempt_of(connection, batch, copy)
        if number is not None:
            end_attempt(connection, batch, number, ENDED_ACCEPTED, provider_batch_id=copy)
    if batch.send_at is not None and batch.send_at > now:
        # Before its time a copy has no reports: this one counts, and the one that was thought to is cancelled.
        connection.execute(
            update(batches)
            .where(batches.c.number == batch.number)
            .values(provider_batch_id=copy, task=Task.recheck, due_at=now)
        )
        return batch_by_number(connection, batch.number), True
    if receipt.kind is ReceiptKind.batch:
        # It says of no message that it was sent twice; that two copies stand is seen by the attempts.
        count[integration, "without_event"] += 1
    else:
        kept.keep(connection, WhyKept.double_send, integration, receipt, now, batch=batch, count=count)
    return batch, False


def stand_beside(
    connection: Connection, integration: str, batch: Row[Any], others: Sequence[str], now: datetime
) -> None:
    """Other copies of a batch stand beside the one that counts, as the provider lists them: all got it twice.

    For providers that can't be asked for the reports that would tell so.
    """
    count: Counter[tuple[str, str]] = Counter()
    for copy in others:
        for row in connection.execute(log.members(batch)).all():
            receipt = Receipt(
                ReceiptKind.message,
                batch_key=batch.key,
                provider_batch_id=copy,
                recipient=row.address,
                comment="listed by the provider",
            )
            kept.keep(
                connection,
                WhyKept.double_send,
                integration,
                receipt,
                now,
                batch=batch,
                ordinal=row.ordinal,
                count=count,
            )
    for (named, name), times in count.items():
        counters.add(connection, named, name, times)
