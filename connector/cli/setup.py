"""`connector setup`: from an account, or a platform, to a configuration that is known to work."""

import sys
from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from connector.cli.account_wizard import AccountWizard
from connector.cli.completion import setup_names
from connector.cli.interview import choose, tell
from connector.cli.output import document, json_option
from connector.cli.proving import may_send_test_message, on_terminal, test_number_option
from connector.cli.sink_wizard import SinkWizard
from connector.cli.wizard import Wizard
from connector.config.messages import unknown_name
from connector.extension.plugins import Plugins
from connector.model.errors import InputError


@click.command("setup")
@click.argument("what", required=False, metavar="[PROVIDER or SINK]", shell_complete=setup_names)
@click.option(
    "--set",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, as in region=eu, server.public_url=https://hooks.example.com, or name=sms-eu for the own name of "
    "the integration or sink; may be repeated. Nothing after the sign takes a setting away.",
)
@test_number_option
@click.option("--save-anyway", is_flag=True, help="With --yes: save also what doesn't work, or can't be reached yet.")
@click.option("--yes", is_flag=True, help="Ask nothing: --set says everything.")
@json_option
@click.pass_obj
def setup(
    config: Path,
    what: str | None,
    words: Sequence[str],
    test_number: str | None,
    save_anyway: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Ask for what a provider or a sink needs, try it, show what will be saved, and save it.

    Use it to begin, to add another account, to have events brought to a platform, or to change one of these: what is
    there already is offered, and the rest of the file stays as it is, comments too. Secrets are never shown, and never
    written into the file, which only says where they are found.

    A provider sends the messages, a sink gets the events: what became of every message. Both are named as `connector
    plugins` lists them; without a name you choose. In scripts, --set and --yes do the same without questions; then
    what doesn't work is not saved, and the exit status is 1.
    """
    if not yes and not on_terminal():
        raise click.UsageError("setup asks on a terminal. Without one, say everything by --set, and add --yes.")
    plugins = Plugins()
    wizard: Wizard | None = None
    try:
        kind = _choose(plugins, asks=not yes) if what is None else _known(plugins, what)
        if kind in plugins.providers:
            wizard = account = AccountWizard(config, plugins, kind, asks=not yes, err=as_json)
        elif test_number is not None:
            raise InputError(f"--test-number goes with a provider, and {kind} is a sink: nothing is sent by it.")
        else:
            wizard, account = SinkWizard(config, plugins, kind, asks=not yes, err=as_json), None
        done = wizard.run(words, save_anyway=save_anyway)
    except (click.Abort, KeyboardInterrupt):
        # While it asks, click tells of Ctrl-C by an error of its own; while it tries or saves, Python does.
        click.echo(err=True)
        unsaved = wizard is None or wizard.has_saved_nothing()
        tell("Stopped; nothing was saved." if unsaved else f"Stopped, after {config} was saved.")
        sys.exit(1)
    if done.saved:
        wizard.afterwards(done)
        if account is not None and test_number is not None and may_send_test_message(yes=yes):
            account.try_number(done, test_number)
    if as_json:
        document(done.as_dict())
    else:
        done.show()
    if done.failed:
        sys.exit(1)


def _known(plugins: Plugins, name: str) -> str:
    known = [*plugins.providers, *plugins.sinks]
    if name in known:
        return name
    broken = "".join(f" The plugin {each.name} is left out: {each.reason}." for each in plugins.broken)
    raise InputError(unknown_name(name, known, "provider or sink") + broken)


def _choose(plugins: Plugins, *, asks: bool) -> str:
    providers, sinks = sorted(plugins.providers), sorted(plugins.sinks)
    if not providers and not sinks:
        raise InputError("No provider is installed: a plugin brings one; `connector plugins` lists them.")
    if not asks:
        raise InputError(f"Say what to set up: a provider ({_listed(providers)}), or a sink ({_listed(sinks)}).")
    tell("Begin with the provider that sends your messages. A platform that gets the events can be added at any time.")
    options = [
        *(f"{name}  {plugins.providers[name].title}: sends messages" for name in providers),
        *(f"{name}  {plugins.sinks[name].title}: gets the events" for name in sinks),
    ]
    return [*providers, *sinks][choose("What do you want to set up?", options)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none is installed"
