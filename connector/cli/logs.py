"""What the connector logs while a command runs: one sentence a line, on standard error."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from connector.cli.output import say
from connector.model.errors import Stopped

DEBUG_VARIABLE = "CONNECTOR_DEBUG"
SAID_AGAIN_AFTER_SECONDS = 60.0


def debugging() -> bool:
    """Whether the user wants tracebacks."""
    return bool(os.environ.get(DEBUG_VARIABLE))


class _Sentences(logging.Handler):
    """Prints each record as one line; the same sentence again only after a minute."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        sentence = record.getMessage() if not debugging() else self.format(record)
        now = time.monotonic()
        if now - self._said.get(sentence, -SAID_AGAIN_AFTER_SECONDS) >= SAID_AGAIN_AFTER_SECONDS:
            self._said[sentence] = now
            say(f"{record.levelname.capitalize()}: {sentence}")


@contextmanager
def without_stops() -> Iterator[None]:
    """Keep silent about what stops a dispatch: the command that follows it says so at its end."""

    def lets_pass(record: logging.LogRecord) -> bool:
        return not (isinstance(record.args, tuple) and any(isinstance(each, Stopped) for each in record.args))

    sending = logging.getLogger("connector.dispatch")
    sending.addFilter(lets_pass)
    try:
        yield
    finally:
        sending.removeFilter(lets_pass)


@contextmanager
def shown() -> Iterator[None]:
    """Print warnings and errors of `connector.*`; other libraries stay silent."""
    ours, all_others = logging.getLogger("connector"), logging.getLogger()
    sentences, silence = _Sentences(), logging.NullHandler()
    ours.addHandler(sentences)
    # Without any handler Python prints what libraries log.
    all_others.addHandler(silence)
    try:
        yield
    finally:
        ours.removeHandler(sentences)
        all_others.removeHandler(silence)
