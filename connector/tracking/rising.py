"""The state of a message, which only rises, whatever order its receipts come in."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from connector.ledger import log, totals
from connector.ledger.tables import MESSAGE_OF_ADDRESS, MessageState, WhyKept, addresses, messages
from connector.model.event import RANK, EventKind, Status
from connector.model.outcome import Scope
from connector.model.report import Receipt
from connector.tracking import holds, kept
from connector.tracking.matching import only_row, row_named
from connector.tracking.policy import Policy
from connector.tracking.standing import integration_name

_DELIVERED = RANK[Status.delivered]
_encode = json.JSONEncoder(ensure_ascii=False).encode

_OF_PLACE = (
    messages.c.ordinal,
    messages.c.shape,
    messages.c.state,
    messages.c.status_code,
    messages.c.status_code_source,
    messages.c.raw_status,
    messages.c.error,
    messages.c.provider_id,
)
# Statements of every receipt are built once: building one costs more than running it.
_PLACES = (
    select(addresses.c.address, *_OF_PLACE)
    .join_from(
        addresses,
        messages,
        MESSAGE_OF_ADDRESS,
    )
    .where(
        addresses.c.dispatch == bindparam("dispatch"),
        addresses.c.address.in_(bindparam("people", expanding=True)),
        # Of an open dispatch one person may have many messages.
        addresses.c.ordinal.between(bindparam("first"), bindparam("last")),
    )
)
_ROWS = select(*_OF_PLACE).where(
    messages.c.dispatch == bindparam("dispatch"), messages.c.ordinal.in_(bindparam("ordinals", expanding=True))
)
_RAISE = (
    update(messages)
    .where(messages.c.dispatch == bindparam("d"), messages.c.ordinal == bindparam("o"))
    .values(
        state=bindparam("s"),
        status_code=bindparam("c"),
        status_code_source=bindparam("cs"),
        raw_status=bindparam("r"),
        error=bindparam("e"),
        provider_id=bindparam("p"),
    )
)


@dataclass(slots=True)
class _Place:
    """A message, as it stands while a transaction works through its receipts."""

    ordinal: int
    shape: int
    state: str | None
    code: int | None
    source: str | None
    raw_status: str | None
    error: str | None
    provider_id: str | None

    @property
    def code_name(self) -> str:
        return totals.code_name(self.state or "", self.source, self.code, self.error)


def apply(
    connection: Connection,
    receipts: Sequence[tuple[str, Receipt, Row[Any]]],
    now: datetime,
    policy: Policy,
    count: Counter[tuple[str, str]],
) -> None:
    """Raise the messages that receipts speak of, each with the id of its integration and its batch."""
    places = _Places(connection, receipts)
    changed: dict[tuple[int, int], _Place] = {}
    rows: list[dict[str, Any]] = []
    deltas: dict[int, Counter[str]] = {}
    names: dict[int, str | None] = {}
    told: list[holds.Told] = []
    for integration, receipt, batch in receipts:
        place = places.of(receipt, batch)
        if place is None:
            kept.keep(
                connection,
                WhyKept.unmatched,
                integration,
                receipt,
                now,
                problem=kept.NOT_IN_BATCH,
                count=count,
            )
            continue
        rank = None if receipt.status is None else RANK.get(receipt.status)
        rises = rank is not None and rank > RANK[Status(place.state or Status.enqueued)]
        if _is_late(receipt, place, rises, now, policy.period_ends(batch.accepted_at, batch.send_at)):
            kept.keep(
                connection, WhyKept.late, integration, receipt, now, batch=batch, ordinal=place.ordinal, count=count
            )
            continue
        if receipt.status is None:
            if receipt.final and place.state is None:
                place.raw_status = receipt.raw_status
                place.provider_id = receipt.provider_id or place.provider_id
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
            delta[place.code_name] -= 1
        implies_delivered = receipt.status is Status.read and RANK[Status(place.state or Status.enqueued)] < _DELIVERED
        place.state, place.code = receipt.status, receipt.status_code
        place.source = receipt.status_code_source
        place.raw_status, place.error = receipt.raw_status, receipt.error
        place.provider_id = receipt.provider_id or place.provider_id
        delta[place.state] += 1
        delta[place.code_name] += 1
        changed[batch.dispatch, place.ordinal] = place
        if receipt.scope is not Scope.recipient:
            told.append((batch, place.ordinal, receipt))
        if batch.dispatch not in names:
            names[batch.dispatch] = integration_name(connection, batch.dispatch)
        # Who has read a message has got it, whether or not that was told.
        rows += [
            {
                "kind": EventKind.message,
                "status": status,
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
                "payload": _encode(receipt.payload) if receipt.payload else None,
            }
            for status in [*([Status.delivered] if implies_delivered else []), receipt.status]
        ]
    if changed:
        connection.execute(
            _RAISE,
            [
                {
                    "d": d,
                    "o": o,
                    "s": p.state,
                    "c": p.code,
                    "cs": p.source,
                    "r": p.raw_status,
                    "e": p.error,
                    "p": p.provider_id,
                }
                for (d, o), p in changed.items()
            ],
        )
    log.append(connection, rows)
    for dispatch, delta in deltas.items():
        totals.add(connection, dispatch, delta)
        if delta[Status.rejected] > 0 or delta[Status.failed] > 0:
            holds.watch_errors(connection, dispatch, policy)
    holds.hold(connection, told)


def _is_late(receipt: Receipt, place: _Place, rises: bool, now: datetime, ends_at: datetime) -> bool:
    """Whether a receipt's own time is past the waiting period.

    One without a time, such as a batch's own report when it is polled, is late only where the period was closed.
    """
    if receipt.occurred_at is not None:
        return receipt.occurred_at > ends_at
    return rises and place.state is not None and now > ends_at


class _Places:
    """The messages that receipts speak of: by our own id of a message, else by its recipient; each read once."""

    def __init__(self, connection: Connection, receipts: Sequence[tuple[str, Receipt, Row[Any]]]) -> None:
        self._connection = connection
        self._by_row: dict[tuple[int, int], _Place] = {}
        self._by_address: dict[tuple[int, str], list[_Place]] = {}
        rows: dict[int, set[int]] = {}
        people: dict[int, set[str]] = {}
        ranges: dict[int, tuple[int, int]] = {}
        for _, receipt, batch in receipts:
            own = row_named(batch, receipt)
            if own is not None:
                rows.setdefault(batch.dispatch, set()).add(own)
            elif receipt.recipient:
                people.setdefault(batch.dispatch, set()).add(receipt.recipient)
                first, last = ranges.get(batch.dispatch, (batch.first, batch.last))
                ranges[batch.dispatch] = min(first, batch.first), max(last, batch.last)
        for dispatch, ordinals in rows.items():
            self._read(dispatch, ordinals)
        for dispatch, addressed in people.items():
            first, last = ranges[dispatch]
            asked = {"dispatch": dispatch, "people": list(addressed), "first": first, "last": last}
            for address, *row in connection.execute(_PLACES, asked).all():
                place = self._keep(dispatch, row)
                if place is not None:
                    self._by_address.setdefault((dispatch, address), []).append(place)

    def of(self, receipt: Receipt, batch: Row[Any]) -> _Place | None:
        """The message of a receipt, which is in a batch; None: there is none."""
        own = row_named(batch, receipt)
        if own is not None:
            candidates: Sequence[_Place | None] = [self._by_row.get((batch.dispatch, own))]
        else:
            candidates = self._by_address.get((batch.dispatch, receipt.recipient or ""), [])
        for place in candidates:
            if place is not None and place.shape == batch.shape and batch.first <= place.ordinal <= batch.last:
                return place
        only = None if own is not None else only_row(self._connection, batch, receipt)
        if only is None:
            return None
        if (batch.dispatch, only) not in self._by_row:
            self._read(batch.dispatch, [only])
        return self._by_row.get((batch.dispatch, only))

    def _read(self, dispatch: int, ordinals: Iterable[int]) -> None:
        for row in self._connection.execute(_ROWS, {"dispatch": dispatch, "ordinals": list(ordinals)}).all():
            self._keep(dispatch, row)

    def _keep(self, dispatch: int, row: Sequence[Any]) -> _Place | None:
        """A message, the same however it was found; None: it was never enqueued."""
        place = _Place(*row)
        if place.state in log.NEVER_ENQUEUED:
            return None
        return self._by_row.setdefault((dispatch, place.ordinal), place)


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
    integration = integration_name(connection, batch.dispatch)
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
