"""Clocks that jump by minutes, forward and back, while something is sent, in doubt, sent again or scheduled."""

from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Host, Plan, agrees, batches_of_one, closes, people, wait_until, warm_up

from connector import Connector
from connector.connector import Dispatch
from connector.extension import hookimpl
from connector.report import Report
from connector.testing.clock import Clock, moving

JUMP_SECONDS = 1200.0
"""More than the doubt window, and than a copy that is sent again waits for its time."""


LEAD_SECONDS = 301.0
"""After this a copy that was sent again has left."""


class Jumpy:
    """The clock of our machine, which may jump; time passes for the provider, too."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._off = timedelta()

    def __call__(self) -> datetime:
        return self._clock() + self._off

    def advance(self, seconds: float) -> None:
        self._clock.advance(seconds)

    def advance_to(self, moment: datetime) -> None:
        self.advance(max(0.0, (moment - self()).total_seconds() + 0.001))

    def jump(self, seconds: float) -> None:
        """Our clock alone is set."""
        self._off += timedelta(seconds=seconds)


both_ways = pytest.mark.parametrize("seconds", [JUMP_SECONDS, -JUMP_SECONDS], ids=["forward", "back"])


@pytest.fixture
def clock(host: Host) -> Iterator[Jumpy]:
    with moving() as clock:
        jumpy = Jumpy(clock)
        host.clock = jumpy
        yield jumpy


@pytest.fixture
def plan(host: Host, clock: Jumpy) -> Plan:
    return host.plan()


@pytest.fixture
def connector(host: Host, plan: Plan) -> Connector:
    made = host.connector(plan)
    warm_up(host, made)
    return made


def once(clock: Jumpy, seconds: float) -> Callable[..., None]:
    """Lets the clock jump when it is called for the first time."""
    left = [seconds]

    def jump(*ignored: object) -> None:
        if left:
            clock.jump(left.pop())

    return jump


def to_the_end(host: Host, plan: Plan, dispatch: Dispatch) -> Report:
    """Work until every message has its last report."""

    def ended(report: Report) -> bool:
        plan.idle()
        return report.is_final

    return host.settle(dispatch, when=ended)


def nobody_twice(connector: Connector, plan: Plan, dispatch: Dispatch, count: int) -> bool:
    """Whether all of a dispatch were accepted once, beside the one who was first of all."""
    report = dispatch.report()
    assert (report.delivered, report.double_send) == (count, 0)
    account = plan.account()
    assert (account["numbers"], account["accepted_more"]) == (count + 1, 0)
    found = connector.verify(with_provider=True)
    assert not any(found.values()), found
    return closes(report) and agrees(connector)


class Before:
    """Calls something when a batch was claimed, and is not written yet."""

    def __init__(self) -> None:
        self.then: Callable[[], None] = lambda: None

    @hookimpl(wrapper=True)
    def connector_dispatch(self, provider: Any, batch: Any) -> Generator[None, Any, Any]:
        self.then()
        return (yield)


@both_ways
def test_between_the_claim_and_the_request(host: Host, clock: Jumpy, plan: Plan, seconds: float) -> None:
    """Forward it looks as if its deadline had passed: it is not written, and sent later."""
    before = Before()
    connector = host.connector(plan, plugins=[before])
    warm_up(host, connector)
    before.then = once(clock, seconds)
    dispatch = connector.plan(CAMPAIGN, batches_of_one(3))
    to_the_end(host, plan, dispatch)
    assert (len(plan.posted) < len(host.attempts())) == (seconds > 0)
    assert nobody_twice(connector, plan, dispatch, 3)


@both_ways
def test_while_the_answer_is_awaited(
    host: Host, clock: Jumpy, plan: Plan, connector: Connector, seconds: float
) -> None:
    plan.when_posted = once(clock, seconds)
    dispatch = connector.plan(CAMPAIGN, batches_of_one(3))
    to_the_end(host, plan, dispatch)
    assert nobody_twice(connector, plan, dispatch, 3)


@both_ways
@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_while_a_batch_is_in_doubt(
    host: Host, clock: Jumpy, plan: Plan, connector: Connector, seconds: float, fault: str
) -> None:
    """Forward the doubt window is over at once: what the list shows then, three times, decides."""
    plan.faults(**{fault: "1x1"})
    dispatch = connector.plan(CAMPAIGN, people(3))
    connector.work()
    assert dispatch.report().in_doubt == 3
    clock.jump(seconds)
    to_the_end(host, plan, dispatch)
    assert nobody_twice(connector, plan, dispatch, 3)


def sent_again(host: Host, plan: Plan, connector: Connector) -> Dispatch:
    """A dispatch whose first copy shows in the list after another one was sent, to wait for its time."""
    plan.faults(drop_after="1x1")
    dispatch = connector.plan(CAMPAIGN, people(3))
    connector.work()
    plan.hidden.update(batch["id"] for batch in plan.batches()[1:])
    host.settle(dispatch, when=lambda report: report.enqueued == 3)
    plan.hidden.clear()
    return dispatch


def test_forward_while_a_copy_waits_for_its_time(host: Host, clock: Jumpy, plan: Plan, connector: Connector) -> None:
    """The last look before its time comes at once, and the copy is cancelled."""
    dispatch = sent_again(host, plan, connector)
    clock.jump(JUMP_SECONDS)
    to_the_end(host, plan, dispatch)
    assert [batch["canceled"] for batch in plan.batches()] == [False, False, True]
    assert nobody_twice(connector, plan, dispatch, 3)


def test_back_while_a_copy_waits_for_its_time(host: Host, clock: Jumpy, plan: Plan, connector: Connector) -> None:
    """The last look comes too late: the copy has left, and that is told."""
    dispatch = sent_again(host, plan, connector)
    clock.jump(-JUMP_SECONDS)
    clock.advance(LEAD_SECONDS)
    wait_until(lambda: plan.batches()[2]["finished"] == 3)

    def told(report: Report) -> bool:
        plan.idle()
        return report.double_send == 3

    report = host.settle(dispatch, when=told)
    assert (report.enqueued, report.delivered) == (3, 3)
    assert closes(report)
    assert "double_send" in "; ".join(connector.verify()[dispatch.id])
    assert plan.account()["accepted_more"] == 3


@both_ways
@pytest.mark.parametrize("given", [False, True], ids=["held by us", "given to the provider"])
def test_while_a_dispatch_is_scheduled(
    host: Host, clock: Jumpy, plan: Plan, connector: Connector, seconds: float, given: bool
) -> None:
    """It goes out at its time by our clock, while we hold it; by the provider's, when that has it."""
    ahead = timedelta(minutes=10) if given else timedelta(days=5)
    dispatch = connector.plan({**CAMPAIGN, "send_at": clock() + ahead}, people(3))
    connector.work()
    assert len(plan.batches()) == (2 if given else 1)
    clock.jump(seconds)
    to_the_end(host, plan, dispatch)
    assert nobody_twice(connector, plan, dispatch, 3)


def test_a_dispatch_whose_time_was_jumped_over_waits_for_a_person(
    host: Host, clock: Jumpy, plan: Plan, connector: Connector
) -> None:
    dispatch = connector.plan({**CAMPAIGN, "send_at": clock() + timedelta(days=5)}, people(3))
    clock.jump(timedelta(days=6).total_seconds())
    connector.work()
    assert (dispatch.report().state, len(plan.batches())) == ("paused", 1)
    # Set right again, it goes on by a person's word.
    clock.jump(-timedelta(days=6).total_seconds())
    dispatch.resume()
    to_the_end(host, plan, dispatch)
    assert nobody_twice(connector, plan, dispatch, 3)
