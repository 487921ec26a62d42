"""Who takes callbacks just now, as the ledger shows it."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from connector.ledger.tables import receivers

SEEN_WITHIN = timedelta(seconds=15)


def receiver_is_there(connection: Connection, now: datetime) -> bool:
    """Whether a server takes callbacks just now."""
    seen_at = connection.scalar(_LATEST)
    return seen_at is not None and seen_at >= now - SEEN_WITHIN


def backlogged(connection: Connection, now: datetime) -> bool:
    """Whether callbacks that were taken are not written yet."""
    backlog = connection.scalar(select(func.sum(receivers.c.backlog)).where(receivers.c.seen_at >= now - SEEN_WITHIN))
    return bool(backlog)


# Asked for every page of events: built once.
_LATEST = select(func.max(receivers.c.seen_at))
