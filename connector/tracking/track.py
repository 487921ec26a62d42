"""The one place where outcomes and receipts become states and events.

Every function works inside the caller's transaction: states, totals, events and what was kept change
together or not at all. Nothing here talks to a provider.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, or_, select, update

from connector.ledger import counters, log, totals
from connector.ledger.tables import (
    BatchState,
    DispatchState,
    MessageState,
    Task,
    WhyKept,
    addresses,
    attempts,
    batches,
    dispatches,
    events,
    integrations,
    kept_reports,
    messages,
)
from connector.model.event import (
    RANK,
    EventKind,
    Status,
    StatusCodeSource,
    provider_event_id,
)
from connector.model.outcome import Refused, Scope
from connector.model.report import Receipt, ReceiptKind
from connector.tracking.policy import Policy

logger = logging.getLogger("connector.tracking")

_RECEIPT = TypeAdapter(Receipt)
_MATCH_CHUNK = 400

_BUCKET = {
    BatchState.waiting: totals.WAITING,
    BatchState.sending: totals.SENDING,
    BatchState.in_doubt: totals.IN_DOUBT,
    BatchState.given_up: totals.UNKNOWN,
}
"""Where the messages of a batch are counted while they have no state of their own."""

NO_SUCH_BATCH = "no such batch"
NOT_IN_BATCH = "the recipient is not in this batch"

ENDED_ACCEPTED = "accepted"
ENDED_CANCELLING = "cancelling"
"""The provider was, or is being, asked to cancel this copy."""
ENDED_CANCELLED = "cancelled"


# Statements of every batch are built once: building one costs more than running it.
_BATCH = select(batches).where(batches.c.number == bindparam("number"))
_CHANGE_BATCH = update(batches).where(batches.c.number == bindparam("of_number"))
_INTEGRATION = select(dispatches.c.integration).where(dispatches.c.number == bindparam("number"))
_SEND_AT = select(attempts.c.send_at).where(
    attempts.c.batch == bindparam("batch"), attempts.c.number == bindparam("number")
)

# A receipt may have proved it accepted before its own answer, or the lack of one, is written.
_END_ATTEMPT = update(attempts).where(
    attempts.c.batch == bindparam("of_batch"),
    attempts.c.number == bindparam("of_number"),
    attempts.c.ended.is_(None),
)
# Its answer may come after it was found, and cancelled.
_ACCEPT_ATTEMPT = update(attempts).where(
    attempts.c.batch == bindparam("of_batch"),
    attempts.c.number == bindparam("of_number"),
    attempts.c.ended.is_(None) | attempts.c.ended.not_in([ENDED_CANCELLING, ENDED_CANCELLED]),
)


def batch_by_number(connection: Connection, number: int) -> Row[Any]:
    """A batch as it stands in this transaction."""
    return connection.execute(_BATCH, {"number": number}).one()


def move(connection: Connection, batch: Row[Any], state: BatchState, **columns: Any) -> None:
    """Change a batch's state, and what its messages are counted as."""
    connection.execute(_CHANGE_BATCH, {"of_number": batch.number, "state": state, **columns})
    old, new = _BUCKET.get(BatchState(batch.state)), _BUCKET.get(state)
    if old != new:
        deltas: Counter[str] = Counter()
        if old:
            deltas[old] -= batch.size
        if new:
            deltas[new] += batch.size
        totals.add(connection, batch.dispatch, deltas)


def end_attempt(
    connection: Connection,
    batch: Row[Any],
    attempt: int,
    ended: str,
    *,
    cause: str | None = None,
    provider_batch_id: str | None = None,
) -> None:
    """Note how an attempt ended."""
    values: dict[str, Any] = {"of_batch": batch.number, "of_number": attempt, "ended": ended, "cause": cause}
    if provider_batch_id is not None:
        values["provider_batch_id"] = provider_batch_id
    connection.execute(_ACCEPT_ATTEMPT if ended == ENDED_ACCEPTED else _END_ATTEMPT, values)


