"""The report as a page: its sums close, its figures are those of the ledger, and it needs and tells nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from receiving_kit import (
    ADA,
    BO,
    CY,
    DI,
    EM,
    NOW,
    Api,
    Clock,
    connect,
    id_of,
    receipt,
    send_to,
    take,
)
from sqlalchemy import select

from connector.connector import Connector, Dispatch
from connector.extension import hookimpl
from connector.ledger.tables import dispatches
from connector.model.batch import Batch
from connector.model.event import Status
from connector.model.outcome import Accepted, InDoubt, Refused, Scope
from connector.model.report import Receipt, ReceiptKind
from connector.pages.charts import LEFT, RIGHT, WIDTH, bar, curve
from connector.pages.countries import Country, countries, total
from connector.pages.course import Course, course
from connector.simulator.numbers import fictional_numbers

ALONE = {"br", "meta"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def connector(tmp_path: Path, api: Api, clock: Clock) -> Iterator[Connector]:
    with connect(tmp_path, api, clock) as made:
        yield made


class Reading:
    """A channel that tells when a message is read: `read`, and nothing else, is this hook's."""

    @hookimpl
    def connector_map_events(self, report: Any) -> list[Receipt] | None:
        if not report.body.startswith(b"read "):
            return None
        _, person, minute = report.body.decode().split()
        at = NOW + timedelta(minutes=int(minute))
        read = Receipt(ReceiptKind.message, Status.read, True, batch_key=report.batch_key, recipient=person)
        return [replace(read, occurred_at=at)]


