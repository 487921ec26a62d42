"""What people write back."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from callback_receiver import Receiver
from plan_client import ANNA, BERT, Plan

Plans = Callable[..., Plan]


def test_a_person_writes_to_the_number_that_wrote_last(plan: Plans) -> None:
    plan = plan()
    assert plan.written(**{"from": ANNA, "body": "Hello?"})["to"] == "12015550100"
    plan.send(to=[ANNA], **{"from": "+12015550111"})
    plan.send(to=[BERT], **{"from": "+12015550112"})
    plan.idle()
    assert plan.written(**{"from": ANNA, "body": "Thanks"})["to"] == "12015550111"
    plan.send(to=[ANNA], **{"from": "Bookshop"})
    plan.idle()
    assert plan.written(**{"from": ANNA, "body": "Thanks"})["to"] == "12015550100"
    assert plan.written(**{"from": ANNA, "body": "Thanks", "to": "+54321"})["to"] == "54321"


@pytest.mark.parametrize(("option", "reference"), [(False, None), (True, "order-7")])
def test_a_reply_carries_the_reference_of_what_it_answers_where_that_is_set_up(
    plan: Plans, option: bool, reference: str | None
) -> None:
    plan = plan(reply_references=option)
    plan.send(to=[ANNA], client_reference="order-7")
    plan.idle()
    assert plan.written(**{"from": ANNA, "body": "Thanks"}).get("client_reference") == reference
    assert plan.written(**{"from": BERT, "body": "Hello?"}).get("client_reference") is None
    given = plan.written(**{"from": ANNA, "body": "Thanks", "client_reference": "another"})
    assert given["client_reference"] == "another"


def test_it_is_called_back_to_the_plan_or_where_it_is_said(plan: Plans, receiver: Receiver) -> None:
    plan = plan(callback_url=receiver.url)
    plan.written(**{"from": ANNA, "body": "one"})
    plan.written(**{"from": ANNA, "body": "two", "callback_url": f"{receiver.url}/elsewhere"})
    plan.idle()
    told = {json.loads(received.body)["body"]: received for received in receiver.received}
    assert told["one"].path == "/callbacks/x"
    assert told["two"].path == "/callbacks/x/elsewhere"
    assert "x-sinch-webhook-signature" in told["one"].headers


def test_nobody_is_called_back_where_the_plan_has_no_address(plan: Plans) -> None:
    plan = plan()
    plan.written(**{"from": ANNA, "body": "STOP"})
    assert plan.account()["callbacks"]["sent"] == plan.account()["callbacks"]["waiting"] == 0
    assert plan.get("inbounds")["count"] == 1


def test_inbound_messages_come_newest_first(plan: Plans) -> None:
    plan = plan()
    for text in ("one", "two", "three"):
        plan.written(**{"from": ANNA, "body": text})
    assert [each["body"] for each in plan.get("inbounds", page_size=2)["inbounds"]] == ["three", "two"]
    assert plan.get("inbounds", start_date="2020-01-01", end_date="2020-01-02")["count"] == 0


IMPOSSIBLE: list[dict[str, Any]] = [
    {"body": "STOP"},
    {"from": ANNA},
    {"from": ANNA, "body": 5},
    {"from": ANNA, "body": "STOP", "type": "mo_video"},
    {"from": ANNA, "body": "STOP", "type": 5},
    {"from": ANNA, "body": "not base64!", "type": "mo_binary"},
    {"from": ANNA, "body": "STOP", "type": "mo_media"},
    {"from": ANNA, "body": {"media": [{"url": "https://example.com"}]}, "type": "mo_media"},
    {"from": ANNA, "body": "STOP", "callback_url": "here"},
    {"from": ANNA, "body": "STOP", "udh": "00"},
]


def test_what_no_person_can_write_is_refused_with_a_reason(plan: Plans) -> None:
    plan = plan()
    for content in IMPOSSIBLE:
        answer = plan.http.post("/_simulator/inbound", json=content)
        assert answer.status_code == 400, content
        assert "field" in answer.json()["error"] or "parameter" in answer.json()["error"], content
    assert plan.get("inbounds")["count"] == 0


def test_a_listing_can_leave_out_what_it_counts(plan: Plans) -> None:
    plan = plan(faults={"listing_truncated": "1x2"})
    for _ in range(5):
        plan.send()
    shown = [plan.get("batches") for _ in range(3)]
    assert [(page["count"], len(page["batches"])) for page in shown] == [(5, 2), (5, 2), (5, 5)]
