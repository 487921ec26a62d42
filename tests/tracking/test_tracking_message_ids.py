"""Receipts that carry our own id of the message: found by it before anything else, and a proof that it was accepted."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from courier import ADA, BO, CY, Courier, send_to, take, told

from connector.connector import Connector
from connector.ledger.tables import WhyKept
from connector.model.event import EventKind, Status, StatusCodeSource
from connector.model.outcome import InDoubt
from connector.model.report import Receipt, ReceiptKind


class Desk(NamedTuple):
    connector: Connector
    courier: Courier


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    courier = Courier()
    with courier.connect(tmp_path) as connector:
        yield Desk(connector, courier)


def delivered(**named: str) -> Receipt:
    return Receipt(ReceiptKind.message, Status.delivered, **named)


def statuses(desk: Desk, person: str) -> list[str]:
    return [event.status for event in told(desk.connector, person)]


def lost(desk: Desk) -> None:
    """What is sent may have been accepted."""
    desk.courier.send = lambda batch: InDoubt("The answer was lost.")


def test_a_message_is_found_by_our_id_alone(desk: Desk) -> None:
    dispatch = send_to(desk.connector, ADA, BO)
    take(desk.connector, delivered(message_id=desk.courier.message_of(BO)))
    assert statuses(desk, BO) == ["enqueued", "delivered"]
    assert statuses(desk, ADA) == ["enqueued"]
    assert dispatch.report().delivered == 1
    assert desk.connector.verify() == {dispatch.id: []}


def test_our_id_goes_before_the_address_that_it_was_delivered_to(desk: Desk) -> None:
    """Another channel may know the person by another name, or by somebody else's number."""
    send_to(desk.connector, ADA, BO)
    elsewhere = delivered(message_id=desk.courier.message_of(BO), batch_key=desk.courier.key_of(BO), recipient=ADA)
    take(desk.connector, elsewhere)
    assert statuses(desk, BO) == ["enqueued", "delivered"]
    assert statuses(desk, ADA) == ["enqueued"]


def test_an_id_that_is_not_ours_is_no_id(desk: Desk) -> None:
    send_to(desk.connector, ADA)
    key = desk.courier.key_of(ADA)
    for odd in ("somebody-else", "x", "-", "0123456789abcdef-0", f"{key.partition('-')[0]}-٣", "9" * 300 + "-1"):
        take(desk.connector, delivered(message_id=odd, batch_key=key, recipient=ADA))
    assert statuses(desk, ADA) == ["enqueued", "delivered"]


@pytest.mark.parametrize("row", ["7", "2147483648", "99999999999999999999"])
def test_a_row_that_isn_t_in_the_batch_is_kept(desk: Desk, row: str) -> None:
    send_to(desk.connector, ADA)
    key = desk.courier.key_of(ADA)
    take(desk.connector, delivered(message_id=f"{key.partition('-')[0]}-{row}", batch_key=key))
    assert statuses(desk, ADA) == ["enqueued"]
    assert len(desk.connector.kept_reports(WhyKept.unmatched)) == 1


def test_a_receipt_with_our_id_proves_the_message_accepted(desk: Desk) -> None:
    lost(desk)
    dispatch = send_to(desk.connector, ADA, BO)
    assert dispatch.report().in_doubt == 2
    take(desk.connector, delivered(message_id=desk.courier.message_of(ADA), provider_batch_id="01BATCH"))
    report = dispatch.report()
    assert (report.in_doubt, report.enqueued, report.delivered) == (0, 2, 1)
    assert statuses(desk, ADA) == ["enqueued", "delivered"]
    assert desk.connector.verify() == {dispatch.id: []}


def test_a_batch_s_status_with_our_key_proves_the_batch_accepted(desk: Desk) -> None:
    lost(desk)
    dispatch = send_to(desk.connector, ADA, BO)
    take(desk.connector, Receipt(ReceiptKind.batch, batch_key=desk.courier.key_of(ADA), provider_batch_id="01BATCH"))
    assert (dispatch.report().in_doubt, dispatch.report().open) == (0, 2)


def test_a_notice_with_our_key_proves_it_too_and_changes_nothing(desk: Desk) -> None:
    lost(desk)
    dispatch = send_to(desk.connector, ADA)
    own = desk.courier.message_of(ADA)
    handed_on = Receipt(ReceiptKind.notice, message_id=own, raw_status="HANDED_ON", about=EventKind.channel)
    take(desk.connector, handed_on, handed_on)
    assert statuses(desk, ADA) == ["enqueued", "noted"]
    noted = told(desk.connector, ADA)[-1]
    assert (noted.message_id, noted.kind) == (desk.courier.message_of(ADA), EventKind.channel)
    assert dispatch.report().open == 1
    assert desk.connector.verify() == {dispatch.id: []}


def test_a_batch_of_one_is_named_by_the_provider_s_id_alone(tmp_path: Path) -> None:
    courier = Courier(batch_recipients=1)
    with courier.connect(tmp_path) as connector:
        send_to(connector, ADA, BO)
        own = f"01-{courier.key_of(BO)}"
        take(connector, delivered(provider_batch_id=own, provider_id=own))
        assert [event.status for event in told(connector, BO)] == ["enqueued", "delivered"]
        assert [event.status for event in told(connector, ADA)] == ["enqueued"]


