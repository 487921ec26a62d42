"""What a dispatch would be: planned in full in a ledger of its own, which is then thrown away."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Connection, func, select

from connector.audience.reading import IDENTITIES
from connector.dispatch.planning import Plan, plan
from connector.dispatch.sending import load
from connector.extension.provider import Provider
from connector.ledger import totals
from connector.ledger.database import Ledger
from connector.ledger.tables import MessageState, batches, messages, shapes
from connector.model.batch import Batch
from connector.model.errors import ConnectorError
from connector.model.event import SkipReason
from connector.model.outcome import Refused
from connector.model.parts import count_parts, encoding
from connector.model.text import Template, changed

SAMPLES = 3
SKIPS = 20
SPREADSHEET_ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!"))
"""What a spreadsheet writes into a cell that it can't work out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One message as its recipient would get it."""

    sender: str | None
    text: str
    """Of another kind of message: its fields as JSON."""
    encoding: str
    """Empty, as are the parts, where no text is counted."""
    parts: int


@dataclass(frozen=True, slots=True)
class Skip:
    """One row that would not be messaged."""

    row: int
    """Place among the recipients; the first is 1."""
    customer_id: str | None
    reason: str
    missing: tuple[str, ...] = ()
    """The parameters that it lacks, where that is the reason."""


@dataclass(frozen=True, slots=True)
class SpreadsheetError:
    """Values that a spreadsheet could not work out, and that would go to people as they are."""

    error: str
    parameter: str
    times: int
    row: int
    """The first with it."""


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """What the provider would make of the first request, by its own dry run."""

    messages: int
    number_of_message_parts: int
    """As we count them."""
    counted_by_provider: int | None = None
    """None: it doesn't count."""
    by_channel: dict[str, str] = field(default_factory=dict)
    """What the first recipient would get on each channel, in the words of the channel."""
    refused: str | None = None
    """Why it would be refused."""
    trouble: str | None = None
    """Why the provider couldn't be asked."""


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
    """Under an empty name those who are not reached at a phone number."""
    by_sender: dict[str, int]
    by_parts: dict[int, int]
    """Number of parts to how many messages take so many."""
    samples: list[Sample]
    skips: list[Skip]
    """The first rows that would not be messaged."""
    columns_not_used: list[str]
    leading_zeros: int
    """Invalid numbers with a single leading 0, which may be right in a country that isn't said."""
    short_forms: int
    """Invalid numbers as a spreadsheet shortens them (4.67E+10): their digits are lost."""
    spreadsheet_errors: list[SpreadsheetError]
    columns_missing: list[str]
    """Names in the text that no column has: everybody gets the campaign's default."""
    send_at: datetime | None = None
    """When it is to be sent; None, or in the past: at once."""
    first_request: FirstRequest | None = None
    """None: the provider wasn't asked, or has no dry run."""

    def as_dict(self) -> dict[str, Any]:
        """As one JSON document."""
        return asdict(self)


def preview(
    what: Plan,
    *,
    clock: Callable[[], datetime],
    provider: Provider | None = None,
    on_skip: Callable[[Skip], object] | None = None,
) -> Preview:
    """Plan a dispatch without leaving anything behind; where a provider is given, it tries the first request dry.

    `on_skip` is called with every row that would not be messaged, in their order. Raises as planning does.
    """
    with tempfile.TemporaryDirectory(prefix="connector-preview-") as folder:
        ledger = Ledger(f"sqlite:///{Path(folder) / 'preview.db'}")
        try:
            # The key matters to nobody here.
            number = plan(ledger, replace(what, key=None), clock=clock)
            told = _read(ledger, what, number, on_skip)
            if provider is None or not told.requests or not provider.supports("dry_run"):
                return told
            with ledger.read() as connection:
                first = connection.scalar(select(func.min(batches.c.number)))
                batch = load(connection, first or 0, clock=clock)
                parts = connection.scalar(select(batches.c.parts).where(batches.c.number == first)) or 0
            return replace(told, first_request=_try_dry(provider, batch, parts))
        finally:
            ledger.close()


def _try_dry(provider: Provider, batch: Batch, parts: int) -> FirstRequest:
    ours = FirstRequest(batch.size, parts)
    try:
        said = provider.dry_run(batch)
    except ConnectorError as error:
        return replace(ours, trouble=str(error))
    if isinstance(said, Refused):
        return replace(ours, refused=said.sentence())
    return replace(ours, counted_by_provider=said.parts, by_channel=said.by_channel)


