"""Sending: what leaves, and what each answer makes of the batch."""

from datetime import timedelta

import pytest
from answering_api import Api
from connector_sinch.sms.provider import SinchSms
from sinch_sms_kit import NOW, NUMBERS, PLAN, TOKEN, make_batch

from connector.extension import Secret
from connector.model.batch import Attempt, Deadline
from connector.model.errors import ConfigurationError, NotReached, Stopped, Throttled
from connector.model.outcome import Accepted, InDoubt, Refused, Scope


def error(code: str, text: str) -> dict[str, str]:
    return {"code": code, "text": text}


def test_a_batch_is_posted_to_its_plan_with_the_token(provider: SinchSms, api: Api):
    api.will(201, {"id": "01BATCH", "canceled": False})
    assert provider.send(make_batch("Hi ${name}", [("Ada",), ("Bo",)])) == Accepted("01BATCH")
    (seen,) = api.seen
    assert (seen.method, seen.path, seen.query) == ("POST", f"/xms/v1/{PLAN}/batches", {})
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["content-type"] == "application/json"
    assert seen.json["to"] == NUMBERS[:2]


@pytest.mark.parametrize("status", [200, 201])
def test_an_id_is_an_acceptance(provider, api, status):
    api.will(status, {"id": "01BATCH"})
    assert provider.send(make_batch()) == Accepted("01BATCH")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (201, b""),
        (201, b"<html></html>"),
        (201, {"id": ""}),
        (201, {"id": 7}),
        (201, []),
        (202, {"id": "01BATCH"}),
        (408, b""),
        (500, {"code": "internal", "text": "not processed"}),
        (502, b"Bad gateway"),
        (503, b""),
        (504, b""),
    ],
)
def test_what_may_have_been_taken_is_in_doubt(provider, api, status, body):
    api.will(status, body)
    outcome = provider.send(make_batch())
    assert isinstance(outcome, InDoubt)
    assert str(status) in outcome.cause
    assert len(api.seen) == 1


def test_a_lost_answer_is_in_doubt_and_not_sent_again(provider, api):
    api.will(0)
    assert isinstance(provider.send(make_batch()), InDoubt)
    assert len(api.seen) == 1


def test_an_address_where_nobody_answers_was_not_reached(make_provider):
    with pytest.raises(NotReached):
        make_provider("http://127.0.0.1:9").send(make_batch())


def test_past_the_deadline_nothing_leaves(provider, api):
    api.will(201, {"id": "01BATCH"})
    batch = make_batch()
    late = Deadline(NOW, 30.0, clock=lambda: NOW + timedelta(seconds=1), monotonic=lambda: 0.0)
    batch = type(batch)(**{**{name: getattr(batch, name) for name in batch.__slots__}, "attempt": Attempt(1, late)})
    with pytest.raises(NotReached):
        provider.send(batch)
    assert api.seen == []


@pytest.mark.parametrize(("header", "seconds"), [({}, None), ({"retry_after": "7"}, 7.0), ({"retry_after": "x"}, None)])
def test_too_many_requests_are_a_wait(provider, api, header, seconds):
    api.will(429, b"", **header)
    with pytest.raises(Throttled) as caught:
        provider.send(make_batch())
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, b"", "api_token"),
        (401, b"", "region"),
        (402, b"", "credit"),
        (403, b"", "api_token"),
        (403, error("blocked_account", "Blocked."), "credit"),
        (403, error("illegal_number_type", "No."), "type"),
        (403, error("missing_callback_url", "No URL."), "public_url"),
        (403, error("something_new", "No."), "api_token"),
        (404, b"", "service_plan_id"),
        (405, b"", "base_url"),
        (415, b"", "base_url"),
        (301, b"", "base_url"),
        (308, b"", "redirection"),
    ],
)
def test_a_refusal_of_the_account_says_what_to_do(provider, api, status, body, advice):
    api.will(status, body)
    outcome = provider.send(make_batch())
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code, outcome.recipients) == (Scope.account, status, ())
    assert advice in outcome.advice
    assert advice in outcome.sentence()


