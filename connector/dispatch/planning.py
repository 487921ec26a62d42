"""Planning a dispatch: every row is read, screened and stored before the first request."""

import hashlib
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, update

from connector.audience.lacking import Lacking
from connector.audience.reading import RowSource
from connector.audience.screening import MessageRow, Screen
from connector.audience.sessions import Sessions
from connector.dispatch import batching, pace
from connector.ledger import log, totals
from connector.ledger.database import Ledger
from connector.ledger.tables import (
    BatchState,
    DispatchState,
    MessageState,
    Task,
    addresses,
    batches,
    dispatches,
    messages,
    shapes,
)
from connector.ledger.tables import totals as totals_table
from connector.model.campaign import Campaign
from connector.model.errors import KeyConflict
from connector.model.event import EventKind, SkipReason, Status
from connector.model.limits import MAX_BATCH_RECIPIENTS, Limits
from connector.tracking.standing import batch_key

logger = logging.getLogger("connector.dispatch")

CHUNK = 1000
HAND_OVER_AHEAD = timedelta(minutes=15)
"""How long before its time a scheduled batch is handed to a provider that keeps schedules."""

_COLUMNS = (
    "dispatch",
    "ordinal",
    "shape",
    "address",
    "country",
    "customer_id",
    "content",
    "metadata",
    "parts",
    "state",
    "reason",
)


@dataclass(frozen=True)
class Plan:
    """What a dispatch is planned from."""

    campaign: Campaign
    source: RowSource
    screen: Screen
    integration: str
    account: str
    limits: Limits
    key: str | None
    """The key, where it is known before the rows are read."""
    key_is_given: bool
    lacking: Lacking
    """Finds those of whom a sink could not be told."""
    sessions: Sessions | None = None
    """Finds those whom the message reaches only with an open session; None: it reaches everybody."""


def digest_of(campaign: Campaign, integration: str, rows_digest: str) -> str:
    """The digest of a campaign and its recipients: the default key."""
    # What a later version adds to campaigns must not make a new one of what was sent before.
    text = f"{campaign.model_dump_json(exclude_defaults=True)}\n{integration}\n{rows_digest}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class AlreadyThere(KeyConflict):
    """A dispatch of the same campaign and recipients is there already; it was found once all rows were read."""

    def __init__(self, number: int, digest: str) -> None:
        self.number = number
        self.digest = digest
        super().__init__()


def _of_digest(digest: str) -> ColumnElement[bool]:
    return (dispatches.c.key == digest) | dispatches.c.key.startswith(f"{digest}-", autoescape=True)


def latest(connection: Connection, digest: str) -> Row[Any] | None:
    """The last dispatch of the same campaign and recipients, whether it was the first or was sent once more."""
    return connection.execute(
        select(dispatches).where(_of_digest(digest)).order_by(dispatches.c.number.desc()).limit(1)
    ).first()


def goes_on(connection: Connection, dispatch: Row[Any]) -> bool:
    """Whether something of a dispatch is still to be read, sent or found out."""
    if dispatch.state == DispatchState.planning:
        return True
    unsettled = (BatchState.waiting, BatchState.sending, BatchState.in_doubt)
    query = select(batches.c.number).where(batches.c.dispatch == dispatch.number, batches.c.state.in_(unsettled))
    return connection.execute(query.limit(1)).first() is not None


def next_key(connection: Connection, key: str) -> str:
    """A key for sending once more what was sent under a key before."""
    used = set(connection.scalars(select(dispatches.c.key).where(_of_digest(key))))
    times = 2
    while f"{key}-{times}" in used:
        times += 1
    return f"{key}-{times}"


