"""What a refusal means for a batch: for some of its recipients, for none of them, or, by trying, for whom.

A refusal that doesn't say whom it concerns is found out about by halves, down to single recipients. While
nothing has shown since that the provider takes this sender and text, that is a trial: one request at a time
goes out, and whatever shares the two waits. One that is accepted ends it, and who was refused alone has
failed. Recipients from different parts who are refused alike, with nothing accepted between, show that it
isn't them: the dispatch stops, and nobody has failed. To an open dispatch others may yet be added: who is refused
alone there waits for what becomes of them.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from connector.ledger import log, totals
from connector.ledger.tables import (
    BatchState,
    DispatchState,
    MessageState,
    Task,
    attempts,
    batches,
    dispatches,
    messages,
    refused_alone,
    trials,
)
from connector.model.event import EventKind, Status, StatusCodeSource
from connector.model.outcome import Refused, Scope
from connector.tracking.outcomes import is_cancelled, returned, stopped
from connector.tracking.standing import batch_by_number, end_attempt, integration_name, move, part_of

_OVER = (BatchState.split, BatchState.refused, BatchState.cancelled, BatchState.given_up)

ENOUGH = 3
"""So many recipients from different parts, refused alike, show that it is the campaign."""
PATIENCE = timedelta(days=1)
"""How long who was refused alone waits for others to be added to an open dispatch."""


def refused(connection: Connection, number: int, *, attempt: int, outcome: Refused, now: datetime) -> None:
    """The provider surely refused the batch.

    Recipients that it points at have failed, and the rest goes again as a new batch. Where it concerns the
    campaign or the account, the dispatch stops, with nobody failed; where it doesn't say, the batch is halved.
    """
    batch = batch_by_number(connection, number)
    if batch.state != BatchState.sending or batch.attempts != attempt:
        # It came so late that the batch is in doubt, or on its way again.
        end_attempt(connection, batch, attempt, "refused", cause=outcome.sentence())
        return
    if is_cancelled(connection, batch.dispatch):
        returned(connection, number, attempt=attempt, ended="refused", cause=outcome.sentence(), now=now, due_at=now)
        return
    rows = connection.execute(log.members(batch)).all()
    places = sorted(set(outcome.recipients))
    if outcome.scope is Scope.recipient and places and places[-1] < len(rows):
        end_attempt(connection, batch, attempt, "refused", cause=outcome.sentence())
        _without(connection, batch, rows, places, outcome, now)
        advance(connection, batch.dispatch, batch.shape, now=now)
    elif outcome.scope in (Scope.campaign, Scope.account):
        returned(connection, number, attempt=attempt, ended="refused", cause=outcome.sentence(), now=now, due_at=now)
        stopped(connection, batch.dispatch, DispatchState.stopped, outcome.sentence())
    else:
        _find_out(connection, batch, rows, attempt, outcome, now)


def _find_out(
    connection: Connection, batch: Row[Any], rows: Sequence[Row[Any]], attempt: int, outcome: Refused, now: datetime
) -> None:
    """Somebody in the batch, or all of it, was refused, and it isn't said who."""
    trial = _trial(connection, batch.dispatch, batch.shape)
    if trial is None and not _accepted_since(connection, batch, attempt):
        trial = _begin(connection, batch)
    if len(rows) > 1:
        end_attempt(connection, batch, attempt, "refused", cause=outcome.sentence())
        middle = (len(rows) + 1) // 2
        task = Task.send if trial is None else Task.trial
        move(connection, batch, BatchState.split, task=None, due_at=None)
        halves = [part_of(connection, batch, half, task, now) for half in (rows[:middle], rows[middle:])]
        if trial is not None and _probes(trial, batch):
            _probe(connection, batch.dispatch, batch.shape, halves[0])
    elif trial is None:
        end_attempt(connection, batch, attempt, "refused", cause=outcome.sentence())
        _fail(connection, batch, rows, outcome, now)
        move(connection, batch, BatchState.refused, task=None, due_at=None)
    else:
        returned(
            connection, batch.number, attempt=attempt, ended="refused", cause=outcome.sentence(), now=now, due_at=now
        )
        _wait(connection, batch.number)
        connection.execute(
            insert(refused_alone).values(
                batch=batch.number,
                dispatch=batch.dispatch,
                shape=batch.shape,
                descent=trial.descents,
                status_code=outcome.status_code,
                error=outcome.error,
                comment=outcome.comment,
            )
        )
        if _probes(trial, batch):
            _next(connection, batch, now)


