from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from callback_receiver import Receiver
from project_client import ANNA, BERT, CARA, TEXT, Project, course, on, refusal, told

Projects = Callable[..., Project]


def identities(number: str, *channels: str) -> list[dict[str, str]]:
    return [{"channel": each, "identity": number} for each in channels]


def a_contact(number: str = ANNA, *channels: str, **fields: Any) -> dict[str, Any]:
    return {"channel_identities": identities(number, *(channels or ("SMS",))), "language": "EN_US", **fields}


@pytest.fixture
def chatting(project: Projects, receiver: Receiver) -> Project:
    """A project whose app keeps contacts and conversations."""
    return project(processing_mode="CONVERSATION", webhook_url=receiver.url, metadata_report_view="FULL")


def test_contacts_are_made_read_changed_and_deleted(chatting: Project, receiver: Receiver) -> None:
    contact = chatting.made("contacts", a_contact(external_id="customer-7"))
    path = f"contacts/{contact['id']}"
    assert (contact["display_name"], contact["channel_priority"]) == ("Unknown", ["SMS"])
    changed = chatting.call("PATCH", path, {"display_name": "Ada", "email": "x"}, update_mask="display_name").json()
    assert changed == {**contact, "display_name": "Ada"}
    assert chatting.get(path) == changed
    assert chatting.call("DELETE", path).status_code == 200
    assert refusal(chatting.call("GET", path)) == (404, "NOT_FOUND")
    chatting.idle()
    assert told(receiver, "contact_create_notification") == [{"contact": contact}]
    assert told(receiver, "contact_update_notification") == [{"contact": changed}]
    assert told(receiver, "contact_delete_notification") == [{"contact": changed}]


@pytest.mark.parametrize(
    "fields",
    [
        {"channel_identities": []},
        {"channel_identities": None},
        {"channel_identities": identities("77", "MESSENGER")},
        {"language": None},
        {"language": "english"},
        {"metadata": "x" * 1025},
        {"colour": "red"},
    ],
    ids=lambda fields: str(fields)[:50],
)
def test_a_malformed_contact_is_refused(unchanged: Project, fields: dict[str, Any]) -> None:
    assert refusal(unchanged.call("POST", "contacts", a_contact(**fields))) == (400, "INVALID_ARGUMENT")


def test_an_identity_belongs_to_one_contact(chatting: Project) -> None:
    chatting.made("contacts", a_contact())
    other = chatting.made("contacts", a_contact(BERT))
    assert refusal(chatting.call("POST", "contacts", a_contact(f"+{ANNA}"))) == (400, "ALREADY_EXISTS")
    answer = chatting.call("PATCH", f"contacts/{other['id']}", {"channel_identities": identities(ANNA, "SMS")})
    assert refusal(answer) == (400, "ALREADY_EXISTS")


def test_contacts_are_listed_by_pages_and_found_by_identity_or_external_id(chatting: Project) -> None:
    made = [chatting.made("contacts", a_contact(each, external_id=each)) for each in (ANNA, BERT, CARA)]
    first = chatting.get("contacts", page_size=2)
    second = chatting.get("contacts", page_size=2, page_token=first["next_page_token"])
    assert first["contacts"] + second["contacts"] == made[::-1]
    assert chatting.get("contacts", external_id=BERT)["contacts"] == [made[1]]
    assert chatting.get("contacts", channel="SMS", identity=f"+{CARA}")["contacts"] == [made[2]]
    for wrong in ({"page_size": 21}, {"channel": "SMS"}, {"external_id": "x", "channel": "SMS", "identity": "7"}):
        assert refusal(chatting.call("GET", "contacts", **wrong))[0] == 400


