from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from plan_client import ANNA, BERT, CARA, Plan, a_batch

Plans = Callable[..., Plan]


def test_a_batch_comes_back_with_its_fields_and_numbers_without_plus(plan: Plans) -> None:
    sent = a_batch(
        to=[f"+{ANNA}", f"00{BERT}", "+1 (201) 555-0125"],
        body="Hi ${name}",
        parameters={"name": {f"+{ANNA}": "Anna", "default": "you"}},
        client_reference="order-7",
        max_number_of_message_parts=2,
    )
    answer = plan().post(sent)
    assert answer.status_code == 201
    batch = answer.json()
    assert batch["to"] == [ANNA, BERT, CARA]
    assert {name: batch[name] for name in ("from", "body", "parameters", "client_reference", "type")} == {
        name: sent[name] for name in ("from", "body", "parameters", "client_reference", "type")
    }
    assert (batch["canceled"], batch["delivery_report"], len(batch["id"])) == (False, "none", 26)
    created, expires = (datetime.fromisoformat(batch[name]) for name in ("created_at", "expire_at"))
    assert expires - created == timedelta(days=3)


def test_a_batch_can_be_read_by_its_id(plan: Plans) -> None:
    plan = plan()
    batch = plan.send()
    assert plan.get(f"batches/{batch['id']}") == batch
    assert plan.http.get(f"{plan.path}/batches/01NOSUCHBATCH").status_code == 404


def test_the_token_is_checked_before_the_plan(plan: Plans) -> None:
    plan = plan()
    wrong = {"authorization": "Bearer something-else"}
    assert plan.http.get(f"{plan.path}/batches", headers=wrong).status_code == 401
    assert plan.http.get("/xms/v1/other-plan/batches", headers=wrong).status_code == 401
    assert plan.http.get("/xms/v1/other-plan/batches").status_code == 404
    assert plan.http.get("/v2/batches").status_code == 404


REFUSED: list[tuple[dict[str, Any], int, str, str]] = [
    ({"to": [ANNA, "+1"]}, 400, "syntax_invalid_parameter_format", "'to[1]'"),
    ({"to": [ANNA, "12015O50123"]}, 400, "syntax_invalid_parameter_format", "'to[1]'"),
    ({"to": ["02015550123"]}, 400, "syntax_invalid_parameter_format", "'to[0]'"),
    ({"to": [12015550123]}, 400, "syntax_invalid_parameter_format", "'to[0]'"),
    ({"to": ["01HQ3V7M0ZJ5T8R9K2N4P6W8XY"]}, 403, "unknown_group", "Group"),
    ({"to": []}, 400, "syntax_constraint_violation", "'to'"),
    ({"to": [str(12015550000 + place) for place in range(1001)]}, 400, "syntax_constraint_violation", "'to'"),
    ({"to": None}, 400, "syntax_constraint_violation", "'to'"),
    ({"body": None}, 400, "syntax_constraint_violation", "'body'"),
    ({"body": "a" * 2001}, 400, "syntax_constraint_violation", "'body'"),
    ({"from": "A name far too long"}, 400, "syntax_invalid_parameter_format", "'from'"),
    ({"from": ""}, 400, "syntax_invalid_parameter_format", "'from'"),
    ({"type": "mt_video"}, 400, "syntax_constraint_violation", "'type'"),
    ({"type": ["mt_text"]}, 400, "syntax_constraint_violation", "'type'"),
    ({"delivery_report": "all"}, 400, "syntax_constraint_violation", "'delivery_report'"),
    ({"delivery_report": "per_recipient_final"}, 403, "missing_callback_url", "callback URL"),
    ({"callback_url": "callback"}, 400, "syntax_invalid_parameter_format", "'callback_url'"),
    ({"callback_url": "http://a b/"}, 400, "syntax_invalid_parameter_format", "'callback_url'"),
    ({"callback_url": "http://localhost:99999/"}, 400, "syntax_invalid_parameter_format", "'callback_url'"),
    ({"callback_url": "http://localhost/" + "a" * 2048}, 400, "syntax_invalid_parameter_format", "'callback_url'"),
    ({"client_reference": "r" * 129}, 400, "syntax_constraint_violation", "'client_reference'"),
    ({"max_number_of_message_parts": 0}, 400, "syntax_constraint_violation", "'max_number_of_message_parts'"),
    ({"max_number_of_message_parts": True}, 400, "syntax_constraint_violation", "'max_number_of_message_parts'"),
    ({"flash_message": "yes"}, 400, "syntax_constraint_violation", "'flash_message'"),
    ({"from_ton": 7}, 400, "syntax_constraint_violation", "'from_ton'"),
    ({"send_at": "tomorrow"}, 400, "syntax_invalid_parameter_format", "'send_at'"),
    ({"expire_at": "2001-01-01T00:00:00Z"}, 400, "syntax_constraint_violation", "'expire_at'"),
    ({"client_refrence": "order-7"}, 400, "syntax_constraint_violation", "'client_refrence'"),
    ({"parameters": []}, 400, "syntax_constraint_violation", "'parameters'"),
    ({"parameters": {"a name": {}}}, 400, "syntax_invalid_parameter_format", "'parameters'"),
    ({"parameters": {"k" * 17: {}}}, 400, "syntax_invalid_parameter_format", "'parameters'"),
    ({"parameters": {"k": "v"}}, 400, "syntax_constraint_violation", "'parameters.k'"),
    ({"parameters": {"k": {"nobody": "v"}}}, 400, "syntax_invalid_parameter_format", "'parameters.k'"),
    ({"parameters": {"k": {ANNA: ""}}}, 400, "syntax_constraint_violation", f"'parameters.k.{ANNA}'"),
    ({"parameters": {"k": {ANNA: "v" * 161}}}, 400, "syntax_constraint_violation", f"'parameters.k.{ANNA}'"),
    ({"parameters": {"k": {ANNA: 5}}}, 400, "syntax_constraint_violation", f"'parameters.k.{ANNA}'"),
]


