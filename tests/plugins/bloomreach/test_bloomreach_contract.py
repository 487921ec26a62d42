"""The contract of sinks, kept by `bloomreach`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from bloomreach_kit import Project
from connector_bloomreach.simulator import API_SECRET
from connector_bloomreach.simulator_options import BloomreachOptions
from connector_bloomreach.sink import Bloomreach

from connector.testing.sink_contract import SinkContract


class TestBloomreach(SinkContract):
    offered = Bloomreach

    @pytest.fixture(autouse=True)
    def _beside(self, project: Project) -> None:
        self.project = project

    @property
    def settings(self) -> dict[str, Any]:
        return {name: value for name, value in self.project.settings().items() if name != "sink"}

    @property
    def secrets(self) -> dict[str, str]:
        return {f"env:{API_SECRET}": BloomreachOptions().api_secret}

    def received(self) -> Sequence[str]:
        return [event["command_id"] for event in self.project.events]

    @contextmanager
    def away(self) -> Iterator[None]:
        self.project.faults(error_before=1)
        yield
        self.project.faults()
