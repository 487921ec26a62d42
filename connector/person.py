"""What is known of one person: the messages of every dispatch, what became of them, and what the person answered."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from connector.extension.provider import Provider
from connector.ledger import log, totals
from connector.ledger.tables import (
    BatchState,
    MessageState,
    WhyKept,
    addresses,
    attempts,
    dispatches,
    integrations,
    kept_reports,
    messages,
    shapes,
)
from connector.model.codes import ErrorCode
from connector.model.event import Event, SkipReason, message_id
from connector.report import explained

STATE_OF_BATCH = {BatchState.accepted: totals.OPEN, BatchState.given_up: totals.UNKNOWN}
"""What a message is that has no state of its own, where the batch's has another name."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a message's batch was sent."""

    number: int
    sent_at: datetime
    send_at: datetime | None
    """When the provider was to send it; None: at once."""
    ended: str | None
    cause: str | None
    provider_batch_id: str | None


@dataclass(frozen=True, slots=True)
class BesideTheLog:
    """A report that changed nothing: it came after the waiting period, or speaks of a second copy."""

    why: str
    received_at: datetime
    raw_status: str | None
    status_code: int | None


@dataclass(frozen=True, slots=True)
class History:
    """One message to a person, and everything that happened to it."""

    message_id: str
    dispatch: str
    campaign: str
    campaign_id: str | None
    integration: str
    customer_id: str | None
    sender: str | None
    country: str | None
    number_of_message_parts: int | None
    state: str
    reason: str | None
    """Why it was skipped."""
    raw_status: str | None
    """The provider's own word for the last that it said."""
    events: list[Event]
    """What happened, replies included, oldest first."""
    codes: list[ErrorCode] = field(default_factory=list)
    """What the codes in the events mean."""
    beside: list[BesideTheLog] = field(default_factory=list)
    batch: str | None = None
    batch_state: str | None = None
    attempts: list[Attempt] = field(default_factory=list)
    """How often the batch was sent, and how each time ended."""
    look_ups: int = 0
    last_look_up: str | None = None
    next_look_up: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """All that is known of a number."""

    recipient: str
    messages: list[History]
    """Newest dispatch first, and of an open dispatch the newest message."""
    other_events: list[Event]
    """What the person wrote or did that belongs to no message, oldest first."""


def person(connection: Connection, number: str, providers: Mapping[str, type[Provider]]) -> Person:
    """All that is known of a canonical number.

    Costs one look-up, and one pass over the events of each dispatch that the person is in, for every hundred messages.
    """
    known = {row.name: providers.get(row.provider) for row in connection.execute(select(integrations))}
    found = []
    for dispatch, ordinals in _places(connection, number):
        found += _histories(connection, dispatch, ordinals, known.get(dispatch.integration))
        found += _repeats(connection, dispatch, number)
    return Person(number, found, log.of_nobody(connection, number))


def _places(connection: Connection, number: str) -> Iterator[tuple[Row[Any], list[int]]]:
    """Every dispatch with this number, the newest first: its first row in a list; of an open one all, newest first."""
    rows = connection.execute(
        select(addresses.c.dispatch, addresses.c.ordinal).where(
            addresses.c.address == number, addresses.c.dispatch.in_(select(dispatches.c.number))
        )
    )
    ordinals: dict[int, list[int]] = {}
    for row in rows:
        ordinals.setdefault(row.dispatch, []).append(row.ordinal)
    for dispatch in connection.execute(
        select(dispatches).where(dispatches.c.number.in_(ordinals)).order_by(dispatches.c.number.desc())
    ):
        yield dispatch, sorted(ordinals[dispatch.number], reverse=True)


