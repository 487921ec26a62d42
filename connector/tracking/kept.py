"""Receipts that change nothing, or nothing yet: they are kept, and those that match later are given back."""

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
    same = exists().where(
        kept_reports.c.why == why,
        # What both indexes have: only those few are compared whole.
        kept_reports.c.batch_key.is_not_distinct_from(receipt.batch_key),
        kept_reports.c.provider_batch_id.is_not_distinct_from(receipt.provider_batch_id),
        kept_reports.c.integration == integration,
        or_(
            kept_reports.c.body == body,
            (kept_reports.c.dispatch == (batch.dispatch if batch is not None else None))
            & (kept_reports.c.ordinal == ordinal),
        )
        if why is WhyKept.double_send
        else kept_reports.c.body == body,
    )
    if connection.scalar(select(same)):
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
        )
    )
    if batch is not None and why in (WhyKept.double_send, WhyKept.late):
        name = totals.DOUBLE_SEND if why is WhyKept.double_send else totals.LATE
        totals.add(connection, batch.dispatch, {name: 1})


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
