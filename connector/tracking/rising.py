"""The state of a message, which only rises, whatever order its receipts come in."""

import json
from collections import Counter
from collections.abc import Sequence
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
from connector.tracking.policy import Policy
from connector.tracking.standing import integration_name

_encode = json.JSONEncoder(ensure_ascii=False).encode

# Statements of every receipt are built once: building one costs more than running it.
_PLACES = (
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
        MESSAGE_OF_ADDRESS,
    )
    .where(
        addresses.c.dispatch == bindparam("dispatch"),
        addresses.c.address.in_(bindparam("people", expanding=True)),
        # Of an open dispatch one person may have many messages.
        addresses.c.ordinal.between(bindparam("first"), bindparam("last")),
    )
)
_RAISE = (
    update(messages)
    .where(messages.c.dispatch == bindparam("d"), messages.c.ordinal == bindparam("o"))
    .values(
        state=bindparam("s"),
        status_code=bindparam("c"),
        status_code_source=bindparam("cs"),
        raw_status=bindparam("r"),
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


def apply(
    connection: Connection,
    receipts: Sequence[tuple[str, Receipt, Row[Any]]],
    now: datetime,
    policy: Policy,
    count: Counter[tuple[str, str]],
) -> None:
    """Raise the messages that receipts speak of, each with the id of its integration and its batch."""
    places = _places(connection, receipts)
    changed: dict[tuple[int, int], _Place] = {}
    rows: list[dict[str, Any]] = []
    deltas: dict[int, Counter[str]] = {}
    names: dict[int, str | None] = {}
    told: list[holds.Told] = []
    for integration, receipt, batch in receipts:
        place = _place_in(batch, places.get((batch.dispatch, receipt.recipient or ""), ()))
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
        if receipt.scope is not Scope.recipient:
            told.append((batch, place.ordinal, receipt))
        if batch.dispatch not in names:
            names[batch.dispatch] = integration_name(connection, batch.dispatch)
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
                "payload": _encode(receipt.payload) if receipt.payload else None,
            }
        )
    if changed:
        connection.execute(
            _RAISE,
            [
                {"d": d, "o": o, "s": p.state, "c": p.code, "cs": p.source, "r": p.raw_status}
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


def _places(
    connection: Connection, receipts: Sequence[tuple[str, Receipt, Row[Any]]]
) -> dict[tuple[int, str], list[_Place]]:
    """The messages to the recipients of receipts, by dispatch and address: all that their batches may have."""
    wanted: dict[int, set[str]] = {}
    ranges: dict[int, tuple[int, int]] = {}
    for _, receipt, batch in receipts:
        if receipt.recipient:
            wanted.setdefault(batch.dispatch, set()).add(receipt.recipient)
            first, last = ranges.get(batch.dispatch, (batch.first, batch.last))
            ranges[batch.dispatch] = min(first, batch.first), max(last, batch.last)
    found: dict[tuple[int, str], list[_Place]] = {}
    for dispatch, people in wanted.items():
        first, last = ranges[dispatch]
        named = {"dispatch": dispatch, "people": list(people), "first": first, "last": last}
        for address, ordinal, shape, state, code, source, raw_status in connection.execute(_PLACES, named).all():
            if state not in log.NEVER_ENQUEUED:
                place = _Place(ordinal, shape, state, code, source, raw_status)
                found.setdefault((dispatch, address), []).append(place)
    return found


def _place_in(batch: Row[Any], places: Sequence[_Place]) -> _Place | None:
    """The one of a person's messages that is in a batch; None: none is."""
    for place in places:
        if place.shape == batch.shape and batch.first <= place.ordinal <= batch.last:
            return place
    return None


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
