"""The command line as a whole: help, and what happens when something fails that should not."""

import pytest
import rich_click as click
from cli_kit import Desk
from click.testing import CliRunner

from connector.cli.main import Connector, cli


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_says_what_it_does_and_when_one_uses_it(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert "Use it " in result.stdout


def test_help_lists_every_command() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).stdout
    assert all(name in shown for name in cli.commands)


def test_a_failure_that_should_not_be_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("break")
    def broken() -> None:
        raise RuntimeError("+12015550123 was here")

    group = Connector("connector", commands=[broken])
    result = CliRunner().invoke(group, ["break"])
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "RuntimeError" in line
    assert "report" in line
    assert "12015550123" not in line
    monkeypatch.setenv("CONNECTOR_DEBUG", "1")
    assert "Traceback" in CliRunner().invoke(group, ["break"]).stderr


def test_a_ledger_that_cannot_be_used_is_failed_work(desk: Desk) -> None:
    desk.configure(storage={"url": "sqlite:///campaign.toml/connector.db"})
    result = desk.run("dispatches")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: The ledger ")