def _probes(trial: Row[Any], batch: Row[Any]) -> bool:
    """Whether the trial goes on with what became of a batch: of one that was on its way before, it doesn't."""
    return trial.probe is None or bool(trial.probe == batch.number)


# Trials


def accepted(connection: Connection, dispatch: int, shape: int, *, now: datetime) -> None:
    """The provider took a batch of this sender and text: who was refused alone has failed, the others go out."""
    if connection.execute(_TRIAL, {"dispatch": dispatch, "shape": shape}).first() is not None:
        _end(connection, dispatch, shape, now)


def advance(connection: Connection, dispatch: int, shape: int, *, now: datetime) -> None:
    """Go on with a trial whose probe came to nothing: expired, given up, held, or refused for whom it pointed at."""
    trial = _trial(connection, dispatch, shape)
    if trial is None:
        return
    probe = None if trial.probe is None else batch_by_number(connection, trial.probe)
    if probe is None or probe.state in _OVER or probe.held:
        child = None if probe is None else _waiting_child(connection, probe)
        if child is None:
            _next(connection, probe or trial, now)
        else:
            _probe(connection, dispatch, shape, child)


def on_trial(connection: Connection, dispatch: int, shape: int) -> bool:
    """Whether one batch of this sender and text is sent at a time."""
    return _trial(connection, dispatch, shape) is not None


# Looked for at every batch that is accepted: built once, as building it costs more than running it.
_TRIAL = select(trials).where(trials.c.dispatch == bindparam("dispatch"), trials.c.shape == bindparam("shape"))


def _trial(connection: Connection, dispatch: int, shape: int) -> Row[Any] | None:
    return connection.execute(_TRIAL, {"dispatch": dispatch, "shape": shape}).first()


def _accepted_since(connection: Connection, batch: Row[Any], attempt: int) -> bool:
    """Whether the provider took another batch of this sender and text after this one was sent."""
    sent_at = connection.scalar(
        select(attempts.c.sent_at).where(attempts.c.batch == batch.number, attempts.c.number == attempt)
    )
    query = select(batches.c.number).where(
        batches.c.dispatch == batch.dispatch,
        batches.c.state == BatchState.accepted,
        batches.c.shape == batch.shape,
        batches.c.accepted_at >= sent_at,
    )
    return connection.execute(query.limit(1)).first() is not None


def _begin(connection: Connection, batch: Row[Any]) -> Row[Any]:
    """Hold back whatever shares the sender and text of a batch, which is the first probe."""
    connection.execute(
        insert(trials).values(dispatch=batch.dispatch, shape=batch.shape, probe=batch.number, descents=1)
    )
    connection.execute(
        update(batches)
        .where(
            batches.c.dispatch == batch.dispatch,
            batches.c.shape == batch.shape,
            batches.c.state == BatchState.waiting,
            batches.c.task == Task.send,
        )
        .values(task=Task.trial)
    )
    trial = _trial(connection, batch.dispatch, batch.shape)
    assert trial is not None
    return trial


def _wait(connection: Connection, number: int) -> None:
    connection.execute(update(batches).where(batches.c.number == number).values(task=Task.trial))


def _probe(connection: Connection, dispatch: int, shape: int, number: int, *, descends: bool = False) -> None:
    """Send one of those that wait; `descends`: it begins anew in another part."""
    of_trial = (trials.c.dispatch == dispatch) & (trials.c.shape == shape)
    connection.execute(
        update(trials).where(of_trial).values(probe=number, descents=trials.c.descents + (1 if descends else 0))
    )
    connection.execute(update(batches).where(batches.c.number == number).values(task=Task.send))


