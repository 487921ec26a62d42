"""What README and docs show is run: Python as pasted, TOML as configuration or campaign, commands by their names."""

import inspect
import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import get_args

import click
import pytest
from pydantic import BaseModel

import connector
from connector.cli.main import cli
from connector.config.load import check_campaign, check_settings
from connector.config.settings import Tables
from connector.extension import Provider, hookspecs
from connector.extension.plugins import Plugins
from connector.model.limits import Limits
from connector.model.outcome import Scope
from connector.model.report import ReceiptKind

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        blocks = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        found += [(f"{page.name}-{number}", block) for number, block in enumerate(blocks)]
    return found


def _named(blocks: list[tuple[str, str]]) -> list[object]:
    return [pytest.param(block, id=name) for name, block in blocks]


def _whole() -> list[tuple[str, str]]:
    """Blocks that need nothing else; one that begins with a file's name is run by a test of its framework."""
    return [(name, block) for name, block in _blocks("python") if not re.match(r"# \w+\.py", block)]


@pytest.mark.parametrize("code", _named(_whole()))
def test_python_works_as_pasted(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("text", _named(_blocks("toml")))
def test_toml_is_accepted(text: str) -> None:
    document = tomllib.loads(text)
    if "project" in document:
        assert list(document["project"]["entry-points"]) == ["connector.plugins"]
    elif "message" in document:
        check_campaign(document)
    else:
        check_settings(document, Plugins())


def _commands() -> list[tuple[str, str]]:
    found = []
    for name, block in _blocks("sh"):
        lines = [shlex.split(line, comments=True) for line in block.splitlines()]
        found += [
            (f"{name}-{number}", shlex.join(line)) for number, line in enumerate(lines) if line[:1] == ["connector"]
        ]
    return found


@pytest.mark.parametrize("line", _named(_commands()))
def test_commands_and_their_options_exist(line: str) -> None:
    words = [word for word in shlex.split(line)[1:] if word != "&"]
    assert isinstance(cli, click.Group)
    command = cli.get_command(click.Context(cli), words[0])
    while isinstance(command, click.Group):
        words = words[1:]
        command = command.get_command(click.Context(command), words[0])
    assert command is not None, f"there is no command {words[0]}"
    options = {option for parameter in command.params for option in parameter.opts}
    for word in words[1:]:
        assert not word.startswith("--") or word.partition("=")[0] in options, f"{words[0]} has no {word}"


def test_every_hook_is_documented_with_its_arguments() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text()
    hooks = {name: member for name, member in vars(hookspecs).items() if name.startswith("connector_")}
    for name, member in hooks.items():
        assert f"### {name}({', '.join(inspect.signature(member).parameters)})\n" in page
    assert len(re.findall(r"^### connector_", page, re.MULTILINE)) == len(hooks)


def test_every_method_of_a_provider_is_documented_with_its_arguments() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text()
    for name, member in vars(Provider).items():
        if isinstance(member, property):
            assert f"| `{name}` |" in page
        elif inspect.isfunction(function := getattr(member, "__func__", member)) and name != "__init_subclass__":
            arguments = [each for each in inspect.signature(function).parameters if each not in ("self", "cls")]
            assert f"| `{name}({', '.join(arguments)})` |" in page


def test_every_word_that_a_provider_uses_is_documented() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text()
    words = [*Scope, *ReceiptKind, *(each.name for each in fields(Limits))]
    assert [word for word in words if f"| `{word}` |" not in page] == []


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_public_names_are_sorted_and_there() -> None:
    assert connector.__all__ == sorted(connector.__all__)
    assert all(hasattr(connector, name) for name in connector.__all__)


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    plugins = Plugins()
    for table in Tables.model_fields.values():
        inner = table.annotation
        models = [*get_args(inner), inner]
        fields = {
            name
            for model in models
            if isinstance(model, type) and issubclass(model, BaseModel)
            for name in model.model_fields
        }
        assert fields
        assert all(f"`{name}`" in page for name in fields), fields
    for provider in plugins.providers.values():
        assert all(f"`{name}`" in page for name in provider.Settings.model_fields)


def test_every_setting_of_a_sink_is_documented() -> None:
    page = (ROOT / "docs" / "sinks.md").read_text()
    for sink in Plugins().sinks.values():
        assert [name for name in sink.Settings.model_fields if f"`{name}`" not in page] == []
