"""Looking up, polling, cancelling, checking."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from answering_api import Api
from connector_sinch.sms.provider import SinchSms
from sinch_sms_kit import NUMBERS, PLAN, make_batch

from connector.extension import Secret
from connector.model.batch import Batch
from connector.model.errors import ConfigurationError, ReadFailed, ReadRefused
from connector.model.outcome import Found, FoundState
from connector.model.report import ReportSource

BATCHES = f"/xms/v1/{PLAN}/batches"


def listed(*batches: object, count: int | None = None, name: str = "batches") -> dict[str, object]:
    return {"count": len(batches) if count is None else count, "page": 0, "page_size": len(batches), name: batches}


def entry(batch_id: object, reference: str = "d1-0-0", *, created: str = "09:31", canceled: bool = False):
    created_at = f"2026-11-23T{created}:00.000Z"
    return {"id": batch_id, "client_reference": reference, "canceled": canceled, "created_at": created_at}


def test_a_batch_is_looked_up_by_its_key_from_well_before(provider: SinchSms, api: Api):
    api.will(200, listed())
    assert provider.find(make_batch()) == Found(FoundState.absent)
    (seen,) = api.seen
    assert (seen.method, seen.path) == ("GET", BATCHES)
    assert seen.query == {
        "client_reference": "d1-0-0",
        "start_date": "2026-11-23T08:30:00.000Z",
        "page_size": "100",
        "page": "0",
    }


def test_accepted_copies_come_oldest_first_without_the_cancelled(provider, api):
    api.will(200, listed(entry("third", created="09:50"), entry("gone", canceled=True), count=4))
    api.will(200, listed(entry("first", created="09:31"), entry("second", created="09:40"), count=4))
    assert provider.find(make_batch()) == Found(FoundState.accepted, ("first", "second", "third"))
    assert [seen.query["page"] for seen in api.seen] == ["0", "1"]


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([(200, listed(entry("other", "another")))], id="the filter is not obeyed"),
        pytest.param([(200, listed(entry("gone", canceled=True)))], id="only a cancelled copy"),
        pytest.param([(200, listed(entry(None)))], id="no id"),
        pytest.param([(200, listed(count=2))], id="fewer than it says"),
        pytest.param([(200, listed(entry("other", "another"), count=2)), (200, listed(count=2))], id="a page is short"),
        pytest.param([(200, {"batches": []})], id="no count"),
        pytest.param([(200, {"count": 0})], id="no list"),
        pytest.param([(200, {"count": 1, "batches": ["odd"]})], id="odd entries"),
        pytest.param([(200, [])], id="a bare list"),
        pytest.param([(200, b"<html></html>")], id="not JSON"),
        pytest.param([(404, b"")], id="unknown plan"),
        pytest.param([(401, b"")], id="wrong token"),
        pytest.param([(403, b"")], id="forbidden"),
        pytest.param([(400, b"")], id="refused"),
        pytest.param([(429, b"")], id="throttled"),
        pytest.param([(500, b"")], id="broken"),
        pytest.param([(0, b"")], id="lost"),
    ],
)
def test_anything_but_a_full_answer_cannot_tell(provider, api, answers):
    for status, body in answers:
        api.will(status, body)
    found = provider.find(make_batch())
    assert (found.state, found.provider_batch_ids) == (FoundState.cannot_tell, ())
    assert found.cause


def test_our_batch_among_others_is_accepted_all_the_same(provider, api):
    api.will(200, listed(entry("other", "another"), entry("ours")))
    assert provider.find(make_batch()) == Found(FoundState.accepted, ("ours",))


def test_beyond_what_is_listed_nobody_can_tell(provider, api):
    batch = make_batch()
    given = {name: getattr(batch, name) for name in batch.__slots__}
    old = Batch(**{**given, "first_sent_at": batch.first_sent_at - timedelta(days=14)})
    assert provider.find(old).state is FoundState.cannot_tell
    assert api.seen == []


def test_a_read_that_fails_once_is_asked_again(provider, api):
    api.will(503).will(200, listed(entry("ours")))
    assert provider.find(make_batch()).state is FoundState.accepted


def test_without_a_token_nobody_can_tell(make_provider, api):
    def absent(reference: str) -> str:
        raise ConfigurationError("The variable OF_TESTS is not set.")

    provider = make_provider(api.url, api_token=Secret("env:OF_TESTS", absent))
    assert "OF_TESTS" in provider.find(make_batch()).cause
    with pytest.raises(ReadFailed, match="OF_TESTS"):
        list(provider.poll(make_batch(provider_batch_id="01BATCH")))


def test_polling_reads_the_list_and_then_the_whole_batch(provider, api):
    reports = [
        {"type": "recipient_delivery_report_sms", "batch_id": "01BATCH", "recipient": number, "status": "Delivered"}
        for number in NUMBERS[:2]
    ]
    api.will(200, listed(reports[0], count=2, name="delivery_reports"))
    api.will(200, listed(reports[1], count=2, name="delivery_reports"))
    api.will(200, {"type": "delivery_report_sms", "batch_id": "01BATCH", "statuses": [], "total_message_count": 0})
    polled = list(provider.poll(make_batch(provider_batch_id="01BATCH")))
    assert [(report.source, report.closes, report.batch_key) for report in polled] == [
        (ReportSource.poll, False, "d1-0-0"),
        (ReportSource.poll, False, "d1-0-0"),
        (ReportSource.poll, True, "d1-0-0"),
    ]
    assert [(seen.path, seen.query.get("page"), seen.query.get("type")) for seen in api.seen] == [
        (f"/xms/v1/{PLAN}/delivery_reports", "0", None),
        (f"/xms/v1/{PLAN}/delivery_reports", "1", None),
        (f"{BATCHES}/01BATCH/delivery_report", None, "full"),
    ]
    assert {seen.query.get("client_reference") for seen in api.seen[:2]} == {"d1-0-0"}
    assert api.seen[0].query["start_date"] == "2026-11-23T08:30:00.000Z"
    assert [receipt.recipient for report in polled for receipt in provider.parse(report)] == [*NUMBERS[:2], None]


@pytest.mark.parametrize(
    ("status", "body"), [(404, b""), (200, b"odd"), (200, {"type": "delivery_report_sms"}), (500, b""), (401, b"")]
)
def test_without_the_report_of_the_batch_nothing_closes(provider, api, status, body):
    api.will(200, listed(name="delivery_reports")).will(status, body)
    closing = []
    with pytest.raises(ReadFailed):
        for report in provider.poll(make_batch(provider_batch_id="01BATCH")):
            closing.append(report.closes)
    assert closing == [False]


def test_a_list_that_cannot_be_read_fails_the_poll(provider, api):
    api.will(200, {"reports": []})
    with pytest.raises(ReadFailed):
        list(provider.poll(make_batch(provider_batch_id="01BATCH")))


def test_a_list_that_ends_early_does_not_keep_the_batch_open(provider, api):
    api.will(200, listed(count=5, name="delivery_reports")).will(200, {"statuses": []})
    assert [report.closes for report in provider.poll(make_batch(provider_batch_id="01BATCH"))] == [False, True]


def test_a_batch_without_an_id_cannot_be_polled(provider, api):
    with pytest.raises(ReadFailed):
        list(provider.poll(make_batch()))
    assert api.seen == []


@pytest.mark.parametrize(
    ("status", "body", "confirmed"),
    [
        (200, entry("01/BATCH", canceled=True), True),
        (200, entry("01/BATCH", canceled=False), False),
        (400, {"code": "conflict_send_at", "text": "Sent."}, False),
        (409, b"", False),
    ],
)
def test_a_cancel_is_what_the_api_confirms(provider, api, status, body, confirmed):
    api.will(status, body)
    assert provider.cancel("01/BATCH") is confirmed
    assert (api.seen[0].method, api.seen[0].path) == ("DELETE", f"{BATCHES}/01%2FBATCH")


@pytest.mark.parametrize("status", [200, 404])
def test_a_cancel_that_says_nothing_is_no_answer(provider, api, status):
    """A batch that isn't there was not sent either: taking this for "sent already" could lose its messages."""
    api.will(status, b"")
    with pytest.raises(ReadFailed):
        provider.cancel("01/BATCH")


