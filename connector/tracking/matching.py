"""Which batch a receipt belongs to, and which message of it."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from connector.ledger import log
from connector.ledger.tables import MESSAGE_OF_ADDRESS, addresses, attempts, batches, integrations, messages
from connector.model.report import Receipt, ReceiptKind

# Statements of every receipt are built once: building one costs more than running it.
_BY_KEY = select(batches).where(batches.c.key.in_(bindparam("keys", expanding=True)))
_BY_COPY = (
    select(attempts.c.provider_batch_id.label("copy"), *batches.c)
    .join_from(attempts, batches, attempts.c.batch == batches.c.number)
    .where(attempts.c.provider_batch_id.in_(bindparam("ids", expanding=True)))
)
_ACCOUNTS = select(integrations.c.id, integrations.c.account)
_ORDINALS = (
    select(messages.c.ordinal, messages.c.state)
    .join_from(
        addresses,
        messages,
        MESSAGE_OF_ADDRESS,
    )
    .where(
        addresses.c.dispatch == bindparam("dispatch"),
        addresses.c.address == bindparam("address"),
        addresses.c.ordinal.between(bindparam("first"), bindparam("last")),
        messages.c.shape == bindparam("shape"),
    )
)


def ordinal_in(connection: Connection, batch: Row[Any], recipient: str | None) -> int | None:
    """The row of a recipient's message in a batch; None: there is none."""
    if recipient is None:
        return None
    rows = connection.execute(_ORDINALS, {**log.range_of(batch), "address": recipient})
    return next((int(row.ordinal) for row in rows if row.state not in log.NEVER_ENQUEUED), None)


def batches_of(connection: Connection, arrivals: Iterable[tuple[str, Receipt]]) -> dict[tuple[str, str, str], Row[Any]]:
    """The batch of each receipt, by our key first and else by the provider's id."""
    receipts = [(integration, r) for integration, r in arrivals if r.kind is not ReceiptKind.unknown]
    keys = {r.batch_key for _, r in receipts if r.batch_key}
    ids = {r.provider_batch_id for _, r in receipts if r.provider_batch_id}
    by_key = {row.key: row for row in connection.execute(_BY_KEY, {"keys": list(keys)}).all()}
    by_id: dict[str, Row[Any]] = {}
    unkeyed = {r.provider_batch_id for _, r in receipts if r.batch_key not in by_key} & ids
    if unkeyed:
        for row in connection.execute(_BY_COPY, {"ids": list(unkeyed)}).all():
            by_id[row.copy] = row
    account = {row.id: row.account for row in connection.execute(_ACCOUNTS).all()}
    found = {}
    for integration, receipt in receipts:
        batch = by_key.get(receipt.batch_key or "") or by_id.get(receipt.provider_batch_id or "")
        # A key that is known to one account proves nothing when it comes through another.
        if batch is not None and account.get(integration) == batch.account:
            found[integration, receipt.batch_key or "", receipt.provider_batch_id or ""] = batch
    return found
