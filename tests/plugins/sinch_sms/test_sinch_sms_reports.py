"""Delivery reports and inbound messages, read into receipts."""

from datetime import UTC, datetime, timedelta

import pytest
from connector_sinch.sms.reports import read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json
from sinch_sms_kit import NOW, NUMBERS

from connector.model.event import Status, StatusCodeSource
from connector.model.report import Receipt, ReceiptKind, Report, ReportSource

PERSON = NUMBERS[0]


def read_bytes(body: bytes, batch_key: str | None = None) -> list[Receipt]:
    return read(Report(ReportSource.callback, body, NOW, batch_key=batch_key))


def read_one(body: dict[str, object], batch_key: str | None = None) -> Receipt:
    receipts = read_bytes(to_json(body), batch_key)
    assert len(receipts) == 1
    return receipts[0]


def recipient_report(**changes: object) -> dict[str, object]:
    body = {
        "type": "recipient_delivery_report_sms",
        "batch_id": "01BATCH",
        "recipient": PERSON,
        "code": 0,
        "status": "Delivered",
        "at": "2026-11-23T09:31:02.345Z",
        "client_reference": "d1-0-0",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def inbound(**changes: object) -> dict[str, object]:
    body = {
        "type": "mo_text",
        "id": "01INBOUND",
        "from": f"+{PERSON}",
        "to": "12015550199",
        "body": "Yes please",
        "received_at": "2026-11-23T10:00:00.000Z",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


@pytest.mark.parametrize(
    ("raw_status", "code", "status", "final"),
    [
        ("Queued", 400, None, False),
        ("Dispatched", 401, None, False),
        ("Delivered", 0, Status.delivered, True),
        ("Rejected", 408, Status.rejected, True),
        ("Aborted", 402, Status.rejected, True),
        ("Aborted", 412, Status.rejected, True),
        ("Cancelled", 407, Status.rejected, True),
        ("Aborted", 407, Status.rejected, True),
        ("Failed", 15, Status.failed, True),
        ("Expired", 406, Status.failed, True),
        ("Aborted", 406, Status.failed, True),
        ("Deleted", 257, Status.failed, True),
        ("Unknown", 399, None, True),
        ("DELIVERED", 0, Status.delivered, True),
    ],
)
def test_every_status_has_its_event(raw_status, code, status, final):
    receipt = read_one(recipient_report(status=raw_status, code=code))
    assert (receipt.kind, receipt.status, receipt.final) == (ReceiptKind.message, status, final)
    assert (receipt.raw_status, receipt.status_code) == (raw_status, code)


def test_a_full_recipient_report_field_by_field():
    body = recipient_report(
        operator_status_at="2026-11-23T09:31:00",
        number_of_message_parts=2,
        operator="24001",
        encoding="GSM",
        applied_originator="Shop",
        status_message="as the network put it",
    )
    assert read_one(body) == Receipt(
        kind=ReceiptKind.message,
        status=Status.delivered,
        final=True,
        batch_key="d1-0-0",
        provider_batch_id="01BATCH",
        recipient=PERSON,
        sender="Shop",
        occurred_at=datetime(2026, 11, 23, 9, 31, tzinfo=UTC),
        status_code=0,
        status_code_source=StatusCodeSource.smpp,
        comment="as the network put it",
        raw_status="Delivered",
        number_of_message_parts=2,
        operator="24001",
        encoding="GSM",
        channel="sms",
        payload=body,
    )


def test_a_multimedia_report_is_read_alike():
    receipt = read_one(recipient_report(type="recipient_delivery_report_mms", code=417, status="Failed"))
    assert (receipt.status, receipt.channel) == (Status.failed, "mms")
    assert receipt.status_code_source is StatusCodeSource.report


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        ("2026-11-23T09:31:02.345Z", datetime(2026, 11, 23, 9, 31, 2, 345_000, tzinfo=UTC)),
        ("2026-11-23T09:31:02", datetime(2026, 11, 23, 9, 31, 2, tzinfo=UTC)),
        ("2026-11-23T10:31:02+01:00", datetime(2026, 11, 23, 9, 31, 2, tzinfo=UTC)),
        ("2026-11-23T09:31:02.000+0000", datetime(2026, 11, 23, 9, 31, 2, tzinfo=UTC)),
        ("0001-01-01T00:00:00+10:00", None),
        ("this morning", None),
        (1_795_426_200, None),
        (None, None),
    ],
)
def test_times_are_utc_and_unreadable_ones_are_left_out(given_time, expected):
    receipt = read_one(recipient_report(at=given_time))
    assert receipt.kind is ReceiptKind.message
    assert receipt.occurred_at == expected
    assert expected is None or receipt.occurred_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("0", 0), ("402", 402), (None, None), (True, None), (-1, None), (2**40, None), ("x", None), ("9" * 30, None)],
)
def test_codes_are_numbers_or_digits(code, expected):
    receipt = read_one(recipient_report(code=code))
    assert receipt.status is Status.delivered
    assert receipt.status_code == expected
    assert (receipt.status_code_source is None) == (expected is None)


