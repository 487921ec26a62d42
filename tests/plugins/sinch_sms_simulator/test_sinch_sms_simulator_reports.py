import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import phonenumbers
import pytest
from callback_receiver import Receiver
from connector_sinch.sms.settings import SmsSettings
from connector_sinch.sms.simulator import SIMULATOR
from connector_sinch.sms.simulator_service import RETRY_WAITS
from plan_client import ANNA, BERT, CARA, Plan

from connector.model.campaign import Campaign
from connector.model.text import Template
from connector.simulator import find

Plans = Callable[..., Plan]
ENDINGS = {ANNA[-4:]: "Delivered:0", BERT[-4:]: "Failed:150"}


def reports(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(received.body) for received in receiver.received]


def test_every_recipient_is_reported_once_with_its_end(plan: Plans, receiver: Receiver) -> None:
    plan = plan(endings=ENDINGS)
    batch = plan.send(
        delivery_report="per_recipient_final",
        callback_url=receiver.url,
        client_reference="order-7",
        max_number_of_message_parts=2,
    )
    plan.idle()
    by_number = {report["recipient"]: report for report in reports(receiver)}
    assert len(receiver.received) == 2
    delivered, failed = by_number[ANNA], by_number[BERT]
    assert (failed["status"], failed["code"]) == ("Failed", 150)
    assert datetime.fromisoformat(delivered.pop("at")) >= datetime.fromisoformat(delivered.pop("operator_status_at"))
    assert delivered == {
        "type": "recipient_delivery_report_sms",
        "batch_id": batch["id"],
        "recipient": ANNA,
        "code": 0,
        "status": "Delivered",
        "client_reference": "order-7",
        "number_of_message_parts": 1,
    }


def test_parts_are_told_only_where_they_are_limited(plan: Plans, receiver: Receiver) -> None:
    plan = plan()
    plan.send(delivery_report="per_recipient_final", callback_url=receiver.url)
    plan.idle()
    assert all("number_of_message_parts" not in report for report in reports(receiver))


def test_callbacks_are_signed(plan: Plans, receiver: Receiver) -> None:
    plan = plan(callback_secret="a secret of the test")
    plan.send(delivery_report="per_recipient_final", callback_url=receiver.url)
    plan.idle()
    nonces = set()
    for received in receiver.received:
        headers = {name.removeprefix("x-sinch-webhook-"): value for name, value in received.headers.items()}
        signed = received.body + f".{headers['signature-nonce']}.{headers['signature-timestamp']}".encode()
        expected = base64.b64encode(hmac.digest(b"a secret of the test", signed, hashlib.sha256)).decode()
        assert headers["signature"] == expected
        assert headers["signature-algorithm"] == "HmacSHA256"
        nonces.add(headers["signature-nonce"])
    assert len(nonces) == 2


def test_a_callback_that_is_tried_again_keeps_its_signature(plan: Plans, receiver: Receiver) -> None:
    plan = plan()
    receiver.statuses.extend([503, 429])
    plan.send(to=[ANNA], delivery_report="per_recipient_final", callback_url=receiver.url)
    plan.idle()
    assert len(receiver.received) == 3
    assert len({received.headers["x-sinch-webhook-signature"] for received in receiver.received}) == 1


def test_callbacks_are_tried_again_after_5_10_20_and_at_last_81920_seconds() -> None:
    waits = [SIMULATOR.Options().retry_seconds * wait for wait in RETRY_WAITS]
    assert (waits[:3], waits[-1], len(waits)) == ([5, 10, 20], 81_920, 15)


def test_callbacks_carry_no_signature_without_a_secret(plan: Plans, receiver: Receiver) -> None:
    plan = plan(callback_secret=None)
    plan.send(delivery_report="per_recipient_final", callback_url=receiver.url)
    plan.idle()
    assert not [name for received in receiver.received for name in received.headers if "signature" in name]


def test_a_plan_may_have_an_address_of_its_own(plan: Plans, receiver: Receiver) -> None:
    plan = plan(callback_url=receiver.url)
    plan.send(delivery_report="per_recipient_final")
    plan.idle()
    assert len(receiver.received) == 2


def test_every_step_is_reported_where_that_is_asked_for(plan: Plans, receiver: Receiver) -> None:
    plan = plan(callback_connections=1)
    plan.send(to=[ANNA], delivery_report="per_recipient", callback_url=receiver.url)
    plan.idle()
    assert [(report["status"], report["code"]) for report in reports(receiver)] == [
        ("Queued", 400),
        ("Dispatched", 401),
        ("Delivered", 0),
    ]


