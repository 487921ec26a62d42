"""What is told beside the course of messages: replies that name what they answer, and notices of every kind."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from courier import ADA, BO, Courier, send_to, take, told

from connector.connector import Connector
from connector.ledger.tables import WhyKept
from connector.model.event import Event, EventKind, Status
from connector.model.report import Receipt, ReceiptKind


class Desk(NamedTuple):
    connector: Connector
    courier: Courier


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    courier = Courier()
    with courier.connect(tmp_path, "house", "garden") as connector:
        yield Desk(connector, courier)


def reply(**named: str) -> Receipt:
    return Receipt(ReceiptKind.person, Status.replied, recipient=ADA, provider_id="01REPLY", text="Yes", **named)


def replied(desk: Desk) -> Event:
    (event,) = [event for event in told(desk.connector) if event.status is Status.replied]
    return event


def delivered(desk: Desk, person: str, provider_id: str) -> None:
    own = desk.courier.message_of(person)
    take(desk.connector, Receipt(ReceiptKind.message, Status.delivered, message_id=own, provider_id=provider_id))


def test_a_reply_belongs_to_the_message_that_it_names(desk: Desk) -> None:
    send_to(desk.connector, ADA, BO, name="spring")
    answered = desk.courier.message_of(ADA)
    delivered(desk, ADA, "01FIRST")
    send_to(desk.connector, ADA, name="summer")
    delivered(desk, ADA, "01SECOND")
    # What was last sent into the conversation is something later.
    take(desk.connector, reply(reply_to="01FIRST", batch_key=desk.courier.key_of(ADA)))
    assert (replied(desk).message_id, replied(desk).campaign_name) == (answered, "spring")
    assert [event.status for event in desk.connector.messages_of(ADA).messages[1].events][-1] is Status.replied


def test_a_reply_is_known_by_what_was_sent_with_the_message(desk: Desk) -> None:
    send_to(desk.connector, ADA, name="spring")
    own = desk.courier.message_of(ADA)
    send_to(desk.connector, ADA, name="summer")
    take(desk.connector, reply(message_id=own))
    assert (replied(desk).message_id, replied(desk).campaign_name) == (own, "spring")


def test_a_reply_to_a_message_that_was_sent_alone_is_known_by_the_provider_s_id(tmp_path: Path) -> None:
    courier = Courier(batch_recipients=1)
    with courier.connect(tmp_path) as connector:
        send_to(connector, ADA)
        own = courier.message_of(ADA)
        answer = replace(reply(reply_to=f"01-{courier.key_of(ADA)}"), recipient="another-name")
        take(connector, answer)
        (event,) = [event for event in told(connector) if event.status is Status.replied]
        assert (event.message_id, event.recipient) == (own, "another-name")


@pytest.mark.parametrize("named", [{}, {"reply_to": "01NOBODY"}, {"message_id": "somebody-else"}])
def test_a_reply_to_nothing_of_ours_is_told_all_the_same(desk: Desk, named: dict[str, str]) -> None:
    send_to(desk.connector, ADA)
    take(desk.connector, reply(**named))
    assert (replied(desk).message_id, replied(desk).recipient, replied(desk).text) == (None, ADA, "Yes")


def test_a_message_of_another_account_is_not_answered(tmp_path: Path) -> None:
    """An id that another account's provider gave proves nothing here."""
    courier = Courier()
    with courier.connect(tmp_path, away="another") as connector:
        send_to(connector, ADA, integration="house")
        own = courier.message_of(ADA)
        take(connector, Receipt(ReceiptKind.message, Status.delivered, message_id=own, provider_id="01FIRST"))
        take(connector, reply(reply_to="01FIRST"), integration="away")
        (event,) = [event for event in told(connector) if event.status is Status.replied]
        assert event.message_id is None
        take(connector, Receipt(ReceiptKind.message, Status.read, message_id=own), integration="away")
        assert [each.status for each in told(connector, ADA) if each.kind is EventKind.message][-1] is Status.delivered


KINDS = [kind for kind in EventKind if kind is not EventKind.message]


def notice(about: EventKind, **named: str) -> Receipt:
    return Receipt(
        ReceiptKind.notice,
        about=about,
        raw_status="QUALITY_CHANGED",
        comment="LOW",
        error="TOO_MANY_COMPLAINTS",
        channel="WHATSAPP",
        payload={"quality": "low"},
        **named,
    )


@pytest.mark.parametrize("about", KINDS)
def test_a_notice_is_told_under_its_kind_and_changes_no_message(desk: Desk, about: EventKind) -> None:
    dispatch = send_to(desk.connector, ADA)
    before = dispatch.report()
    own = desk.courier.message_of(ADA)
    take(desk.connector, notice(about, provider_id="1"), notice(about, provider_id="2", message_id=own))
    of_nothing, of_message = (event for event in told(desk.connector) if event.status is Status.noted)
    assert (of_nothing.kind, of_nothing.raw_status, of_nothing.comment) == (about, "QUALITY_CHANGED", "LOW")
    assert (of_nothing.error, of_nothing.channel, of_nothing.payload) == (
        "TOO_MANY_COMPLAINTS",
        "WHATSAPP",
        {"quality": "low"},
    )
    assert (of_nothing.message_id, of_nothing.number_of_message_parts) == (None, None)
    assert (of_message.message_id, of_message.recipient, of_message.kind) == (own, ADA, about)
    assert dispatch.report() == before
    assert desk.connector.verify() == {dispatch.id: []}


def test_a_notice_is_told_once_through_whichever_integration_it_comes(desk: Desk) -> None:
    numbered, whole = notice(EventKind.contact, provider_id="01CONTACT"), notice(EventKind.contact)
    take(desk.connector, numbered, whole)
    take(desk.connector, numbered, whole, integration="garden")
    take(desk.connector, replace(numbered, provider_id="01OTHER"))
    assert [event.status for event in told(desk.connector)] == ["noted", "noted", "noted"]


def test_a_notice_can_not_be_a_step_of_a_message(desk: Desk) -> None:
    send_to(desk.connector, ADA)
    take(desk.connector, notice(EventKind.message, message_id=desk.courier.message_of(ADA)))
    assert [event.status for event in told(desk.connector)] == ["enqueued"]
    assert len(desk.connector.kept_reports(WhyKept.unreadable)) == 1


def test_what_is_noted_of_a_person_is_known_of_them(desk: Desk) -> None:
    take(desk.connector, replace(notice(EventKind.channel), recipient=BO))
    (event,) = desk.connector.messages_of(BO).other_events
    assert (event.kind, event.status) == (EventKind.channel, Status.noted)
