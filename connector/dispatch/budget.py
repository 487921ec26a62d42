"""How many messages may go out within 24 hours."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from connector.ledger.tables import BatchState, DispatchState, batches
from connector.tracking.outcomes import stopped

_WENT_OUT = (BatchState.sending, BatchState.in_doubt, BatchState.accepted, BatchState.given_up)


class Budget:
    """What went out, as one worker remembers it while it is the one that drains the ledger.

    Counting takes the longer the more batches there are. What is claimed is added, and nothing taken off, until it
    would be too much: only then is it counted again.
    """

    def __init__(self) -> None:
        self._sent = 0
        self._counted_at: datetime | None = None

    def is_over(self, connection: Connection, batch: Row[Any], messages_per_day: int, now: datetime) -> bool:
        """Whether a batch would be more than may go out within 24 hours; its dispatch is paused then."""
        if not self._knows(now) or self._sent + batch.size > messages_per_day:
            self._sent, self._counted_at = _count(connection, now), now
        if self._sent + batch.size <= messages_per_day:
            return False
        stopped(
            connection,
            batch.dispatch,
            DispatchState.paused,
            f"{self._sent:,} messages went out within 24 hours, and [limits] messages_per_day allows "
            f"{messages_per_day:,}: resume when there is room again.",
        )
        return True

    def claimed(self, batch: Row[Any]) -> None:
        """A batch is about to leave."""
        self._sent += batch.size

    def _knows(self, now: datetime) -> bool:
        # Where the clock was set back, what had been too long ago counts again.
        return self._counted_at is not None and self._counted_at <= now


def _count(connection: Connection, now: datetime) -> int:
    query = select(func.sum(batches.c.size)).where(
        batches.c.first_sent_at > now - timedelta(days=1), batches.c.state.in_(_WENT_OUT)
    )
    return connection.scalar(query) or 0
