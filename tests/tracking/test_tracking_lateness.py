"""The waiting period: what counts, what comes too late, and when a message is unconfirmed."""

from datetime import timedelta
from typing import Any

import pytest
from receiving_kit import (
    ADA,
    BO,
    CY,
    NOW,
    Api,
    Clock,
    batch_report,
    id_of,
    inbound,
    nothing_wrong,
    receipt,
    reported,
    send_to,
    sql,
    statuses,
    take,
)

from connector.connector import Connector, Dispatch
from connector.ledger.tables import WhyKept, to_microseconds
from connector.model.batch import Batch
from connector.model.errors import ReadFailed
from connector.model.outcome import Accepted, Found, FoundState, InDoubt

ENDS = NOW + timedelta(days=4)


def report(api: Api, person: str, status: str = "Delivered", code: int = 0, **changes: Any) -> dict[str, Any]:
    return receipt(person, status, code, client_reference=api.sent[0].key, batch_id=id_of(api.sent[0]), **changes)


def at(**after: float) -> str:
    return (ENDS + timedelta(**after)).isoformat()


def work_until(connector: Connector, clock: Clock, **delta: float) -> None:
    """Let time pass, with a worker that looks in now and then."""
    for _ in range(4):
        clock.go(**{unit: amount / 4 for unit, amount in delta.items()})
        connector.work()


def open_past_its_period(connector: Connector, api: Api, clock: Clock) -> Dispatch:
    """A dispatch to three whose polls fail, a day after its waiting period."""
    dispatch = send_to(connector, ADA, BO, CY)

    def poll(batch: Batch) -> list[dict[str, Any]]:
        raise ReadFailed("the API is down")

    api.poll = poll
    work_until(connector, clock, days=5)
    assert dispatch.report().open == 3
    return dispatch


def test_nothing_is_unconfirmed_before_a_good_poll_past_the_deadline(
    connector: Connector, api: Api, clock: Clock
) -> None:
    dispatch = open_past_its_period(connector, api, clock)
    assert statuses(connector, ADA) == ["enqueued"]
    api.poll = lambda batch: [batch_report(batch, {})]
    work_until(connector, clock, hours=12)
    assert (dispatch.report().open, dispatch.report().unconfirmed) == (0, 3)
    assert statuses(connector, ADA) == ["enqueued", "unconfirmed"]
    assert nothing_wrong(connector)
    polled = api.polled
    work_until(connector, clock, days=9)
    assert api.polled == polled


def test_a_poll_that_does_not_speak_for_the_whole_batch_closes_nothing(
    connector: Connector, api: Api, clock: Clock
) -> None:
    dispatch = send_to(connector, ADA)
    api.poll = lambda batch: [{"delivery_reports": []}]
    work_until(connector, clock, days=6)
    assert api.polled > 1
    assert dispatch.report().open == 1


def test_a_provider_that_declines_polls_is_not_waited_for(
    connector: Connector, api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.provider, "declines", {"poll": "reports are pushed"})
    dispatch = send_to(connector, ADA)
    work_until(connector, clock, days=3.9)
    assert dispatch.report().open == 1
    work_until(connector, clock, days=1)
    assert (dispatch.report().open, dispatch.report().unconfirmed, api.polled) == (0, 1, 0)


def test_it_closes_at_its_end_and_not_earlier(connector: Connector, api: Api, clock: Clock) -> None:
    dispatch = send_to(connector, ADA)
    while clock() < ENDS - timedelta(hours=3):
        clock.go(hours=1)
        connector.work()
        assert dispatch.report().open == 1
    clock.go(hours=3, seconds=2)
    connector.work()
    assert dispatch.report().unconfirmed == 1
    (event,) = [event for event in dispatch.events() if event.status == "unconfirmed"]
    assert event.occurred_at == event.recorded_at == clock()


def test_the_period_of_a_scheduled_batch_begins_at_its_time(connector: Connector, api: Api, clock: Clock) -> None:
    send_at = NOW + timedelta(minutes=10)
    dispatch = send_to(connector, ADA, send_at=send_at)
    assert api.sent[0].attempt.send_at == send_at
    work_until(connector, clock, days=4)
    assert dispatch.report().open == 1
    clock.go(minutes=11)
    connector.work()
    clock.go(hours=7)
    connector.work()
    assert dispatch.report().unconfirmed == 1


