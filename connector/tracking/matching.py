"""Which batch a receipt belongs to, and which message of it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from connector.ledger import log
from connector.ledger.tables import (
    MESSAGE_OF_ADDRESS,
    addresses,
    attempts,
    batches,
    dispatches,
    integrations,
    messages,
)
from connector.model.report import Receipt, ReceiptKind

_MAX_ORDINAL = 2**31

# Statements of every receipt are built once: building one costs more than running it.
_BY_KEY = select(batches).where(batches.c.key.in_(bindparam("keys", expanding=True)))
_BY_COPY = (
    select(attempts.c.provider_batch_id.label("copy"), *batches.c)
    .join_from(attempts, batches, attempts.c.batch == batches.c.number)
    .where(attempts.c.provider_batch_id.in_(bindparam("ids", expanding=True)))
)
_BY_MESSAGE = (
    select(messages)
    .join_from(dispatches, messages, messages.c.dispatch == dispatches.c.number)
    .where(dispatches.c.id == bindparam("dispatch"), messages.c.ordinal == bindparam("ordinal"))
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
_ANSWERED = select(messages.c.ordinal, messages.c.state).where(
    messages.c.dispatch == bindparam("dispatch"),
    messages.c.ordinal.between(bindparam("first"), bindparam("last")),
    messages.c.shape == bindparam("shape"),
    messages.c.provider_id == bindparam("reply_to"),
)
_MEMBER = select(messages.c.state).where(
    messages.c.dispatch == bindparam("dispatch"),
    messages.c.ordinal == bindparam("ordinal"),
    messages.c.ordinal.between(bindparam("first"), bindparam("last")),
    messages.c.shape == bindparam("shape"),
)

Named = tuple[str, ...]
"""What a receipt names its batch by."""


def named(integration: str, receipt: Receipt) -> Named:
    """What a receipt names its batch by, and through which integration it came."""
    words = (receipt.batch_key, receipt.provider_batch_id, receipt.message_id, receipt.reply_to)
    return (integration, *(word or "" for word in words))


def row_named(batch: Row[Any], receipt: Receipt) -> int | None:
    """The row that a receipt names by our own id of its message; None: it names none of the batch's dispatch."""
    place = _read(receipt.message_id)
    return None if place is None or place[0] != batch.key.partition("-")[0] else place[1]


def of_its_copy(batch: Row[Any], receipt: Receipt) -> Receipt:
    """A receipt that names the copy of its batch, or none: a message's own id is that of no batch of several."""
    if batch.size > 1 and receipt.provider_batch_id is not None and receipt.provider_batch_id == receipt.provider_id:
        return replace(receipt, provider_batch_id=None)
    return receipt


def addressed(receipt: Receipt) -> list[str]:
    """The addresses that a message to the recipient of a receipt may have gone to."""
    return [each for each in (receipt.recipient, receipt.on_channel, receipt.known_as) if each is not None]


def ordinal_in(connection: Connection, batch: Row[Any], receipt: Receipt) -> int | None:
    """The row of a receipt's message in a batch; None: there is none.

    By our id of it, else by its recipient, else by the provider's id of what is answered.
    """
    own = row_named(batch, receipt)
    if own is not None:
        row = connection.execute(_MEMBER, {**log.range_of(batch), "ordinal": own}).first()
        return own if row is not None and row.state not in log.NEVER_ENQUEUED else None
    ways = [(_ORDINALS, {"address": address}) for address in addressed(receipt)]
    if receipt.reply_to:
        ways.append((_ANSWERED, {"reply_to": receipt.reply_to}))
    for statement, by in ways:
        rows = connection.execute(statement, {**log.range_of(batch), **by})
        found = next((int(row.ordinal) for row in rows if row.state not in log.NEVER_ENQUEUED), None)
        if found is not None:
            return found
    return only_row(connection, batch, receipt)


def only_row(connection: Connection, batch: Row[Any], receipt: Receipt) -> int | None:
    """The row of a batch of one, where the provider names it by that alone, whatever address it went to."""
    named_alone = {receipt.provider_id, receipt.reply_to} & {receipt.provider_batch_id, batch.provider_batch_id}
    if batch.size != 1 or not named_alone - {None}:
        return None
    row = connection.execute(log.members(batch)).first()
    return None if row is None else int(row.ordinal)


def batches_of(connection: Connection, arrivals: Iterable[tuple[str, Receipt]]) -> dict[Named, Row[Any]]:
    """The batch of each receipt, under what it is `named` by.

    By our key first, else by the provider's id, else by our id of the message; what a person answers goes before a
    key, which may be of something later.
    """
    receipts = [(integration, r) for integration, r in arrivals if r.kind is not ReceiptKind.unknown]
    keys = {r.batch_key for _, r in receipts if r.batch_key}
    by_key = {row.key: row for row in connection.execute(_BY_KEY, {"keys": list(keys)}).all()}
    by_id: dict[str, Row[Any]] = {}
    ids = {r.provider_batch_id for _, r in receipts if r.provider_batch_id and r.batch_key not in by_key}
    ids |= {r.reply_to for _, r in receipts if r.reply_to}
    if ids:
        for row in connection.execute(_BY_COPY, {"ids": list(ids)}).all():
            by_id[row.copy] = row
    account = {row.id: row.account for row in connection.execute(_ACCOUNTS).all()}
    found = {}
    for integration, receipt in receipts:
        batch = (
            by_id.get(receipt.reply_to or "")
            or by_key.get(receipt.batch_key or "")
            or by_id.get(receipt.provider_batch_id or "")
            or _of_message(connection, receipt)
        )
        # A key that is known to one account proves nothing when it comes through another.
        if batch is not None and account.get(integration) == batch.account:
            found[named(integration, receipt)] = batch
    return found


def _of_message(connection: Connection, receipt: Receipt) -> Row[Any] | None:
    """The batch that carries the message that a receipt names by our own id of it."""
    place = _read(receipt.message_id)
    if place is None:
        return None
    message = connection.execute(_BY_MESSAGE, {"dispatch": place[0], "ordinal": place[1]}).first()
    return None if message is None else log.carrier(connection, message)


def _read(message_id: str | None) -> tuple[str, int] | None:
    """The dispatch and the row that an id of ours names."""
    dispatch, _, ordinal = (message_id or "").rpartition("-")
    if not dispatch or not (ordinal.isascii() and ordinal.isdecimal()) or len(ordinal) > 10:
        return None
    return (dispatch, int(ordinal)) if int(ordinal) < _MAX_ORDINAL else None
