"""Who has written lately enough on a channel to get any message there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select

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


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of an account, and what a campaign's message needs of them."""

    ledger: Ledger
    account: str
    rule: SessionRule

    def screened(self, rows: Sequence[MessageRow], screen: Screen, at: datetime) -> list[MessageRow]:
        """Rows for messages that leave at a time; who has no open session then is skipped, or gets another message."""
        needed = [
            None if row[-1] is not None else self.rule.identity_of(row[3], screen.identities(row)) for row in rows
        ]
        people = list(dict.fromkeys(person for person in needed if person is not None))
        if not people:
            return list(rows)
        asked = {"account": self.account, "channel": self.rule.channel, "at": at, "people": people}
        with self.ledger.read() as connection:
            inside = {None, *connection.scalars(_OPEN, asked)}
        return [
            row if person in inside else self._outside(row, screen) for row, person in zip(rows, needed, strict=True)
        ]

    def _outside(self, row: MessageRow, screen: Screen) -> MessageRow:
        if self.rule.otherwise:
            return screen.outside(row)
        return (*row[:9], MessageState.skipped.value, SkipReason.outside_session)
