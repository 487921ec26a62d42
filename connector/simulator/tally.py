"""The account that tests settle by: how often each number was accepted, what was answered."""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

SHOWN = 20


class Tally:
    """What a simulator did since its start or the last reset."""

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()
        """Number to how often it was accepted, over all batches that weren't cancelled before sending."""
        self.requests: Counter[str] = Counter()
        """Requests by answered status; `dropped` where the connection was closed without an answer."""
        self.sends: Counter[str] = Counter()
        """The same for requests that send messages."""
        self.most_sends_in_a_second = 0
        """The most requests that send messages within any second."""
        self._within_a_second: deque[float] = deque()

    def asked_to_send(self, at_seconds: float) -> None:
        """A request that sends messages has come, at this time of a clock that only goes on."""
        self._within_a_second.append(at_seconds)
        while self._within_a_second[0] <= at_seconds - 1:
            self._within_a_second.popleft()
        self.most_sends_in_a_second = max(self.most_sends_in_a_second, len(self._within_a_second))

    def accept(self, numbers: Iterable[str]) -> None:
        self.accepted.update(numbers)

    def take_back(self, numbers: Iterable[str]) -> None:
        """Numbers of a batch that was cancelled before they were sent to."""
        for number in numbers:
            self.accepted[number] -= 1
            if not self.accepted[number]:
                del self.accepted[number]

    def account(self) -> dict[str, Any]:
        """`numbers`, `accepted_once`, `accepted_more`, `more_than_once` (up to 20 of them), `requests`, `sends`.

        And `most_sends_in_a_second`.
        """
        repeated = {number: times for number, times in self.accepted.items() if times > 1}
        return {
            "numbers": len(self.accepted),
            "accepted_once": len(self.accepted) - len(repeated),
            "accepted_more": len(repeated),
            "more_than_once": dict(sorted(repeated.items())[:SHOWN]),
            "requests": dict(self.requests),
            "sends": dict(self.sends),
            "most_sends_in_a_second": self.most_sends_in_a_second,
        }
