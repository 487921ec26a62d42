"""Binary and media messages."""

import base64
import json
from collections.abc import Callable
from typing import Any

from callback_receiver import Receiver
from plan_client import ANNA, BERT, Plan, refusal

Plans = Callable[..., Plan]
CONSTRAINT = (400, "syntax_constraint_violation")
FORMAT = (400, "syntax_invalid_parameter_format")
PICTURE = {"url": "https://example.com/shop.png"}


def data(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


def binary(**fields: Any) -> dict[str, Any]:
    return {"type": "mt_binary", "to": [ANNA], "from": "12015550100", "body": data(10), "udh": "0500", **fields}


def media(**fields: Any) -> dict[str, Any]:
    return {"type": "mt_media", "to": [ANNA, BERT], "from": "12015550100", "body": PICTURE, **fields}


def test_a_binary_message_comes_back_as_it_was_sent(plan: Plans) -> None:
    plan = plan()
    batch = plan.post(binary(from_ton=1, from_npi=18, client_reference="a")).json()
    assert {name: batch[name] for name in binary()} == binary()
    assert "flash_message" not in batch
    plan.idle()
    assert plan.get(f"batches/{batch['id']}/delivery_report")["type"] == "delivery_report_sms"


def test_body_and_header_of_a_binary_message_have_140_bytes_together(plan: Plans) -> None:
    plan = plan()
    assert plan.post(binary(body=data(138))).status_code == 201
    assert plan.post(binary(body=data(0), udh="00" * 140)).status_code == 201
    assert refusal(plan.post(binary(body=data(139)))) == CONSTRAINT


def test_a_wrong_binary_message_is_refused(plan: Plans) -> None:
    plan = plan()
    for fields, expected in (
        ({"body": "not base64!"}, FORMAT),
        ({"body": 7}, FORMAT),
        ({"udh": "0"}, FORMAT),
        ({"udh": "xy"}, FORMAT),
        ({"udh": None}, CONSTRAINT),
        ({"parameters": {}}, CONSTRAINT),
        ({"flash_message": True}, CONSTRAINT),
        ({"max_number_of_message_parts": 1}, CONSTRAINT),
    ):
        assert refusal(plan.post(binary(**fields))) == expected, fields


def test_an_update_of_a_binary_message_brings_its_header(plan: Plans) -> None:
    plan = plan()
    batch = plan.post(binary(send_at="2099-01-01T00:00:00Z")).json()
    assert refusal(plan.call("POST", f"batches/{batch['id']}", {"type": "mt_binary", "body": data(4)})) == CONSTRAINT
    changed = plan.call("POST", f"batches/{batch['id']}", {"body": data(4), "udh": "06"}).json()
    assert (changed["body"], changed["udh"]) == (data(4), "06")


def test_a_media_message_is_reported_as_one(plan: Plans, receiver: Receiver) -> None:
    plan = plan()
    body = {**PICTURE, "message": "Hi ${name}", "subject": "Opening"}
    sent = media(body=body, parameters={"name": {ANNA: "Anna"}}, strict_validation=True)
    batch = plan.post({**sent, "delivery_report": "per_recipient_final", "callback_url": receiver.url}).json()
    assert {name: batch[name] for name in sent} == sent
    plan.idle()
    told = {report["recipient"]: report for report in (json.loads(received.body) for received in receiver.received)}
    assert {report["type"] for report in told.values()} == {"recipient_delivery_report_mms"}
    assert (told[ANNA]["status"], told[BERT]["code"]) == ("Delivered", 405)
    assert plan.get(f"batches/{batch['id']}/delivery_report")["type"] == "delivery_report_mms"
    assert plan.get(f"batches/{batch['id']}/delivery_report/{ANNA}")["type"] == "recipient_delivery_report_mms"


def test_a_wrong_media_message_is_refused(plan: Plans) -> None:
    plan = plan()
    for fields, expected in (
        ({"body": "https://example.com/shop.png"}, CONSTRAINT),
        ({"body": {"message": "text alone"}}, CONSTRAINT),
        ({"body": {"url": "shop.png"}}, FORMAT),
        ({"body": {**PICTURE, "subjct": "Opening"}}, CONSTRAINT),
        ({"body": {**PICTURE, "message": "a" * 2001}}, CONSTRAINT),
        ({"udh": "00"}, CONSTRAINT),
        ({"from_ton": 1}, CONSTRAINT),
        ({"truncate_concat": True}, CONSTRAINT),
        ({"strict_validation": "yes"}, CONSTRAINT),
    ):
        assert refusal(plan.post(media(**fields))) == expected, fields


def test_a_dry_run_knows_every_type(plan: Plans) -> None:
    plan = plan()
    long = {**PICTURE, "message": "ш" * 500}
    for batch, body, count, encoding in ((binary(), data(10), 1, "text"), (media(body=long), "ш" * 500, 2, "unicode")):
        told = plan.call("POST", "batches/dry_run", batch, per_recipient="true").json()
        assert told["number_of_messages"] == count
        assert told["per_recipient"][0] == {
            "recipient": ANNA,
            "body": body,
            "number_of_parts": 1,
            "encoding": encoding,
        }
