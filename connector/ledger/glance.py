"""Looking into a ledger's file without leaving a trace: nothing is made, raised, locked or waited for."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from connector.model.errors import LedgerError

LATEST = 200


class Named(NamedTuple):
    """A dispatch by what people call it."""

    id: str
    key: str | None
    campaign: str
    state: str


def latest(path: Path) -> list[Named]:
    """The latest dispatches, newest first; none where there is no ledger, or it can't be read."""
    try:
        with _opened(path) as connection:
            rows = connection.execute(
                "SELECT id, CASE WHEN key_is_given THEN key END, campaign_name, state FROM dispatches "
                "ORDER BY number DESC LIMIT ?",
                (LATEST,),
            )
            return [Named(*row) for row in rows]
    except (sqlite3.Error, OSError):
        return []


def accounts(path: Path) -> list[str]:
    """Every account that was ever used; none where there is no ledger, or it can't be read."""
    try:
        with _opened(path) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM accounts ORDER BY name")]
    except (sqlite3.Error, OSError):
        return []


def version(path: Path) -> str | None:
    """The version of the schema; None: there is no ledger there yet. Raises `LedgerError`."""
    if not path.exists():
        return None
    try:
        with _opened(path) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return None if row is None else str(row[0])
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(f"The ledger {path} can't be read ({error}): check [storage] url.") from error


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    # Even a reader makes the files beside the ledger, unless it is told that nobody writes, or they are there.
    beside = all(path.with_name(path.name + ending).exists() for ending in ("-wal", "-shm"))
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro{'' if beside else '&immutable=1'}", uri=True)) as connection:
        yield connection
