"""What a dispatch would be: planned in full in a ledger of its own, which is then thrown away."""

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from connector.dispatch.planning import Plan, plan
from connector.dispatch.sending import load
from connector.ledger import totals
from connector.ledger.database import Ledger
from connector.ledger.tables import MessageState, batches, messages
from connector.model.parts import count_parts, encoding

SAMPLES = 3
SKIPS = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One message as its recipient would get it."""

    sender: str | None
    text: str
    encoding: str
    parts: int


@dataclass(frozen=True, slots=True)
class Skip:
    """One row that would not be messaged."""

    row: int
    """Place among the recipients; the first is 1."""
    customer_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would be messaged, who not and why, with how many parts and requests."""

    campaign: str
    integration: str
    recipients: int
    skipped: int
    by_reason: dict[str, int]
    to_send: int
    number_of_message_parts: int
    requests: int
    by_country: dict[str, int]
    by_parts: dict[int, int]
    """Number of parts to how many messages take so many."""
    samples: list[Sample]
    skips: list[Skip]
    """The first rows that would not be messaged."""
    columns_not_used: list[str]

    def as_dict(self) -> dict[str, Any]:
        """As one JSON document."""
        return asdict(self)


def preview(what: Plan, *, clock: Callable[[], datetime]) -> Preview:
    """Plan a dispatch without leaving anything behind. Raises as planning does."""
    with tempfile.TemporaryDirectory(prefix="connector-preview-") as folder:
        ledger = Ledger(f"sqlite:///{Path(folder) / 'preview.db'}")
        try:
            # The key matters to nobody here.
            number = plan(ledger, replace(what, key=None), clock=clock)
            return _read(ledger, what, number)
        finally:
            ledger.close()


def _read(ledger: Ledger, what: Plan, number: int) -> Preview:
    live = (messages.c.dispatch == number) & messages.c.state.is_(None)
    with ledger.read() as connection:
        counts = totals.read(connection, number)
        reasons = {
            name.removeprefix(totals.SKIPPED): times
            for name, times in sorted(counts.items())
            if name.startswith(totals.SKIPPED)
        }
        countries = connection.execute(
            select(messages.c.country, func.count().label("times"))
            .where(live)
            .group_by(messages.c.country)
            .order_by(func.count().desc())
        )
        by_parts = connection.execute(
            select(messages.c.parts, func.count().label("times"))
            .where(live)
            .group_by(messages.c.parts)
            .order_by(messages.c.parts)
        )
        samples: list[Sample] = []
        for one in connection.scalars(select(batches.c.number).order_by(batches.c.number).limit(SAMPLES)).all():
            batch = load(connection, one)
            for values in list(batch.values)[: SAMPLES - len(samples)]:
                text = batch.template.render_row(values, batch.defaults)
                samples.append(Sample(batch.sender, text, encoding(text), count_parts(text)))
        left_out = (
            select(messages.c.ordinal, messages.c.customer_id, messages.c.reason)
            .where(messages.c.dispatch == number, messages.c.state == MessageState.skipped)
            .order_by(messages.c.ordinal)
            .limit(SKIPS)
        )
        skips = [Skip(row.ordinal + 1, row.customer_id, row.reason) for row in connection.execute(left_out)]
        return Preview(
            campaign=what.campaign.name,
            integration=what.integration,
            recipients=counts.get(totals.ROWS, 0),
            skipped=sum(reasons.values()),
            by_reason=reasons,
            to_send=counts.get(totals.WAITING, 0),
            number_of_message_parts=connection.scalar(select(func.sum(messages.c.parts)).where(live)) or 0,
            requests=connection.scalar(select(func.count()).select_from(batches)) or 0,
            by_country={row.country: row.times for row in countries},
            by_parts={row.parts: row.times for row in by_parts},
            samples=samples,
            skips=skips,
            columns_not_used=list(what.source.unused),
        )
