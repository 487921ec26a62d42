"""Adding messages to open dispatches, from any number of threads: those that come together share one commit."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.audience.reading import read_recipients
from connector.audience.screening import Screen
from connector.dispatch import gathering
from connector.dispatch.gathering import Added, Message
from connector.ledger.database import Ledger
from connector.model.errors import Fault, InputError, LedgerError
from connector.model.recipient import Recipient

MAX_KEY_CHARACTERS = 200


def check_key(key: str) -> None:
    """Raise `InputError` for a key that can't be kept."""
    if not key or len(key) > MAX_KEY_CHARACTERS:
        raise InputError([Fault("key", f"This must be a text of 1 to {MAX_KEY_CHARACTERS} characters.")])


@dataclass(frozen=True, slots=True)
class Screening:
    """What the messages of one open dispatch are screened by."""

    screen: Screen
    batch_messages: int
    """How many messages a batch carries."""
    guard: threading.Lock = field(default_factory=threading.Lock)

    def of(self, dispatch: int, recipient: Recipient | Mapping[str, Any], key: str) -> Message:
        """A message with its reason, where it isn't to be sent. Raises `RecipientsError` for what can't be read."""
        (read,) = read_recipients([recipient]).rows(self.screen.names)
        with self.guard:
            row = self.screen.row(dispatch, 0, read)
            shape = list(self.screen.shapes.values())[row[2]]
            # How others' values are cut can't be known yet, so one that has to be is sent by itself.
            alone = bool(shape.long_values)
            shape.long_values.clear()
        return Message(key, row, shape.sender, shape.text, 1 if alone else self.batch_messages)


@dataclass(slots=True)
class _Handed:
    """A message, and what its thread waits for."""

    dispatch: int
    message: Message
    answer: Added | Exception | None = None


class Intake:
    """Takes messages of all threads of a process. `screening_of` gives what a dispatch's are screened by, once."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime], screening_of: Callable[[int], Screening]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._screening_of = screening_of
        self._screenings: dict[int, Screening] = {}
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._handed: list[_Handed] = []

    def add(self, dispatch: int, recipient: Recipient | Mapping[str, Any], key: str) -> Added:
        """Screen a message and make it durable; the same key again gives what became of the first.

        Raises `RecipientsError` for what can't be read, `KeyConflict` for another message under the same key,
        `DispatchClosed` where nothing may be added any more, and `LedgerError` where it could not be written.
        """
        check_key(key)
        handed = _Handed(dispatch, self._screening(dispatch).of(dispatch, recipient, key))
        with self._guard:
            self._handed.append(handed)
        # A commit takes longer than all the rest: whoever comes first writes what came meanwhile, too.
        with self._writing:
            if handed.answer is None:
                with self._guard:
                    together, self._handed = self._handed, []
                self._write(together)
        if isinstance(handed.answer, Added):
            return handed.answer
        raise handed.answer or LedgerError("The thread that wrote it was interrupted: add it again, under its key.")

    def _screening(self, dispatch: int) -> Screening:
        with self._guard:
            known = self._screenings.get(dispatch)
        if known is not None:
            return known
        made = self._screening_of(dispatch)
        with self._guard:
            return self._screenings.setdefault(dispatch, made)

    def _write(self, together: Sequence[_Handed]) -> None:
        """Write messages in one transaction, and answer each when all of them are durable."""
        of_dispatch: dict[int, list[_Handed]] = {}
        for handed in together:
            of_dispatch.setdefault(handed.dispatch, []).append(handed)
        answers: dict[int, list[Added | Exception]] = {}
        try:
            with self._ledger.write(urgent=True) as connection:
                for dispatch, some in of_dispatch.items():
                    answers[dispatch] = gathering.store(
                        connection, dispatch, [handed.message for handed in some], now=self._clock()
                    )
        except Exception as error:
            if len(together) > 1 and not isinstance(error, LedgerError):
                # One of them may be to blame: it alone is refused.
                for handed in together:
                    self._write([handed])
                return
            answers = {dispatch: [error] * len(some) for dispatch, some in of_dispatch.items()}
        for dispatch, some in of_dispatch.items():
            for handed, answer in zip(some, answers[dispatch], strict=True):
                handed.answer = answer
