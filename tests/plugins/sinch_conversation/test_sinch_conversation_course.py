"""Campaigns and their callbacks against the simulated API: fallback, replies, sessions, consents, from end to end."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from connector_sinch.conversation.simulator_options import ConversationOptions
from connector_sinch.signature import signed_headers
from conversation_stage import Stage
from pydantic_core import to_json

from connector.dispatched import Dispatch
from connector.model.callback import Request
from connector.model.event import EventKind, Status

ADA, BO, CY = "12015550101", "12015550102", "12015550103"
TEMPLATE = {"channel_template": {"WHATSAPP": {"template_id": "spring", "language_code": "en_US"}}}


def test_fallback_to_sms_is_one_message(stage: Callable[..., Stage]) -> None:
    """Nobody has a session: WhatsApp fails, SMS delivers, each message counts once."""
    on = stage()
    dispatch = on.send(ADA, BO, text="Hello", channel_priority_order=["WHATSAPP", "SMS"])
    on.until_told(Status.delivered, 2)
    report = dispatch.report()
    assert (report.enqueued, report.delivered, report.failed, report.rejected) == (2, 2, 0, 0)
    switched, delivered = (
        next(event for event in on.events(ADA) if event.status is status) for status in (Status.noted, Status.delivered)
    )
    assert (switched.kind, switched.channel, switched.error) == (
        EventKind.channel,
        "WHATSAPP",
        "OUTSIDE_ALLOWED_SENDING_WINDOW",
    )
    assert (delivered.channel, switched.message_id) == ("SMS", delivered.message_id)
    assert on.is_whole()


def test_a_reply_on_whatsapp_opens_a_session_and_belongs_to_the_message_that_it_answers(
    stage: Callable[..., Stage],
) -> None:
    on = stage()
    first = on.send(ADA, BO, template_message=TEMPLATE, channel_priority_order=["WHATSAPP"])
    on.until_told(Status.delivered, 2)
    (delivered,) = (event for event in on.events(ADA) if event.status is Status.delivered)
    answered = delivered.payload["message_delivery_report"]["message_id"]
    on.happens(**{"from": ADA, "body": "Yes", "channel": "WHATSAPP", "reply_to": answered})
    on.until_told(Status.replied)
    (reply,) = (event for event in on.events(ADA) if event.status is Status.replied)
    assert (reply.text, reply.channel, reply.message_id) == ("Yes", "WHATSAPP", delivered.message_id)
    second = on.send(ADA, BO, text="Glad to hear", channel_priority_order=["WHATSAPP"])
    on.until_told(Status.delivered, 3)
    assert dict(second.report().skipped.by_reason) == {"outside_session": 1}
    steps = [event.status.value for event in on.events(ADA) if event.kind is EventKind.message]
    assert steps == ["enqueued", "delivered", "enqueued", "delivered"]
    assert (first.report().delivered, second.report().delivered) == (2, 1)
    assert on.is_whole()


def test_those_outside_get_the_template_and_the_others_the_text(stage: Callable[..., Stage]) -> None:
    on = stage()
    on.happens(**{"from": ADA, "body": "Hello", "channel": "WHATSAPP"})
    on.until_told(Status.replied)
    message = {"text": "Hi", "channel_priority_order": ["WHATSAPP"], "outside_session": {"template_message": TEMPLATE}}
    dispatch = on.send(ADA, BO, CY, **message)
    on.until_told(Status.delivered, 3)
    report = dispatch.report()
    assert (report.enqueued, report.delivered, report.skipped.total) == (3, 3, 0)
    assert on.is_whole()


ON_RCS = {"channel_template": {"RCS": {"template_id": "spring"}}}


def test_a_template_of_another_channel_opens_no_session_on_whatsapp(stage: Callable[..., Stage]) -> None:
    """WhatsApp gets a free text in its place: those who wrote lately do, and the others nothing, or a template."""
    on = stage()
    on.happens(**{"from": ADA, "body": "Hello", "channel": "WHATSAPP"})
    on.until_told(Status.replied)
    message = {
        "template_message": ON_RCS,
        "explicit_channel_omni_message": {"WHATSAPP": {"text_message": {"text": "Hi"}}},
        "channel_priority_order": ["WHATSAPP"],
    }
    dispatch = on.send(ADA, BO, CY, **message)
    on.until_told(Status.delivered)
    report = dispatch.report()
    assert (report.delivered, dict(report.skipped.by_reason)) == (1, {"outside_session": 2})
    switched = on.send(ADA, BO, CY, **message, outside_session={"template_message": TEMPLATE})
    on.until_told(Status.delivered, 4)
    assert (switched.report().delivered, switched.report().skipped.total) == (3, 0)
    assert on.is_whole()


def test_a_choice_is_a_reply_to_what_offered_it(stage: Callable[..., Stage]) -> None:
    on = stage()
    choices = {
        "text_message": {"text": "Come?"},
        "choices": [{"text_message": {"text": "Yes"}, "postback_data": "yes"}],
    }
    on.send(ADA, choice_message=choices, channel_priority_order=["RCS"])
    on.until_told(Status.delivered)
    on.happens(**{"from": ADA, "postback": "yes"})
    on.until_told(Status.replied)
    (reply,) = (event for event in on.events(ADA) if event.status is Status.replied)
    assert (reply.text, reply.message_id) == ("yes", on.events(ADA)[0].message_id)
    assert on.is_whole()


def test_reasons_end_in_the_report(stage: Callable[..., Stage]) -> None:
    on = stage(endings={"0101": "FAILED:RECIPIENT_NOT_OPTED_IN", "0102": "FAILED:RECIPIENT_NOT_REACHABLE"})
    dispatch = on.send(ADA, BO, CY, text="Hello")
    on.until(lambda: dispatch.report().open == 0)
    told = {(error.status, error.code): error.count for error in dispatch.report().errors}
    assert told == {("rejected", "RECIPIENT_NOT_OPTED_IN"): 1, ("failed", "RECIPIENT_NOT_REACHABLE"): 1}
    assert all(error.meaning for error in dispatch.report().errors)
    assert on.is_whole()


def test_consents_and_notices_are_told(stage: Callable[..., Stage]) -> None:
    on = stage()
    opted = {"request_id": "01REQUEST", "channel": "VIBERBM", "identity": ADA, "status": "OPT_OUT_SUCCEEDED"}
    on.happens(trigger="OPT_OUT", payload=opted)
    rating = {"channel_event": {"channel": "WHATSAPP", "event_type": "WHATS_APP_QUALITY_RATING_CHANGED"}}
    on.happens(trigger="CHANNEL_EVENT", payload=rating)
    on.until_told(Status.noted)
    assert [(event.kind, event.status, event.raw_status) for event in on.events()] == [
        (EventKind.person, Status.opted_out, "OPT_OUT_SUCCEEDED"),
        (EventKind.channel, Status.noted, "CHANNEL_EVENT"),
    ]
    assert on.is_whole()


def test_a_contact_has_a_session_by_what_they_wrote(stage: Callable[..., Stage]) -> None:
    on = stage(processing_mode="CONVERSATION")
    on.happens(**{"from": ADA, "body": "Hello", "channel": "WHATSAPP"})
    on.happens(**{"from": BO, "body": "Hello", "channel": "SMS"})
    on.until_told(Status.replied, 2)
    replied = [event for event in on.events() if event.status is Status.replied]
    contacts = [event.payload["message"]["contact_id"] for event in replied]
    dispatch = on.connector.send(
        {
            "name": "spring",
            "message": {"text": "Come", "channel_priority_order": ["WHATSAPP"]},
            "integration": "conv",
        },
        [{"to": contact} for contact in contacts],
        drain=False,
    )
    on.connector.work()
    on.until_told(Status.delivered)
    report = dispatch.report()
    assert (report.delivered, dict(report.skipped.by_reason)) == (1, {"outside_session": 1})
    (delivered,) = (event for event in on.events() if event.status is Status.delivered)
    (ada,) = (each.payload["message"]["contact_id"] for each in replied if each.recipient == ADA)
    assert delivered.recipient == f"contact:{ada}"
    assert on.is_whole()


ON_MESSENGER = "7746490198930851"
MESSENGER_PERSON = f"MESSENGER:{ON_MESSENGER}"
FIRST_ON_MESSENGER = f"{MESSENGER_PERSON} SMS:+{ADA}"


@pytest.mark.parametrize(
    ("row", "answer", "recipient", "options"),
    [
        ({"to": MESSENGER_PERSON}, {"from": ON_MESSENGER, "channel": "MESSENGER"}, MESSENGER_PERSON, {}),
        ({"to": f"RCS:+{ADA}"}, {"from": ADA, "channel": "RCS"}, ADA, {}),
        (
            {"to": f"+{ADA}", "identities": FIRST_ON_MESSENGER},
            {"from": ON_MESSENGER, "channel": "MESSENGER"},
            MESSENGER_PERSON,
            {},
        ),
        ({"to": "contact"}, {"from": ADA, "channel": "SMS"}, ADA, {"processing_mode": "CONVERSATION"}),
    ],
    ids=["identity", "number on a channel", "another identity", "contact"],
)
@pytest.mark.parametrize("added", [False, True], ids=["list", "added"])
def test_who_is_addressed_otherwise_than_by_number_answers_the_message(
    stage: Callable[..., Stage],
    row: dict[str, str],
    answer: dict[str, str],
    recipient: str,
    options: dict[str, str],
    added: bool,
) -> None:
    on = stage(app_channels=("MESSENGER", "RCS", "SMS"), **options)
    if options:
        on.happens(**{"from": ADA, "body": "Hello", "channel": "SMS"})
        on.until_told(Status.replied)
        row = {"to": on.events()[-1].payload["message"]["contact_id"]}
    campaign = {"name": "spring", "message": {"text": "Hi"}, "integration": "conv"}
    rows = [{**row, "customer_id": "c-1"}, {"to": f"+{BO}", "customer_id": "c-2"}]
    if added:
        dispatch: Dispatch = (opened := on.connector.open(campaign, key="orders"))
        for number, each in enumerate(rows):
            opened.add(each, key=str(number))
        opened.close()
    else:
        dispatch = on.connector.send(campaign, rows, drain=False)
    while dispatch.report().waiting:
        on.connector.work()
    on.until_told(Status.delivered, 2)
    message_id, delivery = delivery_of(on, "c-1")
    on.happens(**answer, body="Yes", reply_to=delivery["message_id"])
    on.until(lambda: any(event.text == "Yes" for event in on.events()))
    (reply,) = (event for event in on.events() if event.text == "Yes")
    assert (reply.customer_id, reply.message_id, reply.recipient) == ("c-1", message_id, recipient)
    (told,) = on.connector.messages_of(MESSENGER_PERSON if "identities" in row else row["to"]).messages
    assert told.events[-1].text == "Yes"
    assert on.is_whole()


def calls_back(on: Stage, body: dict[str, Any]) -> None:
    """The API calls back what the simulator doesn't."""
    path = urlsplit(on.connector.callback_addresses()["conv"]).path
    content = to_json({"app_id": "01APP", "project_id": "p", **body})
    secret = ConversationOptions().callback_secret or ""
    headers = signed_headers(secret, content, nonce="01NONCE", timestamp=str(int(time.time())))
    assert on.connector.receive(Request("POST", path, headers, content)).status == 200