def accepted(
    connection: Connection,
    number: int,
    *,
    provider_batch_id: str | None,
    attempt: int | None,
    now: datetime,
    policy: Policy,
    callbacks_expected: bool = True,
) -> None:
    """A batch was surely accepted: by its answer, by a look-up, or by a receipt that carries its key."""
    batch = batch_by_number(connection, number)
    send_at = _send_at_of(connection, batch, attempt)
    if attempt is None and provider_batch_id is not None:
        attempt = _attempt_of(connection, batch, provider_batch_id)
    elif provider_batch_id is not None and batch.attempts > 1:
        _not_of_another(connection, batch, attempt, provider_batch_id)
    if attempt is not None:
        end_attempt(connection, batch, attempt, ENDED_ACCEPTED, provider_batch_id=provider_batch_id)
    if batch.state == BatchState.accepted:
        _another_copy(connection, batch, provider_batch_id, now)
        return
    if batch.state not in _BUCKET:
        logger.error("Batch %s is %s, and the provider shows it as accepted.", batch.key, batch.state)
        return
    # Only a resend is scheduled while an older copy may yet surface.
    watched = send_at is not None and send_at > now and batch.attempts > 1
    first_poll = policy.first_poll if callbacks_expected else policy.first_poll_alone
    move(
        connection,
        batch,
        BatchState.accepted,
        provider_batch_id=provider_batch_id,
        accepted_at=now,
        send_at=send_at,
        held=False,
        task=Task.recheck if watched else Task.poll,
        due_at=policy.recheck_at(send_at) if watched and send_at else max(now, send_at or now) + first_poll,
    )
    totals.add(
        connection,
        batch.dispatch,
        {totals.ENQUEUED: batch.size, totals.OPEN: batch.size, totals.PARTS: batch.parts},
    )
    log.append(
        connection,
        [
            {
                "kind": EventKind.message,
                "status": Status.enqueued,
                "integration": _integration_name(connection, batch.dispatch),
                "dispatch": batch.dispatch,
                "batch": batch.number,
                "size": batch.size,
                "occurred_at": now,
                "recorded_at": now,
            }
        ],
    )
    _match_again(connection, batch.key, provider_batch_id, now, policy)


def _integration_name(connection: Connection, dispatch: int) -> str | None:
    return connection.scalar(_INTEGRATION, {"number": dispatch})


def _send_at_of(connection: Connection, batch: Row[Any], attempt: int | None) -> datetime | None:
    """When an accepted copy is sent; where it isn't known whose it is, the latest time that it may have."""
    latest: datetime | None
    if attempt is not None:
        latest = connection.scalar(_SEND_AT, {"batch": batch.number, "number": attempt})
    else:
        open_ones = attempts.c.ended.is_(None) | (attempts.c.ended == "in_doubt")
        latest = connection.scalar(
            select(func.max(attempts.c.send_at)).where(attempts.c.batch == batch.number, open_ones)
        )
    return latest


def _attempt_of(connection: Connection, batch: Row[Any], provider_batch_id: str) -> int | None:
    """The attempt of an accepted copy: the one that names it, else one without an id, else the oldest without end."""
    rows = connection.execute(
        select(attempts).where(attempts.c.batch == batch.number).order_by(attempts.c.number)
    ).all()
    for row in rows:
        if row.provider_batch_id == provider_batch_id:
            return int(row.number)
    nameless = [row for row in rows if row.provider_batch_id is None]
    candidates = [row for row in nameless if row.ended == ENDED_ACCEPTED]
    candidates += [row for row in nameless if row.ended in (None, "in_doubt")]
    return int(candidates[0].number) if candidates else None


def _not_of_another(connection: Connection, batch: Row[Any], attempt: int | None, provider_batch_id: str) -> None:
    """A copy whose receipt overtook its answer may have been taken for an older attempt's."""
    connection.execute(
        update(attempts)
        .where(
            attempts.c.batch == batch.number,
            attempts.c.number != attempt,
            attempts.c.provider_batch_id == provider_batch_id,
            attempts.c.ended == ENDED_ACCEPTED,
        )
        .values(provider_batch_id=None, ended="in_doubt")
    )


def _another_copy(connection: Connection, batch: Row[Any], provider_batch_id: str | None, now: datetime) -> None:
    """A batch that is accepted already was seen as accepted again: the copies are told apart by a look-up."""
    if provider_batch_id is None or provider_batch_id == batch.provider_batch_id:
        return
    values: dict[str, Any] = {}
    if batch.provider_batch_id is None:
        values["provider_batch_id"] = provider_batch_id
    else:
        logger.error("Batch %s was accepted twice; the copy that can be cancelled is cancelled.", batch.key)
    if batch.attempts > 1 or batch.provider_batch_id is not None:
        values |= {"task": Task.recheck, "due_at": now}
    if values:
        connection.execute(update(batches).where(batches.c.number == batch.number).values(**values))


