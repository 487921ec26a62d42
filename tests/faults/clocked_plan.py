"""A service plan that lives on the clock of a test, with an account of its own of who was sent what.

The simulator lives in real time: a copy that is scheduled for a clock that a test has set ahead never leaves there.
Here it does, and faults are told for each request, so that hypothesis can repeat a course.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from receiving_kit import receipt

from connector.model.batch import Batch
from connector.model.errors import NotReached, ReadFailed, Throttled
from connector.model.outcome import Accepted, Found, FoundState, InDoubt, Outcome, Refused, Scope

ANSWER_SECONDS = 2
"""From leaving to a message's last report."""
REPORTS_KEPT = timedelta(days=4 + 14)
"""Reports are waited for as long as the first, and can be asked for as long as the second after that."""

PEOPLE = {
    "12015550101": [("Delivered", 0)],
    "12015550102": [("Failed", 150), ("Delivered", 0)],
    "12015550103": [("Rejected", 402)],
    "12015550104": [("Unknown", 418)],
    "12015550105": [],
    "46701740605": [("Delivered", 0)],
    "46701740606": [("Expired", 406)],
    "46701740607": [("Aborted", 410)],
    "46701740608": [("Delivered", 0), ("Failed", 150)],
    "61491570156": [("Aborted", 413)],
    "61491570157": [("Delivered", 0)],
    "61491570158": [("Dispatched", 401), ("Delivered", 0)],
}
"""Numbers, and what is reported of messages to them, in the order of the facts."""

NUMBERS = list(PEOPLE)


class Fault(StrEnum):
    """What becomes of one request to send."""

    none = "none"
    not_reached = "the request does not leave"
    lost_before = "it breaks off, and nothing is accepted"
    lost_after = "it breaks off, and it is accepted"
    failing = "503, and nothing is accepted"
    throttled = "429"
    killed_before = "the process dies before it leaves"
    killed_after = "the process dies after it is accepted"


class Killed(BaseException):
    """Stands for the death of the process: nothing is written down of what came of a request."""


@dataclass
class Copy:
    """One accepted batch."""

    identity: str
    key: str
    people: dict[str, str]
    """Recipient to our id of the message."""
    accepted_at: datetime
    send_at: datetime | None
    cancelled: bool = False

    def has_left(self, now: datetime) -> bool:
        return not self.cancelled and self.leaves_at <= now

    @property
    def leaves_at(self) -> datetime:
        return max(self.accepted_at, self.send_at or self.accepted_at)


