"""Adding messages to open dispatches, from any number of threads: those that come together share one commit."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.audience.lacking import Lacking
from connector.audience.reading import read_recipients
from connector.audience.screening import MessageRow, Screen, Shape
from connector.audience.sessions import Sessions
from connector.dispatch import gathering
from connector.dispatch.gathering import Added, Message
from connector.ledger.database import Ledger
from connector.model.errors import Fault, InputError, LedgerError
from connector.model.limits import MAX_BATCH_RECIPIENTS, Limits
from connector.model.recipient import Recipient

MAX_KEY_CHARACTERS = 200


def check_key(key: str) -> None:
    """Raise `InputError` for a key that can't be kept, or seen."""
    if not key.strip() or not key.isprintable() or len(key) > MAX_KEY_CHARACTERS:
        raise InputError([Fault("key", f"This must be 1 to {MAX_KEY_CHARACTERS} printable characters.")])


@dataclass(frozen=True, slots=True)
class Screening:
    """What the messages of one open dispatch are screened by."""

    screen: Screen
    limits: Limits
    lacking: Lacking
    clock: Callable[[], datetime]
    sessions: Sessions | None = None
    guard: threading.Lock = field(default_factory=threading.Lock)

    def of(self, recipient: Recipient | Mapping[str, Any], key: str) -> Message:
        """A message with its reason, where it isn't to be sent. Raises `RecipientsError` for what can't be read."""
        (read,) = read_recipients([recipient]).rows(self.screen.names)
        with self.guard:
            row = self.screen.row(0, 0, read)
            if self.sessions is not None:
                (row,) = self.sessions.screened([row], self.screen, self.clock())
            shape = list(self.screen.shapes.values())[row[2]]
            long = bool(shape.long_values)
            shape.long_values.clear()
            if row[-1] is None:
                self.lacking.note([row])
                self.lacking.refuse()
        # Within a batch all values of a parameter travel in as many pieces, and no piece may be empty.
        alone = long and min(map(len, _values(shape, row))) < self.limits.max_pieces
        most = 1 if alone else min(self.limits.batch_recipients, MAX_BATCH_RECIPIENTS)
        identities = self.screen.identities(row[6])
        return Message(key, row, shape.sender, shape.text, long, shape.outside, most, identities)


def _values(shape: Shape, row: MessageRow) -> Iterator[str]:
    content = row[6]
    for name, value in zip(shape.template.names, json.loads(content or "[]"), strict=True):
        yield shape.defaults.get(name, "") if value is None else value


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
        handed = _Handed(dispatch, self._screening(dispatch).of(recipient, key))
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
            answers = {dispatch: [error] * len(some) for dispatch, some in of_dispatch.items()}
        for dispatch, some in of_dispatch.items():
            for handed, answer in zip(some, answers[dispatch], strict=True):
                handed.answer = answer
