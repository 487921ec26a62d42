"""What the tests of the Python API share: a connector built as a host builds one, and a function that remembers."""

import faulthandler
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from receiving_kit import SECRETS, Api, Clock, settings_of

from connector import Connector, Event, Sink
from connector.extension.plugins import Plugins

LONGEST_CHILD_SECONDS = 240.0


def build(path: Path, api: Api, clock: Clock, **given: Any) -> Connector:
    """A connector on a ledger in `path` with the scripted provider; `given` are arguments of `Connector`."""
    return Connector(
        settings_of(path),
        **{"plugins": Plugins([api], installed=False), "secrets": SECRETS.__getitem__, "clock": clock, **given},
    )


class Platform:
    """A host's function for events: remembers them, or fails as it is told."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.before: Callable[[Event], object] = lambda event: None
        """Called first; what it raises is what the function raises."""

    def __call__(self, event: Event) -> None:
        self.before(event)
        self.told.append(event)

    @property
    def seen(self) -> list[tuple[str | None, str]]:
        """Recipient and status of each event, in the order that they came."""
        return [(event.recipient, event.status.value) for event in self.told]


class Store(Sink):
    """A sink that keeps every batch it was given."""

    def __init__(self, *, start: Any = "now", batch_events: int = 1000) -> None:
        self.start = start
        self.batch_events = batch_events  # type: ignore[misc]
        self.batches: list[list[Event]] = []

    def deliver(self, events: Any) -> None:
        self.batches.append(list(events))

    @property
    def told(self) -> list[Event]:
        return [event for batch in self.batches for event in batch]


@contextmanager
def forked(step: Callable[[], object]) -> Iterator[None]:
    """Do something in a forked child beside the block, and see that it went well."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        # Prints where every thread stands, and ends.
        faulthandler.register(signal.SIGUSR1, file=writing, chain=True)
        try:
            step()
            status = 0
        except BaseException:
            os.write(writing, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(status)
    os.close(writing)
    hangs = threading.Timer(LONGEST_CHILD_SECONDS, os.kill, (child, signal.SIGUSR1))
    hangs.start()
    try:
        yield
    finally:
        with os.fdopen(reading) as told:
            words = told.read()
        hangs.cancel()
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, words
