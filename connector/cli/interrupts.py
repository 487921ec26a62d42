"""Signals: the first one stops in good order, the second one ends the process at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from connector.cli.output import say

STOPPING = "Stopping: what is under way is finished first. Once more ends at once."


def terminate_like_interrupt() -> None:
    """Let SIGTERM end a command as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def stopping(*, quietly: bool = False) -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets; after it, either ends the process."""
    stop = threading.Event()
    asked: threading.Thread | None = None

    def tell() -> None:
        try:
            if not quietly:
                # Nobody may be left to read it.
                with suppress(OSError, ValueError):
                    say(STOPPING)
        finally:
            stop.set()

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked is not None:
            # Safe at any moment: the ledger is made for processes that die.
            os._exit(1)
        # The thread that this handler interrupts may hold the locks of the event and of what is shown.
        asked = threading.Thread(target=tell, daemon=True)
        asked.start()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        if asked is not None:
            asked.join()
        for number, handler in before.items():
            signal.signal(number, handler)
