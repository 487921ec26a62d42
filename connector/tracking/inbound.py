"""Asking for the messages of people that nobody called back about: once for an account, and never with a gap."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update

from connector.ledger.tables import accounts
from connector.tracking.asking import Asked, Asker

logger = logging.getLogger("connector.tracking")

OVERLAP = timedelta(minutes=10)
"""Asked for once more each time: the provider's list may lag behind, and its clock differ from ours."""
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE_CALLED_BACK = timedelta(hours=1)


def may_be_asked(now: datetime) -> ColumnElement[bool]:
    """The accounts that are neither throttled nor out of reach."""
    return accounts.c.probe_at.is_(None) & ((accounts.c.throttles == 0) | (accounts.c.free_at <= now))


def due(connection: Connection, names: Collection[str], now: datetime) -> str | None:
    """The account, of some, whose people may have written since it was last asked."""
    return connection.scalar(
        select(accounts.c.name)
        .where(
            accounts.c.name.in_(names),
            accounts.c.inbound_due_at.is_(None) | (accounts.c.inbound_due_at <= now),
            may_be_asked(now),
        )
        .order_by(accounts.c.inbound_due_at)
        .limit(1)
    )


def poll(asker: Asker) -> Asked:
    """Ask for everything that people wrote to an account since it was last asked in full. Raises `LedgerError`.

    What is read again is known by the provider's own id of it. How far everything was read is written down only
    after the last page, so that whatever breaks this off leaves no gap.
    """
    account = asker.provider.account
    asked_at = asker.clock()
    with asker.ledger.read() as connection:
        since = _since(_row(connection, account), asker, asked_at)
    asked = asker.ask(lambda: asker.provider.inbound(since), "messages of people")
    if asked.left:
        return asked
    now = asker.clock()
    with asker.ledger.write() as connection:
        row = _row(connection, account)
        values = _failed(row, asked.trouble) if asked.trouble else _read(row, asked_at)
        pause = _pause(row, asked)
        longest = LONGEST_PAUSE_CALLED_BACK if asker.called_back else LONGEST_PAUSE
        values["inbound_due_at"] = now + min(longest, pause)
        connection.execute(update(accounts).where(accounts.c.name == account).values(**values))
    return asked


def _row(connection: Connection, account: str) -> Row[Any]:
    return connection.execute(select(accounts).where(accounts.c.name == account)).one()


def _since(row: Row[Any], asker: Asker, now: datetime) -> datetime:
    listing_days = asker.provider.limits.listing_days
    oldest = None if listing_days is None else now - timedelta(days=listing_days)
    if row.inbound_read_to is None or row.inbound_read_to > now:
        # Replies were never asked for, or by a clock that was ahead: everything that is still listed.
        return oldest or now - OVERLAP
    since: datetime = row.inbound_read_to - OVERLAP
    if oldest is None or since >= oldest:
        return since
    if row.inbound_read_to < oldest:
        logger.warning(
            "%s lists what people wrote for %g days: between %s and %s UTC it can't be asked for any more.",
            asker.provider.title,
            listing_days,
            *(f"{at:%Y-%m-%d %H:%M}" for at in (row.inbound_read_to, oldest)),
        )
    return oldest


def _read(row: Row[Any], asked_at: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"inbound_read_to": asked_at, "inbound_failures": 0}
    if row.inbound_failures and _is_well(row):
        values["trouble"] = None
    return values


def _failed(row: Row[Any], trouble: str) -> dict[str, Any]:
    values: dict[str, Any] = {"inbound_failures": (row.inbound_failures or 0) + 1}
    # What keeps it from sending is worse.
    if _is_well(row):
        values["trouble"] = f"What people wrote can't be asked for. {trouble}"
    return values


def _is_well(row: Row[Any]) -> bool:
    return row.probe_at is None and not row.failures


def _pause(row: Row[Any], asked: Asked) -> timedelta:
    """How long to leave an account alone: longer and longer while nothing new comes."""
    if asked.trouble:
        return FIRST_PAUSE * 2 ** min(row.inbound_failures or 0, 16)
    if asked.events or row.inbound_failures or row.inbound_read_to is None or row.inbound_due_at is None:
        return FIRST_PAUSE
    before: timedelta = row.inbound_due_at - row.inbound_read_to
    return max(FIRST_PAUSE, 2 * before)
