"""The log of events: blocks are written, events are read."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, func, insert, select

from connector.ledger.tables import (
    MessageState,
    batches,
    dispatches,
    events,
    messages,
    shapes,
)
from connector.model.event import (
    Event,
    EventKind,
    Status,
    StatusCodeSource,
    event_id,
    message_id,
)
from connector.model.limits import MAX_BATCH_RECIPIENTS

STRIDE = MAX_BATCH_RECIPIENTS
"""A row of the log has room for this many events: position = row number x STRIDE + place in the row."""

NEVER_ENQUEUED = (MessageState.skipped, MessageState.withdrawn, MessageState.enqueue_failed)

SCANNED_ROWS = 100
_MESSAGES_AT_ONCE = 100
DISORDER = timedelta(minutes=1)
"""The most by which what stands later in the log is recorded earlier."""

_NEW_EVENTS = insert(events)


def append(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows of the log; every row must name the same columns."""
    given = list(rows)
    if given:
        connection.execute(_NEW_EVENTS, given)


def read(connection: Connection, *, after: int, limit: int, dispatch: int | None = None) -> list[Event]:
    """Up to `limit` events that follow a position, oldest first."""
    found: list[Event] = []
    next_row = max(after + 1, 0) // STRIDE
    while len(found) < limit:
        query = select(events).where(events.c.number >= next_row).order_by(events.c.number).limit(limit - len(found))
        if dispatch is not None:
            query = query.where(events.c.dispatch == dispatch)
        rows = connection.execute(query).all()
        if not rows:
            break
        context = _Context(connection, rows)
        for row in rows:
            # A row may be a block of a thousand: only what the page has room for is read of it.
            if len(found) >= limit:
                break
            start = max(0, after + 1 - row.number * STRIDE)
            found.extend(context.events(row, start, limit - len(found)))
        next_row = rows[-1].number + 1
    return found


def of_messages(connection: Connection, found: Sequence[Row[Any]]) -> list[list[Event]]:
    """Everything that happened to each of some messages of one dispatch, oldest first.

    Goes through the rows of its dispatch once for every hundred messages.
    """
    told: list[list[Event]] = []
    for start in range(0, len(found), _MESSAGES_AT_ONCE):
        told += _of_messages(connection, found[start : start + _MESSAGES_AT_ONCE])
    return told


def _of_messages(connection: Connection, some: Sequence[Row[Any]]) -> list[list[Event]]:
    by_ordinal = {message.ordinal: message for message in some}
    by_batch: dict[int, list[Row[Any]]] = {}
    of_them = events.c.ordinal.in_(by_ordinal) & events.c.last.is_(None)
    for message in some:
        if message.state == MessageState.skipped:
            of_them |= (events.c.ordinal <= message.ordinal) & (events.c.last >= message.ordinal)
        elif message.state not in NEVER_ENQUEUED and (batch := carrier(connection, message)) is not None:
            by_batch.setdefault(batch.number, []).append(message)
    rows = connection.execute(
        select(events)
        .where(events.c.dispatch == some[0].dispatch, of_them | events.c.batch.in_(by_batch))
        .order_by(events.c.number)
    ).all()
    context = _Context(connection, rows)
    told: dict[int, list[Event]] = {ordinal: [] for ordinal in by_ordinal}
    for row in rows:
        if row.batch is not None:
            whose = by_batch[row.batch]
        elif row.last is not None:
            whose = [each for each in some if row.ordinal <= each.ordinal <= row.last]
        else:
            whose = [by_ordinal[row.ordinal]]
        for message in whose:
            told[message.ordinal].append(context.event_of(row, message))
    return [told[message.ordinal] for message in some]


# The nearest beginning before a row is found at once among a million; of the parts of a batch it is the smallest.
_CARRIER = (
    select(batches)
    .where(
        batches.c.dispatch == bindparam("dispatch"),
        batches.c.shape == bindparam("shape"),
        batches.c.first <= bindparam("ordinal"),
        batches.c.last >= bindparam("ordinal"),
    )
    .order_by(batches.c.first.desc(), batches.c.number.desc())
    .limit(1)
)


def carrier(connection: Connection, message: Row[Any]) -> Row[Any] | None:
    """The batch that carries a message: of one that was split, the part. None: it was never in one."""
    if message.state == MessageState.skipped:
        return None
    of_row = {"dispatch": message.dispatch, "shape": message.shape, "ordinal": message.ordinal}
    return connection.execute(_CARRIER, of_row).first()


def of_skipped(connection: Connection, skipped: Sequence[Row[Any]]) -> list[Event]:
    """How messages of one dispatch that were never part of a batch were told as skipped, in their order."""
    if not skipped:
        return []
    blocks = connection.execute(
        select(events)
        .where(events.c.dispatch == skipped[0].dispatch, events.c.last.is_not(None))
        .order_by(events.c.ordinal)
    ).all()
    context = _Context(connection, blocks)
    starts = [block.ordinal for block in blocks]
    return [context.event_of(blocks[bisect_right(starts, row.ordinal) - 1], row) for row in skipped]


