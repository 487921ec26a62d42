"""Batches that may have been accepted: found out about, and sent again only when they surely never arrived."""

import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sending_kit import (
    CAMPAIGN,
    Clock,
    Host,
    Plan,
    Posted,
    agrees,
    batches_of_one,
    callback,
    closes,
    people,
    refusal,
    wait_until,
    warm_up,
)

from connector import Connector
from connector.connector import Dispatch
from connector.extension import hookimpl
from connector.http import Answer
from connector.model.errors import NotFound
from connector.overview import DoubtfulBatch

WINDOW, LEAD, TIMEOUT = 600, 120, 30
TRACKING = {"doubt_window_seconds": WINDOW, "resend_lead_seconds": LEAD}


@pytest.fixture
def still(host: Host) -> Clock:
    """A clock that only the test moves."""
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    return host.clock


def the_doubt(dispatch: Dispatch) -> DoubtfulBatch:
    (batch,) = dispatch.in_doubt()
    return batch


def lose(host: Host, connector: Connector, plan: Plan, fault: str = "drop_before", count: int = 3) -> Dispatch:
    """A dispatch whose one batch is in doubt."""
    plan.faults(**{fault: "1x1"})
    dispatch = connector.send(CAMPAIGN, people(count), drain=False)
    connector.work()
    report = dispatch.report()
    assert (report.in_doubt, report.enqueued, report.enqueue_failed) == (count, 0, 0)
    assert closes(report) and agrees(connector)
    return dispatch


@pytest.mark.parametrize("fault", ["error_before", "error_after", "drop_before", "drop_after"])
def test_an_answer_that_is_lost_is_found_out_about(host: Host, still: Clock, fault: str) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING)
    warm_up(host, connector)
    dispatch = lose(host, connector, plan, fault)
    report = host.settle(dispatch)
    assert (report.enqueued, report.double_send) == (3, 0)
    assert plan.account()["accepted_more"] == 0
    assert plan.account()["accepted_once"] == 4
    assert len(plan.posted) == (3 if fault.endswith("before") else 2)
    assert closes(report) and agrees(connector)
    assert [event.status for event in dispatch.all_events()].count("enqueued") == 3


def test_a_slow_answer_is_not_waited_for(host: Host, still: Clock) -> None:
    plan = host.plan(faults={"slow_seconds": 10})
    connector = host.connector(plan, tracking=TRACKING, integration={"request_timeout_seconds": 3})
    plan.faults(slow="1x1", slow_seconds=10)
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    connector.work()
    assert "did not answer in time" in (the_doubt(dispatch).cause or "")
    assert host.settle(dispatch).enqueued == 3
    assert (plan.account()["accepted_once"], len(plan.posted)) == (3, 1)


def test_an_answer_without_an_id_is_in_doubt(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING)
    plan.answers.append(Answer(201, {}, b"{}"))
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    connector.work()
    assert "without a batch id" in (the_doubt(dispatch).cause or "")


def test_absent_counts_only_after_the_doubt_window(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING)
    warm_up(host, connector)
    sent_at = still()
    dispatch = lose(host, connector, plan)
    while len(plan.posted) == 2:
        due = host.next_due()
        assert due is not None
        assert due <= sent_at + timedelta(seconds=TIMEOUT + WINDOW + 1)
        still.advance_to(due)
        connector.work()
    assert still() >= sent_at + timedelta(seconds=TIMEOUT + WINDOW)
    assert dispatch.report().enqueued == 3


def test_absent_counts_only_after_three_good_look_ups(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking={**TRACKING, "doubt_window_seconds": 0})
    warm_up(host, connector)
    dispatch = lose(host, connector, plan)
    still.advance(10_000)
    for look_ups in (1, 2):
        connector.work()
        batch = the_doubt(dispatch)
        assert (batch.look_ups, batch.last_look_up) == (look_ups, "not there")
        assert batch.next_look_up is not None
        still.advance_to(batch.next_look_up)
    connector.work()
    assert dispatch.in_doubt() == []
    assert dispatch.report().enqueued == 3