def test_what_the_api_would_refuse_is_refused_with_its_code_and_the_place(plan: Plans) -> None:
    plan = plan()
    for fields, status, code, place in REFUSED:
        answer = plan.post(a_batch(**fields))
        assert (answer.status_code, answer.json()["code"]) == (status, code), fields
        assert place in answer.json()["text"], fields
    assert plan.account()["numbers"] == 0
    assert plan.get("batches")["count"] == 0


def test_limits_are_taken_to_their_very_end(plan: Plans) -> None:
    plan = plan()
    plan.send(
        to=[str(12015550000 + place) for place in range(1000)],
        body="${" + "k" * 16 + "}" + "a" * 1840,
        parameters={"k" * 16: {"default": "v" * 160}},
        client_reference="r" * 128,
        max_number_of_message_parts=20,
    )
    plan.send(**{"from": "Eleven char"}, body="")
    plan.send(**{"from": "+12015550100"})


def test_a_text_is_measured_with_its_parameters(plan: Plans) -> None:
    plan = plan()
    fields = {"body": "${k}" * 12 + "${k}" + "a" * 60, "parameters": {"k": {ANNA: "v" * 150, BERT: "v"}}}
    answer = plan.post(a_batch(**fields))
    assert (answer.status_code, "'body'" in answer.json()["text"]) == (400, True)


def test_times_are_ordered_and_at_most_three_days_apart(plan: Plans) -> None:
    plan = plan()
    send_at = datetime.now(UTC) + timedelta(days=2)

    def post(**after: float) -> int:
        expire_at = send_at + timedelta(**after)
        return plan.post(a_batch(send_at=send_at.isoformat(), expire_at=expire_at.isoformat())).status_code

    assert [post(days=3), post(days=3, seconds=1), post(seconds=1), post(seconds=0)] == [201, 400, 201, 400]


def test_a_time_without_an_offset_is_utc(plan: Plans) -> None:
    plan = plan()
    send_at = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=5000)
    batch = plan.send(send_at=send_at.replace(tzinfo=None).isoformat())
    assert datetime.fromisoformat(batch["send_at"]) == send_at


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [(b"{", "application/json", 400), (b"{}", "text/plain", 415), (b"[]", "application/json; charset=utf-8", 400)],
)
def test_a_body_must_be_a_json_object(plan: Plans, content: bytes, content_type: str, status: int) -> None:
    plan = plan()
    answer = plan.http.post(f"{plan.path}/batches", content=content, headers={"content-type": content_type})
    assert answer.status_code == status


def test_null_is_the_same_as_absent(plan: Plans) -> None:
    answer = plan().post({**a_batch(), "send_at": None, "client_reference": None})
    assert answer.status_code == 201
    batch = answer.json()
    assert "send_at" not in batch
    assert "client_reference" not in batch


def test_a_batch_is_found_by_its_reference_and_by_no_other(plan: Plans) -> None:
    plan = plan()
    first, _, second = (plan.send(client_reference=reference) for reference in ("a", "b", "a"))
    found = plan.get("batches", client_reference="a")
    assert [batch["id"] for batch in found["batches"]] == [second["id"], first["id"]]
    assert (found["count"], found["page"], found["page_size"]) == (2, 0, 2)
    assert plan.get("batches", client_reference="c") == {"count": 0, "page": 0, "page_size": 0, "batches": []}


