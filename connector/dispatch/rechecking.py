"""After a ledger was put back from a backup: what waits in it may have been sent since."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from connector.dispatch import opening
from connector.dispatch.sending import Desk, Line, callbacks_expected
from connector.ledger.tables import (
    BatchState,
    DispatchState,
    Task,
    attempts,
    batches,
    dispatches,
    refused_alone,
    trials,
)
from connector.tracking import standing, track

MARGIN = timedelta(hours=1)
"""How much before its dispatch was made a batch is looked for, as clocks differ."""
CAUSE = "The ledger was put back from a backup, and this batch may have been sent since."

Listed = Mapping[str, list[str]]
"""What a provider lists as accepted: our key of each batch, to its own ids of it."""


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What was found about the batches that waited."""

    waited: int
    """Batches that may have been sent since."""
    accepted: int
    """Those of them that the provider lists. The others are looked up, and sent once they are surely absent."""
    held: int
    """Those of which nobody can tell, which wait for a person's word."""
    closed: tuple[str, ...]
    """Open dispatches, by id, that were closed: what was added to them since is not known."""
    unknown: tuple[str, ...]
    """Dispatches, by id, that the provider lists and this ledger doesn't have: they were made since."""


def recheck(desk: Desk) -> Rechecked:
    """Put every batch that may have been sent since a backup in doubt, so that it is looked up before it is sent.

    What was on its way, or in doubt, at the backup counts as what waited: it may have been sent again, in parts.
    What the provider lists counts as accepted at once. A batch of which it lists parts, or whose provider can't list
    what it accepted, is held. Raises `ReadFailed` where a provider can't be asked; then nothing is changed.
    """
    with desk.ledger.read() as connection:
        asked = _asked(connection, desk.clock())
    lines = {line.provider.account: line for line in desk.lines.values()}
    listed = {account: _listed(lines.get(account), since, desk.clock()) for account, since in asked.items()}
    count: Counter[str] = Counter()
    with desk.ledger.write() as connection:
        now = desk.clock()
        found = connection.execute(_unsettled(now)).all()
        _end_trials(connection, {batch.dispatch for batch in found})
        for batch in found:
            _doubt(connection, batch, now)
            there = listed.get(batch.account)
            if there is not None and batch.key in there:
                _accept(connection, desk, lines[batch.account], batch, there[batch.key], now)
                count["accepted"] += 1
            elif (unsure := _why_nobody_can_tell(connection, batch, there)) is not None:
                connection.execute(
                    update(batches)
                    .where(batches.c.number == batch.number)
                    .values(held=True, task=None, due_at=None, last_look_up=unsure)
                )
                count["held"] += 1
            count["waited"] += 1
        closed = [
            row.id
            for row in connection.execute(select(dispatches).where(dispatches.c.open.is_(True))).all()
            if opening.close(connection, row.number, now=now)
        ]
        unknown = _unknown(connection, [key for there in listed.values() for key in there or ()])
    return Rechecked(count["waited"], count["accepted"], count["held"], tuple(closed), unknown)


def _unsettled(now: datetime) -> Select[Any]:
    """The batches that could have been sent by now, each with when its dispatch was made."""
    could_leave = batches.c.due_at.is_(None) | (batches.c.due_at <= now)
    return (
        select(batches, dispatches.c.created_at)
        .join_from(batches, dispatches, batches.c.dispatch == dispatches.c.number)
        .where(
            (batches.c.state == BatchState.waiting) & could_leave
            | batches.c.state.in_((BatchState.sending, BatchState.in_doubt)),
            dispatches.c.state != DispatchState.planning,
        )
        .order_by(batches.c.number)
    )


def _end_trials(connection: Connection, numbers: set[int]) -> None:
    """Who was refused, and why, is found out anew: what was known of it is of before."""
    connection.execute(delete(trials).where(trials.c.dispatch.in_(numbers)))
    connection.execute(delete(refused_alone).where(refused_alone.c.dispatch.in_(numbers)))
    connection.execute(
        update(batches).where(batches.c.dispatch.in_(numbers), batches.c.task == Task.trial).values(task=Task.send)
    )


def _asked(connection: Connection, now: datetime) -> dict[str, datetime]:
    """The accounts of what may have been sent, each with the time since when any of it may have been sent."""
    asked: dict[str, datetime] = {}
    for batch in connection.execute(_unsettled(now)):
        since = batch.created_at - MARGIN
        asked[batch.account] = min(since, asked.get(batch.account, since))
    return asked


def _listed(line: Line | None, since: datetime, now: datetime) -> Listed | None:
    """What the provider lists; None: it can't be asked, or is not in the configuration any more."""
    if line is None or not line.provider.supports("accepted"):
        return None
    days = line.provider.limits.listing_days
    if days is not None:
        since = max(since, now - timedelta(days=days) + MARGIN)
    found: dict[str, list[str]] = {}
    for entry in line.provider.accepted(since):
        if entry.batch_key is not None and not entry.cancelled:
            found.setdefault(entry.batch_key, []).append(entry.provider_batch_id)
    return found


def _doubt(connection: Connection, batch: Row[Any], now: datetime) -> None:
    if batch.state == BatchState.sending:
        standing.end_attempt(connection, batch, batch.attempts, "in_doubt", cause=CAUSE)
    connection.execute(
        insert(attempts).values(
            batch=batch.number, number=batch.attempts + 1, sent_at=now, deadline=now, ended="in_doubt", cause=CAUSE
        )
    )
    standing.move(
        connection,
        batch,
        BatchState.in_doubt,
        task=Task.look_up,
        due_at=now,
        attempts=batch.attempts + 1,
        # It is looked for from then on.
        first_sent_at=batch.first_sent_at or batch.created_at,
        doubt_since=batch.doubt_since or now,
        deadline=now,
        held=False,
        look_ups=0,
        good_look_ups=0,
        last_look_up=None,
    )


def _accept(connection: Connection, desk: Desk, line: Line, batch: Row[Any], copies: list[str], now: datetime) -> None:
    for copy in copies:
        track.accepted(
            connection,
            batch.number,
            provider_batch_id=copy,
            attempt=None,
            now=now,
            policy=desk.policy,
            callbacks_expected=callbacks_expected(connection, line, now),
        )


def _why_nobody_can_tell(connection: Connection, batch: Row[Any], there: Listed | None) -> str | None:
    """Why a look-up by its own key could not say that nobody of a batch was reached; None: it can."""
    if there is None:
        return "its provider can't list what it accepted, so parts of it may have been sent since the backup"
    known = set(
        connection.scalars(
            select(batches.c.key).where(batches.c.dispatch == batch.dispatch, batches.c.ordinal == batch.ordinal)
        )
    )
    whole = batch.key.rpartition("-")[0] + "-"
    parts = [key for key in there if key.startswith(whole) and key not in known]
    return f"the provider accepted parts of it that are not known here: {', '.join(parts)}" if parts else None


def _unknown(connection: Connection, keys: list[str]) -> tuple[str, ...]:
    listed = {dispatch for key in keys if (dispatch := standing.dispatch_of_key(key)) is not None}
    known = set(connection.scalars(select(dispatches.c.id).where(dispatches.c.id.in_(listed))))
    return tuple(sorted(listed - known))
