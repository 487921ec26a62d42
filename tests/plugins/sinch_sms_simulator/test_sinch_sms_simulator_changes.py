"""Batches that are updated and replaced before they are sent, and delivery feedback."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from plan_client import ANNA, BERT, CARA, Plan, a_batch, later, refusal

Plans = Callable[..., Plan]
CONSTRAINT = (400, "syntax_constraint_violation")
DISPATCHED = (403, "batch_already_dispatched")


def update(plan: Plan, batch: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Update a batch, which must be done; gives it as answered."""
    answer = plan.call("POST", f"batches/{batch['id']}", fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_update_changes_what_it_names_and_leaves_the_rest(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(send_at=later(hours=1), client_reference="a", body="Hi ${name}", parameters={"name": {ANNA: "A"}})
    changed = update(plan, batch, type="mt_text", body="Dear ${name}", to_add=[f"+{CARA}", ANNA], to_remove=[BERT])
    assert changed.pop("modified_at") >= batch.pop("modified_at")
    assert changed == {**batch, "body": "Dear ${name}", "to": [ANNA, CARA]}
    assert plan.get("batches", client_reference="a")["batches"][0]["body"] == "Dear ${name}"
    assert plan.account()["numbers"] == 2


def test_an_update_that_moves_the_time_moves_the_expiry_that_goes_with_it(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(send_at=later(hours=1))
    moved = update(plan, batch, send_at=later(days=5))
    send_at, expire_at = (datetime.fromisoformat(moved[name]) for name in ("send_at", "expire_at"))
    assert expire_at - send_at == timedelta(days=3)


def test_an_update_may_let_a_batch_go_at_once(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(send_at=later(hours=1))
    update(plan, batch, send_at="2020-01-01T00:00:00Z")
    plan.idle()
    assert plan.get(f"batches/{batch['id']}/delivery_report")["statuses"][0]["status"] == "Delivered"


def test_an_update_finds_the_batch_under_its_new_reference_alone(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(send_at=later(hours=1), client_reference="a")
    update(plan, batch, client_reference="b")
    assert [plan.get("batches", client_reference=reference)["count"] for reference in ("a", "b")] == [0, 1]


def test_an_update_may_add_groups_and_take_them_away(plan: Plans) -> None:
    plan = plan()
    group = plan.group(members=[CARA])
    batch = plan.send(send_at=later(hours=1))
    assert update(plan, batch, to_add=[group["id"]], to_remove=[ANNA])["to"] == [BERT, group["id"]]
    assert update(plan, batch, to_remove=[group["id"]])["to"] == [BERT]


WRONG: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"to": [ANNA]}, CONSTRAINT),
    ({"to_add": []}, CONSTRAINT),
    ({"to_add": [str(12015550000 + place) for place in range(101)]}, CONSTRAINT),
    ({"to_remove": ["nobody"]}, (400, "syntax_invalid_parameter_format")),
    ({"to_remove": [ANNA, BERT]}, CONSTRAINT),
    ({"to_add": ["01HQ3V7M0ZJ5T8R9K2N4P6W8XY"]}, (403, "unknown_group")),
    ({"toAdd": [CARA]}, CONSTRAINT),
    ({"type": "mt_binary", "body": "", "udh": ""}, CONSTRAINT),
    ({"udh": "00"}, CONSTRAINT),
    ({"body": "a" * 2001}, CONSTRAINT),
    ({"expire_at": "2020-01-01T00:00:00Z"}, CONSTRAINT),
    ({"delivery_report": "full"}, (403, "missing_callback_url")),
]


def test_a_wrong_update_is_refused_and_changes_nothing(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(send_at=later(hours=1))
    for fields, expected in WRONG:
        assert refusal(plan.call("POST", f"batches/{batch['id']}", fields)) == expected, fields
    assert plan.get(f"batches/{batch['id']}") == batch
    assert plan.call("POST", "batches/01NONE", {}).status_code == 404


def test_a_batch_that_waits_in_the_queue_can_be_changed_until_it_leaves(plan: Plans) -> None:
    plan = plan()
    plan.hold("queue")
    batch = plan.send()
    update(plan, batch, to_add=[CARA])
    plan.release()
    plan.idle()
    assert plan.get(f"batches/{batch['id']}/delivery_report")["total_message_count"] == 3
    assert refusal(plan.call("POST", f"batches/{batch['id']}", {"body": "Late"})) == DISPATCHED
    assert refusal(plan.call("PUT", f"batches/{batch['id']}", a_batch())) == DISPATCHED
    assert plan.account()["accepted_once"] == 3


def test_a_batch_that_is_cancelled_can_not_be_changed(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(send_at=later(hours=1))
    plan.call("DELETE", f"batches/{batch['id']}")
    assert refusal(plan.call("POST", f"batches/{batch['id']}", {"body": "Late"})) == DISPATCHED


def test_a_batch_that_has_begun_to_leave_can_not_be_changed(plan: Plans) -> None:
    plan = plan(messages_per_second=5)
    batch = plan.send(to=[str(12015550000 + place) for place in range(500)])
    while not plan.get("delivery_reports")["count"]:
        pass
    assert refusal(plan.call("POST", f"batches/{batch['id']}", {"body": "Late"})) == DISPATCHED


def test_a_replaced_batch_keeps_its_id_and_nothing_else(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(send_at=later(hours=1), client_reference="a", feedback_enabled=True)
    replaced = plan.call("PUT", f"batches/{batch['id']}", a_batch(to=[f"+{CARA}"], body="Anew.")).json()
    assert (replaced["id"], replaced["to"], replaced["body"]) == (batch["id"], [CARA], "Anew.")
    assert replaced["created_at"] == batch["created_at"]
    assert replaced["feedback_enabled"] is False
    assert replaced.keys().isdisjoint({"send_at", "client_reference"})
    plan.idle()
    report = plan.get(f"batches/{batch['id']}/delivery_report", type="full")
    assert [status["recipients"] for status in report["statuses"]] == [[CARA]]
    assert plan.account()["accepted_once"] == 1
    assert plan.get("batches", client_reference="a")["count"] == 0


def test_a_batch_is_replaced_by_one_of_another_type(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(send_at=later(hours=1))
    picture = {"type": "mt_media", "to": [ANNA], "body": {"url": "https://example.com/a.png"}}
    assert plan.call("PUT", f"batches/{batch['id']}", picture).json()["type"] == "mt_media"


def test_a_wrong_replacement_is_refused_and_changes_nothing(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(send_at=later(hours=1))
    path = f"batches/{batch['id']}"
    assert refusal(plan.call("PUT", path, a_batch(body=None))) == CONSTRAINT
    assert refusal(plan.call("PUT", path, {**a_batch(), "to_add": [CARA]})) == CONSTRAINT
    assert refusal(plan.call("PUT", path, a_batch(to=["01HQ3V7M0ZJ5T8R9K2N4P6W8XY"]))) == (403, "unknown_group")
    assert plan.get(path) == batch
    assert plan.call("PUT", "batches/01NONE", a_batch()).status_code == 404


def feedback(plan: Plan, batch: dict[str, Any], content: Any) -> Any:
    return plan.call("POST", f"batches/{batch['id']}/delivery_feedback", content)


def confirmed(plan: Plan) -> list[int]:
    return [batch["confirmed"] for batch in plan.http.get("/_simulator/batches").json()["batches"]]


def test_feedback_names_those_who_got_it_or_stands_for_all(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(to=[ANNA, BERT, CARA], feedback_enabled=True)
    answer = feedback(plan, batch, {"recipients": [f"+{ANNA}"]})
    assert (answer.status_code, answer.content) == (202, b"")
    assert confirmed(plan) == [1]
    assert feedback(plan, batch, {"recipients": [ANNA, BERT]}).status_code == 202
    assert confirmed(plan) == [2]
    assert feedback(plan, batch, {"recipients": []}).status_code == 202
    assert confirmed(plan) == [3]


WRONG_FEEDBACK: list[tuple[Any, tuple[int, str]]] = [
    ({}, CONSTRAINT),
    ({"recipients": None}, CONSTRAINT),
    ({"recipients": ANNA}, CONSTRAINT),
    ({"recipients": ["nobody"]}, (400, "syntax_invalid_parameter_format")),
    ({"recipients": [CARA]}, CONSTRAINT),
    ({"recipients": [ANNA], "status": "Delivered"}, CONSTRAINT),
]


def test_wrong_feedback_is_refused(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(feedback_enabled=True)
    for content, expected in WRONG_FEEDBACK:
        assert refusal(feedback(plan, batch, content)) == expected, content
    assert confirmed(plan) == [0]


def test_feedback_is_taken_only_where_it_was_enabled(plan: Plans) -> None:
    plan = plan()
    assert feedback(plan, plan.send(), {"recipients": [ANNA]}).status_code == 403
    assert feedback(plan, {"id": "01NONE"}, {"recipients": []}).status_code == 404


def test_feedback_on_a_group_names_somebody(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(to=[plan.group(members=[ANNA])["id"]], feedback_enabled=True)
    assert refusal(feedback(plan, batch, {"recipients": []})) == CONSTRAINT
    assert feedback(plan, batch, {"recipients": [ANNA]}).status_code == 202
