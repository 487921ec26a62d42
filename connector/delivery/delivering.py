"""Handing the events of the log to a sink: at least once, in order, by one reader at a time."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select

from connector.delivery import cursors
from connector.delivery.cursors import Cursor
from connector.extension.sink import Sink
from connector.ledger import log
from connector.ledger.database import Ledger
from connector.ledger.tables import Task, batches
from connector.model.errors import ConnectorError, without_words
from connector.model.event import Event

logger = logging.getLogger("connector.delivery")

PAGE = 1000
PAGE_BESIDE_SENDING = 250
REST = 4.0
"""While batches are sent, a reader rests so many times as long as it has computed: it shares the interpreter."""
SAVE_SECONDS = 1.0
"""How often a reader that reads on writes down where it is: after a crash what came later is handed over again."""


_SENDING = select(batches.c.number).where(batches.c.task == Task.overdue).limit(1)


def deliver(ledger: Ledger, name: str, sink: Sink, *, clock: Callable[[], datetime], halted: Callable[[], bool]) -> int:
    """Hand over what stands in the log by now, unless the sink fails or `halted` says so; returns how many events.

    The caller holds the sink's role. Raises `LedgerError`.
    """
    with ledger.read() as connection:
        cursor = cursors.read(connection, name)
        end = log.end(connection)
    if cursor.due_at is not None and cursor.due_at > clock():
        return 0
    turn = _Turn(ledger, name, sink, cursor, clock)
    try:
        while turn.position < end and not halted():
            computed = time.thread_time()
            with ledger.read() as connection:
                is_sending = connection.execute(_SENDING).first() is not None
                limit = PAGE_BESIDE_SENDING if is_sending else PAGE
                page = log.read(connection, after=turn.position, limit=limit)
            if not page or not turn.take(page, halted):
                break
            if is_sending:
                time.sleep(REST * (time.thread_time() - computed))
    finally:
        turn.save()
    return turn.taken


class _Turn:
    """What a reader does from taking the role to giving it back."""

    def __init__(self, ledger: Ledger, name: str, sink: Sink, cursor: Cursor, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._name = name
        self._sink = sink
        self._clock = clock
        self._saved = cursor
        self._save_at = time.monotonic() + SAVE_SECONDS
        self.position = cursor.position
        self.taken = 0

    def take(self, page: Sequence[Event], halted: Callable[[], bool]) -> bool:
        """Hand over a page; False when the sink failed."""
        for start in range(0, len(page), self._sink.batch_events):
            if halted():
                return True
            part = page[start : start + self._sink.batch_events]
            try:
                self._sink.deliver(part)
            # In a thread of ours nothing else than the sink ends: SystemExit is a failure as any other.
            except BaseException as error:
                self._failed(error)
                return False
            self.position = part[-1].position
            self.taken += len(part)
            if time.monotonic() >= self._save_at:
                self.save()
        return True

    def save(self) -> None:
        """Write down how far it is."""
        if self.position != self._saved.position:
            with self._ledger.write() as connection:
                cursors.advance(connection, self._name, self.position)
            self._saved = Cursor(self.position, 0, None)
        self._save_at = time.monotonic() + SAVE_SECONDS

    def _failed(self, error: BaseException) -> None:
        known = isinstance(error, ConnectorError)
        # The words of a foreign error may name people.
        trouble = str(error) if known else f"It raised {type(error).__name__}."
        failures = 1 + (self._saved.failures if self.position == self._saved.position else 0)
        pause = cursors.pause_after(failures)
        logger.error(
            "The sink %s did not take its events; they come again in %d seconds: %s",
            self._name,
            pause.total_seconds(),
            error if known else without_words(error),
        )
        self._saved = Cursor(self.position, failures, self._clock() + pause)
        with self._ledger.write() as connection:
            cursors.fail(connection, self._name, self._saved, trouble)
