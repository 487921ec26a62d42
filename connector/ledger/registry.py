"""Integrations by their unguessable ids, and the standing of a dispatch's batches."""

import secrets

from sqlalchemy import Connection, insert, select, update

from connector.ledger.tables import dispatches, integrations


def integration_id(connection: Connection, name: str, *, provider: str, account: str, configured: set[str]) -> str:
    """The id of an integration, which it keeps for ever.

    One whose name is new takes over the id of one on the same account whose name is gone: it was renamed.
    """
    row = connection.execute(select(integrations).where(integrations.c.name == name)).first()
    if row is not None:
        if (row.provider, row.account) != (provider, account):
            connection.execute(
                update(integrations).where(integrations.c.id == row.id).values(provider=provider, account=account)
            )
        return str(row.id)
    renamed = connection.execute(
        select(integrations).where(
            integrations.c.provider == provider,
            integrations.c.account == account,
            integrations.c.name.not_in(configured),
        )
    ).first()
    if renamed is not None:
        connection.execute(update(integrations).where(integrations.c.id == renamed.id).values(name=name))
        connection.execute(update(dispatches).where(dispatches.c.integration == renamed.name).values(integration=name))
        return str(renamed.id)
    made = secrets.token_urlsafe(24)
    connection.execute(insert(integrations).values(id=made, name=name, provider=provider, account=account))
    return made


def names(connection: Connection) -> dict[str, str]:
    """The name of each integration by its id."""
    return {row.id: row.name for row in connection.execute(select(integrations))}