def cancelling(connection: Connection, number: int, *, copy: str, instead: str) -> None:
    """A copy of an accepted batch is about to be cancelled: from now on the other one counts."""
    connection.execute(update(batches).where(batches.c.number == number).values(provider_batch_id=instead))
    _end_copy(connection, number, copy, ENDED_CANCELLING)


def cancel_answered(connection: Connection, number: int, *, copy: str, cancelled: bool) -> None:
    """The provider said whether it cancelled a copy."""
    _end_copy(connection, number, copy, ENDED_CANCELLED if cancelled else ENDED_ACCEPTED)


def _end_copy(connection: Connection, number: int, copy: str, ended: str) -> None:
    connection.execute(
        update(attempts)
        .where(attempts.c.batch == number, attempts.c.provider_batch_id == copy)
        .values(ended=ended, cause=None if ended == ENDED_ACCEPTED else "an older copy had been accepted")
    )


def doubted(connection: Connection, number: int, *, attempt: int, cause: str, now: datetime, due_at: datetime) -> None:
    """The attempt may have been accepted: the batch is in doubt, to be looked up at `due_at`."""
    batch = batch_by_number(connection, number)
    end_attempt(connection, batch, attempt, "in_doubt", cause=cause)
    if batch.state == BatchState.sending:
        move(
            connection,
            batch,
            BatchState.in_doubt,
            task=Task.look_up,
            due_at=due_at,
            doubt_since=now,
            look_ups=0,
            good_look_ups=0,
            last_look_up=None,
        )


def returned(connection: Connection, number: int, *, attempt: int, ended: str, cause: str, due_at: datetime) -> None:
    """The attempt was surely not accepted: the batch waits again."""
    batch = batch_by_number(connection, number)
    end_attempt(connection, batch, attempt, ended, cause=cause)
    if batch.state == BatchState.sending:
        # A look-up starts before the first request that may have been accepted.
        first_sent_at = None if batch.doubt_since is None else batch.first_sent_at
        move(connection, batch, BatchState.waiting, task=Task.send, due_at=due_at, first_sent_at=first_sent_at)


def stopped(connection: Connection, dispatch: int, state: DispatchState, cause: str) -> None:
    """Stop or pause a running dispatch, with the cause."""
    connection.execute(
        update(dispatches)
        .where(dispatches.c.number == dispatch, dispatches.c.state == DispatchState.running)
        .values(state=state, cause=cause)
    )


def refused(connection: Connection, number: int, *, attempt: int, outcome: Refused, now: datetime) -> None:
    """The provider surely refused the batch.

    A refusal of single recipients fails those, and the rest goes again as a new batch; any other stops the
    dispatch, with nobody failed.
    """
    batch = batch_by_number(connection, number)
    places = sorted(set(outcome.recipients))
    rows = connection.execute(log.members(batch)).all()
    if outcome.scope is not Scope.recipient or not places or places[-1] >= len(rows):
        returned(connection, number, attempt=attempt, ended="refused", cause=outcome.sentence(), due_at=now)
        stopped(connection, batch.dispatch, DispatchState.stopped, outcome.sentence())
        return
    end_attempt(connection, batch, attempt, "refused", cause=outcome.sentence())
    if batch.state != BatchState.sending:
        return
    wrong = [rows[place] for place in places]
    rest = batch.size - len(wrong)
    connection.execute(
        update(messages)
        .where(messages.c.dispatch == batch.dispatch, messages.c.ordinal == bindparam("o"))
        .values(
            state=MessageState.enqueue_failed,
            status_code=outcome.status_code,
            status_code_source=StatusCodeSource.http,
        ),
        [{"o": row.ordinal} for row in wrong],
    )
    integration = _integration_name(connection, batch.dispatch)
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
                "status_code": outcome.status_code,
                "status_code_source": StatusCodeSource.http,
                "error": outcome.error,
                "comment": outcome.comment,
            }
            for row in wrong
        ],
    )
    code = totals.code_name(Status.enqueue_failed, StatusCodeSource.http, outcome.status_code, outcome.error)
    totals.add(connection, batch.dispatch, {totals.ENQUEUE_FAILED: len(wrong), code: len(wrong)})
    move(
        connection,
        batch,
        BatchState.split if rest else BatchState.refused,
        task=None,
        due_at=None,
    )
    if rest:
        split = 1 + (
            connection.scalar(
                select(func.max(batches.c.split)).where(
                    batches.c.dispatch == batch.dispatch, batches.c.ordinal == batch.ordinal
                )
            )
            or 0
        )
        dispatch_id = batch.key.split("-", 1)[0]
        connection.execute(
            insert(batches).values(
                dispatch=batch.dispatch,
                ordinal=batch.ordinal,
                split=split,
                parent=batch.number,
                key=batch_key(dispatch_id, batch.ordinal, split),
                account=batch.account,
                shape=batch.shape,
                first=batch.first,
                last=batch.last,
                size=rest,
                parts=batch.parts - sum(row.parts or 0 for row in wrong),
                state=BatchState.waiting,
                task=Task.send,
                due_at=now,
                attempts=0,
                look_ups=0,
                good_look_ups=0,
                held=False,
                polls=0,
            )
        )
        totals.add(connection, batch.dispatch, {totals.WAITING: rest})


