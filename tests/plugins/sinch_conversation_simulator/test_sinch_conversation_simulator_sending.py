from collections.abc import Callable
from typing import Any

import pytest
from callback_receiver import Receiver
from project_client import ANNA, BERT, TEXT, Project, course, on, refusal, told

Projects = Callable[..., Project]

CARD = {"title": "Atlas", "choices": [{"text_message": {"text": "Buy"}}]}


def test_a_message_is_accepted_and_counted(project: Projects) -> None:
    project = project()
    answer = project.made("messages:send", project.a_message(recipient=on(f"+{ANNA}", "SMS")))
    assert set(answer) == {"message_id", "accepted_time"}
    project.idle()
    account = project.account()
    assert (account["numbers"], account["accepted_once"], account["sends"]) == (1, 1, {"200": 1})


def test_a_number_that_was_accepted_twice_shows(project: Projects) -> None:
    project = project()
    project.send()
    project.send()
    assert project.account()["more_than_once"] == {ANNA: 2}


@pytest.mark.parametrize(
    "fields",
    [
        {"recipient": None},
        {"message": None},
        {"recipient": {}},
        {"recipient": {"contact_id": "01J00000000000000000000001", **on(ANNA, "SMS")}},
        {"recipient": {"identified_by": {"channel_identities": []}}},
        {"recipient": on(ANNA, "PIGEON")},
        {"message_metadata": "x" * 1025},
        {"message_metadata": {"an": "object"}},
        {"conversation_metadata": {"x": "y" * 2048}},
        {"correlation_id": "x" * 129},
        {"channel_properties": {"SMS_SENDER": "x" * 1025}},
        {"ttl": "2s"},
        {"ttl": "10"},
        {"queue": "FAST"},
        {"message_content_type": "MARKETING"},
        {"callback_url": "not a url"},
        {"channel_priority_order": ["KAKAOTALK"]},
        {"colour": "red"},
    ],
    ids=str,
)
def test_a_malformed_request_is_refused(unchanged: Project, fields: dict[str, Any]) -> None:
    answer = unchanged.call("POST", "messages:send", unchanged.a_message(**fields))
    assert refusal(answer) == (400, "INVALID_ARGUMENT")
    assert unchanged.account()["numbers"] == 0


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"text_message": {}},
        {**TEXT, "media_message": {"url": "https://example.com/a.png"}},
        {"letter_message": {"text": "Hi"}},
        {"media_message": {"thumbnail_url": "https://example.com/a.png"}},
        {"card_message": {"choices": CARD["choices"] * 11}},
        {"carousel_message": {"cards": [CARD] * 11}},
        {"carousel_message": {"cards": [CARD], "choices": CARD["choices"] * 4}},
        {"choice_message": {"choices": []}},
        {"location_message": {"title": "Shop", "coordinates": {"latitude": 1.0}}},
        {"list_message": {"title": "Books", "sections": [{"items": []}]}},
        {"list_message": {"title": "Books", "sections": [{"items": [{"choice": {}}, {"product": {}}]}]}},
        {"list_message": {"title": "Books", "sections": [{"items": [{"product": {"id": "7"}}]}]}},
        {"template_message": {}},
        {"template_message": {"channel_template": {"WHATSAPP": {"template_id": "x"}}}},
        {"template_message": {"omni_template": {"template_id": "x"}}},
        {"contact_info_message": {"name": {"full_name": "Ada"}, "phone_numbers": [{}]}},
        {**TEXT, "explicit_channel_message": {"WHATSAPP": {"raw": "object"}}},
        {**TEXT, "explicit_channel_omni_message": {"WHATSAPP": {"text_message": {}}}},
        {**TEXT, "channel_specific_message": {"WHATSAPP": {"message_type": "LETTER"}}},
    ],
    ids=str,
)
def test_a_message_that_is_malformed_is_refused(unchanged: Project, message: dict[str, Any]) -> None:
    answer = unchanged.call("POST", "messages:send", unchanged.a_message(message=message))
    assert refusal(answer) == (400, "INVALID_ARGUMENT")


def test_the_body_must_be_json(project: Projects) -> None:
    project = project()
    path = f"/v1/projects/{project.options.project_id}/messages:send"
    headers = {"content-type": "application/json"}
    assert refusal(project.http.post(path, content=b"{", headers=headers)) == (400, "INVALID_ARGUMENT")
    assert refusal(project.http.post(path, content=b"{}")) == (415, "INVALID_ARGUMENT")


def test_a_contact_can_be_named_in_conversation_mode_only(project: Projects) -> None:
    project = project()
    to = {"contact_id": "01J00000000000000000000001"}
    assert refusal(project.call("POST", "messages:send", project.a_message(recipient=to)))[0] == 400


