"""Everything that a webhook brings, read into receipts."""

from datetime import UTC, datetime
from typing import Any

import pytest
from connector_sinch.conversation.codes import CODES
from connector_sinch.conversation.reports import TRIGGERS, parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from connector.model.event import EventKind, Status, StatusCodeSource
from connector.model.report import Receipt, ReceiptKind, Report, ReportSource

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PERSON = "12015550101"
KEY, MESSAGE = "0123456789abcdef-b0-0", "0123456789abcdef-7"
SENT_WITH = to_json({"batch": KEY, "message": MESSAGE, "_batch_id": "01BATCH"}).decode()
WHATSAPP = {"channel": "WHATSAPP", "identity": PERSON, "app_id": ""}


def read_bytes(body: bytes, batch_key: str | None = None) -> list[Receipt]:
    return parse(Report(ReportSource.callback, body, NOW, batch_key=batch_key))


def called_back(batch_key: str | None = None, **payload: Any) -> list[Receipt]:
    envelope = {
        "app_id": "01APP",
        "project_id": "project",
        "accepted_time": "2026-11-23T09:29:00.000Z",
        "event_time": "2026-11-23T09:29:30.123456789Z",
        "message_metadata": "",
        "correlation_id": "",
    }
    body = {name: value for name, value in {**envelope, **payload}.items() if value is not None}
    return read_bytes(to_json(body), batch_key)


def one(receipts: list[Receipt]) -> Receipt:
    assert len(receipts) == 1
    return receipts[0]


def delivery(batch_key: str | None = None, *, envelope: dict[str, Any] | None = None, **changes: Any) -> Receipt:
    report = {
        "message_id": "01MESSAGE",
        "conversation_id": "",
        "status": "DELIVERED",
        "channel_identity": WHATSAPP,
        "contact_id": "",
        "metadata": SENT_WITH,
        "processing_mode": "DISPATCH",
        **changes,
    }
    given_ = {name: value for name, value in report.items() if value is not None}
    return one(called_back(batch_key, message_delivery_report=given_, **(envelope or {})))


def inbound(said: dict[str, Any], *, envelope: dict[str, Any] | None = None, **changes: Any) -> Receipt:
    message = {
        "id": "01INBOUND",
        "direction": "TO_APP",
        "contact_message": said,
        "channel_identity": {**WHATSAPP, "identity": f"+{PERSON}"},
        "conversation_id": "",
        "contact_id": "",
        "metadata": "",
        "accept_time": "2026-11-23T09:29:29Z",
        "sender_id": "12015550199",
        "processing_mode": "DISPATCH",
        **changes,
    }
    return one(called_back(message=message, **(envelope or {})))


# Delivery reports


def test_a_delivery_report_carries_everything():
    receipt = delivery(status="FAILED", reason={"code": "CHANNEL_FAILURE", "description": "Gone.", "sub_code": "X"})
    assert receipt == Receipt(
        kind=ReceiptKind.message,
        status=Status.failed,
        final=True,
        batch_key=KEY,
        provider_batch_id="01BATCH",
        message_id=MESSAGE,
        recipient=PERSON,
        occurred_at=datetime(2026, 11, 23, 9, 29, 30, 123456, tzinfo=UTC),
        status_code_source=StatusCodeSource.conversation,
        error="CHANNEL_FAILURE",
        comment="Gone.; sub code X",
        raw_status="FAILED",
        channel="WHATSAPP",
        provider_id="01MESSAGE",
        payload=receipt.payload,
    )
    assert receipt.payload["message_delivery_report"]["reason"]["description"] == "Gone."


@pytest.mark.parametrize(
    ("raw_status", "status", "final"),
    [
        ("QUEUED_ON_CHANNEL", None, False),
        ("DELIVERED", Status.delivered, False),
        ("READ", Status.read, True),
        ("FAILED", Status.failed, True),
    ],
)
def test_statuses(raw_status, status, final):
    receipt = delivery(status=raw_status)
    assert (receipt.kind, receipt.status, receipt.final) == (ReceiptKind.message, status, final)
    assert receipt.raw_status == raw_status


