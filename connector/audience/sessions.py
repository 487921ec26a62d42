"""Who has written lately enough on a channel to get any message there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from connector.audience.screening import MessageRow, Screen
from connector.ledger.database import Ledger
from connector.ledger.tables import MessageState, sessions
from connector.model.event import SkipReason
from connector.model.session import SessionRule

_OPEN = select(sessions.c.address).where(
    sessions.c.account == bindparam("account"),
    sessions.c.channel == bindparam("channel"),
    sessions.c.open_until > bindparam("at"),
    sessions.c.address.in_(bindparam("people", expanding=True)),
)


def inside(connection: Connection, account: str, channel: str, people: Collection[str], at: datetime) -> set[str]:
    """Those of some people who have an open session on a channel at a time."""
    asked = {"account": account, "channel": channel, "at": at, "people": list(people)}
    return set(connection.scalars(_OPEN, asked)) if people else set()


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of an account, and what a campaign's message needs of them."""

    ledger: Ledger
    account: str
    rule: SessionRule

    def screened(self, rows: Sequence[MessageRow], screen: Screen, at: datetime) -> list[MessageRow]:
        """Rows for messages that leave at a time; who has no open session then is skipped, or gets another message."""
        needed = [
            None if row[-1] is not None else self.rule.identity_of(row[3], screen.identities(row[6])) for row in rows
        ]
        people = {person for person in needed if person is not None}
        if not people:
            return list(rows)
        with self.ledger.read() as connection:
            outside = people - inside(connection, self.account, self.rule.channel, people, at)
        return [
            self._outside(row, screen) if person in outside else row for row, person in zip(rows, needed, strict=True)
        ]

    def _outside(self, row: MessageRow, screen: Screen) -> MessageRow:
        if self.rule.otherwise:
            return screen.outside(row)
        return (*row[:9], MessageState.skipped.value, SkipReason.outside_session)
