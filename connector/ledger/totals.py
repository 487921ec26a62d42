"""Counts of a dispatch: written as changes beside what they count, read as sums."""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, func, insert, select

from connector.ledger.tables import totals

FOLD_ABOVE_ROWS = 500

ROWS = "rows"
WAITING = "waiting"
SENDING = "sending"
IN_DOUBT = "in_doubt"
ENQUEUE_FAILED = "enqueue_failed"
UNKNOWN = "unknown"
ENQUEUED = "enqueued"
OPEN = "open"
PARTS = "parts"
DOUBLE_SEND = "double_send"
LATE = "late"
SKIPPED = "skipped:"
"""Prefix; the reason follows."""
CODE = "code:"
"""Prefix; status, source of the code, code and error follow, between bars."""


def code_name(status: str, source: str | None, code: int | None, error: str | None = None) -> str:
    """The name under which messages with one error code are counted."""
    return f"{CODE}{status}|{source or ''}|{'' if code is None else code}|{error or ''}"[:200]


_NEW_ROWS = insert(totals)


def add(connection: Connection, dispatch: int, deltas: Mapping[str, int]) -> None:
    """Count a change, in the transaction that makes it."""
    rows = [{"dispatch": dispatch, "name": name, "delta": delta} for name, delta in deltas.items() if delta]
    if rows:
        connection.execute(_NEW_ROWS, rows)


def read(connection: Connection, dispatch: int) -> dict[str, int]:
    """The counts of a dispatch; a name that was never counted is absent."""
    rows = connection.execute(
        select(totals.c.name, func.sum(totals.c.delta)).where(totals.c.dispatch == dispatch).group_by(totals.c.name)
    )
    return {name: int(count) for name, count in rows if count}


def fold(connection: Connection, dispatch: int) -> None:
    """Replace the changes of a dispatch by their sums, where they have become many."""
    count = connection.scalar(select(func.count()).select_from(totals).where(totals.c.dispatch == dispatch))
    if (count or 0) <= FOLD_ABOVE_ROWS:
        return
    sums = read(connection, dispatch)
    connection.execute(delete(totals).where(totals.c.dispatch == dispatch))
    add(connection, dispatch, sums)
