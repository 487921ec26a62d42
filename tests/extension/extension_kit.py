"""Plugins as installers leave them behind, and a small provider."""

from pathlib import Path

PROVIDER = """
from connector.extension import IntegrationSettings, Provider, hookimpl
from connector.model.limits import Limits


class {name}(Provider):
    name = "{offers}"
    title = "Drums"
    Settings = IntegrationSettings
    limits = Limits()
    codes = {{}}
    declines = dict.fromkeys(("find", "poll", "inbound", "cancel", "verify"), "a drum only sounds")
    account = "{offers}:all"

    def __init__(self, integration, http): self.integration = integration
    def check(self): return []
    def send(self, batch): ...
    def parse(self, report): return []
"""

OFFER = """
@hookimpl
def connector_provider():
    return {name}
"""


def provider(offers: str = "drums", name: str = "Drums") -> str:
    """The source of a plugin that offers a provider."""
    return PROVIDER.format(name=name, offers=offers) + OFFER.format(name=name)


def install(folder: Path, name: str, source: str) -> None:
    """What an installer leaves behind: a module, and its entry point."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    information = folder / f"{module}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[connector.plugins]\n{name} = {module}\n")