def batch_key(dispatch_id: str, ordinal: int, split: int) -> str:
    """A batch's key: unique for ever, and no secret of anybody's."""
    return f"{dispatch_id}-b{ordinal}-{split}"


def expired(connection: Connection, number: int, *, now: datetime) -> None:
    """A batch whose expiry passed before it was sent: its messages are skipped."""
    batch = batch_by_number(connection, number)
    rows = connection.execute(log.members(batch)).all()
    connection.execute(
        update(messages)
        .where(messages.c.dispatch == batch.dispatch, messages.c.ordinal == bindparam("o"))
        .values(state=MessageState.withdrawn, reason="expired"),
        [{"o": row.ordinal} for row in rows],
    )
    integration = _integration_name(connection, batch.dispatch)
    log.append(
        connection,
        [
            {
                "kind": EventKind.message,
                "status": Status.skipped,
                "integration": integration,
                "dispatch": batch.dispatch,
                "ordinal": row.ordinal,
                "size": 1,
                "occurred_at": now,
                "recorded_at": now,
                "comment": "expired",
            }
            for row in rows
        ],
    )
    move(connection, batch, BatchState.cancelled, task=None, due_at=None)
    totals.add(connection, batch.dispatch, {totals.SKIPPED + "expired": len(rows)})


def given_up(connection: Connection, number: int, *, now: datetime) -> None:
    """A person gave up finding out what became of a batch: its messages are unknown."""
    batch = batch_by_number(connection, number)
    move(connection, batch, BatchState.given_up, task=None, due_at=None)
    log.append(
        connection,
        [
            {
                "kind": EventKind.message,
                "status": Status.unknown,
                "integration": _integration_name(connection, batch.dispatch),
                "dispatch": batch.dispatch,
                "batch": batch.number,
                "size": batch.size,
                "occurred_at": now,
                "recorded_at": now,
                "comment": "given up by a person",
            }
        ],
    )


# Receipts


@dataclass(slots=True)
class _Place:
    """A message, as it stands while a transaction works through its receipts."""

    ordinal: int
    shape: int
    state: str | None
    code: int | None
    source: str | None
    raw_status: str | None


def received(
    connection: Connection,
    arrivals: Sequence[tuple[str, Receipt]],
    *,
    now: datetime,
    policy: Policy,
) -> None:
    """Take receipts, each with the id of the integration that it came for."""
    for start in range(0, len(arrivals), _MATCH_CHUNK):
        _received(connection, arrivals[start : start + _MATCH_CHUNK], now, policy)