@pytest.mark.parametrize("reason", sorted(code for source, code in CODES if source is StatusCodeSource.conversation))
def test_every_reason_is_carried(reason):
    receipt = delivery(status="FAILED", reason={"code": reason})
    assert (receipt.error, receipt.final) == (reason, True)
    assert receipt.status in (Status.rejected, Status.failed)


def test_unknown_reasons_are_kept_and_have_failed():
    receipt = delivery(status="FAILED", reason={"code": "OF_NEXT_YEAR", "description": "New."})
    assert (receipt.kind, receipt.status, receipt.error) == (ReceiptKind.message, Status.failed, "OF_NEXT_YEAR")
    assert delivery(status="FAILED").error == "UNKNOWN"


def test_a_reason_beside_another_status_says_nothing():
    receipt = delivery(status="DELIVERED", reason={"code": "RECIPIENT_NOT_OPTED_IN"})
    assert (receipt.status, receipt.error, receipt.status_code_source) == (Status.delivered, None, None)


def test_sub_code_and_channel_code_stand_in_the_comment_and_numbers_don_t():
    reason = {
        "code": "CHANNEL_REJECT",
        "description": f"No such person +{PERSON}.",
        "sub_code": "INACTIVE_SENDER",
        "channel_code": "131047",
    }
    told = "No such person (number).; sub code INACTIVE_SENDER; channel code 131047"
    assert delivery(status="FAILED", reason=reason).comment == told
    assert delivery(status="FAILED", reason={"code": "X", "sub_code": "UNSPECIFIED_SUB_CODE"}).comment is None


def test_switching_to_the_next_channel_is_told_and_is_no_end():
    receipt = delivery(status="SWITCHING_CHANNEL", reason={"code": "RECIPIENT_NOT_REACHABLE"})
    assert (receipt.kind, receipt.status, receipt.about) == (ReceiptKind.notice, Status.noted, EventKind.channel)
    assert (receipt.message_id, receipt.batch_key, receipt.raw_status) == (MESSAGE, KEY, "SWITCHING_CHANNEL")
    assert (receipt.error, receipt.channel, receipt.final) == ("RECIPIENT_NOT_REACHABLE", "WHATSAPP", False)


def test_an_unknown_status_is_not_understood():
    receipt = delivery(status="TELEPORTED")
    assert (receipt.kind, receipt.status, receipt.batch_key) == (ReceiptKind.unknown, None, KEY)
    assert receipt.problem is not None
    assert "TELEPORTED" in receipt.problem


@pytest.mark.parametrize("metadata", ["", None, "free text", "[1]", "7", "{", '{"batch": 7}', '{"batch": ""}'])
def test_metadata_of_others_names_no_key(metadata):
    receipt = delivery(metadata=metadata)
    assert (receipt.batch_key, receipt.message_id) == (None, None)
    # A message that was sent alone is its own batch to the API.
    assert (receipt.kind, receipt.provider_batch_id) == (ReceiptKind.message, "01MESSAGE")


def test_our_keys_come_as_an_object_too():
    receipt = delivery(metadata={"batch": KEY, "message": MESSAGE})
    assert (receipt.batch_key, receipt.message_id, receipt.provider_batch_id) == (KEY, MESSAGE, "01MESSAGE")


@pytest.mark.parametrize(
    ("changes", "envelope"), [({"batch_id": "01BATCH"}, {}), ({}, {"batch_id": "01BATCH", "message_index": 0})]
)
def test_the_batch_s_id_may_stand_beside_the_metadata(changes, envelope):
    metadata = to_json({"batch": KEY, "message": MESSAGE}).decode()
    assert delivery(metadata=metadata, envelope=envelope, **changes).provider_batch_id == "01BATCH"


def test_the_key_in_the_address_serves_where_the_report_has_none():
    assert delivery("of-the-address", metadata="").batch_key == "of-the-address"
    assert delivery("of-the-address").batch_key == KEY


def test_a_report_on_nobody_and_nothing_is_not_understood():
    of_a_batch = '{"_batch_id": "01BATCH"}'
    assert delivery(metadata=of_a_batch, channel_identity=None).problem == "the report names no recipient"
    assert delivery(metadata="", message_id=None).problem == "the report names no message"
    # Our own id is enough, and so is the API's id of a message that was sent alone.
    assert delivery(channel_identity=None).problem is None
    assert delivery(metadata="", channel_identity=None).problem is None


