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
from connector.ledger.tables import batches, messages
from connector.model.parts import encoding

SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One message as its recipient would get it."""

    sender: str | None
    text: str
    encoding: str
    parts: int


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
        samples = []
        first = connection.scalar(select(batches.c.number).order_by(batches.c.number).limit(1))
        if first is not None:
            batch = load(connection, first)
            parts = connection.scalars(select(messages.c.parts).where(live).order_by(messages.c.ordinal).limit(SAMPLES))
            for values, count in zip(batch.values, parts.all(), strict=False):
                text = batch.template.render_row(values, batch.defaults)
                samples.append(Sample(batch.sender, text, encoding(text), count))
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
            columns_not_used=list(what.source.unused),
        )