def plan(ledger: Ledger, what: Plan, *, clock: Callable[[], datetime], again: bool = False) -> int:
    """Read, screen and store a whole dispatch, and let it run; returns its number.

    Until the end it is `planning`: nothing of it is sent, and when this process dies it is abandoned.
    Raises `RecipientsError` when the rows can't be read to their end, `AlreadyThere` when they turn out to
    have been sent before (unless `again`); then nothing is left of it.
    """
    now = clock()
    dispatch_id = secrets.token_hex(8)
    with ledger.hold_once(f"planning-{dispatch_id}"):
        with ledger.write() as connection:
            pace.register(connection, what.account, now)
            number = _open(connection, what, dispatch_id, now)
        try:
            _store(ledger, what, number, now)
            _find_repeats(ledger, number)
            if what.screen.knows_identities:
                _note_identities(ledger, what.screen, number)
            batching.separate_short_values(ledger, number, list(what.screen.shapes.values()), what.limits.max_pieces)
            _run(ledger, what, number, dispatch_id, clock, again)
        except BaseException:
            prune(ledger, number)
            raise
    return number


def _open(connection: Connection, what: Plan, dispatch_id: str, now: datetime) -> int:
    campaign = what.campaign
    if what.key is not None and connection.scalar(select(dispatches.c.id).where(dispatches.c.key == what.key)):
        raise KeyConflict("Another process has just started a dispatch with this key.")
    made = connection.execute(
        insert(dispatches).values(
            id=dispatch_id,
            key=what.key,
            key_is_given=what.key_is_given,
            campaign=campaign.model_dump_json(),
            campaign_name=campaign.name,
            campaign_id=campaign.id,
            integration=what.integration,
            account=what.account,
            state=DispatchState.planning,
            created_at=now,
            send_at=campaign.send_at,
            expire_at=campaign.expire_at,
        )
    )
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def _store(ledger: Ledger, what: Plan, number: int, now: datetime) -> None:
    screen = what.screen
    row_of = screen.row
    rows: Iterator[MessageRow] = (
        row_of(number, ordinal, row) for ordinal, row in enumerate(what.source.rows(screen.names))
    )
    leaves_at = max(now, what.campaign.send_at or now)
    known = 0
    while chunk := list(islice(rows, CHUNK)):
        if what.sessions is not None:
            chunk = what.sessions.screened(chunk, screen, leaves_at)
        skipped = [row for row in chunk if row[-1] is not None]
        waiting = [row for row in chunk if row[-1] is None] if skipped else chunk
        what.lacking.note(waiting)
        deltas = Counter(f"{totals.SKIPPED}{row[-1]}" for row in skipped)
        deltas.update({totals.WAITING: len(waiting), totals.ROWS: len(chunk)})
        with ledger.write() as connection:
            for group in (waiting, skipped):
                if group:
                    insert_messages(connection, group)
            for shape in list(screen.shapes.values())[known:]:
                connection.execute(
                    insert(shapes).values(
                        dispatch=number,
                        shape=shape.number,
                        sender=shape.sender,
                        text=shape.text,
                        outside=shape.outside or None,
                    )
                )
            totals.add(connection, number, deltas)
        known = len(screen.shapes)
    what.lacking.refuse()


def insert_messages(connection: Connection, rows: list[MessageRow]) -> None:
    """Write rows of messages."""
    # Binding None costs the driver more than a text: columns without any value are left out.
    kept = [place for place in range(len(_COLUMNS)) if any(row[place] is not None for row in rows)]
    names = ", ".join(_COLUMNS[place] for place in kept)
    marks = ", ".join("?" * len(kept))
    connection.exec_driver_sql(f"INSERT INTO messages ({names}) VALUES ({marks})", list(map(itemgetter(*kept), rows)))


_BY_NUMBER = (
    "SELECT address, ordinal, reason FROM messages "
    "WHERE dispatch = ? AND (reason IS NULL OR reason != ?) ORDER BY address, ordinal"
)


