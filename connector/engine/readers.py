"""The readers of one process: a thread for each sink, while there is work."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from connector.delivery import cursors
from connector.delivery.choosing import EVERYTHING, Choice
from connector.delivery.delivering import deliver
from connector.extension.sink import Sink
from connector.ledger.database import Ledger
from connector.model.errors import ConnectorError, NotFound, WorkerBusy, without_words

logger = logging.getLogger("connector.engine")

IDLE_SECONDS = 0.25
AFTER_FAILURE_SECONDS = 5.0


class Readers:
    """Hands events to the sinks of this process while a block runs, beside whatever else is done in it."""

    def __init__(self, ledger: Ledger, choices: Mapping[str, Choice], clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._choices = choices
        self._clock = clock
        self._jitter = random.Random()
        self._tried: set[str] = set()
        """Sinks that this process has tried, although they were stopped: what troubled them may be mended since."""

    @contextmanager
    def running(
        self,
        sinks: Mapping[str, Sink],
        *,
        stop: threading.Event | None = None,
        max_seconds: float | None = None,
        last_seconds: float | None = None,
    ) -> Iterator[None]:
        """Read while the block runs, and at its end hand over what was written until then.

        That last turn takes at most `last_seconds`, and is left out when `stop` is set, the time is up, or the block
        raises; a call of a sink that is under way is waited for in any case.
        """
        ends = None if max_seconds is None else time.monotonic() + max_seconds
        block_ended, halt = threading.Event(), threading.Event()

        def halted() -> bool:
            return (
                halt.is_set() or (stop is not None and stop.is_set()) or (ends is not None and time.monotonic() >= ends)
            )

        threads = [
            threading.Thread(target=self._read, args=(name, sink, block_ended, halted), name=f"connector-sink-{name}")
            for name, sink in sinks.items()
        ]
        try:
            for thread in threads:
                thread.start()
            yield
            if last_seconds is not None:
                last = time.monotonic() + last_seconds
                ends = last if ends is None else min(ends, last)
            block_ended.set()
            for thread in threads:
                thread.join()
        finally:
            halt.set()
            block_ended.set()
            for thread in threads:
                # Not every one was started, where the system had no thread left or Ctrl-C came.
                if thread.is_alive():
                    thread.join()

    def _read(self, name: str, sink: Sink, block_ended: threading.Event, halted: Callable[[], bool]) -> None:
        while not halted():
            is_last = block_ended.is_set()
            pause_seconds = IDLE_SECONDS
            try:
                with self._ledger.hold(_role(name)):
                    handed_over = deliver(
                        self._ledger,
                        name,
                        sink,
                        self._choices.get(name, EVERYTHING),
                        clock=self._clock,
                        halted=halted,
                        jitter=self._jitter,
                        although_stopped=name not in self._tried,
                    )
                self._tried.add(name)
                if handed_over:
                    pause_seconds = 0.0
            except WorkerBusy:
                # Another process, or another thread of this one, hands over; it may end.
                pass
            except NotFound as error:
                logger.error("%s", error)
                return
            except Exception as error:
                told = error if isinstance(error, ConnectorError) else without_words(error)
                logger.error("The events of the sink %s could not be read; they wait: %s", name, told)
                pause_seconds = AFTER_FAILURE_SECONDS
            if is_last:
                return
            block_ended.wait(pause_seconds)

    def reads(self, name: str) -> bool:
        """Whether some process hands events to a sink just now."""
        return self._ledger.is_held(_role(name))

    def forget(self, name: str) -> int:
        """Remove all that the ledger has of a sink; returns how many events it had refused.

        Raises `WorkerBusy` while a process hands events to it.
        """
        try:
            with self._ledger.hold(_role(name)), self._ledger.write() as connection:
                return cursors.forget(connection, name)
        except WorkerBusy as error:
            raise WorkerBusy(
                f"A process hands events to the sink {name} just now, so it has the old settings: end it or start it "
                "again first."
            ) from error


def _role(name: str) -> str:
    return f"sink-{name}"