@pytest.mark.parametrize(
    ("times", "at"),
    [
        ({"event_time": None}, datetime(2026, 11, 23, 9, 29, tzinfo=UTC)),
        ({"event_time": None, "accepted_time": None}, None),
        ({"event_time": "soon", "accepted_time": None}, None),
        ({"event_time": "2026-11-23T10:29:30.999999999+01:00"}, datetime(2026, 11, 23, 9, 29, 30, 999999, tzinfo=UTC)),
    ],
)
def test_every_time_may_be_missing_and_may_have_nanoseconds(times, at):
    assert delivery(envelope=times).occurred_at == at


def test_the_words_of_a_reason_name_nobody():
    reason = {"code": "CHANNEL_REJECT", "description": "no +1 201 555 0123, (201) 555-0123, +1-201-555-0123"}
    assert delivery(status="FAILED", reason=reason).comment == "no (number), (number), (number)"


@pytest.mark.parametrize(
    ("channel", "identity", "recipient"),
    [
        ("MESSENGER", "page:abc", "MESSENGER:page:abc"),
        # Digits alone make no phone number of it.
        ("MESSENGER", "7746490198930851", "MESSENGER:7746490198930851"),
        ("RCS", f"+{PERSON}", PERSON),
        ("NEWER", f"+{PERSON}", PERSON),
    ],
)
def test_people_are_named_as_the_ledger_has_them(channel, identity, recipient):
    named = {"channel": channel, "identity": identity, "app_id": ""}
    assert delivery(channel_identity=named).recipient == recipient
    assert inbound({"text_message": {"text": "Hi"}}, channel_identity=named).recipient == recipient
    (opted,) = called_back(opt_out_notification={"status": "OPT_OUT_SUCCEEDED", "request_id": "01REQUEST", **named})
    assert opted.recipient == recipient


# What people write


def test_a_reply_carries_everything():
    receipt = inbound({"text_message": {"text": "Yes please"}, "reply_to": {"message_id": "01MESSAGE"}})
    assert receipt == Receipt(
        kind=ReceiptKind.person,
        status=Status.replied,
        final=True,
        recipient=PERSON,
        sender="12015550199",
        occurred_at=datetime(2026, 11, 23, 9, 29, 30, 123456, tzinfo=UTC),
        channel="WHATSAPP",
        provider_id="01INBOUND",
        reply_to="01MESSAGE",
        text="Yes please",
        open_until=datetime(2026, 11, 24, 9, 29, 30, 123456, tzinfo=UTC),
        on_channel=f"WHATSAPP:{PERSON}",
        payload=receipt.payload,
    )


@pytest.mark.parametrize(
    ("channel", "times", "until"),
    [
        ("WHATSAPP", {}, datetime(2026, 11, 24, 9, 29, 30, 123456, tzinfo=UTC)),
        # Where the time isn't said: from when it came.
        ("WHATSAPP", {"event_time": None}, datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ("SMS", {}, None),
        ("MESSENGER", {}, None),
    ],
)
def test_what_people_write_on_whatsapp_opens_a_session(channel, times, until):
    identity = {"channel": channel, "identity": f"+{PERSON}", "app_id": ""}
    receipt = inbound({"text_message": {"text": "Hi"}}, envelope=times, channel_identity=identity, accept_time=None)
    assert receipt.open_until == until


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"text_message": {"text": "Hi"}}, "Hi"),
        ({"choice_response_message": {"message_id": "01MESSAGE", "postback_data": "yes"}}, "yes"),
        ({"media_message": {"url": "https://example.com/a.png"}}, None),
        ({"media_card_message": {"url": "https://example.com/a.png", "caption": "Look"}}, "Look"),
        ({"location_message": {"coordinates": {"latitude": 1.0, "longitude": 2.0}, "title": "Home"}}, "Home"),
        ({"product_response_message": {"products": [], "title": "Shoes"}}, "Shoes"),
        ({"fallback_message": {"raw_message": "raw", "reason": {"code": "UNKNOWN"}}}, "raw"),
        ({"channel_specific_message": {"message_type": "nfm_reply", "message": {}}}, None),
        ({"of_next_year_message": {"text": "new"}}, None),
        ({}, None),
    ],
)
def test_every_kind_of_message_is_a_reply(said, text):
    receipt = inbound(said)
    assert (receipt.kind, receipt.status, receipt.text) == (ReceiptKind.person, Status.replied, text)


