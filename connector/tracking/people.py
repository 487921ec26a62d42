"""What people do: it always counts, once."""

import json
from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from connector.ledger import log
from connector.ledger.tables import events, integrations
from connector.model.event import EventKind, Status, provider_event_id
from connector.model.report import Receipt
from connector.tracking.matching import ordinal_in


def note(
    connection: Connection,
    integration: str,
    receipt: Receipt,
    batch: Row[Any] | None,
    now: datetime,
    count: Counter[tuple[str, str]],
) -> None:
    """Log what a person did; a repeat is known through any integration of the account that it came to.

    Whichever integration it first came through gives the event its id and its integration.
    """
    status = receipt.status or Status.replied
    told = receipt.provider_id or json.dumps(receipt.payload)
    row = connection.execute(select(integrations).where(integrations.c.id == integration)).first()
    sharing = {integration}
    if row is not None:
        sharing.update(connection.scalars(select(integrations.c.id).where(integrations.c.account == row.account)))
    known = [provider_event_id(each, told, status) for each in sharing]
    if connection.scalar(select(exists().where(events.c.event_id.in_(known)))):
        count[integration, "repeated"] += 1
        return
    ordinal = None if batch is None else ordinal_in(connection, batch, receipt.recipient)
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
                "event_id": provider_event_id(integration, told, status),
                "recipient": receipt.recipient,
                "sender": receipt.sender,
                "operator": receipt.operator,
                "channel": receipt.channel,
                "text": receipt.text,
                "payload": json.dumps(receipt.payload, ensure_ascii=False) if receipt.payload else None,
            }
        ],
    )
