"""Asking for the reports that callbacks did not bring, and closing the waiting period."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from connector.extension.plugins import Plugins
from connector.extension.provider import Provider
from connector.ledger import log
from connector.ledger.database import Ledger
from connector.ledger.tables import BatchState, Task, attempts, batches, messages, receivers
from connector.model.batch import Batch
from connector.model.errors import ConnectorError, without_words
from connector.tracking import rising, standing, track
from connector.tracking.policy import Policy

logger = logging.getLogger("connector.tracking")

RECEIVER_SEEN_WITHIN = timedelta(seconds=15)


def receiver_is_there(connection: Connection, now: datetime) -> bool:
    """Whether a server takes callbacks just now."""
    seen_at = connection.scalar(select(func.max(receivers.c.seen_at)))
    return seen_at is not None and seen_at >= now - RECEIVER_SEEN_WITHIN


def backlogged(connection: Connection, now: datetime) -> bool:
    """Whether callbacks that were taken are not written yet."""
    backlog = connection.scalar(
        select(func.sum(receivers.c.backlog)).where(receivers.c.seen_at >= now - RECEIVER_SEEN_WITHIN)
    )
    return bool(backlog)


def poll(
    ledger: Ledger,
    plugins: Plugins,
    provider: Provider,
    integration_id: str,
    batch: Batch,
    number: int,
    *,
    policy: Policy,
    clock: Callable[[], datetime],
    called_back: bool,
) -> None:
    """Ask for the reports of an accepted batch.

    Past the waiting period a full answer, or a provider that can't be polled, closes it: what is still open
    is unconfirmed.
    """
    answered = False
    with ledger.read() as connection:
        asks = provider.supports("poll") and _may_tell_more(connection, standing.batch_by_number(connection, number))
    if asks:
        try:
            for report in provider.poll(batch):
                receipts = plugins.map_events(provider, report)
                with ledger.write() as connection:
                    track.received(
                        connection,
                        [(integration_id, receipt) for receipt in receipts],
                        now=clock(),
                        policy=policy,
                    )
                answered = report.closes or answered
        except ConnectorError as error:
            logger.warning("Reports could not be asked for: %s", error)
        except Exception as error:
            logger.error(
                "The plugin of %s failed while it polled batch %s: %s", provider.name, batch.key, without_words(error)
            )
    now = clock()
    with ledger.write() as connection:
        row = standing.batch_by_number(connection, number)
        if row.state != BatchState.accepted:
            return
        ends_at = policy.period_ends(row.accepted_at, row.send_at)
        # Of a batch that only a person says was accepted there may be nothing to ask for.
        may_close = answered or not provider.supports("poll") or row.provider_batch_id is None
        listing_days = provider.limits.listing_days
        if listing_days is not None and now > ends_at + timedelta(days=listing_days):
            # The provider has forgotten it: nothing can be asked any more.
            may_close = True
        if now > ends_at and may_close and not backlogged(connection, now):
            rising.unconfirmed(connection, row, now=now)
        if not (_open_messages(connection, row) or (now <= ends_at and _may_tell_more(connection, row))):
            values: dict[str, object] = {"task": None, "due_at": None}
        else:
            first = policy.first_poll if called_back else policy.first_poll_alone
            pause = min(policy.longest_poll_pause, first * 2 ** min(row.polls, 16))
            due_at = now + pause
            if now < ends_at < due_at:
                due_at = ends_at + timedelta(seconds=1)
            values = {"due_at": due_at}
        # What was meanwhile found to need a second look keeps its own time.
        still = update(batches).where(batches.c.number == number, batches.c.task == Task.poll)
        connection.execute(still.values(polls=row.polls + 1, **values))


def _open_messages(connection: Connection, batch: Row[Any]) -> bool:
    """Whether some message of a batch has no final report."""
    query = log.members(batch).where(messages.c.state.is_(None)).limit(1)
    return connection.execute(query).first() is not None


def _may_tell_more(connection: Connection, batch: Row[Any]) -> bool:
    """Whether a poll may bring news: somebody's final report, or a second copy that nobody has seen yet."""
    unseen = select(attempts.c.number).where(
        attempts.c.batch == batch.number,
        attempts.c.provider_batch_id.is_(None),
        attempts.c.ended.is_(None) | (attempts.c.ended == "in_doubt"),
    )
    return _open_messages(connection, batch) or connection.execute(unseen.limit(1)).first() is not None