def test_a_choice_names_the_message_that_offered_it():
    chosen = {"choice_response_message": {"message_id": "01MESSAGE", "postback_data": "yes"}}
    receipt = inbound(chosen, metadata=SENT_WITH)
    assert (receipt.batch_key, receipt.message_id, receipt.reply_to) == (KEY, MESSAGE, "01MESSAGE")
    # Of everything else the metadata is the channel's own.
    assert inbound({"text_message": {"text": "Hi"}}, metadata=SENT_WITH).batch_key is None


def test_what_was_last_sent_into_the_conversation_tells_the_batch():
    receipt = inbound({"text_message": {"text": "Hi"}}, envelope={"message_metadata": '{"_batch_id": "01BATCH"}'})
    assert (receipt.provider_batch_id, receipt.message_id) == ("01BATCH", None)


def test_a_redacted_message_is_the_same_reply():
    redacted = called_back(message_redaction={"id": "01INBOUND", "channel_identity": WHATSAPP, "contact_message": {}})
    assert (one(redacted).status, one(redacted).provider_id) == (Status.replied, "01INBOUND")


def test_a_reply_without_id_or_person_is_not_understood():
    assert inbound({}, id=None).problem == "the inbound message has no id"
    assert inbound({}, channel_identity={}).problem == "the inbound message names no sender"


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({"opt_in_notification": {"status": "OPT_IN_SUCCEEDED"}}, Status.opted_in),
        ({"opt_out_notification": {"status": "OPT_OUT_SUCCEEDED"}}, Status.opted_out),
        ({"opt_in_notification": {"status": "OPT_IN_FAILED"}}, Status.noted),
        ({"opt_out_notification": {"status": "OPT_OUT_STATUS_UNSPECIFIED"}}, Status.noted),
        ({"opt_out_notification": {}}, Status.noted),
    ],
)
def test_only_a_consent_that_took_effect_is_told_as_one(payload, status):
    (name, told), *_ = payload.items()
    told = {**told, "request_id": "01REQUEST", "channel": "VIBERBM", "identity": f"+{PERSON}"}
    receipt = one(called_back(**{name: told}))
    assert (receipt.status, receipt.about, receipt.recipient) == (status, EventKind.person, PERSON)
    assert receipt.channel == "VIBERBM"


# Lists


def test_of_a_list_only_what_people_wrote_is_read():
    listed = {
        "messages": [
            {"id": "01IN", "direction": "TO_APP", "channel_identity": WHATSAPP, "contact_message": {}},
            {"id": "01OUT", "direction": "TO_CONTACT", "channel_identity": WHATSAPP, "app_message": {}},
            7,
        ],
        "next_page_token": "",
    }
    receipts = read_bytes(to_json(listed))
    assert [(each.kind, each.provider_id) for each in receipts] == [
        (ReceiptKind.person, "01IN"),
        (ReceiptKind.unknown, None),
    ]


def test_a_message_is_the_same_called_back_and_listed():
    message = {
        "id": "01IN",
        "channel_identity": WHATSAPP,
        "contact_message": {"text_message": {"text": "Hi"}},
        "accept_time": "2026-11-23T09:29:29Z",
    }
    listed = one(read_bytes(to_json({"messages": [message]})))
    called = one(called_back(message=message))
    assert (listed.provider_id, listed.text, listed.recipient) == (called.provider_id, called.text, called.recipient)
    assert listed.occurred_at == datetime(2026, 11, 23, 9, 29, 29, tzinfo=UTC)


# Batches


def batch_status(**changes: Any) -> list[Receipt]:
    told = {
        "batch_id": "01BATCH",
        "batch_status": "BATCH_STATUS_PROCESSED",
        "batch_type": "BATCH_TYPE_MESSAGES",
        "additional_data": {"message_batch_data": {"batch_metadata": {"batch": KEY}}},
        **changes,
    }
    return called_back(batch_status_update_notification=told)


