"""Callbacks over real HTTP, sent again as a provider does."""

import heapq
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from connector.http import AnswerLost, Poster
from connector.simulator.faults import Faults

TIMEOUT_SECONDS = 10.0
SHUFFLED_WITHIN_SECONDS = 0.3
"""A shuffled callback is held back for up to this long."""
RECOVERY = 100
"""After a 429 one more callback at a time goes out for every so many that are answered."""


Sign = Callable[[bytes], Mapping[str, str]]
"""Gives the headers of a callback with this body."""


class _Callback:
    __slots__ = ("body", "headers", "sign", "tries", "url")

    def __init__(self, url: str, body: bytes, sign: Sign) -> None:
        self.url = url
        self.body = body
        self.sign = sign
        self.headers: Mapping[str, str] | None = None
        self.tries = 0


class Deliverer:
    """Posts callbacks from a few threads, in the order they came.

    2xx is done. 429, 5xx and connection errors are tried again after each of `waits_seconds`, then given
    up; any other answer drops the callback. A 429 also halves how many are on their way at the same time, which
    grows again with what is answered. `sign` gives a body's headers at its first try; later tries carry the same.
    First tries leave at `per_second` at most; None: as they come.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        waits_seconds: Sequence[float],
        sign: Sign,
        connections: int,
        per_second: float | None = None,
    ) -> None:
        self._faults = faults
        self._waits = waits_seconds
        self._sign = sign
        self._gap_seconds = 1 / per_second if per_second else 0.0
        self._next_at = 0.0
        self._ready: deque[_Callback] = deque()
        self._later: list[tuple[float, int, _Callback]] = []
        self._order = count()
        self._changed = threading.Condition()
        self._connections = connections
        self._at_once = connections
        self._until_more = 0
        self._poster: Poster | None = None
        self._counts: Counter[str] = Counter()
        self._in_flight = 0
        self._held = False
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"simulator-callbacks-{number}", daemon=True)
            for number in range(connections)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop; callbacks that wait are not sent any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=1.0)
        if self._poster is not None:
            self._poster.close()

    def submit(self, url: str, body: bytes, sign: Sign | None = None) -> None:
        """Take a callback, or lose, double or shuffle it as the faults say; `sign` where it has a secret of its own."""
        if self._faults.happens("callback_lost"):
            self._count("lost")
            return
        doubled = self._faults.happens("callback_doubled")
        if doubled:
            self._count("doubled")
        for _ in range(2 if doubled else 1):
            if self._faults.happens("callback_shuffled"):
                self._count("shuffled")
                delay_seconds = self._faults.throw() * SHUFFLED_WITHIN_SECONDS
            else:
                delay_seconds = 0.0
            self._put(_Callback(url, body, sign or self._sign), delay_seconds)

    def hold(self, held: bool) -> None:
        """Send nothing, or go on."""
        with self._changed:
            self._held = held
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget what waits, and the counts."""
        with self._changed:
            self._ready.clear()
            self._later.clear()
            self._counts.clear()
            self._at_once = self._connections

    @property
    def waiting(self) -> int:
        """Callbacks that aren't settled: waiting for a first or further try, or on their way."""
        with self._changed:
            return len(self._ready) + len(self._later) + self._in_flight

    def account(self) -> dict[str, int]:
        """Counts: `sent` (tries), `answered`, `retried`, `dropped` (refused for good), `given_up`, `lost`, ...

        `at_once` is how many may be on their way at the same time now.
        """
        with self._changed:
            named = ("sent", "answered", "retried", "dropped", "given_up", "lost", "doubled", "shuffled")
            counts = {name: self._counts[name] for name in named}
            waiting = len(self._ready) + len(self._later) + self._in_flight
            return {**counts, "waiting": waiting, "at_once": self._at_once}

    def _count(self, name: str) -> None:
        with self._changed:
            self._counts[name] += 1

    def _put(self, callback: _Callback, delay_seconds: float) -> None:
        with self._changed:
            if delay_seconds:
                heapq.heappush(self._later, (time.monotonic() + delay_seconds, next(self._order), callback))
            else:
                self._ready.append(callback)
            self._changed.notify()

    def _work(self) -> None:
        while (callback := self._next()) is not None:
            try:
                status = self._post(callback)
            except Exception:
                if self._closed:
                    return
                raise
            with self._changed:
                self._in_flight -= 1
                self._counts["sent"] += 1
                self._settle(callback, status)

    def _settle(self, callback: _Callback, status: int | None) -> None:
        """Note how a try ended: with a status, or None without an answer."""
        if status is not None and 200 <= status < 300:
            self._counts["answered"] += 1
            if self._at_once < self._connections:
                self._speed_up()
            return
        if status == 429:
            self._at_once = max(1, self._at_once // 2)
            self._until_more = RECOVERY
        elif status is not None and status < 500:
            self._counts["dropped"] += 1
            return
        if callback.tries > len(self._waits):
            self._counts["given_up"] += 1
            return
        self._counts["retried"] += 1
        due = time.monotonic() + self._waits[callback.tries - 1]
        heapq.heappush(self._later, (due, next(self._order), callback))
        self._changed.notify()

    def _speed_up(self) -> None:
        self._until_more -= 1
        if not self._until_more:
            self._at_once += 1
            self._until_more = RECOVERY
            self._changed.notify()

    def _next(self) -> _Callback | None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    self._ready.append(heapq.heappop(self._later)[2])
                if self._ready and not self._held and self._in_flight < self._at_once:
                    if now >= self._next_at or self._ready[0].tries:
                        return self._take(now)
                    self._changed.wait(self._next_at - now)
                else:
                    self._changed.wait(self._later[0][0] - now if self._later else None)
            return None

    def _take(self, now: float) -> _Callback:
        callback = self._ready.popleft()
        self._in_flight += 1
        if not callback.tries:
            self._next_at = max(self._next_at, now - self._gap_seconds) + self._gap_seconds
        return callback

    def _post(self, callback: _Callback) -> int | None:
        callback.tries += 1
        if callback.headers is None:
            callback.headers = callback.sign(callback.body)
        try:
            return self._open().post(callback.url, callback.body, callback.headers)
        except AnswerLost:
            return None

    def _open(self) -> Poster:
        with self._changed:
            if self._poster is None:
                self._poster = Poster(timeout_seconds=TIMEOUT_SECONDS, connections=self._connections)
            return self._poster
