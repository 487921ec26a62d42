import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import pytest
from callback_receiver import Receiver
from project_client import ANNA, Project, refusal, told

Projects = Callable[..., Project]

SMS = {"channel": "SMS", "static_bearer": {"claimed_identity": "plan", "token": "token"}}
RCS = {"channel": "RCS", "static_bearer": {"claimed_identity": "agent", "token": "token"}}
APP = {"display_name": "Shop", "channel_credentials": [SMS, RCS]}


def a_webhook(project: Project, **fields: Any) -> dict[str, Any]:
    webhook = {
        "app_id": project.app_id,
        "target": "https://example.com/callbacks",
        "target_type": "HTTP",
        "triggers": ["MESSAGE_DELIVERY"],
        **fields,
    }
    return {name: value for name, value in webhook.items() if value is not None}


def test_an_app_is_made_with_the_defaults_of_the_api(project: Projects) -> None:
    project = project()
    app = project.made("apps", APP)
    assert {name: app[name] for name in ("display_name", "processing_mode", "conversation_metadata_report_view")} == {
        "display_name": "Shop",
        "processing_mode": "DISPATCH",
        "conversation_metadata_report_view": "NONE",
    }
    assert app["retention_policy"] == {"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": 180}
    assert app["dispatch_retention_policy"] == {"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": 0}
    assert app["queue_stats"] == {"outbound_size": 0, "outbound_limit": 500_000}
    assert [each["channel"] for each in app["channel_credentials"]] == ["SMS", "RCS"]
    assert project.get(f"apps/{app['id']}") == app
    assert len(project.get("apps")["apps"]) == 2
    assert project.call("DELETE", f"apps/{app['id']}").status_code == 200
    assert refusal(project.call("GET", f"apps/{app['id']}")) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "fields",
    [
        {"display_name": ""},
        {"channel_credentials": []},
        {"channel_credentials": [{"channel": "SMS"}]},
        {"channel_credentials": [{"channel": "SMS", "static_token": {"token": "x"}}]},
        {"channel_credentials": [{**SMS, "callback_secret": "x" * 257}]},
        {"channel_credentials": [SMS, SMS]},
        {"retention_policy": {"ttl_days": 3651}},
        {"dispatch_retention_policy": {"ttl_days": 8}},
        {"dispatch_retention_policy": {"retention_type": "PERSIST_RETENTION_POLICY"}},
        {"message_retry_settings": {"retry_duration": 29}},
        {"delivery_report_based_fallback": {"delivery_report_waiting_time": 9}},
        {"processing_mode": "BATCH"},
        {"colour": "red"},
    ],
    ids=str,
)
def test_a_malformed_app_is_refused(unchanged: Project, fields: dict[str, Any]) -> None:
    assert refusal(unchanged.call("POST", "apps", {**APP, **fields})) == (400, "INVALID_ARGUMENT")


def test_an_app_is_changed_by_what_is_given_or_by_a_mask(project: Projects) -> None:
    project = project()
    path = f"apps/{project.app_id}"
    before = project.get(path)
    changed = project.call("PATCH", path, {"display_name": "Books"}).json()
    assert changed == {**before, "display_name": "Books"}
    body = {"display_name": "Maps", "dispatch_retention_policy": {"ttl_days": 7}}
    masked = project.call("PATCH", path, body, update_mask=["dispatch_retention_policy.ttl_days"]).json()
    assert (masked["display_name"], masked["dispatch_retention_policy"]["ttl_days"]) == ("Books", 7)
    both = project.call("PATCH", path, body, update_mask=["display_name", "processing_mode"]).json()
    assert (both["display_name"], both["processing_mode"]) == ("Maps", "DISPATCH")
    for wrong in ({"update_mask": "colour"}, {"mask": "display_name"}):
        assert refusal(project.call("PATCH", path, body, **wrong))[0] == 400


def test_credentials_are_reordered_and_written_back_as_they_were_read(project: Projects) -> None:
    project = project()
    path = f"apps/{project.app_id}"
    credentials = project.get(path)["channel_credentials"]
    changed = project.call("PATCH", path, {"channel_credentials": credentials[::-1]}).json()
    assert changed["channel_credentials"] == credentials[::-1]


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({}, {"status": "ACTIVE", "description": ""}),
        ({"pending_seconds": 60}, {"status": "PENDING", "description": "The channel is being activated."}),
        ({"failing": {"SMS": "Wrong token."}}, {"status": "FAILING", "description": "Wrong token."}),
    ],
    ids=str,
)
def test_a_channel_has_the_state_that_the_options_give_it(
    project: Projects, options: dict[str, Any], state: dict[str, str]
) -> None:
    project = project(**options)
    assert project.made("apps", APP)["channel_credentials"][0]["state"] == state


def test_a_channel_is_pending_and_then_active(project: Projects) -> None:
    project = project(pending_seconds=0.1)
    path = f"apps/{project.app_id}"
    while project.get(path)["channel_credentials"][0]["state"]["status"] == "PENDING":
        pass
    credentials = [
        *project.get(path)["channel_credentials"],
        {"channel": "MMS", "mms_credentials": {"account_id": "7"}},
    ]
    added = project.call("PATCH", path, {"channel_credentials": credentials}).json()["channel_credentials"]
    assert [each["state"]["status"] for each in added][-1] == "PENDING"
    assert added[0]["state"]["status"] == "ACTIVE"


def test_a_webhook_says_nothing_unless_it_is_told_to(project: Projects) -> None:
    project = project()
    webhook = project.made("webhooks", a_webhook(project, target_type=None))
    assert (webhook["target_type"], webhook["secret"]) == ("DISMISS", "")


