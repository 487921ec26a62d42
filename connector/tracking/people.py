"""What people do: it always counts, once."""

import json
from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from connector.ledger import log
from connector.ledger.tables import addresses, events, integrations
from connector.model.event import EventKind, Status, provider_event_id
from connector.model.report import Receipt


def note(
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