def test_a_contact_is_merged_into_another_one(chatting: Project, receiver: Receiver) -> None:
    chatting.send()
    source = chatting.get("contacts")["contacts"][0]
    destination = chatting.made("contacts", a_contact(BERT, "SMS", "RCS", display_name="Bert"))
    chatting.call("PATCH", f"contacts/{source['id']}", {"email": "a@example.com", "display_name": "Ada"})
    merged = chatting.made(f"contacts/{destination['id']}:merge", {"source_id": source["id"], "strategy": "MERGE"})
    assert (merged["display_name"], merged["email"]) == ("Bert", "a@example.com")
    assert [each["identity"] for each in merged["channel_identities"]] == [BERT, BERT]
    assert refusal(chatting.call("GET", f"contacts/{source['id']}")) == (404, "NOT_FOUND")
    (conversation,) = chatting.get("conversations", contact_id=destination["id"])["conversations"]
    assert conversation["active"] is True
    assert len(chatting.get("messages", contact_id=destination["id"])["messages"]) == 1
    chatting.idle()
    (merge,) = told(receiver, "contact_merge_notification")
    assert (merge["preserved_contact"], merge["deleted_contact"]["id"]) == (merged, source["id"])
    myself = {"source_id": destination["id"]}
    assert refusal(chatting.call("POST", f"contacts/{destination['id']}:merge", myself))[0] == 400


def test_conflicts_are_numbers_that_two_contacts_have_on_channels_which_share_them(chatting: Project) -> None:
    one = chatting.made("contacts", a_contact(ANNA, "SMS"))
    other = chatting.made("contacts", a_contact(ANNA, "RCS"))
    chatting.made("contacts", a_contact(BERT, "SMS", "RCS"))
    chatting.made("contacts", a_contact(BERT, "WHATSAPP"))
    (conflict,) = chatting.get("contacts:identityConflicts")["conflicts"]
    assert conflict == {"identity": ANNA, "channels": ["RCS", "SMS"], "contact_ids": [one["id"], other["id"]]}
    settings = {"contact_settings": {"unified_contact_id_enabled": True}}
    assert chatting.made("settings", settings)["settings"] == settings
    assert chatting.get("settings") == {"project_id": "simulated-project", "settings": settings}


def test_many_contacts_are_made_and_deleted_by_the_batch_api(chatting: Project, receiver: Receiver) -> None:
    chatting.made("contacts", a_contact(ANNA))
    answer = chatting.call("POST", "contacts", {"contacts": [a_contact(each) for each in (ANNA, BERT, CARA)]})
    assert (answer.status_code, answer.content) == (200, b"")
    contacts = chatting.get("contacts")["contacts"]
    assert [each["channel_identities"][0]["identity"] for each in contacts] == [CARA, BERT, ANNA]
    ids = [each["id"] for each in contacts]
    assert chatting.call("DELETE", "contacts", {"contact_ids": [*ids, "unknown"]}).status_code == 200
    assert chatting.get("contacts")["contacts"] == []
    chatting.idle()
    assert len(told(receiver, "contact_create_notification")) == 3
    assert len(told(receiver, "contact_delete_notification")) == 3
    too_many = {"contacts": [a_contact()] * 1001}
    assert refusal(chatting.call("POST", "contacts", too_many))[0] == 400


def test_a_message_makes_its_contact_and_its_conversation(chatting: Project, receiver: Receiver) -> None:
    chatting.send(recipient=on(ANNA, "WHATSAPP", "SMS"))
    chatting.send(recipient=on(ANNA, "SMS"))
    (contact,) = chatting.get("contacts")["contacts"]
    (conversation,) = chatting.get("conversations", app_id=chatting.app_id)["conversations"]
    assert contact["channel_priority"] == ["WHATSAPP", "SMS"]
    assert (conversation["contact_id"], conversation["active"]) == (contact["id"], True)
    assert conversation["last_received"].startswith("1970-01-01")
    reports = told(receiver, "message_delivery_report")
    assert {(each["contact_id"], each["conversation_id"], each["processing_mode"]) for each in reports} == {
        (contact["id"], conversation["id"], "CONVERSATION")
    }
    assert len(told(receiver, "conversation_start_notification")) == 1


