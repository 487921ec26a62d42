"""What setting up an integration and setting up a sink have in common: from what is there to a file that is saved."""

import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import rich_click as click

from connector.checking.finding import Finding
from connector.checking.integration import secrets_of
from connector.checking.trial import Trial
from connector.cli import proving, toml_file
from connector.cli.draft import Draft
from connector.cli.interview import Interview, choose, prompt, tell
from connector.cli.questions import Path as Place
from connector.cli.questions import Question, Schemas, Subject, looks_like_secret, path_of, suggested_variable
from connector.config.document import plain, read_document
from connector.config.load import check_settings
from connector.config.messages import place
from connector.config.schema import compose
from connector.config.secrets import keep_in_keyring
from connector.connector import Connector
from connector.extension.plugins import Plugins
from connector.extension.provider import Provider
from connector.extension.secret import REFERENCE
from connector.extension.sink import Sink
from connector.model.errors import ConfigurationError, InputError

NAME = "name"
"""What `--set` calls the integration's or sink's own name."""
NOT_SHOWN = "(not shown)"


@dataclass
class Done:
    """What came of it."""

    file: str
    subject: Subject
    draft: Draft
    findings: list[Finding] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    """The lines of the file that change, with some around them."""
    saved: bool = False
    """Whether the file has what was asked for now."""
    address: str | None = None
    """Where the provider reports to; None: it is polled, or nothing is reported."""
    to_do: list[str] = field(default_factory=list)
    trial: Trial | None = None
    called_back: bool = True
    """Whether the service is set to call back, where it has to be told so once."""

    @property
    def failed(self) -> bool:
        """Whether something of it is not as it should be."""
        return not self.saved or not self.called_back or (self.trial is not None and self.trial.failed)

    def as_dict(self) -> dict[str, Any]:
        """As one JSON document."""
        subject = self.subject
        return {
            "file": self.file,
            "integration": subject.name if subject.table == "integrations" else None,
            "sink": subject.name if subject.table == "sinks" else None,
            "saved": self.saved,
            "findings": self.findings,
            "changes": self.changes,
            "callbacks": {} if self.address is None else {subject.name: self.address},
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


class Wizard(ABC):
    """One run: from what is there, through the answers, to the file."""

    table: ClassVar[Literal["integrations", "sinks"]]
    key: ClassVar[Literal["provider", "sink"]]
    what: ClassVar[str]
    """What the user's own name names, for people."""
    naming: ClassVar[str]
    """What the name is for."""
    name_form = re.compile(r".+")
    name_rule: ClassVar[str] = ""
    """What a name must be, as a sentence."""

    def __init__(self, config: Path, plugins: Plugins, kind: str, *, asks: bool, err: bool) -> None:
        if config.suffix.lower() != ".toml":
            raise InputError(f"setup writes TOML: name a file that ends in .toml by --config, not {config}.")
        self._config = config
        self._kind = kind
        self._asks = asks
        self._err = err
        self._plugins = plugins
        self._schemas = Schemas(compose(plugins))
        self._before = toml_file.read(config)
        self._old = {} if self._before is None else _document_in(config)

    @property
    @abstractmethod
    def _offered(self) -> type[Provider] | type[Sink]:
        """What the plugin offers."""

    @abstractmethod
    def _interview(self, draft: Draft, given: Sequence[Place]) -> Interview:
        """Who asks."""

    @abstractmethod
    def _try(self, draft: Draft) -> list[Finding]:
        """What the real service says."""

    @abstractmethod
    def afterwards(self, done: Done) -> None:
        """Finish what can only be done once it is saved, and say what is left to do."""

    def run(self, words: Sequence[str], *, save_anyway: bool) -> Done:
        """Ask, try, show and save."""
        given = _given(words)
        offered = self._offered
        if self._asks:
            click.echo(err=True)
            click.secho(f"Setting up {offered.title}", bold=True, err=True)
            if offered.guidance:
                tell(offered.guidance)
        subject = Subject(self.table, self.key, self._kind, self._name(given))
        self._refuse_what_is_wrong_elsewhere(subject)
        draft = Draft(self._old, self._plugins, str(self._config), subject)
        interview = self._interview(draft, [self._put(draft, key, text) for key, text in given.items()])
        done = Done(str(self._config), subject, draft)
        while True:
            if self._asks:
                interview.run()
            if not self._is_whole(draft):
                continue
            done.findings = self._try(draft)
            self.show(done.findings, subject)
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

    def show(self, findings: Sequence[Finding], subject: Subject) -> None:
        """Print what trying it has shown."""
        about = subject.name if subject.table == "integrations" else f"sink {subject.name}"
        proving.show(findings, {about: self._offered.title}, err=self._err)

    def has_saved_nothing(self) -> bool:
        """Whether the file is as it was before."""
        return toml_file.read(self._config) == self._before

    # What is set up

    def _name(self, given: dict[str, str]) -> str:
        """The user's own name for it: given, asked for, or that of the only one of this kind."""
        there: Mapping[str, Mapping[str, Any]] = self._old.get(self.table, {})
        own = [name for name, table in there.items() if table.get(self.key) == self._kind]
        suggested = own[0] if len(own) == 1 else self._kind
        name = given.pop(NAME, None) or None
        if name is None and not self._asks:
            if len(own) > 1:
                raise InputError(f"Say which {self.what}, as in --set name={own[0]}; there are {', '.join(own)}.")
            name = suggested
        while name is None:
            click.echo(err=True)
            click.secho("Name", bold=True, err=True)
            tell(self.naming, "  ")
            if own:
                tell(f"There are already: {', '.join(own)}. One of these is changed, any other name is added.", "  ")
            name = prompt(f"Name [{suggested}]") or suggested
            wrong = self._wrong_with(name, there)
            if wrong is not None:
                tell(wrong, "  ")
                name = None
        wrong = self._wrong_with(name, there)
        if wrong is not None:
            raise InputError(wrong)
        return name

    def _wrong_with(self, name: str, there: Mapping[str, Mapping[str, Any]]) -> str | None:
        kind = there.get(name, {}).get(self.key, self._kind)
        if kind != self._kind:
            return f"The {self.what} {name} uses {kind}; give another name."
        return None if self.name_form.fullmatch(name) else self.name_rule

    def _refuse_what_is_wrong_elsewhere(self, subject: Subject) -> None:
        """What is wrong in other parts of the file is for a person to mend. Raises `ConfigurationError`."""
        try:
            check_settings(self._old, self._plugins, str(self._config))
        except ConfigurationError as error:
            own = place(subject.path)
            others = [fault for fault in error.faults if fault.place != own and not fault.place.startswith(f"{own}.")]
            if others:
                raise ConfigurationError(others) from None

    def _put(self, draft: Draft, key: str, text: str) -> Place:
        """Put what `--set` says into the draft. Raises `InputError`."""
        path = path_of(key)
        if not self._schemas.is_table(path[0]) and (len(path) == 1 or self._is_setting(path[0])):
            path = (*draft.subject.path, *path)
        question = self._schemas.at(path, draft.subject)
        for reference in question.references(text) if question.secret and text else ():
            self._refuse_a_secret_itself(key, reference, question, draft)
        try:
            draft.put(path, question.read(text) if text else None)
        except InputError as error:
            raise InputError(f"--set {key}: {error}") from None
        return path

    def _refuse_a_secret_itself(self, key: str, reference: str, question: Question, draft: Draft) -> None:
        kind, _, name = reference.partition(":")
        # No variable has a comma in its name: what stands behind one says not where it is found.
        if not _is_reference(reference) or (question.several and kind == "env" and "," in name):
            more = f" Of several each says so: {key}=env:NAME,env:ANOTHER." if question.several else ""
            raise InputError(
                f"--set {key}: a secret itself isn't given here, where the shell's history and every list of processes "
                f"keep it. Say where it is found: {key}=env:NAME, file:PATH or keyring:NAME.{more}"
            )
        if kind == "env" and looks_like_secret(name):
            raise InputError(
                f"--set {key}: That looks like the secret itself; give the name of a variable, such as "
                f"{key}=env:{suggested_variable(draft.subject.name, question.key)}. Nothing was kept."
            )

    def _is_setting(self, key: str) -> bool:
        return key in self._offered.Settings.model_fields

    # Whether it works

    def _is_whole(self, draft: Draft) -> bool:
        """Whether the draft is a configuration. Raises `ConfigurationError` where nobody can be asked."""
        faults = draft.faults()
        if faults and not self._asks:
            raise ConfigurationError(faults)
        for fault in faults:
            tell(f"{fault.place}: {fault.message}")
        return not faults

    @contextmanager
    def _on_trial(self, draft: Draft) -> Iterator[Connector]:
        """The connector of a draft, with a ledger that is thrown away."""
        with tempfile.TemporaryDirectory(prefix="connector-") as folder:
            settings = draft.settings(storage={"url": f"sqlite:///{Path(folder) / 'trial.db'}"})
            with Connector(settings, plugins=self._plugins) as connector:
                yield connector

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
        return path, NOT_SHOWN if value is not None and self._schemas.at(path, draft.subject).hidden else value


def to_export(settings: Any) -> list[str]:
    """What is left to do for secrets that stand in no environment variable yet."""
    references = [secret.reference for _, secret in secrets_of(settings)]
    names = [reference.removeprefix("env:") for reference in references if reference.startswith("env:")]
    return [
        f"Wherever the connector runs, its environment needs the secret, in place of the dots:\nexport {name}='...'"
        for name in dict.fromkeys(names)
        if not os.environ.get(name)
    ]


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
