"""Batches in doubt: finding out what became of them, and what to do when they surely never arrived."""

import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from connector.dispatch import pace
from connector.dispatch.sending import Desk, Line, callbacks_expected, is_unlisted, load
from connector.ledger.tables import BatchState, Task, accounts, attempts, batches
from connector.model.batch import Batch
from connector.model.errors import ConnectorError, NotFound, without_words
from connector.model.event import SkipReason
from connector.model.outcome import Found, FoundState
from connector.tracking import copies, outcomes, refusals, standing, track
from connector.tracking.policy import OnAbsent

logger = logging.getLogger("connector.dispatch")

GOOD_LOOK_UPS = 3
WITNESSES = 3
"""So many batches that are known are looked for in the list: somebody may have cancelled one of them elsewhere."""
CANDIDATES = 500
"""So many are looked through for them at a time, where it isn't noted yet that no list can show some."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 120.0


def overdue(desk: Desk, number: int) -> None:
    """The worker that claimed a batch is dead or late: the batch is in doubt."""
    now = desk.clock()
    with desk.ledger.write() as connection:
        batch = standing.batch_by_number(connection, number)
        if batch.state == BatchState.sending and batch.due_at <= now:
            _doubt_dead(connection, batch, now)


def recover(desk: Desk) -> int:
    """After the role of worker was taken: what is still `sending` was left by a dead process."""
    now = desk.clock()
    with desk.ledger.write() as connection:
        left = connection.execute(select(batches).where(batches.c.state == BatchState.sending)).all()
        for batch in left:
            _doubt_dead(connection, batch, now)
    return len(left)


def _doubt_dead(connection: Connection, batch: Row[Any], now: datetime) -> None:
    outcomes.doubted(
        connection,
        batch.number,
        attempt=batch.attempts,
        cause="The process that sent it ended, or was held up, before the outcome was written.",
        now=now,
        due_at=now,
    )


def _find(desk: Desk, line: Line, number: int) -> Found:
    """Ask the provider for a batch; whatever goes wrong, nothing can be told."""
    if not line.provider.supports("find"):
        return Found(FoundState.cannot_tell, cause=line.provider.declines["find"])
    with desk.ledger.read() as connection:
        batch = load(connection, number, clock=desk.clock)
    return _found(desk, line, batch)


def _found(desk: Desk, line: Line, batch: Batch) -> Found:
    days = line.provider.limits.listing_days
    if days is not None and desk.clock() - batch.first_sent_at > timedelta(days=days):
        return Found(FoundState.cannot_tell, cause="it was sent longer ago than the provider can be asked about")
    try:
        return line.provider.find(batch)
    except ConnectorError as error:
        return Found(FoundState.cannot_tell, cause=str(error))
    except (Exception, SystemExit) as error:
        logger.error(
            "The plugin of %s failed while it looked up batch %s: %s",
            line.provider.name,
            batch.key,
            without_words(error),
        )
        return Found(FoundState.cannot_tell, cause=f"the plugin failed: {type(error).__name__}")


def prove_look_up(desk: Desk, line: Line) -> bool:
    """Whether look-up is known to work on this account; if not yet, try it on a batch that was accepted."""
    account = line.provider.account
    oldest = desk.clock() - timedelta(days=line.provider.limits.listing_days or 3650)
    with desk.ledger.read() as connection:
        if connection.scalar(select(accounts.c.look_up_proven_at).where(accounts.c.name == account)):
            return True
    # The list may lag behind: the oldest that it still has shows best.
    known = _accepted(account).where(batches.c.first_sent_at > oldest).order_by(batches.c.accepted_at)
    if not _shows_one(desk, line, known):
        return False
    with desk.ledger.write() as connection:
        pace.look_up_proven(connection, account, desk.clock())
    return True


def _listing_reaches(desk: Desk, line: Line, sent_at: datetime) -> bool:
    """Whether the listing shows a batch of ours that was accepted later, where there is one that it can show."""
    later = (
        _accepted(line.provider.account)
        .join(attempts, attempts.c.batch == batches.c.number)
        .where(attempts.c.provider_batch_id == batches.c.provider_batch_id, attempts.c.sent_at > sent_at)
        .order_by(attempts.c.sent_at)
    )
    return _shows_one(desk, line, later) is not False


def _accepted(account: str) -> Select[Any]:
    """The accepted batches of an account, but those that the provider is known not to show."""
    return select(batches.c.number, batches.c.provider_batch_id).where(
        batches.c.account == account,
        batches.c.state == BatchState.accepted,
        batches.c.provider_batch_id.is_not(None),
        # What was called back is listed as such, and found no more.
        batches.c.cancelled_at.is_(None),
        batches.c.unlisted.is_not(True),
    )


def _shows_one(desk: Desk, line: Line, known: Select[Any]) -> bool | None:
    """Whether the provider shows one of the first few of these batches; None: it could show none of them."""
    with desk.ledger.read() as connection:
        candidates = connection.execute(known.limit(CANDIDATES)).all()
    asked, shown, unlisted = 0, False, []
    for candidate in candidates:
        with desk.ledger.read() as connection:
            batch = load(connection, candidate.number, clock=desk.clock)
        if is_unlisted(line, batch):
            unlisted.append(candidate.number)
            continue
        asked += 1
        shown = candidate.provider_batch_id in _found(desk, line, batch).provider_batch_ids
        if shown or asked == WITNESSES:
            break
    if unlisted:
        # Of what was sent by an earlier version, or was accepted by a report alone, it isn't noted yet.
        with desk.ledger.write() as connection:
            connection.execute(update(batches).where(batches.c.number.in_(unlisted)).values(unlisted=True))
    return shown if asked or len(candidates) == CANDIDATES else None


def look_up(desk: Desk, number: int) -> None:
    """Look a batch in doubt up, and act on what is found."""
    with desk.ledger.read() as connection:
        before = standing.batch_by_number(connection, number)
        line = desk.line_of(connection, before.dispatch)
        sent_at = connection.scalar(
            select(attempts.c.sent_at).where(attempts.c.batch == number).order_by(attempts.c.number.desc()).limit(1)
        )
    if before.state != BatchState.in_doubt:
        return
    if line is None or line.provider.account != before.account:
        found = Found(FoundState.cannot_tell, cause="its integration or account is not in the configuration any more")
    else:
        found = _find(desk, line, number)
        if found.state is FoundState.absent:
            if not prove_look_up(desk, line):
                found = Found(
                    FoundState.cannot_tell, cause="looking up by reference was not yet seen to work on this account"
                )
            elif not _listing_reaches(desk, line, sent_at or before.first_sent_at):
                found = Found(FoundState.cannot_tell, cause="the provider's list doesn't show a later batch yet")
    now = desk.clock()
    with desk.ledger.write() as connection:
        batch = standing.batch_by_number(connection, number)
        if batch.state != BatchState.in_doubt:
            return
        if found.state is FoundState.accepted and line is not None:
            pace.look_up_proven(connection, batch.account, now)
            for copy in found.provider_batch_ids:
                track.accepted(
                    connection,
                    number,
                    provider_batch_id=copy,
                    attempt=None,
                    now=now,
                    policy=desk.policy,
                    callbacks_expected=callbacks_expected(connection, line, now),
                )
            return
        good = batch.good_look_ups + (1 if found.state is FoundState.absent else 0)
        settle_at = (batch.deadline or now) + desk.policy.doubt_window
        said = "not there" if found.state is FoundState.absent else f"can't tell: {found.cause}"
        values: dict[str, Any] = {"look_ups": batch.look_ups + 1, "good_look_ups": good, "last_look_up": said}
        if found.state is FoundState.absent and good >= GOOD_LOOK_UPS and now >= settle_at:
            if outcomes.is_cancelled(connection, batch.dispatch):
                connection.execute(update(batches).where(batches.c.number == number).values(**values))
                outcomes.withdrawn(connection, number, SkipReason.cancelled, now=now)
                return
            if desk.policy.on_absent is OnAbsent.resend:
                connection.execute(update(batches).where(batches.c.number == number).values(**values))
                standing.move(connection, batch, BatchState.waiting, task=Task.send, due_at=now)
                logger.warning("A batch never reached the provider; it is sent again.")
                return
            values |= {"held": True, "task": None, "due_at": None}
            connection.execute(update(batches).where(batches.c.number == number).values(**values))
            refusals.advance(connection, batch.dispatch, batch.shape, now=now)
            return
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(batch.look_ups, 20))
        due_at = now + timedelta(seconds=pause)
        if now < settle_at < due_at:
            due_at = settle_at
        values["due_at"] = due_at
        connection.execute(update(batches).where(batches.c.number == number).values(**values))


def recheck(desk: Desk, number: int) -> None:
    """Before a resent copy fires, or when two are known: keep the oldest copy and cancel the others."""
    with desk.ledger.read() as connection:
        before = standing.batch_by_number(connection, number)
        line = desk.line_of(connection, before.dispatch)
        tried = connection.execute(select(attempts).where(attempts.c.batch == number).order_by(attempts.c.number)).all()
    if before.state != BatchState.accepted:
        return
    known = line is not None and line.provider.account == before.account
    found = _find(desk, line, number) if line is not None and known else Found(FoundState.cannot_tell)
    now = desk.clock()
    fires_at = max((row.send_at for row in tried if row.send_at and row.ended != standing.ENDED_CANCELLED), default=now)
    sure = found.state is not FoundState.cannot_tell or now >= fires_at
    live: list[str] = []
    if sure:
        cancelled = {row.provider_batch_id for row in tried if row.ended == standing.ENDED_CANCELLED}
        live = [copy for copy in found.provider_batch_ids if copy not in cancelled]
        live += [
            row.provider_batch_id
            for row in tried
            if row.ended in (standing.ENDED_ACCEPTED, standing.ENDED_CANCELLING)
            and row.provider_batch_id not in (None, *live)
        ]
        if line is not None and known:
            sure = _cancel_younger(desk, line, number, live)
    with desk.ledger.write() as connection:
        batch = standing.batch_by_number(connection, number)
        shown = connection.scalars(select(attempts.c.provider_batch_id).where(attempts.c.batch == number)).all()
        considered = {*found.provider_batch_ids, *(row.provider_batch_id for row in tried), before.provider_batch_id}
        if {batch.provider_batch_id, *shown} - considered - {None}:
            # A report of a copy that was not known came meanwhile: all of it anew.
            again = {"task": Task.recheck, "due_at": now}
            connection.execute(update(batches).where(batches.c.number == number).values(**again))
            return
        keep = live[0] if live else before.provider_batch_id
        send_at = before.send_at if keep == before.provider_batch_id else None
        values: dict[str, Any] = {"provider_batch_id": keep, "send_at": send_at}
        if not sure and now < fires_at:
            # Asked again until the copy fires; whether the provider can be reached changes in seconds.
            values = {"task": Task.recheck, "due_at": min(now + timedelta(seconds=1), fires_at)}
        else:
            called_back = line is not None and callbacks_expected(connection, line, now)
            pause = desk.policy.first_poll if called_back else desk.policy.first_poll_alone
            values |= {"task": Task.poll, "due_at": max(now, send_at or now) + pause}
            if outcomes.is_cancelled(connection, batch.dispatch):
                values |= {"task": Task.cancel, "due_at": now}
            if len(live) > 1 and line is not None and not line.provider.supports("poll"):
                copies.stand_beside(connection, line.integration_id, batch, live[1:], now)
        connection.execute(update(batches).where(batches.c.number == number).values(**values))


def _cancel_younger(desk: Desk, line: Line, number: int, live: list[str]) -> bool:
    """Cancel copies, the youngest first, until one is left in `live`; False: it isn't known what became of one.

    One that can't be cancelled has been sent: an older one that still waits is cancelled in its place.
    """
    with desk.ledger.write() as connection:
        for copy in live:
            track.accepted(
                connection, number, provider_batch_id=copy, attempt=None, now=desk.clock(), policy=desk.policy
            )
    for copy in reversed(live.copy()):
        rest = [other for other in live if other != copy]
        if not rest:
            break
        with desk.ledger.write() as connection:
            copies.cancelling(connection, number, copy=copy, instead=rest[0])
        cancelled = _cancel(line, copy)
        if cancelled is None:
            return False
        with desk.ledger.write() as connection:
            copies.cancel_answered(connection, number, copy=copy, cancelled=cancelled)
        if cancelled:
            live.remove(copy)
    return True


def _cancel(line: Line, provider_batch_id: str) -> bool | None:
    """Whether the provider cancelled a copy; None: not known."""
    if not line.provider.supports("cancel"):
        return False
    try:
        return line.provider.cancel(provider_batch_id)
    except Exception as error:
        logger.error("The younger copy of a batch could not be cancelled: %s", error)
        return None


def identify(desk: Desk, line: Line, number: int) -> None:
    """Find the provider's id of a batch that is known to be accepted without one."""
    with desk.ledger.read() as connection:
        if standing.batch_by_number(connection, number).provider_batch_id is not None:
            return
    for copy in _find(desk, line, number).provider_batch_ids:
        with desk.ledger.write() as connection:
            track.accepted(
                connection, number, provider_batch_id=copy, attempt=None, now=desk.clock(), policy=desk.policy
            )