def _sample(batch: Batch, values: Sequence[str | None]) -> Sample:
    text = batch.template.render_row(values, batch.defaults)
    if text:
        return Sample(batch.sender, text, encoding(text), count_parts(text))
    names = batch.template.names
    of_name = {
        name: batch.defaults.get(name, "") if value is None else value
        for name, value in zip(names, values, strict=True)
    }
    fields = {key: value for key, value in batch.message.items() if key != "defaults"}
    filled = changed(fields, lambda part: Template.read(part).render(of_name))
    return Sample(batch.sender, to_json(filled).decode(), "", 0)


def _read(ledger: Ledger, what: Plan, number: int, on_skip: Callable[[Skip], object] | None) -> Preview:
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
        senders = connection.execute(
            select(shapes.c.sender, func.count().label("times"))
            .join(messages, (messages.c.dispatch == shapes.c.dispatch) & (messages.c.shape == shapes.c.shape))
            .where(live)
            .group_by(shapes.c.sender)
            .order_by(func.count().desc())
        )
        samples: list[Sample] = []
        for one in connection.scalars(select(batches.c.number).order_by(batches.c.number).limit(SAMPLES)).all():
            batch = load(connection, one)
            for values in list(batch.values)[: SAMPLES - len(samples)]:
                samples.append(_sample(batch, values))
        left_out = (
            select(messages.c.ordinal, messages.c.customer_id, messages.c.reason, messages.c.content)
            .where(messages.c.dispatch == number, messages.c.state == MessageState.skipped)
            .order_by(messages.c.ordinal)
            .limit(SKIPS if on_skip is None else None)
        )
        skips: list[Skip] = []
        for row in connection.execution_options(yield_per=1000).execute(left_out):
            skip = Skip(row.ordinal + 1, row.customer_id, row.reason, _missing(what, row.reason, row.content))
            if on_skip is not None:
                on_skip(skip)
            if len(skips) < SKIPS:
                skips.append(skip)
        return Preview(
            campaign=what.campaign.name,
            integration=what.integration,
            recipients=counts.get(totals.ROWS, 0),
            skipped=sum(reasons.values()),
            by_reason=reasons,
            to_send=counts.get(totals.WAITING, 0),
            number_of_message_parts=connection.scalar(select(func.sum(messages.c.parts)).where(live)) or 0,
            requests=connection.scalar(select(func.count()).select_from(batches)) or 0,
            by_country={row.country or "": row.times for row in countries},
            by_sender={row.sender or "": row.times for row in senders},
            by_parts={row.parts: row.times for row in by_parts if row.parts is not None},
            samples=samples,
            skips=skips,
            columns_not_used=list(what.source.unused),
            leading_zeros=connection.scalar(
                select(func.count()).where(
                    messages.c.dispatch == number,
                    messages.c.reason == SkipReason.invalid_number,
                    messages.c.address.like("0%"),
                    messages.c.address.not_like("00%"),
                )
            )
            or 0,
            short_forms=connection.scalar(
                select(func.count()).where(
                    messages.c.dispatch == number,
                    messages.c.reason == SkipReason.invalid_number,
                    messages.c.address.op("GLOB")("[0-9]*[eE]+[0-9][0-9]"),
                )
            )
            or 0,
            spreadsheet_errors=_spreadsheet_errors(connection, what.screen.names, live),
            columns_missing=what.source.missing(what.screen.names),
            send_at=what.campaign.send_at,
        )


def _spreadsheet_errors(
    connection: Connection, names: Sequence[str], live: ColumnElement[bool]
) -> list[SpreadsheetError]:
    suspects = select(messages.c.ordinal, messages.c.content).where(live, messages.c.content.like('%"#%'))
    times: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], int] = {}
    for row in connection.execution_options(yield_per=1000).execute(suspects.order_by(messages.c.ordinal)):
        values = json.loads(row.content)
        if len(values) != len(names):
            # The host has rendered this text.
            continue
        for name, value in zip(names, values, strict=True):
            if value in SPREADSHEET_ERRORS:
                times[value, name] += 1
                first.setdefault((value, name), row.ordinal + 1)
    return [SpreadsheetError(*key, many, first[key]) for key, many in times.items()]


def _missing(what: Plan, reason: str, content: str | None) -> tuple[str, ...]:
    """The parameters that a row lacks."""
    names = what.screen.names
    if reason != SkipReason.missing_parameter or content is None:
        return ()
    values = json.loads(content)
    if len(values) != len(names):
        # The host has rendered this text: it is empty.
        return ()
    served = {*what.campaign.message.defaults, IDENTITIES}
    return tuple(name for name, value in zip(names, values, strict=True) if value is None and name not in served)