@pytest.mark.parametrize("recipient", [PERSON, f"+{PERSON}", int(PERSON), f" {PERSON} "])
def test_a_recipient_is_digits_in_whatever_spelling(recipient):
    assert read_one(recipient_report(recipient=recipient)).recipient == PERSON


def test_the_key_of_the_address_serves_where_the_body_has_none():
    assert read_one(recipient_report(), "from-address").batch_key == "d1-0-0"
    assert read_one(recipient_report(client_reference=None), "from-address").batch_key == "from-address"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"status": "Teleported"}, "Teleported"),
        ({"status": None}, "status"),
        ({"status": 7}, "status"),
        ({"recipient": None}, "recipient"),
        ({"recipient": "someone"}, "recipient"),
        ({"recipient": 10**30}, "recipient"),
        ({"batch_id": None, "client_reference": None}, "batch"),
        ({"type": "recipient_delivery_report_fax"}, "recipient_delivery_report_fax"),
        ({"type": None}, "type"),
        ({"type": ["x"]}, "type"),
    ],
)
def test_what_is_not_understood_is_kept_and_says_why(changes, word):
    body = recipient_report(**changes)
    receipt = read_one(body)
    assert (receipt.kind, receipt.status, receipt.final) == (ReceiptKind.unknown, None, False)
    assert word in receipt.problem
    assert receipt.payload == body


def test_a_problem_never_names_a_number():
    receipt = read_one(recipient_report(status=f"to {PERSON}"))
    assert PERSON not in receipt.problem


def test_a_full_batch_report_speaks_for_each_recipient():
    body = {
        "type": "delivery_report_sms",
        "batch_id": "01BATCH",
        "client_reference": "d1-0-0",
        "total_message_count": "4",
        "statuses": [
            {"code": 0, "status": "Delivered", "count": 2, "recipients": [f"+{NUMBERS[0]}", NUMBERS[1]]},
            {"code": "15", "status": "Failed", "count": 1, "recipients": [NUMBERS[2]]},
            {"code": 9, "status": "Teleported", "count": 1, "recipients": [NUMBERS[3]]},
        ],
    }
    receipts = read_bytes(to_json(body))
    assert [(r.kind, r.recipient, r.status, r.final, r.status_code) for r in receipts] == [
        (ReceiptKind.message, NUMBERS[0], Status.delivered, True, 0),
        (ReceiptKind.message, NUMBERS[1], Status.delivered, True, 0),
        (ReceiptKind.message, NUMBERS[2], Status.failed, True, 15),
        (ReceiptKind.unknown, NUMBERS[3], None, False, 9),
    ]
    assert {(r.batch_key, r.provider_batch_id, r.occurred_at) for r in receipts} == {("d1-0-0", "01BATCH", None)}
    assert receipts[0].payload == {
        "type": "delivery_report_sms",
        "batch_id": "01BATCH",
        "client_reference": "d1-0-0",
        "code": 0,
        "status": "Delivered",
        "recipient": f"+{NUMBERS[0]}",
    }


@pytest.mark.parametrize(
    "statuses",
    [[], [{"code": 0, "status": "Delivered", "count": 2}], ["odd"], [{"recipients": "x"}], [{"recipients": [None]}]],
)
def test_a_batch_report_without_recipients_speaks_for_the_batch_alone(statuses):
    receipt = read_one({"type": "delivery_report_mms", "batch_id": "01BATCH", "statuses": statuses}, "d1-0-0")
    assert (receipt.kind, receipt.status, receipt.final) == (ReceiptKind.batch, None, False)
    assert (receipt.batch_key, receipt.provider_batch_id, receipt.channel) == ("d1-0-0", "01BATCH", "mms")


