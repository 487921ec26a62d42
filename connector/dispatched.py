"""What a host holds of one run of a campaign: to look at it, to steer it, to add to it."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, Row, select, update

from connector import overview
from connector import report as reporting
from connector.config.settings import Settings
from connector.dispatch import adding, cancelling, doubt, opening, prospects
from connector.dispatch.feedback import feedback
from connector.dispatch.gathering import Added
from connector.dispatch.sending import Desk, Line
from connector.engine.worker import Worker
from connector.ledger import totals
from connector.ledger.database import Ledger
from connector.ledger.tables import BatchState, DispatchState, batches, dispatches
from connector.model.errors import NotFound, WorkerBusy
from connector.model.event import Event
from connector.model.phone import Numbers
from connector.model.recipient import Recipient
from connector.overview import DoubtfulBatch
from connector.report import Report
from connector.tracking import holds
from connector.tracking.policy import Policy

FOLLOW_SECONDS = 0.25
STILL = timedelta(seconds=60)
"""So long nothing moves where the process that drains is said to stand still."""


class Behind(Protocol):
    """What stands behind a dispatch: the connector that it came from."""

    ledger: Ledger
    policy: Policy
    settings: Settings
    _clock: Callable[[], datetime]

    @property
    def lines(self) -> Mapping[str, Line]: ...

    @property
    def desk(self) -> Desk: ...

    @property
    def _adds(self) -> adding.Intake: ...

    def worker(self, *, replies: bool = True) -> Worker: ...

    def events(self, *, after: int = -1, limit: int = 1000, dispatch: str | None = None) -> list[Event]: ...

    def _handing_over(
        self, stop: threading.Event | None = None, *, last_seconds: float | None = None
    ) -> AbstractContextManager[None]: ...

    def _row(self, number: int) -> Row[Any]: ...

    def _report(self, connection: Connection, row: Row[Any]) -> Report: ...


class Dispatch:
    """One run of a campaign over its recipients."""

    def __init__(self, connector: Behind, number: int) -> None:
        self._connector = connector
        self.number = number
        row = connector._row(number)
        self.id: str = row.id
        self.integration: str = row.integration
        self.account: str = row.account
        self.send_at: datetime | None = row.send_at
        self._followed: tuple[dict[str, int], datetime] | None = None

    def report(self) -> Report:
        """What became of everybody so far."""
        with self._connector.ledger.read() as connection:
            row = connection.execute(select(dispatches).where(dispatches.c.number == self.number)).one()
            return self._connector._report(connection, row)

    def events(self, *, after: int = -1, limit: int = 1000) -> list[Event]:
        """This dispatch's events, oldest first."""
        return self._connector.events(after=after, limit=limit, dispatch=self.id)

    def all_events(self) -> Iterator[Event]:
        """Every event so far, page by page."""
        after = -1
        while page := self.events(after=after):
            yield from page
            after = page[-1].position

    def in_doubt(self) -> list[DoubtfulBatch]:
        """The batches that may have been accepted, oldest first."""
        with self._connector.ledger.read() as connection:
            return overview.in_doubt(connection, self.number)

    def is_held_for_later(self) -> bool:
        """Whether all that is left of it waits for a time to send at that is not near."""
        with self._connector.ledger.read() as connection:
            return prospects.held_for_later(connection, self.number, now=self._connector._clock())

    def is_left_to_callbacks(self) -> bool:
        """Whether final reports are still to come that can't be asked for, while nobody takes callbacks."""
        desk = self._connector.desk
        with desk.ledger.read() as connection:
            return prospects.is_left_to_callbacks(connection, desk, self.number)

    def stands_still(self) -> bool:
        """Whether `drain` follows another process, and for a minute nothing has moved of what is to be sent."""
        if self._followed is None:
            return False
        counts, since = self._followed
        left = counts.get(totals.WAITING) or counts.get(totals.SENDING)
        return bool(left) and self._connector._clock() - since >= STILL

    def _follow(self) -> None:
        """Note what the process that drains has come to, and since when."""
        _, counts = self.progress()
        if self._followed is None or self._followed[0] != counts:
            self._followed = counts, self._connector._clock()

    def progress(self) -> tuple[str, dict[str, int]]:
        """State and counts so far, cheaply: for showing progress."""
        with self._connector.ledger.read() as connection:
            row = connection.execute(select(dispatches).where(dispatches.c.number == self.number)).one()
            counts = totals.read(connection, self.number)
        return reporting.state_of(row, counts), counts

    def drain(
        self, *, final: bool = False, stop: threading.Event | None = None, hand_over_seconds: float | None = None
    ) -> None:
        """Send what is waiting, or follow the process that does; returns when nothing more is to be waited for.

        With `final`, also until every accepted message has its last report: as long as those can be asked for, or
        somebody takes callbacks. What is in doubt is waited for only where it can be settled soon. Then all that has
        happened is handed to the sinks, also what waited for them before: for `hand_over_seconds` at most, where
        they are given.
        """
        stop = stop or threading.Event()
        with self._connector._handing_over(stop, last_seconds=hand_over_seconds):
            wait = prospects.Wait(self._connector.desk, self.number, final=final)

            def ends() -> bool:
                self._followed = None
                return not wait.goes_on()

            while wait.goes_on() and not stop.is_set():
                try:
                    worker = self._connector.worker(replies=False)
                    worker.run(until=ends, stop=stop)
                except WorkerBusy:
                    # Another process drains: follow it, and take over when it ends.
                    self._follow()
                    stop.wait(FOLLOW_SECONDS)

    def wait(self, *, stop: threading.Event | None = None) -> Report:
        """Drain or follow until every message is final or in doubt; returns the report."""
        self.drain(final=True, stop=stop)
        return self.report()

    def pause(self) -> None:
        """Send nothing more, until `resume`; what is in doubt is still looked up."""
        self._set_state(DispatchState.paused, "Paused by a person.", (DispatchState.running,))

    def resume(self) -> None:
        """Go on after a pause or a stop, of all or of some countries, the cause being mended."""
        connector = self._connector
        with connector.ledger.write() as connection:
            holds.resume(connection, self.number, now=connector._clock())

    def cancel(self) -> bool:
        """End it for good: what waits is skipped, and the worker calls back what the provider will still cancel.

        What is in doubt is looked up as ever, and never sent again. False: there is nothing to end.
        """
        connector = self._connector
        return cancelling.cancel(connector.ledger, self.number, now=connector._clock())

    def _set_state(self, state: DispatchState, cause: str | None, before: tuple[DispatchState, ...]) -> None:
        with self._connector.ledger.write() as connection:
            connection.execute(
                update(dispatches)
                .where(dispatches.c.number == self.number, dispatches.c.state.in_(before))
                .values(state=state, cause=cause)
            )

    def retry(self, verdict: str, *, batch_key: str | None = None) -> int:
        """Settle batches in doubt by a person's word: `accepted`, `resend` or `give_up`; returns how many.

        Raises `NotFound` when nothing is in doubt, or not this batch.
        """
        if verdict not in ("accepted", "resend", "give_up"):
            raise ValueError("verdict is accepted, resend or give_up")
        with self._connector.ledger.read() as connection:
            query = select(batches.c.number).where(
                batches.c.dispatch == self.number, batches.c.state == BatchState.in_doubt
            )
            if batch_key is not None:
                query = query.where(batches.c.key == batch_key)
            numbers = connection.scalars(query).all()
        if not numbers:
            what = f"the batch {batch_key}" if batch_key else "nothing"
            raise NotFound(f"Of dispatch {self.id}, {what} is {'not ' if batch_key else ''}in doubt.")
        for number in numbers:
            doubt.settle(self._connector.desk, number, verdict)
        return len(numbers)

    def feedback(self, recipients: Iterable[str]) -> int:
        """Tell the provider that these recipients did what the message was for; returns how many they are.

        Numbers in any usual spelling. Raises `NotFound` when the provider takes no feedback, `RecipientsError` with
        all those who got no message of this dispatch, before anything is told, and `ReadFailed` when the provider
        can't be told; it may all be told again.
        """
        connector = self._connector
        people = [recipients] if isinstance(recipients, str) else recipients
        numbers = Numbers(connector.settings.screening.default_region)
        return feedback(connector.ledger, connector.lines.get(self.integration), self.number, people, numbers)


class OpenDispatch(Dispatch):
    """A dispatch that messages are added to, one at a time, from any thread of any process."""

    def add(self, recipient: Recipient | Mapping[str, Any], *, key: str) -> Added:
        """Add a message; when this returns it is durable, and leaves within a moment where somebody works.

        `key` is the host's own name for the message, such as that of the order that it confirms: the same again
        adds nothing, and gives what became of the first. One person may get any number of messages.

        Raises `InputError` for what can't be read, `KeyConflict` for another message under a known key,
        `DispatchClosed` after `close` and `cancel`, and `LedgerError` where it could not be written. What was not
        added, or isn't known to be, may be added again under its key.
        """
        return self._connector._adds.add(self.number, recipient, key)

    @property
    def is_open(self) -> bool:
        """Whether messages may still be added."""
        row = self._connector._row(self.number)
        return bool(row.open) and row.state != DispatchState.cancelled

    def close(self) -> bool:
        """Take no more messages: it finishes when those that it has are sent. False: it was closed before."""
        with self._connector.ledger.write() as connection:
            return opening.close(connection, self.number, now=self._connector._clock())
