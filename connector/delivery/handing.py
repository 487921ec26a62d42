"""Calling a sink: in batches of the size that it takes, so many at a time, at its pace."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field

from connector.extension.sink import DeadLetter, Sink
from connector.model.errors import NotTaken, PluginError, SinkStopped
from connector.model.event import Event

LOOK_SECONDS = 0.05


@dataclass(slots=True)
class Handed:
    """What came of handing events over."""

    done: list[Event] = field(default_factory=list)
    """Those that were taken, or refused for good."""
    dead: list[DeadLetter] = field(default_factory=list)
    error: BaseException | None = None
    """Why the others were not taken."""


class Hands:
    """Calls one sink until it fails; its threads live as long as its block."""

    def __init__(self, sink: Sink, halted: Callable[[], bool]) -> None:
        self._sink = sink
        self.waits_seconds = sink.waits_seconds
        self._halted = halted
        self._guard = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        pause = 0.0 if sink.calls_per_second is None else 1 / sink.calls_per_second
        self._pause_seconds = pause
        self.elsewhere_seconds = 0.0
        """What calls have computed in threads of their own."""
        # Also after the last call of the block before.
        self._free_at = time.monotonic() + pause

    def __enter__(self) -> "Hands":
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            # What was not begun would only come again, where what was done could not be written down.
            self._pool.shutdown(cancel_futures=True)

    def hand(
        self,
        events: Sequence[Event],
        *,
        tries_first: bool,
        after: Callable[[Handed], object],
        meanwhile: Callable[[], object] | None = None,
    ) -> Handed:
        """Hand events over, those of one message in order; `after` is called now and then with what is newly done.

        `meanwhile` is called once, beside the first calls, if it can be. With `tries_first` the first call is made
        alone: whether the sink is well again is not known.
        """
        handed = Handed()
        for wave in self._waves(events, tries_first):
            if handed.error is not None or self._halted():
                break
            if len(wave) == 1:
                aside = None
                if meanwhile is not None:
                    # At the end of a program no thread is to be had any more, and what calls here needs none.
                    with suppress(RuntimeError):
                        aside = self._elsewhere(meanwhile)
                # In this thread, as a host's function may count on it.
                self._call(wave[0], handed)
                if aside is not None:
                    aside.result()
            else:
                calls = [self._elsewhere(self._call, part, handed) for part in wave]
                if meanwhile is not None:
                    meanwhile()
                for call in as_completed(calls):
                    call.result()
                    after(self._newly_done(handed))
            meanwhile = None
            after(self._newly_done(handed))
        return handed

    def _newly_done(self, handed: Handed) -> Handed:
        """What is done since this was asked last; other calls go on meanwhile."""
        with self._guard:
            new = Handed(handed.done, handed.dead)
            handed.done, handed.dead = [], []
        return new

    def _waves(self, events: Sequence[Event], tries_first: bool) -> Iterator[list[Sequence[Event]]]:
        """Batches that may be on their way together: no message has events in two of them."""
        size = self._sink.batch_events
        wave: list[Sequence[Event]] = []
        people: set[str | None] = set()
        for start in range(0, len(events), size):
            part = events[start : start + size]
            if self._sink.parallel > 1:
                inside = {event.message_id or event.recipient for event in part}
                if wave and (tries_first or not people.isdisjoint(inside)):
                    yield wave
                    wave, people, tries_first = [], set(), False
                people |= inside
            elif wave:
                yield wave
                wave = []
            wave.append(part)
        if wave:
            yield wave

    def _elsewhere(self, call: Callable[..., object], *arguments: object) -> Future[None]:
        """Call something in a thread of the pool."""

        def measured() -> None:
            began = time.thread_time()
            try:
                call(*arguments)
            finally:
                with self._guard:
                    self.elsewhere_seconds += time.thread_time() - began

        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._sink.parallel, thread_name_prefix="connector-sink-call")
        return self._pool.submit(measured)

    def _call(self, part: Sequence[Event], handed: Handed) -> None:
        if not self._has_turn(handed):
            return
        try:
            dead = self._checked(self._sink.deliver(part), part)
        # In a thread of ours nothing else than the sink ends: SystemExit is a failure as any other.
        except BaseException as error:
            with self._guard:
                handed.error = error if handed.error is None else max(handed.error, error, key=_weight)
            return
        with self._guard:
            handed.dead += dead
            handed.done += part

    def _has_turn(self, handed: Handed) -> bool:
        """Wait for the turn of a call; False: it is not to be made any more."""

        def over() -> bool:
            return handed.error is not None or self._halted()

        begins = time.monotonic()
        if self._pause_seconds and not over():
            with self._guard:
                begins = max(self._free_at, begins)
                self._free_at = begins + self._pause_seconds
        return _wait_until(begins, over)

    def rest(self, seconds: float) -> None:
        """Do nothing for so long, or until it is halted."""
        _wait_until(time.monotonic() + seconds, self._halted)

    def _checked(self, answer: object, part: Sequence[Event]) -> list[DeadLetter]:
        if answer is None or answer == []:
            return []
        if isinstance(answer, list | tuple) and all(isinstance(each, DeadLetter) for each in answer):
            positions = {event.position for event in part}
            if all(each.event.position in positions for each in answer):
                return list(answer)
        raise PluginError("It gave back something else than a list of dead letters of these events.")


def _wait_until(at: float, over: Callable[[], bool]) -> bool:
    """Wait until a time of the monotonic clock; False: it was over before."""
    while not over():
        left = at - time.monotonic()
        if left <= 0:
            return True
        # Whether it is over can only be asked: by a host's event, a time, or a call that failed.
        time.sleep(min(left, LOOK_SECONDS))
    return False


def _weight(error: BaseException) -> float:
    """Which error counts of calls that were under way together: one that says to stop, else to wait the longest."""
    if isinstance(error, SinkStopped):
        return float("inf")
    seconds = error.retry_after_seconds if isinstance(error, NotTaken) else None
    return -1.0 if seconds is None else seconds
