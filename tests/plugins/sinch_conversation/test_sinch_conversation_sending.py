"""What an answer means for a batch: accepted, refused and for whom, to be waited for, or in doubt."""

from datetime import timedelta

import pytest
from answering_api import Api
from connector_sinch.conversation.provider import SinchConversation
from sinch_conversation_kit import MESSAGES, NOW, SEND, TOKENS, make_batch

from connector.model.errors import NotReached, Throttled
from connector.model.outcome import InDoubt, Refused, Scope

VIOLATION = "type.googleapis.com/google.rpc.BadRequest"


def nested(code: int, status: str, message: str = "", *details: dict) -> dict:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def pointing(*fields: str) -> dict:
    found = [{"field": field, "description": "is wrong"} for field in fields]
    return nested(400, "INVALID_ARGUMENT", "Invalid argument", {"@type": VIOLATION, "fieldViolations": found})


def answered(provider: SinchConversation, api: Api, status: int, body: object = b"", **headers: str):
    api.at(MESSAGES).will(status, body, **headers)
    outcome = provider.send(make_batch())
    assert len(api.at(MESSAGES).seen) == 1
    return outcome


def test_a_recipient_that_is_pointed_at_is_refused_alone(provider, api):
    body = pointing("recipient_and_params[1].recipient.identified_by.channel_identities[0].identity")
    outcome = answered(provider, api, 400, body)
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.recipients, outcome.error) == (Scope.recipient, (1,), "INVALID_ARGUMENT")


def test_a_recipient_may_be_pointed_at_in_the_sentence(provider, api):
    body = {
        "code": 400,
        "status": "INVALID_REQUEST",
        "message": "recipientAndParams[0].recipient: '12015550101' is bad",
    }
    outcome = answered(provider, api, 400, body)
    assert (outcome.scope, outcome.recipients) == (Scope.recipient, (0,))
    assert "12015550101" not in outcome.sentence()


def test_a_place_that_is_not_in_the_batch_points_at_nobody(provider, api):
    assert answered(provider, api, 400, pointing("recipient_and_params[7]")).scope is Scope.unknown


@pytest.mark.parametrize(
    ("field", "advice"),
    [
        ("message.card_message.title", "message"),
        ("channel_priority_order[0]", "channel_priority_order"),
        ("channel_properties", "sender"),
        ("ttl", "ttl"),
        ("send_after", "seven days"),
        ("callback_url", "public address"),
    ],
)
def test_a_field_of_the_whole_campaign_stops_it(provider, api, field, advice):
    outcome = answered(provider, api, 400, pointing(field))
    assert outcome.scope is Scope.campaign
    assert advice in outcome.sentence()
    assert field in outcome.sentence()


@pytest.mark.parametrize(
    ("message", "field", "scope"),
    [
        ({"text": "Hi ${name}"}, "message.text_message.text", Scope.unknown),
        ({"text": "Hi ${name}"}, "conversation_metadata", Scope.campaign),
        ({"text": "Hi", "conversation_metadata": {"a": "${name}"}}, "conversation_metadata.a", Scope.unknown),
        ({"text": "Hi", "correlation_id": "${name}"}, "correlation_id", Scope.unknown),
        ({"text": "Hi", "correlation_id": "${name}"}, "message.text_message.text", Scope.campaign),
        ({"text": "Hi", "correlation_id": "order", "queue": "HIGH_PRIORITY"}, "correlation_id", Scope.campaign),
    ],
)
def test_a_field_with_values_in_it_may_be_about_one_person(provider, api, message, field, scope):
    for where in (MESSAGES, SEND):
        api.at(where).will(400, pointing(field))
    outcome = provider.send(make_batch(message, [{"name": "Ada"}]))
    assert isinstance(outcome, Refused)
    assert outcome.scope is scope


def test_a_field_in_a_sentence_counts_but_a_word_does_not(provider, api):
    sentence = "Invalid value in field 'channel_priority_order': the app has no such channel"
    assert answered(provider, api, 400, nested(400, "INVALID_ARGUMENT", sentence)).scope is Scope.campaign


def test_a_refusal_that_points_nowhere_is_found_out_about(provider, api):
    body = nested(400, "INVALID_ARGUMENT", "The message is not valid")
    assert answered(provider, api, 400, body).scope is Scope.unknown


