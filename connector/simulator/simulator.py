"""`Simulator`: what a provider's plugin offers as a double of its API."""

import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, NoReturn

from connector.model.errors import NotFound
from connector.simulator.options import Options
from connector.simulator.service import Service


class Simulator(ABC):
    """A local double of a provider's API, and what a demo on it needs.

    `Options` has a default for everything.
    """

    name: ClassVar[str]
    """The provider's: `provider = "..."` in the configuration."""
    title: ClassVar[str]
    """For people."""
    Options: ClassVar[type[Options]]
    table: ClassVar[str] = "integrations"
    """Where the configuration has its settings."""
    shown_first: ClassVar[bool] = False
    """Whether a demo takes this one where none is named."""

    def demo_options(self) -> Any:
        """For a demo: an instance of `Options`."""
        return self.Options()

    @abstractmethod
    def service(self, options: Any) -> Service:
        """The ASGI application; `options` is an instance of `Options`. Raises `InputError`."""

    @abstractmethod
    def settings(self, base_url: str, options: Any) -> dict[str, Any]:
        """The integration's table of a configuration that points at a running simulator."""

    @abstractmethod
    def secrets(self, options: Any) -> dict[str, str]:
        """Environment name to value, for every `env:` reference in `settings`."""

    @abstractmethod
    def campaign(self) -> dict[str, Any]:
        """A campaign for a demo, as a campaign file would have it."""

    @abstractmethod
    def recipients(self, count: int) -> Iterator[dict[str, str]]:
        """Rows for that campaign: `count` people who can be messaged, and some rows more that can't."""


class SinkSimulator(Simulator):
    """A local double of a platform that receives events; `settings` are a sink's table of the configuration.

    Its account counts events by their ids in place of numbers.
    """

    table = "sinks"

    def campaign(self) -> NoReturn:
        raise NotFound(f"{self.title} receives events, and sends nothing: name a provider's simulator.")

    def recipients(self, count: int) -> NoReturn:
        raise NotFound(f"{self.title} receives events, and sends nothing: name a provider's simulator.")


def configuration(simulator: Simulator, base_url: str, options: Any, name: str = "simulated") -> str:
    """What to put into a configuration to use a running simulator, as TOML, and the secrets to export."""
    settings = simulator.settings(base_url, options)
    lines = [f"[{simulator.table}.{name}]", *(f"{key} = {_toml(value)}" for key, value in settings.items())]
    exports = [f"# export {key}={shlex.quote(value)}" for key, value in simulator.secrets(options).items()]
    return "\n".join([*exports, *lines]) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)
