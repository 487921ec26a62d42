"""Sessions that ended between planning and sending: hours may pass until a batch's time, or its turn, has come."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, update

from connector.audience import sessions
from connector.ledger import log
from connector.ledger.tables import BatchState, Task, messages
from connector.model.batch import Batch
from connector.model.event import SkipReason
from connector.model.session import SessionRule
from connector.tracking import outcomes, refusals, standing


def set_aside(
    connection: Connection, row: Row[Any], batch: Batch, rule: SessionRule, *, sent_at: datetime, now: datetime
) -> bool:
    """Take those out of a batch that waits who have no open session any more at the time that it is sent at.

    They are skipped, or get what the message has for them in a batch of their own. False: there are none, and the
    batch may be sent as it is. `row` is the batch as the ledger has it.
    """
    if batch.outside_session:
        return False
    identities = batch.identities or [()] * batch.size
    needed = [rule.identity_of(*each) for each in zip(batch.recipients, identities, strict=True)]
    people = {person for person in needed if person is not None}
    outside = people - sessions.inside(connection, row.account, rule.channel, people, sent_at)
    if not outside:
        return False
    members = connection.execute(log.members(row)).all()
    places = [place for place, person in enumerate(needed) if person in outside]
    lapsed = [members[place] for place in places]
    rest = [members[place] for place in sorted({*range(len(members))}.difference(places))]
    if rule.otherwise:
        _switch(connection, row, lapsed, rest, now)
    elif rest:
        outcomes.skip(connection, row.dispatch, lapsed, SkipReason.outside_session, now=now)
        standing.move(connection, row, BatchState.split, task=None, due_at=None)
        standing.part_of(connection, row, rest, Task.send, now)
    else:
        outcomes.withdrawn(connection, row.number, SkipReason.outside_session, now=now)
    refusals.advance(connection, row.dispatch, row.shape, now=now)
    return True


def _switch(
    connection: Connection, batch: Row[Any], lapsed: Sequence[Row[Any]], rest: Sequence[Row[Any]], now: datetime
) -> None:
    """Put those in a batch of their own, which has the message for people without an open session."""
    shape = standing.parted_shape(connection, batch, lapsed, outside=True)
    connection.execute(
        update(messages)
        .where(messages.c.dispatch == batch.dispatch, messages.c.ordinal == bindparam("o"))
        .values(shape=shape),
        [{"o": row.ordinal} for row in lapsed],
    )
    standing.move(connection, batch, BatchState.split, task=None, due_at=None)
    if rest:
        standing.part_of(connection, batch, rest, Task.send, now)
    standing.part_of(connection, batch, lapsed, Task.send, now, shape=shape)
