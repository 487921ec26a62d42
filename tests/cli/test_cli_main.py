"""The command line as a whole: help, and what happens when something fails that should not."""

from collections.abc import Iterator

import pytest
import rich_click as click
from cli_kit import Desk
from click.testing import CliRunner

from connector.cli.main import Connector, cli

SHOWING_NOTHING = {"worker", "completion"}
"""Commands without a result for programs: one runs until it is stopped, the other prints a script."""


def leaves(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command by its words, those of groups within groups and those of plugins, too."""
    context = click.Context(group)
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*before, name))
        else:
            yield (*before, name), command


COMMANDS = dict(leaves(cli))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_and_when_one_uses_it(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*words, "--help"])
    assert result.exit_code == 0
    assert "Use it " in result.stdout
    for parameter in COMMANDS[words].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_that_shows_something_shows_it_to_programs(words: tuple[str, ...]) -> None:
    options = {option for parameter in COMMANDS[words].params for option in parameter.opts}
    assert ("--json" in options) is (words[-1] not in SHOWING_NOTHING)


def test_help_lists_every_command() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).stdout
    assert all(name in shown for name in cli.list_commands(click.Context(cli)))


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