def test_a_listing_has_pages_whose_size_is_that_of_the_page(plan: Plans) -> None:
    plan = plan()
    sent = [plan.send()["id"] for _ in range(5)]
    pages = [plan.get("batches", page=page, page_size=2) for page in range(4)]
    assert [page["page_size"] for page in pages] == [2, 2, 1, 0]
    assert {page["count"] for page in pages} == {5}
    assert [batch["id"] for page in pages for batch in page["batches"]] == sent[::-1]


def test_a_listing_is_filtered_by_time_and_sender(plan: Plans) -> None:
    plan = plan()
    plan.send()
    plan.send(**{"from": "+12015550100"})
    now = datetime.now(UTC)
    assert plan.get("batches", start_date=(now + timedelta(minutes=1)).isoformat())["count"] == 0
    assert plan.get("batches", end_date=(now - timedelta(minutes=1)).isoformat())["count"] == 0
    assert plan.get("batches", start_date=(now - timedelta(days=20)).isoformat())["count"] == 2
    assert plan.get("batches", **{"from": "12015550100"})["count"] == 1
    assert plan.get("batches", **{"from": "bookshop,12015550100"})["count"] == 2


@pytest.mark.parametrize(
    "query", [{"page_size": 0}, {"page_size": 101}, {"page": -1}, {"start_date": "now"}, {"clientReference": "a"}]
)
def test_a_wrong_query_is_refused(plan: Plans, query: dict[str, Any]) -> None:
    plan = plan()
    assert plan.http.get(f"{plan.path}/batches", params=query).status_code == 400


def test_a_listing_can_lag(plan: Plans) -> None:
    plan = plan(faults={"listing_lag": 3600})
    batch = plan.send(client_reference="a")
    assert plan.get("batches", client_reference="a")["count"] == 0
    assert plan.get(f"batches/{batch['id']}")["id"] == batch["id"]
    plan.http.post("/_simulator/faults", json={})
    assert plan.get("batches", client_reference="a")["count"] == 1


def test_a_dry_run_tells_texts_and_parts_and_sends_nothing(plan: Plans) -> None:
    plan = plan()
    body = a_batch(
        to=[ANNA, BERT, CARA],
        body="Hi ${name}",
        parameters={"name": {ANNA: "${name}", BERT: "ш" * 70, "default": "you"}},
    )
    path = f"{plan.path}/batches/dry_run"
    assert plan.http.post(path, json=body).json() == {"number_of_recipients": 3, "number_of_messages": 4}
    told = plan.http.post(path, json=body, params={"per_recipient": "true", "number_of_recipients": 2}).json()
    assert told["per_recipient"] == [
        {"recipient": ANNA, "body": "Hi ${name}", "number_of_parts": 1, "encoding": "text"},
        {"recipient": BERT, "body": "Hi " + "ш" * 70, "number_of_parts": 2, "encoding": "unicode"},
    ]
    assert plan.account()["numbers"] == 0


def test_a_batch_is_cancelled_while_it_waits_in_the_queue(plan: Plans) -> None:
    plan = plan()
    plan.hold("queue")
    batch = plan.send()
    assert plan.account()["numbers"] == 2
    cancelled = plan.http.delete(f"{plan.path}/batches/{batch['id']}").json()
    assert (cancelled["id"], cancelled["canceled"]) == (batch["id"], True)
    plan.release()
    plan.idle()
    assert plan.account()["numbers"] == 0
    report = plan.get(f"batches/{batch['id']}/delivery_report")
    assert report["statuses"] == [{"code": 407, "status": "Cancelled", "count": 2}]
    assert plan.get("batches")["batches"][0]["canceled"] is True


def test_a_batch_that_is_cancelled_before_its_time_leaves_an_empty_report(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(send_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert plan.get(f"batches/{batch['id']}/delivery_report")["statuses"] == [
        {"code": 400, "status": "Queued", "count": 2}
    ]
    assert plan.http.delete(f"{plan.path}/batches/{batch['id']}").json()["canceled"] is True
    assert plan.get(f"batches/{batch['id']}/delivery_report")["statuses"] == []
    assert plan.account()["numbers"] == 0


def test_cancelling_what_was_sent_changes_nothing(plan: Plans) -> None:
    plan = plan()
    batch = plan.send()
    plan.idle()
    assert plan.http.delete(f"{plan.path}/batches/{batch['id']}").json() == batch
    assert plan.account()["numbers"] == 2
