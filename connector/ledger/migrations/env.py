"""Alembic's door to the ledger."""

from alembic import context

from connector.ledger.tables import metadata

if context.is_offline_mode():
    # The statements are printed, not run.
    context.configure(dialect_name="sqlite", target_metadata=metadata, literal_binds=True, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=True,
    )
    context.run_migrations()
