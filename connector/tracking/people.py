"""What people do, and whatever else a provider tells beside the course of messages: it always counts, once."""

import json
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from connector.ledger import log
from connector.ledger.tables import MESSAGE_OF_ADDRESS, addresses, dispatches, events, integrations, messages, sessions
from connector.model.event import EventKind, Status, provider_event_id
from connector.model.outcome import Scope
from connector.model.report import Receipt, ReceiptKind
from connector.tracking import channels
from connector.tracking.matching import addressed, ordinal_in


def note(
    connection: Connection,
    integration: str,
    receipt: Receipt,
    batch: Row[Any] | None,
    now: datetime,
    count: Counter[tuple[str, str]],
) -> None:
    """Log what a person did, or what else was told; a repeat is known through any integration of the account.

    Whichever integration it first came through gives the event its id and its integration.
    """
    status = Status.noted if receipt.kind is ReceiptKind.notice else receipt.status or Status.replied
    told = receipt.provider_id or json.dumps(receipt.payload)
    row = connection.execute(select(integrations).where(integrations.c.id == integration)).first()
    sharing = {integration: None if row is None else row.name}
    if row is not None:
        same = select(integrations.c.id, integrations.c.name).where(integrations.c.account == row.account)
        sharing |= {each.id: each.name for each in connection.execute(same)}
    known = [provider_event_id(each, told, status) for each in sharing]
    if connection.scalar(select(exists().where(events.c.event_id.in_(known)))):
        count[integration, "repeated"] += 1
        return
    if row is not None and receipt.open_until is not None and receipt.channel:
        for address in filter(None, (receipt.recipient, receipt.known_as)):
            _open_session(connection, row.account, receipt.channel, address, receipt.open_until)
    if row is not None and _channel_fails(receipt) and receipt.channel:
        channels.told(connection, row.account, receipt.channel, receipt.comment or status, now=now)
    dispatch, ordinal = _concerned(connection, receipt, batch, sharing.values())
    log.append(
        connection,
        [
            {
                "kind": receipt.about,
                "status": status,
                "integration": None if row is None else row.name,
                "dispatch": dispatch,
                "ordinal": ordinal,
                "size": 1,
                "occurred_at": receipt.occurred_at or now,
                "recorded_at": now,
                "event_id": provider_event_id(integration, told, status),
                "recipient": receipt.recipient,
                "sender": receipt.sender,
                "status_code": receipt.status_code,
                "status_code_source": receipt.status_code_source,
                "error": receipt.error,
                "comment": receipt.comment,
                "raw_status": receipt.raw_status,
                "operator": receipt.operator,
                "channel": receipt.channel,
                "text": receipt.text,
                "payload": json.dumps(receipt.payload, ensure_ascii=False) if receipt.payload else None,
            }
        ],
    )


def _channel_fails(receipt: Receipt) -> bool:
    """Whether a notice says that nothing gets through over its channel any more."""
    return receipt.kind is ReceiptKind.notice and receipt.about is EventKind.channel and receipt.scope is Scope.account


def forget_sessions(connection: Connection, now: datetime) -> None:
    """Forget whose sessions have ended."""
    connection.execute(delete(sessions).where(sessions.c.open_until < now))


def _open_session(connection: Connection, account: str, channel: str, person: str, until: datetime) -> None:
    """Note until when anything may be sent to a person on a channel; what comes late shortens nothing."""
    named = (sessions.c.account == account) & (sessions.c.channel == channel) & (sessions.c.address == person)
    known = connection.scalar(select(sessions.c.open_until).where(named))
    if known is None:
        values = {"account": account, "channel": channel, "address": person, "open_until": until}
        connection.execute(insert(sessions).values(values))
    elif known < until:
        connection.execute(update(sessions).where(named).values(open_until=until))


def _concerned(
    connection: Connection, receipt: Receipt, batch: Row[Any] | None, integration_names: Collection[str | None]
) -> tuple[int | None, int | None]:
    """The dispatch and the row of the message that a receipt is about; None: of none that is known."""
    people = addressed(receipt)
    if receipt.reply_to and people:
        answered = connection.execute(
            select(messages.c.dispatch, messages.c.ordinal)
            .join_from(addresses, messages, MESSAGE_OF_ADDRESS)
            .where(
                addresses.c.dispatch.in_(
                    select(dispatches.c.number).where(dispatches.c.integration.in_(integration_names))
                ),
                addresses.c.address.in_(people),
                messages.c.provider_id == receipt.reply_to,
            )
        ).first()
        if answered is not None:
            return answered.dispatch, answered.ordinal
    ordinal = None if batch is None else ordinal_in(connection, batch, receipt)
    return (None, None) if batch is None or ordinal is None else (batch.dispatch, ordinal)
