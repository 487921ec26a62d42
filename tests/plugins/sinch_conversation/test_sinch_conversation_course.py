"""Campaigns and their callbacks against the simulated API: fallback, replies, sessions, consents, from end to end."""

from collections.abc import Callable

from conversation_stage import Stage

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
