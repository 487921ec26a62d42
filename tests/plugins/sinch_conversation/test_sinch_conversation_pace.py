"""How fast messages leave one by one: by the app's pace, and never more than the project may ask in a second."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from connector_sinch.conversation import plugin
from connector_sinch.conversation.simulator import SIMULATOR

from connector.connector import Connector
from connector.extension.plugins import Plugins
from connector.simulator import running
from connector.simulator.numbers import fictional_numbers

MOST_REQUESTS_PER_SECOND = 800


@dataclass
class Line:
    """A connector on a simulated project, by a clock that only the test moves."""

    connector: Connector
    base_url: str
    now: datetime

    def sent_after(self, seconds: float) -> int:
        """How many requests that send have come, once everything has left that may by then."""
        self.now += timedelta(seconds=seconds)
        self.connector.work()
        account = httpx.get(f"{self.base_url}/_simulator/account").json()
        return sum(account["sends"].values())


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Callable[..., Line]]:
    with ExitStack() as stack:

        def make(**settings: Any) -> Line:
            options = SIMULATOR.Options(outcomes={"DELIVERED": 1})
            base_url = stack.enter_context(running(SIMULATOR, options))
            made: Line
            connector = stack.enter_context(
                Connector(
                    {
                        "integrations": {"conv": {**SIMULATOR.settings(base_url, options), **settings}},
                        "storage": {"url": f"sqlite:///{tmp_path / 'ledger.db'}"},
                    },
                    plugins=Plugins([plugin], installed=False),
                    secrets=lambda reference: SIMULATOR.secrets(options)[reference.removeprefix("env:")],
                    clock=lambda: made.now,
                )
            )
            made = Line(connector, base_url, datetime.now(UTC))
            numbers = fictional_numbers()
            # The Batch API can't carry the queue.
            message = {"text": "Hello", "queue": "HIGH_PRIORITY"}
            people = [{"to": f"+{next(numbers)}"} for _ in range(30)]
            connector.send({"name": "alone", "message": message}, people, drain=False)
            return made

        yield make


def test_the_pace_of_the_app_is_that_of_single_messages(line: Callable[..., Line]) -> None:
    on = line(messages_per_second=25)
    assert [on.sent_after(seconds) for seconds in (0, 0.039, 0.002, 0.04)] == [1, 1, 2, 3]


@pytest.mark.parametrize("settings", [{}, {"messages_per_second": 100_000}], ids=["without a pace", "with one"])
def test_a_project_is_never_asked_more_often_than_it_may(line: Callable[..., Line], settings: dict[str, Any]) -> None:
    on = line(**settings)
    between = 1 / MOST_REQUESTS_PER_SECOND
    assert [on.sent_after(seconds) for seconds in (0, between * 0.9, between * 0.2, 5.0)] == [1, 1, 2, 3]
