"""Telling the provider who did what a message was for."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, select

from connector.dispatch.sending import Line
from connector.ledger import log
from connector.ledger.database import Ledger
from connector.ledger.tables import BatchState, addresses, batches, dispatches, messages
from connector.model.errors import Fault, NotFound, RecipientsError
from connector.model.phone import Numbers

CHUNK = 500


def feedback(ledger: Ledger, line: Line | None, dispatch: int, recipients: Iterable[str], numbers: Numbers) -> int:
    """Tell the provider of these recipients of a dispatch, batch by batch; returns how many they are.

    Raises `NotFound` when the provider takes no feedback, `RecipientsError` with everybody who got no message, before
    anything is told, and `ReadFailed` when the provider can't be told; then all of it may be told again.
    """
    with ledger.read() as connection:
        of = connection.execute(select(dispatches).where(dispatches.c.number == dispatch)).one()
        if line is None or line.provider.account != of.account:
            raise NotFound(
                f"The integration {of.integration} of the dispatch {of.id}, on the account {of.account}, is not in the "
                f"configuration: its provider can't be told."
            )
        if not line.provider.supports("feedback"):
            raise NotFound(f"{line.provider.title} takes no feedback on messages.")
        found, faults = _batches_of(connection, of, list(recipients), numbers)
    if faults:
        raise RecipientsError(faults)
    for provider_batch_id, people in found.items():
        line.provider.feedback(provider_batch_id, people)
    return sum(len(people) for people in found.values())


def _batches_of(
    connection: Connection, dispatch: Row[Any], recipients: Sequence[str], numbers: Numbers
) -> tuple[dict[str, list[str]], list[Fault]]:
    """Provider's batch id to the canonical numbers in it, and what is wrong with the others.

    Of several messages to a number it is the newest that the provider has accepted.
    """
    canonical = [numbers.canonical(written) for written in recipients]
    rows: dict[str, list[Any]] = {}
    for address, row in _messages(connection, dispatch.number, {address for address, _ in filter(None, canonical)}):
        rows.setdefault(address, []).append(row)
    # Of an open dispatch there may be millions.
    accepted = _Accepted(connection, dispatch.number) if dispatch.open is None else _Carriers(connection)
    found: dict[str, dict[str, None]] = {}
    faults = []
    for place, known in enumerate(canonical):
        sent = rows.get(known[0], []) if known else []
        batch = next((batch for message in reversed(sent) if (batch := accepted.of(message)) is not None), None)
        if known is None:
            wrong = "This can't be a phone number."
        elif not sent:
            wrong = "Nobody with this number is in the dispatch."
        elif batch is None:
            wrong = "The provider has not accepted a message to this number."
        elif batch.provider_batch_id is None:
            wrong = "The provider's id of this message's batch is not known yet."
        else:
            found.setdefault(batch.provider_batch_id, {})[known[0]] = None
            continue
        faults.append(Fault(f"recipient {place + 1}", wrong))
    return {key: list(people) for key, people in found.items()}, faults


def _messages(connection: Connection, dispatch: int, wanted: set[str]) -> Iterator[tuple[str, Any]]:
    ordered = sorted(wanted)
    for start in range(0, len(ordered), CHUNK):
        query = (
            select(addresses.c.address, messages.c.dispatch, messages.c.ordinal, messages.c.shape, messages.c.state)
            .join(messages, (messages.c.dispatch == dispatch) & (messages.c.ordinal == addresses.c.ordinal))
            .where(addresses.c.dispatch == dispatch, addresses.c.address.in_(ordered[start : start + CHUNK]))
            .order_by(addresses.c.address, addresses.c.ordinal)
        )
        for row in connection.execute(query):
            yield str(row.address), row


class _Accepted:
    """The accepted batches of a dispatch, found by their rows."""

    def __init__(self, connection: Connection, dispatch: int) -> None:
        self._by_shape: dict[int, list[Row[Any]]] = {}
        query = select(batches).where(batches.c.dispatch == dispatch, batches.c.state == BatchState.accepted)
        for row in connection.execute(query.order_by(batches.c.first)):
            self._by_shape.setdefault(row.shape, []).append(row)

    def of(self, message: Any) -> Row[Any] | None:
        """The batch of a message; None: it was not accepted."""
        ordered = self._by_shape.get(message.shape, [])
        place = bisect_right(ordered, message.ordinal, key=attrgetter("first")) - 1
        if place < 0 or ordered[place].last < message.ordinal or message.state in log.NEVER_ENQUEUED:
            return None
        return ordered[place]


class _Carriers:
    """The accepted batches of messages, each looked for by itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, message: Any) -> Row[Any] | None:
        """The batch of a message; None: it was not accepted."""
        if message.state in log.NEVER_ENQUEUED:
            return None
        batch = log.carrier(self._connection, message)
        return batch if batch is not None and batch.state == BatchState.accepted else None