def test_what_does_not_fit_into_the_queue_is_told_to_wait(project: Projects) -> None:
    project = project(queue_limit=3)
    project.hold("queue")
    project.send_batch()
    project.made("messages:send", project.a_message())
    (app,) = project.get("apps")["apps"]
    assert app["queue_stats"] == {"outbound_size": 3, "outbound_limit": 3}
    for path, request in (("messages:send", project.a_message()), ("messages", project.a_batch())):
        assert refusal(project.call("POST", path, request)) == (429, "RESOURCE_EXHAUSTED")
    project.release()
    project.idle()
    (app,) = project.get("apps")["apps"]
    assert app["queue_stats"]["outbound_size"] == 0


def test_reports_go_to_the_address_that_the_message_names_and_nothing_else_does(
    project: Projects, receiver: Receiver
) -> None:
    project = project(webhook_url=receiver.url)
    message_id = project.send(callback_url=f"{receiver.url}/mine", message_metadata='{"order":7}', correlation_id="c")
    mine = [each for each in receiver.received if each.path.endswith("/mine")]
    others = [each for each in receiver.received if not each.path.endswith("/mine")]
    assert (len(mine), len(others)) == (2, 1)
    assert course(receiver) == [("SMS", "QUEUED_ON_CHANNEL"), ("SMS", "DELIVERED")]
    assert told(receiver, "message_delivery_report")[0] == {
        "message_id": message_id,
        "conversation_id": "",
        "contact_id": "",
        "channel_identity": {"channel": "SMS", "identity": ANNA, "app_id": ""},
        "metadata": '{"order":7}',
        "processing_mode": "DISPATCH",
        "status": "QUEUED_ON_CHANNEL",
    }
    (submitted,) = told(receiver, "message_submit_notification")
    assert submitted["submitted_message"] == TEXT


def test_messages_leave_at_the_pace_of_the_account(project: Projects) -> None:
    project = project(messages_per_second=3)
    (app,) = project.get("apps")["apps"]
    assert app["rate_limits"] == {"inbound": 25, "outbound": 3, "webhooks": 10_000}


def test_messages_are_kept_as_long_as_the_app_says(project: Projects) -> None:
    kept, not_kept = project(dispatch_retention_days=1), project()
    for each, status in ((kept, 200), (not_kept, 404)):
        message_id = each.send(message_metadata="order 7")
        path = f"messages/{message_id}"
        assert each.call("GET", path).status_code == 404
        assert each.call("GET", path, messages_source="DISPATCH_SOURCE").status_code == status
        assert len(each.get("messages", messages_source="DISPATCH_SOURCE")["messages"]) == (status == 200)
    (message,) = kept.get("messages", messages_source="DISPATCH_SOURCE")["messages"]
    assert (message["metadata"], message["app_message"], message["direction"]) == ("order 7", TEXT, "TO_CONTACT")
    answer = kept.call(
        "PATCH", path.replace(message_id, message["id"]), {"metadata": "m"}, messages_source="DISPATCH_SOURCE"
    )
    assert answer.json()["metadata"] == "m"
    assert kept.call("DELETE", f"messages/{message['id']}", messages_source="DISPATCH_SOURCE").status_code == 200
    assert kept.get("messages", messages_source="DISPATCH_SOURCE")["messages"] == []


def test_a_listing_has_pages_and_refuses_what_it_does_not_know(project: Projects) -> None:
    project = project(dispatch_retention_days=1)
    ids = [project.send(recipient=on(each, "SMS")) for each in (ANNA, BERT, ANNA)]
    query: dict[str, Any] = {"messages_source": "DISPATCH_SOURCE", "page_size": 2}
    first = project.get("messages", **query)
    second = project.get("messages", **query, page_token=first["next_page_token"])
    assert [each["id"] for each in first["messages"] + second["messages"]] == ids[::-1]
    assert second["next_page_token"] == ""
    of_anna = project.get("messages", messages_source="DISPATCH_SOURCE", channel_identity=f"+{ANNA}")["messages"]
    assert [each["id"] for each in of_anna] == [ids[2], ids[0]]
    for wrong in (
        {"colour": "red"},
        {"page_size": 1001},
        {"page_token": "x"},
        {"direction": "UP"},
        {"start_time": "x"},
    ):
        assert refusal(project.call("GET", "messages", **wrong))[0] == 400


def test_a_message_is_shown_as_channels_would_get_it(project: Projects) -> None:
    project = project()
    message = {**TEXT, "explicit_channel_message": {"RCS": "raw"}}
    request = {"app_id": project.app_id, "app_message": message, "channels": ["SMS", "WHATSAPP", "RCS"], "to": ANNA}
    shown = project.made("messages:transcode", request)["transcoded_message"]
    assert shown["RCS"] == "raw"
    assert TEXT["text_message"]["text"] in shown["SMS"]
    assert '"messaging_product":"whatsapp"' in shown["WHATSAPP"]
    assert project.account()["numbers"] == 0
