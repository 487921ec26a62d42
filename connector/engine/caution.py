"""How many requests of a dispatch are under way while the provider has taken nothing of it."""

import threading
from collections import Counter

from sqlalchemy import select

from connector.ledger.database import Ledger
from connector.ledger.tables import BatchState, batches
from connector.model.errors import NotSent
from connector.model.outcome import Accepted, Outcome, Refused, Scope

UNTRIED_AT_ONCE = 4
"""What all of a dispatch is refused for, such as its sender, is heard from so few requests."""


class Caution:
    """The requests that are under way, by dispatch; safe to share between threads.

    A dispatch is untried until something of it was accepted, and again when something was refused for more than
    the recipients it points at: what left before that shows nothing of what the provider takes since, however late
    its answer.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._guard = threading.Lock()
        self._under_way: Counter[int] = Counter()
        self._known: set[int] = set()
        self._untried: set[int] = set()
        self._refusals: Counter[int] = Counter()

    def full(self) -> list[int]:
        """The dispatches of which nothing more may leave just now."""
        with self._guard:
            return [number for number in self._untried if self._under_way[number] >= UNTRIED_AT_ONCE]

    def leaves(self, dispatch: int) -> int:
        """A request of a dispatch is about to leave; how many were refused like that before."""
        with self._guard:
            self._under_way[dispatch] += 1
            if dispatch not in self._known:
                self._known.add(dispatch)
                if not self._took_something_of(dispatch):
                    self._untried.add(dispatch)
            return self._refusals[dispatch]

    def ended(self, dispatch: int, refused_before: int, outcome: Outcome | NotSent | None) -> None:
        """A request came to an end that left after so many refusals; None: without an outcome."""
        with self._guard:
            self._under_way[dispatch] -= 1
            if isinstance(outcome, Refused) and outcome.scope is not Scope.recipient:
                self._refusals[dispatch] += 1
                self._untried.add(dispatch)
            elif isinstance(outcome, Accepted) and refused_before == self._refusals[dispatch]:
                self._untried.discard(dispatch)

    def _took_something_of(self, dispatch: int) -> bool:
        accepted = (batches.c.dispatch == dispatch) & (batches.c.state == BatchState.accepted)
        with self._ledger.read() as connection:
            return connection.execute(select(batches.c.number).where(accepted).limit(1)).first() is not None