def test_a_look_up_that_fails_says_nothing(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking={**TRACKING, "doubt_window_seconds": 0})
    warm_up(host, connector)
    dispatch = lose(host, connector, plan, "drop_after")
    plan.faults(unauthorized=1)
    still.advance(1000)
    connector.work()
    batch = the_doubt(dispatch)
    assert batch.last_look_up is not None and batch.last_look_up.startswith("can't tell: ")
    assert batch.look_ups == 1
    plan.faults()
    assert host.settle(dispatch).enqueued == 3
    assert len(plan.posted) == 2


def test_a_look_up_that_was_never_seen_to_work_says_nothing(host: Host, still: Clock) -> None:
    """The first batch of an account ever: that the list doesn't show it may be the list's fault."""
    plan = host.plan()
    connector = host.connector(plan, tracking={**TRACKING, "doubt_window_seconds": 0})
    dispatch = lose(host, connector, plan)
    for _ in range(8):
        still.advance(300)
        connector.work()
    batch = the_doubt(dispatch)
    assert batch.last_look_up == "can't tell: looking up by reference was not yet seen to work on this account"
    assert (batch.held, len(plan.posted)) == (False, 1)
    # Another dispatch is accepted, and found: now look-ups count.
    warm_up(host, connector)
    assert host.settle(dispatch).enqueued == 3
    assert plan.account()["accepted_once"] == 4
    assert closes(dispatch.report()) and agrees(connector)


def test_a_list_that_does_not_show_a_later_batch_says_nothing(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking={**TRACKING, "doubt_window_seconds": 0})
    warm_up(host, connector)
    dispatch = lose(host, connector, plan, "drop_after")
    still.advance(1)
    plan.faults(listing_lag=1000)
    connector.send(CAMPAIGN, people(1, after=10), drain=False)
    for _ in range(8):
        connector.work()
        still.advance(200)
    assert the_doubt(dispatch).last_look_up == "can't tell: the provider's list doesn't show a later batch yet"
    plan.faults()
    assert host.settle(dispatch).enqueued == 3
    assert plan.account()["accepted_more"] == 0