@pytest.mark.parametrize(("backlog", "age", "unconfirmed"), [(7, 0, 0), (0, 0, 1), (7, 60, 1)])
def test_nothing_is_unconfirmed_while_callbacks_wait_to_be_written(
    connector: Connector, api: Api, clock: Clock, backlog: int, age: int, unconfirmed: int
) -> None:
    """A server shows its backlog in the ledger; one that has not been seen for a minute is gone."""
    dispatch = send_to(connector, ADA)
    clock.go(days=5)
    with sql(connector) as ledger:
        seen_at = to_microseconds(clock() - timedelta(seconds=age))
        ledger.execute("INSERT INTO receivers (id, seen_at, backlog) VALUES ('r', ?, ?)", (seen_at, backlog))
    connector.work()
    assert dispatch.report().unconfirmed == unconfirmed
    with sql(connector) as ledger:
        ledger.execute("UPDATE receivers SET backlog = 0")
    clock.go(hours=7)
    connector.work()
    assert dispatch.report().unconfirmed == 1


def test_a_report_is_late_by_its_own_time(connector: Connector, api: Api, clock: Clock) -> None:
    dispatch = open_past_its_period(connector, api, clock)
    take(connector, report(api, ADA, at=at(seconds=1)))
    take(connector, report(api, ADA, at=at(seconds=1)))
    take(connector, report(api, BO, "Failed", 150, at=at(hours=20)))
    take(connector, report(api, CY, at=at(seconds=0)))
    funnel = reported(dispatch.report())
    assert (funnel["open"], funnel["delivered"], funnel["failed"]) == (2, 1, 0)
    assert dispatch.report().late == connector.kept(WhyKept.late) == 2
    assert connector.counters()["sms"]["late"] == 3
    assert statuses(connector, ADA) == ["enqueued"]
    assert nothing_wrong(connector)


def test_one_that_arrives_late_and_happened_in_time_counts_to_the_end(
    connector: Connector, api: Api, clock: Clock
) -> None:
    dispatch = send_to(connector, ADA, BO)
    work_until(connector, clock, days=5)
    assert dispatch.report().unconfirmed == 2
    take(connector, report(api, ADA, at=at(seconds=-1)))
    take(connector, report(api, BO, "Failed", 150, at=at(days=-3)))
    assert statuses(connector, ADA) == ["enqueued", "unconfirmed", "delivered"]
    assert statuses(connector, BO) == ["enqueued", "unconfirmed", "failed"]
    assert (dispatch.report().unconfirmed, dispatch.report().delivered, dispatch.report().failed) == (0, 1, 1)
    assert nothing_wrong(connector)


def test_the_operators_time_goes_before_the_providers(connector: Connector, api: Api, clock: Clock) -> None:
    dispatch = send_to(connector, ADA)
    work_until(connector, clock, days=5)
    take(connector, report(api, ADA, at=at(hours=5), operator_status_at=at(hours=-5)))
    assert dispatch.report().delivered == 1


def test_what_the_closing_poll_shows_counts_though_it_has_no_time(connector: Connector, api: Api, clock: Clock) -> None:
    """A batch's own report tells no times. What was known already isn't late by it, and what wasn't isn't lost."""
    dispatch = send_to(connector, ADA, BO, CY)
    take(connector, report(api, ADA))
    api.poll = lambda batch: [batch_report(batch, {ADA: ("Delivered", 0), BO: ("Failed", 150)})]
    clock.go(days=5)
    connector.work()
    assert (dispatch.report().delivered, dispatch.report().failed, dispatch.report().unconfirmed) == (1, 1, 1)
    assert (dispatch.report().late, connector.kept(WhyKept.late)) == (0, 0)
    assert nothing_wrong(connector)


def test_without_a_time_it_is_late_once_the_period_is_closed(connector: Connector, api: Api, clock: Clock) -> None:
    dispatch = send_to(connector, ADA)
    work_until(connector, clock, days=5)
    take(connector, report(api, ADA, at=None))
    assert (dispatch.report().unconfirmed, dispatch.report().late) == (1, 1)


