"""Handing the events of the log to a sink: at least once, in order, by one reader at a time."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from connector.delivery import cursors, dead_letters, replays
from connector.delivery.choosing import Choice
from connector.delivery.cursors import Cursor
from connector.delivery.handing import Handed, Hands
from connector.extension.sink import DeadLetter, Sink
from connector.ledger import log
from connector.ledger.database import Ledger
from connector.ledger.receiving import receiver_is_there
from connector.ledger.tables import Task, batches
from connector.model.errors import ConfigurationError, ConnectorError, NotTaken, SinkStopped, without_words
from connector.model.event import Event

logger = logging.getLogger("connector.delivery")

PAGE = 4000
"""Events that are read at once: at the end of each page a sink's calls wait for one another."""
PAGE_BESIDE_OTHERS = 250
PAGE_AGAIN = 1000
"""Of what goes there again: what is new waits for so many."""
REST_BESIDE_SENDING = 9.0
"""While batches are sent, a reader rests so many times as long as it has computed: it shares the interpreter."""
REST_BESIDE_RECEIVING = 1.0
"""The same while a server takes callbacks, which must not wait."""
SAVE_SECONDS = 0.2
"""How often a reader that reads on writes down where it is: after a crash what came later is handed over again."""
SHORTEST_MEASURE_SECONDS = 1.0
REFUSED_AT_ONCE = 200


_SENDING = select(batches.c.number).where(batches.c.task == Task.overdue).limit(1)


def deliver(
    ledger: Ledger,
    name: str,
    sink: Sink,
    choice: Choice,
    *,
    clock: Callable[[], datetime],
    halted: Callable[[], bool],
    jitter: random.Random,
    although_stopped: bool = False,
) -> int:
    """Hand over what stands in the log by now, unless the sink fails or `halted` says so; returns how many events.

    The caller holds the sink's role. A sink that waits for a person is tried only with `although_stopped`. Raises
    `LedgerError`.
    """
    with ledger.read() as connection:
        cursor = cursors.read(connection, name)
        end = log.end(connection)
    if cursor.is_stopped and not although_stopped:
        return 0
    if cursor.due_at is not None and cursor.due_at > clock():
        return 0
    with Hands(sink, halted) as hands:
        turn = _Turn(ledger, name, hands, choice, cursor, clock, jitter)
        try:
            while turn.goes_on and not halted():
                new = turn.hand_new(end)
                # What goes there again is not to hold up what is new, nor the other way round.
                again = turn.goes_on and not halted() and (turn.hand_refused() or turn.hand_again())
                if not new and not again:
                    if turn.goes_on and not halted():
                        turn.find_nothing()
                    break
                if not new:
                    # What goes there again may take long, and more has come meanwhile.
                    with ledger.read() as connection:
                        end = log.end(connection)
        finally:
            turn.save()
    return turn.taken


@dataclass(frozen=True, slots=True)
class _Read:
    """Some of the log as it was read."""

    after: int
    """The position that it follows."""
    events: Sequence[Event]
    is_full: bool
    """More may stand behind it."""
    rest: float
    """How many times as long as it computes whoever hands it over is to rest."""


class _Page:
    """Some of the log on its way to a sink."""

    def __init__(self, events: Sequence[Event], position: int, ahead: frozenset[int]) -> None:
        self.events = events
        self.position = position
        """Everything up to it was taken."""
        self._ahead = set(ahead)
        self._place = 0

    def take(self, positions: set[int]) -> None:
        """These were taken."""
        self._ahead |= positions
        while self._place < len(self.events) and self.events[self._place].position in self._ahead:
            self.position = self.events[self._place].position
            self._ahead.discard(self.position)
            self._place += 1

    @property
    def ahead(self) -> frozenset[int]:
        """What was taken behind the position."""
        return frozenset(self._ahead)

    @property
    def waiting(self) -> list[Event]:
        """What was not taken yet."""
        return [event for event in self.events[self._place :] if event.position not in self._ahead]


