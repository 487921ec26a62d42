"""Trials of refused senders and texts, batches that were called back, countries that are paused."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("dispatches", sa.Column("resumed_at", sa.BigInteger(), nullable=True))
    op.add_column("dispatches", sa.Column("paused_countries", sa.Text(), nullable=True))
    op.add_column("shapes", sa.Column("twin_of", sa.Integer(), nullable=True))
    op.add_column("batches", sa.Column("cancelled_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "trials",
        sa.Column("dispatch", NUMBER, nullable=False),
        sa.Column("shape", sa.Integer(), nullable=False),
        sa.Column("probe", NUMBER, nullable=True),
        sa.Column("descents", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dispatch", "shape"),
    )
    op.create_table(
        "refused_alone",
        sa.Column("batch", NUMBER, autoincrement=False, nullable=False),
        sa.Column("dispatch", NUMBER, nullable=False),
        sa.Column("shape", sa.Integer(), nullable=False),
        sa.Column("descent", sa.Integer(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("batch"),
    )
    op.create_index("refused_alone_by_shape", "refused_alone", ["dispatch", "shape"])
