"""Who drains a ledger: one process at a time; the others follow, and take over when it ends."""

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from receiving_kit import ADA, Api, Clock, api, clock, connect, id_of, send_to
from sending_kit import CAMPAIGN, Host, Plan, agrees, batches_of_one, closes, people, refusal, wait_until

from connector import Connector
from connector.connector import Dispatch
from connector.engine.caution import UNTRIED_AT_ONCE
from connector.engine.worker import THREADS
from connector.model.batch import Batch
from connector.model.errors import WorkerBusy
from connector.model.outcome import Accepted, Found, FoundState, InDoubt, Outcome, Refused, Scope

__all__ = ["api", "clock"]

SENDER = """
import json, sys
from connector import Connector

settings, campaign, rows = json.load(sys.stdin)
with Connector(settings, secrets=lambda reference: "simulated-token") as connector:
    connector.send(campaign, rows, key="shared")
"""


@contextmanager
def sender(host: Host, plan: Plan, rows: list[dict[str, str]], **tables: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that sends, and drains until it is done."""
    process = subprocess.Popen([sys.executable, "-c", SENDER], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps([host.settings({"sms": plan}, **tables), CAMPAIGN, rows]).encode())
    process.stdin.close()
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def working(connector: Connector) -> Iterator[None]:
    """A worker in a thread of this process, as `serve` has one."""
    stop = threading.Event()
    thread = threading.Thread(target=lambda: connector.worker().run(stop=stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def following(dispatch: Dispatch) -> Iterator[None]:
    """Another caller that waits until the dispatch is drained, whoever does it."""
    thread = threading.Thread(target=dispatch.drain)
    thread.start()
    yield
    thread.join(120)
    assert not thread.is_alive()


def test_only_one_drains_a_ledger(host: Host) -> None:
    plan = host.plan()
    one, other = host.connector(plan), host.connector(plan)
    assert not one.worker_is_running()
    with working(one):
        wait_until(other.worker_is_running)
        with pytest.raises(WorkerBusy):
            other.work()
    assert not one.worker_is_running()
    other.work()


def test_whoever_comes_second_plans_and_follows(host: Host) -> None:
    plan = host.plan()
    one, other = host.connector(plan), host.connector(plan)
    with working(one):
        wait_until(other.worker_is_running)
        report = other.send(CAMPAIGN, batches_of_one(30)).report()
    assert (report.enqueued, report.waiting) == (30, 0)
    assert plan.account()["accepted_once"] == 30
    assert closes(report) and agrees(one)


def test_whoever_follows_takes_over_when_the_first_is_killed(host: Host) -> None:
    """What the first was sending is looked up, and everybody is accepted once."""
    plan = host.plan()
    tracking = {"doubt_window_seconds": 0, "resend_lead_seconds": 1}
    connector = host.connector(plan, tracking=tracking)
    rows = batches_of_one(30)
    plan.hold("after")
    with sender(host, plan, rows, tracking=tracking) as process:
        plan.held(UNTRIED_AT_ONCE)
        assert connector.worker_is_running()
        dispatch = connector.plan(CAMPAIGN, rows, key="shared")
        with following(dispatch):
            process.kill()
            process.wait()
            plan.release()
    report = dispatch.report()
    assert (report.enqueued, report.in_doubt, report.waiting) == (30, 0, 0)
    assert (plan.account()["accepted_once"], plan.account()["accepted_more"]) == (30, 0)
    assert closes(report) and agrees(connector)


def test_a_dispatch_is_paused_from_another_process(host: Host) -> None:
    """What is under way ends; nothing more is sent until it is resumed."""
    plan = host.plan()
    connector = host.connector(plan)
    plan.hold("after")
    with sender(host, plan, batches_of_one(30)) as process:
        plan.held(UNTRIED_AT_ONCE)
        dispatch = connector.dispatch("shared")
        dispatch.pause()
        plan.release()
        assert process.wait(120) == 0
    report = dispatch.report()
    assert (report.state, report.cause) == ("paused", "Paused by a person.")
    assert report.enqueued + report.waiting == 30
    assert report.enqueued == UNTRIED_AT_ONCE
    dispatch.resume()
    dispatch.drain()
    assert plan.account()["accepted_once"] == 30
    assert closes(dispatch.report()) and agrees(connector)


def test_a_worker_that_is_stopped_ends_what_is_under_way(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, batches_of_one(30), drain=False)
    plan.hold("after")
    stop = threading.Event()
    thread = threading.Thread(target=lambda: connector.worker().run(stop=stop))
    thread.start()
    plan.held(UNTRIED_AT_ONCE)
    stop.set()
    plan.release()
    thread.join(120)
    report = dispatch.report()
    assert (report.sending, report.in_doubt) == (0, 0)
    assert UNTRIED_AT_ONCE <= report.enqueued < 30
    assert closes(report) and agrees(connector)


def test_draining_can_be_stopped(host: Host) -> None:
    connector = host.connector(host.plan(faults={"throttled": 1}))
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    stop = threading.Event()
    thread = threading.Thread(target=lambda: dispatch.drain(stop=stop))
    thread.start()
    wait_until(lambda: any(row["ended"] for row in host.attempts()))
    stop.set()
    thread.join(120)
    assert not thread.is_alive()
    assert dispatch.report().waiting == 3


def test_requests_are_under_way_together_once_one_was_accepted(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, batches_of_one(30), drain=False)
    connector.set_rate(dispatch.account, 1)
    connector.worker().run(until=lambda: dispatch.report().enqueued > 0)
    connector.set_rate(dispatch.account, None)
    before = len(plan.posted)
    plan.hold("before")
    with following(dispatch):
        plan.held(THREADS)
        assert len(plan.posted) == before + THREADS
        plan.release()
    assert dispatch.report().enqueued == 30


BAD_SENDER = refusal(403, "unknown_campaign", "No such campaign.")


def requests_until_it_stopped(plan: Plan, dispatch: Dispatch, begin: Callable[[], object]) -> int:
    """How many requests leave while none of them is answered, and then all are refused for the sender."""
    plan.posted.clear()
    plan.answers.extend([BAD_SENDER] * 30)
    answered = threading.Event()
    plan.when_posted = lambda posted: answered.wait(120)
    begin()
    wait_until(lambda: len(plan.posted) >= UNTRIED_AT_ONCE)
    answered.set()
    wait_until(lambda: (report := dispatch.report()).state == "stopped" and not report.sending)
    plan.answers.clear()
    return len(plan.posted)


def test_what_all_of_it_is_refused_for_is_heard_from_few_requests(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, batches_of_one(30), drain=False)
    stop = threading.Event()
    thread = threading.Thread(target=connector.run, args=(stop,))
    try:
        assert requests_until_it_stopped(plan, dispatch, thread.start) == UNTRIED_AT_ONCE
        # Once more than that may be on their way where something was accepted, and again few after a refusal.
        plan.answers.extend([None] * 6 + [BAD_SENDER] * 24)
        dispatch.resume()
        wait_until(lambda: (report := dispatch.report()).state == "stopped" and not report.sending)
        plan.answers.clear()
        assert requests_until_it_stopped(plan, dispatch, dispatch.resume) == UNTRIED_AT_ONCE
        dispatch.resume()
        wait_until(lambda: dispatch.report().enqueued == 30)
    finally:
        stop.set()
        thread.join()


def test_an_acceptance_that_comes_after_a_refusal_shows_nothing_of_what_leaves_then(host: Host) -> None:
    """Its request left before: what is refused now is still heard of from few."""
    plan = host.plan()
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, batches_of_one(30), drain=False)
    others_are_refused = threading.Event()
    plan.when_posted = lambda posted: others_are_refused.wait(120) if posted is plan.posted[0] else None
    plan.answers.extend([BAD_SENDER] * (UNTRIED_AT_ONCE - 1))
    with working(connector):
        wait_until(lambda: (report := dispatch.report()).state == "stopped" and report.sending == 1)
        others_are_refused.set()
        wait_until(lambda: dispatch.report().enqueued == 1)
        assert requests_until_it_stopped(plan, dispatch, dispatch.resume) == UNTRIED_AT_ONCE


def test_a_refused_recipient_says_nothing_of_the_others(tmp_path: Path, api: Api, clock: Clock) -> None:
    """As many requests are under way as before."""
    connector = connect(tmp_path, api, clock)
    together = threading.Barrier(THREADS)
    numbers = itertools.count()

    def send(batch: Batch) -> Outcome:
        number = next(numbers)
        if number == UNTRIED_AT_ONCE:
            return Refused(Scope.recipient, 400, recipients=(0,))
        if number > UNTRIED_AT_ONCE:
            together.wait(60)
        return Accepted(id_of(batch))

    api.send = send
    with connector:
        dispatch = connector.send(CAMPAIGN, batches_of_one(UNTRIED_AT_ONCE + 1 + THREADS), drain=False)
        connector.work()
        report = dispatch.report()
    assert (report.enqueued, report.enqueue_failed) == (UNTRIED_AT_ONCE + THREADS, 1)


def test_many_changes_of_counts_are_folded(host: Host) -> None:
    now = datetime.now(UTC)
    connector = host.connector(host.plan(), clock=lambda: now)
    dispatch = connector.send(CAMPAIGN, batches_of_one(180), drain=False)
    connector.work()
    before = dispatch.report()
    assert before.enqueued == 180
    assert host.rows("SELECT count(*) AS n FROM totals")[0]["n"] > 500
    connector.work()
    assert host.rows("SELECT count(*) AS n FROM totals")[0]["n"] < 50
    assert dispatch.report() == before
    assert agrees(connector)


def test_look_ups_that_take_long_leave_threads_for_what_is_to_be_sent(tmp_path: Path, api: Api, clock: Clock) -> None:
    """More batches are in doubt than there are threads, and the provider doesn't say what became of them."""
    connector = connect(tmp_path, api, clock)
    answers = threading.Event()
    answers.set()

    def find(batch: Batch) -> Found:
        answers.wait(120)
        return Found(FoundState.cannot_tell, cause="HTTP 503")

    api.send, api.find = lambda batch: InDoubt("The answer was lost."), find
    rows = batches_of_one(2 * THREADS)
    lost = connector.send(CAMPAIGN, rows, drain=False)
    while lost.report().waiting:
        connector.work()
        clock.go(minutes=10)
    assert lost.report().in_doubt == len(rows)
    answers.clear()
    api.send = lambda batch: Accepted(id_of(batch))
    other = connector.send(CAMPAIGN, people(1, after=len(rows)), drain=False)
    with connector, working(connector):
        try:
            wait_until(lambda: other.report().enqueued == 1, seconds=60)
        finally:
            answers.set()


def test_a_plugin_that_exits_is_told_and_asked_again_later(
    tmp_path: Path, api: Api, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """As a library of its own may do (`sys.exit`): asked at once again, it would be asked without end."""
    asked = []

    def exits(batch: Batch) -> NoReturn:
        asked.append(batch.key)
        raise SystemExit(1)

    api.poll = exits
    with connect(tmp_path, api, clock) as connector:
        dispatch = send_to(connector, ADA)
        clock.go(hours=1)
        connector.work(max_seconds=30)
        assert len(asked) == 1
        assert "A step of the worker failed and is taken up again: SystemExit" in caplog.text
        clock.go(seconds=10)
        connector.work(max_seconds=30)
        assert len(asked) == 2
        assert dispatch.report().open == 1


def test_a_plugin_that_exits_looks_up_nothing(tmp_path: Path, api: Api, clock: Clock) -> None:
    def exits(batch: Batch) -> NoReturn:
        raise SystemExit(1)

    api.send, api.find = lambda batch: InDoubt("The answer was lost."), exits
    with connect(tmp_path, api, clock) as connector:
        dispatch = send_to(connector, ADA)
        for _ in range(3):
            clock.go(minutes=10)
            connector.work(max_seconds=30)
        (batch,) = dispatch.in_doubt()
        assert batch.last_look_up == "can't tell: the plugin failed: SystemExit"
        # Nobody waits for that to change.
        with following(dispatch):
            pass
