"""The report of a dispatch: what became of everybody, with rates and errors in plain words."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from connector.extension.provider import Provider
from connector.ledger import totals
from connector.ledger.tables import BatchState, DispatchState, MessageState, batches, integrations, messages
from connector.model.event import StatusCodeSource


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How many messages ended with one code."""

    status: str
    status_code: int | None
    status_code_source: str | None
    count: int
    meaning: str | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Skips:
    """Who was not messaged, and why."""

    total: int
    by_reason: dict[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of every recipient of a dispatch.

    `recipients` = skipped + waiting + sending + in_doubt + enqueue_failed + unknown + enqueued, and
    `enqueued` = open + unconfirmed + rejected + failed + delivered; `delivered` includes `read`.
    """

    dispatch: str
    campaign: str
    state: str
    cause: str | None
    recipients: int
    skipped: Skips
    waiting: int
    sending: int
    in_doubt: int
    enqueue_failed: int
    unknown: int
    enqueued: int
    open: int
    unconfirmed: int
    rejected: int
    failed: int
    delivered: int
    read: int
    report_not_expected: int
    double_send: int
    late: int
    number_of_message_parts: int
    errors: list[ErrorCount]

    @property
    def is_settled(self) -> bool:
        """Whether nothing is waiting, being sent or in doubt."""
        return self.state != DispatchState.planning and not (self.waiting or self.sending or self.in_doubt)

    @property
    def is_final(self) -> bool:
        """Whether it is settled and every accepted message has its final state."""
        return self.is_settled and not self.open

    def as_dict(self) -> dict[str, Any]:
        """As one JSON document."""
        return asdict(self)


def state_of(dispatch: Row[Any], counts: dict[str, int]) -> str:
    """A dispatch's state: what is stored, or finished when nothing is left to do."""
    left = sum(counts.get(name, 0) for name in (totals.WAITING, totals.SENDING, totals.IN_DOUBT))
    if dispatch.state in (DispatchState.planning, DispatchState.cancelled) or left:
        return str(dispatch.state)
    return DispatchState.finished


def build(
    connection: Connection,
    dispatch: Row[Any],
    *,
    providers: dict[str, type[Provider]],
    countries_without_reports: list[str],
) -> Report:
    """The report of a dispatch as it stands in this transaction."""
    counts = totals.read(connection, dispatch.number)
    reasons = {
        name.removeprefix(totals.SKIPPED): times
        for name, times in sorted(counts.items())
        if name.startswith(totals.SKIPPED)
    }
    provider = providers.get(
        connection.scalar(select(integrations.c.provider).where(integrations.c.name == dispatch.integration)) or ""
    )
    delivered, read = counts.get(MessageState.delivered, 0), counts.get(MessageState.read, 0)
    return Report(
        dispatch=dispatch.id,
        campaign=dispatch.campaign_name,
        state=state_of(dispatch, counts),
        cause=dispatch.cause,
        recipients=counts.get(totals.ROWS, 0),
        skipped=Skips(sum(reasons.values()), reasons),
        waiting=counts.get(totals.WAITING, 0),
        sending=counts.get(totals.SENDING, 0),
        in_doubt=counts.get(totals.IN_DOUBT, 0),
        enqueue_failed=counts.get(totals.ENQUEUE_FAILED, 0),
        unknown=counts.get(totals.UNKNOWN, 0),
        enqueued=counts.get(totals.ENQUEUED, 0),
        open=counts.get(totals.OPEN, 0),
        unconfirmed=counts.get(MessageState.unconfirmed, 0),
        rejected=counts.get(MessageState.rejected, 0),
        failed=counts.get(MessageState.failed, 0),
        delivered=delivered + read,
        read=read,
        report_not_expected=_not_expected(connection, dispatch, countries_without_reports),
        double_send=counts.get(totals.DOUBLE_SEND, 0),
        late=counts.get(totals.LATE, 0),
        number_of_message_parts=counts.get(totals.PARTS, 0),
        errors=_errors(counts, provider),
    )


def _not_expected(connection: Connection, dispatch: Row[Any], countries: list[str]) -> int:
    """Accepted messages without a final report, to countries that send none."""
    silent = (
        select(func.count())
        .select_from(
            batches.join(
                messages,
                (messages.c.dispatch == batches.c.dispatch)
                & messages.c.ordinal.between(batches.c.first, batches.c.last)
                & (messages.c.shape == batches.c.shape),
            )
        )
        .where(
            batches.c.dispatch == dispatch.number,
            batches.c.state == BatchState.accepted,
            messages.c.state.is_(None) | (messages.c.state == MessageState.unconfirmed),
            messages.c.country.in_(countries),
        )
    )
    return connection.scalar(silent) or 0


def _errors(counts: dict[str, int], provider: type[Provider] | None) -> list[ErrorCount]:
    found = []
    for name, times in counts.items():
        if not name.startswith(totals.CODE) or times <= 0:
            continue
        status, source, code, error = name.removeprefix(totals.CODE).split("|", 3)
        if status in (MessageState.delivered, MessageState.read, MessageState.unconfirmed):
            continue
        known = None
        if provider is not None and source:
            catalogue = provider.codes
            known = catalogue.get((StatusCodeSource(source), error)) or catalogue.get((StatusCodeSource(source), code))
        found.append(
            ErrorCount(
                status,
                int(code) if code else None,
                source or None,
                times,
                None if known is None else known.meaning,
                error or None,
            )
        )
    return sorted(found, key=lambda row: (-row.count, row.status, row.status_code or 0))
