import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from callback_receiver import Receiver
from project_client import ANNA, BERT, CARA, Project, course, later, on, refusal, told

Projects = Callable[..., Project]


def people(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"recipient": on(number, "SMS"), **row} for number, row in zip((ANNA, BERT, CARA), rows, strict=False)]


def in_minutes(text: str) -> float:
    return (datetime.fromisoformat(text) - datetime.now(UTC)) / timedelta(minutes=1)


def status_of(project: Project, batch: dict[str, Any]) -> str:
    return str(project.get(f"messages/{batch['batch_id']}")["status"])


def test_a_batch_is_handed_on_with_the_values_of_each(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    batch = project.send_batch(
        message={
            "text_message": {"text": "Hi ${name}, ${code}${code}"},
            "explicit_channel_message": {"RCS": "${name}"},
        },
        recipient_and_params=people(
            {"parameters": {"name": "Ada", "code": "7"}}, {"parameters": {"name": "${code}", "code": "8"}}
        ),
    )
    assert set(batch) == {"batch_id"}
    project.idle()
    sent = [each["submitted_message"] for each in told(receiver, "message_submit_notification")]
    assert [each["text_message"]["text"] for each in sent] == ["Hi Ada, 77", "Hi ${code}, 88"]
    assert [each["explicit_channel_message"]["RCS"] for each in sent] == ["Ada", "${code}"]
    assert status_of(project, batch) == "PROCESSED"
    assert project.account()["accepted_once"] == 2


def test_who_lacks_a_value_fails_alone(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    project.send_batch(
        message={"text_message": {"text": "Hi ${name}"}},
        recipient_and_params=people({"parameters": {"name": "Ada"}}, {}),
    )
    project.idle()
    assert set(course(receiver)) >= {("SMS", "DELIVERED"), ("SMS", "FAILED", "BAD_REQUEST")}
    assert len(course(receiver)) == 3


def test_metadata_is_merged_and_names_the_batch(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, metadata_report_view="FULL")
    batch = project.send_batch(
        message_metadata={"batch": "k", "season": "spring", "_batch_id": "ours"},
        conversation_metadata={"shop": 7},
        recipient_and_params=people({"message_metadata": {"message": "m-0", "season": "fall"}}),
    )
    project.idle()
    for report in told(receiver, "message_delivery_report"):
        expected = {"batch": "k", "season": "fall", "message": "m-0", "_batch_id": batch["batch_id"]}
        assert json.loads(report["metadata"]) == expected
    bodies = [json.loads(received.body) for received in receiver.received]
    repeated = [json.loads(body["message_metadata"]) for body in bodies if "message_delivery_report" in body]
    assert repeated == [{"shop": 7, "_batch_id": batch["batch_id"]}] * 2


def test_a_batch_is_found_by_its_metadata(project: Projects) -> None:
    project = project()
    batch = project.send_batch(batch_metadata={"batch": "k-1", "n": "7"})
    project.send_batch(batch_metadata={"batch": "k-2"})
    project.idle()
    assert project.found("batch", "k-1") == [
        {"batch_id": batch["batch_id"], "meta_data": {"batch": "k-1", "n": "7"}, "status": "PROCESSED"}
    ]
    assert project.found("n", "7") == project.found("batch", "k-1")
    assert project.found("batch", "k-3") == []
    assert refusal(project.call("GET", "messages", metadataKey="batch")) == (400, "INVALID_ARGUMENT")


def test_batches_are_not_found_on_an_account_that_never_finds_any(project: Projects) -> None:
    project = project(batch_lookup=False)
    batch = project.send_batch(batch_metadata={"batch": "k"})
    assert project.found("batch", "k") == []
    assert project.get(f"messages/{batch['batch_id']}")["batch_id"] == batch["batch_id"]


def test_the_faults_of_look_ups_spoil_them(project: Projects) -> None:
    project = project(faults={"listing_error": "1x1"})
    project.send_batch(batch_metadata={"batch": "k"})
    assert project.call("GET", "messages", metadataKey="batch", metadataValue="k").status_code == 503
    assert len(project.found("batch", "k")) == 1
    for fault in ({"listing_lag": 60}, {"listing_truncated": 1}):
        project.http.post("/_simulator/faults", json=fault)
        assert project.found("batch", "k") == []


def test_the_state_of_a_batch_is_called_back(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    batch = project.send_batch(batch_metadata={"batch": "k"}, callback_url=f"{receiver.url}/mine")
    project.idle()
    (update,) = told(receiver, "batch_status_update_notification")
    data = update.pop("additional_data")["message_batch_data"]
    assert data["batch_metadata"] == {"batch": "k"}
    assert datetime.fromisoformat(data["send_after"]) <= datetime.now(UTC)
    assert update == {
        "batch_id": batch["batch_id"],
        "batch_status": "BATCH_STATUS_PROCESSED",
        "batch_type": "BATCH_TYPE_MESSAGES",
    }


@pytest.mark.parametrize(
    ("minutes", "least", "most"), [(0.5, 0.3, 0.5), (10, 9.9, 15), (7 * 24 * 60 - 10, 10069, 10075)]
)
def test_the_time_to_send_is_moved_to_the_next_five_minutes(
    project: Projects, minutes: float, least: float, most: float
) -> None:
    project = project()
    batch = project.send_batch(send_after=later(minutes=minutes))
    assert least <= in_minutes(batch["send_after"]) <= most
    if minutes > 1:
        assert datetime.fromisoformat(batch["send_after"]).timestamp() % 300 == 0
    assert status_of(project, batch) == "SCHEDULED"
    assert project.get(f"messages/{batch['batch_id']}")["send_after"] == batch["send_after"]


def test_a_time_that_has_passed_is_now_and_one_too_far_is_refused(project: Projects) -> None:
    project = project()
    batch = project.send_batch(send_after=later(minutes=-5))
    project.idle()
    assert status_of(project, batch) == "PROCESSED"
    answer = project.call("POST", "messages", project.a_batch(send_after=later(days=7, minutes=1)))
    assert refusal(answer) == (400, "INVALID_ARGUMENT")


def test_a_batch_whose_time_comes_is_sent(project: Projects) -> None:
    project = project()
    project.hold("queue")
    batch = project.send_batch(send_after=later(seconds=0.2))
    assert status_of(project, batch) == "SCHEDULED"
    while status_of(project, batch) == "SCHEDULED":
        pass
    assert status_of(project, batch) == "READY"
    project.release()
    project.idle()
    assert status_of(project, batch) == "PROCESSED"


def test_a_scheduled_batch_can_be_cancelled(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    batch = project.send_batch(send_after=later(minutes=10))
    assert project.account()["numbers"] == 2
    assert project.call("DELETE", "messages", {"batch_id": batch["batch_id"]}).status_code == 200
    project.idle()
    assert (status_of(project, batch), project.account()["numbers"]) == ("CANCELLED", 0)
    (update,) = told(receiver, "batch_status_update_notification")
    assert update["batch_status"] == "BATCH_STATUS_CANCELLED"
    assert project.get("apps")["apps"][0]["queue_stats"]["outbound_size"] == 0


def test_cancelling_is_answered_with_success_also_where_there_is_nothing_to_cancel(project: Projects) -> None:
    project = project()
    project.hold("queue")
    batch = project.send_batch()
    for batch_id in (batch["batch_id"], "01J00000000000000000000001"):
        assert project.call("DELETE", "messages", {"batch_id": batch_id}).status_code == 200
    assert status_of(project, batch) == "READY"
    project.release()
    project.idle()
    assert (status_of(project, batch), project.account()["numbers"]) == ("PROCESSED", 2)


def test_an_unknown_batch_is_not_found(project: Projects) -> None:
    answer = project().call("GET", "messages/01J00000000000000000000001")
    assert refusal(answer) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "fields",
    [
        {"recipient_and_params": []},
        {"recipient_and_params": [{"recipient": on(ANNA, "SMS")}] * 1001},
        {"recipient_and_params": [{"parameters": {}}]},
        {"recipient_and_params": [{"recipient": on(ANNA, "SMS"), "parameters": {"n": 7}}]},
        {"message_metadata": {"x": "y" * 1024}},
        {"message_metadata": "text"},
        {"conversation_metadata": {"x": "y" * 2048}},
        {"batch_metadata": "text"},
        {"send_after": "soon"},
        {"send_after": "2026-11-22T10:00:00"},
        {"queue": "HIGH_PRIORITY"},
        {"correlation_id": "c"},
        {"channel_priority_order": ["KAKAOTALK"]},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_a_malformed_batch_is_refused(unchanged: Project, fields: dict[str, Any]) -> None:
    assert refusal(unchanged.call("POST", "messages", unchanged.a_batch(**fields))) == (400, "INVALID_ARGUMENT")
    assert unchanged.account()["numbers"] == 0


@pytest.mark.parametrize(
    ("fault", "status", "accepted"),
    [("throttled", 429, 0), ("error_before", 503, 0), ("error_after", 503, 2), ("slow", 200, 2)],
)
@pytest.mark.parametrize("path", ["messages", "messages:send"])
def test_the_faults_of_sends_befall_both_ways_to_send(
    project: Projects, path: str, fault: str, status: int, accepted: int
) -> None:
    project = project(faults={fault: "1x1", "slow_seconds": 0.01})
    request = project.a_batch() if path == "messages" else project.a_message()
    assert project.call("POST", path, request).status_code == status
    assert project.account()["numbers"] == (accepted if path == "messages" else accepted // 2)


@pytest.mark.parametrize(("fault", "accepted"), [("drop_before", 0), ("drop_after", 2)])
def test_a_connection_may_break_before_or_after_a_batch_is_accepted(
    project: Projects, fault: str, accepted: int
) -> None:
    project = project(faults={fault: "1x1"})
    with pytest.raises(httpx.RemoteProtocolError):
        project.call("POST", "messages", project.a_batch())
    assert project.account()["numbers"] == accepted


def test_the_simulator_tells_what_it_took(project: Projects) -> None:
    project = project()
    batch = project.send_batch(batch_metadata={"batch": "k"})
    project.idle()
    told_ = project.http.get("/_simulator/batches").json()
    assert told_ == {
        "count": 1,
        "batches": [
            {
                "batch_id": batch["batch_id"],
                "meta_data": {"batch": "k"},
                "status": "PROCESSED",
                "size": 2,
                "left": 2,
                "app_id": project.app_id,
            }
        ],
    }
