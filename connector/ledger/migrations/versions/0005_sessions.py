"""Reasons in words, the provider's ids of messages, and sessions: until when people may be written to freely."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("messages", sa.Column("error", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("provider_id", sa.Text(), nullable=True))
    op.add_column("shapes", sa.Column("outside", sa.Boolean(), nullable=True))
    op.create_table(
        "sessions",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("open_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "channel", "address"),
        sqlite_with_rowid=False,
    )
    op.create_index("sessions_by_end", "sessions", ["open_until"])
