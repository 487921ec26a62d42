"""`connector setup` and `check` with a provider of somebody else's: whatever its settings ask for."""

import os
import tomllib
from pathlib import Path

from setup_kit import Terminal

PLUGIN = """
from typing import Annotated, ClassVar

from pydantic import Field

from connector.extension import CheckResult, IntegrationSettings, Provider, hookimpl
from connector.model.limits import Limits
from connector.model.outcome import Accepted


class PigeonSettings(IntegrationSettings):
    loft: Annotated[str, Field(min_length=2, examples=["north"], description="The name over the door.")]
    ringed: Annotated[bool, Field(title="Ringed")]
    days: Annotated[list[str], Field(title="Days", max_length=2)] = ["mon"]
    birds: Annotated[int | None, Field(title="Birds", ge=1)] = None
    tune: Annotated[str | None, Field(title="Tune", json_schema_extra={"writeOnly": True})] = None


class Pigeon(Provider):
    name = "carrier-pigeon"
    title = "Pigeons"
    guidance = "You need a loft."
    Settings = PigeonSettings
    limits = Limits()
    codes: ClassVar = {}
    declines: ClassVar = {
        "find": "a pigeon in the air can't be seen",
        "poll": "pigeons come when they come",
        "inbound": "pigeons carry no answers",
        "cancel": "nobody calls a pigeon back",
        "verify": "pigeons don't sign",
    }

    def __init__(self, integration, http):
        self.settings = integration.settings

    @property
    def account(self):
        return f"carrier-pigeon:{self.settings.loft}"

    def check(self):
        if self.settings.loft == "crash":
            raise RuntimeError("a bug")
        return [CheckResult("loft", self.settings.loft != "empty", "The loft was looked into.")]

    def send(self, batch):
        return Accepted(batch.key)

    def parse(self, report):
        return []


@hookimpl
def connector_provider():
    return Pigeon
"""


def plugged_in(folder: Path) -> dict[str, str]:
    """Install the plugin into a folder; the environment that finds it."""
    (folder / "pigeon_plugin.py").write_text(PLUGIN)
    about = folder / "pigeon_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[connector.plugins]\ncarrier-pigeon = pigeon_plugin\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def test_whatever_a_provider_s_settings_are(tmp_path: Path) -> None:
    environment = plugged_in(tmp_path)
    with Terminal(tmp_path, "setup", **environment) as terminal:
        terminal.type("carrier", at="What do you want to set up?: ")
        terminal.wait_for("You need a loft.")
        terminal.type("", at="Name [carrier-pigeon]: ")
        terminal.wait_for("Such as north.")
        terminal.type("", "x", "empty", at="Loft: ")
        terminal.type("perhaps", "yes", at="Ringed: ")
        terminal.type("", at="Messages per second [none]: ")
        terminal.type("days", at="Enter to go on [5]: ")
        terminal.type("mon, tue, wed", "mon, tue", at="Days [mon]: ")
        terminal.type("birds", at="Enter to go on [5]: ")
        terminal.type("0", "3", at="Birds [none]: ")
        terminal.type("tune", at="Enter to go on [5]: ")
        terminal.type("a hidden tune", at="Tune [none]: ")
        terminal.type("", at="Enter to go on [5]: ")
        terminal.type("", at="Sender [none]: ")
        terminal.type("", at="Public URL [none]: ")
        # An empty loft is wrong: it is changed, and so may everything else be.
        terminal.type("1", at="What now? [1]: ")
        terminal.type("north", at="Loft [empty]: ")
        terminal.type("", at="Ringed [yes]: ")
        terminal.type("", at="Messages per second [none]: ")
        terminal.type("birds", at="Enter to go on [5]: ")
        terminal.type("-", at="Birds [3] (- takes it away): ")
        terminal.type("tune", at="Enter to go on [5]: ")
        terminal.type("", at="Tune [unchanged] (- takes it away): ")
        terminal.type("", at="Enter to go on [5]: ")
        terminal.type("", at="Sender [none]: ")
        terminal.type("", at="Public URL [none]: ")
        # Pigeons can't be asked for reports, and there is no address that they could bring them to.
        terminal.type("2", at="What now? [1]: ")
        terminal.type("", at="Save this? [Y/n]: ")
        assert terminal.end() == 0, terminal.shown
    shown = " ".join(terminal.shown.split())
    assert "without it no message is ever known to have been delivered" in shown
    assert "This one is needed." in shown
    assert 'Found "perhaps"; give true or false' in shown
    assert 'tune = "(not shown)"' in shown
    assert "a hidden tune" not in shown
    assert tomllib.loads((tmp_path / "connector.toml").read_text()) == {
        "integrations": {
            "carrier-pigeon": {
                "provider": "carrier-pigeon",
                "loft": "north",
                "ringed": True,
                "days": ["mon", "tue"],
                "tune": "a hidden tune",
            }
        }
    }
    with Terminal(tmp_path, "check", **environment) as checked:
        assert checked.end() == 1, checked.shown
    shown = " ".join(checked.shown.split())
    assert "a pigeon in the air can't be seen" in shown
    assert "pigeons carry no answers" in shown
    with Terminal(tmp_path, "setup", "carrier-pigeon", "--set", "loft=crash", "--yes", **environment) as crashing:
        assert crashing.end() == 1, crashing.shown
    assert "failed while it checked this (RuntimeError). Please tell its author." in " ".join(crashing.shown.split())