def look_again(desk: Desk, line: Line, number: int) -> None:
    """Look once more for copies of a batch that was sent again, where no reports can be asked for that tell of them.

    The first copy may show in the provider's list long after the doubt window.
    """
    of_batch = attempts.c.batch == number
    with desk.ledger.read() as connection:
        if connection.execute(select(attempts.c.number).where(of_batch, copies.UNSEEN).limit(1)).first() is None:
            return
        known = set(connection.scalars(select(attempts.c.provider_batch_id).where(of_batch)))
    for copy in _find(desk, line, number).provider_batch_ids:
        if copy in known:
            continue
        with desk.ledger.write() as connection:
            track.accepted(
                connection, number, provider_batch_id=copy, attempt=None, now=desk.clock(), policy=desk.policy
            )


def settle(desk: Desk, number: int, verdict: str) -> None:
    """A person settles a batch in doubt: `accepted`, `resend` or `give_up`."""
    now = desk.clock()
    with desk.ledger.write() as connection:
        batch = standing.batch_by_number(connection, number)
        if batch.state != BatchState.in_doubt:
            raise NotFound(f"The batch {batch.key} is not in doubt any more: it is {batch.state}.")
        if verdict == "accepted":
            line = desk.line_of(connection, batch.dispatch)
            track.accepted(
                connection,
                number,
                provider_batch_id=None,
                attempt=batch.attempts,
                now=now,
                policy=desk.policy,
                callbacks_expected=line is not None and callbacks_expected(connection, line, now),
            )
        elif verdict == "resend" and outcomes.is_cancelled(connection, batch.dispatch):
            raise NotFound(f"The dispatch of the batch {batch.key} was cancelled: nothing of it is sent again.")
        elif verdict == "resend":
            standing.move(connection, batch, BatchState.waiting, task=Task.send, due_at=now, held=False)
        else:
            outcomes.given_up(connection, number, now=now)
            refusals.advance(connection, batch.dispatch, batch.shape, now=now)
