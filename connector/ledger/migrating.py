"""Raising the ledger's schema by Alembic; imported only where there is something to raise, as it takes its time."""

import io

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def versions() -> frozenset[str]:
    """Every version that this code knows."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def upgrade(connection: Connection) -> None:
    """Bring a ledger to the newest version, in the connection's transaction."""
    command.upgrade(_config(connection), "head")


def statements(version: str | None) -> str:
    """The SQL that does so, from a version (None: an empty ledger)."""
    config = _config()
    config.output_buffer = io.StringIO()
    command.upgrade(config, f"{version or 'base'}:head", sql=True)
    return config.output_buffer.getvalue()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "connector:ledger/migrations")
    config.attributes["connection"] = connection
    return config
