"""Shell completion: the script for each shell, and what is completed from ledger, configuration and plugins."""

import logging
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path

import rich_click as click
from click.shell_completion import CompletionItem, get_completion_class

from connector.config.document import read_document
from connector.config.settings import Storage
from connector.extension.plugins import Plugins
from connector.ledger import glance
from connector.ledger.database import Ledger

PROGRAM = "connector"
VARIABLE = "_CONNECTOR_COMPLETE"

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command("completion")
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what lets your shell complete commands by the Tab key: dispatches, campaigns and codes, too.

    Use it once, in the start-up file of your shell. SHELL is bash, zsh or fish:

    \b
    bash  echo 'eval "$(connector completion bash)"' >> ~/.bashrc
    zsh   echo 'eval "$(connector completion zsh)"' >> ~/.zshrc
    fish  connector completion fish > ~/.config/fish/completions/connector.fish

    Then open a new terminal.
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())


def _quietly(find: Callable[[click.Context], Iterable[tuple[str, str]]]) -> Complete:
    """Completes from what is found; whoever presses Tab wants no error in the middle of a line."""

    @wraps(find)
    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before = logging.root.manager.disable
        logging.disable()
        try:
            found = dict(find(ctx))
        except Exception:
            return []
        finally:
            logging.disable(before)
        return [CompletionItem(name, help=text) for name, text in found.items() if name.startswith(incomplete)]

    return complete


def _latest(ctx: click.Context) -> list[glance.Named]:
    config = ctx.find_root().params.get("config") or "connector.toml"
    document, _ = read_document(Path(config), missing="")
    # Without a configuration it is not known which ledger is meant.
    return [] if document is None else glance.latest(Ledger(document.get("storage", {}).get("url", Storage().url)).path)


@_quietly
def dispatch_ids(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The latest dispatches, by id and by the key that a person gave."""
    for each in _latest(ctx):
        yield each.id, f"{each.campaign}, {each.state}"
        if each.key:
            yield each.key, f"{each.campaign}, {each.state}"


@_quietly
def campaign_names(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The campaigns of the latest dispatches."""
    return ((each.campaign, "") for each in _latest(ctx))


@_quietly
def provider_names(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The providers that are installed."""
    return ((name, provider.title) for name, provider in sorted(Plugins().providers.items()))


@_quietly
def codes(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """Every code of every provider, and where a code has several meanings, each with its source."""
    catalogues = [provider.codes for provider in Plugins().providers.values()]
    for known in (known for catalogue in catalogues for known in catalogue.values()):
        yield known.code, known.meaning
        yield f"{known.source}:{known.code}", known.meaning
