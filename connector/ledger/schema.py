"""The ledger's schema version: made and raised by Alembic."""

import io

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from connector.model.errors import SchemaMismatch

HEAD = "0008"
"""The version that this code works with; a test compares it with the newest migration."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "connector:ledger/migrations")
    config.attributes["connection"] = connection
    return config


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
        command.upgrade(_config(connection), "head")


def statements(version: str | None) -> str:
    """The SQL that brings a ledger of a version (None: an empty one) to this version; no ledger is opened.

    Raises `SchemaMismatch` when it was made by a newer one.
    """
    _check(version)
    config = _config()
    config.output_buffer = io.StringIO()
    command.upgrade(config, f"{version or 'base'}:head", sql=True)
    return config.output_buffer.getvalue()


def _check(version: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if version is not None and version not in known:
        raise SchemaMismatch(
            f"The ledger has schema {version}, which this version ({HEAD}) doesn't know: "
            f"it was made by a newer connector. Upgrade the connector."
        )