@pytest.mark.parametrize("kind", ["summary", "full"])
def test_one_report_comes_when_the_whole_batch_is_final(plan: Plans, receiver: Receiver, kind: str) -> None:
    plan = plan(endings=ENDINGS)
    batch = plan.send(
        to=[ANNA, BERT, CARA],
        body="Code ${code}",
        parameters={"code": {ANNA: "1", BERT: "2"}},
        delivery_report=kind,
        callback_url=receiver.url,
    )
    plan.idle()
    (report,) = reports(receiver)
    assert (report["type"], report["batch_id"], report["total_message_count"]) == (
        "delivery_report_sms",
        batch["id"],
        3,
    )
    told = {entry["code"]: (entry["status"], entry["count"], entry.get("recipients")) for entry in report["statuses"]}
    full = kind == "full"
    assert told == {
        0: ("Delivered", 1, [ANNA] if full else None),
        150: ("Failed", 1, [BERT] if full else None),
        405: ("Aborted", 1, [CARA] if full else None),
    }


def test_what_is_wrong_with_one_message_ends_that_one(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(
        to=[ANNA, BERT, CARA],
        body="Code ${code}${more}",
        parameters={"code": {ANNA: "1", CARA: "3"}, "more": {CARA: "x" * 160, "default": "!"}},
        max_number_of_message_parts=1,
    )
    plan.idle()
    told = {number: plan.get(f"batches/{batch['id']}/delivery_report/{number}") for number in (ANNA, BERT, CARA)}
    assert {number: (report["code"], report["status"]) for number, report in told.items()} == {
        ANNA: (0, "Delivered"),
        BERT: (405, "Aborted"),
        CARA: (411, "Aborted"),
    }
    assert told[CARA]["number_of_message_parts"] == 2
    assert "number_of_message_parts" not in told[BERT]
    assert "operator_status_at" not in told[CARA]


def test_a_value_is_never_expanded_again(plan: Plans) -> None:
    plan = plan()
    parameters = {"name": {ANNA: "${code}"}, "code": {"default": "x" * 160}}
    batch = plan.send(to=[ANNA], body="Hi ${name}", parameters=parameters, max_number_of_message_parts=1)
    plan.idle()
    assert plan.get(f"batches/{batch['id']}/delivery_report/{ANNA}")["code"] == 0


def test_a_cut_message_has_one_part(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(to=[ANNA], body="x" * 400, max_number_of_message_parts=1, truncate_concat=True)
    plan.idle()
    assert plan.get(f"batches/{batch['id']}/delivery_report/{ANNA}")["number_of_message_parts"] == 1


def test_without_an_originator_messages_are_aborted(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(to=[ANNA], **{"from": None})
    plan.idle()
    assert plan.get(f"batches/{batch['id']}/delivery_report/{ANNA}")["code"] == 410


def test_a_message_that_waits_past_its_expiry_is_aborted(plan: Plans) -> None:
    plan = plan()
    plan.hold("queue")
    expire_at = datetime.now(UTC) + timedelta(seconds=0.2)
    batch = plan.send(to=[ANNA], expire_at=expire_at.isoformat())
    while datetime.now(UTC) < expire_at:
        pass
    plan.release()
    plan.idle()
    assert plan.get(f"batches/{batch['id']}/delivery_report/{ANNA}")["code"] == 406


def test_countries_and_phases_have_outcomes_of_their_own(plan: Plans) -> None:
    plan = plan(countries={"SE": "Failed:150"}, phases=[{"endings": {BERT: "Rejected:61"}}])
    batch = plan.send(to=[ANNA, BERT, "46701740605"])
    plan.idle()
    statuses = plan.get(f"batches/{batch['id']}/delivery_report", type="full")["statuses"]
    assert {status["code"]: status["recipients"] for status in statuses} == {
        0: [ANNA],
        61: [BERT],
        150: ["46701740605"],
    }


def test_a_report_can_wait_for_its_time(plan: Plans) -> None:
    plan = plan(report_delay_seconds=3600)
    batch = plan.send(to=[ANNA], client_reference="a")
    while (report := plan.get(f"batches/{batch['id']}/delivery_report/{ANNA}"))["status"] == "Queued":
        pass
    assert (report["status"], report["code"]) == ("Dispatched", 401)
    assert plan.get("delivery_reports", client_reference="a")["count"] == 0


def test_a_batch_waits_for_its_time_to_send(plan: Plans, receiver: Receiver) -> None:
    plan = plan()
    send_at = datetime.now(UTC) + timedelta(seconds=0.3)
    plan.send(to=[ANNA], delivery_report="per_recipient_final", callback_url=receiver.url, send_at=send_at.isoformat())
    assert plan.account()["callbacks"]["sent"] == 0
    (received,) = receiver.wait(1)
    told = datetime.fromisoformat(json.loads(received.body)["at"])
    assert told >= send_at.replace(microsecond=send_at.microsecond // 1000 * 1000)


def test_a_cancelled_batch_is_reported_where_recipients_are(plan: Plans, receiver: Receiver) -> None:
    plan = plan()
    fields = {"delivery_report": "per_recipient_final", "callback_url": receiver.url}
    batch = plan.send(**fields, send_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    plan.http.delete(f"{plan.path}/batches/{batch['id']}")
    plan.idle()
    assert {(report["recipient"], report["code"]) for report in reports(receiver)} == {(ANNA, 407), (BERT, 407)}


def test_a_batch_report_is_filtered_by_status_and_code(plan: Plans) -> None:
    plan = plan(endings=ENDINGS)
    path = f"batches/{plan.send(client_reference='a')['id']}/delivery_report"
    plan.idle()
    assert plan.get(path, type="full", status="failed")["statuses"] == [
        {"code": 150, "status": "Failed", "count": 1, "recipients": [BERT]}
    ]
    assert plan.get(path, code="0,407")["statuses"] == [{"code": 0, "status": "Delivered", "count": 1}]
    assert plan.get(path)["client_reference"] == "a"
    assert plan.http.get(f"{plan.path}/{path}", params={"type": "brief"}).status_code == 404


def test_finished_reports_are_listed_by_reference_in_pages(plan: Plans) -> None:
    plan = plan(endings=ENDINGS)
    plan.send(client_reference="a", to=[ANNA, BERT, CARA])
    plan.send(client_reference="b")
    plan.idle()
    assert plan.get("delivery_reports")["count"] == 5
    pages = [plan.get("delivery_reports", client_reference="a", page=page, page_size=2) for page in range(3)]
    assert [(page["count"], page["page_size"]) for page in pages] == [(3, 2), (3, 1), (3, 0)]
    listed = [report for page in pages for report in page["delivery_reports"]]
    assert {report["recipient"] for report in listed} == {ANNA, BERT, CARA}
    assert {report["client_reference"] for report in listed} == {"a"}
    assert plan.get("delivery_reports", client_reference="a", code="150")["count"] == 1
    assert plan.get("delivery_reports", status="Delivered,Expired")["count"] == 3


def test_reports_of_strangers_are_not_found(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(to=[ANNA])
    for path in (f"batches/{batch['id']}/delivery_report/{BERT}", "batches/01NONE/delivery_report", "inbounds/01NONE"):
        assert plan.http.get(f"{plan.path}/{path}").status_code == 404


def test_look_ups_can_fail(plan: Plans) -> None:
    plan = plan(faults={"listing_error": 1})
    for path in ("batches", "delivery_reports", "inbounds"):
        assert plan.http.get(f"{plan.path}/{path}").status_code == 503


def test_a_person_writes_and_it_is_called_back_and_listed(plan: Plans, receiver: Receiver) -> None:
    plan = plan(callback_url=receiver.url)
    made = plan.http.post("/_simulator/inbound", json={"from": f"+{ANNA}", "body": "STOP", "client_reference": "a"})
    assert made.status_code == 201
    (received,) = receiver.wait(1)
    inbound = json.loads(received.body)
    assert (inbound["type"], inbound["from"], inbound["body"]) == ("mo_text", ANNA, "STOP")
    assert inbound == made.json() == plan.get(f"inbounds/{inbound['id']}")
    assert plan.get("inbounds", to=inbound["to"], client_reference="a") == {
        "count": 1,
        "page": 0,
        "page_size": 1,
        "inbounds": [inbound],
    }
    assert plan.get("inbounds", to="12015550199")["count"] == 0
    assert plan.http.post("/_simulator/inbound", json={"from": "nobody", "body": "Hi"}).status_code == 400


def test_most_messages_are_delivered_unless_told_otherwise() -> None:
    statuses = {text.partition(":")[0]: weight for text, weight in SIMULATOR.Options().outcomes.items()}
    assert set(statuses) == {"Delivered", "Failed", "Rejected", "Expired", "Deleted", "Unknown"}
    assert statuses["Delivered"] == 95


def test_it_is_found_by_its_name() -> None:
    assert find("sinch-sms") is SIMULATOR


def test_its_settings_are_valid_settings_of_an_integration() -> None:
    options = SIMULATOR.Options()
    settings = SIMULATOR.settings("http://127.0.0.1:9000", options)
    assert settings.pop("provider") == "sinch-sms"
    checked = SmsSettings.model_validate(settings)
    assert checked.url == "http://127.0.0.1:9000"
    references = {checked.api_token.reference, *(secret.reference for secret in checked.callback_secrets)}
    assert references == {f"env:{name}" for name in SIMULATOR.secrets(options)}


def test_a_demo_has_a_campaign_and_people_some_of_whom_are_to_be_skipped() -> None:
    campaign = Campaign.model_validate(SIMULATOR.campaign())
    rows = list(SIMULATOR.recipients(500))
    template = Template.read(campaign.message.text or "")
    assert set(template.names) == {"first_name", "code"} <= set(rows[0])
    assert len(rows) == 510
    numbers = Counter()
    for row in rows:
        try:
            parsed = phonenumbers.parse(row["to"], None)
        except phonenumbers.NumberParseException:
            continue
        if row["code"] and phonenumbers.is_valid_number(parsed):
            numbers[phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)] += 1
    assert len(numbers) == 500
    assert sum(times - 1 for times in numbers.values()) == 4
    assert sum(not row["code"] for row in rows) == 3
    assert rows == list(SIMULATOR.recipients(500))
