"""Which sender a message gets: the row's own, or the campaign's, by the country of the recipient."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sender:
    """What recipients see as the origin of a message."""

    value: str | None
    """None: the provider's own default."""
    countries: frozenset[str] = frozenset()
    """Where it is used; empty: everywhere."""

    def serves(self, country: str) -> bool:
        """Whether people in a country may get messages from it."""
        return not self.countries or country in self.countries


class Senders:
    """The senders of a campaign, in its order, and all that have a name."""

    def __init__(
        self, own: Iterable[Sender], named: Mapping[str, Sender], check: Callable[[str], str | None] | None = None
    ) -> None:
        self._own = tuple(own) or (Sender(None),)
        self._named = named
        self._check = check
        self._chosen: dict[str, Sender | None] = {}

    @property
    def first(self) -> Sender:
        """The first of the campaign's own."""
        return self._own[0]

    @property
    def depends_on_country(self) -> bool:
        """Whether the campaign's own sender isn't the same for everybody."""
        return any(sender.countries for sender in self._own)

    def of_country(self, country: str) -> Sender | None:
        """The campaign's sender for a country: the first that names it, else the first that serves everywhere."""
        if country not in self._chosen:
            serving = [sender for sender in self._own if sender.serves(country)]
            naming = [sender for sender in serving if sender.countries]
            self._chosen[country] = next(iter([*naming, *serving]), None)
        return self._chosen[country]

    def of_row(self, sender: str) -> Sender:
        """The sender that a row names: one of [senders], or a literal."""
        return self._named.get(sender) or Sender(sender)

    def faults(self) -> list[str]:
        """What is wrong with the campaign's own."""
        return [wrong for sender in self._own if (wrong := self.what_is_wrong(sender))]

    def what_is_wrong(self, sender: Sender) -> str | None:
        """Why the provider can't send from it, as a sentence; None: nothing."""
        return None if sender.value is None or self._check is None else self._check(sender.value)