class AnsweredLate:
    """Holds back the answer to one sender's batch until the next one's, which is sent meanwhile, is lost."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._taken = threading.Event()
        self._lost = threading.Event()

    @hookimpl(hookwrapper=True)
    def connector_dispatch(self, provider: Any, batch: Any) -> Iterator[None]:
        if batch.sender == "Shop 01":
            assert self._taken.wait(120)
        yield
        if batch.sender == "Shop 00":
            self._taken.set()
            assert self._lost.wait(120)
            self._clock.advance(1)
        elif batch.sender == "Shop 01":
            self._lost.set()


def test_a_batch_that_left_earlier_is_no_witness(host: Host, still: Clock) -> None:
    """Answered later, but standing earlier in the list: that the list shows it proves nothing."""
    plan = host.plan()
    connector = host.connector(
        plan, tracking={**TRACKING, "doubt_window_seconds": 0}, plugins=[AnsweredLate(host.clock)]
    )
    warm_up(host, connector)

    def lose_the_second(posted: Posted) -> None:
        if posted.content["from"] == "Shop 01":
            plan.faults(drop_after="1x1")

    plan.when_posted = lose_the_second
    early = connector.send(CAMPAIGN, batches_of_one(2), drain=False)
    connector.work()
    assert the_doubt(early).messages == 1
    plan.hidden.add(plan.batches()[-1]["id"])
    still.advance(5)
    connector.send(CAMPAIGN, people(1, after=10), drain=False)
    connector.work()
    plan.hidden.add(plan.batches()[-1]["id"])
    for _ in range(6):
        still.advance(200)
        connector.work()
    assert the_doubt(early).last_look_up == "can't tell: the provider's list doesn't show a later batch yet"
    plan.hidden.clear()
    assert host.settle(early).enqueued == 2
    assert plan.account()["accepted_more"] == 0


def test_credentials_that_changed_say_nothing(host: Host, still: Clock) -> None:
    plan, other = host.plan(), host.plan(service_plan_id="other-plan")
    connector = host.connector(plan, tracking={**TRACKING, "doubt_window_seconds": 0})
    warm_up(host, connector)
    dispatch = lose(host, connector, plan, "drop_after")
    moved = host.connector(other, tracking={**TRACKING, "doubt_window_seconds": 0})
    warm_up(host, moved)
    again = moved.dispatch(dispatch.id)
    for _ in range(5):
        still.advance(200)
        moved.work()
    assert the_doubt(again).last_look_up == (
        "can't tell: its integration or account is not in the configuration any more"
    )
    assert len(other.posted) == 1
    assert host.settle(connector.dispatch(dispatch.id)).enqueued == 3


def test_what_was_sent_longer_ago_than_the_list_goes_back_can_not_be_told(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING)
    warm_up(host, connector)
    dispatch = lose(host, connector, plan)
    still.advance(15 * 86_400)
    connector.work()
    assert "longer ago" in (the_doubt(dispatch).last_look_up or "")


def test_what_is_surely_absent_is_held_where_that_is_set(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking={**TRACKING, "on_absent": "hold"})
    warm_up(host, connector)
    dispatch = lose(host, connector, plan)
    report = host.settle(dispatch, when=lambda _: the_doubt(dispatch).held)
    assert (report.in_doubt, len(plan.posted)) == (3, 2)
    assert the_doubt(dispatch).next_look_up is None
    # Draining doesn't wait for a person.
    dispatch.drain()
    assert dispatch.retry("resend") == 1
    report = host.settle(dispatch)
    assert (report.enqueued, plan.account()["accepted_once"]) == (3, 4)
    assert closes(report) and agrees(connector)


def test_a_person_gives_up_and_later_proof_still_counts(host: Host, still: Clock) -> None:
    plan = host.plan(callback_secret=None)
    connector = host.connector(plan, tracking=TRACKING)
    dispatch = lose(host, connector, plan, "drop_after")
    assert dispatch.retry("give_up", batch_key=the_doubt(dispatch).key) == 1
    report = dispatch.report()
    assert (report.unknown, report.in_doubt, report.is_settled) == (3, 0, True)
    assert closes(report) and agrees(connector)
    assert [event.status for event in dispatch.all_events()] == ["unknown"] * 3
    assert {event.comment for event in dispatch.all_events()} == {"given up by a person"}

    number = people(1)[0]["to"].removeprefix("+")
    (batch,) = plan.batches()
    assert callback(connector, batch, number, "Delivered", 0).status == 200
    report = dispatch.report()
    assert (report.unknown, report.enqueued, report.delivered) == (0, 3, 1)
    assert closes(report) and agrees(connector)
    assert len(plan.posted) == 1


def test_a_person_says_that_it_was_accepted(host: Host, still: Clock) -> None:
    """Its reports are then asked for as of any accepted batch."""
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING)
    warm_up(host, connector)
    dispatch = lose(host, connector, plan, "drop_after")
    dispatch.retry("accepted")
    report = dispatch.report()
    assert (report.enqueued, report.in_doubt) == (3, 0)
    assert closes(report) and agrees(connector)
    plan.idle()
    report = host.settle(dispatch, when=lambda report: report.is_final, steps=20)
    assert (report.delivered, len(plan.posted)) == (3, 2)


def test_what_a_person_says_was_accepted_ends_unconfirmed_when_nobody_knows_it(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking={**TRACKING, "waiting_period_days": 0.01})
    warm_up(host, connector)
    dispatch = lose(host, connector, plan, "drop_before")
    dispatch.retry("accepted")
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert report.unconfirmed == 3
    assert closes(report) and agrees(connector)


def test_only_what_is_in_doubt_can_be_settled_by_a_person(host: Host) -> None:
    connector = host.connector(host.plan())
    dispatch = connector.send(CAMPAIGN, people(3))
    with pytest.raises(NotFound):
        dispatch.retry("resend")
    with pytest.raises(ValueError, match="verdict"):
        dispatch.retry("forget")


def test_pausing_stops_resends_and_not_look_ups(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING)
    warm_up(host, connector)
    dispatch = lose(host, connector, plan)
    dispatch.pause()
    report = host.settle(dispatch, when=lambda report: report.waiting == 3)
    still.advance(3600)
    connector.work()
    assert len(plan.posted) == 2
    dispatch.resume()
    assert host.settle(dispatch).enqueued == 3
    assert closes(report) and agrees(connector)


def test_a_resend_that_would_come_too_late_waits_for_a_person(host: Host, still: Clock) -> None:
    """It can't be sent any more, and an early copy may still surface: it stays in doubt."""
    plan = host.plan(callback_secret=None)
    connector = host.connector(plan, tracking=TRACKING)
    warm_up(host, connector)
    plan.faults(drop_after="1x1")
    campaign = {**CAMPAIGN, "expire_at": still() + timedelta(minutes=11)}
    dispatch = connector.send(campaign, people(3), drain=False)
    connector.work()
    plan.hidden |= {batch["id"] for batch in plan.batches()}
    host.settle(dispatch, when=lambda report: any(batch.held for batch in dispatch.in_doubt()))
    batch = the_doubt(dispatch)
    assert "expiry" in (batch.last_look_up or "")
    dispatch.drain()
    assert (dispatch.report().in_doubt, len(plan.posted)) == (3, 2)
    assert closes(dispatch.report()) and agrees(connector)
    assert callback(connector, plan.batches()[-1], people(1)[0]["to"].removeprefix("+"), "Delivered", 0).status == 200
    assert dispatch.report().delivered == 1
    assert closes(dispatch.report()) and agrees(connector)


