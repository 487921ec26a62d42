"""Whether the provider says anything at all: accepted messages on which no report ever comes."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from connector.ledger.tables import BatchState, batches, dispatches, events
from connector.model.event import EventKind, Status

logger = logging.getLogger("connector.tracking")

PATIENCE = timedelta(minutes=15)
"""After so long some report on some message of an integration is to be expected."""
MEMORY = timedelta(days=4)
"""What was accepted longer ago says nothing of how it is now."""

_REPORTED = (Status.delivered, Status.read, Status.rejected, Status.failed)


@dataclass(frozen=True, slots=True)
class Silence:
    """Messages of an integration that were accepted, and no report since."""

    integration: str
    messages: int
    since: datetime
    """When the first of them was accepted."""

    def sentence(self, now: datetime) -> str:
        """For whoever runs it."""
        minutes = int((now - self.since).total_seconds() // 60)
        were = "message was" if self.messages == 1 else "messages were"
        return (
            f"{self.messages:,} {were} accepted through {self.integration}, and no report has come for "
            f"{minutes} minutes: does the provider reach the callback address? `connector check` tries it, and "
            f"`connector poll` asks for the reports now."
        )


def silences(connection: Connection, now: datetime) -> list[Silence]:
    """The integrations whose provider says nothing, of those that something was accepted through lately."""
    lately = (
        select(dispatches.c.integration)
        .join_from(batches, dispatches, batches.c.dispatch == dispatches.c.number)
        .where(batches.c.state == BatchState.accepted, batches.c.accepted_at > now - MEMORY)
        .distinct()
    )
    found = []
    for integration in connection.scalars(lately).all():
        last = connection.scalar(
            select(events.c.recorded_at)
            .where(
                events.c.integration == integration,
                events.c.kind == EventKind.message,
                events.c.status.in_(_REPORTED),
            )
            .order_by(events.c.number.desc())
            .limit(1)
        )
        since = max(last, now - MEMORY) if last is not None else now - MEMORY
        waiting = connection.execute(
            select(func.sum(batches.c.size).label("messages"), func.min(batches.c.accepted_at).label("since"))
            .join_from(batches, dispatches, batches.c.dispatch == dispatches.c.number)
            .where(
                dispatches.c.integration == integration,
                batches.c.state == BatchState.accepted,
                batches.c.accepted_at > since,
                batches.c.accepted_at <= now - PATIENCE,
                batches.c.send_at.is_(None) | (batches.c.send_at <= now - PATIENCE),
            )
        ).one()
        if waiting.messages:
            found.append(Silence(integration, int(waiting.messages), waiting.since))
    return found


def warn(connection: Connection, now: datetime, *, every: timedelta) -> None:
    """Say in the log that nothing comes, once in every `PATIENCE`; called `every` so often."""
    for silence in silences(connection, now):
        if (now - silence.since) % PATIENCE < every:
            logger.warning("%s", silence.sentence(now))
