"""How many events a sink left out."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("cursors", sa.Column("left_out", sa.BigInteger(), nullable=True))
