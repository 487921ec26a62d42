"""How far inbound messages were asked for, and how far each reader of the log has come."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("inbound_read_to", sa.BigInteger(), nullable=True))
    op.add_column("accounts", sa.Column("inbound_due_at", sa.BigInteger(), nullable=True))
    op.add_column("accounts", sa.Column("inbound_failures", sa.Integer(), nullable=True))
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