def _repeats(connection: Connection, dispatch: Row[Any], number: str) -> list[History]:
    """The further rows of a person in a dispatch, which are skipped."""
    if not totals.read(connection, dispatch.number).get(totals.SKIPPED + SkipReason.duplicate):
        return []
    rows = connection.execute(
        select(messages)
        .where(
            messages.c.dispatch == dispatch.number,
            messages.c.reason == SkipReason.duplicate,
            messages.c.address == number,
        )
        .order_by(messages.c.ordinal)
    ).all()
    return [_told(dispatch, row, [event]) for row, event in zip(rows, log.of_skipped(connection, rows), strict=True)]


def _histories(
    connection: Connection, dispatch: Row[Any], ordinals: Sequence[int], provider: type[Provider] | None
) -> list[History]:
    rows = [
        connection.execute(
            select(messages).where(messages.c.dispatch == dispatch.number, messages.c.ordinal == ordinal)
        ).one()
        for ordinal in ordinals
    ]
    return [
        _history(connection, dispatch, row, happened, provider)
        for row, happened in zip(rows, log.of_messages(connection, rows), strict=True)
    ]


def _history(
    connection: Connection,
    dispatch: Row[Any],
    message: Row[Any],
    happened: list[Event],
    provider: type[Provider] | None,
) -> History:
    told = _told(dispatch, message, happened)
    batch = log.carrier(connection, message)
    return replace(
        told,
        sender=connection.scalar(
            select(shapes.c.sender).where(shapes.c.dispatch == dispatch.number, shapes.c.shape == message.shape)
        ),
        codes=_codes(happened, provider),
        beside=_beside(connection, message),
        **({} if batch is None else _of_batch(connection, told, batch)),
    )


def _told(dispatch: Row[Any], message: Row[Any], happened: list[Event]) -> History:
    """What a message's own row tells."""
    skipped = message.state in (MessageState.skipped, MessageState.withdrawn)
    return History(
        message_id=message_id(dispatch.id, message.ordinal),
        dispatch=dispatch.id,
        campaign=dispatch.campaign_name,
        campaign_id=dispatch.campaign_id,
        integration=dispatch.integration,
        customer_id=message.customer_id,
        sender=None,
        country=message.country,
        number_of_message_parts=message.parts,
        state=MessageState.skipped if skipped else message.state or totals.WAITING,
        reason=message.reason,
        raw_status=message.raw_status,
        events=happened,
    )


def _of_batch(connection: Connection, told: History, batch: Row[Any]) -> dict[str, Any]:
    """What the batch of a message adds."""
    return {
        "state": STATE_OF_BATCH.get(batch.state, str(batch.state)) if told.state == totals.WAITING else told.state,
        "batch": batch.key,
        "batch_state": batch.state,
        "attempts": _attempts(connection, batch.number),
        "look_ups": batch.look_ups,
        "last_look_up": batch.last_look_up,
        "next_look_up": batch.due_at if batch.state == BatchState.in_doubt else None,
    }


def _attempts(connection: Connection, batch: int) -> list[Attempt]:
    rows = connection.execute(select(attempts).where(attempts.c.batch == batch).order_by(attempts.c.number))
    return [Attempt(row.number, row.sent_at, row.send_at, row.ended, row.cause, row.provider_batch_id) for row in rows]


def _codes(happened: Iterable[Event], provider: type[Provider] | None) -> list[ErrorCode]:
    found: dict[tuple[str, str], ErrorCode] = {}
    for event in happened:
        code = "" if event.status_code is None else str(event.status_code)
        known = explained(provider, event.status_code_source or "", code, event.error or "")
        if known is not None:
            found[known.source, known.code] = known
    return list(found.values())


def _beside(connection: Connection, message: Row[Any]) -> list[BesideTheLog]:
    listed = []
    for row in connection.execute(
        select(kept_reports)
        .where(
            kept_reports.c.why.in_([WhyKept.late, WhyKept.double_send]),
            kept_reports.c.dispatch == message.dispatch,
            kept_reports.c.ordinal == message.ordinal,
        )
        .order_by(kept_reports.c.number)
    ):
        body = json.loads(row.body)
        listed.append(BesideTheLog(row.why, row.received_at, body.get("raw_status"), body.get("status_code")))
    return listed
