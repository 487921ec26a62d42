"""Signing in by a project's access key: one token, and no batch in doubt for want of it."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from answering_api import Api
from connector_sinch.sms.provider import SinchSms
from sinch_sms_kit import KEY, KEY_SECRET, NOW, OF_PROJECT, PROJECT, TOKENS, make_batch

from connector.extension import Secret
from connector.model.batch import Attempt, Batch, Deadline
from connector.model.errors import ConfigurationError, NotReached, ReadFailed, ReadRefused, Stopped, Throttled
from connector.model.outcome import Accepted, FoundState, InDoubt, Refused, Scope

BATCHES = f"/xms/v1/{PROJECT}/batches"
EXPIRED = {"www_authenticate": 'Bearer error="invalid_token", error_description="expired"'}


def granted(token: str) -> dict[str, object]:
    return {"access_token": token, "expires_in": 3599, "scope": "", "token_type": "bearer"}


@pytest.fixture
def tokens(api: Api) -> Api:
    """The host of tokens, which gives t1, and then t2."""
    return api.at(TOKENS).will(200, granted("t1")).will(200, granted("t2"))


def test_a_batch_is_posted_to_the_project_with_a_token_of_its_key(of_project: SinchSms, api: Api, tokens: Api):
    api.will(201, {"id": "01BATCH"})
    assert of_project.send(make_batch()) == Accepted("01BATCH")
    (asked,) = tokens.seen
    assert asked.headers["authorization"] == f"Basic {b64encode(f'{KEY}:{KEY_SECRET}'.encode()).decode()}"
    (seen,) = api.seen
    assert (seen.method, seen.path, seen.headers["authorization"]) == ("POST", BATCHES, "Bearer t1")


def test_everything_goes_by_the_same_token(of_project: SinchSms, api: Api, tokens: Api):
    api.will(200, {"count": 0, "page": 0, "page_size": 0, "batches": [], "inbounds": [], "canceled": True})
    batch = make_batch(provider_batch_id="01BATCH")
    assert of_project.find(batch).state is FoundState.absent
    list(of_project.inbound(NOW))
    of_project.cancel("01BATCH")
    of_project.feedback("01BATCH", batch.recipients)
    with pytest.raises(ReadFailed):
        of_project.dry_run(batch)
    assert {seen.headers["authorization"] for seen in api.seen} == {"Bearer t1"}
    assert {seen.path.split("/")[3] for seen in api.seen} == {PROJECT}
    assert len(tokens.seen) == 1


def test_an_expired_token_is_renewed_and_the_batch_sent_once_more(of_project: SinchSms, api: Api, tokens: Api):
    api.will(401, **EXPIRED).will(201, {"id": "01BATCH"})
    assert of_project.send(make_batch()) == Accepted("01BATCH")
    assert [seen.headers["authorization"] for seen in api.seen] == ["Bearer t1", "Bearer t2"]
    assert api.seen[0].body == api.seen[1].body


def test_past_the_deadline_it_is_not_sent_once_more(of_project: SinchSms, api: Api, tokens: Api):
    api.will(401, **EXPIRED)
    batch = make_batch()
    clock = Deadline(NOW, 30.0, clock=lambda: NOW + timedelta(seconds=len(api.seen) - 1), monotonic=lambda: 0.0)
    given = {name: getattr(batch, name) for name in batch.__slots__}
    with pytest.raises(NotReached):
        of_project.send(Batch(**{**given, "attempt": Attempt(1, clock)}))
    assert len(api.seen) == 1


def test_a_lost_answer_is_in_doubt(of_project: SinchSms, api: Api, tokens: Api):
    api.will(0)
    assert isinstance(of_project.send(make_batch()), InDoubt)


def test_a_project_that_the_api_does_not_take_is_told_what_to_use(of_project: SinchSms, api: Api, tokens: Api):
    api.will(401)
    outcome = of_project.send(make_batch())
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.account, 401)
    for words in ("15 April 2026", "service_plan_id", "sinch-conversation", "project_id"):
        assert words in outcome.sentence()
    assert len(api.seen) == 1


@pytest.mark.parametrize("status", [301, 402, 403, 404, 405, 407, 415])
def test_a_refusal_of_the_account_names_the_settings_of_a_project(
    of_project: SinchSms, api: Api, tokens: Api, status: int
):
    api.will(status)
    outcome = of_project.send(make_batch())
    assert isinstance(outcome, Refused)
    assert outcome.scope is Scope.account
    assert "service_plan_id" not in outcome.advice
    assert "api_token" not in outcome.advice


def test_a_refused_access_key_stops_the_dispatch(of_project: SinchSms, api: Api):
    api.at(TOKENS).will(401, {"error": "invalid_client", "error_description": KEY_SECRET})
    outcome = of_project.send(make_batch())
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code, outcome.error) == (Scope.account, 401, "invalid_client")
    assert "key_secret" in outcome.sentence()
    assert KEY_SECRET not in outcome.sentence()
    assert of_project.explain("http", outcome.error) is not None
    assert "refused the credentials" in of_project.find(make_batch()).cause
    assert api.seen == []


@pytest.mark.parametrize(("status", "kind"), [(429, Throttled), (503, NotReached), (0, NotReached)])
def test_without_a_token_a_batch_waits(of_project: SinchSms, api: Api, status: int, kind: type[Exception]):
    api.at(TOKENS).will(status)
    with pytest.raises(kind):
        of_project.send(make_batch())
    assert of_project.find(make_batch()).state is FoundState.cannot_tell
    with pytest.raises(ReadFailed):
        of_project.cancel("01BATCH")
    assert api.seen == []


def absent(reference: str) -> str:
    raise ConfigurationError("The variable OF_TESTS is not set.")


@pytest.fixture
def without_secret(make_provider, api: Api) -> SinchSms:
    return make_provider(api.url, auth_url=api.url, **OF_PROJECT | {"key_secret": Secret("env:OF_TESTS", absent)})


def test_a_key_secret_that_cannot_be_read_stops_the_dispatch(without_secret: SinchSms, api: Api):
    with pytest.raises(Stopped, match="OF_TESTS is not set"):
        without_secret.send(make_batch())
    with pytest.raises(ReadRefused, match="OF_TESTS is not set"):
        list(without_secret.inbound(NOW))
    (result,) = without_secret.check()
    assert (result.ok, result.message) == (False, "The variable OF_TESTS is not set.")
    assert api.seen == api.at(TOKENS).seen == []


def test_a_good_check_tries_key_and_api(of_project: SinchSms, api: Api, tokens: Api):
    api.will(200, {"count": 0, "page": 0, "page_size": 0, "batches": []}, date=format_datetime(datetime.now(UTC), True))
    results = {result.name: result for result in of_project.check()}
    assert {name: result.ok for name, result in results.items()} == {
        "access key": True,
        "credentials": True,
        "clock": True,
        "sending": None,
        "callbacks": None,
    }
    assert PROJECT in results["credentials"].message
    assert (api.seen[0].path, api.seen[0].query) == (BATCHES, {"page_size": "1"})


@pytest.mark.parametrize(
    ("status", "ok", "reached", "words"),
    [
        (401, False, True, ["key_id", "key_secret", "Access Keys"]),
        (404, False, True, ["127.0.0.1"]),
        (429, None, True, ["minute"]),
        (503, False, False, ["auth_url"]),
    ],
)
def test_a_check_without_a_token_says_what_to_do(of_project: SinchSms, api: Api, status, ok, reached, words):
    api.at(TOKENS).will(status)
    (result,) = of_project.check()
    assert (result.name, result.ok, result.reached) == ("access key", ok, reached)
    assert [word for word in words if word not in result.message] == []
    assert api.seen == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, ["15 April 2026", "service_plan_id", "sinch-conversation", "HTTP 401"]),
        (404, ["project_id", "region"]),
        (503, ["base_url"]),
    ],
)
def test_a_check_that_the_api_refuses_explains_it(of_project: SinchSms, api: Api, tokens: Api, status, words):
    api.will(status)
    access_key, credentials = of_project.check()
    assert (access_key.ok, credentials.name, credentials.ok) == (True, "credentials", False)
    assert [word for word in words if word not in credentials.message] == []


def test_a_changed_key_secret_is_used_for_the_next_token(make_provider, api: Api):
    secrets = iter(["old", "new"])
    key_secret = Secret("file:secret", lambda reference: next(secrets))
    provider = make_provider(api.url, auth_url=api.url, **OF_PROJECT | {"key_secret": key_secret})
    api.at(TOKENS).will(200, granted("t1")).will(200, granted("t2"))
    api.will(201, {"id": "1"}).will(401, **EXPIRED).will(201, {"id": "2"})
    provider.send(make_batch())
    provider.send(make_batch())
    keys = [b64encode(f"{KEY}:{each}".encode()).decode() for each in ("old", "new")]
    assert [seen.headers["authorization"] for seen in api.at(TOKENS).seen] == [f"Basic {key}" for key in keys]


def test_two_integrations_of_a_project_share_its_account(make_provider):
    one, other = (make_provider(**OF_PROJECT, region=region) for region in ("eu", "us"))
    assert one.account == other.account == f"sinch-sms:{PROJECT}"
