"""Trying a batch without sending it."""

import pytest
from answering_api import Api
from connector_sinch.sms.provider import SinchSms
from sinch_sms_kit import PLAN, make_batch

from connector.model.errors import ReadFailed
from connector.model.outcome import DryRun, Refused, Scope

COUNTED = {"number_of_recipients": 2, "number_of_messages": 5}


def test_the_api_counts_people_and_parts(provider: SinchSms, api: Api):
    api.will(200, COUNTED)
    batch = make_batch("Hi ${name}", [("Ada",), ("Bo",)])
    assert provider.dry_run(batch) == DryRun(messages=2, parts=5)
    (seen,) = api.seen
    assert (seen.method, seen.path, seen.query) == ("POST", f"/xms/v1/{PLAN}/batches/dry_run", {})
    api.will(201, {"id": "01BATCH"})
    provider.send(batch)
    assert api.seen[1].json == seen.json


def test_it_may_be_asked_again(provider: SinchSms, api: Api):
    api.will(503).will(200, COUNTED)
    assert provider.dry_run(make_batch()) == DryRun(2, 5)
    assert len(api.seen) == 2


@pytest.mark.parametrize(
    ("status", "body", "scope"),
    [
        (400, {"code": "c", "text": "The format of parameter 'to[1]' is invalid"}, Scope.recipient),
        (400, {"code": "c", "text": "The format of parameter 'from' is invalid"}, Scope.campaign),
        (401, b"", Scope.account),
        (403, {"code": "blocked_account", "text": "Blocked."}, Scope.account),
        (404, b"", Scope.account),
        (301, b"", Scope.account),
    ],
)
def test_what_would_be_refused_is_refused(provider: SinchSms, api: Api, status, body, scope):
    api.will(status, body)
    outcome = provider.dry_run(make_batch())
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (scope, status)
    assert len(api.seen) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html></html>"),
        (200, []),
        (200, {}),
        (200, {"number_of_recipients": "2", "number_of_messages": 5}),
        (204, b""),
        (429, b""),
        (500, b""),
        (0, b""),
    ],
)
def test_without_an_answer_nothing_is_said(provider: SinchSms, api: Api, status, body):
    api.will(status, body)
    with pytest.raises(ReadFailed):
        provider.dry_run(make_batch())
