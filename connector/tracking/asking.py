"""Asking a provider for what callbacks did not bring: each request in its turn, each answer stored before the next."""

import logging
import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from connector.extension.plugins import Plugins
from connector.extension.provider import Provider
from connector.ledger.database import Ledger
from connector.ledger.tables import events
from connector.model.errors import ConnectorError, LedgerError, without_words
from connector.model.report import ReceiptKind, Report
from connector.tracking import track
from connector.tracking.policy import Policy

logger = logging.getLogger("connector.tracking")

REQUESTS_PER_SECOND = 25.0
REQUESTS_AT_ONCE = 100
"""So many may follow each other without a pause, after a time in which nothing was asked."""
FAILURES_BEFORE_REST = 3
FIRST_REST_SECONDS = 5.0
LONGEST_REST_SECONDS = 300.0
PROOF_EVERY_SECONDS = 60.0
"""So often it is tried beside reports whether looking up works on an account, until it is known."""


class Turns:
    """The turns in which one process asks an account for reports and replies; its threads share them.

    After some failures in a row the account is left alone for a while, the longer the more there were. Waiting
    ends when `leaving` is set.
    """

    def __init__(self, leaving: threading.Event, monotonic: Callable[[], float]) -> None:
        self._leaving = leaving
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._next = -math.inf
        self._failures = 0
        self._rests_until = -math.inf
        self._proves_at = -math.inf

    def wait(self) -> bool:
        """Wait for the next turn; False: there is none, everybody is leaving."""
        with self._guard:
            now = self._monotonic()
            earliest = now - REQUESTS_AT_ONCE / REQUESTS_PER_SECOND
            self._next = max(self._next, earliest) + 1 / REQUESTS_PER_SECOND
            pause_seconds = self._next - now
        return not self._leaving.wait(max(0.0, pause_seconds))

    def rests(self) -> bool:
        """Whether the account is left alone just now."""
        with self._guard:
            return self._monotonic() < self._rests_until

    def proves(self) -> bool:
        """Whether to try now if looking up works on the account: what failed is not tried anew for every batch."""
        with self._guard:
            now = self._monotonic()
            if now < self._proves_at:
                return False
            self._proves_at = now + PROOF_EVERY_SECONDS
            return True

    def answered(self) -> None:
        """The provider gave an answer."""
        with self._guard:
            self._failures, self._rests_until = 0, -math.inf

    def failed(self) -> None:
        """The provider gave no answer at all."""
        with self._guard:
            self._failures += 1
            more = self._failures - FAILURES_BEFORE_REST
            if more >= 0:
                rest_seconds = min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2.0 ** min(more, 20))
                self._rests_until = self._monotonic() + rest_seconds


@dataclass(slots=True)
class Asked:
    """What came of asking."""

    answers: int = 0
    receipts: int = 0
    messages: int = 0
    """Receipts that speak of a message."""
    events: int = 0
    closes: bool = False
    """An answer spoke for the whole batch."""
    left: bool = False
    """It was broken off before its end, as everybody was leaving."""
    trouble: str | None = None
    """Why there was no complete answer."""


@dataclass(frozen=True, slots=True)
class Asker:
    """One integration, ready to be asked for what is said of its account."""

    ledger: Ledger
    plugins: Plugins
    provider: Provider
    integration_id: str
    policy: Policy
    clock: Callable[[], datetime]
    turns: Turns
    called_back: bool
    """Whether the provider calls us back, and somebody is there to take it."""

    def ask(self, answers: Callable[[], Iterable[Report]], what: str) -> Asked:
        """Take every answer as it comes; `what` is asked for, as people call it. Raises `LedgerError`."""
        asked = Asked()
        try:
            coming = iter(answers())
            while self.turns.wait():
                report = next(coming, None)
                self.turns.answered()
                if report is None:
                    return asked
                self._take(report, asked)
            asked.left = True
            return asked
        except LedgerError:
            raise
        except ConnectorError as error:
            asked.trouble = str(error)
            logger.warning("%s can't be asked for %s: %s", self.provider.title, what, error)
        except Exception as error:
            asked.trouble = f"The plugin of {self.provider.name} failed: {type(error).__name__}."
            logger.error(
                "The plugin of %s failed while it asked for %s: %s", self.provider.name, what, without_words(error)
            )
        if not asked.answers:
            self.turns.failed()
        return asked

    def _take(self, report: Report, asked: Asked) -> None:
        receipts = [(self.integration_id, receipt) for receipt in self.plugins.map_events(self.provider, report)]
        with self.ledger.write() as connection:
            before = connection.scalar(select(func.max(events.c.number))) or 0
            track.received(
                connection,
                receipts,
                now=self.clock(),
                policy=self.policy,
                callbacks_expected=self.called_back,
            )
            asked.events += _events_after(connection, before)
        asked.answers += 1
        asked.receipts += len(receipts)
        asked.messages += sum(receipt.kind is ReceiptKind.message for _, receipt in receipts)
        asked.closes = asked.closes or report.closes


def _events_after(connection: Connection, number: int) -> int:
    return int(connection.scalar(select(func.sum(events.c.size)).where(events.c.number > number)) or 0)
