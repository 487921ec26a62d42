"""Integrations by their unguessable ids, and the standing of a dispatch's batches."""

import secrets
from typing import Any

from sqlalchemy import Connection, Row, exists, insert, select, update

from connector.ledger.tables import BatchState, attempts, batches, dispatches, integrations, messages


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


def doubtful(connection: Connection, dispatch: int) -> list[tuple[Row[Any], str | None]]:
    """The batches in doubt of a dispatch, each with the cause of its last attempt."""
    rows = connection.execute(
        select(batches)
        .where(batches.c.dispatch == dispatch, batches.c.state == BatchState.in_doubt)
        .order_by(batches.c.number)
    ).all()
    return [
        (
            row,
            connection.scalar(
                select(attempts.c.cause).where(attempts.c.batch == row.number, attempts.c.number == row.attempts)
            ),
        )
        for row in rows
    ]


def awaits_reports(connection: Connection, dispatch: int) -> bool:
    """Whether some accepted message has no final report, and one may still come."""
    waiting = exists().where(
        batches.c.dispatch == dispatch,
        batches.c.state == BatchState.accepted,
        batches.c.task.is_not(None),
        messages.c.dispatch == batches.c.dispatch,
        messages.c.ordinal.between(batches.c.first, batches.c.last),
        messages.c.shape == batches.c.shape,
        messages.c.state.is_(None),
        messages.c.raw_status.is_(None),
    )
    return bool(connection.scalar(select(waiting)))
