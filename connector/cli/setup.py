"""`connector setup`: from an account at a provider to a configuration that is known to work."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rich_click as click

from connector.checking import offering
from connector.checking.finding import Finding
from connector.checking.integration import secrets_of
from connector.checking.trial import Trial
from connector.cli import proving, toml_file
from connector.cli.completion import provider_names
from connector.cli.draft import Draft
from connector.cli.interview import Interview, choose, prompt, tell
from connector.cli.output import document, json_option, waiting
from connector.cli.proving import may_send_test_message, on_terminal, taking_callbacks, test_number_option
from connector.cli.questions import Path as Place
from connector.cli.questions import Schemas, looks_like_secret, path_of, suggested_variable
from connector.config.document import plain, read_document
from connector.config.load import check_settings
from connector.config.messages import place, unknown_name
from connector.config.schema import compose
from connector.config.secrets import keep_in_keyring
from connector.connector import Connector
from connector.extension.offer import Offer
from connector.extension.plugins import Plugins
from connector.extension.provider import Provider
from connector.extension.secret import REFERENCE, Secret
from connector.model.errors import ConfigurationError, ConnectorError, InputError

NAME = "name"
"""What `--set` calls the integration's own name."""
NOT_SHOWN = "(not shown)"


@click.command("setup")
@click.argument("provider", required=False, metavar="[PROVIDER]", shell_complete=provider_names)
@click.option(
    "--set",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, as in region=eu, server.public_url=https://hooks.example.com, or name=sms-eu for the "
    "integration's own name; may be repeated. Nothing after the sign takes a setting away.",
)
@test_number_option
@click.option("--save-anyway", is_flag=True, help="With --yes: save also what doesn't work, or can't be reached yet.")
@click.option("--yes", is_flag=True, help="Ask nothing: --set says everything.")
@json_option
@click.pass_obj
def setup(
    config: Path,
    provider: str | None,
    words: Sequence[str],
    test_number: str | None,
    save_anyway: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Ask for what a provider needs, try it, show what will be saved, and save it.

    Use it to begin, to add another account, or to change one: what is there already is offered, and the rest of the
    file stays as it is, comments too. Secrets are never shown, and never written into the file, which only says where
    they are found.

    PROVIDER is a name that `connector plugins` lists; where there is only one, it needn't be said. In scripts, --set
    and --yes do the same without questions; then what doesn't work is not saved, and the exit status is 1.
    """
    if not yes and not on_terminal():
        raise click.UsageError("setup asks on a terminal. Without one, say everything by --set, and add --yes.")
    wizard = _Wizard(config, asks=not yes, err=as_json)
    try:
        done = wizard.run(provider, words, save_anyway=save_anyway)
    except (click.Abort, KeyboardInterrupt):
        # While it asks, click tells of Ctrl-C by an error of its own; while it tries or saves, Python does.
        click.echo(err=True)
        tell("Stopped; nothing was saved." if wizard.has_saved_nothing() else f"Stopped, after {config} was saved.")
        sys.exit(1)
    if done.saved:
        wizard.set_callbacks(done)
        wizard.afterwards(done)
        if test_number is not None and may_send_test_message(yes=yes):
            wizard.try_number(done, test_number)
    if as_json:
        document(done.as_dict())
    else:
        done.show()
    if not done.saved or not done.called_back or (done.trial is not None and done.trial.failed):
        sys.exit(1)


@dataclass
class Done:
    """What came of it."""

    file: str
    integration: str
    draft: Draft
    findings: list[Finding] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    """The lines of the file that change, with some around them."""
    saved: bool = False
    """Whether the file has what was asked for now."""
    address: str | None = None
    """Where the provider reports to; None: it is polled."""
    to_do: list[str] = field(default_factory=list)
    trial: Trial | None = None
    called_back: bool = True
    """Whether the service is set to call back, where it has to be told so once."""

    def as_dict(self) -> dict[str, Any]:
        """As one JSON document."""
        return {
            "file": self.file,
            "integration": self.integration,
            "saved": self.saved,
            "findings": self.findings,
            "changes": self.changes,
            "callbacks": {} if self.address is None else {self.integration: self.address},
            "test_message": self.trial,
            "to_do": self.to_do,
        }

    def show(self) -> None:
        """Print what is left to do."""
        if not self.saved:
            click.echo("Nothing was saved.")
            return
        if self.address is not None:
            click.echo(f"Reports come to {self.address}; each request tells the provider so.")
        if self.to_do:
            click.echo("\nWhat is left to do:")
        for sentence in self.to_do:
            first, *others = sentence.splitlines()
            tell(first, begin="- ", err=False)
            for line in others:
                click.echo(f"    {line}")


class _Service:
    """The service of a draft, as far as its settings are known already."""

    def __init__(self, draft: Draft, kind: type[Provider], schemas: Schemas) -> None:
        self._draft = draft
        self._kind = kind
        self._schemas = schemas
        self.offers = kind.offers if kind.supports("offer") else ()

    def offer(self, key: str) -> Offer:
        return offering.offered(self._kind, key, self._settings())

    def make(self, key: str, answers: Mapping[str, str]) -> str:
        return offering.made(self._kind, key, answers, self._settings())

    def _settings(self) -> dict[str, Any]:
        """The settings of the integration as they are, with secrets that can be read."""
        table = self._draft.get(("integrations", self._draft.name)) or {}
        return {key: self._read(key, value) for key, value in table.items() if key != "provider"}

    def _read(self, key: str, value: Any) -> Any:
        question = self._schemas.at(("integrations", self._draft.name, key), self._draft.provider)
        if not question.secret:
            return value
        if isinstance(value, list):
            return [Secret(each, self._draft.reader()) for each in value]
        return Secret(value, self._draft.reader())


class _Wizard:
    """One run: from what is there, through the answers, to the file."""

    def __init__(self, config: Path, *, asks: bool, err: bool) -> None:
        if config.suffix.lower() != ".toml":
            raise InputError(f"setup writes TOML: name a file that ends in .toml by --config, not {config}.")
        self._config = config
        self._asks = asks
        self._err = err
        self._plugins = Plugins()
        self._schemas = Schemas(compose(self._plugins))
        self._before = toml_file.read(config)
        self._old = {} if self._before is None else _document_in(config)

    def run(self, provider: str | None, words: Sequence[str], *, save_anyway: bool) -> Done:
        """Ask, try, show and save."""
        given = _given(words)
        chosen = self._provider(provider)
        kind = self._plugins.providers[chosen]
        if self._asks:
            click.echo(err=True)
            click.secho(f"Setting up {kind.title}", bold=True, err=True)
            if kind.guidance:
                tell(kind.guidance)
        name = self._name(chosen, given)
        self._refuse_what_is_wrong_elsewhere(name)
        draft = Draft(self._old, self._plugins, str(self._config), provider=chosen, name=name)
        places = [self._put(draft, key, text) for key, text in given.items()]
        service = _Service(draft, kind, self._schemas)
        interview = Interview(draft, self._schemas, places, lambda sender: self._screen_sender(draft, sender), service)
        done = Done(str(self._config), name, draft)
        while True:
            if self._asks:
                interview.run()
            if not self._is_whole(draft):
                continue
            done.findings = self._try(draft)
            proving.show(done.findings, {name: kind.title}, err=self._err)
            if not proving.wrong(done.findings) or save_anyway:
                break
            if not self._asks:
                return done
            answers = ["Change the answers", "Save it all the same", "Stop, and save nothing"]
            match choose("What now?", answers, default=0):
                case 1:
                    break
                case 2:
                    return done
        self._save(done)
        return done

    def has_saved_nothing(self) -> bool:
        """Whether the file is as it was before."""
        return toml_file.read(self._config) == self._before

    # What is set up

    def _provider(self, given: str | None) -> str:
        known = self._plugins.providers
        if given is not None:
            if given not in known:
                broken = "".join(
                    f" The plugin {each.name} is left out: {each.reason}." for each in self._plugins.broken
                )
                raise InputError(unknown_name(given, list(known), "provider") + broken)
            return given
        if not known:
            raise InputError("No provider is installed: a plugin brings one; `connector plugins` lists them.")
        if len(known) == 1:
            return next(iter(known))
        if not self._asks:
            raise InputError(f"Say which provider: {', '.join(known)}.")
        names = list(known)
        return names[choose("Which provider?", [f"{name}  {known[name].title}" for name in names])]

    def _name(self, provider: str, given: dict[str, str]) -> str:
        """The integration's own name: given, asked for, or that of the only one of this provider."""
        integrations = self._old.get("integrations", {})
        own = [name for name, table in integrations.items() if table.get("provider") == provider]
        suggested = own[0] if len(own) == 1 else provider
        name = given.pop(NAME, None) or None
        if name is None and not self._asks:
            if len(own) > 1:
                raise InputError(f"Say which integration, as in --set name={own[0]}; there are {', '.join(own)}.")
            return suggested
        while name is None:
            click.echo(err=True)
            click.secho("Name", bold=True, err=True)
            tell("What you call this account yourself, as campaigns and reports name it.", "  ")
            if own:
                tell(f"There are already: {', '.join(own)}. One of these is changed, any other name is added.", "  ")
            name = prompt(f"Name [{suggested}]") or suggested
            if integrations.get(name, {}).get("provider", provider) != provider:
                tell(f"{name} belongs to {integrations[name]['provider']}; take another name.", "  ")
                name = None
        if integrations.get(name, {}).get("provider", provider) != provider:
            raise InputError(f"The integration {name} uses {integrations[name]['provider']}; give another name.")
        return name

    def _refuse_what_is_wrong_elsewhere(self, name: str) -> None:
        """What is wrong in other parts of the file is for a person to mend. Raises `ConfigurationError`."""
        try:
            check_settings(self._old, self._plugins, str(self._config))
        except ConfigurationError as error:
            own = place(("integrations", name))
            others = [fault for fault in error.faults if fault.place != own and not fault.place.startswith(f"{own}.")]
            if others:
                raise ConfigurationError(others) from None

    def _put(self, draft: Draft, key: str, text: str) -> Place:
        """Put what `--set` says into the draft. Raises `InputError`."""
        path = path_of(key)
        if len(path) == 1 and not self._schemas.is_table(path[0]):
            path = ("integrations", draft.name, key)
        question = self._schemas.at(path, draft.provider)
        if question.secret and text and not _is_reference(text):
            raise InputError(
                f"--set {key}: a secret itself isn't given here, where the shell's history and every list of processes "
                f"keep it. Say where it is found: {key}=env:NAME, file:PATH or keyring:NAME."
            )
        if question.secret and text.startswith("env:") and looks_like_secret(text.removeprefix("env:")):
            raise InputError(
                f"--set {key}: That looks like the secret itself; give the name of a variable, such as "
                f"{key}=env:{suggested_variable(draft.name, question.key)}. Nothing was kept."
            )
        draft.put(path, question.read(text) if text else None)
        return path

    # Whether it works

    def _is_whole(self, draft: Draft) -> bool:
        """Whether the draft is a configuration. Raises `ConfigurationError` where nobody can be asked."""
        faults = draft.faults()
        if faults and not self._asks:
            raise ConfigurationError(faults)
        for fault in faults:
            tell(f"{fault.place}: {fault.message}")
        return not faults

    def _try(self, draft: Draft) -> list[Finding]:
        """What the real service says, and whether callbacks arrive, in a ledger that is thrown away."""
        with self._on_trial(draft) as connector, taking_callbacks(connector) as taking:
            click.echo(err=self._err)
            with waiting("Trying it ..."):
                found = taking.explained(connector.try_integration(draft.name))
        return proving.before_a_restart(found) if self._server_runs(draft) else found

    def _screen_sender(self, draft: Draft, sender: str) -> str | None:
        """What is wrong with a sender for the provider, as a sentence."""
        try:
            with self._on_trial(draft) as connector:
                return connector.lines[draft.name].provider.screen_sender(sender)
        except ConnectorError:
            # Other answers don't fit yet: that is said, and the sender tried, once everything is answered.
            return None

    @contextmanager
    def _on_trial(self, draft: Draft) -> Iterator[Connector]:
        with tempfile.TemporaryDirectory(prefix="connector-") as folder:
            settings = draft.settings(storage={"url": f"sqlite:///{Path(folder) / 'trial.db'}"})
            with Connector(settings, plugins=self._plugins) as connector:
                yield connector

    def _server_runs(self, draft: Draft) -> bool:
        """Whether a server works with the settings as they were before."""
        with Connector(draft.settings(), plugins=self._plugins) as connector:
            # A ledger that isn't there is not made: nothing is saved yet.
            return connector.ledger.path.exists() and connector.server_is_running()

    # Saving

    def _save(self, done: Done) -> None:
        draft = done.draft
        made = list(toml_file.changes(self._old, draft.document))
        source, before = str(self._config), self._before or ""
        if made:
            new = toml_file.edited(before, made, source=source)
            shown = toml_file.edited(before, [self._without_hidden(*each, draft) for each in made], source=source)
            done.changes = toml_file.difference(before, shown)
            click.echo(f"What changes in {source}:\n" if before else f"What {source} will say:\n", err=self._err)
            click.echo("\n".join(f"  {line}".rstrip() for line in done.changes) + "\n", err=self._err)
        if self._asks and (made or draft.pasted) and not click.confirm("Save this?", default=True, err=True):
            return
        for reference, secret in draft.pasted.items():
            kind, _, name = reference.partition(":")
            if kind == "keyring":
                keep_in_keyring(name, secret)
        if made:
            toml_file.save(self._config, new, instead_of=self._before)
        done.saved = True
        told = f"{done.file} is saved.\n" if made else f"{done.file} says all of this already.\n"
        click.echo(told, err=self._err)

    def _without_hidden(self, path: Place, value: Any, draft: Draft) -> toml_file.Change:
        return path, NOT_SHOWN if value is not None and self._schemas.at(path, draft.provider).hidden else value

    # Afterwards

    def afterwards(self, done: Done) -> None:
        """Say what is left to do, with the address that the integration has now."""
        settings = done.draft.settings()
        done.to_do += [
            f"Wherever the connector runs, its environment needs the secret, in place of the dots:\nexport {name}='...'"
            for name in _variables_unset(settings.integrations[done.integration].settings)
        ]
        with Connector(settings, plugins=self._plugins) as connector:
            if settings.server.public_url is not None:
                done.address = connector.callback_addresses()[done.integration]
            guidance = connector.reply_guidance().get(done.integration)
            done.to_do += [guidance] if guidance else []
            restart = connector.server_is_running() or connector.worker_is_running()
        done.to_do += [
            "Restart `connector serve` or `connector worker`: what runs still has the old settings."
            if restart
            else "Run `connector serve` all the time: it takes or asks for reports and replies.",
            "Try everything once more, whenever you like:\nconnector check",
            "See who would get what, then send:\nconnector send CAMPAIGN.toml --recipients PEOPLE.csv --dry-run",
        ]

    def set_callbacks(self, done: Done) -> None:
        """Have the service call back here, where it has to be told so once."""
        with Connector(done.draft.settings(), plugins=self._plugins) as connector:
            found = connector.try_call_back(done.integration, mend=False)
            if proving.wrong(found) and self._may_set(done, found):
                found = connector.try_call_back(done.integration, mend=True)
                proving.show(found, {done.integration: self._title(done)}, err=self._err)
        done.findings += found
        done.called_back = not proving.wrong(found)

    def _may_set(self, done: Done, found: list[Finding]) -> bool:
        proving.show(found, {done.integration: self._title(done)}, err=self._err)
        return not self._asks or click.confirm("Set it right at the service now?", default=True, err=True)

    def _title(self, done: Done) -> str:
        return self._plugins.providers[done.draft.provider].title

    def try_number(self, done: Done, number: str) -> None:
        """Send a test message through what was saved."""
        with Connector(done.draft.settings(), plugins=self._plugins) as connector:
            if connector.server_is_running() or connector.worker_is_running():
                cause = "Restart what runs with the new settings first, then: connector check --test-number NUMBER"
                done.trial = Trial(done.integration, cause=cause)
                found = [*done.findings, *done.trial.findings()]
            else:
                with taking_callbacks(connector):
                    done.trial, found = proving.try_number(connector, number, done.integration, done.findings)
        proved = [each for each in found if each not in done.findings]
        done.findings = found
        proving.show(proved, {done.integration: self._title(done)}, err=self._err)


def _document_in(config: Path) -> dict[str, Any]:
    """What the file says already. Raises `ConfigurationError`."""
    read, unreadable = read_document(config, missing="")
    if unreadable:
        raise ConfigurationError(unreadable)
    old, _ = plain(read)
    return dict(old)


def _given(words: Sequence[str]) -> dict[str, str]:
    """The settings in `key=value` words. Raises `InputError`, which doesn't show what may be a secret."""
    given: dict[str, str] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise InputError("--set: write KEY=VALUE, as in region=eu.")
        if key.strip() in given:
            raise InputError(f"--set {key.strip()} is given twice.")
        given[key.strip()] = text.strip()
    return given


def _is_reference(text: str) -> bool:
    return re.match(REFERENCE, text) is not None


def _variables_unset(settings: Any) -> list[str]:
    references = [secret.reference for _, secret in secrets_of(settings)]
    names = [reference.removeprefix("env:") for reference in references if reference.startswith("env:")]
    return [name for name in dict.fromkeys(names) if not os.environ.get(name)]
