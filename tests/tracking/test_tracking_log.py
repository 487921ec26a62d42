"""The log of events: each with all its fields, each once, in an order that never changes."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receiving_kit import (
    ADA,
    BO,
    CY,
    DI,
    NOW,
    Api,
    Clock,
    batch_report,
    connect,
    id_of,
    inbound,
    nothing_wrong,
    receipt,
    replayed,
    reported,
    send_to,
    take,
    told,
)

from connector.connector import Connector
from connector.model.batch import Batch
from connector.model.event import Event, EventKind, Status, StatusCodeSource
from connector.model.outcome import Accepted, Refused, Scope
from connector.simulator.numbers import fictional_numbers


def everything(connector: Connector, api: Api, clock: Clock) -> None:
    """A log with events of every kind."""

    def send(batch: Batch) -> Any:
        clock.go(seconds=2)
        if len(batch.recipients) == 3:
            return Refused(
                Scope.recipient, 400, error="syntax_invalid_parameter_format", comment="no number", recipients=(2,)
            )
        return Accepted(id_of(batch))

    api.send = send
    people = [
        {
            "to": f"+{ADA}",
            "customer_id": "c-1",
            "first_name": "Ada",
            "metadata": {"tier": "gold", "a": {"b": [1, None]}},
        },
        {"to": "not a number", "customer_id": "c-2", "first_name": "Nobody"},
        {"to": f"+{BO}", "customer_id": "c-3", "first_name": "Bo", "metadata": {"season": "mine"}},
        {"to": f"+{CY}", "first_name": "Cy"},
        {"to": f"+{DI}"},
    ]
    send_to(
        connector,
        *people,
        id="cmp-42",
        metadata={"season": "spring", "lists": [7]},
        message={"text": "Hi ${first_name}"},
    )
    child = api.sent[-1]
    clock.go(minutes=1)
    take(
        connector,
        receipt(
            ADA,
            client_reference=child.key,
            batch_id=id_of(child),
            at="2026-11-23T09:31:30.250Z",
            operator_status_at="2026-11-23T09:31:00",
            number_of_message_parts=2,
            operator="24001",
            encoding="GSM",
            applied_originator="Other",
            status_message="as the network put it",
        ),
    )
    take(connector, inbound(ADA, "01IN", client_reference=child.key, operator_id="24002"))


def test_all_fields_of_every_event(connector: Connector, api: Api, clock: Clock) -> None:
    everything(connector, api, clock)
    parent, _ = api.sent
    dispatch = parent.key.partition("-")[0]
    bad, missing, failed, ada, bo, delivered, replied = told(connector)
    common = {
        "integration": "sms",
        "dispatch": dispatch,
        "campaign_id": "cmp-42",
        "campaign_name": "spring",
        "sender": "Shop",
    }
    campaign = {"season": "spring", "lists": [7]}

    def seen(event: Event, **expected: Any) -> None:
        wanted = Event(id=event.id, position=event.position, **{**common, **expected})
        assert event == wanted
        name = f"{event.message_id}:{event.status}"
        if event.kind is EventKind.message:
            assert event.id == str(uuid.uuid5(uuid.UUID("5f0c6f0e-0c1a-5d0b-9a5e-6f6a2c3b7d10"), name))

    seen(
        bad,
        kind=EventKind.message,
        status=Status.skipped,
        occurred_at=NOW,
        recorded_at=NOW,
        message_id=f"{dispatch}-1",
        recipient="not a number",
        customer_id="c-2",
        metadata=campaign,
        comment="invalid_number",
    )
    seen(
        missing,
        kind=EventKind.message,
        status=Status.skipped,
        occurred_at=NOW,
        recorded_at=NOW,
        message_id=f"{dispatch}-4",
        recipient=DI,
        metadata=campaign,
        comment="missing_parameter",
    )
    refused_at = NOW + timedelta(seconds=2)
    seen(
        failed,
        kind=EventKind.message,
        status=Status.enqueue_failed,
        occurred_at=refused_at,
        recorded_at=refused_at,
        message_id=f"{dispatch}-3",
        recipient=CY,
        metadata=campaign,
        number_of_message_parts=1,
        status_code=400,
        status_code_source=StatusCodeSource.http,
        error="syntax_invalid_parameter_format",
        comment="no number",
    )
    accepted_at = NOW + timedelta(seconds=4)
    ada_s = {"tier": "gold", "a": {"b": [1, None]}}
    seen(
        ada,
        kind=EventKind.message,
        status=Status.enqueued,
        occurred_at=accepted_at,
        recorded_at=accepted_at,
        message_id=f"{dispatch}-0",
        recipient=ADA,
        customer_id="c-1",
        metadata=campaign | ada_s,
        number_of_message_parts=1,
    )
    seen(
        bo,
        kind=EventKind.message,
        status=Status.enqueued,
        occurred_at=accepted_at,
        recorded_at=accepted_at,
        message_id=f"{dispatch}-2",
        recipient=BO,
        customer_id="c-3",
        metadata=campaign | {"season": "mine"},
        number_of_message_parts=1,
    )
    seen(
        delivered,
        kind=EventKind.message,
        status=Status.delivered,
        occurred_at=datetime(2026, 11, 23, 9, 31, tzinfo=UTC),
        recorded_at=clock(),
        message_id=f"{dispatch}-0",
        recipient=ADA,
        customer_id="c-1",
        metadata=campaign | ada_s,
        sender="Other",
        number_of_message_parts=2,
        status_code=0,
        status_code_source=StatusCodeSource.smpp,
        comment="as the network put it",
        raw_status="Delivered",
        operator="24001",
        encoding="GSM",
        channel="sms",
        payload=delivered.payload,
    )
    assert delivered.payload["at"] == "2026-11-23T09:31:30.250Z"
    seen(
        replied,
        kind=EventKind.person,
        status=Status.replied,
        occurred_at=datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
        recorded_at=clock(),
        message_id=f"{dispatch}-0",
        recipient=ADA,
        customer_id="c-1",
        metadata=campaign | ada_s,
        sender="12015550199",
        operator="24002",
        channel="sms",
        text="Yes please",
        payload=replied.payload,
    )


def test_ids_hold_nothing_of_a_person(connector: Connector, api: Api, clock: Clock) -> None:
    everything(connector, api, clock)
    people = [ADA[1:], BO[1:], CY[1:], DI[1:], "Ada", "cmp-42", "spring"]
    for event in told(connector):
        for identity in (event.id, event.message_id, event.dispatch):
            assert not any(person in str(identity) for person in people)
    for batch in api.sent:
        assert not any(person in batch.key for person in people)
        assert len(batch.key) <= 128


def test_a_called_back_and_a_polled_report_are_one_event(tmp_path: Path) -> None:
    """Two ledgers with the same dispatch, one called back and one polled, tell the same ids."""
    ids = []
    for way in ("callback", "list", "batch report"):
        api, clock = Api(), Clock()
        folder = tmp_path / way
        folder.mkdir()
        with connect(folder, api, clock) as connector:
            dispatch = send_to(connector, ADA, BO)
            (batch,) = api.sent
            ada = receipt(ADA, client_reference=batch.key, batch_id=id_of(batch))
            bo = receipt(BO, "Failed", 150, client_reference=batch.key, batch_id=id_of(batch))
            listed = [{"delivery_reports": [ada, bo]}] if way == "list" else []
            ends = {ADA: ("Delivered", 0), BO: ("Failed", 150)} if way == "batch report" else {}
            api.poll = lambda batch, listed=listed, ends=ends: [*listed, batch_report(batch, ends)]
            if way == "callback":
                take(connector, ada)
                take(connector, bo)
            for _ in range(3):
                clock.go(minutes=20)
                connector.work()
            assert dispatch.report().is_final
            ids.append({(e.message_id or "").partition("-")[2] + e.status: e.id for e in told(connector)})
            again = [event.id for event in told(connector)]
            take(connector, ada)
            assert [event.id for event in told(connector)] == again
            for event in told(connector):
                name = f"{event.message_id}:{event.status}"
                assert event.id == str(uuid.uuid5(uuid.UUID("5f0c6f0e-0c1a-5d0b-9a5e-6f6a2c3b7d10"), name))
    assert set(ids[0]) == set(ids[1]) == set(ids[2])


def test_a_polled_report_after_the_callback_changes_nothing(connector: Connector, api: Api, clock: Clock) -> None:
    send_to(connector, ADA, BO)
    (batch,) = api.sent
    ada = receipt(ADA, client_reference=batch.key, batch_id=id_of(batch))
    take(connector, ada)
    before = told(connector)
    api.poll = lambda batch: [{"delivery_reports": [ada]}, batch_report(batch, {ADA: ("Delivered", 0)})]
    clock.go(hours=1)
    connector.work()
    assert api.polled
    assert told(connector) == before


def test_what_expired_before_it_was_sent_is_told_once(connector: Connector, api: Api, clock: Clock) -> None:
    """Rows that were skipped while planning stand among those that are skipped later; positions never move."""
    expire_at = NOW + timedelta(minutes=5)
    rows = [{"to": f"+{ADA}"}, {"to": "nobody"}, {"to": f"+{BO}"}, {"to": f"+{ADA}"}, {"to": f"+{CY}"}]
    campaign = {"name": "spring", "message": {"text": "Hello"}, "sender": "Shop", "expire_at": expire_at}
    dispatch = connector.send(campaign, rows, drain=False)
    before = told(connector)
    assert [(event.recipient, event.comment) for event in before] == [
        ("nobody", "invalid_number"),
        (ADA, "duplicate"),
    ]
    clock.go(minutes=6)
    connector.work()
    after = told(connector)
    assert after[: len(before)] == before
    assert [(event.recipient, event.comment) for event in after[2:]] == [
        (ADA, "expired"),
        (BO, "expired"),
        (CY, "expired"),
    ]
    assert len({event.id for event in after}) == len(after)
    assert reported(dispatch.report()) == replayed(after)
    assert nothing_wrong(connector)


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A log of blocks, of a thousand and of few, and of single events, over two dispatches."""
    api, clock = Api(), Clock()
    with connect(tmp_path_factory.mktemp("log"), api, clock) as connector:
        numbers = fictional_numbers()
        rows: list[Any] = [next(numbers) for _ in range(1100)]
        rows[5:5] = [{"to": "nobody"}, {"to": "no one"}]
        rows[1050:1050] = [{"to": "none"}]
        send_to(connector, *rows)
        first = next(batch for batch in api.sent if rows[0] in batch.recipients)
        for person in rows[:3]:
            take(connector, receipt(person, client_reference=first.key))
        send_to(connector, ADA, BO, name="second")
        take(connector, receipt(ADA, client_reference=api.sent[-1].key))
        take(connector, inbound(BO))
        yield connector, connector.events(limit=10**6)


