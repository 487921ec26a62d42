"""Messages that are added to an open dispatch gather in batches that wait, until a worker claims them.

So what was added is in a batch from the first moment, and needs nobody's care when a process dies; and a batch is
not added to any more once somebody may have sent it.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from connector.audience.screening import MessageRow
from connector.dispatch.planning import insert_messages
from connector.ledger import log, totals
from connector.ledger.tables import (
    MESSAGE_OF_ADDRESS,
    BatchState,
    DispatchState,
    MessageState,
    Task,
    additions,
    addresses,
    batches,
    dispatches,
    messages,
    shapes,
)
from connector.model.errors import DispatchClosed, KeyConflict
from connector.model.event import EventKind, SkipReason, Status, message_id
from connector.tracking import refusals
from connector.tracking.standing import batch_key

GATHER = timedelta(milliseconds=250)
"""How long the first message of a batch waits for others."""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a message that was added to an open dispatch."""

    message_id: str
    reason: str | None = None
    """Why it isn't sent, as in its event; None: it is."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was screened, and is to be added under its key."""

    key: str
    row: MessageRow
    """Its place in the dispatch, and its shape there, are given when it is stored."""
    sender: str | None
    text: str
    long: bool
    """Whether a value of it travels in pieces."""
    outside: bool
    """Whether it is the one for people without an open session."""
    batch_messages: int
    """How many messages its batch may carry, this one included."""
    identities: Sequence[str] = ()
    """All addresses of the person, where they were given."""

    @property
    def address(self) -> str:
        """Whom it goes to."""
        return self.row[3]

    @property
    def body(self) -> tuple[Any, ...]:
        """What must be the same when it is added once more under its key."""
        _, _, _, address, _, customer_id, content, metadata, *_ = self.row
        return _body(address, customer_id, content, metadata, self.sender, self.text)


def _body(
    address: str, customer_id: str | None, content: str | None, metadata: str | None, sender: str | None, text: str
) -> tuple[Any, ...]:
    return address, customer_id, content, None if metadata is None else json.loads(metadata), sender, text


def store(connection: Connection, dispatch: int, given: Sequence[Message], *, now: datetime) -> list[Added | Exception]:
    """Add messages to an open dispatch; returns what becomes of each, or why it can't be added."""
    page = _Page(connection, dispatch, given, now)
    answers: list[Added | Exception] = []
    for message in given:
        try:
            answers.append(page.take(message))
        except (KeyConflict, DispatchClosed) as error:
            answers.append(error)
    page.write()
    return answers


# Statements of every message are built once: building one costs more than running it.
_DISPATCH = select(dispatches).where(dispatches.c.number == bindparam("dispatch"))
_LAST = select(func.max(messages.c.ordinal)).where(messages.c.dispatch == bindparam("dispatch"))
_KNOWN = (
    select(additions.c.key, messages, shapes.c.sender, shapes.c.text)
    .join_from(
        additions,
        messages,
        (messages.c.dispatch == additions.c.dispatch) & (messages.c.ordinal == additions.c.ordinal),
    )
    .join(shapes, (shapes.c.dispatch == messages.c.dispatch) & (shapes.c.shape == messages.c.shape))
    .where(additions.c.dispatch == bindparam("dispatch"), additions.c.key.in_(bindparam("keys", expanding=True)))
)
_SHAPE = (
    select(shapes)
    .where(
        shapes.c.dispatch == bindparam("dispatch"),
        shapes.c.sender.is_not_distinct_from(bindparam("sender")),
        shapes.c.text == bindparam("text"),
        shapes.c.long == bindparam("long"),
        shapes.c.outside.is_not_distinct_from(bindparam("outside")),
        shapes.c.twin_of.is_(None),
    )
    .order_by(shapes.c.shape)
    .limit(1)
)
_LAST_SHAPE = select(func.max(shapes.c.shape)).where(shapes.c.dispatch == bindparam("dispatch"))
# Neither what was sent before, nor what is kept back for its countries.
_GATHERING = select(batches).where(
    batches.c.number == bindparam("number"),
    batches.c.state == BatchState.waiting,
    batches.c.task.in_((Task.send, Task.trial)),
    batches.c.attempts == 0,
)
_IN_IT = (
    select(addresses.c.address)
    .join_from(
        addresses,
        messages,
        MESSAGE_OF_ADDRESS,
    )
    .where(
        addresses.c.dispatch == bindparam("dispatch"),
        addresses.c.address.in_(bindparam("people", expanding=True)),
        addresses.c.ordinal.between(bindparam("first"), bindparam("last")),
        messages.c.shape == bindparam("shape"),
        messages.c.state.is_(None),
    )
)
_GROW = update(batches).where(batches.c.number == bindparam("of_number"))
_POINT = update(shapes).where(shapes.c.dispatch == bindparam("of_dispatch"), shapes.c.shape == bindparam("of_shape"))
_NEW_BATCH, _NEW_SHAPE = insert(batches), insert(shapes)
_NEW_ADDRESSES, _NEW_ADDITIONS = insert(addresses), insert(additions)