def test_a_batch_report_without_statuses_is_not_understood():
    assert read_one({"type": "delivery_report_sms", "batch_id": "01BATCH"}).kind is ReceiptKind.unknown
    assert read_one({"type": "delivery_report_sms", "statuses": []}).kind is ReceiptKind.unknown


def test_a_reply_is_a_persons_doing():
    body = inbound(client_reference="d1-0-0", operator_id="24001", sent_at="2026-11-23T09:59:00Z")
    assert read_one(body, "from-address") == Receipt(
        kind=ReceiptKind.person,
        status=Status.replied,
        final=True,
        batch_key="d1-0-0",
        recipient=PERSON,
        sender="12015550199",
        occurred_at=datetime(2026, 11, 23, 10, tzinfo=UTC),
        operator="24001",
        channel="sms",
        provider_id="01INBOUND",
        text="Yes please",
        payload=body,
    )


def test_a_reply_to_no_batch_has_no_key():
    assert read_one(inbound(), "from-address").batch_key is None


@pytest.mark.parametrize(
    ("changes", "text", "channel"),
    [
        ({"type": "mo_binary", "body": "QUJD", "udh": "0500"}, None, "sms"),
        ({"type": "mo_media", "body": {"subject": "s", "message": "see this", "media": []}}, "see this", "mms"),
        ({"type": "mo_media", "body": {"media": []}}, None, "mms"),
        ({"type": "mo_media", "body": "odd"}, None, "mms"),
        ({"body": ""}, "", "sms"),
        ({"body": 7}, None, "sms"),
    ],
)
def test_every_kind_of_inbound_message(changes, text, channel):
    receipt = read_one(inbound(**changes))
    assert (receipt.kind, receipt.status) == (ReceiptKind.person, Status.replied)
    assert (receipt.text, receipt.channel) == (text, channel)


@pytest.mark.parametrize("missing", ["id", "from"])
def test_an_inbound_message_that_names_nobody_is_kept(missing):
    receipt = read_one(inbound(**{missing: None}))
    assert receipt.kind is ReceiptKind.unknown
    assert receipt.payload


def test_lists_hold_the_same_bodies():
    body = {
        "count": 3,
        "page": 0,
        "page_size": 3,
        "delivery_reports": [
            recipient_report(client_reference=None),
            recipient_report(recipient=NUMBERS[1], code=401, status="Dispatched"),
            "odd",
        ],
    }
    receipts = read_bytes(to_json(body), "the-polled-one")
    assert [(r.kind, r.batch_key, r.provider_batch_id) for r in receipts] == [
        (ReceiptKind.message, None, "01BATCH"),
        (ReceiptKind.message, "d1-0-0", "01BATCH"),
        (ReceiptKind.unknown, None, None),
    ]
    assert [r.text for r in read_bytes(to_json({"count": 1, "inbounds": [inbound()]}))] == ["Yes please"]


def test_an_empty_list_has_nothing_to_say():
    assert read_bytes(b'{"count": 0, "page": 0, "page_size": 0, "delivery_reports": []}') == []


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"x"', b"<xml/>", b"\xff", b"{", b"[" * 100_000, b'{"code": NaN}', b"{}", b'{"type": {}}'],
)
def test_other_bytes_are_one_unknown_receipt(body):
    receipts = read_bytes(body)
    assert [receipt.kind for receipt in receipts] == [ReceiptKind.unknown]
    assert receipts[0].problem


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["", "Delivered", PERSON]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "recipients"]), inner),
    max_leaves=6,
)
odd_reports = st.fixed_dictionaries(
    {"type": st.sampled_from(["recipient_delivery_report_sms", "delivery_report_sms", "mo_text", "mo_media"])},
    optional=dict.fromkeys(
        ["batch_id", "recipient", "code", "status", "at", "client_reference", "statuses", "from", "to", "id", "body"],
        json_values,
    ),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=60) | odd_reports.map(to_json))
def test_reading_never_raises(body):
    for receipt in read_bytes(body, "d1-0-0"):
        assert (receipt.problem is None) == (receipt.kind is not ReceiptKind.unknown)