def test_a_contact_is_reached_by_its_id_in_the_order_of_its_priority(chatting: Project, receiver: Receiver) -> None:
    given = a_contact(ANNA, "RCS", "SMS", channel_priority=["SMS", "RCS"])
    contact = chatting.made("contacts", given)
    chatting.send(recipient={"contact_id": contact["id"]})
    assert course(receiver)[0] == ("SMS", "QUEUED_ON_CHANNEL")
    answer = chatting.call("POST", "messages:send", chatting.a_message(recipient={"contact_id": "unknown"}))
    assert refusal(answer) == (404, "NOT_FOUND")


def test_dispatch_only_leaves_no_contact_behind(chatting: Project) -> None:
    chatting.send(processing_strategy="DISPATCH_ONLY")
    assert chatting.get("contacts")["contacts"] == []


def test_conversations_are_made_changed_stopped_and_deleted(chatting: Project, receiver: Receiver) -> None:
    contact = chatting.made("contacts", a_contact())
    request = {"app_id": chatting.app_id, "contact_id": contact["id"], "metadata_json": {"shop": 7}}
    conversation = chatting.made("conversations", request)
    path = f"conversations/{conversation['id']}"
    assert refusal(chatting.call("POST", "conversations", request)) == (400, "INVALID_ARGUMENT")
    changed = chatting.call("PATCH", path, {"correlation_id": "c"}, update_mask="correlation_id").json()
    assert (changed["correlation_id"], changed["metadata_json"]) == ("c", {"shop": 7})
    assert chatting.made(f"{path}:stop", {}) == {}
    assert chatting.get(path)["active"] is False
    assert chatting.get("conversations", contact_id=contact["id"], only_active=True)["conversations"] == []
    assert chatting.get("conversations", contact_id=contact["id"])["total_size"] == 1
    assert chatting.call("DELETE", path).status_code == 200
    assert refusal(chatting.call("GET", path)) == (404, "NOT_FOUND")
    assert refusal(chatting.call("GET", "conversations"))[0] == 400
    chatting.idle()
    for name in ("start", "stop", "delete"):
        assert len(told(receiver, f"conversation_{name}_notification")) == 1


def test_messages_and_events_from_elsewhere_are_injected(chatting: Project) -> None:
    contact = chatting.made("contacts", a_contact())
    path = chatting.made("conversations", {"app_id": chatting.app_id, "contact_id": contact["id"]})["id"]
    at = {"accept_time": (datetime.now(UTC) - timedelta(days=1)).isoformat()}
    message = {
        **at,
        "contact_message": TEXT,
        "channel_identity": identities(ANNA, "SMS")[0],
        "contact_id": contact["id"],
        "direction": "TO_APP",
    }
    assert chatting.made(f"conversations/{path}:inject-message", message) == {}
    (injected,) = chatting.get("messages", conversation_id=path)["messages"]
    assert (injected["injected"], injected["contact_message"]) == (True, TEXT)
    event = {**at, "app_event": {"composing_event": {}}}
    event_id = chatting.made(f"conversations/{path}:inject-event", event)["event_id"]
    assert chatting.get(f"events/{event_id}")["app_event"] == {"composing_event": {}}
    for days in (-1, 31):
        at = {"accept_time": (datetime.now(UTC) - timedelta(days=days)).isoformat()}
        assert refusal(chatting.call("POST", f"conversations/{path}:inject-message", {**message, **at}))[0] == 400


def test_recent_conversations_come_with_their_last_message(chatting: Project) -> None:
    for number in (ANNA, BERT):
        chatting.send(recipient=on(number, "SMS"))
    last = chatting.send(recipient=on(ANNA, "SMS"))
    recent = chatting.get("conversations:recent", app_id=chatting.app_id)["conversations"]
    assert [each["last_message"]["channel_identity"]["identity"] for each in recent] == [ANNA, BERT]
    assert recent[0]["last_message"]["id"] == last
    ascending = chatting.get("conversations:recent", app_id=chatting.app_id, order="ASC")["conversations"]
    assert ascending == recent[::-1]
    assert refusal(chatting.call("GET", "conversations:recent"))[0] == 400


