"""Dispatches that stay open: several messages to one number, keys of what was added, batches by their rows."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("dispatches", sa.Column("open", sa.Boolean(), nullable=True))
    op.add_column("shapes", sa.Column("gathers", NUMBER, nullable=True))
    op.add_column("shapes", sa.Column("long", sa.Boolean(), nullable=True))
    op.create_table(
        "additions",
        sa.Column("dispatch", NUMBER, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dispatch", "key"),
        sqlite_with_rowid=False,
    )
    op.rename_table("addresses", "addresses_before")
    op.create_table(
        "addresses",
        sa.Column("dispatch", NUMBER, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dispatch", "address", "ordinal"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO addresses (dispatch, address, ordinal) SELECT dispatch, address, ordinal FROM addresses_before"
    )
    op.drop_table("addresses_before")
    op.add_column("batches", sa.Column("prompt", sa.Boolean(), nullable=True))
    op.create_index("batches_prompt", "batches", ["prompt", "task", "due_at"])
    op.drop_index("batches_by_dispatch", "batches")
    op.create_index("batches_by_dispatch", "batches", ["dispatch", "state", "task"])
    op.create_index("batches_by_ordinal", "batches", ["dispatch", "ordinal", "split"])
    op.create_index("batches_by_rows", "batches", ["dispatch", "shape", "first"])