@pytest.mark.parametrize(
    ("text", "scope", "recipients"),
    [
        ("The format of parameter 'to[1]' is invalid; value '+1' is not a valid MSISDN.", Scope.recipient, (1,)),
        ("'to[2]' and 'to[0]' are invalid", Scope.recipient, (0, 2)),
        ("to[0]: not a number", Scope.recipient, (0,)),
        ("The format of parameter 'to[9]' is invalid", Scope.unknown, ()),
        (f"The field 'parameters.name.{NUMBERS[2]}' must be a string of 1 to 160.", Scope.recipient, (2,)),
        (f"parameters[name][+{NUMBERS[1]}] is too long", Scope.recipient, (1,)),
        ("The field 'parameters.name.46701740699' must be a string.", Scope.unknown, ()),
        ("The field 'parameters.name' must be an object.", Scope.unknown, ()),
        ("The field 'parameters.name.default' must be a string of 1 to 160.", Scope.campaign, ()),
        ("The format of parameter 'from' is invalid; value 'X' is not a valid originator.", Scope.campaign, ()),
        (f"The format of parameter 'from' is invalid; value '{NUMBERS[0]}' is no.", Scope.campaign, ()),
        ("The field 'body' must be a string of at most 2000 characters.", Scope.campaign, ()),
        ("The field 'body' is wrong; value 'see 'to[0]'' is odd.", Scope.campaign, ()),
        ("The field 'expire_at' must be at most 3 days after 'send_at'.", Scope.campaign, ()),
        ("The format of parameter 'callback_url' is invalid; value 'x' is not a URL.", Scope.campaign, ()),
        ('parsing field "type": "XXX" is not a valid value', Scope.campaign, ()),
        ("The field 'to' must have 1 to 1000 entries.", Scope.unknown, ()),
        ("'foo' is not a valid identifier", Scope.unknown, ()),
        ("Something from nowhere in your body.", Scope.unknown, ()),
    ],
)
def test_a_400_concerns_whom_its_pointer_names(provider, api, text, scope, recipients):
    api.will(400, error("syntax_invalid_parameter_format", text))
    outcome = provider.send(make_batch("${name}", [("Ada",), ("Bo",), ("Cy",)]))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.recipients) == (scope, recipients)
    assert (outcome.status_code, outcome.error) == (400, "syntax_invalid_parameter_format")
    assert (outcome.advice is not None) == (scope is Scope.campaign)


@pytest.mark.parametrize("body", [b"", b"<html></html>", {"timestamp": "t", "status": 400, "error": "Bad Request"}])
def test_a_400_without_a_pointer_says_nothing_of_whom(provider, api, body):
    api.will(400, body)
    outcome = provider.send(make_batch())
    assert isinstance(outcome, Refused)
    assert outcome.scope is Scope.unknown


def test_an_unknown_campaign_of_the_sender_is_the_campaigns(provider, api):
    api.will(403, error("unknown_campaign", "No campaign."))
    outcome = provider.send(make_batch())
    assert (outcome.scope, outcome.error) == (Scope.campaign, "unknown_campaign")


@pytest.mark.parametrize("status", [409, 410, 413, 422])
def test_another_refusal_is_certain_but_says_nothing_of_whom(provider, api, status):
    api.will(status, b"")
    outcome = provider.send(make_batch())
    assert (outcome.scope, outcome.status_code) == (Scope.unknown, status)


def test_a_comment_names_nobody(provider, api):
    api.will(400, error("syntax_constraint_violation", f"Bad 'parameters.name.{NUMBERS[0]}'; value 'Ada' is bad."))
    comment = provider.send(make_batch()).comment
    assert NUMBERS[0] not in comment
    assert "Ada" not in comment
    assert "parameters.name" in comment


def test_a_token_that_cannot_be_read_stops_the_dispatch(make_provider, api):
    def absent(reference: str) -> str:
        raise ConfigurationError("The variable OF_TESTS is not set.")

    with pytest.raises(Stopped, match="OF_TESTS is not set"):
        make_provider(api.url, api_token=Secret("env:OF_TESTS", absent)).send(make_batch())
    assert api.seen == []


@pytest.mark.parametrize("token", ["t0k3n\n", " t0k3n", "t0k3n-å", ""])
def test_a_token_that_fits_no_header_stops_the_dispatch_without_showing_it(make_provider, api, token):
    with pytest.raises(Stopped) as caught:
        make_provider(api.url, api_token=Secret("env:OF_TESTS", lambda reference: token)).send(make_batch())
    assert "t0k3n" not in str(caught.value)
    assert api.seen == []


def test_a_changed_token_is_used_at_once(make_provider, api):
    tokens = iter(["old", "new"])
    provider = make_provider(api.url, api_token=Secret("file:token", lambda reference: next(tokens)))
    api.will(201, {"id": "01BATCH"})
    provider.send(make_batch())
    provider.send(make_batch())
    assert [seen.headers["authorization"] for seen in api.seen] == ["Bearer old", "Bearer new"]
