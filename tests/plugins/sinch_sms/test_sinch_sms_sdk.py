"""What leaves us is what the official SDK sends for the same batch."""

from datetime import UTC, datetime

import pytest
from answering_api import Api, Seen
from connector_sinch.sms.provider import SinchSms
from sinch import SinchClient
from sinch_sms_kit import NUMBERS, PLAN, TOKEN, make_batch

from connector.model.outcome import Accepted

SEND_AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
EXPIRE_AT = datetime(2026, 12, 3, 9, 30, tzinfo=UTC)
CALLBACK = "https://hooks.example.com/webhooks/x/d1-0-0"
TAKEN = {
    "id": "01BATCH",
    "to": NUMBERS[:2],
    "from": "Shop",
    "canceled": False,
    "body": "Hi",
    "type": "mt_text",
    "created_at": "2026-11-23T09:30:00.000Z",
    "modified_at": "2026-11-23T09:30:00.000Z",
    "delivery_report": "none",
    "expire_at": "2026-11-26T09:30:00.000Z",
    "flash_message": False,
    "feedback_enabled": False,
}


def with_moments(body: dict[str, object]) -> dict[str, object]:
    """The two write the same moments with and without milliseconds."""
    return {
        name: datetime.fromisoformat(str(value)) if name in ("send_at", "expire_at") else value
        for name, value in body.items()
    }


def sent(seen: Seen) -> tuple[object, ...]:
    return seen.method, seen.path, seen.query, seen.headers["authorization"], with_moments(seen.json)


@pytest.fixture
def sdk(api: Api) -> SinchClient:
    client = SinchClient(service_plan_id=PLAN, sms_api_token=TOKEN, sms_region="eu")
    client.configuration.sms_origin_with_service_plan_id = api.url
    return client


def test_a_personalised_batch(provider: SinchSms, sdk: SinchClient, api: Api):
    api.will(201, TAKEN)
    batch = make_batch(
        "Hi ${name}, ${code}",
        [("Ada", "A1"), (None, "B2")],
        defaults={"name": "you"},
        callback_url=CALLBACK,
        send_at=SEND_AT,
        expire_at=EXPIRE_AT,
    )
    assert provider.send(batch) == Accepted("01BATCH")
    sdk.sms.batches.send_sms(
        to=NUMBERS[:2],
        from_="Shop",
        body="Hi ${name}, ${code}",
        parameters={
            "name": {NUMBERS[0]: "Ada", "default": "you"},
            "code": {NUMBERS[0]: "A1", NUMBERS[1]: "B2"},
        },
        client_reference="d1-0-0",
        delivery_report="per_recipient_final",
        event_destination_target=CALLBACK,
        max_number_of_message_parts=3,
        send_at=SEND_AT,
        expire_at=EXPIRE_AT,
    )
    ours, theirs = api.seen
    assert sent(ours) == sent(theirs)


def test_a_plain_batch(provider: SinchSms, sdk: SinchClient, api: Api):
    api.will(201, TAKEN)
    provider.send(make_batch("Hi", sender="12015550199"))
    sdk.sms.batches.send_sms(
        to=NUMBERS[:2],
        from_="12015550199",
        body="Hi",
        client_reference="d1-0-0",
        delivery_report="none",
        max_number_of_message_parts=3,
    )
    ours, theirs = api.seen
    assert sent(ours) == sent(theirs)


def test_looking_up_polling_and_cancelling_go_to_the_same_places(provider: SinchSms, sdk: SinchClient, api: Api):
    api.will(200, {"count": 0, "page": 0, "page_size": 0, "batches": [], "delivery_reports": []})
    provider.find(make_batch())
    sdk.sms.batches.list(
        page=0, page_size=100, client_reference="d1-0-0", start_date=datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    )
    api.will(200, {"type": "delivery_report_sms", "batch_id": "01BATCH", "total_message_count": 0, "statuses": []})
    list(provider.poll(make_batch(provider_batch_id="01BATCH")))
    sdk.sms.delivery_reports.get(batch_id="01BATCH", report_type="full")
    api.will(200, TAKEN | {"canceled": True})
    provider.cancel("01BATCH")
    sdk.sms.batches.cancel(batch_id="01BATCH")
    # The SDK repeats the id of the path in the query, where the API knows no such parameter.
    places = [(seen.method, seen.path, sorted(set(seen.query) - {"batch_id"})) for seen in api.seen]
    assert places[0] == places[1]
    assert places[3] == places[4]
    assert places[5] == places[6]
