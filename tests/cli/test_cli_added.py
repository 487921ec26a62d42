"""Commands that plugins bring to the command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli.main import cli

COMMAND = """
import rich_click as click

from connector.model.errors import InputError


@click.group("pigeon")
def pigeon():
    "Pigeons."


@pigeon.command("feed")
@click.option("--grain", default=1)
@click.pass_obj
def feed(config, grain):
    "Feed them."
    if not grain:
        raise InputError("There is no grain.")
    click.echo(f"{config}: fed {grain}")
"""


def install(folder: Path, name: str, source: str, target: str = "pigeon") -> None:
    """What an installer leaves behind: a module, and the entry point of its command."""
    (folder / f"{name}_commands.py").write_text(source)
    information = folder / f"{name}-2.5.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n")
    (information / "entry_points.txt").write_text(f"[connector.commands]\n{name} = {name}_commands:{target}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_plugin_brings_a_command_of_its_own(site: Path) -> None:
    install(site, "fancypigeon", COMMAND)
    result = CliRunner().invoke(cli, ["--config", "mine.toml", "fancypigeon", "feed", "--grain", "3"])
    assert (result.exit_code, result.stdout) == (0, "mine.toml: fed 3\n")
    assert "fancypigeon" in CliRunner().invoke(cli, ["--help"]).stdout


def test_its_errors_are_told_as_those_of_the_connector(site: Path) -> None:
    install(site, "hungrypigeon", COMMAND)
    result = CliRunner().invoke(cli, ["hungrypigeon", "feed", "--grain", "0"])
    assert (result.exit_code, result.stderr) == (2, "Error: There is no grain.\n")


def test_a_command_of_the_connector_stays_its_own(site: Path) -> None:
    install(site, "verify", COMMAND)
    assert "feed" not in CliRunner().invoke(cli, ["verify", "--help"]).stdout


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        ("lostpigeon", "import nowhere_to_be_found", "fails to import"),
        ("stonepigeon", "pigeon = 3", "no click command but int"),
    ],
)
def test_one_that_cannot_be_used_is_named_and_the_others_go_on(site: Path, name: str, source: str, reason: str) -> None:
    install(site, name, source)
    assert "explain" in CliRunner().invoke(cli, ["--help"]).stdout
    result = CliRunner().invoke(cli, [name, "feed", "--grain", "3"])
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: The command {name} of a plugin can't be used")
    assert reason in line
