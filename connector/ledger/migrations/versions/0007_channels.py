"""Channels of an account that let nothing through."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("channels_asked_at", sa.BigInteger(), nullable=True))
    op.add_column("accounts", sa.Column("channels_due_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "failing_channels",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("stands_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "channel"),
    )
