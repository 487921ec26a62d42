"""The ledger's schema version: made and raised by Alembic."""

import importlib
from typing import Any

from sqlalchemy import Connection, Engine, inspect

from connector.model.errors import SchemaMismatch

HEAD = "0011"
"""The version that this code works with; a test compares it with the newest migration."""


def _migrating() -> Any:
    # Slow to import: a quarter of the time in which a command starts, and mostly there is nothing to raise.
    return importlib.import_module("connector.ledger.migrating")


def current(connection: Connection) -> str | None:
    """The version of a ledger; None: it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return None if row is None else str(row[0])


def ensure(engine: Engine) -> None:
    """Bring a ledger to this version.

    Raises `SchemaMismatch` when it was made by a newer one.
    """
    with engine.connect() as connection:
        version = current(connection)
    if version == HEAD:
        return
    _check(version)
    with engine.connect() as connection, connection.execution_options(connector_writes=True).begin():
        _migrating().upgrade(connection)


def statements(version: str | None) -> str:
    """The SQL that brings a ledger of a version (None: an empty one) to this version; no ledger is opened.

    Raises `SchemaMismatch` when it was made by a newer one.
    """
    _check(version)
    return str(_migrating().statements(version))


def _check(version: str | None) -> None:
    if version is not None and version not in _migrating().versions():
        raise SchemaMismatch(
            f"The ledger has schema {version}, which this version ({HEAD}) doesn't know: "
            f"it was made by a newer connector. Upgrade the connector."
        )
