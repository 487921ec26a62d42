"""Counting a dispatch anew, from its messages and from its events, to compare with its totals."""

from collections import Counter
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from connector.ledger import log, totals
from connector.ledger.tables import (
    BatchState,
    DispatchState,
    MessageState,
    attempts,
    batches,
    events,
    messages,
)
from connector.model.event import RANK, EventKind, Status

_ENDED = (BatchState.split, BatchState.refused, BatchState.cancelled)
_DERIVED = {
    BatchState.waiting: totals.WAITING,
    BatchState.sending: totals.SENDING,
    BatchState.in_doubt: totals.IN_DOUBT,
    BatchState.given_up: totals.UNKNOWN,
    BatchState.accepted: totals.OPEN,
}
_RANKED = [status for status, rank in RANK.items() if rank > 0]


def from_messages(connection: Connection, dispatch: Row[Any]) -> Counter[str]:
    """The counts of a dispatch, one message at a time; messages that no batch carries count as `astray`."""
    count: Counter[str] = Counter()
    own = connection.execute(
        select(
            messages.c.state,
            messages.c.reason,
            messages.c.status_code,
            messages.c.status_code_source,
            func.count().label("times"),
            func.sum(messages.c.parts).label("parts"),
        )
        .where(messages.c.dispatch == dispatch.number)
        .group_by(messages.c.state, messages.c.reason, messages.c.status_code, messages.c.status_code_source)
    )
    underived = 0
    for row in own:
        count[totals.ROWS] += row.times
        if row.state is None:
            underived += row.times
        elif row.state in (MessageState.skipped, MessageState.withdrawn):
            count[totals.SKIPPED + row.reason] += row.times
        else:
            count[row.state] += row.times
            count[totals.code_name(row.state, row.status_code_source, row.status_code)] += row.times
            if row.state != MessageState.enqueue_failed:
                count[totals.ENQUEUED] += row.times
                count[totals.PARTS] += row.parts or 0
    if dispatch.state == DispatchState.planning:
        count[totals.WAITING] += underived
        return count
    for row in connection.execute(_by_state(dispatch.number)):
        if row.state == BatchState.accepted:
            count[totals.ENQUEUED] += row.underived
            count[totals.PARTS] += row.parts or 0
        count[_DERIVED[BatchState(row.state)]] += row.underived
        underived -= row.underived
        count["astray"] += row.astray
    count["astray"] += abs(underived)
    return count


def _by_state(dispatch: int) -> Any:
    """What the batches of each state carry; summed by the database, as there may be as many batches as messages."""
    carried = (
        select(
            batches.c.state,
            batches.c.size,
            func.count(messages.c.ordinal).label("present"),
            func.sum(case((messages.c.state.is_(None) & messages.c.ordinal.is_not(None), 1), else_=0)).label(
                "underived"
            ),
            func.sum(case((messages.c.state.is_(None), messages.c.parts), else_=0)).label("parts"),
        )
        .select_from(
            batches.outerjoin(
                messages,
                (messages.c.dispatch == batches.c.dispatch)
                & messages.c.ordinal.between(batches.c.first, batches.c.last)
                & (messages.c.shape == batches.c.shape)
                & (messages.c.state.is_(None) | messages.c.state.not_in(log.NEVER_ENQUEUED)),
            )
        )
        .where(batches.c.dispatch == dispatch, batches.c.state.not_in(_ENDED))
        .group_by(batches.c.number)
        .subquery()
    )
    return select(
        carried.c.state,
        func.sum(carried.c.underived).label("underived"),
        func.sum(carried.c.parts).label("parts"),
        func.sum(func.abs(carried.c.size - carried.c.present)).label("astray"),
    ).group_by(carried.c.state)


def from_events(connection: Connection, dispatch: int) -> Counter[str]:
    """The counts that the log tells: what was skipped, failed and enqueued, and the highest rank of each message."""
    count: Counter[str] = Counter()
    of_messages = (events.c.dispatch == dispatch) & (events.c.kind == EventKind.message)
    for row in connection.execute(
        select(events.c.status, func.sum(events.c.size).label("times"))
        .where(of_messages, events.c.status.in_([Status.skipped, Status.enqueue_failed, Status.enqueued]))
        .group_by(events.c.status)
    ):
        count[row.status] += row.times
    rank = func.max(case(dict(RANK), value=events.c.status))
    highest = (
        select(rank.label("rank"))
        .where(of_messages, events.c.status.in_(_RANKED))
        .group_by(events.c.ordinal)
        .subquery()
    )
    by_rank = {rank: status for status, rank in RANK.items()}
    for row in connection.execute(select(highest.c.rank, func.count().label("times")).group_by(highest.c.rank)):
        count[by_rank[row.rank]] += row.times
    count[totals.OPEN] = count[Status.enqueued] - sum(count[status] for status in _RANKED)
    return count


