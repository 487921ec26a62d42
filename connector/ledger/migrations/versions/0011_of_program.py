"""Which sinks a host's program hands over, as no configuration names them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("cursors", sa.Column("of_program", sa.Boolean(), nullable=True))
    # The name of a host's function; its other sinks are known as its own when it starts again.
    op.execute("UPDATE cursors SET of_program = true WHERE name = 'on_event'")