@pytest.mark.parametrize("state", ["READY", "SCHEDULED", "PROCESSED", "CANCELLED", "BATCH_STATUS_SCHEDULED"])
def test_a_batch_s_status_proves_that_the_api_has_it(state):
    receipt = one(batch_status(batch_status=state))
    assert (receipt.kind, receipt.status) == (ReceiptKind.batch, None)
    assert (receipt.batch_key, receipt.provider_batch_id) == (KEY, "01BATCH")


@pytest.mark.parametrize("state", ["BATCH_STATUS_FAILED", "ERROR", "", None, 7])
def test_an_unknown_status_of_a_batch_is_no_success_and_is_shown(state):
    accepted, shown = batch_status(batch_status=state)
    assert (accepted.kind, accepted.status) == (ReceiptKind.batch, None)
    assert (shown.kind, shown.batch_key, shown.status) == (ReceiptKind.unknown, KEY, None)
    assert shown.problem is not None
    assert "may never have been sent" in shown.problem


def test_batches_of_contacts_concern_no_message():
    receipt = one(batch_status(batch_type="BATCH_TYPE_CONTACTS", additional_data=None))
    assert (receipt.kind, receipt.about, receipt.status) == (ReceiptKind.notice, EventKind.contact, Status.noted)


def test_a_batch_without_a_name_is_not_understood():
    assert one(batch_status(batch_id=None, additional_data={})).kind is ReceiptKind.unknown


# Everything else

NOTICES: dict[str, tuple[str, dict[str, Any], EventKind, str | None]] = {
    "MESSAGE_SUBMIT": (
        "message_submit_notification",
        {"message_id": "01MESSAGE", "channel_identity": WHATSAPP, "submitted_message": {}, "metadata": SENT_WITH},
        EventKind.channel,
        None,
    ),
    "EVENT_INBOUND": (
        "event",
        {"id": "01EVENT", "channel_identity": WHATSAPP, "contact_event": {"composing_event": {}}},
        EventKind.person,
        "composing_event",
    ),
    "EVENT_DELIVERY": (
        "event_delivery_report",
        {
            "event_id": "01EVENT",
            "status": "FAILED",
            "channel_identity": WHATSAPP,
            "reason": {"code": "CHANNEL_FAILURE", "description": "Gone."},
        },
        EventKind.conversation,
        "FAILED: Gone.",
    ),
    "CHANNEL_EVENT": (
        "channel_event_notification",
        {
            "channel_event": {
                "channel": "WHATSAPP",
                "event_type": "WHATS_APP_QUALITY_RATING_CHANGED",
                "additional_data": {"quality_rating": "LOW"},
            }
        },
        EventKind.channel,
        "WHATS_APP_QUALITY_RATING_CHANGED",
    ),
    "CAPABILITY": (
        "capability_notification",
        {
            "request_id": "01REQUEST",
            "channel": "WHATSAPP",
            "identity": PERSON,
            "capability_status": "CAPABILITY_PARTIAL",
            "channel_capabilities": ["TEXT"],
            "reason": {"code": "RECIPIENT_NOT_OPTED_IN", "description": "Not asked."},
        },
        EventKind.channel,
        "CAPABILITY_PARTIAL: Not asked.",
    ),
    **{
        f"CONTACT_{doing}": (
            f"contact_{doing.lower()}_notification",
            {"contact": {"id": "01CONTACT", "channel_identities": [WHATSAPP]}},
            EventKind.contact,
            None,
        )
        for doing in ("CREATE", "UPDATE", "DELETE")
    },
    "CONTACT_MERGE": (
        "contact_merge_notification",
        {
            "preserved_contact": {"id": "01CONTACT", "channel_identities": [WHATSAPP]},
            "deleted_contact": {"id": "01OTHER", "channel_identities": []},
        },
        EventKind.contact,
        None,
    ),
    "CONTACT_IDENTITIES_DUPLICATION": (
        "duplicated_contact_identities_notification",
        {"duplicated_identities": [{"channel": "SMS", "contact_ids": ["01A", "01B"]}]},
        EventKind.contact,
        None,
    ),
    **{
        f"CONVERSATION_{doing}": (
            f"conversation_{doing.lower()}_notification",
            {"conversation": {"id": "01CONVERSATION", "active_channel": "WHATSAPP"}},
            EventKind.conversation,
            None,
        )
        for doing in ("START", "STOP", "DELETE")
    },
    "SMART_CONVERSATION": (
        "smart_conversation_notification",
        {"channel": "WHATSAPP", "channel_identity": PERSON, "message_id": "01INBOUND", "analysis_results": {}},
        EventKind.conversation,
        None,
    ),
    "RECORD_NOTIFICATION": (
        "record_notification",
        {"entity_id": "01EVENT", "record_status": "EVENT_RECORD_STORED", "channel_identity": WHATSAPP},
        EventKind.conversation,
        "EVENT_RECORD_STORED",
    ),
    "UNSUPPORTED": (
        "unsupported_callback",
        {"id": "01ODD", "channel": "MESSENGER", "payload": "{}", "channel_identity": WHATSAPP},
        EventKind.person,
        None,
    ),
}
"""Trigger to payload key, payload, whom its event is about, and what its comment says."""
READ_OTHERWISE = {
    "MESSAGE_DELIVERY",
    "MESSAGE_INBOUND",
    "MESSAGE_INBOUND_SMART_CONVERSATION_REDACTION",
    "OPT_IN",
    "OPT_OUT",
    "BATCH_STATUS_UPDATE",
}


