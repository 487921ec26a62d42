"""A connector on a simulated project of the Conversation API, whose callbacks reach it over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from callback_receiver import Received, Receiver, receiving
from connector_sinch.conversation import plugin
from connector_sinch.conversation.simulator import ConversationSimulator
from connector_sinch.conversation.simulator_options import ConversationOptions
from connector_sinch.conversation.simulator_service import ConversationService

from connector.connector import Connector, Dispatch
from connector.extension.plugins import Plugins
from connector.http import Answer
from connector.ledger.tables import WhyKept
from connector.model.batch import utc_now
from connector.model.callback import Request
from connector.model.event import Event, Status
from connector.simulator import running
from connector.simulator.service import Call


@dataclass
class Stage:
    """A connector on a simulated project, whose callbacks reach it over HTTP."""

    connector: Connector
    base_url: str
    receiver: Receiver
    service: "_Service"

    def fails(self, **channels: str) -> None:
        """From now on these channels fail, each for a reason, and all others are well."""
        assert self.service._apps is not None
        self.service._apps.failing = channels

    def seen(self, method: str, part: str) -> int:
        """How many requests of a kind reached the API, `part` being of their paths."""
        return sum(asked == method and part in path for asked, path in self.service.requests)

    def posted(self) -> int:
        """How many requests to send reached the API."""
        return self.seen("POST", "/messages")

    def answers(self, method: str, part: str, *, status: int) -> None:
        """From now on the API has only this answer to requests of a kind."""
        self.service.refused[method, part] = status

    def until(self, holds: Callable[[], object]) -> None:
        """Wait for callbacks until something holds."""
        taken = len(self.receiver.received)
        while not holds():
            taken = len(self.receiver.wait(taken + 1))

    def until_told(self, status: Status, times: int = 1) -> None:
        self.until(lambda: sum(event.status is status for event in self.events()) >= times)

    def send(self, *people: str, **message: Any) -> Dispatch:
        given = {"name": "spring", "message": message, "integration": "conv"}
        dispatch = self.connector.send(given, [{"to": f"+{each}"} for each in people], again=True, drain=False)
        while dispatch.report().waiting:
            self.connector.work()
        return dispatch

    def happens(self, **what: Any) -> None:
        """A person does something, or the API tells something."""
        self.own("inbound", what)

    def own(self, door: str, content: dict[str, Any]) -> None:
        """Tell the simulator something."""
        httpx.post(f"{self.base_url}/_simulator/{door}", json=content).raise_for_status()

    def events(self, person: str | None = None) -> list[Event]:
        events = self.connector.events(limit=1000)
        return [event for event in events if person is None or event.recipient == person]

    def is_whole(self) -> bool:
        wrong = [found for found in self.connector.verify().values() if found]
        kept = [*self.connector.kept_reports(WhyKept.unmatched), *self.connector.kept_reports(WhyKept.unreadable)]
        return not wrong and not kept


class _Service(ConversationService):
    """Notes what it is asked, and may refuse it."""

    def __init__(self, options: ConversationOptions) -> None:
        super().__init__(options)
        self.requests: list[tuple[str, str]] = []
        self.refused: dict[tuple[str, str], int] = {}

    async def answer(self, call: Call) -> Answer:
        self.requests.append((call.method, call.path))
        for (method, part), status in self.refused.items():
            if call.method == method and part in call.path:
                return Answer(status, {}, b"")
        return await super().answer(call)


class _Simulator(ConversationSimulator):
    """Keeps what it serves."""

    served: _Service

    def service(self, options: ConversationOptions) -> ConversationService:
        self.served = _Service(options)
        return self.served


@contextmanager
def staging(folder: Path) -> Iterator[Callable[..., Stage]]:
    """Starts stages, with options of the simulator and a clock for the connector; ends them with the block."""
    with ExitStack() as stack:

        def start(
            *, clock: Callable[[], datetime] = utc_now, tracking: dict[str, Any] | None = None, **options: Any
        ) -> Stage:
            simulator = _Simulator()
            receiver = stack.enter_context(receiving())
            parts = urlsplit(receiver.url)
            checked = simulator.Options(
                **{
                    "outcomes": {"DELIVERED": 1},
                    "report_delay_seconds": 0.0,
                    "callbacks_per_second": 10_000,
                    "callback_connections": 1,
                    "webhook_url": receiver.url,
                    **options,
                }
            )
            base_url = stack.enter_context(running(simulator, checked))
            connector = stack.enter_context(
                Connector(
                    {
                        "integrations": {"conv": simulator.settings(base_url, checked)},
                        "storage": {"url": f"sqlite:///{folder / 'ledger.db'}"},
                        "server": {"public_url": f"http://{parts.netloc}"},
                        "tracking": tracking or {},
                    },
                    plugins=Plugins([plugin], installed=False),
                    secrets=lambda reference: simulator.secrets(checked)[reference.removeprefix("env:")],
                    clock=clock,
                )
            )
            own_path = urlsplit(connector.callback_addresses()["conv"]).path
            record = receiver.take

            def take(received: Received) -> int:
                # The app's webhook was made before the connector was there to tell its address.
                path = received.path if received.path.startswith(own_path) else own_path
                response = connector.receive(Request("POST", path, received.headers, received.body))
                record(received)
                return response.status

            receiver.take = take  # type: ignore[method-assign]
            # A callback that comes after the end would have the connector begin anew, and a thread of it left behind.
            stack.callback(setattr, receiver, "take", record)
            return Stage(connector, base_url, receiver, simulator.served)

        yield start
