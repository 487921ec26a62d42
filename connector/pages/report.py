"""The report of one or more dispatches as a page: one file that needs nothing else to be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Connection, Row

from connector.ledger.tables import DispatchState
from connector.model.event import SkipReason
from connector.model.words import TOLD_BY, TURNS, retry
from connector.pages import charts
from connector.pages.countries import Country, countries, total
from connector.pages.course import Course, course
from connector.report import Report, funnel, share, together

NOT_TAKEN = ("waiting", "sending", "in_doubt", "enqueue_failed", "unknown")
ENDS = ("delivered", "open", "unconfirmed", "rejected", "failed")
LABELS = {
    "in_doubt": "in doubt",
    "enqueue_failed": "refused",
    "enqueued": "taken",
    "unconfirmed": "unconfirmed",
    "open": "open",
}
"""How the pictures name what the report's own word is longer for."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline number."""

    label: str
    messages: int
    rate: str
    of: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Messages of which not everything is known, what that means, and what can be done."""

    name: str
    messages: int
    meaning: str


def page(connection: Connection, dispatches: Sequence[Row[Any]], reports: Sequence[Report], *, now: datetime) -> str:
    """The page of some dispatches of one campaign, as they stand in this transaction; HTML without phone numbers."""
    numbers = [dispatch.number for dispatch in dispatches]
    whole = together(reports)
    over_time = course(connection, numbers)
    listed = countries(connection, numbers)
    return _TEMPLATES.get_template("report.html.jinja").render(
        report=whole,
        dispatches=list(zip(dispatches, reports, strict=True)),
        standing=_standing(whole, reports),
        figures=_figures(whole),
        lines=funnel(whole),
        everybody=charts.bar(
            [("enqueued", whole.enqueued), ("skipped", whole.skipped.total), *_counts(whole, NOT_TAKEN)]
        ),
        taken=charts.bar(_counts(whole, ENDS)),
        sums=_sums(whole),
        course=over_time,
        curve=None if over_time is None else charts.curve(over_time),
        steps=None
        if over_time is None
        else zip(over_time.taken, over_time.delivered, over_time.undelivered, strict=True),
        speed=None if over_time is None else _speed(over_time),
        unsettled=_unsettled(whole),
        countries=listed,
        all_countries=total(listed),
        made_at=now,
        version=version("campaign-connector"),
        chart=charts,
    )


def _counts(report: Report, names: Sequence[str]) -> list[tuple[str, int]]:
    return [(name, getattr(report, name)) for name in names]


def _standing(whole: Report, reports: Sequence[Report]) -> str:
    """What the figures may still do, and what a cancellation did to them."""
    cancelled = sum(each.state == DispatchState.cancelled for each in reports)
    if cancelled:
        return f"{_cancellation(whole, cancelled, len(reports))} {_after_cancellation(whole)}"
    if whole.state == DispatchState.planning:
        return "The recipients are still being read: nothing is sent yet."
    if not whole.is_settled:
        return f"{_left(whole):,} messages are still to be sent or found out: these figures are not final."
    if whole.open:
        awaited = "1 final report is" if whole.open == 1 else f"{whole.open:,} final reports are"
        return f"Everything is sent; {awaited} still awaited, and can change these figures."
    return "Everybody has a final state; only late news can change these figures."


def _cancellation(whole: Report, cancelled: int, dispatches: int) -> str:
    skipped = whole.skipped.by_reason.get(SkipReason.cancelled, 0)
    of = f"skipped {skipped:,} of {whole.recipients:,} recipients: nothing is sent to them."
    if cancelled == dispatches:
        return f"The campaign was cancelled, which {of}"
    return f"Cancelling {cancelled:,} of the {dispatches:,} dispatches {of}"


def _after_cancellation(whole: Report) -> str:
    if not whole.is_settled:
        return f"Not sent or found out about yet: {_left(whole):,}. These figures are not final."
    if whole.open:
        return f"Final reports that may still come, and change these figures: {whole.open:,}."
    return "No reports are awaited any more; only late news can change these figures."


def _left(report: Report) -> int:
    return report.waiting + report.sending + report.in_doubt


def _figures(report: Report) -> list[Figure]:
    def figure(label: str, messages: int, whole: int, of: str) -> Figure:
        return Figure(label, messages, share(messages, whole), of)

    return [
        Figure("Recipients", report.recipients, "", "rows of the list"),
        figure("Taken by the provider", report.enqueued, report.recipients, "of recipients"),
        figure("Delivered", report.delivered, report.enqueued, "of taken"),
        figure("Not delivered", report.rejected + report.failed, report.enqueued, "of taken"),
        figure("Skipped", report.skipped.total, report.recipients, "of recipients"),
        Figure("Message parts", report.number_of_message_parts, "", "of what was taken; what is billed"),
    ]


def _sums(report: Report) -> list[tuple[bool, int, str, list[tuple[str, int]]]]:
    """The two sums that must close: whether they do, the whole, its name, and what it is made of."""
    found = []
    for name, whole, parts in (
        (
            "recipients",
            report.recipients,
            [("skipped", report.skipped.total), *_counts(report, (*NOT_TAKEN, "enqueued"))],
        ),
        ("enqueued", report.enqueued, _counts(report, ENDS)),
    ):
        closes = whole == sum(messages for _, messages in parts)
        found.append((closes, whole, name, [part for part in parts if part[1]] or parts[:1]))
    return found


def _speed(over_time: Course) -> str:
    """How fast deliveries came, in a sentence."""
    spans = [(words, over_time.time_until(part)) for words, part in (("half", 0.5), ("90 %", 0.9))]
    told = [f"{words} within {_span(span)}" for words, span in spans if span is not None]
    if not sum(over_time.delivered):
        return ""
    return f"Of what was delivered so far, {' and '.join(told)} of the beginning." if told else ""


def _span(span: timedelta) -> str:
    """A length of time as people say it."""
    seconds = int(span.total_seconds())
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            count = f"{seconds / size:.1f}".removesuffix(".0")
            return f"{count} {name}" + ("" if count == "1" else "s")
    return "a moment"


def _unsettled(report: Report) -> list[Unsettled]:
    told = [
        (
            "in doubt",
            report.in_doubt,
            "The provider's answer was lost, so these may or may not have been taken. They are looked up at the "
            "provider until that is known, and never sent twice on a guess. `connector status` shows them one by one.",
        ),
        (
            "unknown",
            report.unknown,
            "Nobody could find out whether the provider took these, and a person gave up. Later proof still counts.",
        ),
        (
            "waiting",
            report.waiting + report.sending,
            "Not sent yet, or on the way to the provider just now.",
        ),
        (
            "open",
            report.open,
            "Taken by the provider, without a final report so far. Reports are waited for and asked for until the "
            "waiting period is over; what is open then becomes unconfirmed.",
        ),
        (
            "unconfirmed",
            report.unconfirmed,
            "Taken by the provider, and no final report came within the waiting period. The message may have arrived: "
            "it is counted neither as delivered nor as failed.",
        ),
        (
            "report not expected",
            report.report_not_expected,
            "A part of the open and unconfirmed ones: they went to countries whose networks report no deliveries.",
        ),
        (
            "late",
            report.late,
            "Reports that came after the waiting period. They are kept, and change nothing here.",
        ),
        (
            "double send",
            report.double_send,
            "The provider took these twice, so those people may have got the message twice. "
            "Ask the provider about it; `connector verify` names them as a fault.",
        ),
    ]
    return [Unsettled(*each) for each in told if each[1]]


def _moment(at: datetime, *, seconds: bool = False) -> str:
    """A time by the clock of the place where the page is made, with its offset."""
    local = at.astimezone()
    offset = f"{local:%z}"
    zone = "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:5]}"
    return f"{local.day} {local:{'%B %Y, %H:%M:%S' if seconds else '%B %Y, %H:%M'}} {zone}"


def _country(each: Country) -> str:
    if each.code == "-":
        return "no valid number"
    if each.code == "001":
        return "of no country"
    return each.code


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters.update(
    count=lambda number: f"{number:,}",
    moment=_moment,
    span=_span,
    share=share,
    country=_country,
    exactly=lambda at: _moment(at, seconds=True),
    told_by=lambda source: TOLD_BY.get(source or "", ""),
    turn=lambda turn: TURNS.get(turn or "", TURNS["unknown"]),
    retry=retry,
    label=lambda name: LABELS.get(name, name),
)
