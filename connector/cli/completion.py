"""Shell completion: the script for each shell, and what is completed from ledger, configuration and plugins."""

import logging
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path

import rich_click as click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

from connector.config.document import read_document
from connector.config.load import ledger_url
from connector.config.settings import Storage
from connector.extension.plugins import Plugins
from connector.ledger import glance
from connector.ledger.database import Ledger

PROGRAM = "connector"
VARIABLE = "_CONNECTOR_COMPLETE"

# Bash cuts words at colons, which stand in names of accounts and in codes: they are put together before the program is
# asked, and what bash takes for earlier words is taken off its answers.
BASH = r"""
%(complete_func)s() {
    local IFS=$'\n'
    local response completion type value word current cut after="" place last=0
    local -a words=("${COMP_WORDS[0]}")

    for ((place = 1; place <= COMP_CWORD; place++)); do
        word=${COMP_WORDS[place]}
        if ((last > 0)) && [[ -n $after || $word == :* ]]; then
            words[last]+=$word
        else
            words[++last]=$word
        fi
        after=""
        if [[ $word == *: && $COMP_WORDBREAKS == *:* ]]; then
            after=yes
        fi
    done
    current=${words[last]}
    cut=""
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
        cut=${current%%"${current##*:}"}
    fi

    response=$(env COMP_WORDS="${words[*]}" COMP_CWORD=$last %(complete_var)s=bash_complete "$1")

    while read -r completion; do
        IFS=',' read -r type value <<< "$completion"

        if [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("${value#"$cut"}")
        fi
    done <<< "$response"

    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@add_completion_class
class Bash(BashComplete):
    """Completion in bash, also of what has colons in it."""

    source_template = BASH


@click.command("completion")
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what lets your shell complete commands by the Tab key: dispatches, campaigns, accounts and codes, too.

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


def file_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, which the shell completes by itself."""
    return [CompletionItem(incomplete, type="file")]


def _ledger(ctx: click.Context) -> Path | None:
    config = ctx.find_root().params.get("config") or "connector.toml"
    document, _ = read_document(Path(config), missing="")
    if document is None:
        # Without a configuration it is not known which ledger is meant.
        return None
    return Ledger(ledger_url(document.get("storage", {}).get("url", Storage().url), config)).path


def _latest(ctx: click.Context) -> list[glance.Named]:
    path = _ledger(ctx)
    return [] if path is None else glance.latest(path)


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
def account_names(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The accounts that the ledger knows."""
    path = _ledger(ctx)
    return ((name, "") for name in ([] if path is None else glance.accounts(path)))


@_quietly
def sink_names(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The sinks of the configuration."""
    document, _ = read_document(Path(ctx.find_root().params.get("config") or "connector.toml"), missing="")
    return ((name, table.get("sink", "")) for name, table in (document or {}).get("sinks", {}).items())


@_quietly
def provider_names(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The providers that are installed."""
    return ((name, provider.title) for name, provider in sorted(Plugins().providers.items()))


@_quietly
def setup_names(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The providers and sinks that are installed."""
    plugins = Plugins()
    titles = {name: sink.title for name, sink in plugins.sinks.items()}
    return sorted((titles | {name: provider.title for name, provider in plugins.providers.items()}).items())


@_quietly
def codes(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """Every code of every provider, and where a code has several meanings, each with its source."""
    catalogues = [provider.codes for provider in Plugins().providers.values()]
    for known in (known for catalogue in catalogues for known in catalogue.values()):
        yield known.code, known.meaning
        yield f"{known.source}:{known.code}", known.meaning
