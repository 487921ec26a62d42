"""What every command has: the project of an integration, and a way to show what came of it."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import rich_click as click
from pydantic_core import to_json

from connector.cli.output import document, json_option, sentences, table
from connector.cli.proving import on_terminal
from connector.config.document import read_document
from connector.config.load import load_settings
from connector.config.secrets import read_secret
from connector.config.settings import Settings
from connector.extension import Integration
from connector.extension.plugins import Plugins
from connector.http import Http
from connector.model.errors import InputError
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.resources import Project
from connector_sinch.conversation.resources.resource import Resource
from connector_sinch.conversation.settings import ConversationSettings

PROVIDER = "sinch-conversation"
SHOWN = 100
Columns = Mapping[str, Callable[[Any], str]]


@dataclass(frozen=True, slots=True)
class Desk:
    """One integration's project, and where the results go."""

    project: Project
    app_id: str
    """The app that the integration sends through."""
    config: Path
    as_json: bool

    def one(self, resource: Resource | Mapping[str, Any]) -> None:
        """Show one thing."""
        told = resource.as_dict() if isinstance(resource, Resource) else dict(resource)
        if self.as_json:
            document(told)
        else:
            table(("", ""), [(name.replace("_", " "), _text(value)) for name, value in told.items()])

    def many(self, name: str, found: Iterable[Resource], columns: Columns, *, limit: int) -> None:
        """Show the first ones of a list; `limit` 0: all of it."""
        left = iter(found)
        shown = list(islice(left, limit) if limit else left)
        more = bool(limit) and len(shown) == limit and next(left, None) is not None
        if self.as_json:
            document({name: [each.as_dict() for each in shown], "more": more})
            return
        if not shown:
            click.echo(f"There are no {name.replace('_', ' ')}.")
            return
        table(tuple(columns), [[read(each) for read in columns.values()] for each in shown])
        if more:
            sentences(f"There are more than these {limit}; --limit 0 shows all.", err=True)

    def done(self, sentence: str, **told: Any) -> None:
        """Say what was done."""
        if self.as_json:
            document(told)
        else:
            sentences(sentence)


integration_option = click.option(
    "--integration",
    metavar="NAME",
    help="Which integration of the configuration, where several use the Conversation API.",
)


def on_project(command: Callable[..., None]) -> Callable[..., None]:
    """A command on an integration's project: gets a `Desk`, and has `--integration` and `--json`."""

    def run(config: Path, /, integration: str | None, as_json: bool, **given: Any) -> None:
        with _project(config, integration) as (project, settings):
            command(Desk(project, settings.app_id, config, as_json), **given)

    functools.update_wrapper(run, command)
    return json_option(integration_option(click.pass_obj(run)))


@contextmanager
def _project(config: Path, integration: str | None) -> Iterator[tuple[Project, ConversationSettings]]:
    settings = load_settings(config, Plugins())
    name = _chosen(settings, integration)
    own = settings.integrations[name].settings
    assert isinstance(own, ConversationSettings)
    http = Http()
    try:
        yield Project(Connection(Integration(name, own), http)), own
    finally:
        http.close()


def _chosen(settings: Settings, given: str | None) -> str:
    """Which integration: the one that is named, the default one, or the only one. Raises `InputError`."""
    ours = [name for name, each in settings.integrations.items() if each.provider == PROVIDER]
    if given is not None:
        if given not in ours:
            raise InputError(f"--integration: {given} is no integration of {PROVIDER}; there is {_listed(ours)}.")
        return given
    if settings.defaults.integration in ours:
        return str(settings.defaults.integration)
    if len(ours) == 1:
        return ours[0]
    if not ours:
        raise InputError(f"No integration of {PROVIDER} is configured: connector setup {PROVIDER} asks for one.")
    raise InputError(f"Say which integration by --integration NAME; there is {_listed(ours)}.")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


app_option = click.option("--app", metavar="ID", help="Another app of the project than the integration's own.")
limit_option = click.option(
    "--limit",
    default=SHOWN,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many to show at most; 0 shows all.",
)
source_option = click.option(
    "--dispatched", is_flag=True, help="Look where apps in DISPATCH mode keep messages, not among conversations."
)
yes_option = click.option("--yes", is_flag=True, help="Don't ask before it is done.")


def source_of(dispatched: bool) -> str | None:
    """Where messages are looked for."""
    return "DISPATCH_SOURCE" if dispatched else None


def confirmed(question: str, *, yes: bool) -> None:
    """Ask before something is done that can't be undone; off a terminal `--yes` must have said so."""
    if yes:
        return
    if not on_terminal():
        raise click.UsageError("This can't be undone, so without a terminal to ask on it needs --yes.")
    click.confirm(question, abort=True, err=True)


def secret(option: str, reference: str) -> str:
    """A secret by where it is found. Raises `InputError`, which doesn't show what was given."""
    try:
        return read_secret(reference)
    except InputError as error:
        raise InputError(f"{option}: {error}") from None


def table_in(path: str) -> dict[str, Any]:
    """What a TOML or JSON file holds, as a table. Raises `InputError`."""
    found, faults = read_document(Path(path), missing="")
    if faults:
        raise InputError(faults)
    if not isinstance(found, dict):
        raise InputError(f"{path}: this file must hold a table of names and values.")
    return found


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() if all(isinstance(each, str) for each in value):
            return ", ".join(value)
    return to_json(value).decode()
