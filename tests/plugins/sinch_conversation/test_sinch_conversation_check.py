"""What a check proves of an app, and what it warns of."""

from typing import Any

import pytest
from answering_api import Api
from sinch_conversation_kit import APP, APPS, MESSAGES, TOKENS, secret

THE_APP: dict[str, Any] = {
    "id": APP,
    "display_name": "Shop",
    "channel_credentials": [
        {"channel": "WHATSAPP", "static_bearer": {"token": "hidden"}, "state": {"status": "ACTIVE", "description": ""}},
        {"channel": "SMS", "state": {"status": "ACTIVE"}},
    ],
    "processing_mode": "DISPATCH",
    "dispatch_retention_policy": {"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": 3},
    "conversation_metadata_report_view": "NONE",
    "rate_limits": {"inbound": 25, "outbound": 20, "webhooks": 25},
    "queue_stats": {"outbound_size": 12, "outbound_limit": 500_000},
    "callback_settings": {"secret_for_overridden_callback_urls": "hidden"},
}


def checked(provider, api: Api, app: object = THE_APP, status: int = 200) -> dict[str, Any]:
    api.at(APPS).will(status, app)
    api.at(MESSAGES).will(200, [])
    return {result.name: result for result in provider.check()}


def test_everything_is_told(make_provider, api):
    results = checked(make_provider(webhook_secret=secret("s")), api)
    assert {name: result.ok for name, result in results.items()} == {
        "access key": True,
        "app": True,
        "channel WHATSAPP": True,
        "channel SMS": True,
        "processing mode": True,
        "retention": True,
        "metadata report view": True,
        "rate limits": True,
        "batch API": True,
        "sending": None,
    }
    told = " ".join(result.message for result in results.values())
    for words in ("region eu", "priority 1 of 2", "DISPATCH", "3 days", "20 messages a second", "12 of 500,000"):
        assert words in told
    assert "hidden" not in told


@pytest.mark.parametrize(
    ("state", "ok", "words"),
    [
        ({"status": "PENDING"}, None, "up to a minute"),
        ({"status": "FAILING", "description": "Permission was revoked at Meta"}, False, "revoked at Meta"),
        ({"status": "NEW_STATE"}, None, "NEW_STATE"),
        ({}, None, "not told"),
    ],
)
def test_the_state_of_a_channel(provider, api, state, ok, words):
    result = checked(provider, api, {**THE_APP, "channel_credentials": [{"channel": "RCS", "state": state}]})
    assert result["channel RCS"].ok is ok
    assert result["channel RCS"].pending is (state.get("status") == "PENDING")
    assert words in result["channel RCS"].message


def test_an_app_without_channels(provider, api):
    assert checked(provider, api, {**THE_APP, "channel_credentials": []})["channels"].ok is False


def test_nothing_kept_is_warned_of(provider, api):
    policy = {"dispatch_retention_policy": {"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": 0}}
    result = checked(provider, api, {**THE_APP, **policy})["retention"]
    assert result.ok is None
    assert "0 days" in result.message


def test_conversation_mode(provider, api):
    app = {**THE_APP, "processing_mode": "CONVERSATION", "retention_policy": {"retention_type": "X", "ttl_days": 180}}
    results = checked(provider, api, app)
    assert "CONVERSATION" in results["processing mode"].message
    assert "180 days" in results["retention"].message


def test_a_pace_over_the_apps_own(make_provider, api):
    assert "waits at Sinch" in checked(make_provider(messages_per_second=100), api)["rate limits"].message


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, {"error": {"status": "NOT_FOUND"}}, "region"),
        (403, b"", "belongs to this project"),
        (200, b"<html>", "not the Conversation API"),
        (500, b"", "base_url"),
    ],
)
def test_what_is_wrong_with_the_app_ends_it(provider, api, status, body, words):
    results = checked(provider, api, body, status=status)
    assert list(results) == ["access key", "app"]
    assert results["app"].ok is False
    assert words in results["app"].message


def test_a_wrong_key_ends_it_at_once(provider, api):
    api.at(TOKENS).answers.clear()
    api.at(TOKENS).will(401, {"error": "invalid_client"})
    (result,) = provider.check()
    assert (result.name, result.ok) == ("access key", False)
    assert "Access Keys" in result.message


def test_a_project_that_may_not_send_batches(provider, api):
    api.at(APPS).will(200, THE_APP)
    api.at(MESSAGES).will(403)
    results = {result.name: result for result in provider.check()}
    assert results["batch API"].ok is False
