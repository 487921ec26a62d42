"""A batch that was lost on its way and is refused when it is sent again: nobody is stuck, and nothing is silent."""

import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Host, Plan, Posted, agrees, callback, closes, people, refusal, wait_until, warm_up

from connector import Connector
from connector.extension import hookimpl
from connector.http import Answer

TRACKING = {"doubt_window_seconds": 0, "resend_lead_seconds": 60}


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan(callback_secret=None)


@pytest.fixture
def connector(host: Host, plan: Plan) -> Connector:
    made = host.connector(plan, tracking=TRACKING)
    warm_up(host, made)
    return made


def refuses(number: str) -> Callable[[Posted], Answer | None]:
    return lambda posted: refusal(400) if number in posted.content["to"] else None


def lost_and_then_refused(host: Host, connector: Connector, plan: Plan, fault: str) -> tuple[Any, list[str]]:
    """A dispatch of five whose batch is in doubt, and then refused for the fourth without a word for whom."""
    plan.faults(**{fault: "1x1"})
    rows = people(5)
    numbers = [row["to"].removeprefix("+") for row in rows]
    dispatch = connector.send(CAMPAIGN, rows, drain=False)
    connector.work()
    plan.hidden.update(batch["id"] for batch in plan.batches()[1:])
    plan.answers.extend([refuses(numbers[3])] * 10)
    return dispatch, numbers


def test_one_bad_number_in_a_batch_that_was_lost_fails_alone(host: Host, plan: Plan, connector: Connector) -> None:
    dispatch, _ = lost_and_then_refused(host, connector, plan, "drop_before")
    report = host.settle(dispatch)
    assert (report.state, report.enqueued, report.enqueue_failed) == ("finished", 4, 1)
    assert closes(report) and agrees(connector)
    account = plan.account()
    assert (account["numbers"], account["accepted_more"]) == (5, 0)


def test_a_copy_of_a_split_batch_that_surfaces_later_is_told(host: Host, plan: Plan, connector: Connector) -> None:
    """The provider hid the first copy for longer than the doubt window, and then refused the same body."""
    dispatch, numbers = lost_and_then_refused(host, connector, plan, "drop_after")
    host.settle(dispatch)
    (first,) = plan.batches()[1:2]
    for _ in range(2):
        callback(connector, first, numbers[0], "Delivered", 0)
    report = dispatch.report()
    assert report.double_send == 1
    assert closes(report)
    told = "; ".join(connector.verify()[dispatch.id])
    assert "double_send: 1" in told and "accepted after all" in told


class Comes:
    """Keeps the answer to the next request back until it is let go."""

    def __init__(self) -> None:
        self.armed = False
        self.let_go = threading.Event()

    @hookimpl(wrapper=True)
    def connector_dispatch(self, provider: Any, batch: Any) -> Generator[None, Any, Any]:
        armed, self.armed = self.armed, False
        outcome = yield
        if armed:
            assert self.let_go.wait(60)
        return outcome


def test_a_late_answer_to_a_batch_that_was_split_is_told(host: Host, plan: Plan) -> None:
    """A worker that was given up on comes back with the proof that its copy was accepted."""
    comes = Comes()
    connector = host.connector(plan, plugins=[comes], tracking=TRACKING)
    warm_up(host, connector)
    comes.armed = True
    rows = people(5)
    dispatch = connector.send(CAMPAIGN, rows, drain=False)
    stop = threading.Event()
    working = threading.Thread(target=lambda: connector.worker().run(stop=stop))
    working.start()
    try:
        wait_until(lambda: len(plan.batches()) == 2)
        plan.hidden.add(plan.batches()[1]["id"])
        plan.answers.extend([refuses(rows[3]["to"].removeprefix("+"))] * 10)

        def settled() -> bool:
            host.clock.advance(5)
            return dispatch.report().is_settled

        wait_until(settled)
        assert agrees(connector)
    finally:
        comes.let_go.set()
        stop.set()
        working.join()
    report = dispatch.report()
    assert (report.enqueued, report.enqueue_failed) == (4, 1)
    assert closes(report)
    (wrong,) = connector.verify()[dispatch.id]
    assert "accepted after all" in wrong
