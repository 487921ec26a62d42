"""Writing receipts durably: many callbacks share one commit, and each waits for it."""

import asyncio
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, takewhile

from sqlalchemy import delete, insert, update

from connector.ledger import counters, registry
from connector.ledger.database import Ledger
from connector.ledger.tables import receivers
from connector.model.errors import ConnectorError, LedgerError, without_words
from connector.model.report import Receipt
from connector.tracking import track
from connector.tracking.policy import Policy

logger = logging.getLogger("connector.tracking")

MOST_RECEIPTS = 500
"""In one transaction, so that others get their turn; a single callback may bring more."""
GATHER_SECONDS = 0.002
SEEN_EVERY_SECONDS = 5.0

Arrivals = Sequence[tuple[str, Receipt]]


@dataclass(slots=True)
class _Handed:
    """What one callback brought, and who waits for it."""

    arrivals: Arrivals
    counts: dict[str, str]
    stored: "asyncio.Future[None]"


class Recorder:
    """One thread that writes what callbacks brought, some milliseconds' worth in each transaction.

    Starts with the first receipt, and is seen in the ledger while it runs, so that reports are asked for less.
    """

    def __init__(self, ledger: Ledger, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._policy = policy
        self._clock = clock
        self._id = uuid.uuid4().hex
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._handed: list[_Handed] = []
        self._awake = threading.Event()
        self._closed = False
        self._seen = 0.0

    def start(self) -> None:
        """Take receipts from now on; called by itself with the first one."""
        with self._guard:
            self._start()

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="connector-recorder", daemon=True)
            self._thread.start()

    async def store(self, arrivals: Arrivals, counts: dict[str, str]) -> None:
        """Hand receipts over; returns when they are durable.

        `counts` names things to count: name to integration id. Raises what kept them from being written, or
        `ConnectorError` once this is closed.
        """
        stored = asyncio.get_running_loop().create_future()
        with self._guard:
            if self._closed:
                raise ConnectorError("The server is stopping.")
            self._start()
            self._handed.append(_Handed(arrivals, counts, stored))
            if len(self._handed) == 1:
                # Waking it for each of them would cost more than handing them over.
                self._awake.set()
        await stored

    @property
    def waiting(self) -> int:
        """How many callbacks wait to be written."""
        return len(self._handed)

    def close(self) -> None:
        """Write what was handed over, and take no more."""
        with self._guard:
            self._closed = True
            self._awake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        self._show(0)
        while True:
            idle = not self._awake.is_set()
            if self._awake.wait(SEEN_EVERY_SECONDS) and idle:
                # Others come with the first one; those that came while the last were written have waited already.
                time.sleep(GATHER_SECONDS)
            gathered = self._gather()
            if gathered:
                self._write(gathered)
            elif self._closed:
                break
            if time.monotonic() - self._seen >= SEEN_EVERY_SECONDS:
                self._show(self.waiting)
        try:
            with self._ledger.write() as connection:
                connection.execute(delete(receivers).where(receivers.c.id == self._id))
        except Exception as error:
            logger.error("The receiver could not sign off; it is forgotten by itself: %s", without_words(error))

    def _gather(self) -> list[_Handed]:
        with self._guard:
            sums = accumulate(len(handed.arrivals) for handed in self._handed)
            taken = max(1, sum(1 for _ in takewhile(lambda receipts: receipts <= MOST_RECEIPTS, sums)))
            gathered, self._handed = self._handed[:taken], self._handed[taken:]
            if not self._handed and not self._closed:
                self._awake.clear()
        return gathered

    def _write(self, gathered: list[_Handed]) -> None:
        try:
            record(
                self._ledger,
                [arrival for handed in gathered for arrival in handed.arrivals],
                [(integration, name) for handed in gathered for name, integration in handed.counts.items()],
                policy=self._policy,
                now=self._clock(),
            )
        except LedgerError as error:
            # No receipt is to blame: trying each by itself would only take longer.
            logger.error("Receipts could not be written; the provider will send them again: %s", error)
            _settle(gathered, error)
        except Exception as error:
            if len(gathered) > 1:
                # One of them may be to blame: it alone is refused.
                for one in gathered:
                    self._write([one])
                return
            logger.error("A receipt could not be written; the provider will send it again: %s", without_words(error))
            _settle(gathered, error)
        else:
            _settle(gathered)

    def _show(self, backlog: int) -> None:
        now = self._clock()
        try:
            # Callbacks wait while it shows itself.
            with self._ledger.write(urgent=True) as connection:
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


def _settle(gathered: Sequence[_Handed], error: Exception | None = None) -> None:
    """Tell those who wait, each event loop once for all of its own."""
    waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for handed in gathered:
        waiting.setdefault(handed.stored.get_loop(), []).append(handed.stored)
    for loop, futures in waiting.items():
        # A loop that was closed has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_finish, futures, error)


def _finish(futures: Sequence["asyncio.Future[None]"], error: Exception | None) -> None:
    for future in futures:
        # Who stopped waiting must not keep others from being answered.
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def record(
    ledger: Ledger,
    arrivals: Arrivals,
    counted: Sequence[tuple[str, str]],
    *,
    policy: Policy,
    now: datetime,
) -> None:
    """Write receipts and counts in one transaction."""
    with ledger.write(urgent=True) as connection:
        track.received(connection, arrivals, now=now, policy=policy)
        known = registry.names(connection) if counted else {}
        for (integration, name), times in Counter(counted).items():
            # Anybody may call any address: what is made up is not written down.
            if integration in known:
                counters.add(connection, integration, name, times)
