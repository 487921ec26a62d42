"""Upkeep of a ledger: what any process may do now and then, whoever drains it."""

from datetime import timedelta

from sqlalchemy import func, select

from connector.dispatch import cancelling
from connector.dispatch.sending import Desk
from connector.ledger import totals
from connector.ledger.tables import totals as totals_table
from connector.tracking import people, refusals, silence, track

UPKEEP_SECONDS = 30.0


def upkeep(desk: Desk) -> None:
    """Match receipts that have come to have a batch, and fold counts that have become long. Raises `LedgerError`."""
    for dispatch in cancelling.left_over(desk.ledger):
        cancelling.withdraw(desk.ledger, dispatch, now=desk.clock())
    with desk.ledger.write() as connection:
        track.sweep(connection, now=desk.clock(), policy=desk.policy)
        people.forget_sessions(connection, desk.clock())
        refusals.lapse(connection, now=desk.clock())
    with desk.ledger.read() as connection:
        silence.warn(connection, desk.clock(), every=timedelta(seconds=UPKEEP_SECONDS))
        grown = connection.scalars(
            select(totals_table.c.dispatch)
            .group_by(totals_table.c.dispatch)
            .having(func.count() > totals.FOLD_ABOVE_ROWS)
        ).all()
    for dispatch in grown:
        with desk.ledger.write() as connection:
            totals.fold(connection, dispatch)