def of_nobody(connection: Connection, recipient: str) -> list[Event]:
    """What a person did, or was told of them, that belongs to no message, oldest first."""
    rows = connection.execute(
        select(events).where(events.c.dispatch.is_(None), events.c.recipient == recipient).order_by(events.c.number)
    ).all()
    context = _Context(connection, rows)
    return [event for row in rows for event in context.events(row, 0, 1)]


def end(connection: Connection) -> int:
    """A position that everything in the log stands before, and everything that follows behind."""
    return ((connection.scalar(select(func.max(events.c.number))) or 0) + 1) * STRIDE - 1


def count(connection: Connection, *, after: int, until: int | None = None, dispatch: int | None = None) -> int:
    """How many events follow a position, up to another one, that included, or to the end."""
    of_it = [] if dispatch is None else [events.c.dispatch == dispatch]

    def behind_in_its_row(position: int) -> int:
        row, place = divmod(position, STRIDE)
        size = connection.scalar(select(events.c.size).where(events.c.number == row, *of_it)) or 0
        return max(0, size - place - 1)

    rows = [events.c.number > after // STRIDE, *of_it]
    if until is not None:
        rows.append(events.c.number <= until // STRIDE)
    found = (connection.scalar(select(func.sum(events.c.size)).where(*rows)) or 0) + behind_in_its_row(after)
    return found if until is None else max(0, found - behind_in_its_row(until))


def before(connection: Connection, at: datetime) -> int:
    """A position that everything recorded at a time or later stands behind.

    Times in the log rise, but for what different threads note within a moment of each other.
    """
    low, high = 1, (connection.scalar(select(func.max(events.c.number))) or 0) + 1
    while high - low > SCANNED_ROWS:
        middle = (low + high) // 2
        row = connection.execute(
            select(events.c.number, events.c.recorded_at)
            .where(events.c.number >= middle)
            .order_by(events.c.number)
            .limit(1)
        ).one()
        if row.recorded_at >= at - DISORDER:
            high = middle
        else:
            low = row.number + 1
    first = connection.scalar(
        select(events.c.number)
        .where(events.c.number >= low, events.c.recorded_at >= at)
        .order_by(events.c.number)
        .limit(1)
    )
    return end(connection) if first is None else first * STRIDE - 1


class _Context:
    """The immutable rows that a page of the log is joined with, each read once."""

    def __init__(self, connection: Connection, rows: Iterable[Row[Any]]) -> None:
        self._connection = connection
        numbers = {row.dispatch for row in rows if row.dispatch is not None}
        self._dispatches = {
            row.number: row for row in connection.execute(select(dispatches).where(dispatches.c.number.in_(numbers)))
        }
        self._campaign_metadata: dict[int, dict[str, Any]] = {
            number: json.loads(row.campaign).get("metadata") or {} for number, row in self._dispatches.items()
        }
        self._senders: dict[tuple[int, int], str | None] = {
            (row.dispatch, row.shape): row.sender
            for row in connection.execute(select(shapes).where(shapes.c.dispatch.in_(numbers)))
        }
        self._messages: dict[tuple[int, int], Sequence[Any]] = {}
        single: dict[int, list[int]] = {}
        for row in rows:
            if row.dispatch is not None and row.ordinal is not None and row.last is None:
                single.setdefault(row.dispatch, []).append(row.ordinal)
        for dispatch, ordinals in single.items():
            for start in range(0, len(ordinals), 500):
                query = select(*_OF_MESSAGE).where(
                    messages.c.dispatch == dispatch, messages.c.ordinal.in_(ordinals[start : start + 500])
                )
                for message in connection.execute(query):
                    self._messages[dispatch, message.ordinal] = message

    def event_of(self, row: Row[Any], message: Row[Any]) -> Event:
        """The event of one message in a row of the log that has it."""
        before = None
        if row.batch is not None:
            batch = self._connection.execute(select(batches).where(batches.c.number == row.batch)).one()
            before = members(batch)
        elif row.last is not None:
            before = select(messages).where(_skipped(row.dispatch, row.ordinal, row.last))
        place = 0
        if before is not None:
            earlier = before.where(messages.c.ordinal < message.ordinal).order_by(None).subquery()
            place = self._connection.scalar(select(func.count()).select_from(earlier)) or 0
        (event,) = self._told(row, [_of_message(message)], place)
        return event

    def events(self, row: Row[Any], start: int, limit: int) -> Iterator[Event]:
        """Up to `limit` events of a row of the log, from a place in it."""
        page = {"start": start, "most": limit}
        if row.batch is not None:
            batch = self._connection.execute(select(batches).where(batches.c.number == row.batch)).one()
            return self._told(row, self._connection.execute(_MEMBERS_TOLD, range_of(batch) | page).all(), start)
        if row.last is not None:
            skipped = {"dispatch": row.dispatch, "first": row.ordinal, "last": row.last}
            return self._told(row, self._connection.execute(_SKIPPED_TOLD, skipped | page).all(), start)
        if start:
            return iter(())
        message = self._messages.get((row.dispatch, row.ordinal))
        return iter([Event.of(self._shared(row))]) if message is None else self._told(row, [message], 0)

    def _shared(self, row: Row[Any]) -> dict[str, Any]:
        """What the events of one row of the log have in common: it may be a block of a thousand."""
        dispatch = None if row.dispatch is None else self._dispatches[row.dispatch]
        return {
            "id": row.event_id,
            "position": row.number * STRIDE,
            "kind": EventKind(row.kind),
            "status": Status(row.status),
            "occurred_at": row.occurred_at,
            "recorded_at": row.recorded_at,
            "integration": row.integration,
            "dispatch": None if dispatch is None else dispatch.id,
            "campaign_id": None if dispatch is None else dispatch.campaign_id,
            "campaign_name": None if dispatch is None else dispatch.campaign_name,
            "message_id": None,
            "recipient": row.recipient,
            "sender": row.sender,
            "customer_id": None,
            "metadata": {} if dispatch is None else self._campaign_metadata[dispatch.number].copy(),
            "number_of_message_parts": row.number_of_message_parts,
            "status_code": row.status_code,
            "status_code_source": row.status_code_source and StatusCodeSource(row.status_code_source),
            "error": row.error,
            "comment": row.comment,
            "raw_status": row.raw_status,
            "operator": row.operator,
            "encoding": row.encoding,
            "channel": row.channel,
            "text": row.text,
            "payload": json.loads(row.payload) if row.payload else {},
        }

    def _told(self, row: Row[Any], found: Sequence[Sequence[Any]], start: int) -> Iterator[Event]:
        """The events of messages in one row of the log, from a place in it; millions come this way."""
        shared = self._shared(row)
        id_, dispatch, status = shared["id"], shared["dispatch"], shared["status"]
        counts_parts = row.kind == EventKind.message and status != Status.skipped
        is_block_of_skipped = row.last is not None and row.batch is None
        own_parts = shared["number_of_message_parts"] is None and counts_parts
        for position, message in enumerate(found, shared["position"] + start):
            ordinal, shape, address, customer_id, parts, metadata, reason = message
            told = shared.copy()
            told["position"] = position
            name = told["message_id"] = message_id(dispatch, ordinal)
            told["customer_id"] = customer_id
            if id_ is None:
                told["id"] = event_id(name, status)
            if told["sender"] is None:
                told["sender"] = self._senders.get((row.dispatch, shape))
            if told["recipient"] is None:
                told["recipient"] = address
            if own_parts:
                told["number_of_message_parts"] = parts
            if is_block_of_skipped and reason is not None:
                told["comment"] = reason
            told["metadata"] = shared["metadata"] | json.loads(metadata) if metadata else shared["metadata"].copy()
            told["payload"] = shared["payload"].copy()
            yield Event.of(told)


_OF_MESSAGE = (
    messages.c.ordinal,
    messages.c.shape,
    messages.c.address,
    messages.c.customer_id,
    messages.c.parts,
    messages.c.metadata,
    messages.c.reason,
)
"""What an event tells of its message."""

_of_message = attrgetter(*(column.name for column in _OF_MESSAGE))


def _skipped(dispatch: Any, first: Any, last: Any) -> ColumnElement[bool]:
    """The messages that a row of the log tells as skipped."""
    return and_(
        messages.c.dispatch == dispatch,
        messages.c.ordinal.between(first, last),
        messages.c.state == MessageState.skipped,
    )


def _members(dispatch: Any, first: Any, last: Any, shape: Any) -> ColumnElement[bool]:
    return and_(
        messages.c.dispatch == dispatch,
        messages.c.ordinal.between(first, last),
        messages.c.shape == shape,
        messages.c.state.is_(None) | messages.c.state.not_in(NEVER_ENQUEUED),
    )


_A_BATCH = _members(bindparam("dispatch"), bindparam("first"), bindparam("last"), bindparam("shape"))

MEMBERS_TO_SEND = (
    select(messages.c.address, messages.c.content, messages.c.ordinal).where(_A_BATCH).order_by(messages.c.ordinal)
)
"""What of a batch's messages is sent, for `range_of` a batch; built once, as it is used for every batch."""


def _page(of: ColumnElement[bool]) -> Select[Any]:
    return (
        select(*_OF_MESSAGE).where(of).order_by(messages.c.ordinal).offset(bindparam("start")).limit(bindparam("most"))
    )


_MEMBERS_TOLD = _page(_A_BATCH)
_SKIPPED_TOLD = _page(_skipped(bindparam("dispatch"), bindparam("first"), bindparam("last")))


def range_of(batch: Row[Any]) -> dict[str, Any]:
    """The rows and the shape of a batch, as `MEMBERS_TO_SEND` takes them."""
    return {"dispatch": batch.dispatch, "first": batch.first, "last": batch.last, "shape": batch.shape}


def members(batch: Row[Any]) -> Select[Any]:
    """The messages of a batch, in order: those of its rows and shape that were not skipped or refused."""
    return (
        select(messages)
        .where(_members(batch.dispatch, batch.first, batch.last, batch.shape))
        .order_by(messages.c.ordinal)
    )
