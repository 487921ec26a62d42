"""Looking up what the API has of ours, calling it back, and asking what people wrote."""

import pytest
from answering_api import Api
from connector_sinch.conversation.provider import SinchConversation
from sinch_conversation_kit import APP, APPS, MESSAGES, NOW, make_batch

from connector.model.errors import ReadFailed
from connector.model.outcome import FoundState

OURS = {"batch_id": "01JB", "meta_data": {"batch": "d1-0-0"}, "status": "PROCESSED", "send_after": None}


def found(provider: SinchConversation, api: Api, body: object, status: int = 200, batch=None):
    api.at(MESSAGES).will(status, body)
    told = provider.find(batch or make_batch())
    assert api.at(MESSAGES).seen[0].query == {"metadataKey": "batch", "metadataValue": "d1-0-0"}
    return told.state, told.provider_batch_ids


@pytest.mark.parametrize("body", [[OURS], OURS, {"batches": [OURS]}, [{**OURS, "status": "SCHEDULED"}]])
def test_a_batch_is_found_by_our_key(provider, api, body):
    assert found(provider, api, body) == (FoundState.accepted, ("01JB",))


def test_a_second_copy_is_seen(provider, api):
    assert found(provider, api, [OURS, {**OURS, "batch_id": "01JC"}]) == (FoundState.accepted, ("01JB", "01JC"))


def test_a_cancelled_copy_does_not_count(provider, api):
    cancelled = {**OURS, "status": "CANCELLED"}
    assert found(provider, api, [cancelled, {**OURS, "batch_id": "01JC"}]) == (FoundState.accepted, ("01JC",))


@pytest.mark.parametrize(("status", "body"), [(200, []), (200, {}), (404, b""), (200, {"batches": []})])
def test_an_answer_in_full_without_it_says_absent(provider, api, status, body):
    assert found(provider, api, body, status)[0] is FoundState.absent


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, [{**OURS, "status": "CANCELLED"}]),
        (200, [{**OURS, "meta_data": {"batch": "another"}}]),
        (200, [{**OURS, "batch_id": None}]),
        (200, b"<html>"),
        (200, "text"),
        (200, {"a": 1}),
        (200, [7]),
        (403, b""),
        (429, b""),
        (500, b""),
        (0, b""),
    ],
)
def test_anything_unclear_says_nothing(provider, api, status, body):
    assert found(provider, api, body, status)[0] is FoundState.cannot_tell


def test_what_may_have_gone_alone_is_never_absent(provider, api):
    assert found(provider, api, [], batch=make_batch(None, [{}], prompt=True))[0] is FoundState.cannot_tell


def test_cancelled_is_only_what_the_api_shows_as_cancelled(provider, api):
    one = f"{MESSAGES}/01JB"
    api.at(MESSAGES).will(200)
    api.at(one).will(200, {**OURS, "status": "SCHEDULED"}).will(200, {**OURS, "status": "CANCELLED"})
    assert provider.cancel("01JB")
    (seen,) = api.at(MESSAGES).seen
    assert (seen.method, seen.json) == ("DELETE", {"batch_id": "01JB"})


def test_what_has_left_is_not_called_back(provider, api):
    api.at(MESSAGES).will(200)
    api.at(f"{MESSAGES}/01JB").will(200, OURS)
    assert not provider.cancel("01JB")


def test_a_message_that_went_alone_is_not_deleted_for_being_cancelled(provider, api):
    api.at(f"{MESSAGES}/01JM").will(404)
    assert not provider.cancel("01JM")
    assert api.at(MESSAGES).seen == []


def test_whether_it_was_cancelled_must_be_readable(provider, api):
    api.at(MESSAGES).will(200)
    api.at(f"{MESSAGES}/01JB").will(200, b"<html>")
    with pytest.raises(ReadFailed):
        provider.cancel("01JB")


@pytest.mark.parametrize(("mode", "source"), [("DISPATCH", "DISPATCH_SOURCE"), ("CONVERSATION", "CONVERSATION_SOURCE")])
def test_what_people_wrote_is_asked_for_page_by_page(provider, api, mode, source):
    api.at(APPS).will(200, {"id": APP, "processing_mode": mode})
    first = {"messages": [{"id": "01A", "contact_message": {"text_message": {"text": "Yes"}}}], "next_page_token": "2"}
    api.at(MESSAGES).will(200, first).will(200, {"messages": [], "next_page_token": ""})
    reports = list(provider.inbound(NOW))
    assert len(reports) == 1
    assert [seen.query.get("page_token") for seen in api.at(MESSAGES).seen] == [None, "2"]
    query = api.at(MESSAGES).seen[0].query
    assert query["messages_source"] == source
    assert (query["app_id"], query["direction"], query["start_time"]) == (APP, "TO_APP", "2026-11-23T09:30:00.000Z")


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, {"messages": 1}), (404, b""), (403, b"")])
def test_a_list_that_cannot_be_read_says_so(provider, api, status, body):
    api.at(APPS).will(200, {"id": APP, "processing_mode": "DISPATCH"})
    api.at(MESSAGES).will(status, body)
    with pytest.raises(ReadFailed):
        list(provider.inbound(NOW))
