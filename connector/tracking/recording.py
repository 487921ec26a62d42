"""Writing receipts durably: many callbacks share one commit, and each waits for it."""

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, update

from connector.ledger import counters, registry
from connector.ledger.database import Ledger
from connector.ledger.tables import receivers
from connector.model.errors import LedgerError, without_words
from connector.model.report import Receipt
from connector.tracking import track
from connector.tracking.policy import Policy

logger = logging.getLogger("connector.tracking")

MOST_REQUESTS = 500
GATHER_SECONDS = 0.005
SEEN_EVERY_SECONDS = 5.0

Arrivals = Sequence[tuple[str, Receipt]]


class Recorder:
    """One thread that writes what callbacks brought, some milliseconds' worth in each transaction.

    Starts with the first receipt, and is seen in the ledger while it runs, so that bulk writers make room.
    """

    def __init__(self, ledger: Ledger, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._policy = policy
        self._clock = clock
        self._id = uuid.uuid4().hex
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._arrived: queue.SimpleQueue[tuple[Arrivals, dict[str, str], Future[None]] | None] = queue.SimpleQueue()
        self._seen = 0.0

    def start(self) -> None:
        """Take receipts from now on; called by itself with the first one."""
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="connector-recorder", daemon=True)
                self._thread.start()

    def submit(self, arrivals: Arrivals, counts: dict[str, str] | None = None) -> "Future[None]":
        """Hand receipts over; the future is done when they are durable.

        `counts` names things to count: name to integration id.
        """
        self.start()
        done: Future[None] = Future()
        # From now on it can't be cancelled: who stops waiting for it must not keep others from being answered.
        done.set_running_or_notify_cancel()
        self._arrived.put((arrivals, counts or {}, done))
        return done

    @property
    def waiting(self) -> int:
        """How many callbacks wait to be written."""
        return self._arrived.qsize()

    def close(self) -> None:
        """Write what was handed over, and stop."""
        with self._guard:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._arrived.put(None)
            thread.join()

    def _run(self) -> None:
        self._show(0)
        ended = False
        while not ended:
            gathered, ended = self._gather()
            if gathered:
                self._write(gathered)
            if time.monotonic() - self._seen >= SEEN_EVERY_SECONDS:
                self._show(self._arrived.qsize())
        try:
            with self._ledger.write() as connection:
                connection.execute(delete(receivers).where(receivers.c.id == self._id))
        except Exception as error:
            logger.error("The receiver could not sign off; it is forgotten by itself: %s", without_words(error))

    def _gather(self) -> tuple[list[tuple[Arrivals, dict[str, str], "Future[None]"]], bool]:
        gathered: list[tuple[Arrivals, dict[str, str], Future[None]]] = []
        wait_seconds = SEEN_EVERY_SECONDS
        gather_until = 0.0
        while len(gathered) < MOST_REQUESTS:
            try:
                arrived = self._arrived.get(timeout=wait_seconds)
            except queue.Empty:
                break
            if arrived is None:
                return gathered, True
            gathered.append(arrived)
            if len(gathered) == 1:
                gather_until = time.monotonic() + GATHER_SECONDS
            wait_seconds = max(0.0, gather_until - time.monotonic())
        return gathered, False

    def _write(self, gathered: list[tuple[Arrivals, dict[str, str], "Future[None]"]]) -> None:
        try:
            record(
                self._ledger,
                [arrival for arrivals, _, _ in gathered for arrival in arrivals],
                [(integration, name) for _, counts, _ in gathered for name, integration in counts.items()],
                policy=self._policy,
                now=self._clock(),
            )
        except LedgerError as error:
            # No receipt is to blame: trying each by itself would only take longer.
            logger.error("Receipts could not be written; the provider will send them again: %s", error)
            for _, _, done in gathered:
                done.set_exception(error)
            return
        except Exception as error:
            if len(gathered) > 1:
                # One of them may be to blame: it alone is refused.
                for one in gathered:
                    self._write([one])
                return
            logger.error("A receipt could not be written; the provider will send it again: %s", without_words(error))
            gathered[0][2].set_exception(error)
            return
        for _, _, done in gathered:
            done.set_result(None)

    def _show(self, backlog: int) -> None:
        now = self._clock()
        try:
            with self._ledger.write() as connection:
                gone = now - timedelta(minutes=5)
                connection.execute(delete(receivers).where(receivers.c.seen_at < gone))
                shown = connection.execute(
                    update(receivers).where(receivers.c.id == self._id).values(seen_at=now, backlog=backlog)
                )
                if not shown.rowcount:
                    connection.execute(insert(receivers).values(id=self._id, seen_at=now, backlog=backlog))
        except Exception as error:
            # Whatever it is, the next callback must be answered.
            logger.warning("The receiver could not show itself in the ledger: %s", without_words(error))
        self._seen = time.monotonic()


def record(
    ledger: Ledger,
    arrivals: Arrivals,
    counted: Sequence[tuple[str, str]],
    *,
    policy: Policy,
    now: datetime,
) -> None:
    """Write receipts and counts in one transaction."""
    with ledger.write() as connection:
        track.received(connection, arrivals, now=now, policy=policy)
        known = registry.names(connection) if counted else {}
        for integration, name in counted:
            # Anybody may call any address: what is made up is not written down.
            if integration in known:
                counters.add(connection, integration, name)