def _find_repeats(ledger: Ledger, number: int) -> None:
    """Go through all numbers in their order: the first row of each is known by it, the others are repeats."""
    last = ""
    with ledger.read() as reading:
        # The driver's own rows: half of the cost of going through a million.
        rows = reading.connection.cursor()
        rows.execute(_BY_NUMBER, (number, SkipReason.invalid_number.value))
        while chunk := rows.fetchmany(CHUNK):
            firsts = []
            repeats = []
            deltas: Counter[str] = Counter()
            for address, ordinal, reason in chunk:
                if address != last:
                    last = address
                    firsts.append((number, address, ordinal))
                else:
                    repeats.append({"o": ordinal})
                    deltas[totals.WAITING if reason is None else totals.SKIPPED + reason] -= 1
                    deltas[totals.SKIPPED + SkipReason.duplicate] += 1
            with ledger.write() as connection:
                if firsts:
                    connection.exec_driver_sql(
                        "INSERT INTO addresses (dispatch, address, ordinal) VALUES (?, ?, ?)", firsts
                    )
                if repeats:
                    connection.execute(
                        update(messages)
                        .where(messages.c.dispatch == number, messages.c.ordinal == bindparam("o"))
                        .values(state=MessageState.skipped, reason=SkipReason.duplicate),
                        repeats,
                    )
                totals.add(connection, number, deltas)


_WITH_CONTENT = (
    "SELECT ordinal, address, content FROM messages "
    "WHERE dispatch = ? AND content IS NOT NULL AND (reason IS NULL OR reason NOT IN (?, ?)) ORDER BY ordinal"
)


def _note_identities(ledger: Ledger, screen: Screen, number: int) -> None:
    """Have each person's message found by all of their identities: over any of them they may answer."""
    with ledger.read() as reading:
        rows = reading.connection.cursor()
        rows.execute(_WITH_CONTENT, (number, SkipReason.invalid_number.value, SkipReason.duplicate.value))
        while chunk := rows.fetchmany(CHUNK):
            more = [
                {"dispatch": number, "address": identity, "ordinal": ordinal}
                for ordinal, address, content in chunk
                for identity in screen.identities(content)
                if identity != address
            ]
            if more:
                with ledger.write() as connection:
                    connection.execute(insert(addresses), more)


def _run(ledger: Ledger, what: Plan, number: int, dispatch_id: str, clock: Callable[[], datetime], again: bool) -> None:
    """Cut the batches, and then log who is skipped, and let the dispatch run, all at once."""
    rows = _new_batches(ledger, what, number, dispatch_id, clock())
    # There may be as many batches as recipients: until the dispatch runs nobody sends those that are there.
    while len(some := list(islice(rows, CHUNK))) == CHUNK:
        with ledger.write() as connection:
            connection.execute(insert(batches), some)
    with ledger.read() as connection:
        skipped = connection.execute(
            select(
                func.min(messages.c.ordinal).label("first"),
                func.max(messages.c.ordinal).label("last"),
                func.count().label("size"),
            )
            .where(messages.c.dispatch == number, messages.c.state == MessageState.skipped)
            .group_by(messages.c.ordinal - messages.c.ordinal % MAX_BATCH_RECIPIENTS)
        ).all()
    digest = digest_of(what.campaign, what.integration, what.source.digest())
    now = clock()
    with ledger.write() as connection:
        key = what.key or _free_key(connection, digest, again)
        if some:
            connection.execute(insert(batches), some)
        log.append(
            connection,
            [
                {
                    "kind": EventKind.message,
                    "status": Status.skipped,
                    "integration": what.integration,
                    "dispatch": number,
                    "ordinal": row.first,
                    "last": row.last,
                    "size": row.size,
                    "occurred_at": now,
                    "recorded_at": now,
                }
                for row in skipped
            ],
        )
        connection.execute(
            update(dispatches)
            .where(dispatches.c.number == number)
            .values(state=DispatchState.running, started_at=now, digest=digest, key=key)
        )
        totals.fold(connection, number)