def _received(connection: Connection, arrivals: Sequence[tuple[str, Receipt]], now: datetime, policy: Policy) -> None:
    matched: list[tuple[str, Receipt, Row[Any]]] = []
    people: list[tuple[str, Receipt, Row[Any] | None]] = []
    count: Counter[tuple[str, str]] = Counter()
    known = _batches_of(connection, arrivals)
    for integration, receipt in arrivals:
        if receipt.kind is ReceiptKind.unknown:
            keep(connection, WhyKept.unreadable, integration, receipt, now, problem=receipt.problem, count=count)
            continue
        batch = known.get((integration, receipt.batch_key or "", receipt.provider_batch_id or ""))
        if receipt.kind is ReceiptKind.person:
            people.append((integration, receipt, batch))
        elif batch is None:
            keep(connection, WhyKept.unmatched, integration, receipt, now, problem=NO_SUCH_BATCH, count=count)
        else:
            matched.append((integration, receipt, batch))

    fresh: dict[int, Row[Any]] = {}
    on_messages: list[tuple[str, Receipt, Row[Any]]] = []
    for integration, receipt, batch in matched:
        row = fresh.get(batch.number, batch)
        if row.state != BatchState.accepted or (
            row.provider_batch_id is None and receipt.provider_batch_id is not None
        ):
            accepted(
                connection,
                row.number,
                provider_batch_id=receipt.provider_batch_id,
                attempt=None,
                now=now,
                policy=policy,
            )
            row = fresh[batch.number] = batch_by_number(connection, batch.number)
        if row.state != BatchState.accepted:
            keep(connection, WhyKept.unmatched, integration, receipt, now, problem=f"batch is {row.state}", count=count)
            continue
        row, counts = _copy_counts(connection, integration, receipt, row, now, count)
        fresh[batch.number] = row
        if counts and receipt.kind is ReceiptKind.message:
            on_messages.append((integration, receipt, row))
    for _, _, replied_to in people:
        # Whoever answers to a batch has got it.
        if replied_to is not None and fresh.get(replied_to.number, replied_to).state in _BUCKET:
            accepted(connection, replied_to.number, provider_batch_id=None, attempt=None, now=now, policy=policy)
            fresh[replied_to.number] = batch_by_number(connection, replied_to.number)

    _apply(connection, on_messages, now, policy, count)
    for integration, receipt, batch in people:
        _person(connection, integration, receipt, batch, now, count)
    for (integration, name), times in count.items():
        counters.add(connection, integration, name, times)


def _batches_of(
    connection: Connection, arrivals: Iterable[tuple[str, Receipt]]
) -> dict[tuple[str, str, str], Row[Any]]:
    """The batch of each receipt, by our key first and else by the provider's id."""
    receipts = [(integration, r) for integration, r in arrivals if r.kind is not ReceiptKind.unknown]
    keys = {r.batch_key for _, r in receipts if r.batch_key}
    ids = {r.provider_batch_id for _, r in receipts if r.provider_batch_id}
    by_key = {row.key: row for row in connection.execute(select(batches).where(batches.c.key.in_(keys)))}
    by_id: dict[str, Row[Any]] = {}
    unkeyed = {r.provider_batch_id for _, r in receipts if r.batch_key not in by_key} & ids
    if unkeyed:
        query = select(attempts.c.provider_batch_id.label("copy"), *batches.c).join_from(
            attempts, batches, attempts.c.batch == batches.c.number
        )
        for row in connection.execute(query.where(attempts.c.provider_batch_id.in_(unkeyed))):
            by_id[row.copy] = row
    account = {row.id: row.account for row in connection.execute(select(integrations))}
    found = {}
    for integration, receipt in receipts:
        batch = by_key.get(receipt.batch_key or "") or by_id.get(receipt.provider_batch_id or "")
        # A key that is known to one account proves nothing when it comes through another.
        if batch is not None and account.get(integration) == batch.account:
            found[integration, receipt.batch_key or "", receipt.provider_batch_id or ""] = batch
    return found


def _copy_counts(
    connection: Connection,
    integration: str,
    receipt: Receipt,
    batch: Row[Any],
    now: datetime,
    count: Counter[tuple[str, str]],
) -> tuple[Row[Any], bool]:
    """Whether a receipt speaks of the copy that counts; a second accepted copy is noted as a double send."""
    copy = receipt.provider_batch_id
    if copy is None or batch.provider_batch_id is None or copy == batch.provider_batch_id:
        return batch, True
    attempt = connection.execute(
        select(attempts).where(attempts.c.batch == batch.number, attempts.c.provider_batch_id == copy)
    ).first()
    if (
        attempt is not None
        and attempt.ended in (ENDED_CANCELLING, ENDED_CANCELLED)
        and receipt.status is Status.rejected
    ):
        _end_copy(connection, batch.number, copy, ENDED_CANCELLED)
        count[integration, "cancelled_copy"] += 1
        return batch, False
    if attempt is None:
        number = _attempt_of(connection, batch, copy)
        if number is not None:
            end_attempt(connection, batch, number, ENDED_ACCEPTED, provider_batch_id=copy)
    if batch.send_at is not None and batch.send_at > now:
        # Before its time a copy has no reports: this one counts, and the one that was thought to is cancelled.
        connection.execute(
            update(batches)
            .where(batches.c.number == batch.number)
            .values(provider_batch_id=copy, task=Task.recheck, due_at=now)
        )
        return batch_by_number(connection, batch.number), True
    if receipt.kind is ReceiptKind.batch:
        # It says of no message that it was sent twice; that two copies stand is seen by the attempts.
        count[integration, "without_event"] += 1
    else:
        keep(connection, WhyKept.double_send, integration, receipt, now, batch=batch, count=count)
    return batch, False