def _waiting_child(connection: Connection, parent: Row[Any]) -> int | None:
    """A part of a split batch that waits; some of its messages may be in another shape since."""
    query = select(batches.c.number).where(
        batches.c.parent == parent.number, batches.c.shape == parent.shape, batches.c.state == BatchState.waiting
    )
    return connection.scalar(query.order_by(batches.c.number).limit(1))


def _next(connection: Connection, last: Row[Any], now: datetime) -> None:
    """After somebody was refused alone: the neighbours first, then another part; or the verdict."""
    dispatch, shape = last.dispatch, last.shape
    alone = connection.execute(
        select(refused_alone).where(refused_alone.c.dispatch == dispatch, refused_alone.c.shape == shape)
    ).all()
    alike: dict[tuple[int, str | None], set[int]] = {}
    for row in alone:
        alike.setdefault((row.status_code, row.error), set()).add(row.descent)
    of_trial = select(batches.c.number).where(
        batches.c.dispatch == dispatch,
        batches.c.shape == shape,
        batches.c.state == BatchState.waiting,
        batches.c.task == Task.trial,
        batches.c.number.not_in(select(refused_alone.c.batch).where(refused_alone.c.dispatch == dispatch)),
    )
    if max(map(len, alike.values()), default=0) < ENOUGH:
        parent = getattr(last, "parent", None)
        if parent is not None:
            neighbour = connection.scalar(of_trial.where(batches.c.parent == parent).limit(1))
            if neighbour is not None:
                _probe(connection, dispatch, shape, neighbour)
                return
        # Parts of what was split already come before batches that are whole.
        largest = of_trial.order_by(batches.c.parent.is_(None), batches.c.size.desc(), batches.c.number)
        other = connection.scalar(largest.limit(1))
        if other is not None:
            _probe(connection, dispatch, shape, other, descends=True)
            return
        under_way = select(batches.c.number).where(
            batches.c.dispatch == dispatch,
            batches.c.shape == shape,
            batches.c.state.in_((BatchState.sending, BatchState.in_doubt)),
        )
        if _takes_more(connection, dispatch) or connection.execute(under_way.limit(1)).first() is not None:
            # The trial goes on with what becomes of those, or with who is added next.
            connection.execute(
                update(trials).where(trials.c.dispatch == dispatch, trials.c.shape == shape).values(probe=None)
            )
            return
        codes = Counter((row.status_code, row.error) for row in alone)
        if max(codes.values(), default=0) < ENOUGH or _ever_accepted(connection, dispatch, shape):
            _end(connection, dispatch, shape, now)
            return
    _stop(connection, dispatch, shape, alone)


def lapse(connection: Connection, *, now: datetime) -> None:
    """Who was refused alone in an open dispatch, to which nobody was added for long, has failed."""
    waited = (
        select(trials.c.dispatch, trials.c.shape)
        .join_from(trials, refused_alone, trials.c.dispatch == refused_alone.c.dispatch)
        .join(batches, batches.c.number == refused_alone.c.batch)
        .where(trials.c.probe.is_(None), trials.c.shape == refused_alone.c.shape, batches.c.due_at <= now - PATIENCE)
        .distinct()
    )
    for dispatch, shape in connection.execute(waited).all():
        if _takes_more(connection, dispatch):
            _end(connection, dispatch, shape, now)


def closed(connection: Connection, dispatch: int, *, now: datetime) -> None:
    """Nobody is added to an open dispatch any more: trials go on without."""
    for shape in connection.scalars(select(trials.c.shape).where(trials.c.dispatch == dispatch)).all():
        advance(connection, dispatch, shape, now=now)


def _takes_more(connection: Connection, dispatch: int) -> bool:
    return bool(connection.scalar(select(dispatches.c.open).where(dispatches.c.number == dispatch)))