def test_the_provider_s_id_of_a_message_is_no_copy_of_a_batch_of_several(desk: Desk) -> None:
    """A report may name its message and not its batch: that makes no second copy of it."""
    dispatch = send_to(desk.connector, ADA, BO)
    for person, provider_id in ((ADA, "01FIRST"), (BO, "01SECOND")):
        own = desk.courier.message_of(person)
        take(desk.connector, delivered(message_id=own, provider_batch_id=provider_id, provider_id=provider_id))
    report = dispatch.report()
    assert (report.delivered, report.double_send) == (2, 0)
    assert desk.connector.verify() == {dispatch.id: []}


def test_who_has_read_a_message_has_got_it(desk: Desk) -> None:
    dispatch = send_to(desk.connector, ADA, BO)
    take(desk.connector, Receipt(ReceiptKind.message, Status.read, message_id=desk.courier.message_of(ADA)))
    take(desk.connector, delivered(message_id=desk.courier.message_of(ADA)))
    take(desk.connector, delivered(message_id=desk.courier.message_of(BO)))
    take(desk.connector, Receipt(ReceiptKind.message, Status.read, message_id=desk.courier.message_of(BO)))
    for person in (ADA, BO):
        assert statuses(desk, person) == ["enqueued", "delivered", "read"]
    assert (dispatch.report().delivered, dispatch.report().read) == (2, 2)
    assert len({event.id for event in told(desk.connector)}) == len(told(desk.connector))
    assert desk.connector.verify() == {dispatch.id: []}


def test_fallback_to_another_channel_is_one_message_with_its_highest_rank(desk: Desk) -> None:
    """The first channel may deliver after the second was tried: counted once."""
    dispatch = send_to(desk.connector, ADA)
    own = desk.courier.message_of(ADA)

    def said(status: Status, channel: str) -> Receipt:
        return Receipt(ReceiptKind.message, status, message_id=own, recipient="other-name", channel=channel)

    take(desk.connector, said(Status.failed, "SMS"))
    take(desk.connector, said(Status.delivered, "WHATSAPP"))
    take(desk.connector, said(Status.delivered, "SMS"), said(Status.failed, "SMS"))
    assert statuses(desk, ADA) == ["enqueued", "failed", "delivered"]
    assert [event.channel for event in told(desk.connector, ADA)] == [None, "SMS", "WHATSAPP"]
    assert (dispatch.report().delivered, dispatch.report().failed, dispatch.report().errors) == (1, 0, [])
    assert desk.connector.verify() == {dispatch.id: []}


def refused(person: str, desk: Desk, error: str) -> Receipt:
    return Receipt(
        ReceiptKind.message,
        Status.rejected,
        message_id=desk.courier.message_of(person),
        error=error,
        status_code_source=StatusCodeSource.conversation,
    )


def test_codes_in_words_are_counted_and_explained(desk: Desk) -> None:
    dispatch = send_to(desk.connector, ADA, BO, CY)
    for person in (ADA, BO):
        take(desk.connector, refused(person, desk, "NOT_WANTED"))
    take(desk.connector, refused(CY, desk, "OF_NEXT_YEAR"))
    errors = dispatch.report().errors
    assert [(error.code, error.status_code, error.count, error.meaning) for error in errors] == [
        ("NOT_WANTED", None, 2, "It is not_wanted."),
        ("OF_NEXT_YEAR", None, 1, None),
    ]
    (event,) = [event for event in told(desk.connector, ADA) if event.status is Status.rejected]
    assert (event.error, event.status_code, event.status_code_source) == ("NOT_WANTED", None, "conversation")
    (history,) = desk.connector.messages_of(ADA).messages
    assert [code.code for code in history.codes] == ["NOT_WANTED"]
    # What comes later takes the code's count with it.
    take(desk.connector, delivered(message_id=desk.courier.message_of(ADA)))
    assert [(error.code, error.count) for error in dispatch.report().errors] == [("NOT_WANTED", 1), ("OF_NEXT_YEAR", 1)]
    assert desk.connector.verify() == {dispatch.id: []}


def test_a_code_in_words_that_concerns_everybody_pauses_the_dispatch(desk: Desk) -> None:
    waits = desk.connector.open({"name": "open", "message": {"text": "Hello"}}, key="open")
    waits.add({"to": f"+{BO}"}, key="1")
    desk.courier.go(seconds=5)
    desk.connector.work()
    take(desk.connector, refused(BO, desk, "NO_CHANNEL"))
    report = waits.report()
    assert report.state == "paused"
    assert report.cause is not None
    assert "It is no_channel. (conversation NO_CHANNEL)" in report.cause


def test_what_is_called_back_of_a_provider_that_can_t_be_polled_is_rejected(desk: Desk) -> None:
    dispatch = send_to(desk.connector, ADA, send_at="2026-11-23T09:40:00Z")
    assert statuses(desk, ADA) == ["enqueued"]
    dispatch.cancel()
    for _ in range(3):
        desk.connector.work()
        desk.courier.go(minutes=10)
    assert statuses(desk, ADA) == ["enqueued", "rejected"]
    assert desk.connector.verify() == {dispatch.id: []}