def test_what_was_throttled_until_it_expired_is_skipped(host: Host, still: Clock) -> None:
    plan = host.plan(faults={"throttled": 1})
    connector = host.connector(plan)
    campaign = {**CAMPAIGN, "expire_at": still() + timedelta(minutes=5)}
    dispatch = connector.send(campaign, people(3), drain=False)
    connector.work()
    still.advance(400)
    connector.work()
    report = dispatch.report()
    assert report.skipped.by_reason == {"expired": 3}
    assert report.is_settled
    assert closes(report) and agrees(connector)


class HeldUp:
    """A host's hook that is held up with the first answer to a batch of several."""

    def __init__(self) -> None:
        self.armed = self.answered = False
        self.let_go = threading.Event()

    @hookimpl(wrapper=True)
    def connector_dispatch(self) -> Generator[None, Any, Any]:
        first = self.armed and not self.answered
        outcome = yield
        if first:
            self.answered = True
            assert self.let_go.wait(120)
        return outcome


def test_an_answer_that_comes_when_the_batch_is_on_its_way_again_is_of_the_first_attempt(
    host: Host, still: Clock
) -> None:
    hook = HeldUp()
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING, plugins=[hook])
    warm_up(host, connector)
    hook.armed = True
    plan.answers.append(refusal(400, "syntax_constraint_violation", "Something is wrong."))
    dispatch = connector.send(CAMPAIGN, people(4), drain=False)
    again, noted = threading.Event(), threading.Event()

    def second(posted: Posted) -> None:
        if hook.answered:
            again.set()
            assert noted.wait(120)

    plan.when_posted = second
    stop = threading.Event()
    working = threading.Thread(target=lambda: connector.worker(replies=False).run(stop=stop))
    working.start()
    try:

        def is_on_its_way_again() -> bool:
            due = host.next_due() if hook.answered else None
            leaves = any((row["state"], row["attempts"]) == ("sending", 2) for row in host.batches())
            if due is not None and not leaves:
                still.advance_to(due)
            return again.is_set()

        wait_until(is_on_its_way_again)
        hook.let_go.set()
        # Nothing shows that it was passed over: parts would show that it was not.
        with suppress(AssertionError):
            wait_until(lambda: "split" in host.states(), seconds=1)
    finally:
        hook.let_go.set()
        noted.set()
        stop.set()
        working.join(120)
    report = host.settle(dispatch)
    assert (report.enqueued, report.double_send) == (4, 0)
    assert [batch["client_reference"][-4:] for batch in plan.standing()] == ["b0-0", "b0-0"]
    assert plan.account()["accepted_more"] == 0
    assert closes(report) and agrees(connector)