def _new_batches(ledger: Ledger, what: Plan, number: int, dispatch_id: str, now: datetime) -> Iterator[dict[str, Any]]:
    """The rows of a dispatch's batches, which are due now or when a schedule says so."""
    due_at = now
    if what.campaign.send_at is not None:
        ahead = HAND_OVER_AHEAD if what.limits.schedules else timedelta()
        due_at = max(now, what.campaign.send_at - ahead)
    size = min(what.limits.batch_recipients, MAX_BATCH_RECIPIENTS)
    for ordinal, cut in enumerate(batching.cuts(ledger, number, size)):
        yield {
            "dispatch": number,
            "ordinal": ordinal,
            "split": 0,
            "key": batch_key(dispatch_id, ordinal, 0),
            "account": what.account,
            "shape": cut.shape,
            "first": cut.first,
            "last": cut.last,
            "size": cut.size,
            "parts": cut.parts,
            "state": BatchState.waiting,
            "task": Task.send,
            "due_at": due_at,
            "attempts": 0,
            "look_ups": 0,
            "good_look_ups": 0,
            "held": False,
            "polls": 0,
        }


def _free_key(connection: Connection, digest: str, again: bool) -> str:
    there = latest(connection, digest)
    if there is None:
        return digest
    if not again or goes_on(connection, there):
        raise AlreadyThere(there.number, digest)
    return next_key(connection, digest)


def abandoned(ledger: Ledger) -> list[tuple[int, str]]:
    """Number and id of dispatches whose reading was never finished, by a process that is gone."""
    with ledger.read() as connection:
        rows = connection.execute(
            select(dispatches.c.number, dispatches.c.id).where(dispatches.c.state == DispatchState.planning)
        ).all()
    return [(row.number, row.id) for row in rows if not ledger.is_held(f"planning-{row.id}")]


def prune(ledger: Ledger, number: int) -> None:
    """Remove a dispatch that was never read to its end; any other is left alone."""
    with ledger.read() as connection:
        dispatch_id = connection.scalar(
            select(dispatches.c.id).where(dispatches.c.number == number, dispatches.c.state == DispatchState.planning)
        )
    if dispatch_id is None:
        # An interrupt may come just after it was let run.
        return
    while _prune_batches(ledger, number):
        pass
    while _prune_chunk(ledger, number):
        pass
    while _prune_identities(ledger, number):
        pass
    with ledger.write() as connection:
        connection.execute(delete(totals_table).where(totals_table.c.dispatch == number))
        connection.execute(delete(shapes).where(shapes.c.dispatch == number))
        connection.execute(
            delete(dispatches).where(dispatches.c.number == number, dispatches.c.state == DispatchState.planning)
        )
    ledger.forget(f"planning-{dispatch_id}")


def _prune_batches(ledger: Ledger, number: int) -> bool:
    """Remove some batches, of which nothing was ever sent; False when none is left."""
    some = select(batches.c.number).where(batches.c.dispatch == number).limit(CHUNK)
    with ledger.write() as connection:
        return bool(connection.execute(delete(batches).where(batches.c.number.in_(some))).rowcount)


def _prune_identities(ledger: Ledger, number: int) -> bool:
    """Remove some addresses of messages that are gone; False when none is left."""
    some = select(addresses.c.address).where(addresses.c.dispatch == number).limit(CHUNK)
    gone = delete(addresses).where(addresses.c.dispatch == number, addresses.c.address.in_(some))
    with ledger.write() as connection:
        return bool(connection.execute(gone).rowcount)


def _prune_chunk(ledger: Ledger, number: int) -> bool:
    """Remove some messages, and what they are counted as; False when none is left."""
    of_dispatch = messages.c.dispatch == number
    with ledger.write() as connection:
        chunk = connection.execute(
            select(messages.c.ordinal, messages.c.reason).where(of_dispatch).order_by(messages.c.ordinal).limit(CHUNK)
        ).all()
        if not chunk:
            return False
        last = chunk[-1].ordinal
        connection.execute(
            delete(addresses).where(
                addresses.c.dispatch == number,
                addresses.c.address.in_(select(messages.c.address).where(of_dispatch, messages.c.ordinal <= last)),
            )
        )
        connection.execute(delete(messages).where(of_dispatch, messages.c.ordinal <= last))
        deltas: Counter[str] = Counter({totals.ROWS: -len(chunk)})
        for row in chunk:
            deltas[totals.WAITING if row.reason is None else totals.SKIPPED + row.reason] -= 1
        totals.add(connection, number, deltas)
    return True
