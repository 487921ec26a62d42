"""Single messages beside a batch whose answer was lost: no look-up shows them, so nothing is concluded from that."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from conversation_stage import Stage
from sending_kit import Clock, closes

from connector.connector import Dispatch
from connector.tracking.policy import Policy

ADA, BO, CY = "12015550101", "12015550102", "12015550103"


def staged(stage: Callable[..., Stage], clock: Clock) -> Stage:
    # Behind the provider's clock, so that what is to be sent now is sent now.
    clock.advance(-12 * 3600)
    return stage(clock=clock, tracking={"doubt_window_seconds": 0, "resend_lead_seconds": 0})


def come_alone(on: Stage, clock: Clock) -> None:
    """Three messages of an open dispatch are sent, each in a request of its own."""
    orders = on.connector.open({"name": "orders", "message": {"text": "Thanks"}, "integration": "conv"}, key="orders")
    before = orders.report().enqueued
    for place in range(before, before + 3):
        orders.add({"to": f"+{CY}"}, key=str(place))
        clock.advance(2)
        on.connector.work()
    assert orders.report().enqueued == before + 3


def lost(on: Stage) -> Dispatch:
    """A campaign whose one request got no answer, and was not taken."""
    on.answers("POST", "/messages", status=500)
    given = {"name": "lost", "message": {"text": "Hello"}, "integration": "conv"}
    dispatch = on.connector.send(given, [{"to": f"+{ADA}"}, {"to": f"+{BO}"}], drain=False)
    on.connector.work()
    on.service.refused.clear()
    assert dispatch.report().in_doubt == 2
    return dispatch


def found_out(on: Stage, clock: Clock, dispatch: Dispatch) -> bool:
    """Whether it is known within two hours what became of it."""
    for _ in range(60):
        if not dispatch.report().in_doubt and not dispatch.report().waiting:
            break
        clock.advance(121)
        on.connector.work()
    report = dispatch.report()
    assert closes(report)
    return (report.enqueued, report.in_doubt) == (2, 0)


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "sent by an earlier version"])
def test_messages_that_came_alone_after_it_are_no_witnesses(stage: Callable[..., Stage], noted: bool) -> None:
    clock = Clock()
    on = staged(stage, clock)
    on.send(CY, text="First")
    while on.connector.accounts()[0].look_up_proven_at is None:
        clock.advance(5)
        on.connector.work()
    dispatch = lost(on)
    come_alone(on, clock)
    if not noted:
        with closing(sqlite3.connect(on.connector.ledger.path)) as ledger:
            ledger.execute("UPDATE batches SET unlisted = NULL")
            ledger.commit()
    assert found_out(on, clock, dispatch)


def test_messages_that_came_alone_first_do_not_keep_look_ups_from_being_proven(stage: Callable[..., Stage]) -> None:
    clock = Clock()
    on = staged(stage, clock)
    come_alone(on, clock)
    dispatch = lost(on)
    on.send(CY, text="Later")
    assert found_out(on, clock, dispatch)


def test_what_only_single_requests_carried_is_not_looked_up_in_vain(stage: Callable[..., Stage]) -> None:
    clock = Clock()
    on = staged(stage, clock)
    on.own("hold", {"at": "callbacks"})
    on.send(ADA, BO, CY, text="Hello", correlation_id="spring")
    clock.advance(Policy().first_poll.total_seconds() + 60)
    before = len(on.service.requests)
    worker = on.connector.worker(replies=False)
    worker.run(until=worker.nothing_is_due, max_seconds=120)
    asked = [path for method, path in on.service.requests[before:] if method == "GET" and "/messages" in path]
    assert asked == []
