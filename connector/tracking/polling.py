"""Asking for the reports that callbacks did not bring, and closing the waiting period."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from connector.ledger import log
from connector.ledger.receiving import backlogged
from connector.ledger.tables import BatchState, Task, WhyKept, attempts, batches, kept_reports, messages
from connector.model.batch import Batch
from connector.model.event import Status
from connector.model.report import Receipt, ReceiptKind
from connector.tracking import copies, rising, standing, track
from connector.tracking.asking import Asked, Asker


def poll(asker: Asker, batch: Batch, number: int) -> Asked:
    """Ask for the reports of an accepted batch. Raises `LedgerError`.

    Once the waiting period is over a full answer, or a provider that can't be polled, closes it: what is still
    open is unconfirmed.
    """
    provider, policy = asker.provider, asker.policy
    asked_at = asker.clock()
    asked = Asked()
    with asker.ledger.read() as connection:
        asks = provider.supports("poll") and _may_tell_more(connection, standing.batch_by_number(connection, number))
    if asks:
        asked = asker.ask(lambda: provider.poll(batch), "reports")
        if asked.left:
            return asked
    now = asker.clock()
    with asker.ledger.write() as connection:
        row = standing.batch_by_number(connection, number)
        if row.state != BatchState.accepted:
            return asked
        ends_at = policy.period_ends(row.accepted_at, row.send_at)
        # Of a batch that only a person says was accepted there may be nothing to ask for.
        may_close = asked.closes or not provider.supports("poll") or row.provider_batch_id is None
        listing_days = provider.limits.listing_days
        if listing_days is not None and now > ends_at + timedelta(days=listing_days):
            # The provider has forgotten it: nothing can be asked any more.
            may_close = True
        # Of a provider that can't be polled no report tells it: its word that it was called back is all there is.
        if row.cancelled_at is not None and not asked.messages and (asked.closes or not provider.supports("poll")):
            _called_back(connection, asker, row, now)
        # An answer from before the end doesn't tell what came until then.
        if asked_at > ends_at and may_close and not backlogged(connection, now):
            rising.unconfirmed(connection, row, now=now)
        if not (_open_messages(connection, row) or (now <= ends_at and _may_tell_more(connection, row))):
            values: dict[str, object] = {"task": None, "due_at": None}
        else:
            due_at = now + policy.poll_pause(row.polls, called_back=asker.called_back)
            if asked_at <= ends_at < due_at:
                due_at = max(now, ends_at) + timedelta(seconds=1)
            values = {"due_at": due_at}
        # What was meanwhile found to need a second look keeps its own time.
        still = update(batches).where(batches.c.number == number, batches.c.task == Task.poll)
        connection.execute(still.values(polls=row.polls + 1, **values))
    return asked


def _called_back(connection: Connection, asker: Asker, batch: Row[Any], now: datetime) -> None:
    """Of a batch that was called back the report is empty, or there is none: none of it was ever sent."""
    source, code = asker.provider.cancelled or (None, None)
    receipts = [
        Receipt(
            kind=ReceiptKind.message,
            status=Status.rejected,
            final=True,
            batch_key=batch.key,
            provider_batch_id=batch.provider_batch_id,
            recipient=row.address,
            occurred_at=batch.cancelled_at,
            status_code=code,
            status_code_source=source,
            comment="called back before it was sent",
        )
        for row in connection.execute(log.members(batch).where(messages.c.state.is_(None)))
    ]
    arrivals = [(asker.integration_id, receipt) for receipt in receipts]
    track.received(connection, arrivals, now=now, policy=asker.policy)


def _open_messages(connection: Connection, batch: Row[Any]) -> bool:
    """Whether some message of a batch has no final report."""
    query = log.members(batch).where(messages.c.state.is_(None)).limit(1)
    return connection.execute(query).first() is not None


def _may_tell_more(connection: Connection, batch: Row[Any]) -> bool:
    """Whether a poll may bring news: somebody's final report, a second copy that nobody has seen, or its reports."""
    told = (
        select(func.count())
        .where(
            kept_reports.c.why == WhyKept.double_send,
            kept_reports.c.provider_batch_id == attempts.c.provider_batch_id,
        )
        .scalar_subquery()
    )
    untold = (
        (attempts.c.ended == standing.ENDED_ACCEPTED)
        & (attempts.c.provider_batch_id != batch.provider_batch_id)
        & (told < batch.size)
    )
    more = select(attempts.c.number).where(attempts.c.batch == batch.number, copies.UNSEEN | untold).limit(1)
    return _open_messages(connection, batch) or connection.execute(more).first() is not None