def test_webhooks_are_made_changed_listed_and_deleted(project: Projects) -> None:
    project = project()
    webhook = project.made("webhooks", a_webhook(project, secret="s"))
    path = f"webhooks/{webhook['id']}"
    assert project.get(f"apps/{project.app_id}/webhooks") == {"webhooks": [webhook]}
    changed = project.call("PATCH", path, {"triggers": ["MESSAGE_INBOUND"]}, update_mask="triggers").json()
    assert changed == {**webhook, "triggers": ["MESSAGE_INBOUND"]}
    assert project.get(path) == changed
    assert project.call("DELETE", path).status_code == 200
    assert refusal(project.call("GET", path)) == (404, "NOT_FOUND")


def test_an_app_has_at_most_five_webhooks_each_with_another_target(project: Projects) -> None:
    project = project()
    for number in range(5):
        webhook = project.made("webhooks", a_webhook(project, target=f"https://example.com/{number}"))
    assert refusal(project.call("POST", "webhooks", a_webhook(project)))[0] == 400
    project.call("DELETE", f"webhooks/{webhook['id']}")
    again = a_webhook(project, target="https://example.com/0")
    assert refusal(project.call("POST", "webhooks", again)) == (400, "INVALID_ARGUMENT")
    other = project.made("webhooks", a_webhook(project))
    assert refusal(project.call("PATCH", f"webhooks/{other['id']}", {"target": again["target"]}))[0] == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"target": "x" * 743},
        {"target": "https://example.com/" + "x" * 730},
        {"target": "https://conversation-api.eu.sinch.com/x"},
        {"target": None},
        {"target_type": "SMTP"},
        {"triggers": ["UNSPECIFIED_TRIGGER"]},
        {"triggers": None},
        {"client_credentials": {"client_id": "x"}},
        {"app_id": "my-app"},
    ],
    ids=lambda fields: str(fields)[:50],
)
def test_a_malformed_webhook_is_refused(unchanged: Project, fields: dict[str, Any]) -> None:
    answer = unchanged.call("POST", "webhooks", a_webhook(unchanged, **fields))
    assert refusal(answer) == (400, "INVALID_ARGUMENT")


def test_each_webhook_is_called_by_its_triggers(project: Projects, receiver: Receiver) -> None:
    project = project()
    for name, fields in {
        "deliveries": {"triggers": ["MESSAGE_DELIVERY"]},
        "both": {"triggers": ["MESSAGE_DELIVERY", "MESSAGE_INBOUND"]},
        "dismissed": {"triggers": ["MESSAGE_DELIVERY"], "target_type": "DISMISS"},
        "silent": {"triggers": []},
    }.items():
        project.made("webhooks", a_webhook(project, target=f"{receiver.url}/{name}", **fields))
    project.send()
    project.written(**{"from": ANNA, "body": "Hi"})
    called = [received.path.rpartition("/")[2] for received in receiver.received]
    assert {name: called.count(name) for name in called} == {"deliveries": 2, "both": 3}


def test_callbacks_are_signed_with_the_secret_of_their_webhook(project: Projects, receiver: Receiver) -> None:
    project = project(callback_secret=None)
    project.made("webhooks", a_webhook(project, target=f"{receiver.url}/a", secret="first"))
    project.made("webhooks", a_webhook(project, target=f"{receiver.url}/b"))
    settings = {"callback_settings": {"secret_for_overridden_callback_urls": "second"}}
    assert project.call("PATCH", f"apps/{project.app_id}", settings).status_code == 200
    project.send()
    project.send(callback_url=f"{receiver.url}/c")
    secrets = {"a": "first", "b": None, "c": "second"}
    assert {received.path[-1] for received in receiver.received} == {*secrets}
    for received in receiver.received:
        secret, headers = secrets[received.path[-1]], received.headers
        assert ("x-sinch-webhook-signature" in headers) == (secret is not None)
        if secret is not None:
            nonce = headers["x-sinch-webhook-signature-nonce"]
            timestamp = headers["x-sinch-webhook-signature-timestamp"]
            signed = received.body + f".{nonce}.{timestamp}".encode()
            digest = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
            assert headers["x-sinch-webhook-signature"] == digest
            assert headers["x-sinch-webhook-signature-algorithm"] == "HmacSHA256"


def test_a_callback_that_is_not_taken_is_tried_again(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    receiver.statuses.extend([503, 429])
    project.send()
    assert len(receiver.received) == 3 + 2
    assert project.account()["callbacks"]["retried"] == 2


def test_callbacks_leave_at_the_rate_of_the_app(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, callbacks_per_second=50)
    assert project.get(f"apps/{project.app_id}")["rate_limits"]["webhooks"] == 50
    project.hold("callbacks")
    for _ in range(4):
        project.made("messages:send", project.a_message())
    begun = time.monotonic()
    project.release()
    project.idle()
    assert len(receiver.received) == 12
    # They can't be sooner, however quick the machine.
    assert time.monotonic() - begun >= 10 / 50


def test_the_faults_of_callbacks_befall_reports(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, faults={"callback_lost": "1x1", "callback_doubled": "1x1"})
    project.send()
    account = project.account()["callbacks"]
    assert (account["lost"], account["doubled"], len(receiver.received)) == (1, 1, 3)


def test_anything_can_be_made_to_happen(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    event = {"channel_event": {"channel": "WHATSAPP", "event_type": "WHATS_APP_QUALITY_RATING_CHANGED"}}
    project.written(trigger="CHANNEL_EVENT", payload=event)
    assert told(receiver, "channel_event_notification") == [event]
    answer = project.http.post("/_simulator/inbound", json={"trigger": "PIGEON", "payload": {}})
    assert answer.status_code == 400
