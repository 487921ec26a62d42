"""What became of the messages to each country."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import phonenumbers
from sqlalchemy import Connection, Select, func, select

from connector.ledger.tables import BatchState, MessageState, batches, messages

SKIPPED = (MessageState.skipped, MessageState.withdrawn)
DELIVERED = (MessageState.delivered, MessageState.read)
UNDELIVERED = (MessageState.rejected, MessageState.failed)
NO_COUNTRY = "-"
"""Of what is no number."""


@dataclass(frozen=True, slots=True)
class Country:
    """One country's share: recipients = skipped + not taken + taken; taken = delivered + undelivered + without end."""

    code: str
    """ISO 3166, `001` for numbers of no country, or `NO_COUNTRY`."""
    recipients: int
    skipped: int
    not_taken: int
    """Refused, given up, or not there yet."""
    taken: int
    delivered: int
    undelivered: int
    without_end: int
    """No final report yet, or none within the waiting period."""
    parts: int
    """Of what was taken."""

    @property
    def calling_code(self) -> str:
        """What its numbers begin with; empty where there is no such thing."""
        code = phonenumbers.country_code_for_region(self.code)
        return f"+{code}" if code else ""


def countries(connection: Connection, numbers: Sequence[int]) -> list[Country]:
    """Every country of some dispatches together, the largest first; counted in the ledger."""
    found: dict[str, Counter[str]] = {}
    for dispatch in numbers:
        own = connection.execute(
            select(messages.c.country, messages.c.state, func.count(), func.sum(messages.c.parts))
            .where(messages.c.dispatch == dispatch)
            .group_by(messages.c.country, messages.c.state)
        )
        for code, state, times, parts in own:
            count = found.setdefault(code or NO_COUNTRY, Counter())
            count["recipients"] += times
            if state in SKIPPED:
                count["skipped"] += times
            elif state is None or state == MessageState.enqueue_failed:
                count["not_taken"] += times
            else:
                count["taken"] += times
                count["parts"] += parts or 0
                count[_end_of(state)] += times
        # Without a state of its own, a message has that of its batch.
        for code, times, parts in connection.execute(_without_report(dispatch)):
            count = found[code or NO_COUNTRY]
            count["not_taken"] -= times
            count["taken"] += times
            count["without_end"] += times
            count["parts"] += parts or 0
    fields = ("recipients", "skipped", "not_taken", "taken", "delivered", "undelivered", "without_end", "parts")
    listed = [Country(code, *(count[field] for field in fields)) for code, count in found.items()]
    return sorted(listed, key=lambda each: (-each.recipients, each.code))


def _end_of(state: str) -> str:
    if state in DELIVERED:
        return "delivered"
    return "undelivered" if state in UNDELIVERED else "without_end"


def _without_report(dispatch: int) -> Select[Any]:
    return (
        select(messages.c.country, func.count(), func.sum(messages.c.parts))
        .join_from(
            batches,
            messages,
            (messages.c.dispatch == batches.c.dispatch)
            & messages.c.ordinal.between(batches.c.first, batches.c.last)
            & (messages.c.shape == batches.c.shape),
        )
        .where(batches.c.dispatch == dispatch, batches.c.state == BatchState.accepted, messages.c.state.is_(None))
        .group_by(messages.c.country)
    )


def total(listed: Sequence[Country]) -> Country:
    """All countries together."""
    return Country("", *(sum(getattr(each, name) for each in listed) for name in Country.__slots__[1:]))