def test_unknown_stays_open_is_not_waited_for_and_ends_unconfirmed_as_it_came(
    connector: Connector, api: Api, clock: Clock
) -> None:
    dispatch = send_to(connector, ADA, BO)
    take(connector, report(api, ADA, "Unknown", 155))
    take(connector, report(api, BO))
    # Returns though a message is open: nothing more will be said of it.
    assert dispatch.wait().open == 1
    assert statuses(connector, ADA) == ["enqueued"]
    work_until(connector, clock, days=5)
    (event,) = [event for event in dispatch.events() if event.status == "unconfirmed"]
    assert (event.recipient, event.raw_status) == (ADA, "Unknown")
    assert dispatch.report().unconfirmed == 1


def test_unknown_does_not_hide_what_comes_after_all(connector: Connector, api: Api) -> None:
    dispatch = send_to(connector, ADA, BO)
    take(connector, report(api, ADA, "Unknown", 155))
    take(connector, report(api, ADA))
    take(connector, report(api, BO, "Failed", 150))
    take(connector, report(api, BO, "Unknown", 155))
    assert (dispatch.report().delivered, dispatch.report().failed, dispatch.report().open) == (1, 1, 0)


def test_a_batch_that_a_person_says_was_accepted_ends_too(connector: Connector, api: Api, clock: Clock) -> None:
    """The provider knows nothing of it, so there is nothing to poll: its period ends all the same."""
    api.send = lambda batch: InDoubt("the line broke")
    api.find = lambda batch: Found(FoundState.absent)

    def poll(batch: Batch) -> list[dict[str, Any]]:
        raise ReadFailed("no such batch")

    api.poll = poll
    dispatch = send_to(connector, ADA)
    dispatch.retry("accepted")
    work_until(connector, clock, days=6)
    assert dispatch.report().unconfirmed == 1
    assert nothing_wrong(connector)


def test_replies_count_whenever_they_come_and_once(connector: Connector, api: Api, clock: Clock) -> None:
    dispatch = send_to(connector, ADA)
    work_until(connector, clock, days=30)
    body = inbound(ADA, client_reference=api.sent[0].key, received_at=clock().isoformat())
    for _ in range(3):
        take(connector, body)
    take(connector, {"inbounds": [body]})
    assert statuses(connector, ADA) == ["enqueued", "unconfirmed", "replied"]
    assert dispatch.report().unconfirmed == 1
    assert connector.counters()["sms"]["repeated"] == 3
    assert nothing_wrong(connector)


def test_a_reply_to_nothing_of_ours_is_an_event_of_the_person(connector: Connector, clock: Clock) -> None:
    take(connector, inbound(BO, "01A"))
    take(connector, inbound(BO, "01B", client_reference="not-ours"))
    first, second = connector.events()
    assert (first.kind, first.status, first.recipient, first.sender) == ("person", "replied", BO, "12015550199")
    assert (first.dispatch, first.message_id, first.text, first.integration) == (None, None, "Yes please", "sms")
    assert first.occurred_at == NOW + timedelta(minutes=30)
    assert first.recorded_at == clock()
    assert first.id != second.id
    assert connector.kept(WhyKept.unmatched) == 0


def test_a_reply_to_a_campaign_carries_it(connector: Connector, api: Api) -> None:
    row = {"to": f"+{ADA}", "customer_id": "c-1", "metadata": {"tier": "gold"}}
    dispatch = send_to(connector, row, id="cmp-1", metadata={"season": "spring"})
    take(connector, inbound(f"+{ADA}", client_reference=api.sent[0].key))
    event = dispatch.events()[-1]
    assert (event.status, event.kind) == ("replied", "person")
    assert (event.dispatch, event.campaign_id, event.customer_id) == (dispatch.id, "cmp-1", "c-1")
    assert event.metadata == {"season": "spring", "tier": "gold"}
    # The parts are those of our message, not of the answer to it.
    assert event.number_of_message_parts is None
    assert event.payload["body"] == "Yes please"


def test_acceptance_counts_from_the_proof(connector: Connector, api: Api, clock: Clock) -> None:
    """A batch that was in doubt for two days waits four days from then."""
    api.send = lambda batch: InDoubt("the line broke")
    api.find = lambda batch: Found(FoundState.cannot_tell, cause="down")
    dispatch = send_to(connector, ADA, BO)
    work_until(connector, clock, days=2)
    take(connector, report(api, ADA))
    work_until(connector, clock, days=3)
    assert dispatch.report().open == 1
    api.send = lambda batch: Accepted(id_of(batch))
    work_until(connector, clock, days=2)
    assert dispatch.report().unconfirmed == 1
