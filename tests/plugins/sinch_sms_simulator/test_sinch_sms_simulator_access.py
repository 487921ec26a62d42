"""Who is let in: service plan and token, project and access key; and what callbacks carry."""

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from callback_receiver import Receiver
from connector_sinch.sms.settings import SmsSettings
from connector_sinch.sms.simulator import SIMULATOR
from plan_client import ANNA, Plan, a_batch

Plans = Callable[..., Plan]
PROJECT = "/xms/v1/simulated-project"
GRANT = {"grant_type": "client_credentials"}


def token(plan: Plan) -> str:
    answer = plan.http.post("/oauth2/token", data=GRANT, auth=("simulated-key", "simulated-key-secret"))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["token_type"], told["expires_in"]) == ("bearer", 3600)
    return told["access_token"]


def asked(plan: Plan, path: str, bearer: str) -> httpx.Response:
    return plan.http.get(f"{path}/batches", headers={"authorization": f"Bearer {bearer}"})


def test_a_project_sends_with_a_token_for_its_key(plan: Plans) -> None:
    plan = plan()
    bearer = {"authorization": f"Bearer {token(plan)}"}
    assert plan.http.post(f"{PROJECT}/batches", json=a_batch(), headers=bearer).status_code == 201
    assert plan.get("batches")["count"] == 1


def test_a_token_opens_the_project_and_the_api_token_the_plan(plan: Plans) -> None:
    plan = plan()
    assert asked(plan, plan.path, token(plan)).status_code == 404
    assert asked(plan, PROJECT, "simulated-token").status_code == 404
    invented = asked(plan, PROJECT, "invented")
    assert (invented.status_code, "expired" in invented.headers["www-authenticate"]) == (401, False)
    for header in ("Basic abc", "Bearer", ""):
        assert plan.http.get(f"{PROJECT}/batches", headers={"authorization": header}).status_code == 401


def test_an_expired_token_is_told_from_a_wrong_one(plan: Plans) -> None:
    plan = plan(token_life_seconds=0.001)
    answer = plan.http.post("/oauth2/token", data=GRANT, auth=("simulated-key", "simulated-key-secret"))
    old = answer.json()["access_token"]
    refused = next(answer for _ in range(1000) if (answer := asked(plan, PROJECT, old)).status_code == 401)
    assert "expired" in refused.headers["www-authenticate"]


def test_a_token_can_end_before_its_time(plan: Plans) -> None:
    plan = plan(faults={"token_expired": "1x1"})
    bearer = token(plan)
    first, second = (asked(plan, PROJECT, bearer) for _ in range(2))
    assert (first.status_code, second.status_code) == (401, 200)
    assert "expired" in first.headers["www-authenticate"]
    assert plan.get("batches")["count"] == 0


def test_a_project_from_after_the_end_of_sale_gets_tokens_that_open_nothing(plan: Plans) -> None:
    plan = plan(after_end_of_sale=True)
    refused = asked(plan, PROJECT, token(plan))
    assert (refused.status_code, "expired" in refused.headers["www-authenticate"]) == (401, False)
    assert asked(plan, plan.path, "simulated-token").status_code == 200


def test_tokens_are_not_given_without_limit(plan: Plans) -> None:
    plan = plan()
    statuses = set()
    while 429 not in statuses:
        answer = plan.http.post("/oauth2/token", data=GRANT, auth=("simulated-key", "simulated-key-secret"))
        statuses.add(answer.status_code)
    assert statuses == {200, 429}
    assert "retry-after" not in answer.headers
    assert plan.account()["requests"]["200"] >= 30


def test_tokens_are_asked_for_by_post(plan: Plans) -> None:
    assert plan().http.get("/oauth2/token").status_code == 405


@pytest.mark.parametrize("secret", ["a secret", None])
def test_callbacks_can_carry_a_login(plan: Plans, receiver: Receiver, secret: str | None) -> None:
    plan = plan(callback_username="sinch", callback_password="pass:word", callback_secret=secret)
    plan.send(to=[ANNA], delivery_report="per_recipient_final", callback_url=receiver.url)
    plan.idle()
    (received,) = receiver.received
    kind, encoded = received.headers["authorization"].split()
    assert (kind, base64.b64decode(encoded)) == ("Basic", b"sinch:pass:word")
    assert ("x-sinch-webhook-signature" in received.headers) is (secret is not None)


@pytest.mark.parametrize(
    ("given", "settings", "secrets"),
    [
        (
            {"callback_secret": None},
            {"service_plan_id": "simulated-plan", "api_token": "env:SIMULATED_API_TOKEN"},
            {"SIMULATED_API_TOKEN": "simulated-token"},
        ),
        (
            {"authentication": "project", "callback_secret": None, "callback_username": "u", "callback_password": "p"},
            {
                "project_id": "simulated-project",
                "key_id": "simulated-key",
                "key_secret": "env:SIMULATED_KEY_SECRET",
                "auth_url": "http://127.0.0.1:9000",
                "callback_username": "u",
                "callback_password": "env:SIMULATED_CALLBACK_PASSWORD",
            },
            {"SIMULATED_KEY_SECRET": "simulated-key-secret", "SIMULATED_CALLBACK_PASSWORD": "p"},
        ),
    ],
)
def test_its_settings_fit_the_way_to_authenticate(
    given: dict[str, Any], settings: dict[str, str], secrets: dict[str, str]
) -> None:
    options = SIMULATOR.Options(**given)
    common = {"region": "eu", "base_url": "http://127.0.0.1:9000"}
    made = SIMULATOR.settings("http://127.0.0.1:9000", options)
    assert made.pop("provider") == "sinch-sms"
    assert made == {**common, **settings}
    SmsSettings.model_validate(made)
    assert SIMULATOR.secrets(options) == secrets


def test_a_user_name_without_its_password_is_refused() -> None:
    with pytest.raises(ValueError, match="together"):
        SIMULATOR.Options(callback_username="sinch")