@pytest.mark.parametrize(("status", "kind"), [(401, ReadRefused), (403, ReadRefused), (503, ReadFailed)])
def test_a_cancel_that_is_not_answered_fails(provider, api, status, kind):
    api.will(status)
    with pytest.raises(kind):
        provider.cancel("01BATCH")


def http_time(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def test_a_good_check_says_what_it_could_not_prove(provider, api):
    api.will(200, listed(), date=http_time(datetime.now(UTC)))
    results = {result.name: result for result in provider.check()}
    assert (api.seen[0].path, api.seen[0].query) == (BATCHES, {"page_size": "1"})
    assert {name: result.ok for name, result in results.items()} == {
        "credentials": True,
        "clock": True,
        "sending": None,
        "callbacks": None,
    }
    assert PLAN in results["credentials"].message
    assert "callback_secret" in results["callbacks"].message


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"", ["api_token", "service_plan_id", "region", "HTTP 401"]),
        (403, b"", ["api_token", "HTTP 403"]),
        (404, b"", ["service_plan_id", "region"]),
        (200, b"<html>welcome</html>", ["base_url"]),
        (503, b"", ["base_url"]),
    ],
)
def test_a_failed_check_says_what_to_do(provider, api, status, body, words):
    api.will(status, body)
    (result,) = provider.check()
    assert (result.name, result.ok) == ("credentials", False)
    assert [word for word in words if word not in result.message] == []


def test_a_clock_that_is_off_is_told(provider, api):
    api.will(200, listed(), date=http_time(datetime.now(UTC) - timedelta(hours=1)))
    (clock,) = [result for result in provider.check() if result.name == "clock"]
    assert clock.ok is False


@pytest.mark.parametrize("header", [{}, {"date": "noon"}])
def test_without_a_readable_date_nothing_is_said_of_the_clock(provider, api, header):
    api.will(200, listed(), **header)
    assert "clock" not in [result.name for result in provider.check()]


def test_a_set_callback_secret_is_not_proved_by_a_check(make_provider, api):
    api.will(200, listed())
    provider = make_provider(api.url, callback_username="u", callback_password=Secret("env:P", lambda reference: "p"))
    (callbacks,) = [result for result in provider.check() if result.name == "callbacks"]
    assert callbacks.ok is None
    assert "first one" in callbacks.message