class Page(HTMLParser):
    """A page as a reader has it: its elements, and the text in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data + " "


def shown(connector: Connector, *chosen: Dispatch) -> str:
    """The words of the page, with single spaces."""
    return " ".join(Page(connector.page(chosen)).words.split())


def report_on(connector: Connector, api: Api, person: str, status: str, code: int, **after: float) -> None:
    key = next(batch.key for batch in api.sent if person in batch.recipients)
    at = (NOW + timedelta(**after)).isoformat()
    take(connector, receipt(person, status, code, client_reference=key, at=at))


def course_of(connector: Connector, *chosen: Dispatch) -> Course | None:
    with connector.ledger.read() as connection:
        return course(connection, [dispatch.number for dispatch in chosen])


def countries_of(connector: Connector, *chosen: Dispatch) -> list[Country]:
    with connector.ledger.read() as connection:
        return countries(connection, [dispatch.number for dispatch in chosen])


def test_every_figure_is_there_and_the_sums_close(connector: Connector, api: Api) -> None:
    dispatch = send_to(connector, ADA, BO, CY, DI, EM, ADA, "nobody")
    report_on(connector, api, ADA, "Delivered", 0, minutes=1)
    report_on(connector, api, BO, "Failed", 150, minutes=2)
    report_on(connector, api, CY, "Aborted", 402, minutes=3)
    words = shown(connector, dispatch)
    assert "7 recipients = 2 skipped + 5 enqueued ✓" in words
    assert "5 enqueued = 1 delivered + 2 open + 1 rejected + 1 failed ✓" in words
    assert "does not close" not in words
    for figure in (
        "Recipients 7 rows of the list",
        "Taken by the provider 5 71.4 % of recipients",
        "Delivered 1 20.0 % of taken",
        "Not delivered 2 40.0 % of taken",
        "Skipped 2 28.6 % of recipients",
    ):
        assert figure in words, figure
    assert "No route leads to this number." in words
    assert "whoever runs the campaign: look at text, sender and list" in words
    assert "2 open Taken by the provider, without a final report so far." in words
    assert f"Dispatch {dispatch.id} through sms, started" in words
    assert "Everything is sent; 2 final reports are still awaited" in words
    assert "As the records stood on 23 November 2026, " in words


def test_it_needs_nothing_else_and_has_no_numbers(connector: Connector, api: Api) -> None:
    dispatch = send_to(connector, ADA, BO, EM, name='<script src="https://example.com/x.js">alert(1)</script>')
    report_on(connector, api, ADA, "Delivered", 0, minutes=1)
    text = connector.page([dispatch])
    page = Page(text)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object", "base"}
    assert not {name for _, attributes in page.elements for name in attributes} & {"src", "href", "onload", "onclick"}
    assert "url(" not in text and "@import" not in text
    assert '<script src="https://example.com/x.js">alert(1)</script>' in page.words
    assert (
        "meta",
        {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"},
    ) in page.elements
    for person in (ADA, BO, EM):
        assert person not in text
        assert person[-7:] not in text


def test_pictures_are_told_in_words(connector: Connector, api: Api) -> None:
    dispatch = send_to(connector, ADA, BO)
    report_on(connector, api, ADA, "Delivered", 0, minutes=1)
    text = connector.page([dispatch])
    page = Page(text)
    identities = {attributes.get("id") for _, attributes in page.elements}
    pictures = [attributes for tag, attributes in page.elements if tag == "svg" and "aria-hidden" not in attributes]
    assert len(pictures) == 2
    for attributes in pictures:
        assert attributes["role"] == "img"
        assert set(str(attributes["aria-labelledby"]).split()) <= identities
    assert page.elements[0] == ("html", {"lang": "en"})
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_what_is_in_doubt_and_what_stopped_it_is_said(connector: Connector, api: Api) -> None:
    api.send = lambda batch: InDoubt("the line broke")
    doubtful = send_to(connector, ADA, BO)
    words = shown(connector, doubtful)
    assert "2 recipients = 2 in_doubt ✓" in words
    assert "2 in doubt The provider's answer was lost" in words
    assert "The provider has taken nothing yet." in words
    assert "2 messages are still to be sent or found out" in words
    api.send = lambda batch: Refused(Scope.account, 401, advice="Copy the <token> anew.")
    stopped = send_to(connector, CY, name="autumn")
    assert "Copy the <token> anew." in shown(connector, stopped)


def test_nothing_unknown_is_said_as_well(connector: Connector, api: Api) -> None:
    dispatch = send_to(connector, ADA)
    report_on(connector, api, ADA, "Delivered", 0, minutes=1)
    words = shown(connector, dispatch)
    assert "Nothing: every message has its end" in words
    assert "Errors in plain words None." in words
    assert "Everybody has a final state" in words


def test_a_cancelled_campaign_says_so_and_whom_it_left_out(tmp_path: Path, clock: Clock) -> None:
    api = Api(batch_recipients=1)
    with connect(tmp_path, api, clock) as connector:
        # The second person's batch finds the account closed, so two of three wait when it is cancelled.
        taken = Event()

        def first_alone(batch: Batch) -> Accepted | Refused:
            if batch.recipients[0] == ADA:
                taken.set()
                return Accepted(id_of(batch))
            assert taken.wait(120)
            return Refused(Scope.account, 401)

        api.send = first_alone
        dispatch = send_to(connector, ADA, BO, CY)
        assert dispatch.cancel()
        words = shown(connector, dispatch)
        assert "The campaign was cancelled, which skipped 2 of 3 recipients: nothing is sent to them." in words
        assert "Final reports that may still come, and change these figures: 1." in words
        assert "Everything is sent" not in words
        report_on(connector, api, ADA, "Aborted", 402, minutes=1)
        assert "nothing is sent to them. No reports are awaited any more" in shown(connector, dispatch)
        api.send = lambda batch: Accepted(id_of(batch))
        other = send_to(connector, DI, EM, name="autumn")
        words = shown(connector, dispatch, other)
        assert "Cancelling 1 of the 2 dispatches skipped 2 of 5 recipients" in words
        assert "Final reports that may still come, and change these figures: 2." in words


def test_a_campaign_cancelled_in_doubt_is_not_final(connector: Connector, api: Api) -> None:
    api.send = lambda batch: InDoubt("the line broke")
    dispatch = send_to(connector, ADA, BO)
    assert dispatch.cancel()
    words = shown(connector, dispatch)
    assert "The campaign was cancelled, which skipped 0 of 2 recipients" in words
    assert "Not sent or found out about yet: 2. These figures are not final." in words


def test_an_empty_dispatch_has_a_page(connector: Connector) -> None:
    assert "0 recipients = 0 skipped ✓" in shown(connector, send_to(connector))


def test_several_dispatches_are_summed(connector: Connector, api: Api, clock: Clock) -> None:
    first = send_to(connector, ADA, "nobody")
    clock.go(hours=2)
    second = send_to(connector, BO, CY)
    report_on(connector, api, ADA, "Delivered", 0, minutes=1)
    report_on(connector, api, BO, "Delivered", 0, hours=2, minutes=1)
    words = shown(connector, first, second)
    assert "4 recipients = 1 skipped + 3 enqueued ✓" in words
    assert "3 enqueued = 2 delivered + 1 open ✓" in words
    assert first.id in words and second.id in words
    over_time = course_of(connector, first, second)
    assert over_time is not None
    assert (sum(over_time.taken), sum(over_time.delivered)) == (3, 2)
    assert total(countries_of(connector, first, second)).recipients == 4


def test_the_course_counts_everybody_once_by_the_last_state(connector: Connector, api: Api) -> None:
    dispatch = send_to(connector, ADA, BO, CY, DI)
    report_on(connector, api, ADA, "Delivered", 0, seconds=10)
    # Rejected, then failed, then delivered after all.
    report_on(connector, api, BO, "Rejected", 61, seconds=20)
    report_on(connector, api, BO, "Failed", 150, seconds=30)
    report_on(connector, api, BO, "Delivered", 0, seconds=40)
    report_on(connector, api, CY, "Rejected", 61, seconds=25)
    report_on(connector, api, CY, "Failed", 150, seconds=50)
    over_time = course_of(connector, dispatch)
    assert over_time is not None
    assert (over_time.begins_at, over_time.step) == (NOW, timedelta(seconds=1))
    assert {place: times for place, times in enumerate(over_time.delivered) if times} == {10: 1, 40: 1}
    assert {place: times for place, times in enumerate(over_time.undelivered) if times} == {50: 1}
    assert over_time.taken[0] == 4
    assert (over_time.taken_later, over_time.delivered_later, over_time.undelivered_later) == (0, 0, 0)
    assert over_time.last_at == NOW + timedelta(seconds=50)
    assert over_time.time_until(0.5) == timedelta(seconds=11)
    assert over_time.time_until(0.9) == timedelta(seconds=41)


def test_what_is_read_was_delivered_once(tmp_path: Path, api: Api, clock: Clock) -> None:
    with connect(tmp_path, api, clock, Reading()) as connector:
        dispatch = send_to(connector, ADA, BO, CY)
        report_on(connector, api, ADA, "Delivered", 0, minutes=1)
        for person, minute in ((ADA, 10), (BO, 5)):
            take(connector, f"read {person} {minute}".encode(), key=api.sent[0].key)
        over_time = course_of(connector, dispatch)
        assert over_time is not None
        assert sum(over_time.delivered) == 2
        assert over_time.time_until(0.5) == timedelta(minutes=1) + over_time.step
        assert "3 enqueued = 2 delivered + 1 open ✓" in shown(connector, dispatch)


def test_a_few_that_take_days_do_not_squeeze_the_picture(connector: Connector, api: Api) -> None:
    numbers = fictional_numbers()
    crowd = [next(numbers) for _ in range(40)]
    dispatch = send_to(connector, *crowd)
    for place, person in enumerate(crowd[:-1]):
        report_on(connector, api, person, "Delivered", 0, seconds=place)
    report_on(connector, api, crowd[-1], "Delivered", 0, days=3)
    over_time = course_of(connector, dispatch)
    assert over_time is not None
    assert len(over_time.delivered) * over_time.step < timedelta(minutes=10)
    assert sum(over_time.delivered) + over_time.delivered_later == 40
    assert over_time.delivered_later == 1
    assert "1 delivered, 0 rejected or failed." in shown(connector, dispatch)


@pytest.mark.parametrize("days", [0.001, 0.3, 3.9])
def test_no_picture_has_more_steps_than_can_be_seen(connector: Connector, api: Api, days: float) -> None:
    dispatch = send_to(connector, ADA, BO)
    report_on(connector, api, ADA, "Delivered", 0, seconds=1)
    report_on(connector, api, BO, "Delivered", 0, days=days)
    over_time = course_of(connector, dispatch)
    assert over_time is not None
    assert sum(over_time.delivered) == 2
    assert 2 <= len(over_time.delivered) <= 62
    drawn = curve(over_time)
    assert 2 <= len(drawn.times) <= 6
    assert all(0 <= tick.at <= WIDTH for tick in drawn.times)
    assert drawn.messages[-1].label == "2"


def test_labels_at_the_edges_stay_in_the_picture() -> None:
    begin = NOW.replace(hour=8, minute=0, second=0, microsecond=0)
    minutes = [1] * 10
    drawn = curve(Course(begin, timedelta(minutes=1), minutes, minutes, [0] * 10, 0, 0, 0, begin))
    first, *between, last = drawn.times
    assert (first.at, last.at) == (LEFT, WIDTH - RIGHT)
    assert (first.anchor, last.anchor) == ("start", "end")
    assert between and {tick.anchor for tick in between} == {"middle"}


def test_a_time_before_the_beginning_counts_as_the_beginning(connector: Connector, api: Api) -> None:
    """An operator's clock may be slow."""
    dispatch = send_to(connector, ADA)
    report_on(connector, api, ADA, "Delivered", 0, minutes=-5)
    over_time = course_of(connector, dispatch)
    assert over_time is not None
    assert (over_time.begins_at, over_time.delivered[0]) == (NOW, 1)


