"""Intent before act: what is written before a request leaves, and what is written together."""

import threading
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Clock, Host, Posted, agrees, closes, people, wait_until, warm_up

from connector.extension import hookimpl


@pytest.fixture
def still(host: Host) -> Clock:
    """A clock that only the test moves."""
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    return host.clock


def test_the_intent_is_durable_before_the_request_leaves(host: Host) -> None:
    """When the provider gets the request, the ledger shows who is being sent to, and until when."""
    plan = host.plan()
    connector = host.connector(plan)
    seen = []

    def look(posted: Posted) -> None:
        (batch,) = [row for row in host.batches() if row["key"] == posted.content["client_reference"]]
        (attempt,) = [row for row in host.attempts() if row["batch"] == batch["number"]]
        seen.append((batch["state"], batch["attempts"], attempt["number"], attempt["ended"]))
        assert attempt["sent_at"] < attempt["deadline"] == batch["deadline"]

    plan.when_posted = look
    dispatch = connector.send(CAMPAIGN, people(1500))
    assert seen == [("sending", 1, 1, None)] * 2
    assert plan.account()["accepted_once"] == 1500
    report = dispatch.report()
    assert (report.state, report.enqueued) == ("finished", 1500)
    assert closes(report) and agrees(connector)


class HeldUp:
    """Holds the worker up before it sends, the first time."""

    def __init__(self) -> None:
        self.hold: Any = None

    @hookimpl(hookwrapper=True)
    def connector_dispatch(self, provider: Any, batch: Any) -> Iterator[None]:
        hold, self.hold = self.hold, None
        if hold is not None:
            hold()
        yield


@pytest.mark.parametrize("watch", ["wall", "monotonic"])
def test_a_worker_that_was_held_past_its_deadline_does_not_send(host: Host, still: Clock, watch: str) -> None:
    """By the clock that other processes share, or by the one that doesn't jump."""
    plan = host.plan()
    held_up = HeldUp()
    seconds = 30 if watch == "wall" else 0.05
    connector = host.connector(plan, plugins=[held_up], integration={"request_timeout_seconds": seconds})
    held_up.hold = (lambda: still.advance(31)) if watch == "wall" else (lambda: threading.Event().wait(0.1))
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    connector.work()
    assert plan.posted == []
    report = dispatch.report()
    assert (report.waiting, report.in_doubt) == (3, 0)
    (attempt,) = host.attempts()
    assert attempt["ended"] == "not_sent" and "deadline" in attempt["cause"]


def test_totals_messages_and_events_agree_at_every_moment(host: Host) -> None:
    """Counted from outside while batches of all fates are written."""
    plan = host.plan(faults={"error_after": 0.3, "throttled": 0.2, "drop_after": 0.2, "callback_doubled": 0.2})
    connector = host.connector(plan, tracking={"doubt_window_seconds": 0, "resend_lead_seconds": 60})
    beside = host.connector(plan)
    beside.prepare()
    found: list[Any] = []
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            found.extend(differences for differences in beside.verify().values() if differences)
            counted += 1

    counting = threading.Thread(target=count)
    counting.start()
    try:
        rows = [{**row, "sender": f"Shop {n % 12}"} for n, row in enumerate(people(600))]
        dispatch = connector.send(CAMPAIGN, [*rows, *rows[:100], {"to": "none"}], drain=False)
        host.settle(dispatch)
        plan.faults()
        report = host.settle(dispatch, when=lambda report: report.is_final)
    finally:
        done.set()
        counting.join()
    assert (report.delivered, report.skipped.total) == (600, 101)
    assert plan.account()["accepted_more"] == 0
    assert closes(report) and agrees(connector)
    assert found == []
    assert counted > 5


class Fails:
    """Ends a worker's thread in the midst of a send, as a dying process would."""

    def __init__(self, *, after: bool) -> None:
        self._after = after
        self.armed = True

    @hookimpl(wrapper=True)
    def connector_dispatch(self, provider: Any, batch: Any) -> Generator[None, Any, Any]:
        fails, self.armed = self.armed, False
        if fails and not self._after:
            raise SystemExit
        outcome = yield
        if fails:
            raise SystemExit
        return outcome


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_what_a_worker_left_as_being_sent_is_looked_up(host: Host, still: Clock, after: bool) -> None:
    plan = host.plan()
    fails = Fails(after=after)
    fails.armed = False
    connector = host.connector(plan, plugins=[fails], tracking={"doubt_window_seconds": 0, "resend_lead_seconds": 60})
    warm_up(host, connector)
    fails.armed = True
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    connector.work()
    assert dispatch.report().sending == 3
    connector.work()
    report = dispatch.report()
    assert report.sending == 0
    assert report.enqueued == (3 if after else 0)
    assert report.in_doubt == (0 if after else 3)
    report = host.settle(dispatch)
    assert (report.enqueued, plan.account()["accepted_more"]) == (3, 0)
    assert closes(report) and agrees(connector)


def test_what_is_overdue_is_looked_up_by_the_worker_that_goes_on(host: Host) -> None:
    """A thread died with its batch; the process lives, and nobody else takes its place."""
    plan = host.plan()
    fails = Fails(after=True)
    fails.armed = False
    connector = host.connector(plan, plugins=[fails])
    warm_up(host, connector)
    fails.armed = True
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    stop = threading.Event()
    working = threading.Thread(target=lambda: connector.worker().run(stop=stop))
    working.start()
    try:
        wait_until(lambda: "sending" in host.states() and not fails.armed)
        host.clock.advance(61)
        wait_until(lambda: dispatch.report().enqueued == 3)
    finally:
        stop.set()
        working.join()
    assert plan.account()["accepted_more"] == 0
    assert host.attempts()[-1]["ended"] == "accepted"