@dataclass
class ClockedPlan:
    """The provider's side."""

    clock: Callable[[], datetime]
    doubt_window: timedelta
    copies: list[Copy] = field(default_factory=list)
    faults: dict[int, deque[Fault]] = field(default_factory=dict)
    """By the row that a batch begins with."""
    listing_lag: timedelta = timedelta()
    unreadable: bool = False
    """Nothing can be looked up, polled or cancelled."""
    cancel_is_lost: bool = False
    """What is cancelled is answered with an error."""
    pointed_at: set[str] = field(default_factory=set)
    """Numbers that are refused by name."""
    unsaid: set[str] = field(default_factory=set)
    """Numbers for which a batch is refused, though nobody says that it is for them."""
    refuses_all: Refused | None = None
    ever_refused: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    """Keys of batches that a list didn't show though their time of doubt was over."""
    unread: set[str] = field(default_factory=set)
    """Keys of batches whose reports could not be asked for as long as they were kept."""
    called_back: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    # What a provider does

    def send(self, batch: Batch) -> Outcome:
        with self._guard:
            first = int(batch.message_ids[0].rpartition("-")[2])
            faults = self.faults.get(first % 3)
            fault = faults.popleft() if faults else Fault.none
            match fault:
                case Fault.not_reached:
                    raise NotReached("The API can't be reached.")
                case Fault.throttled:
                    raise Throttled("Too many requests.", retry_after_seconds=5)
                case Fault.lost_before:
                    return InDoubt("The connection broke.")
                case Fault.failing:
                    return InDoubt("The API answered HTTP 503.")
                case Fault.killed_before:
                    raise Killed
            refused = self._refusal(batch)
            if refused is not None:
                return refused
            copy = Copy(
                f"01-{batch.key}-{batch.attempt.number}",
                batch.key,
                dict(zip(batch.recipients, batch.message_ids, strict=True)),
                self.clock(),
                batch.attempt.send_at,
            )
            self.copies.append(copy)
            if fault is Fault.lost_after:
                return InDoubt("The answer was lost.")
            if fault is Fault.killed_after:
                raise Killed
            return Accepted(copy.identity)

    def _refusal(self, batch: Batch) -> Refused | None:
        if self.refuses_all is not None:
            return self.refuses_all
        wrong = [place for place, number in enumerate(batch.recipients) if number in self.pointed_at]
        if wrong:
            self.ever_refused.update(batch.recipients[place] for place in wrong)
            return Refused(Scope.recipient, 400, "syntax", "This number is invalid.", tuple(wrong))
        if self.unsaid.intersection(batch.recipients):
            self.ever_refused.update(self.unsaid)
            return Refused(Scope.unknown, 400, "constraint", "Something is invalid.")
        return None

    def find(self, batch: Batch) -> Found:
        with self._guard:
            if self.unreadable:
                return Found(FoundState.cannot_tell, cause="the list can't be read")
            now = self.clock()
            ours = [copy for copy in self.copies if copy.key == batch.key]
            shown = [copy for copy in ours if copy.accepted_at <= now - self.listing_lag]
            if any(not c.cancelled and c not in shown and now >= c.accepted_at + self.doubt_window for c in ours):
                self.hidden.add(batch.key)
            standing = tuple(copy.identity for copy in shown if not copy.cancelled)
            if standing:
                return Found(FoundState.accepted, standing)
            if shown:
                return Found(FoundState.cannot_tell, cause="it is listed as cancelled")
            return Found(FoundState.absent)

    def cancel(self, identity: str) -> bool:
        with self._guard:
            (copy,) = [copy for copy in self.copies if copy.identity == identity]
            if self.unreadable:
                raise ReadFailed("The API can't be reached.")
            if not copy.has_left(self.clock()):
                copy.cancelled = True
            if self.cancel_is_lost:
                raise ReadFailed("The answer was lost.")
            return copy.cancelled

    def poll(self, batch: Batch) -> Iterable[dict[str, Any]]:
        with self._guard:
            now = self.clock()
            if self.unreadable or batch.provider_batch_id is None:
                if any(copy.key == batch.key and now - copy.accepted_at > REPORTS_KEPT for copy in self.copies):
                    self.unread.add(batch.key)
                raise ReadFailed("The API can't be reached." if self.unreadable else "The batch has no id yet.")
            ended = [
                self._report(copy, number, *PEOPLE[number][-1])
                for copy in self.copies
                if copy.key == batch.key and self._ended(copy, now)
                for number in copy.people
                if PEOPLE[number]
            ]
            (copy,) = [copy for copy in self.copies if copy.identity == batch.provider_batch_id]
            whole = {
                "type": "delivery_report_sms",
                "batch_id": copy.identity,
                "client_reference": copy.key,
                "total_message_count": len(copy.people),
                "statuses": [
                    {"status": status, "code": code, "count": 1, "recipients": [number]}
                    for number in copy.people
                    for status, code in [self._shown(copy, number, now)]
                    if not copy.cancelled
                ],
            }
        return [{"delivery_reports": ended}, whole]

    def _ended(self, copy: Copy, now: datetime) -> bool:
        return copy.has_left(now) and now >= copy.leaves_at + timedelta(seconds=ANSWER_SECONDS)

    def _shown(self, copy: Copy, number: str, now: datetime) -> tuple[str, int]:
        if not self._ended(copy, now):
            return ("Dispatched", 401) if copy.has_left(now) else ("Queued", 400)
        return PEOPLE[number][-1] if PEOPLE[number] else ("Dispatched", 401)

    # What it calls back

    def _report(self, copy: Copy, number: str, status: str, code: int) -> dict[str, Any]:
        at = copy.leaves_at + timedelta(seconds=ANSWER_SECONDS)
        return receipt(
            number,
            status,
            code,
            batch_id=copy.identity,
            client_reference=copy.key,
            at=f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",
        )

    def callbacks(self) -> list[dict[str, Any]]:
        """Every callback that there is reason for until now; the test says which of them come."""
        now = self.clock()
        with self._guard:
            return [
                self._report(copy, number, status, code)
                for copy in self.copies
                for number in copy.people
                for status, code in self._story(copy, number, now)
            ]

    def _story(self, copy: Copy, number: str, now: datetime) -> list[tuple[str, int]]:
        if copy.cancelled:
            return [("Cancelled", 407)]
        if not self._ended(copy, now):
            return [("Queued", 400)]
        return [("Queued", 400), ("Dispatched", 401), *PEOPLE[number]]

    # Its own account

    def left_by_message(self) -> dict[str, list[str]]:
        """Our id of a message to the keys of the batches by which it was sent."""
        now = self.clock()
        left: dict[str, list[str]] = {}
        for copy in self.copies:
            if copy.has_left(now):
                for name in copy.people.values():
                    left.setdefault(name, []).append(copy.key)
        return left

    def standing_keys(self) -> Counter[str]:
        """Key of a batch to how many copies were accepted and not cancelled."""
        return Counter(copy.key for copy in self.copies if not copy.cancelled)

    def mend(self) -> None:
        """From now on everything goes well."""
        self.faults.clear()
        self.listing_lag = timedelta()
        self.unreadable = self.cancel_is_lost = False
        self.pointed_at.clear()
        self.unsaid.clear()
        self.refuses_all = None
