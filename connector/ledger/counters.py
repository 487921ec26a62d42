"""Counts of what makes no event, for each integration."""

from sqlalchemy import Connection, insert, select, update

from connector.ledger.tables import counters


def add(connection: Connection, integration: str, name: str, times: int = 1) -> None:
    """Count something that happened."""
    changed = connection.execute(
        update(counters)
        .where(counters.c.integration == integration, counters.c.name == name)
        .values(count=counters.c.count + times)
    )
    if not changed.rowcount:
        connection.execute(insert(counters).values(integration=integration, name=name, count=times))


def read(connection: Connection) -> dict[str, dict[str, int]]:
    """Integration id to name to count."""
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(select(counters)):
        found.setdefault(row.integration, {})[row.name] = row._mapping["count"]
    return found
