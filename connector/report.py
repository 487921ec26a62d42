"""The report of a dispatch, or of several together: what became of everybody, with errors in plain words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, select

from connector.extension.provider import Provider
from connector.ledger import totals
from connector.ledger.tables import BatchState, DispatchState, MessageState, batches, integrations, messages
from connector.model.codes import ErrorCode
from connector.model.event import StatusCodeSource
from connector.model.words import REASONS, STATES


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How many messages ended with one code."""

    status: str
    status_code: int | None
    status_code_source: str | None
    count: int
    meaning: str | None
    error: str | None = None
    turn: str | None = None
    """Who can do something about it."""
    retry: bool | None = None
    """Whether sending again may help."""

    @property
    def code(self) -> str | None:
        """The code as the provider writes it."""
        return self.error or (None if self.status_code is None else str(self.status_code))


@dataclass(frozen=True, slots=True)
class Skips:
    """Who was not messaged, and why."""

    total: int
    by_reason: dict[str, int]


SUMMED = (
    "recipients",
    "waiting",
    "sending",
    "in_doubt",
    "enqueue_failed",
    "unknown",
    "enqueued",
    "open",
    "unconfirmed",
    "rejected",
    "failed",
    "delivered",
    "read",
    "report_not_expected",
    "double_send",
    "late",
    "number_of_message_parts",
)
"""The counts of a report that add up over several."""


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


def share(part: int, whole: int) -> str:
    """A rate in per cent; what is not all or nothing is never rounded to it."""
    if not whole:
        return "-"
    shown = f"{100 * part / whole:.1f} %"
    if shown == "100.0 %" and part < whole:
        return ">99.9 %"
    if shown == "0.0 %" and part:
        return "<0.1 %"
    return shown


@dataclass(frozen=True, slots=True)
class Line:
    """One count of a report: under the count that it is a part of, with its rate."""

    name: str
    messages: int
    meaning: str
    depth: int = 0
    rate: str = ""
    of: str = ""
    """What the rate is a share of."""


def funnel(report: Report) -> list[Line]:
    """The counts of a report in the order in which they add up; those that are beside the sums come last."""
    tried = report.recipients - report.skipped.total
    enqueued = report.enqueued

    def line(depth: int, name: str, messages: int, whole: int, of: str) -> Line:
        return Line(name, messages, STATES[name], depth, share(messages, whole), of)

    return [
        Line("recipients", report.recipients, "rows of the list"),
        line(1, "skipped", report.skipped.total, report.recipients, "recipients"),
        *(Line(reason, times, REASONS.get(reason, ""), 2) for reason, times in report.skipped.by_reason.items()),
        Line("waiting", report.waiting, STATES["waiting"], 1),
        Line("sending", report.sending, STATES["sending"], 1),
        Line("in_doubt", report.in_doubt, STATES["in_doubt"], 1),
        line(1, "enqueue_failed", report.enqueue_failed, tried, "(recipients - skipped)"),
        Line("unknown", report.unknown, STATES["unknown"], 1),
        line(1, "enqueued", enqueued, tried, "(recipients - skipped)"),
        line(2, "open", report.open, enqueued, "enqueued"),
        line(2, "unconfirmed", report.unconfirmed, enqueued, "enqueued"),
        line(2, "rejected", report.rejected, enqueued, "enqueued"),
        line(2, "failed", report.failed, enqueued, "enqueued"),
        line(2, "delivered", report.delivered, enqueued, "enqueued"),
        line(3, "read", report.read, report.delivered, "delivered"),
        Line("number_of_message_parts", report.number_of_message_parts, "of the enqueued; what is billed"),
        Line("report_not_expected", report.report_not_expected, "open or unconfirmed, to countries without reports"),
        Line("late", report.late, "reports that came after the waiting period"),
        Line("double_send", report.double_send, "accepted twice by the provider"),
    ]


WORST_FIRST = (
    DispatchState.stopped,
    DispatchState.paused,
    DispatchState.planning,
    DispatchState.running,
    DispatchState.cancelled,
    DispatchState.finished,
)
"""Of several dispatches, the one that needs attention most gives the state."""


def together(reports: Sequence[Report]) -> Report:
    """The sum of the reports of one or more dispatches; its `dispatch` names them all."""
    if len(reports) == 1:
        return reports[0]
    reasons = Counter[str]()
    errors: dict[tuple[object, ...], ErrorCount] = {}
    for each in reports:
        reasons.update(each.skipped.by_reason)
        for error in each.errors:
            kind = (error.status, error.status_code, error.status_code_source, error.error)
            known = errors.get(kind)
            errors[kind] = error if known is None else replace(known, count=known.count + error.count)
    worst = min(reports, key=lambda each: WORST_FIRST.index(DispatchState(each.state)))
    return replace(
        reports[0],
        dispatch=", ".join(each.dispatch for each in reports),
        state=worst.state,
        cause=worst.cause,
        skipped=Skips(reasons.total(), dict(sorted(reasons.items()))),
        errors=_most_first(errors.values()),
        **{name: sum(getattr(each, name) for each in reports) for name in SUMMED},
    )


def state_of(dispatch: Row[Any], counts: dict[str, int]) -> str:
    """A dispatch's state: what is stored, or finished when nothing is left to do, and nothing more can come."""
    left = sum(counts.get(name, 0) for name in (totals.WAITING, totals.SENDING, totals.IN_DOUBT))
    if dispatch.state in (DispatchState.planning, DispatchState.cancelled) or dispatch.open or left:
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
    unreported = counts.get(totals.OPEN, 0) + counts.get(MessageState.unconfirmed, 0)
    state = state_of(dispatch, counts)
    return Report(
        dispatch=dispatch.id,
        campaign=dispatch.campaign_name,
        state=state,
        # What kept some back concerns nobody any more.
        cause=None if state == DispatchState.finished else dispatch.cause,
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
        report_not_expected=_not_expected(connection, dispatch, countries_without_reports) if unreported else 0,
        double_send=counts.get(totals.DOUBLE_SEND, 0),
        late=counts.get(totals.LATE, 0),
        number_of_message_parts=counts.get(totals.PARTS, 0),
        errors=_errors(counts, provider),
    )


def _not_expected(connection: Connection, dispatch: Row[Any], countries: list[str]) -> int:
    """Accepted messages without a final report, to countries that send none; goes through all messages."""
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
        known = explained(provider, source, code, error)
        found.append(
            ErrorCount(
                status,
                int(code) if code else None,
                source or None,
                times,
                None if known is None else known.meaning,
                error or None,
                None if known is None else known.turn,
                None if known is None else known.retry,
            )
        )
    return _most_first(found)


def explained(provider: type[Provider] | None, source: str, code: str, error: str) -> ErrorCode | None:
    """What a code means: by the provider's own word for it, else by its number; empty: there is none."""
    if provider is None or not source:
        return None
    catalogue = provider.codes
    return catalogue.get((StatusCodeSource(source), error)) or catalogue.get((StatusCodeSource(source), code))


def _most_first(errors: Iterable[ErrorCount]) -> list[ErrorCount]:
    return sorted(errors, key=lambda row: (-row.count, row.status, row.status_code or 0))