class _Turn:
    """What a reader does from taking the role to giving it back."""

    def __init__(
        self,
        ledger: Ledger,
        name: str,
        hands: Hands,
        choice: Choice,
        cursor: Cursor,
        clock: Callable[[], datetime],
        jitter: random.Random,
    ) -> None:
        self._ledger = ledger
        self._name = name
        self._hands = hands
        self._choice = choice
        self._clock = clock
        self._jitter = jitter
        self._failures = cursor.failures
        self._at = self._saved = Cursor(cursor.position, ahead=cursor.ahead)
        self._dead: list[DeadLetter] = []
        self._next: _Read | None = None
        """What was read meanwhile."""
        self._began = time.monotonic()
        self._save_at = self._began + SAVE_SECONDS
        self.taken = 0
        self.goes_on = True

    def hand_new(self, end: int) -> bool:
        """Hand over a page of what stands up to `end`; False: there is nothing."""
        if self._at.position >= end:
            return False
        before = self._computed_seconds()
        read, self._next = self._next, None
        # Where it found nothing, something may have come since.
        if read is None or not read.events or read.after != self._at.position:
            read = self._read_after(self._at.position)
        if not read.events:
            return False
        page = _Page(read.events, read.after, self._at.ahead)

        def note(handed: Handed) -> None:
            self._at = Cursor(page.position, ahead=page.ahead)
            self._dead += handed.dead
            if time.monotonic() >= self._save_at:
                self.save()

        def read_on() -> None:
            # What goes wrong here does so again where it is told, when what is under way was written down.
            with suppress(Exception):
                self._next = self._read_after(read.events[-1].position)

        # At the end this turn is over, and what was read on would be read again.
        is_more = read.is_full and read.events[-1].position < end
        self._hand(page, note, read_on if is_more else None)
        self._hands.rest(read.rest * (self._computed_seconds() - before))
        return True

    def _read_after(self, position: int) -> _Read:
        with self._ledger.read() as connection:
            rest = self._rest(connection)
            limit = PAGE_BESIDE_OTHERS if rest else PAGE
            events = log.read(connection, after=position, limit=limit)
        return _Read(position, events, len(events) == limit, rest)

    def _computed_seconds(self) -> float:
        return time.thread_time() + self._hands.elsewhere_seconds

    def _rest(self, connection: Connection) -> float:
        """How many times as long as it computes this is to rest, so that it holds up nobody."""
        if connection.execute(_SENDING).first() is not None:
            return REST_BESIDE_SENDING
        return REST_BESIDE_RECEIVING if receiver_is_there(connection, self._clock()) else 0.0

    def save(self) -> None:
        """Write down how far it is with what is new."""
        if self._at != self._saved:
            with self._ledger.write() as connection:
                self._keep(connection, self._dead)
                cursors.advance(connection, self._name, self._at)
                self._note_success(connection)
            self._saved, self._dead = self._at, []
        self._save_at = time.monotonic() + SAVE_SECONDS

    def _note_success(self, connection: Connection) -> None:
        measured_seconds = max(time.monotonic() - self._began, SHORTEST_MEASURE_SECONDS)
        cursors.took(connection, self._name, now=self._clock(), events_per_second=self.taken / measured_seconds)

    def find_nothing(self) -> None:
        """Nothing is left for it: what it failed to take was given up or has come some other way."""
        if self._failures and not self.taken:
            with self._ledger.write() as connection:
                cursors.be_well(connection, self._name)

    def hand_refused(self) -> bool:
        """Hand over what it refused before and is to be tried once more; False: there is nothing."""
        with self._ledger.read() as connection:
            refused = dead_letters.due(connection, self._name, REFUSED_AT_ONCE)
        unwanted = {event.position for event in refused if not self._choice.wants(event)}
        if unwanted:
            # What it gets was narrowed since.
            with self._ledger.write() as connection:
                dead_letters.leave(connection, self._name, unwanted)
        wanted = [event for event in refused if event.position not in unwanted]
        if not wanted:
            return bool(unwanted)

        def note(handed: Handed) -> None:
            with self._ledger.write() as connection:
                self._settle(connection, handed)

        self._hand(_Page(wanted, cursors.BEGINNING, frozenset()), note)
        return True

    def hand_again(self) -> bool:
        """Hand over a page of what goes there again; False: there is nothing."""
        before = self._computed_seconds()
        with self._ledger.read() as connection:
            replay = replays.first(connection, self._name)
            if replay is None:
                return False
            rest = self._rest(connection)
            limit = PAGE_BESIDE_OTHERS if rest else PAGE_AGAIN
            read = log.read(connection, after=replay.position, limit=limit, dispatch=replay.dispatch)
            found = [event for event in read if event.position <= replay.until]
        if not found:
            with self._ledger.write() as connection:
                replays.end(connection, replay.number)
            return True
        page = _Page(found, replay.position, replay.ahead)

        def note(handed: Handed) -> None:
            with self._ledger.write() as connection:
                self._settle(connection, handed)
                replays.advance(connection, replay.number, page.position, page.ahead)

        self._hand(page, note)
        self._hands.rest(rest * (self._computed_seconds() - before))
        return True

    def _hand(self, page: _Page, note: Callable[[Handed], None], meanwhile: Callable[[], None] | None = None) -> None:
        """Hand a page over; `note` is called with what is newly done."""
        waiting = page.waiting
        try:
            wanted = [self._choice.shown(event) for event in waiting if self._choice.wants(event)]
        except ConfigurationError as error:
            self._fail(SinkStopped(str(error)))
            return
        # Of a page that was larger once, all may have been taken before: then nothing waits.
        if len(wanted) < len(waiting) or not waiting:
            page.take({event.position for event in waiting} - {event.position for event in wanted})
            note(Handed())

        def after(new: Handed) -> None:
            if not new.done:
                return
            page.take({event.position for event in new.done})
            self.taken += len(new.done)
            note(new)

        tries_first = self._failures > 0 and self.taken == 0
        handed = self._hands.hand(wanted, tries_first=tries_first, after=after, meanwhile=meanwhile)
        if handed.error is not None:
            self._fail(handed.error)

    def _settle(self, connection: Connection, handed: Handed) -> None:
        """Of what was handed over once more: what was taken is refused no longer, and the rest is once more."""
        refused = {letter.event.position for letter in handed.dead if not letter.left_out}
        dead_letters.settle(connection, self._name, {event.position for event in handed.done} - refused)
        self._keep(connection, handed.dead)
        if handed.done:
            self._note_success(connection)

    def _keep(self, connection: Connection, dead: Sequence[DeadLetter]) -> None:
        kept = list({letter.event.position: letter for letter in dead if not letter.left_out}.values())
        left_out = sum(letter.left_out for letter in dead)
        if left_out:
            logger.info(
                "The sink %s left out %s, naming nobody that its platform knows.", self._name, _events(left_out)
            )
            cursors.leave_out(connection, self._name, left_out)
        if kept:
            logger.warning(
                "The sink %s refused %s for good; `connector sinks %s` shows why.",
                self._name,
                _events(len(kept)),
                self._name,
            )
            dead_letters.keep(connection, self._name, kept, now=self._clock())

    def _fail(self, error: BaseException) -> None:
        self.goes_on = False
        self.save()
        known = isinstance(error, ConnectorError)
        # The words of a foreign error may name people.
        trouble = str(error) if known else f"It raised {type(error).__name__}."
        told = error if known else without_words(error)
        failures = 1 + (self._failures if self.taken == 0 else 0)
        due_at = None
        if isinstance(error, SinkStopped):
            logger.error(
                "The sink %s is stopped, and its events wait; `connector sinks --resume %s` when this is mended: %s",
                self._name,
                self._name,
                told,
            )
        else:
            pause = cursors.pause_after(failures, self._hands.waits_seconds, self._jitter)
            if isinstance(error, NotTaken) and error.retry_after_seconds is not None:
                pause = max(pause, timedelta(seconds=error.retry_after_seconds))
            due_at = self._clock() + pause
            logger.error(
                "The sink %s did not take its events; they come again in %.1f seconds: %s",
                self._name,
                pause.total_seconds(),
                told,
            )
        cursor = Cursor(self._at.position, failures, due_at, self._at.ahead, isinstance(error, SinkStopped))
        with self._ledger.write() as connection:
            cursors.fail(connection, self._name, cursor, trouble)


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