def test_the_last_message_of_each_is_fetched(chatting: Project) -> None:
    chatting.send()
    last = chatting.send()
    contact = chatting.get("contacts")["contacts"][0]
    for whom in ({"channel_identities": [f"+{ANNA}", BERT]}, {"contact_ids": [contact["id"]]}):
        (message,) = chatting.made("messages:fetch-last-message", {"app_id": chatting.app_id, **whom})["messages"]
        assert message["id"] == last
    assert refusal(chatting.call("POST", "messages:fetch-last-message", {}))[0] == 400


def test_the_metadata_of_a_conversation_comes_back_with_what_people_write(
    chatting: Project, receiver: Receiver
) -> None:
    chatting.send(conversation_metadata={"shop": 7, "old": 1}, correlation_id="c-7")
    chatting.send(conversation_metadata={"old": None, "n": 2}, conversation_metadata_update_strategy="MERGE_PATCH")
    (conversation,) = chatting.get("conversations", app_id=chatting.app_id)["conversations"]
    assert conversation["metadata_json"] == {"shop": 7, "n": 2}
    receiver.received.clear()
    chatting.written(**{"from": ANNA, "body": "Hi"})
    assert b'"message_metadata":"{\\"shop\\":7,\\"n\\":2}"' in receiver.received[0].body


def test_events_are_sent_reported_listed_and_deleted(chatting: Project, receiver: Receiver) -> None:
    request = {"app_id": chatting.app_id, "recipient": on(ANNA, "RCS"), "event": {"composing_event": {}}}
    sent = chatting.made("events:send", {**request, "event_metadata": "m"})
    chatting.idle()
    (report,) = told(receiver, "event_delivery_report")
    assert (report["event_id"], report["status"], report["metadata"]) == (sent["event_id"], "DELIVERED", "m")
    (event,) = chatting.get("events")["events"]
    assert chatting.get(f"events/{sent['event_id']}") == event
    assert chatting.call("DELETE", f"events/{sent['event_id']}").status_code == 200
    assert refusal(chatting.call("GET", f"events/{sent['event_id']}")) == (404, "NOT_FOUND")
    for wrong in ({"event": {}}, {"event": {"composing_event": {}, "generic_event": {}}}, {"event": {"shout": {}}}):
        assert refusal(chatting.call("POST", "events:send", {**request, **wrong}))[0] == 400


def test_capability_is_answered_at_once_and_told_for_each_channel(chatting: Project, receiver: Receiver) -> None:
    request = {"app_id": chatting.app_id, "recipient": on(ANNA, "RCS", "KAKAOTALK")}
    answer = chatting.made("capability:query", request)
    assert {name: answer[name] for name in request} == request
    chatting.idle()
    told_ = told(receiver, "capability_notification")
    assert [(each["channel"], each["capability_status"]) for each in told_] == [
        ("RCS", "CAPABILITY_FULL"),
        ("KAKAOTALK", "NO_CAPABILITY"),
    ]
    assert {each["request_id"] for each in told_} == {answer["request_id"]}


def test_a_profile_is_known_on_some_channels(chatting: Project) -> None:
    request = {"app_id": chatting.app_id, "recipient": on("7746490851", "MESSENGER"), "channel": "MESSENGER"}
    assert chatting.made("contacts:getChannelProfile", request) == {"profile_name": "Simulated 0851"}
    assert refusal(chatting.call("POST", "contacts:getChannelProfile", {**request, "channel": "SMS"}))[0] == 400
    assert refusal(chatting.call("POST", "contacts:getChannelProfile", {**request, "channel": "LINE"}))[0] == 404
