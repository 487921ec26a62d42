"""Receipts that change nothing, or nothing yet: they are kept, and those that match later are given back."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, bindparam, delete, exists, insert, or_, select

from connector.ledger import totals
from connector.ledger.tables import BatchState, WhyKept, attempts, batches, integrations, kept_reports
from connector.model.report import Receipt
from connector.tracking.matching import batches_of, named, ordinal_in
from connector.tracking.standing import BUCKET

_RECEIPT = TypeAdapter(Receipt)
_RELEASE_CHUNK = 400

UNREADABLE_KEPT = 1000
"""So many unreadable reports of an integration are kept, the latest: another system on the same account may bring any
number of them."""

NO_SUCH_BATCH = "no such batch"
NOT_IN_BATCH = "the recipient is not in this batch"


def keep(
    connection: Connection,
    why: WhyKept,
    integration: str,
    receipt: Receipt,
    now: datetime,
    *,
    count: Counter[tuple[str, str]],
    problem: str | None = None,
    batch: Row[Any] | None = None,
    ordinal: int | None = None,
) -> None:
    """Keep a receipt that changes nothing, and count it; a repeat of one that is kept is only counted."""
    count[integration, why] += 1
    if batch is not None and ordinal is None:
        ordinal = ordinal_in(connection, batch, receipt)
    body = _RECEIPT.dump_json(receipt).decode()
    digest = hashlib.sha256(body.encode()).hexdigest()
    if connection.scalar(_SAME, {"of_why": why, "of_integration": integration, "of_digest": digest}):
        return
    if why is WhyKept.double_send and _is_told(connection, integration, receipt, batch, ordinal):
        return
    connection.execute(
        insert(kept_reports).values(
            why=why,
            integration=integration,
            received_at=now,
            batch_key=receipt.batch_key,
            provider_batch_id=receipt.provider_batch_id,
            dispatch=None if batch is None else batch.dispatch,
            ordinal=ordinal,
            problem=problem,
            body=body,
            digest=digest,
        )
    )
    if batch is not None and why in (WhyKept.double_send, WhyKept.late):
        name = totals.DOUBLE_SEND if why is WhyKept.double_send else totals.LATE
        totals.add(connection, batch.dispatch, {name: 1})


def _is_told(
    connection: Connection, integration: str, receipt: Receipt, batch: Row[Any] | None, ordinal: int | None
) -> bool:
    """Whether another report told already of the same copy of a message."""
    same = exists().where(
        kept_reports.c.why == WhyKept.double_send,
        kept_reports.c.batch_key.is_not_distinct_from(receipt.batch_key),
        kept_reports.c.provider_batch_id.is_not_distinct_from(receipt.provider_batch_id),
        kept_reports.c.integration == integration,
        kept_reports.c.dispatch == (None if batch is None else batch.dispatch),
        kept_reports.c.ordinal == ordinal,
    )
    return bool(connection.scalar(select(same)))


def trim(connection: Connection, integration: str) -> None:
    """Drop the oldest unreadable reports of an integration where there are too many; they stay counted."""
    unreadable = (kept_reports.c.why == WhyKept.unreadable, kept_reports.c.integration == integration)
    oldest = connection.scalar(
        select(kept_reports.c.number)
        .where(*unreadable)
        .order_by(kept_reports.c.number.desc())
        .offset(UNREADABLE_KEPT - 1)
        .limit(1)
    )
    if oldest is not None:
        connection.execute(delete(kept_reports).where(*unreadable, kept_reports.c.number < oldest))


_SAME = select(
    exists().where(
        kept_reports.c.why == bindparam("of_why"),
        kept_reports.c.integration == bindparam("of_integration"),
        kept_reports.c.digest == bindparam("of_digest"),
    )
)
_UNMATCHED = select(kept_reports).where(
    kept_reports.c.why == WhyKept.unmatched,
    kept_reports.c.problem != NOT_IN_BATCH,
    or_(kept_reports.c.batch_key == bindparam("key"), kept_reports.c.provider_batch_id == bindparam("copy")),
)


def release_of(connection: Connection, key: str, provider_batch_id: str | None) -> list[tuple[str, Receipt]]:
    """Give back the receipts that came before their batch was known to be accepted."""
    # Where the provider's id isn't known, only the key matches.
    rows = connection.execute(_UNMATCHED, {"key": key, "copy": provider_batch_id or key}).all()
    return _release(connection, rows)


def release_matched(connection: Connection, *, limit: int = 500) -> list[tuple[str, Receipt]]:
    """Give back receipts that matched nothing and have come lately to have a batch."""
    ours = [
        batches.c.state.in_([*BUCKET, BatchState.accepted]),
        integrations.c.id == kept_reports.c.integration,
        integrations.c.account == batches.c.account,
    ]
    known = exists().where(batches.c.key == kept_reports.c.batch_key, *ours) | exists().where(
        attempts.c.provider_batch_id == kept_reports.c.provider_batch_id, attempts.c.batch == batches.c.number, *ours
    )
    rows = connection.execute(
        select(kept_reports)
        .where(kept_reports.c.why == WhyKept.unmatched, kept_reports.c.problem != NOT_IN_BATCH, known)
        .limit(limit)
    ).all()
    return _release(connection, rows)


def _release(connection: Connection, rows: Sequence[Row[Any]]) -> list[tuple[str, Receipt]]:
    """Take out the receipts whose batch is known by now; the others stay as they are."""
    found = []
    for start in range(0, len(rows), _RELEASE_CHUNK):
        receipts = [(row, _RECEIPT.validate_json(row.body)) for row in rows[start : start + _RELEASE_CHUNK]]
        known = batches_of(connection, [(row.integration, receipt) for row, receipt in receipts])
        for row, receipt in receipts:
            batch = known.get(named(row.integration, receipt))
            if batch is not None and (batch.state == BatchState.accepted or batch.state in BUCKET):
                # Where it says no time of its own, it happened before it came.
                timed = replace(receipt, occurred_at=receipt.occurred_at or row.received_at)
                found.append((row.integration, timed))
                connection.execute(delete(kept_reports).where(kept_reports.c.number == row.number))
    return found
