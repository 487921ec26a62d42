"""The worker of one machine: threads that do what is due, found by its due time in the ledger."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Connection, select, update

from connector.dispatch import cancelling, doubt, due, pace, sending
from connector.dispatch.budget import Budget
from connector.dispatch.sending import Desk, Line
from connector.engine import polls
from connector.engine.caution import Caution
from connector.engine.upkeep import UPKEEP_SECONDS, upkeep
from connector.ledger.tables import Task, accounts, batches
from connector.model.errors import ConnectorError, LedgerError, without_words
from connector.tracking import channels, inbound
from connector.tracking.asking import Turns

logger = logging.getLogger("connector.engine")

ROLE = "worker"
"""One process at a time drains a ledger."""

THREADS = 8
IDLE_SECONDS = 0.25
LOOK_SECONDS = 0.05
"""How often what is urgent is looked for while batches are sent."""
MOST_LOOK_UPS = 4
"""So many of a kind are under way at once: where an account answers slowly, threads are left for what is to be sent."""
AFTER_FAILURE = timedelta(seconds=5)
URGENT = (Task.overdue, Task.look_up, Task.recheck, Task.cancel)
LOOKING = (Task.look_up, Task.recheck)
PROBE = "probe"
UPKEEP = "upkeep"
REPLIES = "replies"
CHANNELS = "channels"


class Worker:
    """Drains a ledger with threads of its own, which end with `run`.

    `replies`: whether it asks for what people write, too.
    """

    def __init__(self, desk: Desk, *, replies: bool = True, threads: int = THREADS) -> None:
        self._desk = desk
        self._threads = threads
        self._leaving = threading.Event()
        self._turns = {line.provider.account: Turns(self._leaving, desk.monotonic) for line in desk.lines.values()}
        self._asked_for_replies = polls.lines_of_accounts(desk) if replies else {}
        self._wake = threading.Event()
        self._guard = threading.Lock()
        self._busy: set[tuple[str, int | str]] = set()
        self._caution = Caution(desk.ledger)
        self._budget = Budget()
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
        """Do what is due until `until` says so, or `stop` is set, or time is up.

        What is under way is finished first, but for polls: those are broken off, and taken up another time.
        Raises `WorkerBusy` when another process drains this ledger.
        """
        ends = None if max_seconds is None else time.monotonic() + max_seconds
        asked_at = time.monotonic()
        self._leaving.clear()
        with self._desk.ledger.hold(ROLE):
            # Another process may have sent since.
            self._budget = Budget()
            left = doubt.recover(self._desk)
            if left:
                logger.warning("%d batches were left by a process that ended; they are looked up.", left)
            with ThreadPoolExecutor(self._threads + 1, thread_name_prefix="connector-worker") as pool:
                try:
                    while not (stop is not None and stop.is_set()) and (ends is None or time.monotonic() < ends):
                        self._wake.clear()
                        looked_at = self._desk.clock()
                        started = self._start(pool, until)
                        idles = not started and not self._at(Task.send)
                        # Where others add all the time it never idles, and it may be over all the same.
                        if idles or time.monotonic() >= asked_at + IDLE_SECONDS:
                            if until():
                                break
                            asked_at = time.monotonic()
                        if started:
                            continue
                        self._wake.wait(self._idle_seconds(looked_at) if stop is None or not stop.is_set() else 0)
                finally:
                    self._leaving.set()

    def _idle_seconds(self, looked_at: datetime) -> float:
        """How long to wait: what is due soon, or waits for its account's pace, leaves at its time."""
        with self._guard:
            if len(self._busy) >= self._threads:
                return IDLE_SECONDS
        with self._desk.ledger.read() as connection:
            times = (due.next_due(connection, looked_at), due.next_free(connection, looked_at))
        due_at = min(filter(None, times), default=None)
        if due_at is None:
            return IDLE_SECONDS
        return min(IDLE_SECONDS, max(0.0, (due_at - self._desk.clock()).total_seconds()))

    def nothing_is_due(self) -> bool:
        """Whether there is nothing to do just now; what is paused, or has to wait, isn't due."""
        if self._at(Task.send) or self._at(Task.poll) or self._at(REPLIES):
            # What is being sent may leave more to do, and a poll that nobody waits for is broken off.
            return False
        now = self._desk.clock()
        with self._desk.ledger.read() as connection:
            waiting = select(batches.c.number).where(batches.c.task.in_(URGENT), batches.c.due_at <= now).limit(1)
            asking = (accounts.c.probe_at <= now) | (accounts.c.channels_due_at <= now)
            probing = select(accounts.c.name).where(asking).limit(1)
            return not (
                connection.execute(waiting).first()
                or connection.execute(probing).first()
                or self._next_poll(connection)
                or self._next_replies(connection)
                or due.first(connection, now) is not None
            )

    def _start(self, pool: ThreadPoolExecutor, until: Callable[[], bool]) -> bool:
        """Start one thing that is due; False when there is nothing, or no thread free."""
        if len(self._busy) > self._threads:
            return False
        if time.monotonic() >= self._upkeep_at:
            self._upkeep_at = time.monotonic() + UPKEEP_SECONDS
            self._do(pool, (UPKEEP, 0), partial(upkeep, self._desk))
            return True
        if time.monotonic() >= self._urgent_at:
            if self._start_urgent(pool):
                return True
            self._urgent_at = time.monotonic() + LOOK_SECONDS
        with self._guard:
            sends = sum(task is Task.send for task, _ in self._busy)
            asking = sum(task in (Task.poll, REPLIES) for task, _ in self._busy)
        # One thread more is kept for what is urgent.
        if sends + asking >= self._threads:
            return False
        full = self._caution.full()
        may_claim = self._may_claim(full)
        claim = sending.claim(self._desk, self._budget, without=full) if may_claim else None
        self._claimed = claim is not None
        if claim is not None:
            refused_before = self._caution.leaves(claim.batch.dispatch)
            self._do(pool, (Task.send, claim.number), partial(self._send, claim, refused_before))
            return True
        if may_claim:
            # What was due was settled otherwise, or its account is to be asked about its channels first.
            self._urgent_at = 0.0
            return True
        # What can be asked for can wait while there is something to send.
        return asking < polls.MOST_POLLS and self._start_asking(pool, until)

    def _may_claim(self, full: Sequence[int]) -> bool:
        """Whether a claim is worth a transaction that writes: after one that found a batch, it is."""
        if self._claimed:
            return True
        with self._desk.ledger.read() as connection:
            return due.first(connection, self._desk.clock(), without=full) is not None

    def _send(self, claim: sending.Claim, refused_before: int) -> None:
        outcome = None
        try:
            outcome = sending.send(self._desk, claim)
        finally:
            self._caution.ended(claim.batch.dispatch, refused_before, outcome)

    def _start_urgent(self, pool: ThreadPoolExecutor) -> bool:
        """Start a probe of an account, asking about its channels, or what a batch in doubt is waiting for."""
        for question, due_at, ask in (
            (PROBE, accounts.c.probe_at, self._probe),
            (CHANNELS, accounts.c.channels_due_at, self._ask_about_channels),
        ):
            account = self._next_account(question, due_at)
            if account is not None:
                self._do(pool, (question, account), partial(ask, account))
                return True
        steps = {
            Task.overdue: doubt.overdue,
            Task.look_up: doubt.look_up,
            Task.recheck: doubt.recheck,
            Task.cancel: cancelling.call_back,
        }
        for task, step in steps.items():
            if task in LOOKING and len(self._at(task)) >= MOST_LOOK_UPS:
                continue
            number = self._next(task)
            if number is not None:
                self._do(pool, (task, number), partial(step, self._desk, number))
                return True
        return False

    def _start_asking(self, pool: ThreadPoolExecutor, until: Callable[[], bool]) -> bool:
        """Start asking for what people wrote, or for reports; nothing that would hold up who is about to leave."""
        with self._desk.ledger.read() as connection:
            account = self._next_replies(connection)
            poll = self._next_poll(connection) if account is None else None
        if (account is None and poll is None) or until():
            return False
        if account is not None:
            line = self._asked_for_replies[account]
            self._do(pool, (REPLIES, account), partial(polls.replies, self._desk, line, self._turns[account]))
        elif poll is not None:
            number, its_account = poll
            turns = self._turns.get(its_account) or Turns(self._leaving, self._desk.monotonic)
            self._do(pool, (Task.poll, number), partial(polls.reports, self._desk, number, turns))
        return True

    def _at(self, task: str) -> list[int | str]:
        """What this kind of work is under way for."""
        with self._guard:
            return [name for kind, name in self._busy if kind == task]

    def _next_account(self, question: str, due_at: ColumnElement[datetime | None]) -> str | None:
        """An account that is to be asked something, and isn't just now."""
        due = (due_at <= self._desk.clock(), accounts.c.name.not_in(self._at(question)))
        with self._desk.ledger.read() as connection:
            name: str | None = connection.scalar(select(accounts.c.name).where(*due).limit(1))
        return name

    def _next(self, task: Task) -> int | None:
        """The batch that this is due for, the longest first."""
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
        with self._desk.ledger.read() as connection:
            number: int | None = connection.scalar(query)
        return number

    def _next_poll(self, connection: Connection) -> tuple[int, str] | None:
        """The batch whose reports are due, the longest first, and its account, which may be asked."""
        now = self._desk.clock()
        query = (
            select(batches.c.number, batches.c.account)
            .where(
                batches.c.task == Task.poll,
                batches.c.due_at <= now,
                batches.c.number.not_in(self._at(Task.poll)),
                batches.c.account.not_in(self._resting()),
                batches.c.account.not_in(select(accounts.c.name).where(~inbound.may_be_asked(now))),
            )
            .order_by(batches.c.due_at)
            .limit(1)
        )
        found = connection.execute(query).first()
        return None if found is None else (found.number, found.account)

    def _next_replies(self, connection: Connection) -> str | None:
        """The account to which people may have written, the longest due first."""
        names = set(self._asked_for_replies).difference(self._resting(), map(str, self._at(REPLIES)))
        return inbound.due(connection, names, self._desk.clock()) if names else None

    def _resting(self) -> list[str]:
        """The accounts that failed to answer, and are left alone for a while."""
        return [account for account, turns in self._turns.items() if turns.rests()]

    def _do(self, pool: ThreadPoolExecutor, what: tuple[str, int | str], step: Callable[[], object]) -> None:
        with self._guard:
            self._busy.add(what)

        def work() -> None:
            try:
                step()
            except BaseException as error:
                # Also one that ends a program, as a plugin's library may raise it: here it ends nothing.
                told = error if isinstance(error, ConnectorError) else without_words(error)
                logger.error("A step of the worker failed and is taken up again: %s", told)
                self._put_off(*what)
            finally:
                with self._guard:
                    self._busy.discard(what)
                if what[0] in LOOKING:
                    # The next one may wait for its place.
                    self._urgent_at = 0.0
                self._wake.set()

        pool.submit(work)

    def _put_off(self, task: str, name: int | str) -> None:
        """The ledger still holds what is due: it is taken up again, but not at once."""
        later = self._desk.clock() + AFTER_FAILURE
        try:
            with self._desk.ledger.write() as connection:
                if task == PROBE:
                    connection.execute(update(accounts).where(accounts.c.name == name).values(probe_at=later))
                elif task == CHANNELS:
                    connection.execute(update(accounts).where(accounts.c.name == name).values(channels_due_at=later))
                elif task == REPLIES:
                    connection.execute(update(accounts).where(accounts.c.name == name).values(inbound_due_at=later))
                else:
                    # A send that failed here is overdue at its own time.
                    still = (batches.c.number == name) & (batches.c.task == task)
                    connection.execute(update(batches).where(still).values(due_at=later))
        except LedgerError as error:
            logger.error("The ledger can't be written: %s", error)
            threading.Event().wait(IDLE_SECONDS)

    def _probe(self, account: str) -> None:
        """Ask by a safe read whether an account that failed is well again."""
        line = self._line_of(account)
        # Where nothing is configured for it any more nothing could close the circuit: a claim says what is wrong.
        reached = line is None or all(result.reached for result in line.provider.check())
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

    def _ask_about_channels(self, account: str) -> None:
        """Ask which channels of an account fail; where it can't be asked, the next requests show how it is."""
        line = self._line_of(account)
        failing: Mapping[str, str] | None = None
        if line is not None and line.provider.supports("failing"):
            try:
                failing = dict(line.provider.failing())
            except ConnectorError as error:
                logger.warning("%s can't be asked about its channels: %s", line.provider.title, error)
            except Exception as error:
                logger.error(
                    "The plugin of %s failed while it asked about channels: %s",
                    line.provider.name,
                    without_words(error),
                )
        with self._desk.ledger.write() as connection:
            channels.answered(connection, account, failing, now=self._desk.clock())

    def _line_of(self, account: str) -> Line | None:
        return next((line for line in self._desk.lines.values() if line.provider.account == account), None)
