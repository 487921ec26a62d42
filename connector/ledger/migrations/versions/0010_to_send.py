"""What is to be sent is found by the dispatches of which something waits."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_index("batches_to_send", "batches", ["task", "dispatch", "due_at"], sqlite_where=sa.text("task = 'send'"))
    op.drop_index("batches_prompt", "batches")
