"""`Sink`: the one class that a platform's side writes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

from connector.model.event import Event

Start = Literal["now", "beginning"]


class Sink(ABC):
    """A platform that receives campaign events.

    It gets every event of the log at least once, in order, each under its stable `id`, from one thread of one
    process at a time. How far it has come is kept in the ledger under the sink's name.
    """

    batch_events: ClassVar[int] = 1000
    """The most events that one call takes."""
    start: Start = "now"
    """Where a sink that the ledger doesn't know yet begins: after what is in the log `now`, or at the `beginning`."""

    @abstractmethod
    def deliver(self, events: Sequence[Event]) -> None:
        """Take these events for good.

        Whatever it raises, all of them come again after a pause, and later ones wait.
        """
