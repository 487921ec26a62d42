"""What people do: they write back, choose, opt out; and templates, for those who may be sent nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from callback_receiver import Receiver
from project_client import ANNA, BERT, TEXT, Project, course, on, refusal, told

Projects = Callable[..., Project]

NOT_OPTED_IN = ("SMS", "FAILED", "RECIPIENT_NOT_OPTED_IN")
TEMPLATE: dict[str, Any] = {
    "id": "opening",
    "description": "When we open",
    "default_translation": "en-US",
    "translations": [
        {
            "language_code": "en-US",
            "version": "1",
            "variables": [{"key": "name", "preview_value": "Ada"}],
            "text_message": {"text": "Hi ${name}, we open on Monday."},
            "channel_template_overrides": {
                "WHATSAPP": {
                    "template_reference": {"template_id": "opening", "language_code": "en_US"},
                    "parameter_mappings": {"body[1]text": "name"},
                }
            },
        }
    ],
}


def test_a_reply_comes_over_the_channel_of_the_last_message(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, channels={"RCS": {"outcomes": {"FAILED:CHANNEL_REJECT": 1}}})
    sent = project.send(recipient=on(ANNA, "RCS", "SMS"), channel_properties={"SMS_SENDER": "12015550101"})
    answer = project.written(**{"from": f"+{ANNA}", "body": "When?", "reply_to": sent})
    assert answer == {"from": ANNA, "to": "12015550101", "body": "When?", "channel": "SMS", "id": answer["id"]}
    (message,) = told(receiver, "message")
    assert message.pop("accept_time")
    assert message == {
        "id": answer["id"],
        "direction": "TO_APP",
        "channel_identity": {"channel": "SMS", "identity": ANNA, "app_id": ""},
        "conversation_id": "",
        "contact_id": "",
        "processing_mode": "DISPATCH",
        "contact_message": {"text_message": {"text": "When?"}, "reply_to": {"message_id": sent}},
        "metadata": "",
        "sender_id": "12015550101",
        "injected": False,
    }


def test_who_was_sent_nothing_writes_on_the_channel_that_is_said(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    project.written(**{"from": ANNA, "body": "Hi"})
    project.written(**{"from": "7746490", "body": "Hi", "channel": "MESSENGER"})
    identities = [each["channel_identity"] for each in told(receiver, "message")]
    assert identities == [
        {"channel": "SMS", "identity": ANNA, "app_id": ""},
        {"channel": "MESSENGER", "identity": "7746490", "app_id": project.app_id},
    ]
    for wrong in ({"from": ANNA, "channel": "KAKAOTALK"}, {"body": "Hi"}, {"from": BERT, "postback": "yes"}):
        assert project.http.post("/_simulator/inbound", json=wrong).status_code == 400


def test_a_choice_repeats_the_metadata_of_the_message(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    sent = project.send(message_metadata='{"message":"m-7"}')
    project.written(**{"from": ANNA, "postback": "yes"})
    (message,) = told(receiver, "message")
    assert message["metadata"] == '{"message":"m-7"}'
    assert message["contact_message"] == {"choice_response_message": {"message_id": sent, "postback_data": "yes"}}


def test_other_messages_and_events_can_be_written_as_the_api_has_them(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    picture = {"media_message": {"url": "https://example.com/cat.png"}}
    project.written(**{"from": ANNA, "contact_message": picture})
    project.written(**{"from": ANNA, "contact_event": {"composing_event": {}}})
    project.written(**{"from": ANNA, "contact_message_event": {"reaction_event": {"emoji": "🔥"}}})
    assert told(receiver, "message")[0]["contact_message"] == picture
    assert [set(each) & {"contact_event", "contact_message_event"} for each in told(receiver, "event")] == [
        {"contact_event"},
        {"contact_message_event"},
    ]


def test_what_was_written_is_listed_where_the_app_keeps_it(project: Projects) -> None:
    project = project(processing_mode="CONVERSATION")
    project.written(**{"from": ANNA, "body": "Hi"})
    (message,) = project.get("messages", direction="TO_APP")["messages"]
    assert message["contact_message"] == {"text_message": {"text": "Hi"}}
    (conversation,) = project.get("conversations", app_id=project.app_id)["conversations"]
    assert conversation["last_received"] == message["accept_time"]


def test_who_writes_stop_is_sent_nothing_until_they_write_start(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    project.written(**{"from": ANNA, "body": " stop "})
    assert project.get(f"apps/{project.app_id}/consents/OPT_OUT_ALL")["identities"] == [{"identity": ANNA}]
    project.send(recipient=on(f"+{ANNA}", "SMS"))
    project.send(recipient=on(BERT, "SMS"))
    project.written(**{"from": ANNA, "body": "START"})
    project.send(recipient=on(ANNA, "SMS"))
    through = [("SMS", "QUEUED_ON_CHANNEL"), ("SMS", "DELIVERED")]
    assert course(receiver) == [NOT_OPTED_IN, *through, *through]
    records = project.get(f"apps/{project.app_id}/consents/identities/{ANNA}")
    assert records["identity"] == {"identity": ANNA}
    assert [(each["origin"], each["operation"]) for each in records["audit_records"]] == [
        ("ORIGIN_MO", "OPERATION_INSERT"),
        ("ORIGIN_MO", "OPERATION_DELETE"),
    ]


def test_without_consent_management_stop_is_a_word(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, consent_management=False)
    project.written(**{"from": ANNA, "body": "STOP"})
    project.send()
    assert course(receiver)[-1] == ("SMS", "DELIVERED")


@pytest.mark.parametrize(
    ("list_type", "blocked"),
    [
        ("OPT_OUT_ALL", ["CONTENT_UNKNOWN", "CONTENT_MARKETING", "CONTENT_NOTIFICATION"]),
        ("OPT_OUT_MARKETING", ["CONTENT_MARKETING"]),
        ("OPT_OUT_NOTIFICATION", ["CONTENT_NOTIFICATION"]),
    ],
)
def test_a_list_keeps_its_kind_of_content_from_people(
    project: Projects, receiver: Receiver, list_type: str, blocked: list[str]
) -> None:
    project = project(webhook_url=receiver.url)
    records = [{"identification": f"+{ANNA}", "consent_type": list_type}] * 2
    assert set(project.made("consents", {"app_id": project.app_id, "consent_records": records})) == {"batch_id"}
    kinds = ["CONTENT_UNKNOWN", "CONTENT_MARKETING", "CONTENT_NOTIFICATION"]
    for kind in kinds:
        receiver.received.clear()
        project.send(message_content_type=kind)
        assert (course(receiver) == [NOT_OPTED_IN]) == (kind in blocked)
    operations = project.get(f"apps/{project.app_id}/consents/identities/{ANNA}")["audit_records"]
    assert [each["operation"] for each in operations] == ["OPERATION_INSERT", "OPERATION_UPDATE"]


def test_a_contact_can_be_opted_out_by_its_id(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, processing_mode="CONVERSATION")
    project.send()
    contact = project.get("contacts")["contacts"][0]
    records = [{"identification": contact["id"], "consent_type": "OPT_OUT_ALL"}]
    project.made("consents", {"app_id": project.app_id, "consent_records": records})
    project.send(recipient={"contact_id": contact["id"]})
    assert course(receiver)[-1] == NOT_OPTED_IN


def test_consents_have_pages_and_lists_of_three_kinds(project: Projects) -> None:
    project = project()
    records = [{"identification": str(12015550100 + n), "consent_type": "OPT_OUT_ALL"} for n in range(12)]
    project.made("consents", {"app_id": project.app_id, "consent_records": records})
    path = f"apps/{project.app_id}/consents/OPT_OUT_ALL"
    first = project.get(path)
    second = project.get(path, page_token=first["next_page_token"])
    assert (len(first["identities"]), len(second["identities"]), second["next_page_token"]) == (10, 2, "")
    assert refusal(project.call("GET", path, page_size=51))[0] == 400
    assert refusal(project.call("GET", f"apps/{project.app_id}/consents/OPT_IN"))[0] == 400
    wrong = {"app_id": project.app_id, "consent_records": [{"identification": ANNA, "consent_type": "OPT_IN"}]}
    assert refusal(project.call("POST", "consents", wrong))[0] == 400


def a_template_message(**fields: Any) -> dict[str, Any]:
    omni = {"template_id": "opening", "version": "1", "language_code": "en-US", "parameters": {"name": "Ada"}, **fields}
    return {"message": {"template_message": {"omni_template": omni}}}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"language_code": "fr-FR"}, "TEMPLATE_NON_EXISTING_LANGUAGE_OR_VERSION"),
        ({"version": "2"}, "TEMPLATE_NON_EXISTING_LANGUAGE_OR_VERSION"),
        ({"parameters": {}}, "TEMPLATE_INSUFFICIENT_PARAMETERS"),
        ({"template_id": "closing"}, "TEMPLATE_NOT_FOUND"),
    ],
    ids=str,
)
def test_a_template_that_does_not_fit_fails_the_message(
    project: Projects, receiver: Receiver, fields: dict[str, Any], reason: str
) -> None:
    project = project(webhook_url=receiver.url)
    project.made("templates", TEMPLATE, version=2)
    project.send(**a_template_message())
    project.send(**a_template_message(**fields))
    assert course(receiver)[-2:] == [("SMS", "DELIVERED"), ("SMS", "FAILED", reason)]


def test_a_template_with_one_of_whatsapp_passes_outside_of_a_session(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    project.made("templates", TEMPLATE, version=2)
    project.send(recipient=on(ANNA, "WHATSAPP"), **a_template_message())
    plain = {
        **TEMPLATE,
        "id": "plain",
        "translations": [{**TEMPLATE["translations"][0], "channel_template_overrides": {}}],
    }
    project.made("templates", plain, version=2)
    project.send(recipient=on(ANNA, "WHATSAPP"), **a_template_message(template_id="plain"))
    assert course(receiver)[1:] == [
        ("WHATSAPP", "DELIVERED"),
        ("WHATSAPP", "FAILED", "OUTSIDE_ALLOWED_SENDING_WINDOW"),
    ]


def test_templates_are_made_replaced_and_deleted(project: Projects) -> None:
    project = project()
    template = project.made("templates", TEMPLATE, version=2)
    assert (template["version"], template["translations"][0]["variables"]) == (
        1,
        TEMPLATE["translations"][0]["variables"],
    )
    assert project.get("templates", version=2) == {"templates": [template]}
    answer = project.call("PUT", "templates/opening", {**TEMPLATE, "version": 1, "description": "Anew"}, version=2)
    assert (answer.json()["version"], answer.json()["description"]) == (2, "Anew")
    stale = project.call("PUT", "templates/opening", {**TEMPLATE, "version": 1}, version=2)
    assert refusal(stale) == (409, "ABORTED")
    (translation,) = project.get("templates/opening/translations", version=2, language_code="en-US")["translations"]
    assert translation["text_message"] == TEMPLATE["translations"][0]["text_message"]
    assert project.get("templates/opening/translations", version=2, language_code="fr-FR") == {"translations": []}
    assert project.call("DELETE", "templates/opening", version=2).status_code == 200
    assert refusal(project.call("GET", "templates/opening", version=2)) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "fields",
    [
        {"translations": []},
        {"translations": TEMPLATE["translations"] * 2},
        {"translations": [{"language_code": "en-US"}]},
        {"translations": [{**TEMPLATE["translations"][0], "media_message": {"url": "x"}}]},
        {"default_translation": "fr-FR"},
        {"default_translation": None},
        {"colour": "red"},
    ],
    ids=lambda fields: str(fields)[:50],
)
def test_a_malformed_template_is_refused(unchanged: Project, fields: dict[str, Any]) -> None:
    assert refusal(unchanged.call("POST", "templates", {**TEMPLATE, **fields}, version=2))[0] == 400


def test_metadata_of_conversations_is_kept_in_dispatch_mode_as_long_as_messages_are(
    project: Projects, receiver: Receiver
) -> None:
    for days, repeated in ((0, ""), (1, '{"shop":7}')):
        receiver.received.clear()
        each = project(webhook_url=receiver.url, metadata_report_view="FULL", dispatch_retention_days=days)
        each.send(conversation_metadata={"shop": 7}, correlation_id="c", message=TEXT)
        each.written(**{"from": ANNA, "body": "Hi"})
        body = json.loads(receiver.received[-1].body)
        assert (body["message_metadata"], body["correlation_id"]) == (repeated, "c" if days else "")
