"""The worker of one machine: threads that do what is due, found by its due time in the ledger."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import func, select, update

from connector.dispatch import cancelling, doubt, pace, sending
from connector.dispatch.sending import Desk
from connector.ledger import totals
from connector.ledger.tables import Task, accounts, batches
from connector.ledger.tables import totals as totals_table
from connector.model.errors import ConnectorError, LedgerError, without_words
from connector.tracking import polling, standing, track

logger = logging.getLogger("connector.engine")

ROLE = "worker"
"""One process at a time drains a ledger."""

THREADS = 8
MOST_POLLS = 4
"""Batches whose reports are asked for at one time."""
IDLE_SECONDS = 0.25
LOOK_SECONDS = 0.05
"""How often what is urgent is looked for while batches are sent."""
UPKEEP_SECONDS = 30.0
AFTER_FAILURE = timedelta(seconds=5)
URGENT = (Task.overdue, Task.look_up, Task.recheck, Task.cancel)
PROBE = "probe"
UPKEEP = "upkeep"


class Worker:
    """Drains a ledger with threads of its own, which end with `run`."""

    def __init__(self, desk: Desk, *, threads: int = THREADS) -> None:
        self._desk = desk
        self._threads = threads
        self._wake = threading.Event()
        self._guard = threading.Lock()
        self._busy: set[tuple[str, int | str]] = set()
        self._upkeep_at = 0.0
        self._urgent_at = 0.0
        self._claimed = False

    def run(
        self,
        *,
        until: Callable[[], bool] = lambda: False,
        stop: threading.Event | None = None,
        max_seconds: float | None = None,
    ) -> None:
        """Do what is due until `until` says so while nothing is being sent, or `stop` is set, or time is up.

        What is under way is finished first. Raises `WorkerBusy` when another process drains this ledger.
        """
        ends = None if max_seconds is None else time.monotonic() + max_seconds
        with self._desk.ledger.hold(ROLE):
            left = doubt.recover(self._desk)
            if left:
                logger.warning("%d batches were left by a process that ended; they are looked up.", left)
            with ThreadPoolExecutor(self._threads + 1, thread_name_prefix="connector-worker") as pool:
                while not (stop is not None and stop.is_set()) and (ends is None or time.monotonic() < ends):
                    self._wake.clear()
                    if self._start(pool):
                        continue
                    if not self._at(Task.send) and until():
                        break
                    self._wake.wait(IDLE_SECONDS if stop is None or not stop.is_set() else 0)

    def nothing_is_due(self) -> bool:
        """Whether there is nothing to do just now; what is paused, or has to wait, isn't due."""
        now = self._desk.clock()
        with self._desk.ledger.read() as connection:
            waiting = (
                select(batches.c.number)
                .where(batches.c.task.in_((*URGENT, Task.poll)), batches.c.due_at <= now)
                .limit(1)
            )
            probing = select(accounts.c.name).where(accounts.c.probe_at <= now).limit(1)
            due = connection.execute(waiting).first() or connection.execute(probing).first()
            return due is None and not sending.may_claim(connection, now)

    def _start(self, pool: ThreadPoolExecutor) -> bool:
        """Start one thing that is due; False when there is nothing, or no thread free."""
        if len(self._busy) > self._threads:
            return False
        if time.monotonic() >= self._upkeep_at:
            self._upkeep_at = time.monotonic() + UPKEEP_SECONDS
            self._do(pool, (UPKEEP, 0), self._upkeep)
            return True
        if time.monotonic() >= self._urgent_at:
            if self._start_urgent(pool):
                return True
            self._urgent_at = time.monotonic() + LOOK_SECONDS
        with self._guard:
            sends = sum(task is Task.send for task, _ in self._busy)
            polls = sum(task is Task.poll for task, _ in self._busy)
        # One thread more is kept for what is urgent.
        if sends + polls >= self._threads:
            return False
        claim = sending.claim(self._desk) if self._may_claim() else None
        self._claimed = claim is not None
        if claim is not None:
            self._do(pool, (Task.send, claim.number), lambda: sending.send(self._desk, claim))
            return True
        # Reports can wait while there is something to send.
        return polls < MOST_POLLS and self._start_poll(pool)

    def _may_claim(self) -> bool:
        """Whether a claim is worth a transaction that writes: after one that found a batch, it is."""
        if self._claimed:
            return True
        with self._desk.ledger.read() as connection:
            return sending.may_claim(connection, self._desk.clock())

    def _start_urgent(self, pool: ThreadPoolExecutor) -> bool:
        """Start a probe of an account, or what a batch in doubt is waiting for."""
        now = self._desk.clock()
        with self._desk.ledger.read() as connection:
            account = connection.scalar(
                select(accounts.c.name)
                .where(accounts.c.probe_at <= now, accounts.c.name.not_in(self._at(PROBE)))
                .limit(1)
            )
        if account is not None:
            self._do(pool, (PROBE, account), lambda: self._probe(account))
            return True
        steps = {
            Task.overdue: doubt.overdue,
            Task.look_up: doubt.look_up,
            Task.recheck: doubt.recheck,
            Task.cancel: cancelling.call_back,
        }
        for task, step in steps.items():
            number = self._next(task)
            if number is not None:
                self._do(pool, (task, number), partial(step, self._desk, number))
                return True
        return False

    def _start_poll(self, pool: ThreadPoolExecutor) -> bool:
        number = self._next(Task.poll)
        if number is None:
            return False
        self._do(pool, (Task.poll, number), lambda: self._poll(number))
        return True

    def _at(self, task: str) -> list[int | str]:
        """What this kind of work is under way for."""
        with self._guard:
            return [name for kind, name in self._busy if kind == task]

    def _next(self, task: Task) -> int | None:
        """The batch that this is due for, the longest first; those of an account that can't be reached wait."""
        query = (
            select(batches.c.number)
            .where(
                batches.c.task == task,
                batches.c.due_at <= self._desk.clock(),
                batches.c.number.not_in(self._at(task)),
            )
            .order_by(batches.c.due_at)
            .limit(1)
        )
        if task is Task.poll:
            unwell = select(accounts.c.name).where(accounts.c.probe_at.is_not(None))
            query = query.where(batches.c.account.not_in(unwell))
        with self._desk.ledger.read() as connection:
            number: int | None = connection.scalar(query)
        return number

    def _do(self, pool: ThreadPoolExecutor, what: tuple[str, int | str], step: Callable[[], object]) -> None:
        with self._guard:
            self._busy.add(what)

        def work() -> None:
            try:
                step()
            except Exception as error:
                told = error if isinstance(error, ConnectorError) else without_words(error)
                logger.error("A step of the worker failed and is taken up again: %s", told)
                self._put_off(*what)
            finally:
                with self._guard:
                    self._busy.discard(what)
                self._wake.set()

        pool.submit(work)

    def _put_off(self, task: str, name: int | str) -> None:
        """The ledger still holds what is due: it is taken up again, but not at once."""
        later = self._desk.clock() + AFTER_FAILURE
        try:
            with self._desk.ledger.write() as connection:
                if task == PROBE:
                    connection.execute(update(accounts).where(accounts.c.name == name).values(probe_at=later))
                else:
                    # A send that failed here is overdue at its own time.
                    still = (batches.c.number == name) & (batches.c.task == task)
                    connection.execute(update(batches).where(still).values(due_at=later))
        except LedgerError as error:
            logger.error("The ledger can't be written: %s", error)
            threading.Event().wait(IDLE_SECONDS)

    def _poll(self, number: int) -> None:
        with self._desk.ledger.read() as connection:
            row = standing.batch_by_number(connection, number)
            line = self._desk.line_of(connection, row.dispatch)
        if line is not None:
            doubt.identify(self._desk, line, number)
        with self._desk.ledger.read() as connection:
            batch = sending.load(connection, number, clock=self._desk.clock)
            called_back = line is not None and sending.callbacks_expected(connection, line, self._desk.clock())
        if line is None:
            with self._desk.ledger.write() as connection:
                later = self._desk.clock() + timedelta(hours=1)
                connection.execute(update(batches).where(batches.c.number == number).values(due_at=later))
            return
        if line.provider.supports("find"):
            doubt.prove_look_up(self._desk, line)
        polling.poll(
            self._desk.ledger,
            self._desk.plugins,
            line.provider,
            line.integration_id,
            batch,
            number,
            policy=self._desk.policy,
            clock=self._desk.clock,
            called_back=called_back,
        )

    def _probe(self, account: str) -> None:
        """Ask by a safe read whether an account that failed is well again."""
        line = next((line for line in self._desk.lines.values() if line.provider.account == account), None)
        reached = line is not None and all(result.reached for result in line.provider.check())
        with self._desk.ledger.write() as connection:
            if reached:
                pace.well(connection, account)
            else:
                pace.unwell(
                    connection,
                    account,
                    "The provider can't be reached.",
                    now=self._desk.clock(),
                    jitter=self._desk.jitter,
                )

    def _upkeep(self) -> None:
        now: datetime = self._desk.clock()
        for dispatch in cancelling.left_over(self._desk.ledger):
            cancelling.withdraw(self._desk.ledger, dispatch, now=now)
        with self._desk.ledger.write() as connection:
            track.sweep(connection, now=now, policy=self._desk.policy)
        with self._desk.ledger.read() as connection:
            grown = connection.scalars(
                select(totals_table.c.dispatch)
                .group_by(totals_table.c.dispatch)
                .having(func.count() > totals.FOLD_ABOVE_ROWS)
            ).all()
        for dispatch in grown:
            with self._desk.ledger.write() as connection:
                totals.fold(connection, dispatch)
