"""All that is known of one person: what the log tells of a number, and where its messages stand."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from receiving_kit import (
    ADA,
    BO,
    CY,
    DI,
    EM,
    NOW,
    Api,
    Clock,
    connect,
    id_of,
    inbound,
    receipt,
    send_to,
    take,
    told,
)

from connector.connector import Connector
from connector.model.batch import Batch
from connector.model.errors import InputError
from connector.model.event import EventKind
from connector.model.outcome import Accepted, InDoubt, Outcome, Refused, Scope


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connector(tmp_path: Path, api: Api, clock: Clock) -> Iterator[Connector]:
    with connect(tmp_path, api, clock) as made:
        yield made


def report_on(connector: Connector, api: Api, person: str, status: str, code: int, **changes: object) -> None:
    key = next(batch.key for batch in reversed(api.sent) if person in batch.recipients)
    take(connector, receipt(person, status, code, client_reference=key, **changes))


def as_the_log_has_it(connector: Connector, person: str) -> None:
    """Its events are those that the log gives for the number, with the same ids and positions."""
    history = connector.messages_of(person)
    shown = [event for message in history.messages for event in message.events] + history.other_events
    assert sorted(shown, key=lambda event: event.position) == [e for e in told(connector) if e.recipient == person]


def test_every_event_of_a_person_and_no_other(connector: Connector, api: Api) -> None:
    def send(batch: Batch) -> Outcome:
        if CY in batch.recipients and len(batch.recipients) > 1:
            return Refused(Scope.recipient, 400, recipients=(batch.recipients.index(CY),))
        return Accepted(id_of(batch))

    api.send = send
    send_to(connector, "nobody", ADA, BO, ADA, CY, DI, "no one", EM, BO)
    send_to(connector, ADA, EM, name="autumn")
    report_on(connector, api, ADA, "Failed", 150)
    report_on(connector, api, ADA, "Delivered", 0)
    report_on(connector, api, DI, "Aborted", 402)
    take(connector, inbound(ADA, "01A", client_reference=api.sent[-1].key))
    take(connector, inbound(ADA, "01B"))
    take(connector, inbound(DI, "01C"))
    for person in (ADA, BO, CY, DI, EM):
        as_the_log_has_it(connector, person)
    newest, first, repeat = connector.messages_of(f"+{ADA}").messages
    assert (newest.campaign, newest.state, newest.batch) == ("autumn", "delivered", api.sent[-1].key)
    assert [event.status for event in newest.events] == ["enqueued", "failed", "delivered", "replied"]
    assert [code.code for code in newest.codes] == ["150", "0"]
    assert (first.campaign, first.state) == ("spring", "open")
    assert (repeat.state, repeat.reason, repeat.batch) == ("skipped", "duplicate", None)
    assert [event.kind for event in connector.messages_of(ADA).other_events] == [EventKind.person]
    assert [message.state for message in connector.messages_of(CY).messages] == ["enqueue_failed"]
    # Its batch was split: the part that carries it counts.
    (bo, again) = connector.messages_of(BO).messages
    assert (bo.state, bo.batch_state, again.reason) == ("open", "accepted", "duplicate")


def test_where_a_message_stands_before_it_is_taken(connector: Connector, api: Api) -> None:
    dispatch = connector.send(
        {"name": "spring", "sender": "Shop", "message": {"text": "Hi"}}, [{"to": ADA}], drain=False
    )
    (waiting,) = connector.messages_of(ADA).messages
    assert (waiting.state, waiting.attempts, waiting.events) == ("waiting", [], [])
    api.send = lambda batch: InDoubt("the line broke")
    connector.work()
    (doubtful,) = connector.messages_of(ADA).messages
    (attempt,) = doubtful.attempts
    assert (doubtful.state, attempt.number, attempt.sent_at, attempt.cause) == ("in_doubt", 1, NOW, "the line broke")
    assert doubtful.next_look_up is not None
    dispatch.retry("give_up")
    assert [message.state for message in connector.messages_of(ADA).messages] == ["unknown"]
    as_the_log_has_it(connector, ADA)


def test_reports_that_changed_nothing_stand_beside(connector: Connector, api: Api, clock: Clock) -> None:
    send_to(connector, ADA, BO)
    clock.go(days=6)
    report_on(connector, api, ADA, "Delivered", 0, at=(NOW + timedelta(days=5)).isoformat())
    (message,) = connector.messages_of(ADA).messages
    (late,) = message.beside
    assert (late.why, late.raw_status, late.status_code) == ("late", "Delivered", 0)
    assert connector.messages_of(BO).messages[0].beside == []


def test_any_spelling_and_nobody(connector: Connector) -> None:
    send_to(connector, CY)
    for written in ("+46 70 174 06 05", "0046701740605", CY):
        assert len(connector.messages_of(written).messages) == 1
    assert connector.messages_of(EM).messages == []
    with pytest.raises(InputError, match="no phone number that can exist") as caught:
        connector.messages_of("0701740605")
    assert "0701740605" not in str(caught.value)
