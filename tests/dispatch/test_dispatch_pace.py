"""Throttling, pace and the circuit of a provider's account."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Clock, Host, agrees, batches_of_one, closes, people, refusal

from connector import Connector
from connector.dispatch import due
from connector.extension import hookimpl

PACE = {"sinch-sms:simulated-plan": {"messages_per_second": 1}}


def wait_seconds(connector: Connector, clock: Clock) -> float:
    """How long the account is to be left alone."""
    (account,) = connector.accounts()
    return (account.free_at - clock()).total_seconds()


@pytest.fixture
def still(host: Host) -> Clock:
    """A clock that only the test moves."""
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    return host.clock


def test_throttling_is_a_wait_by_which_nobody_fails(host: Host, still: Clock) -> None:
    plan = host.plan(faults={"throttled": "1x2"})
    connector = host.connector(plan, clock=still)
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    for longest in (1.0, 2.0):
        connector.work()
        report = dispatch.report()
        assert (report.waiting, report.enqueue_failed, report.in_doubt) == (3, 0, 0)
        assert longest / 2 <= wait_seconds(connector, still) <= longest
        assert closes(report) and agrees(connector)
        still.advance(longest)
    connector.work()
    assert dispatch.report().enqueued == 3
    assert [row["ended"] for row in host.attempts()] == ["throttled", "throttled", "accepted"]
    assert plan.account()["sends"] == {"429": 2, "201": 1}


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
def test_retry_after_is_obeyed(host: Host, still: Clock, as_date: bool) -> None:
    plan = host.plan()
    connector = host.connector(plan, clock=still)
    after = (still() + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT") if as_date else "90"
    plan.answers.append(refusal(429, **{"retry-after": after}))
    dispatch = connector.send(CAMPAIGN, people(2), drain=False)
    connector.work()
    assert 88 < wait_seconds(connector, still) <= 90
    still.advance(85)
    connector.work()
    assert len(plan.posted) == 1
    still.advance(6)
    connector.work()
    assert dispatch.report().enqueued == 2


class Together:
    """Lets so many sends go on only once all of them are under way, in one wave or more."""

    def __init__(self, count: int, waves: int = 1) -> None:
        self._left = count * waves
        self._barrier = threading.Barrier(count)
        self._guard = threading.Lock()

    @hookimpl(hookwrapper=True)
    def connector_dispatch(self, provider: Any, batch: Any) -> Iterator[None]:
        with self._guard:
            self._left -= 1
            waits = self._left >= 0
        if waits:
            self._barrier.wait(120)
        outcome = yield
        if waits:
            # All answers are there before the first is written down.
            self._barrier.wait(120)
        return outcome


def test_requests_that_were_on_their_way_together_count_as_one_throttling(host: Host, still: Clock) -> None:
    """Four refusals of one moment are no reason to wait for minutes."""
    plan = host.plan()
    plan.answers.extend([refusal(429)] * 8)
    connector = host.connector(plan, clock=still, plugins=[Together(4, waves=2)])
    dispatch = connector.send(CAMPAIGN, batches_of_one(8), drain=False)
    connector.work()
    assert len(plan.posted) == 4
    assert 0.5 <= wait_seconds(connector, still) <= 1.0
    still.advance(1.0)
    connector.work()
    assert len(plan.posted) == 8
    assert 1.0 <= wait_seconds(connector, still) <= 2.0
    still.advance(2.0)
    connector.work()
    assert dispatch.report().enqueued == 8


def test_what_was_throttled_keeps_its_place(host: Host, still: Clock) -> None:
    plan = host.plan()
    plan.answers.append(refusal(429))
    connector = host.connector(plan, clock=still, accounts=PACE)
    connector.send(CAMPAIGN, batches_of_one(3), drain=False)
    still.advance(1.0)
    for _ in range(4):
        connector.work()
        still.advance(1.0)
    assert [posted.content["from"] for posted in plan.posted] == ["Shop 00", "Shop 00", "Shop 01", "Shop 02"]


def test_two_integrations_and_two_dispatches_share_the_pace_of_their_account(host: Host, still: Clock) -> None:
    plan = host.plan()
    other = replace(plan)
    connector = host.connector(plan, other, clock=still, accounts=PACE)
    one = connector.send(CAMPAIGN, people(3), drain=False)
    two = connector.send({**CAMPAIGN, "integration": "sms2"}, people(2, after=3), drain=False)
    three = connector.send(CAMPAIGN, people(1, after=5), drain=False)
    seconds, sent_at = 0.0, {}
    while len(sent_at) < 3:
        connector.work()
        for dispatch in (one, two, three):
            if dispatch.report().enqueued:
                sent_at.setdefault(dispatch.id, seconds)
        still.advance(0.5)
        seconds += 0.5
    # One message a second: the first batch takes 3 seconds of the account, the second 2.
    assert list(sent_at.values()) == [0.0, 3.0, 5.0]


def test_another_account_has_a_pace_of_its_own(host: Host, still: Clock) -> None:
    plan, other = host.plan(), host.plan(service_plan_id="other-plan")
    connector = host.connector(plan, other, clock=still, accounts=PACE)
    connector.send(CAMPAIGN, people(100), drain=False)
    connector.send({**CAMPAIGN, "integration": "sms2"}, people(3), drain=False)
    connector.send({**CAMPAIGN, "integration": "sms2"}, people(3, after=3), drain=False)
    connector.work()
    assert (len(plan.posted), len(other.posted)) == (1, 2)


def test_the_pace_may_stand_with_the_integration(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, clock=still, integration={"messages_per_second": 2})
    connector.send(CAMPAIGN, batches_of_one(2), drain=False)
    connector.work()
    assert (len(plan.posted), wait_seconds(connector, still)) == (1, 0.5)


def test_what_leaves_late_catches_up_a_little(host: Host, still: Clock) -> None:
    """So a pace of many a second is reached, though nothing leaves at its very moment."""
    plan = host.plan()
    connector = host.connector(plan, clock=still, accounts={"sinch-sms:simulated-plan": {"messages_per_second": 10}})
    connector.send(CAMPAIGN, batches_of_one(5), drain=False)
    connector.work()
    still.advance(0.15)
    connector.work()
    assert len(plan.posted) == 2
    assert round(wait_seconds(connector, still), 3) == 0.05
    # After a long time, too, it is no more than a tenth of a second.
    still.advance(60.0)
    connector.work()
    assert len(plan.posted) == 4
    assert round(wait_seconds(connector, still), 3) == 0.1


def test_a_worker_knows_when_what_waits_for_the_pace_may_leave(host: Host, still: Clock) -> None:
    """Nothing else would wake it before it looks again by itself."""
    plan = host.plan()
    connector = host.connector(plan, clock=still, accounts={"sinch-sms:simulated-plan": {"messages_per_second": 10}})
    connector.send(CAMPAIGN, batches_of_one(2), drain=False)

    def next_free() -> datetime | None:
        with connector.ledger.read() as connection:
            return due.next_free(connection, still())

    assert next_free() is None
    connector.work()
    assert next_free() == still() + timedelta(seconds=0.1)
    still.advance(0.1)
    connector.work()
    # The account is not free again yet, but nothing waits for it any more.
    assert wait_seconds(connector, still) > 0
    assert next_free() is None


def test_failures_in_a_row_open_the_circuit_and_a_read_closes_it(host: Host, still: Clock) -> None:
    plan = host.plan(faults={"error_before": 1})
    connector = host.connector(plan, clock=still, accounts=PACE)
    dispatch = connector.send(CAMPAIGN, batches_of_one(5), drain=False)
    for _ in range(3):
        connector.work()
        still.advance(1.0)
    (account,) = connector.accounts()
    assert account.probe_at is not None and "503" in (account.trouble or "")
    assert len(plan.posted) == 3

    # While it is open, only reads go out; a probe that fails waits longer.
    plan.faults(listing_error="1")
    still.advance_to(account.probe_at)
    connector.work()
    (account,) = connector.accounts()
    assert account.probe_at is not None and account.probe_at > still()
    assert len(plan.posted) == 3

    plan.faults()
    plan.requests.clear()
    still.advance_to(account.probe_at)
    connector.work()
    assert plan.requests[0] == "GET batches"
    (account,) = connector.accounts()
    assert (account.probe_at, account.trouble) == (None, None)
    report = host.settle(dispatch)
    assert report.enqueued == 5
    assert plan.account()["accepted_once"] == 5
    assert closes(report) and agrees(connector)


def test_failures_that_were_on_their_way_together_open_the_circuit_once(host: Host, still: Clock) -> None:
    """More failures of one moment than open it are no reason to wait for longer before the first probe."""
    plan = host.plan(faults={"error_before": "1x4"})
    connector = host.connector(plan, clock=still, plugins=[Together(4)])
    connector.send(CAMPAIGN, batches_of_one(4), drain=False)
    connector.work()
    (account,) = connector.accounts()
    assert account.probe_at is not None
    assert 0.5 <= (account.probe_at - still()).total_seconds() <= 1.0


def test_nothing_leaves_while_nobody_answers_and_everything_once_somebody_does(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    plan.stop()
    dispatch = connector.send(CAMPAIGN, batches_of_one(5), drain=False)
    connector.work()
    report = dispatch.report()
    assert (report.waiting, report.in_doubt, report.enqueue_failed) == (5, 0, 0)
    (account,) = connector.accounts()
    assert account.probe_at is not None and "can't be reached" in (account.trouble or "")
    plan.start()
    again = host.connector(plan)
    assert host.settle(again.dispatch(dispatch.id)).enqueued == 5
    assert plan.account()["accepted_once"] == 5
    assert {row["ended"] for row in host.attempts()} == {"not_sent", "accepted"}


def test_an_account_that_is_no_longer_configured_keeps_no_circuit_open(host: Host) -> None:
    """Nothing can be asked of it any more, so what waits for it stops with the cause, as it would else."""
    plan, other = host.plan(), host.plan(service_plan_id="other-plan")
    connector = host.connector(plan)
    plan.stop()
    dispatch = connector.send(CAMPAIGN, batches_of_one(5), drain=False)
    connector.work()
    assert connector.accounts()[0].probe_at is not None
    again = host.connector(other).dispatch(dispatch.id)
    report = host.settle(again, steps=20, when=lambda report: report.state == "stopped")
    assert report.waiting == 5
    assert report.cause == (
        "The integration sms now uses the account sinch-sms:other-plan, and this dispatch was planned for "
        "sinch-sms:simulated-plan. Restore the setting, then resume."
    )
    assert other.posted == []
