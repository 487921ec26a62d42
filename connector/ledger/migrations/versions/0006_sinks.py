"""How sinks are doing in full, what they did not take, and what goes to them again."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("cursors", sa.Column("ahead", sa.Text(), nullable=True))
    op.add_column("cursors", sa.Column("stopped", sa.Boolean(), nullable=True))
    op.add_column("cursors", sa.Column("taken_at", sa.BigInteger(), nullable=True))
    op.add_column("cursors", sa.Column("events_per_second", sa.Float(), nullable=True))
    op.create_table(
        "dead_letters",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("sink", sa.String(length=200), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("dispatch", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("refused_at", sa.BigInteger(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("sink", "position"),
        sqlite_autoincrement=True,
    )
    op.create_index("dead_letters_again", "dead_letters", ["sink", "again"])
    op.create_table(
        "replays",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("sink", sa.String(length=200), nullable=False),
        sa.Column("dispatch", NUMBER, nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("ahead", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("replays_by_sink", "replays", ["sink", "number"])