@dataclass(slots=True)
class _Batch:
    """A batch that gathers, as it stands while a transaction adds to it."""

    number: int | None
    """None: it is a new one."""
    first: int
    last: int
    size: int
    parts: int
    due_at: datetime
    people: set[str]
    """Who is in it, as far as this transaction asks."""
    full: bool = False


@dataclass(slots=True)
class _Place:
    """A sender and text of the dispatch, with the batches that a transaction adds to: the one that gathers last."""

    shape: int
    batches: list[_Batch]


class _Page:
    """What one transaction adds to one open dispatch."""

    def __init__(self, connection: Connection, dispatch: int, given: Sequence[Message], now: datetime) -> None:
        self._connection = connection
        self._number = dispatch
        self._now = now
        self._dispatch: Row[Any] = connection.execute(_DISPATCH, {"dispatch": dispatch}).one()
        self._people = list({message.address for message in given})
        keys = {"dispatch": dispatch, "keys": [message.key for message in given]}
        self._known: dict[str, tuple[Added, tuple[Any, ...]]] = {
            row.key: (
                Added(message_id(self._dispatch.id, row.ordinal), row.reason),
                _body(row.address, row.customer_id, row.content, row.metadata, row.sender, row.text),
            )
            for row in connection.execute(_KNOWN, keys)
        }
        last = connection.scalar(_LAST, {"dispatch": dispatch})
        self._next = 0 if last is None else last + 1
        self._places: dict[tuple[str | None, str, bool, bool], _Place] = {}
        self._rows: list[MessageRow] = []
        self._addresses: list[dict[str, Any]] = []
        self._keys: list[str] = []

    def take(self, message: Message) -> Added:
        """Give a message its place. Raises `KeyConflict` and `DispatchClosed`; then it has none."""
        dispatch = self._dispatch
        known = self._known.get(message.key)
        if known is not None:
            added, body = known
            if body != message.body:
                raise KeyConflict(
                    f"In the dispatch {dispatch.id} the key {message.key!r} belongs to another message, "
                    f"{added.message_id}: every message needs a key of its own."
                )
            return added
        if dispatch.state == DispatchState.cancelled or not dispatch.open:
            state = dispatch.state if dispatch.state == DispatchState.cancelled else "closed"
            raise DispatchClosed(
                f"The dispatch {dispatch.id} is {state}, and takes no more messages: open another one, under a new key."
            )
        ordinal, self._next = self._next, self._next + 1
        place = self._place(message)
        _, _, _, address, country, customer_id, content, metadata, parts, state, reason = message.row
        if reason is None and dispatch.expire_at is not None and dispatch.expire_at <= self._now:
            state, reason = MessageState.skipped, SkipReason.expired
        if reason is None:
            self._join(place, message, ordinal, parts or 0)
        self._rows.append(
            (
                self._number,
                ordinal,
                place.shape,
                address,
                country,
                customer_id,
                content,
                metadata,
                parts,
                state,
                reason,
            )
        )
        if reason != SkipReason.invalid_number:
            people = dict.fromkeys((address, *message.identities))
            self._addresses += [{"dispatch": self._number, "address": each, "ordinal": ordinal} for each in people]
        self._keys.append(message.key)
        added = Added(message_id(dispatch.id, ordinal), None if reason is None else str(reason))
        self._known[message.key] = (added, message.body)
        return added

    def _place(self, message: Message) -> _Place:
        """The place of a sender and text, made where there is none."""
        kind = (message.sender, message.text, message.long, message.outside)
        place = self._places.get(kind)
        if place is not None:
            return place
        named = {
            "dispatch": self._number,
            "sender": message.sender,
            "text": message.text,
            "long": message.long,
            "outside": message.outside or None,
        }
        row = self._connection.execute(_SHAPE, named).first()
        if row is None:
            last = self._connection.scalar(_LAST_SHAPE, {"dispatch": self._number})
            place = _Place(0 if last is None else last + 1, [])
            self._connection.execute(_NEW_SHAPE, {**named, "shape": place.shape})
        else:
            place = _Place(row.shape, [])
            batch = self._connection.execute(_GATHERING, {"number": row.gathers}).first()
            if batch is not None:
                people = self._connection.scalars(_IN_IT, {**log.range_of(batch), "people": self._people})
                place.batches.append(
                    _Batch(batch.number, batch.first, batch.last, batch.size, batch.parts, batch.due_at, set(people))
                )
        self._places[kind] = place
        return place

    def _join(self, place: _Place, message: Message, ordinal: int, parts: int) -> None:
        """Put a message in the batch that gathers, or begin another; reports tell apart who is once in a batch."""
        # A clock that was set back must not keep them waiting.
        latest = self._now + GATHER
        batch = place.batches[-1] if place.batches else None
        if batch is None or batch.full or batch.size >= message.batch_messages or message.address in batch.people:
            batch = _Batch(None, ordinal, ordinal, 0, 0, latest, set())
            place.batches.append(batch)
        batch.last = ordinal
        batch.size += 1
        batch.parts += parts
        batch.people.add(message.address)
        batch.full = batch.size >= message.batch_messages
        batch.due_at = self._now if batch.full else min(batch.due_at, latest)

    def write(self) -> None:
        """Write what was taken."""
        if not self._rows:
            return
        insert_messages(self._connection, self._rows)
        if self._addresses:
            self._connection.execute(_NEW_ADDRESSES, self._addresses)
        self._connection.execute(
            _NEW_ADDITIONS,
            [
                {"dispatch": row[0], "key": key, "ordinal": row[1]}
                for key, row in zip(self._keys, self._rows, strict=True)
            ],
        )
        for place in self._places.values():
            self._write_batches(place)
        skipped = [(row[1], row[-1]) for row in self._rows if row[-1] is not None]
        log.append(
            self._connection,
            [
                {
                    "kind": EventKind.message,
                    "status": Status.skipped,
                    "integration": self._dispatch.integration,
                    "dispatch": self._number,
                    "ordinal": ordinal,
                    "size": 1,
                    "occurred_at": self._now,
                    "recorded_at": self._now,
                    "comment": reason,
                }
                for ordinal, reason in skipped
            ],
        )
        deltas = Counter(f"{totals.SKIPPED}{reason}" for _, reason in skipped)
        deltas.update({totals.ROWS: len(self._rows), totals.WAITING: len(self._rows) - len(skipped)})
        totals.add(self._connection, self._number, deltas)

    def _write_batches(self, place: _Place) -> None:
        grown = [
            {
                "of_number": batch.number,
                "last": batch.last,
                "size": batch.size,
                "parts": batch.parts,
                "due_at": batch.due_at,
            }
            for batch in place.batches
            if batch.number is not None
        ]
        if grown:
            self._connection.execute(_GROW, grown)
        begun = [batch for batch in place.batches if batch.number is None]
        if not begun:
            return
        on_trial = refusals.on_trial(self._connection, self._number, place.shape)
        task = Task.trial if on_trial else Task.send
        for batch in begun:
            made = self._connection.execute(_NEW_BATCH, self._new(batch, place.shape, task))
            assert made.inserted_primary_key is not None
            batch.number = made.inserted_primary_key[0]
        last = place.batches[-1]
        self._connection.execute(
            _POINT,
            {"of_dispatch": self._number, "of_shape": place.shape, "gathers": None if last.full else last.number},
        )
        if on_trial:
            refusals.advance(self._connection, self._number, place.shape, now=self._now)

    def _new(self, batch: _Batch, shape: int, task: Task) -> dict[str, Any]:
        return {
            "dispatch": self._number,
            # Counting them would take longer with every one: the first row of each is its own.
            "ordinal": batch.first,
            "split": 0,
            "key": batch_key(self._dispatch.id, batch.first, 0),
            "account": self._dispatch.account,
            "shape": shape,
            "first": batch.first,
            "last": batch.last,
            "size": batch.size,
            "parts": batch.parts,
            "state": BatchState.waiting,
            "task": task,
            "due_at": batch.due_at,
            "attempts": 0,
            "look_ups": 0,
            "good_look_ups": 0,
            "held": False,
            "polls": 0,
            "prompt": True,
        }