def test_positions_rise_and_blocks_stand_in_the_order_of_rows(long_log: tuple[Connector, list[Event]]) -> None:
    connector, whole = long_log
    positions = [event.position for event in whole]
    assert positions == sorted(set(positions))
    assert len({event.id for event in whole}) == len(whole) == 3 + 1100 + 3 + 2 + 1 + 1
    blocks: dict[int, list[int]] = {}
    for event in whole:
        if event.status in ("skipped", "enqueued"):
            blocks.setdefault(event.position // 1000, []).append(int((event.message_id or "").rpartition("-")[2]))
    assert sorted(map(len, blocks.values())) == [1, 2, 2, 100, 1000]
    assert all(ordinals == sorted(ordinals) for ordinals in blocks.values())
    assert connector.events(limit=10**6) == whole


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5), start=st.integers(-1, 12000))
def test_pages_of_any_size_from_any_position_give_each_event_once(
    long_log: tuple[Connector, list[Event]], sizes: list[int], start: int
) -> None:
    connector, whole = long_log
    after, read, turn = start, [], 0
    while page := connector.events(after=after, limit=sizes[turn % len(sizes)] + (turn // len(sizes)) * 50):
        assert len(page) <= sizes[turn % len(sizes)] + (turn // len(sizes)) * 50
        read += page
        after = page[-1].position
        turn += 1
    assert read == [event for event in whole if event.position > start]


def test_every_single_event_by_itself(long_log: tuple[Connector, list[Event]]) -> None:
    connector, whole = long_log
    for place in (0, 1, 2, 3, 4, 1000, 1001, 1002, 1003, 1102, 1103, len(whole) - 2):
        after = whole[place - 1].position if place else -1
        assert connector.events(after=after, limit=1) == [whole[place]]
    assert connector.events(after=whole[-1].position, limit=5) == []
    assert connector.events(after=10**9, limit=5) == []
    assert connector.events(limit=0) == []


def test_pages_of_one_dispatch(long_log: tuple[Connector, list[Event]]) -> None:
    connector, whole = long_log
    for line in connector.dispatches():
        mine = [event for event in whole if event.dispatch == line.id]
        assert list(connector.dispatch(line.id).all_events()) == mine
        assert connector.events(dispatch=line.id, after=mine[1].position, limit=3) == mine[2:5]


def test_an_event_survives_json(connector: Connector, api: Api, clock: Clock) -> None:
    everything(connector, api, clock)
    for event in told(connector):
        assert json.loads(json.dumps(event.metadata)) == event.metadata
        assert json.loads(json.dumps(event.payload)) == event.payload
        assert event.occurred_at.utcoffset() == event.recorded_at.utcoffset() == timedelta()


def test_a_position_is_found_by_time(connector: Connector, api: Api, clock: Clock) -> None:
    send_to(connector, ADA)
    clock.go(minutes=5)
    take(connector, receipt(ADA, client_reference=api.sent[0].key))
    first, second = told(connector)
    assert connector.events(after=connector.position_before(NOW)) == [first, second]
    assert connector.events(after=connector.position_before(NOW + timedelta(minutes=1))) == [second]
    assert connector.events(after=connector.position_before(NOW + timedelta(days=1))) == []


def test_a_position_is_found_by_time_in_a_long_log(connector: Connector, clock: Clock) -> None:
    """What was recorded a moment out of order is found, too."""
    for number in range(300):
        clock.go(seconds=20 if number % 3 else -35)
        take(connector, inbound(ADA, f"01REPLY{number:03}"))
    log = told(connector)
    for at in (NOW - timedelta(days=1), clock() + timedelta(days=1), *(event.recorded_at for event in log)):
        later = [event for event in log if event.recorded_at >= at]
        assert connector.events(after=connector.position_before(at), limit=1) == later[:1]