def delivery_of(on: Stage, customer_id: str) -> tuple[str | None, dict[str, Any]]:
    """Our id of the message to a customer, and what the API says of it when it is delivered."""
    found = next(each for each in on.events() if each.status is Status.delivered and each.customer_id == customer_id)
    return found.message_id, found.payload["message_delivery_report"]


def test_an_answer_from_where_nobody_was_written_to_is_found_in_the_batch_that_it_names(
    stage: Callable[..., Stage],
) -> None:
    on = stage()
    rows = [{"to": f"+{each}", "customer_id": each} for each in (ADA, BO)]
    dispatch = on.connector.send(
        {"name": "spring", "message": {"text": "Hi"}, "integration": "conv"}, rows, drain=False
    )
    while dispatch.report().waiting:
        on.connector.work()
    on.until_told(Status.delivered, 2)
    message_id, delivery = delivery_of(on, BO)
    answer = {
        "id": "01INBOUND",
        "channel_identity": {"channel": "MESSENGER", "identity": ON_MESSENGER, "app_id": "01APP"},
        "contact_message": {"text_message": {"text": "Yes"}, "reply_to": {"message_id": delivery["message_id"]}},
    }
    named = {"_batch_id": json.loads(delivery["metadata"])["_batch_id"]}
    calls_back(on, {"message": answer, "message_metadata": to_json(named).decode()})
    reply = on.events()[-1]
    assert (reply.status, reply.message_id, reply.customer_id) == (Status.replied, message_id, BO)
    assert on.is_whole()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"to": f"+{ADA}"}, {"channel": "SMS", "identity": f"+{ADA}"}),
        ({"to": f"RCS:+{ADA}"}, {"channel": "RCS", "identity": ADA}),
        ({"to": MESSENGER_PERSON}, {"channel": "MESSENGER", "identity": ON_MESSENGER}),
        ({"to": f"+{ADA}", "identities": FIRST_ON_MESSENGER}, {"channel": "MESSENGER", "identity": ON_MESSENGER}),
    ],
    ids=["number", "number on a channel", "identity", "another identity"],
)
def test_who_opts_out_is_known_by_what_was_last_sent_where_the_app_tells_that(
    stage: Callable[..., Stage], row: dict[str, str], told: dict[str, str]
) -> None:
    on = stage(app_channels=("MESSENGER", "RCS", "SMS"))
    campaign = {"name": "spring", "message": {"text": "Hi"}, "integration": "conv"}
    rows = [{"to": f"+{BO}", "customer_id": "c-2"}, {**row, "customer_id": "c-1"}]
    dispatch = on.connector.send(campaign, rows, drain=False)
    while dispatch.report().waiting:
        on.connector.work()
    on.until_told(Status.delivered, 2)
    message_id, delivery = delivery_of(on, "c-1")
    named = {"_batch_id": json.loads(delivery["metadata"])["_batch_id"]}
    opted = {"request_id": "01REQUEST", "status": "OPT_OUT_SUCCEEDED", **told}
    calls_back(on, {"opt_out_notification": opted, "message_metadata": to_json(named).decode()})
    event = on.events()[-1]
    assert (event.status, event.customer_id, event.message_id) == (Status.opted_out, "c-1", message_id)
    assert on.is_whole()
