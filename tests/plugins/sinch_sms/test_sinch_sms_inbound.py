"""Reading the list of messages that people sent."""

from datetime import UTC, datetime, timedelta

import pytest
from answering_api import Api
from connector_sinch.sms.connection import Connection
from connector_sinch.sms.listing import pages
from connector_sinch.sms.provider import SinchSms
from connector_sinch.sms.settings import SmsSettings
from sinch_sms_kit import NUMBERS, PLAN, TOKEN, secret

from connector.http import Http
from connector.model.errors import ReadFailed
from connector.model.report import ReceiptKind, ReportSource


def message(number: int) -> dict[str, object]:
    return {
        "type": "mo_text",
        "id": f"01MO{number:03}",
        "from": NUMBERS[number % 4],
        "to": "12015550199",
        "body": f"Message {number}",
        "received_at": "2026-11-23T09:30:00.000Z",
    }


def page(numbers: range, count: int) -> dict[str, object]:
    return {"count": count, "page": 0, "page_size": len(numbers), "inbounds": [message(number) for number in numbers]}


def ids(provider: SinchSms, since: datetime) -> list[str | None]:
    return [receipt.provider_id for report in provider.inbound(since) for receipt in provider.parse(report)]


@pytest.fixture
def since() -> datetime:
    return datetime.now(UTC) - timedelta(hours=2)


def test_it_is_read_page_by_page_since_a_time(provider: SinchSms, api: Api, since: datetime):
    api.will(200, page(range(2), 3)).will(200, page(range(2, 3), 3))
    reports = list(provider.inbound(since))
    assert [report.source for report in reports] == [ReportSource.poll] * 2
    assert not any(report.closes or report.batch_key for report in reports)
    receipts = [receipt for report in reports for receipt in provider.parse(report)]
    assert [(receipt.kind, receipt.provider_id, receipt.text) for receipt in receipts] == [
        (ReceiptKind.person, f"01MO{number:03}", f"Message {number}") for number in range(3)
    ]
    assert [(seen.path, seen.query["page"]) for seen in api.seen] == [
        (f"/xms/v1/{PLAN}/inbounds", "0"),
        (f"/xms/v1/{PLAN}/inbounds", "1"),
    ]
    assert {seen.query["start_date"] for seen in api.seen} == {since.isoformat(timespec="milliseconds")[:-6] + "Z"}


def test_an_empty_list_is_one_report(provider: SinchSms, api: Api, since: datetime):
    api.will(200, page(range(0), 0))
    assert ids(provider, since) == []
    assert len(api.seen) == 1


def test_messages_that_come_in_meanwhile_move_the_others_on_and_none_is_lost(
    provider: SinchSms, api: Api, since: datetime
):
    """Newest first: while the list of 4 is read by twos, two more come in."""
    api.will(200, page(range(2), 4)).will(200, page(range(2), 6)).will(200, page(range(2, 4), 6))
    assert set(ids(provider, since)) == {f"01MO{number:03}" for number in range(4)}


def test_more_than_a_hundred_pages_are_read(provider: SinchSms, api: Api, since: datetime):
    for number in range(102):
        api.will(200, page(range(number, number + 1), 102))
    assert len(ids(provider, since)) == 102


def test_what_is_too_long_ago_is_not_asked_for(provider: SinchSms, api: Api):
    api.will(200, page(range(0), 0))
    before = datetime.now(UTC)
    ids(provider, before - timedelta(days=400))
    asked = datetime.fromisoformat(api.seen[0].query["start_date"])
    assert abs(before - timedelta(days=14) - asked) < timedelta(hours=1)


@pytest.mark.parametrize(
    ("answers", "read_pages"),
    [
        pytest.param([(200, page(range(2), 5)), (200, page(range(0), 5))], 2, id="it ends early"),
        pytest.param([(200, page(range(2), 3)), (503, b"")], 1, id="a page fails"),
        pytest.param([(200, {"inbounds": []})], 0, id="no count"),
        pytest.param([(401, b"")], 0, id="refused"),
        pytest.param([(404, b"")], 0, id="unknown plan"),
    ],
)
def test_a_list_that_is_not_whole_is_an_error_after_what_could_be_read(
    provider: SinchSms, api: Api, since, answers, read_pages
):
    for status, body in answers:
        api.will(status, body)
    read = []
    with pytest.raises(ReadFailed):
        for report in provider.inbound(since):
            read.append(report)
    assert len(read) == read_pages


def test_a_list_without_an_end_is_left_at_some_point(http: Http, api: Api):
    settings = SmsSettings(service_plan_id=PLAN, api_token=secret(TOKEN), region="eu", base_url=api.url)
    api.will(200, page(range(1), 1_000_000))
    read = list(pages(Connection(settings, http), "inbounds", {}, most=3))
    assert [each.count for each in read] == [1_000_000] * 3
    assert [seen.query["page"] for seen in api.seen] == ["0", "1", "2"]