def test_countries_add_up_to_the_report(connector: Connector, api: Api) -> None:
    api.send = lambda batch: (
        Refused(Scope.recipient, 400, recipients=(0,)) if batch.recipients[0] == DI else Accepted(id_of(batch))
    )
    # Batches of three senders, the rows of one among those of another.
    mixed = ({"to": f"+{DI}", "sender": "Other"}, {"to": f"+{EM}", "sender": "Third"})
    dispatch = send_to(connector, ADA, *mixed, BO, CY, ADA, "nobody")
    report_on(connector, api, ADA, "Delivered", 0, minutes=1)
    report_on(connector, api, BO, "Failed", 150, minutes=2)
    listed = {each.code: each for each in countries_of(connector, dispatch)}
    assert listed["US"] == Country("US", 3, 1, 0, 2, 1, 1, 0, 2)
    assert listed["SE"] == Country("SE", 2, 0, 1, 1, 0, 0, 1, 1)
    assert listed["AU"] == Country("AU", 1, 0, 0, 1, 0, 0, 1, 1)
    assert listed["-"] == Country("-", 1, 1, 0, 0, 0, 0, 0, 0)
    report, whole = dispatch.report(), total(list(listed.values()))
    assert (whole.recipients, whole.skipped, whole.taken) == (report.recipients, report.skipped.total, report.enqueued)
    assert (whole.delivered, whole.undelivered) == (report.delivered, report.rejected + report.failed)
    assert (whole.without_end, whole.parts) == (report.open + report.unconfirmed, report.number_of_message_parts)
    assert [listed[code].calling_code for code in ("US", "SE", "-")] == ["+1", "+46", ""]


def test_parts_of_a_bar_fill_it() -> None:
    segments = bar([("delivered", 900), ("open", 0), ("failed", 99), ("rejected", 1)])
    assert [segment.name for segment in segments] == ["delivered", "failed", "rejected"]
    assert segments[1].x == pytest.approx(segments[0].width)
    assert segments[-1].x + segments[-1].width == pytest.approx(WIDTH)
    assert bar([("open", 0)]) == []


def test_all_of_it_is_of_one_moment(connector: Connector, api: Api) -> None:
    """A report that comes while the page is made belongs to the next one."""
    dispatch = send_to(connector, ADA, BO)
    report_on(connector, api, ADA, "Delivered", 0, minutes=1)
    with connector.ledger.read() as connection:
        connection.execute(select(dispatches)).all()
        report_on(connector, api, BO, "Delivered", 0, minutes=2)
        counted: Any = course(connection, [dispatch.number])
        assert sum(counted.delivered) == 1
        assert countries(connection, [dispatch.number])[0].delivered == 1
    assert "Delivered 2 100.0 % of taken" in shown(connector, dispatch)
