"""`connector plugins`."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli.plugins import plugins
from connector.cli.schema import schema

PLUGIN = """
from connector.extension import IntegrationSettings, Provider, hookimpl
from connector.model.limits import Limits


class Pigeon(Provider):
    name = "carrier-pigeon"
    title = "Pigeons [grey]"
    Settings = IntegrationSettings
    limits = Limits()
    codes = {}
    declines = dict.fromkeys(("find", "poll", "inbound", "cancel"), "birds are birds")
    account = "carrier-pigeon:all"

    def __init__(self, integration, http): ...
    def check(self): ...
    def send(self, batch): ...
    def parse(self, report): ...
    def verify(self, request, *, now_seconds): ...


@hookimpl
def connector_provider():
    return Pigeon
"""


def install(folder: Path, name: str, source: str) -> None:
    """What an installer leaves behind: a module, and its entry point."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    information = folder / f"{module}-2.5.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n")
    (information / "entry_points.txt").write_text(f"[connector.plugins]\n{name} = {module}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_what_is_loaded(site: Path) -> None:
    install(site, "test-pigeons-loaded", PLUGIN)
    result = CliRunner().invoke(plugins, ["--json"])
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert {"name": "test-pigeons-loaded", "version": "2.5", "hooks": ["connector_provider"]} in shown["plugins"]
    reason = "birds are birds"
    assert {
        "name": "carrier-pigeon",
        "title": "Pigeons [grey]",
        "supports": ["verify"],
        "declines": {"find": reason, "poll": reason, "inbound": reason, "cancel": reason},
    } in shown["providers"]
    assert shown["broken"] == []


def test_for_people_and_pipes(site: Path) -> None:
    install(site, "test-pigeons-piped", PLUGIN)
    result = CliRunner().invoke(plugins, [])
    assert result.exit_code == 0
    assert "plugin test-pigeons-piped 2.5: connector_provider" in result.stdout.splitlines()
    assert (
        "provider carrier-pigeon (Pigeons [grey]): has verify; declines find: birds are birds; poll: birds are birds; "
        "inbound: birds are birds; cancel: birds are birds"
    ) in result.stdout.splitlines()


def test_what_is_broken_is_named_and_the_rest_goes_on(site: Path) -> None:
    install(site, "test-pigeons-fine", PLUGIN)
    install(site, "test-pigeons-torn", "import no_module_of_this_name")
    result = CliRunner().invoke(plugins, [])
    assert result.exit_code == 1
    assert "broken test-pigeons-torn: it fails to import: ModuleNotFoundError" in result.stdout
    assert "provider carrier-pigeon" in result.stdout
    shown = json.loads(CliRunner().invoke(plugins, ["--json"]).stdout)
    assert [broken["name"] for broken in shown["broken"]] == ["test-pigeons-torn"]


def test_schemas_that_lack_a_broken_plugin_say_so(site: Path) -> None:
    install(site, "test-pigeons-lost", "import no_module_of_this_name")
    result = CliRunner().invoke(schema, [])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["title"] == "Configuration"
    assert "Not in the schemas: plugin test-pigeons-lost" in result.stderr


def test_on_a_terminal_there_are_tables(site: Path) -> None:
    install(site, "test-pigeons-seen", PLUGIN)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200", "TERM": "dumb"}
    process = subprocess.Popen(
        [sys.executable, "-c", "from connector.cli.plugins import plugins; plugins([])"],
        stdout=theirs,
        env=environment,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        # How Linux says that the other end of a terminal is closed.
        pass
    os.close(ours)
    assert process.wait() == 0
    lines = [line for line in shown.decode().splitlines() if "carrier-pigeon" in line]
    assert len(lines) == 1
    assert "Pigeons [grey]" in lines[0]
    assert "│" in lines[0]