def strangers(connection: Connection, dispatch: int) -> int:
    """How many messages have another state than the highest of their own events."""
    highest = (
        select(events.c.ordinal, func.max(case(dict(RANK), value=events.c.status)).label("rank"))
        .where(events.c.dispatch == dispatch, events.c.kind == EventKind.message, events.c.status.in_(_RANKED))
        .group_by(events.c.ordinal)
        .subquery()
    )
    strange = (
        select(func.count())
        .select_from(messages.outerjoin(highest, highest.c.ordinal == messages.c.ordinal))
        .where(
            messages.c.dispatch == dispatch,
            messages.c.state.in_(_RANKED),
            highest.c.rank.is_distinct_from(case(dict(RANK), value=messages.c.state)),
        )
    )
    return connection.scalar(strange) or 0


def copies(connection: Connection, dispatch: int) -> int:
    """How many batches of a dispatch have more than one accepted copy that was not cancelled."""
    several = (
        select(attempts.c.batch)
        .join_from(attempts, batches, attempts.c.batch == batches.c.number)
        .where(batches.c.dispatch == dispatch, attempts.c.ended.in_(["accepted", "cancelling"]))
        .group_by(attempts.c.batch)
        .having(func.count() > 1)
        .subquery()
    )
    return connection.scalar(select(func.count()).select_from(several)) or 0


def surfaced(connection: Connection, dispatch: int) -> int:
    """How many batches of a dispatch were accepted after all, though they had been split, refused or withdrawn."""
    query = (
        select(func.count(func.distinct(attempts.c.batch)))
        .join_from(attempts, batches, attempts.c.batch == batches.c.number)
        .where(batches.c.dispatch == dispatch, batches.c.state.in_(_ENDED), attempts.c.ended == "accepted")
    )
    return connection.scalar(query) or 0


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _without_error(name: str) -> str:
    """The name of a count; that of an error's code without the provider's word, which messages don't keep."""
    return f"{name.rsplit('|', 1)[0]}|" if name.startswith(totals.CODE) else name


def differences(connection: Connection, dispatch: Row[Any]) -> list[str]:
    """Where totals, messages and events of a dispatch disagree, or its sums don't close; empty: nowhere."""
    kept: Counter[str] = Counter()
    for name, times in totals.read(connection, dispatch.number).items():
        kept[_without_error(name)] += times
    counted = from_messages(connection, dispatch)
    told = from_events(connection, dispatch.number)
    found = []
    for name in sorted({*kept, *counted} - {totals.DOUBLE_SEND, totals.LATE}):
        if kept[name] != counted[name]:
            found.append(f"{name}: the totals say {kept[name]}, the messages {counted[name]}")
    kept["skipped"] = sum(times for name, times in kept.items() if name.startswith(totals.SKIPPED))
    compared: list[str] = [Status.enqueued, Status.enqueue_failed, totals.OPEN, *_RANKED]
    if dispatch.state != DispatchState.planning:
        compared.append(Status.skipped)
    for name in compared:
        if kept[name] != told[name]:
            found.append(f"{name}: the totals say {kept[name]}, the events {told[name]}")
    before = sum(kept[name] for name in ("skipped", *dict.fromkeys(_DERIVED.values()))) - kept[totals.OPEN]
    if kept[totals.ROWS] != before + kept[totals.ENQUEUE_FAILED] + kept[totals.ENQUEUED]:
        found.append("the sum of the states is not the number of rows")
    if kept[totals.ENQUEUED] != kept[totals.OPEN] + sum(kept[status] for status in _RANKED):
        found.append("the sum of what became of the enqueued is not their number")
    strange = strangers(connection, dispatch.number)
    if strange:
        have = _counted(strange, "message has another state than its", "messages have another state than their")
        found.append(f"{have} own events tell")
    if kept[totals.DOUBLE_SEND]:
        were = _counted(kept[totals.DOUBLE_SEND], "message was", "messages were")
        found.append(f"double_send: {were} accepted twice by the provider")
    twice = copies(connection, dispatch.number)
    if twice:
        found.append(f"{_counted(twice, 'batch has', 'batches have')} two accepted copies that are not cancelled")
    late = surfaced(connection, dispatch.number)
    if late:
        were = _counted(late, "batch that counted as never arrived was", "batches that counted as never arrived were")
        found.append(f"{were} accepted after all")
    return found