def _apply(
    connection: Connection,
    receipts: Sequence[tuple[str, Receipt, Row[Any]]],
    now: datetime,
    policy: Policy,
    count: Counter[tuple[str, str]],
) -> None:
    places = _places(connection, receipts)
    changed: dict[tuple[int, int], _Place] = {}
    rows: list[dict[str, Any]] = []
    deltas: dict[int, Counter[str]] = {}
    names: dict[int, str | None] = {}
    for integration, receipt, batch in receipts:
        place = places.get((batch.dispatch, receipt.recipient or ""))
        if place is None or place.shape != batch.shape or not batch.first <= place.ordinal <= batch.last:
            keep(
                connection,
                WhyKept.unmatched,
                integration,
                receipt,
                now,
                problem=NOT_IN_BATCH,
                count=count,
            )
            continue
        rank = None if receipt.status is None else RANK.get(receipt.status)
        rises = rank is not None and rank > RANK[Status(place.state or Status.enqueued)]
        if _is_late(receipt, place, rises, now, policy.period_ends(batch.accepted_at, batch.send_at)):
            keep(connection, WhyKept.late, integration, receipt, now, batch=batch, ordinal=place.ordinal, count=count)
            continue
        if receipt.status is None:
            if receipt.final and place.state is None:
                place.raw_status = receipt.raw_status
                changed[batch.dispatch, place.ordinal] = place
            count[integration, "without_event"] += 1
            continue
        if not rises:
            count[integration, "repeated"] += 1
            continue
        delta = deltas.setdefault(batch.dispatch, Counter())
        if place.state is None:
            delta[totals.OPEN] -= 1
        else:
            delta[place.state] -= 1
            delta[totals.code_name(place.state, place.source, place.code)] -= 1
        place.state, place.code = receipt.status, receipt.status_code
        place.source = receipt.status_code_source
        place.raw_status = receipt.raw_status
        delta[place.state] += 1
        delta[totals.code_name(place.state, place.source, place.code)] += 1
        changed[batch.dispatch, place.ordinal] = place
        if batch.dispatch not in names:
            names[batch.dispatch] = _integration_name(connection, batch.dispatch)
        rows.append(
            {
                "kind": EventKind.message,
                "status": receipt.status,
                "integration": names[batch.dispatch],
                "dispatch": batch.dispatch,
                "ordinal": place.ordinal,
                "size": 1,
                "occurred_at": receipt.occurred_at or now,
                "recorded_at": now,
                "sender": receipt.sender,
                "status_code": receipt.status_code,
                "status_code_source": receipt.status_code_source,
                "error": receipt.error,
                "comment": receipt.comment,
                "raw_status": receipt.raw_status,
                "number_of_message_parts": receipt.number_of_message_parts,
                "operator": receipt.operator,
                "encoding": receipt.encoding,
                "channel": receipt.channel,
                "payload": json.dumps(receipt.payload, ensure_ascii=False) if receipt.payload else None,
            }
        )
    if changed:
        connection.execute(
            update(messages)
            .where(messages.c.dispatch == bindparam("d"), messages.c.ordinal == bindparam("o"))
            .values(
                state=bindparam("s"),
                status_code=bindparam("c"),
                status_code_source=bindparam("cs"),
                raw_status=bindparam("r"),
            ),
            [
                {"d": d, "o": o, "s": p.state, "c": p.code, "cs": p.source, "r": p.raw_status}
                for (d, o), p in changed.items()
            ],
        )
    log.append(connection, rows)
    for dispatch, delta in deltas.items():
        totals.add(connection, dispatch, delta)


