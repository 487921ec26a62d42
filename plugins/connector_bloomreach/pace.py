"""The pace of an API that counts requests."""

import threading
import time
from collections.abc import Callable


class Pace:
    """So many turns a second, one after the other; shared by threads."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._free_at = monotonic()

    def wait(self, turns_per_second: float | None, ended: threading.Event) -> bool:
        """Wait for a turn; None: there is no pace. False: `ended` was set before."""
        if turns_per_second is None:
            return not ended.is_set()
        with self._guard:
            begins = max(self._free_at, self._monotonic())
            self._free_at = begins + 1 / turns_per_second
        return not ended.wait(max(0.0, begins - self._monotonic()))
