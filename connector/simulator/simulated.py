"""A simulator with a configuration that goes with it, for a first try."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.simulator.discovery import find
from connector.simulator.serving import running


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a connector needs to use a running simulator."""

    settings: dict[str, Any]
    """As in `connector.toml`."""
    secrets: dict[str, str]
    base_url: str

    def secret(self, reference: str) -> str:
        """The value of a secret that the settings refer to."""
        return self.secrets[reference.removeprefix("env:")]


@contextmanager
def simulated(provider: str) -> Iterator[Simulated]:
    """Run a provider's simulator on loopback, with a ledger in a temporary folder.

    Raises `NotFound` when there is no simulator of that provider.
    """
    simulator = find(provider)
    options = simulator.demo_options()
    with tempfile.TemporaryDirectory(prefix="connector-") as folder, running(simulator, options) as base_url:
        settings = {
            simulator.table: {"simulated": simulator.settings(base_url, options)},
            "storage": {"url": f"sqlite:///{Path(folder) / 'connector.db'}"},
        }
        yield Simulated(settings, simulator.secrets(options), base_url)