def _is_late(receipt: Receipt, place: _Place, rises: bool, now: datetime, ends_at: datetime) -> bool:
    """Whether a receipt's own time is past the waiting period.

    One without a time, such as a batch's own report when it is polled, is late only where the period was closed.
    """
    if receipt.occurred_at is not None:
        return receipt.occurred_at > ends_at
    return rises and place.state is not None and now > ends_at


def _places(connection: Connection, receipts: Sequence[tuple[str, Receipt, Row[Any]]]) -> dict[tuple[int, str], _Place]:
    wanted: dict[int, set[str]] = {}
    for _, receipt, batch in receipts:
        if receipt.recipient:
            wanted.setdefault(batch.dispatch, set()).add(receipt.recipient)
    found = {}
    for dispatch, people in wanted.items():
        query = (
            select(
                messages.c.address,
                messages.c.ordinal,
                messages.c.shape,
                messages.c.state,
                messages.c.status_code,
                messages.c.status_code_source,
                messages.c.raw_status,
            )
            .join_from(
                addresses,
                messages,
                (addresses.c.dispatch == messages.c.dispatch) & (addresses.c.ordinal == messages.c.ordinal),
            )
            .where(addresses.c.dispatch == dispatch, addresses.c.address.in_(people))
        )
        for row in connection.execute(query):
            found[dispatch, row.address] = _Place(
                row.ordinal, row.shape, row.state, row.status_code, row.status_code_source, row.raw_status
            )
    return {place: value for place, value in found.items() if value.state not in log.NEVER_ENQUEUED}


def _person(
    connection: Connection,
    integration: str,
    receipt: Receipt,
    batch: Row[Any] | None,
    now: datetime,
    count: Counter[tuple[str, str]],
) -> None:
    """A person's doing always counts, once."""
    status = receipt.status or Status.replied
    identity = provider_event_id(integration, receipt.provider_id or json.dumps(receipt.payload), status)
    if connection.scalar(select(exists().where(events.c.event_id == identity))):
        count[integration, "repeated"] += 1
        return
    row = connection.execute(select(integrations).where(integrations.c.id == integration)).first()
    ordinal = None
    if batch is not None and receipt.recipient:
        ordinal = connection.scalar(
            select(addresses.c.ordinal).where(
                addresses.c.dispatch == batch.dispatch, addresses.c.address == receipt.recipient
            )
        )
    log.append(
        connection,
        [
            {
                "kind": EventKind.person,
                "status": status,
                "integration": None if row is None else row.name,
                "dispatch": batch.dispatch if batch is not None and ordinal is not None else None,
                "ordinal": ordinal,
                "size": 1,
                "occurred_at": receipt.occurred_at or now,
                "recorded_at": now,
                "event_id": identity,
                "recipient": receipt.recipient,
                "sender": receipt.sender,
                "operator": receipt.operator,
                "channel": receipt.channel,
                "text": receipt.text,
                "payload": json.dumps(receipt.payload, ensure_ascii=False) if receipt.payload else None,
            }
        ],
    )


def keep(
    connection: Connection,
    why: WhyKept,
    integration: str,
    receipt: Receipt,
    now: datetime,
    *,
    count: Counter[tuple[str, str]],
    problem: str | None = None,
    batch: Row[Any] | None = None,
    ordinal: int | None = None,
) -> None:
    """Keep a receipt that changes nothing, and count it; a repeat of one that is kept is only counted."""
    count[integration, why] += 1
    if batch is not None and ordinal is None and receipt.recipient:
        ordinal = connection.scalar(
            select(addresses.c.ordinal).where(
                addresses.c.dispatch == batch.dispatch, addresses.c.address == receipt.recipient
            )
        )
    body = _RECEIPT.dump_json(receipt).decode()
    same = exists().where(
        kept_reports.c.why == why,
        # What both indexes have: only those few are compared whole.
        kept_reports.c.batch_key.is_not_distinct_from(receipt.batch_key),
        kept_reports.c.provider_batch_id.is_not_distinct_from(receipt.provider_batch_id),
        kept_reports.c.integration == integration,
        or_(
            kept_reports.c.body == body,
            (kept_reports.c.dispatch == (batch.dispatch if batch is not None else None))
            & (kept_reports.c.ordinal == ordinal),
        )
        if why is WhyKept.double_send
        else kept_reports.c.body == body,
    )
    if connection.scalar(select(same)):
        return
    connection.execute(
        insert(kept_reports).values(
            why=why,
            integration=integration,
            received_at=now,
            batch_key=receipt.batch_key,
            provider_batch_id=receipt.provider_batch_id,
            dispatch=None if batch is None else batch.dispatch,
            ordinal=ordinal,
            problem=problem,
            body=body,
        )
    )
    if batch is not None and why in (WhyKept.double_send, WhyKept.late):
        name = totals.DOUBLE_SEND if why is WhyKept.double_send else totals.LATE
        totals.add(connection, batch.dispatch, {name: 1})


