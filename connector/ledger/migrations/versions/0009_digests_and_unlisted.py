"""A digest of every kept report, by which a repeat is known, and which batches the provider can't be asked about."""

import hashlib

import sqlalchemy as sa
from alembic import context, op

revision = "0009"
down_revision = "0008"

AT_ONCE = 500


def upgrade() -> None:
    op.add_column("batches", sa.Column("unlisted", sa.Boolean(), nullable=True))
    op.add_column("kept_reports", sa.Column("digest", sa.String(length=64), nullable=True))
    if not context.is_offline_mode():
        _digest()
    op.create_index("kept_reports_by_digest", "kept_reports", ["why", "integration", "digest"])


def _digest() -> None:
    """What was kept so far is known again. SQL alone can't compute it: after that, a repeat is kept once more."""
    connection = op.get_bind()
    reached = 0
    while rows := connection.execute(
        sa.text("SELECT number, body FROM kept_reports WHERE number > :reached ORDER BY number LIMIT :most"),
        {"reached": reached, "most": AT_ONCE},
    ).all():
        connection.execute(
            sa.text("UPDATE kept_reports SET digest = :digest WHERE number = :number"),
            [{"number": number, "digest": hashlib.sha256(body.encode()).hexdigest()} for number, body in rows],
        )
        reached = rows[-1].number
