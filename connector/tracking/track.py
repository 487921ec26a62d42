"""The one place where the two streams meet: outcomes and receipts become states and events.

Every function, and every one of the modules that this one leads to, works inside the caller's transaction:
states, totals, events and what was kept change together or not at all. Nothing here talks to a provider.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from connector.ledger import counters
from connector.ledger.tables import BatchState, WhyKept
from connector.model.report import Receipt, ReceiptKind
from connector.tracking import copies, kept, people, refusals, rising
from connector.tracking.matching import batches_of, named, of_its_copy
from connector.tracking.policy import Policy
from connector.tracking.standing import BUCKET, batch_by_number

_MATCH_CHUNK = 400


def accepted(
    connection: Connection,
    number: int,
    *,
    provider_batch_id: str | None,
    attempt: int | None,
    now: datetime,
    policy: Policy,
    callbacks_expected: bool = True,
) -> None:
    """A batch was surely accepted: by its answer, by a look-up, or by a receipt that carries its key.

    Receipts that came before it was known are taken now.
    """
    batch = copies.accept(
        connection,
        number,
        provider_batch_id=provider_batch_id,
        attempt=attempt,
        now=now,
        policy=policy,
        callbacks_expected=callbacks_expected,
    )
    if batch is not None:
        refusals.accepted(connection, batch.dispatch, batch.shape, now=now)
        arrivals = kept.release_of(connection, batch.key, provider_batch_id)
        received(connection, arrivals, now=now, policy=policy, callbacks_expected=callbacks_expected)


def received(
    connection: Connection,
    arrivals: Sequence[tuple[str, Receipt]],
    *,
    now: datetime,
    policy: Policy,
    callbacks_expected: bool = True,
) -> None:
    """Take receipts, each with the id of the integration that it came for.

    `callbacks_expected`: whether they were called back, or others are.
    """
    for start in range(0, len(arrivals), _MATCH_CHUNK):
        _received(connection, arrivals[start : start + _MATCH_CHUNK], now, policy, callbacks_expected)


def _received(
    connection: Connection,
    arrivals: Sequence[tuple[str, Receipt]],
    now: datetime,
    policy: Policy,
    callbacks_expected: bool,
) -> None:
    matched: list[tuple[str, Receipt, Row[Any]]] = []
    doings: list[tuple[str, Receipt, Row[Any] | None]] = []
    count: Counter[tuple[str, str]] = Counter()
    known = batches_of(connection, arrivals)
    for integration, receipt in arrivals:
        if receipt.kind is ReceiptKind.unknown:
            kept.keep(connection, WhyKept.unreadable, integration, receipt, now, problem=receipt.problem, count=count)
            continue
        batch = known.get(named(integration, receipt))
        if receipt.kind in (ReceiptKind.person, ReceiptKind.notice):
            doings.append((integration, receipt, batch))
        elif batch is None:
            kept.keep(connection, WhyKept.unmatched, integration, receipt, now, problem=kept.NO_SUCH_BATCH, count=count)
        else:
            matched.append((integration, of_its_copy(batch, receipt), batch))

    fresh: dict[int, Row[Any]] = {}
    on_messages: list[tuple[str, Receipt, Row[Any]]] = []
    for integration, receipt, batch in matched:
        row = fresh.get(batch.number, batch)
        if row.state != BatchState.accepted or (
            row.provider_batch_id is None and receipt.provider_batch_id is not None
        ):
            accepted(
                connection,
                row.number,
                provider_batch_id=receipt.provider_batch_id,
                attempt=None,
                now=now,
                policy=policy,
                callbacks_expected=callbacks_expected,
            )
            row = fresh[batch.number] = batch_by_number(connection, batch.number)
        if row.state == BatchState.split and row.doubt_since is not None and receipt.kind is ReceiptKind.message:
            # It counted as never arrived, and its parts have been sent.
            kept.keep(connection, WhyKept.double_send, integration, receipt, now, batch=row, count=count)
            continue
        if row.state != BatchState.accepted:
            kept.keep(
                connection, WhyKept.unmatched, integration, receipt, now, problem=f"batch is {row.state}", count=count
            )
            continue
        row, counts = copies.counts(connection, integration, receipt, row, now, count)
        fresh[batch.number] = row
        if counts and receipt.kind is ReceiptKind.message:
            on_messages.append((integration, receipt, row))
    for _, receipt, told_of in doings:
        # Whoever answers to a batch has got it, and so has the channel that it was handed to.
        if told_of is not None and fresh.get(told_of.number, told_of).state in BUCKET:
            accepted(
                connection,
                told_of.number,
                provider_batch_id=receipt.provider_batch_id,
                attempt=None,
                now=now,
                policy=policy,
                callbacks_expected=callbacks_expected,
            )
            fresh[told_of.number] = batch_by_number(connection, told_of.number)

    rising.apply(connection, on_messages, now, policy, count)
    for integration, receipt, batch in doings:
        people.note(connection, integration, receipt, batch, now, count)
    for (integration, name), times in count.items():
        counters.add(connection, integration, name, times)
        if name == WhyKept.unreadable:
            kept.trim(connection, integration)


def sweep(connection: Connection, *, now: datetime, policy: Policy) -> None:
    """Try once more to match what matched nothing and has come lately to have a batch."""
    received(connection, kept.release_matched(connection), now=now, policy=policy)