def test_every_trigger_is_read():
    assert len(TRIGGERS) == 22
    assert set(TRIGGERS) == NOTICES.keys() | READ_OTHERWISE


@pytest.mark.parametrize("trigger", NOTICES)
def test_everything_else_is_noted_and_changes_no_message(trigger):
    name, payload, about, comment = NOTICES[trigger]
    receipt = one(called_back(**{name: payload}))
    assert (receipt.kind, receipt.status) == (ReceiptKind.notice, Status.noted)
    assert (receipt.raw_status, receipt.about, receipt.comment) == (trigger, about, comment)
    assert receipt.about is not EventKind.message
    assert receipt.payload[name] == payload


def test_what_was_handed_to_a_channel_names_its_message():
    name, payload, *_ = NOTICES["MESSAGE_SUBMIT"]
    receipt = one(called_back(**{name: payload}))
    assert (receipt.batch_key, receipt.message_id, receipt.provider_batch_id) == (KEY, MESSAGE, "01BATCH")


def test_a_reaction_names_what_it_reacts_to():
    reaction = {"reaction_event": {"emoji": "🔥", "action": "REACTION_ACTION_REACT", "message_id": "01MESSAGE"}}
    event = {"id": "01EVENT", "channel_identity": WHATSAPP, "contact_message_event": reaction}
    assert one(called_back(event=event)).reply_to == "01MESSAGE"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"<xml/>", b"\xff", b"{", b"[" * 100_000, b"{}"])
def test_other_bytes_are_one_unknown_receipt(body):
    assert one(read_bytes(body)).kind is ReceiptKind.unknown


def test_a_payload_of_next_year_is_kept_and_named():
    receipt = one(called_back(of_next_year_notification={"a": 1}))
    assert receipt.kind is ReceiptKind.unknown
    assert receipt.problem is not None
    assert "of_next_year_notification" in receipt.problem


_names = ["message_id", "status", "reason", "metadata", "channel_identity", "channel", "identity", "id", "contact"]
_names += ["contact_message", "text_message", "batch_status", "channel_event", "conversation", "additional_data"]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["", "FAILED", PERSON]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_names), inner, max_size=4),
    max_leaves=8,
)
_payload_keys = [name for name, *_ in NOTICES.values()]
_payload_keys += ["message_delivery_report", "message", "opt_in_notification", "batch_status_update_notification"]
_odd = st.dictionaries(st.sampled_from([*_payload_keys, "messages", "event_time", "message_metadata"]), _json)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=60) | _odd.map(to_json))
def test_reading_never_raises(body):
    for receipt in read_bytes(body, "d1-0-0"):
        assert (receipt.problem is None) == (receipt.kind is not ReceiptKind.unknown)
