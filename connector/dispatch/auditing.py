"""Comparing with the provider's own list of what it accepted, batch by batch."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from connector.dispatch.sending import Line
from connector.ledger.database import Ledger
from connector.ledger.tables import BatchState, attempts, batches, dispatches
from connector.model.outcome import Listed
from connector.tracking.standing import ENDED_ACCEPTED, ENDED_CANCELLING, dispatch_of_key

LAG = timedelta(minutes=2)
"""How long after it was accepted a batch may be missing in the provider's list."""
MARGIN = timedelta(hours=1)
"""How far within its retention the list is relied on, as clocks differ."""
LONGEST = timedelta(days=3650)


def audit(ledger: Ledger, lines: Iterable[Line], *, now: datetime) -> dict[str, list[str]]:
    """What the providers' lists and the ledger don't agree on: dispatch id (or account) to sentences.

    Each account is asked once. Raises `ReadFailed`.
    """
    found: dict[str, list[str]] = {}
    asked: set[str] = set()
    for line in lines:
        account = line.provider.account
        if account in asked:
            continue
        asked.add(account)
        if not line.provider.supports("accepted"):
            found.setdefault(account, []).append(f"{line.provider.title} can't list what it accepted")
            continue
        days = line.provider.limits.listing_days
        since = now - (LONGEST if days is None else timedelta(days=days)) + MARGIN
        listed = list(line.provider.accepted(since))
        with ledger.read() as connection:
            for name, sentence in _differences(connection, account, listed, since, now):
                found.setdefault(name, []).append(sentence)
    return found


def _differences(
    connection: Connection, account: str, listed: list[Listed], since: datetime, now: datetime
) -> Iterable[tuple[str, str]]:
    by_key: dict[str, list[str]] = {}
    cancelled: set[str] = set()
    for entry in listed:
        if entry.cancelled:
            cancelled.add(entry.provider_batch_id)
        elif entry.batch_key is not None:
            by_key.setdefault(entry.batch_key, []).append(entry.provider_batch_id)
    ours = connection.execute(
        select(batches, dispatches.c.id.label("dispatch_id"))
        .join_from(batches, dispatches, batches.c.dispatch == dispatches.c.number)
        .where(batches.c.account == account, batches.c.first_sent_at >= since)
    ).all()
    copies: dict[int, list[str]] = {}
    for row in connection.execute(
        select(attempts.c.batch, attempts.c.provider_batch_id)
        .join_from(attempts, batches, attempts.c.batch == batches.c.number)
        .where(
            batches.c.account == account,
            batches.c.first_sent_at >= since,
            attempts.c.provider_batch_id.is_not(None),
            attempts.c.ended.in_((ENDED_ACCEPTED, ENDED_CANCELLING)),
        )
    ):
        copies.setdefault(row.batch, []).append(row.provider_batch_id)
    for row in ours:
        there = by_key.pop(row.key, [])
        known = copies.get(row.number, [])
        if len(there) > 1:
            yield row.dispatch_id, f"double_send: the provider accepted batch {row.key} {len(there)} times"
        for copy in there:
            if copy not in known and len(there) == 1:
                state = "in doubt" if row.state == BatchState.in_doubt else row.state
                yield row.dispatch_id, f"the provider accepted batch {row.key}, which is {state} here"
        settled = row.state == BatchState.accepted and row.accepted_at <= now - LAG
        for copy in known:
            if settled and copy not in there and copy not in cancelled:
                yield row.dispatch_id, f"batch {row.key} is accepted here, and not in the provider's list"
    for key in by_key:
        dispatch_id = dispatch_of_key(key)
        state = connection.scalar(select(batches.c.state).where(batches.c.key == key))
        if dispatch_id is not None and state is None:
            yield dispatch_id, f"the provider accepted batch {key}, which this ledger doesn't know"
        elif dispatch_id is not None and state == BatchState.waiting:
            # The ledger is older than what was sent: a backup that was put back.
            yield dispatch_id, f"the provider accepted batch {key}, which is waiting here"
