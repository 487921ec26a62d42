"""The worker of one machine: threads that do what is due, found by its due time in the ledger."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from connector.dispatch import doubt, pace, sending
from connector.dispatch.sending import Desk
from connector.ledger import totals
from connector.ledger.tables import Task, accounts, batches
from connector.ledger.tables import totals as totals_table
from connector.model.errors import ConnectorError, without_words
from connector.tracking import polling, track

logger = logging.getLogger("connector.engine")

ROLE = "worker"
"""One process at a time drains a ledger."""

THREADS = 8
MOST_READS = 4
"""Look-ups and polls at one time: sends come first."""
IDLE_SECONDS = 0.25
LOOK_SECONDS = 0.05
"""How often what is urgent is looked for while batches are sent."""
UPKEEP_SECONDS = 30.0
URGENT = (Task.overdue, Task.look_up, Task.recheck)


class Worker:
    """Drains a ledger with threads of its own, which end with `run`."""

    def __init__(self, desk: Desk, *, threads: int = THREADS) -> None:
        self._desk = desk
        self._threads = threads
        self._wake = threading.Event()
        self._guard = threading.Lock()
        self._busy: set[int | str] = set()
        self._sending = 0
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
            with ThreadPoolExecutor(self._threads, thread_name_prefix="connector-worker") as pool:
                while not (stop is not None and stop.is_set()) and (ends is None or time.monotonic() < ends):
                    self._wake.clear()
                    if self._start(pool):
                        continue
                    if not self._sending and until():
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
        if len(self._busy) >= self._threads:
            return False
        if time.monotonic() >= self._upkeep_at:
            self._upkeep_at = time.monotonic() + UPKEEP_SECONDS
            self._do(pool, "upkeep", self._upkeep)
            return True
        with self._guard:
            may_read = len(self._busy) - self._sending < min(MOST_READS, self._threads - 1)
        if may_read and time.monotonic() >= self._urgent_at:
            if self._start_read(pool, URGENT):
                return True
            self._urgent_at = time.monotonic() + LOOK_SECONDS
        claim = sending.claim(self._desk) if self._may_claim() else None
        self._claimed = claim is not None
        if claim is not None:
            with self._guard:
                self._sending += 1
            self._do(pool, claim.number, lambda: self._send(claim))
            return True
        # Reports can wait while there is something to send.
        return may_read and self._start_read(pool, (Task.poll,))

    def _may_claim(self) -> bool:
        """Whether a claim is worth a transaction that writes: after one that found a batch, it is."""
        if self._claimed:
            return True
        with self._desk.ledger.read() as connection:
            return sending.may_claim(connection, self._desk.clock())

    def _send(self, claim: sending.Claim) -> None:
        try:
            sending.send(self._desk, claim)
        finally:
            with self._guard:
                self._sending -= 1

    def _start_read(self, pool: ThreadPoolExecutor, tasks: Sequence[Task]) -> bool:
        now = self._desk.clock()
        with self._guard:
            accounts_busy = [name for name in self._busy if isinstance(name, str)]
            batches_busy = [number for number in self._busy if isinstance(number, int)]
        with self._desk.ledger.read() as connection:
            account = connection.scalar(
                select(accounts.c.name)
                .where(accounts.c.probe_at <= now, accounts.c.name.not_in(accounts_busy))
                .limit(1)
            )
            row = connection.execute(
                select(batches.c.number, batches.c.task)
                .where(
                    batches.c.task.in_(tasks),
                    batches.c.due_at <= now,
                    batches.c.number.not_in(batches_busy),
                )
                .order_by(batches.c.due_at)
                .limit(1)
            ).first()
        if account is not None:
            self._do(pool, account, lambda: self._probe(account))
            return True
        if row is None:
            return False
        number = int(row.number)
        steps: dict[Task, Callable[[], object]] = {
            Task.overdue: lambda: doubt.overdue(self._desk, number),
            Task.look_up: lambda: doubt.look_up(self._desk, number),
            Task.recheck: lambda: doubt.recheck(self._desk, number),
            Task.poll: lambda: self._poll(number),
        }
        self._do(pool, number, steps[Task(row.task)])
        return True

    def _do(self, pool: ThreadPoolExecutor, name: int | str, step: Callable[[], object]) -> None:
        with self._guard:
            self._busy.add(name)

        def work() -> None:
            try:
                step()
            except Exception as error:
                # The ledger still holds what is due: it is taken up again.
                told = error if isinstance(error, ConnectorError) else without_words(error)
                logger.error("A step of the worker failed and is taken up again: %s", told)
                threading.Event().wait(IDLE_SECONDS)
            finally:
                with self._guard:
                    self._busy.discard(name)
                self._wake.set()

        pool.submit(work)

    def _poll(self, number: int) -> None:
        with self._desk.ledger.read() as connection:
            row = track.batch_by_number(connection, number)
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