def _ever_accepted(connection: Connection, dispatch: int, shape: int) -> bool:
    query = select(batches.c.number).where(
        batches.c.dispatch == dispatch, batches.c.state == BatchState.accepted, batches.c.shape == shape
    )
    return connection.execute(query.limit(1)).first() is not None


def _end(connection: Connection, dispatch: int, shape: int, now: datetime) -> None:
    """It is not the campaign: who was refused alone has failed."""
    for row in connection.execute(
        select(refused_alone).where(refused_alone.c.dispatch == dispatch, refused_alone.c.shape == shape)
    ).all():
        batch = batch_by_number(connection, row.batch)
        if batch.state != BatchState.waiting:
            continue
        refusal = Refused(Scope.recipient, row.status_code, row.error, row.comment)
        _fail(connection, batch, connection.execute(log.members(batch)).all(), refusal, now)
        move(connection, batch, BatchState.refused, task=None, due_at=None)
    _release(connection, dispatch, shape)


def _stop(connection: Connection, dispatch: int, shape: int, alone: Sequence[Row[Any]]) -> None:
    """It is the campaign: nobody has failed, and all of them wait."""
    refusal = Refused(Scope.campaign, alone[0].status_code, alone[0].error, alone[0].comment)
    _release(connection, dispatch, shape)
    stopped(
        connection,
        dispatch,
        DispatchState.stopped,
        f"{refusal.sentence()} It refused {len(alone)} recipients one by one in the same words, so it is not about "
        f"them: check the campaign's sender, text and times.",
    )


def _release(connection: Connection, dispatch: int, shape: int) -> None:
    connection.execute(
        delete(refused_alone).where(refused_alone.c.dispatch == dispatch, refused_alone.c.shape == shape)
    )
    connection.execute(delete(trials).where(trials.c.dispatch == dispatch, trials.c.shape == shape))
    connection.execute(
        update(batches)
        .where(
            batches.c.dispatch == dispatch,
            batches.c.shape == shape,
            batches.c.state == BatchState.waiting,
            batches.c.task == Task.trial,
        )
        .values(task=Task.send)
    )


# Parts of a batch


def _without(
    connection: Connection,
    batch: Row[Any],
    rows: Sequence[Row[Any]],
    places: Sequence[int],
    outcome: Refused,
    now: datetime,
) -> None:
    """Those that a refusal points at have failed; the rest goes again as a new batch."""
    wrong = [rows[place] for place in places]
    pointed_at = set(places)
    rest = [row for place, row in enumerate(rows) if place not in pointed_at]
    _fail(connection, batch, wrong, outcome, now)
    move(connection, batch, BatchState.split if rest else BatchState.refused, task=None, due_at=None)
    if rest:
        part_of(connection, batch, rest, Task.send, now)


def _fail(connection: Connection, batch: Row[Any], rows: Sequence[Row[Any]], refusal: Refused, now: datetime) -> None:
    """The provider doesn't take these messages."""
    connection.execute(
        update(messages)
        .where(messages.c.dispatch == batch.dispatch, messages.c.ordinal == bindparam("o"))
        .values(
            state=MessageState.enqueue_failed,
            status_code=refusal.status_code,
            status_code_source=StatusCodeSource.http,
        ),
        [{"o": row.ordinal} for row in rows],
    )
    integration = integration_name(connection, batch.dispatch)
    log.append(
        connection,
        [
            {
                "kind": EventKind.message,
                "status": Status.enqueue_failed,
                "integration": integration,
                "dispatch": batch.dispatch,
                "ordinal": row.ordinal,
                "size": 1,
                "occurred_at": now,
                "recorded_at": now,
                "status_code": refusal.status_code,
                "status_code_source": StatusCodeSource.http,
                "error": refusal.error,
                "comment": refusal.comment,
            }
            for row in rows
        ],
    )
    code = totals.code_name(Status.enqueue_failed, StatusCodeSource.http, refusal.status_code, refusal.error)
    totals.add(connection, batch.dispatch, {totals.ENQUEUE_FAILED: len(rows), code: len(rows)})
