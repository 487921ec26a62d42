"""Signals: the first one stops in good order, the second one ends the process at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = b"Stopping: what is under way is finished first. Once more ends at once.\n"


def terminate_like_interrupt() -> None:
    """Let SIGTERM end a command as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def stopping(*, quietly: bool = False) -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets; after it, either ends the process."""
    stop = threading.Event()
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            # Safe at any moment: the ledger is made for processes that die.
            os._exit(1)
        asked = True
        # Past Python's own buffers, which this handler may have interrupted.
        if not quietly:
            os.write(2, STOPPING)
        # The thread that this handler interrupts may hold the event's lock.
        threading.Thread(target=stop.set, daemon=True).start()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
