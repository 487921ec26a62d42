"""An account's own queue: accepted messages wait in it and leave at the account's pace, first in, first out."""

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Generic, TypeVar

Owner = TypeVar("Owner")

SLICE = 100
"""The most messages that leave at once, so that requests are answered between."""
LONGEST_WAIT_SECONDS = 0.2
"""Times are looked at again this often: the wall clock may jump."""


Size = int | Callable[[], int]
"""How many messages, or who says so when their time has come."""


@dataclass(slots=True)
class _Entry(Generic[Owner]):
    owner: Owner
    size: Size
    sent: int = 0

    def count(self) -> int:
        if not isinstance(self.size, int):
            self.size = self.size()
        return self.size


class AccountQueue(Generic[Owner]):
    """Messages of batches, in the order of acceptance.

    `send(owner, start, stop)` is called for the messages of a batch that leave, by their positions.
    `messages_per_second` None: at once. Everything runs in one event loop.
    """

    def __init__(self, messages_per_second: float | None, send: Callable[[Owner, int, int], None]) -> None:
        self._pace = messages_per_second
        self._send = send
        self._ready: deque[_Entry[Owner]] = deque()
        self._scheduled: list[tuple[datetime, int, _Entry[Owner]]] = []
        self._order = count()
        self._changed = asyncio.Event()
        self.held = False

    def put(self, owner: Owner, size: Size, send_at: datetime | None) -> None:
        """Take the messages of a batch; they enter the queue at `send_at`, when a `size` that is asked is asked."""
        entry = _Entry(owner, size)
        if send_at is not None and send_at > datetime.now(UTC):
            heapq.heappush(self._scheduled, (send_at, next(self._order), entry))
        else:
            self._enter(entry)
        self._changed.set()

    def left(self, owner: Owner) -> int | None:
        """How many messages of a batch have left; None when it isn't here any more."""
        for entry in (*self._ready, *(scheduled[2] for scheduled in self._scheduled)):
            if entry.owner is owner:
                return entry.sent
        return None

    def drop(self, owner: Owner) -> int | None:
        """Take a batch out; the number of its messages that had left, None when it isn't here any more."""
        for entry in self._ready:
            if entry.owner is owner:
                self._ready.remove(entry)
                return entry.sent
        for scheduled in self._scheduled:
            if scheduled[2].owner is owner:
                self._scheduled.remove(scheduled)
                heapq.heapify(self._scheduled)
                return 0
        return None

    def pace(self, messages_per_second: float | None) -> None:
        """Let messages leave at another pace from now on."""
        self._pace = messages_per_second
        self._changed.set()

    def clear(self) -> None:
        self._ready.clear()
        self._scheduled.clear()

    def hold(self, held: bool) -> None:
        """Let nothing leave, or go on."""
        self.held = held
        self._changed.set()

    @property
    def waiting(self) -> int:
        """Messages whose time to send has come and that haven't left."""
        return sum(entry.count() - entry.sent for entry in self._ready)

    async def run(self) -> None:
        """Drain until cancelled."""
        credit, then = 0.0, time.monotonic()
        while True:
            self._admit()
            if self._pace is not None:
                now = time.monotonic()
                # What wasn't used is kept for a tenth of a second only: a pause gives no right to a burst.
                credit = min(credit + (now - then) * self._pace, max(1.0, self._pace / 10))
                then = now
            if self.held or not self._ready:
                await self._wait(self._next_look_seconds())
            elif self._pace is not None and credit < 1:
                await asyncio.sleep(min((1 - credit) / self._pace, LONGEST_WAIT_SECONDS))
            else:
                credit -= self._leave(SLICE if self._pace is None else min(SLICE, int(credit)))
                await asyncio.sleep(0)

    def _admit(self) -> None:
        now = datetime.now(UTC)
        while self._scheduled and self._scheduled[0][0] <= now:
            self._enter(heapq.heappop(self._scheduled)[2])

    def _enter(self, entry: _Entry[Owner]) -> None:
        if entry.count():
            self._ready.append(entry)

    def _next_look_seconds(self) -> float | None:
        if not self._scheduled:
            return None
        due_seconds = (self._scheduled[0][0] - datetime.now(UTC)).total_seconds()
        return min(max(due_seconds, 0.001), LONGEST_WAIT_SECONDS)

    async def _wait(self, seconds: float | None) -> None:
        self._changed.clear()
        # Not wait_for, which loses a cancellation that comes together with the event.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _leave(self, most: int) -> int:
        entry = self._ready[0]
        size = entry.count()
        start, entry.sent = entry.sent, min(entry.sent + most, size)
        if entry.sent == size:
            self._ready.popleft()
        self._send(entry.owner, start, entry.sent)
        return entry.sent - start