def test_a_value_in_a_sentence_is_no_pointer_and_is_not_repeated(provider, api):
    sentence = "recipient_and_params[0].parameters: value 'ttl of Ada' is wrong"
    outcome = answered(provider, api, 400, nested(400, "INVALID_ARGUMENT", sentence))
    assert (outcome.scope, outcome.recipients) == (Scope.recipient, (0,))
    assert "Ada" not in outcome.sentence()


def test_an_app_that_is_not_known_concerns_the_account(provider, api):
    assert answered(provider, api, 400, pointing("app_id")).scope is Scope.account


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, nested(401, "UNAUTHENTICATED", "Request had invalid credentials."), "key_secret"),
        (401, {"type": "x", "title": "Token expired", "detail": "The access token has expired."}, "key_secret"),
        (403, nested(403, "PERMISSION_DENIED"), "project"),
        (403, nested(403, "BILLING_CREDIT_LIMIT_BREACHED", "No credit left"), "credit"),
        (403, {"code": 403, "status": "BILLING_CREDIT_LIMIT_BREACHED", "message": "", "details": []}, "credit"),
        (404, {"code": 404, "message": "information not found", "status": "NOT_FOUND"}, "region"),
        (404, b"", "region"),
        (301, b"", "redirection"),
        (405, b"", "base_url"),
    ],
)
def test_what_concerns_the_account_says_what_to_do(provider, api, status, body, advice):
    outcome = answered(provider, api, status, body)
    assert isinstance(outcome, Refused)
    assert outcome.scope is Scope.account
    assert advice in outcome.sentence()


def test_a_single_message_that_is_refused_for_its_recipient(provider, api):
    api.at(SEND).will(400, pointing("recipient.identified_by"))
    outcome = provider.send(make_batch(None, [{}], prompt=True))
    assert (outcome.scope, outcome.recipients) == (Scope.recipient, (0,))


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"retry_after": "7"}, [], 7),
        ({}, [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}], 12.5),
        ({}, [{"@type": "type.googleapis.com/google.rpc.RetryInfo"}], None),
        ({}, [], None),
    ],
)
def test_throttling_is_a_wait(provider, api, headers, details, seconds):
    with pytest.raises(Throttled) as thrown:
        answered(provider, api, 429, nested(429, "RESOURCE_EXHAUSTED", "", *details), **headers)
    assert thrown.value.retry_after_seconds == seconds


@pytest.mark.parametrize("status", [0, 408, 500, 501, 503])
def test_what_may_have_been_taken_is_in_doubt(provider, api, status):
    assert isinstance(answered(provider, api, status), InDoubt)


@pytest.mark.parametrize("body", [b"", b"<html>", {}, {"batch_id": ""}, {"batch_id": 7}, []])
def test_an_acceptance_without_an_id_is_in_doubt(provider, api, body):
    assert isinstance(answered(provider, api, 200, body), InDoubt)


def test_a_wrong_access_key_stops_before_anything_leaves(provider, api):
    api.at(TOKENS).answers.clear()
    api.at(TOKENS).will(401, {"error": "invalid_client"})
    outcome = provider.send(make_batch())
    assert (outcome.scope, outcome.error) == (Scope.account, "invalid_client")
    assert api.seen == []


def test_one_token_serves_all_hosts_and_is_renewed_once_when_it_has_expired(provider, api):
    api.at(MESSAGES).will(401, b"", www_authenticate='Bearer error="invalid_token" expired').will(
        200, {"batch_id": "01J"}
    )
    api.at(SEND).will(200, {"message_id": "01M"})
    provider.send(make_batch(None, [{}], prompt=True))
    api.at(TOKENS).answers.clear()
    api.at(TOKENS).will(200, {"access_token": "the-next", "expires_in": 3600})
    provider.send(make_batch())
    assert len(api.at(TOKENS).seen) == 2
    assert [seen.headers["authorization"] for seen in api.at(MESSAGES).seen] == [
        "Bearer token-of-tests",
        "Bearer the-next",
    ]


def test_a_worker_that_was_held_up_does_not_send(provider, api):
    batch = make_batch()
    late = batch.attempt.deadline
    object.__setattr__(late, "at", NOW - timedelta(seconds=1))
    with pytest.raises(NotReached):
        provider.send(batch)
    assert api.at(MESSAGES).seen == []
