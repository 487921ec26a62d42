"""A provider's simulator as a test needs it: it refuses whom it is told to, and what it saw can be asked."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from connector.connector import Connector
from connector.http import Answer
from connector.model.errors import ConnectorError
from connector.simulator import Simulator, running
from connector.simulator.service import Call, Service

IDLE_WITHIN_SECONDS = 30.0


@dataclass
class Stage:
    """A running simulator, seen from within."""

    simulator: Simulator
    options: Any
    refused: frozenset[str] = frozenset()
    """Numbers whose requests are refused whole (HTTP 400, without a word for whom)."""
    base_url: str = ""
    posts: list[bytes] = field(default_factory=list)
    """The bodies of requests that send."""
    answered: list[bytes] = field(default_factory=list)
    """The bodies of callbacks that were answered with success."""
    _service: Service | None = None

    @property
    def service(self) -> Service:
        assert self._service is not None, "the stage is not lit"
        return self._service

    @property
    def settings(self) -> dict[str, Any]:
        """The integration's table of a configuration."""
        return self.simulator.settings(self.base_url, self.options)

    @property
    def secrets(self) -> dict[str, str]:
        return self.simulator.secrets(self.options)

    @property
    def accepted(self) -> dict[str, int]:
        """Number to how often it was accepted, over all batches that weren't cancelled before their time."""
        return dict(self.service.tally.accepted)

    def faults(self, **values: str | float) -> None:
        """Replace all faults."""
        self.service.faults.set(values)

    def idle(self) -> None:
        """Wait until nothing is to be sent, reported or called back any more; not for what is scheduled."""
        service = self.service
        ends = time.monotonic() + IDLE_WITHIN_SECONDS
        while service.queue.waiting or service.reports_due or service.callbacks.waiting:
            if time.monotonic() > ends:
                raise ConnectorError("The simulator does not come to rest.")
            time.sleep(0.002)

    def _watch(self, service: Service) -> None:
        answer, settle = service.answer, service.callbacks._settle

        async def answer_watched(call: Call) -> Answer:
            if call.method == "POST":
                self.posts.append(call.body)
                if any(number.encode() in call.body for number in self.refused):
                    return Answer(400, {}, b"")
            return await answer(call)

        def settle_watched(callback: Any, status: int | None) -> None:
            if status is not None and 200 <= status < 300:
                self.answered.append(callback.body)
            settle(callback, status)

        service.answer = answer_watched  # type: ignore[method-assign]
        service.callbacks._settle = settle_watched  # type: ignore[method-assign]
        self._service = service


class _Lit(Simulator):
    """The simulator of a stage, which sees what it serves."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.name = stage.simulator.name  # type: ignore[misc]

    def service(self, options: Any) -> Service:
        service = self._stage.simulator.service(options)
        self._stage._watch(service)
        return service

    def settings(self, base_url: str, options: Any) -> dict[str, Any]:
        return self._stage.simulator.settings(base_url, options)

    def secrets(self, options: Any) -> dict[str, str]:
        return self._stage.simulator.secrets(options)

    def campaign(self) -> dict[str, Any]:
        return self._stage.simulator.campaign()

    def recipients(self, count: int) -> Iterator[dict[str, str]]:
        return self._stage.simulator.recipients(count)


def lists(connector: Connector) -> bool:
    """Whether the provider lists what it accepted, so that the ledger can be compared with it."""
    return all(line.provider.supports("accepted") for line in connector.lines.values())


@contextmanager
def lit(simulator: Simulator, *, refused: frozenset[str] = frozenset(), **options: Any) -> Iterator[Stage]:
    """Run a simulator with these options on a free port of loopback until the end of the block."""
    stage = Stage(simulator, simulator.Options(**options), refused)
    with running(_Lit(stage), stage.options) as stage.base_url:
        yield stage
