"""What waiting for a dispatch can still bring."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, func, select, update

from connector.dispatch.doubt import GOOD_LOOK_UPS
from connector.dispatch.sending import Desk, callbacks_expected
from connector.ledger import totals
from connector.ledger.database import Ledger
from connector.ledger.tables import BatchState, DispatchState, Task, batches, dispatches, messages, trials
from connector.tracking.policy import Policy

SETTLE_PATIENCE = timedelta(seconds=120)
"""How far off a look-up that can settle a batch in doubt may be for a draining call to wait for it."""
APPEARS_WITHIN = timedelta(seconds=10)
"""How long somebody who takes callbacks is waited for: a server may be starting just now, or again, and a host's own
process shows itself with the first callback only."""
HASTEN_SECONDS = 1.0
"""How often a waiting call looks whether reports are to be asked for sooner: there may be many batches."""


class Wait:
    """One call that waits for a dispatch, asking again and again whether there is still something to wait for.

    With `final` also for the last reports: as long as somebody takes callbacks, or the provider can be asked for them.
    """

    def __init__(self, desk: Desk, dispatch: int, *, final: bool) -> None:
        self._desk = desk
        self._dispatch = dispatch
        self._final = final
        self._patient_since = desk.clock()
        self._hastens_at = desk.monotonic()

    def goes_on(self) -> bool:
        """Whether there is still something that waiting can bring. Raises `LedgerError`."""
        desk, now = self._desk, self._desk.clock()
        asks = False
        with desk.ledger.read() as connection:
            final = self._final
            line = desk.line_of(connection, self._dispatch) if final else None
            if line is not None and not callbacks_expected(connection, line, now):
                asks = line.provider.supports("poll")
                final = asks or (line.callback_base is not None and self._is_patient(connection, now))
            else:
                self._patient_since = now
            goes_on = stays(connection, self._dispatch, now=now, window=desk.policy.doubt_window, final=final)
        if goes_on and asks and desk.monotonic() >= self._hastens_at:
            self._hastens_at = desk.monotonic() + HASTEN_SECONDS
            ask_sooner(desk.ledger, self._dispatch, now=now, policy=desk.policy)
        return goes_on

    def _is_patient(self, connection: Connection, now: datetime) -> bool:
        """Whether somebody who takes callbacks may still appear."""
        window = self._desk.policy.doubt_window
        if stays(connection, self._dispatch, now=now, window=window, final=False):
            self._patient_since = now
        return abs(now - self._patient_since) < APPEARS_WITHIN


def stays(connection: Connection, dispatch: int, *, now: datetime, window: timedelta, final: bool) -> bool:
    """Whether there is still something that waiting can bring; `final`: the last reports, too.

    `window` is the doubt window.
    """
    row = connection.execute(select(dispatches.c.state).where(dispatches.c.number == dispatch)).one()
    if row.state == DispatchState.planning:
        # Who reads its recipients lets it run, and may be gone.
        return False
    counts = totals.read(connection, dispatch)
    if _has_copy_to_recheck(connection, dispatch):
        return True
    if row.state == DispatchState.cancelled and _is_called_back(connection, dispatch, now=now):
        return True
    left = any(counts.get(name) for name in (totals.WAITING, totals.SENDING, totals.IN_DOUBT))
    if left and row.state in (DispatchState.paused, DispatchState.stopped):
        return bool(counts.get(totals.SENDING))
    if counts.get(totals.SENDING):
        return True
    if counts.get(totals.WAITING) and _may_be_sent(connection, dispatch, now=now):
        return True
    if counts.get(totals.IN_DOUBT) and _settles_soon(connection, dispatch, now=now, window=window):
        return True
    return final and bool(counts.get(totals.OPEN)) and _awaits_reports(connection, dispatch)


def held_for_later(connection: Connection, dispatch: int, *, now: datetime) -> bool:
    """Whether all that is left of it waits for a time to send at that is not near."""
    row = connection.execute(select(dispatches).where(dispatches.c.number == dispatch)).one()
    if row.state != DispatchState.running or row.send_at is None or row.send_at <= now:
        return False
    of_dispatch = batches.c.dispatch == dispatch
    later = (batches.c.state == BatchState.waiting) & (batches.c.due_at > now + SETTLE_PATIENCE)
    left = (BatchState.waiting, BatchState.sending, BatchState.in_doubt)
    sooner = select(batches.c.number).where(of_dispatch, batches.c.state.in_(left), ~later).limit(1)
    any_later = select(batches.c.number).where(of_dispatch, later).limit(1)
    return connection.execute(sooner).first() is None and connection.execute(any_later).first() is not None


def _may_be_sent(connection: Connection, dispatch: int, *, now: datetime) -> bool:
    """Whether something that waits will go out, and not at a time that is far."""
    # Where nothing is left to try it on, who was refused alone waits for others to be added; a probe that is in doubt
    # is waited for as long as any other batch.
    probes = batches.alias()
    tried = exists().where(
        trials.c.dispatch == batches.c.dispatch,
        trials.c.shape == batches.c.shape,
        probes.c.number == trials.c.probe,
        probes.c.state.in_((BatchState.waiting, BatchState.sending)),
    )
    goes = select(batches.c.number).where(
        batches.c.dispatch == dispatch,
        batches.c.state == BatchState.waiting,
        (batches.c.task == Task.send) | ((batches.c.task == Task.trial) & tried),
    )
    if connection.execute(goes.limit(1)).first() is None:
        return False
    return not held_for_later(connection, dispatch, now=now)


def _has_copy_to_recheck(connection: Connection, dispatch: int) -> bool:
    """Whether a resent copy waits at the provider, to be looked up once more before it fires."""
    query = select(batches.c.number).where(
        batches.c.dispatch == dispatch, batches.c.state == BatchState.accepted, batches.c.task == Task.recheck
    )
    return connection.execute(query.limit(1)).first() is not None


def _is_called_back(connection: Connection, dispatch: int, *, now: datetime) -> bool:
    """Whether the provider is yet to be asked to cancel something."""
    query = select(batches.c.number).where(
        batches.c.dispatch == dispatch, batches.c.task == Task.cancel, batches.c.due_at <= now + SETTLE_PATIENCE
    )
    return connection.execute(query.limit(1)).first() is not None


def _settles_soon(connection: Connection, dispatch: int, *, now: datetime, window: timedelta) -> bool:
    """Whether a batch in doubt can be settled by look-ups within a short time."""
    rows = connection.execute(
        select(batches.c.deadline, batches.c.look_ups).where(
            batches.c.dispatch == dispatch, batches.c.state == BatchState.in_doubt, batches.c.held.is_(False)
        )
    )
    return any(
        row.look_ups < GOOD_LOOK_UPS or abs((row.deadline or now) + window - now) <= SETTLE_PATIENCE for row in rows
    )


def _awaits_reports(connection: Connection, dispatch: int) -> bool:
    """Whether some accepted message has no final report, and one may still come."""
    waiting = exists().where(
        batches.c.dispatch == dispatch,
        batches.c.state == BatchState.accepted,
        batches.c.task.is_not(None),
        messages.c.dispatch == batches.c.dispatch,
        messages.c.ordinal.between(batches.c.first, batches.c.last),
        messages.c.shape == batches.c.shape,
        messages.c.state.is_(None),
        messages.c.raw_status.is_(None),
    )
    return bool(connection.scalar(select(waiting)))


def is_left_to_callbacks(connection: Connection, desk: Desk, dispatch: int) -> bool:
    """Whether final reports are still to come that can't be asked for, while nobody takes callbacks."""
    line = desk.line_of(connection, dispatch)
    if line is None or line.provider.supports("poll") or callbacks_expected(connection, line, desk.clock()):
        return False
    return _awaits_reports(connection, dispatch)


def ask_sooner(ledger: Ledger, dispatch: int, *, now: datetime, policy: Policy) -> None:
    """Let the reports of a dispatch be asked for as they are where nobody takes callbacks: those were expected."""
    asked = (
        (batches.c.dispatch == dispatch)
        & (batches.c.task == Task.poll)
        & (batches.c.send_at.is_(None) | (batches.c.send_at <= now))
    )
    with ledger.read() as connection:
        latest = connection.execute(
            select(batches.c.polls, func.max(batches.c.due_at).label("due_at")).where(asked).group_by(batches.c.polls)
        ).all()
    at = {row.polls: now + policy.poll_pause(row.polls, called_back=False) for row in latest}
    if any(row.due_at > at[row.polls] for row in latest):
        with ledger.write() as connection:
            for polls, due_at in at.items():
                late = asked & (batches.c.polls == polls) & (batches.c.due_at > due_at)
                connection.execute(update(batches).where(late).values(due_at=due_at))
