"""Processes and threads that are frozen in the midst of a send, and go on when their time has passed."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from filelock import FileLock
from sending_kit import CAMPAIGN, Host, Plan, agrees, closes, people, wait_until, warm_up
from sqlalchemy import func, select

from connector import Connector
from connector.connector import Dispatch
from connector.ledger.tables import attempts
from connector.model.errors import WorkerBusy
from connector.simulator import find
from connector.testing.clock import Clock, moving
from connector.testing.course import LOG, Fate
from connector.testing.moments import ABOUT_TO_WRITE, CONNECTED, watched
from connector.testing.sweep import at_the_end, end_of, staged, start, thaw

BEFORE_THE_CHECK = f"POST: {CONNECTED}"
AFTER_THE_CHECK = f"POST: {ABOUT_TO_WRITE}"


def test_a_process_that_was_frozen_past_its_deadline_does_not_send_late() -> None:
    """SIGSTOP just before the deadline is checked and the request written, SIGCONT when it is overdue."""
    with staged(find("sinch-sms")) as (stage, course):
        process = start(course, Fate(BEFORE_THE_CHECK, 3, signal.SIGSTOP))
        assert thaw(process, course)
        assert end_of(process) == 0
        assert at_the_end(stage, course) == []
        with course.connector() as connector, connector.ledger.read() as connection:
            intended = connection.scalar(select(func.count()).select_from(attempts))
        assert intended is not None and len(stage.posts) < intended
        assert "held up past the batch's deadline" in (course.folder / LOG).read_text()


def test_while_the_worker_is_frozen_others_plan_cancel_and_read_and_its_death_frees_its_role() -> None:
    with staged(find("sinch-sms")) as (stage, course):
        process = start(course, None)
        with course.connector() as connector:
            wait_until(lambda: connector.worker_is_running() and bool(stage.posts))
            freeze(process, connector)
            with pytest.raises(WorkerBusy):
                connector.work()
            beside = connector.plan({**course.campaign, "name": "beside"}, course.rows)
            assert beside.report().waiting == len(course.rows)
            assert beside.cancel()
            assert agrees(connector)
        process.kill()
        assert end_of(process) == -signal.SIGKILL
        assert end_of(start(course, None)) == 0
        assert at_the_end(stage, course) == []


def freeze(process: BaseProcess, connector: Connector) -> None:
    """Stop a process between its transactions: one that is stopped within one keeps everybody from writing."""
    path = connector.ledger.path
    assert process.pid is not None
    # Both what transactions queue at, and what they hold: it may be on its way from the one to the other.
    with FileLock(f"{path}.turn.lock"), closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as holding:
        holding.execute("BEGIN IMMEDIATE")
        os.kill(process.pid, signal.SIGSTOP)
        told = Path(f"/proc/{process.pid}/stat")
        wait_until(lambda: told.read_text().rpartition(")")[2].split()[0] == "T")


class Holds:
    """Holds the first thread of a worker that comes to a moment until it is let go."""

    def __init__(self, moment: str) -> None:
        self._moment = moment
        self.armed = False
        self.held = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, moment: str) -> None:
        ours = threading.current_thread().name.startswith("connector-worker")
        if self.armed and ours and moment == self._moment:
            self.armed = False
            self.held.set()
            assert self.let_go.wait(60)


LEAD = 600
TRACKING = {"doubt_window_seconds": 60, "resend_lead_seconds": LEAD}


@pytest.fixture
def clock(host: Host) -> Iterator[Clock]:
    with moving() as clock:
        host.clock = clock
        yield clock


@contextmanager
def frozen(host: Host, moment: str) -> Iterator[tuple[Connector, Plan, Dispatch, Holds]]:
    """A worker that has sent a batch again, while the thread that sent it first is held."""
    plan, holds = host.plan(), Holds(moment)
    connector = host.connector(plan, tracking=TRACKING)
    warm_up(host, connector)
    dispatch = connector.plan(CAMPAIGN, people(3))
    stop = threading.Event()
    working = threading.Thread(target=lambda: connector.worker().run(stop=stop))
    with watched(holds):
        holds.armed = True
        working.start()
        try:
            assert holds.held.wait(120)

            def sent_again() -> bool:
                host.clock.advance(1)
                return len(plan.posted) == 2

            wait_until(sent_again)
            wait_until(lambda: dispatch.report().enqueued == 3)
            yield connector, plan, dispatch, holds
        finally:
            holds.let_go.set()
            stop.set()
            working.join()


def test_a_thread_that_was_frozen_past_its_deadline_does_not_send_what_another_has_sent(
    host: Host, clock: Clock
) -> None:
    with frozen(host, BEFORE_THE_CHECK) as (connector, plan, dispatch, holds):
        holds.let_go.set()
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert (len(plan.posted), report.delivered, report.double_send) == (2, 3, 0)
    assert plan.account()["accepted_more"] == 0
    assert closes(report) and agrees(connector)


def test_one_that_was_frozen_after_the_check_has_the_younger_copy_cancelled(host: Host, clock: Clock) -> None:
    """Nothing can check and write at the same time: it writes when it goes on."""
    with frozen(host, AFTER_THE_CHECK) as (connector, plan, dispatch, holds):
        holds.let_go.set()
        wait_until(lambda: [batch["canceled"] for batch in plan.batches()] == [False, True, False])
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert (report.delivered, report.double_send) == (3, 0)
    assert plan.account()["accepted_more"] == 0
    assert closes(report) and agrees(connector)


def test_one_that_goes_on_after_the_copy_was_sent_is_told_of(host: Host, clock: Clock) -> None:
    with frozen(host, AFTER_THE_CHECK) as (connector, plan, dispatch, holds):
        clock.advance(LEAD)
        wait_until(lambda: dispatch.report().delivered == 3)
        holds.let_go.set()
        wait_until(lambda: len(plan.batches()) == 3)

        def told() -> bool:
            clock.advance(60)
            return dispatch.report().double_send == 3

        wait_until(told)
    assert plan.account()["accepted_more"] == 3
    report = dispatch.report()
    assert (report.enqueued, report.delivered) == (3, 3)
    assert closes(report)
    assert "double_send" in "; ".join(connector.verify()[dispatch.id])