_UNMATCHED = select(kept_reports).where(
    kept_reports.c.why == WhyKept.unmatched,
    kept_reports.c.problem != NOT_IN_BATCH,
    or_(kept_reports.c.batch_key == bindparam("key"), kept_reports.c.provider_batch_id == bindparam("copy")),
)


def _match_again(
    connection: Connection, key: str, provider_batch_id: str | None, now: datetime, policy: Policy
) -> None:
    """Receipts that came before their batch was known to be accepted."""
    # Where the provider's id isn't known, only the key matches.
    rows = connection.execute(_UNMATCHED, {"key": key, "copy": provider_batch_id or key}).all()
    match_rows(connection, rows, now=now, policy=policy)


def sweep(connection: Connection, *, now: datetime, policy: Policy, limit: int = 500) -> None:
    """Try once more to match what matched nothing and has come lately to have a batch."""
    ours = [
        batches.c.state.in_([*_BUCKET, BatchState.accepted]),
        integrations.c.id == kept_reports.c.integration,
        integrations.c.account == batches.c.account,
    ]
    known = exists().where(batches.c.key == kept_reports.c.batch_key, *ours) | exists().where(
        attempts.c.provider_batch_id == kept_reports.c.provider_batch_id, attempts.c.batch == batches.c.number, *ours
    )
    rows = connection.execute(
        select(kept_reports)
        .where(kept_reports.c.why == WhyKept.unmatched, kept_reports.c.problem != NOT_IN_BATCH, known)
        .limit(limit)
    ).all()
    match_rows(connection, rows, now=now, policy=policy)


def match_rows(connection: Connection, rows: Sequence[Row[Any]], *, now: datetime, policy: Policy) -> None:
    """Take kept receipts whose batch is known by now; the others stay as they are."""
    found = []
    for start in range(0, len(rows), _MATCH_CHUNK):
        receipts = [(row, _RECEIPT.validate_json(row.body)) for row in rows[start : start + _MATCH_CHUNK]]
        known = _batches_of(connection, [(row.integration, receipt) for row, receipt in receipts])
        for row, receipt in receipts:
            batch = known.get((row.integration, receipt.batch_key or "", receipt.provider_batch_id or ""))
            if batch is not None and (batch.state == BatchState.accepted or batch.state in _BUCKET):
                # Where it says no time of its own, it happened before it came.
                timed = replace(receipt, occurred_at=receipt.occurred_at or row.received_at)
                found.append((row.integration, timed))
                connection.execute(delete(kept_reports).where(kept_reports.c.number == row.number))
    received(connection, found, now=now, policy=policy)


def unconfirmed(connection: Connection, batch: Row[Any], *, now: datetime) -> int:
    """Close the waiting period of a batch: messages without a final report are unconfirmed."""
    rows = connection.execute(log.members(batch).where(messages.c.state.is_(None))).all()
    if not rows:
        return 0
    connection.execute(
        update(messages)
        .where(messages.c.dispatch == batch.dispatch, messages.c.ordinal == bindparam("o"))
        .values(state=MessageState.unconfirmed),
        [{"o": row.ordinal} for row in rows],
    )
    integration = _integration_name(connection, batch.dispatch)
    log.append(
        connection,
        [
            {
                "kind": EventKind.message,
                "status": Status.unconfirmed,
                "integration": integration,
                "dispatch": batch.dispatch,
                "ordinal": row.ordinal,
                "size": 1,
                "occurred_at": now,
                "recorded_at": now,
                "raw_status": row.raw_status,
            }
            for row in rows
        ],
    )
    totals.add(
        connection,
        batch.dispatch,
        {
            totals.OPEN: -len(rows),
            MessageState.unconfirmed: len(rows),
            totals.code_name(MessageState.unconfirmed, None, None): len(rows),
        },
    )
    return len(rows)
