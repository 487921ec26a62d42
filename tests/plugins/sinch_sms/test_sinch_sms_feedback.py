"""Telling Sinch who did what a message was for."""

import pytest
from answering_api import Api
from connector_sinch.sms.provider import SinchSms
from sinch_sms_kit import NUMBERS, PLAN, make_batch

from connector.model.errors import ReadFailed, ReadRefused


def test_people_are_told_of_by_their_batch(provider: SinchSms, api: Api):
    api.will(202)
    provider.feedback("01/BATCH", NUMBERS[:2])
    (seen,) = api.seen
    assert (seen.method, seen.path) == ("POST", f"/xms/v1/{PLAN}/batches/01%2FBATCH/delivery_feedback")
    assert seen.json == {"recipients": NUMBERS[:2]}


def test_of_nobody_nothing_is_told_as_that_would_mean_everybody(provider: SinchSms, api: Api):
    provider.feedback("01BATCH", [])
    assert api.seen == []


def test_it_may_be_told_again(provider: SinchSms, api: Api):
    api.will(0).will(202)
    provider.feedback("01BATCH", NUMBERS)
    assert len(api.seen) == 2


@pytest.mark.parametrize(
    ("status", "kind"), [(400, ReadRefused), (401, ReadRefused), (404, ReadRefused), (500, ReadFailed), (0, ReadFailed)]
)
def test_what_the_api_does_not_take_is_an_error(provider: SinchSms, api: Api, status, kind):
    api.will(status, {"code": "feedback_not_enabled", "text": f"Not for {NUMBERS[0]}"} if status else b"")
    with pytest.raises(kind) as caught:
        provider.feedback("01BATCH", NUMBERS)
    assert NUMBERS[0] not in str(caught.value)
    if kind is ReadRefused:
        assert "delivery_feedback" in str(caught.value)
        assert caught.value.http_status == status


@pytest.mark.parametrize(("setting", "announced"), [({}, None), ({"delivery_feedback": True}, True)])
def test_batches_announce_it_where_it_is_set(make_provider, api: Api, setting, announced):
    api.will(201, {"id": "01BATCH"})
    make_provider(api.url, **setting).send(make_batch())
    assert api.seen[0].json.get("feedback_enabled") is announced
