"""The questions of the wizard, at a terminal."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import rich_click as click

from connector.cli.draft import Draft
from connector.cli.output import fitted, waiting
from connector.cli.questions import Form, Question, Schemas, Way, looks_like_secret, suggested_variable
from connector.config.secrets import keyring_is_there, read_secret
from connector.extension.offer import Offer, Wanted
from connector.model.errors import ConfigurationError, ConnectorError

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PACE = "messages_per_second"
TAKE_AWAY = "-"
NONE = "none"


def tell(text: str, indent: str = "", *, begin: str = "", err: bool = True) -> None:
    """Print a text for people, in lines that fit the terminal; `begin` stands before the first."""
    click.echo(fitted(text, indent, begin=begin), err=err)


def prompt(text: str, *, hidden: bool = False) -> str:
    """What is typed; empty for Enter alone."""
    typed: str = click.prompt(text, default="", show_default=False, hide_input=hidden, err=True)
    return typed.strip()


def choose(text: str, options: Sequence[str], *, default: int | None = None) -> int:
    """Which of several is chosen, by its number; counted from 0."""
    for number, option in enumerate(options, 1):
        tell(option, "  ", begin=f"{number}  ")
    while True:
        typed = prompt(f"{text} [{default + 1}]" if default is not None else text)
        if not typed and default is not None:
            return default
        if typed.isdecimal() and 1 <= int(typed) <= len(options):
            return int(typed) - 1
        beginning = [place for place, option in enumerate(options) if option.lower().startswith(typed.lower())]
        if typed and len(beginning) == 1:
            return beginning[0]
        tell(f"Type a number from 1 to {len(options)}.", "  ")


class Service(Protocol):
    """What can be asked of the service itself, in the draft's settings as they are."""

    @property
    def offers(self) -> Sequence[str]:
        """Settings that it lists."""

    def offer(self, key: str) -> Offer:
        """What a setting may be. Raises `ConnectorError`."""

    def make(self, key: str, answers: Mapping[str, str]) -> str:
        """A new one. Raises `ConnectorError`."""


class Interview:
    """Asks for one integration and what goes with it; every answer is checked at once."""

    def __init__(
        self,
        draft: Draft,
        schemas: Schemas,
        given: Sequence[tuple[str, ...]],
        screen_sender: Callable[[str], str | None],
        service: "Service",
    ) -> None:
        """`screen_sender`: what is wrong with a sender for the provider, as a sentence."""
        self._draft = draft
        self._service = service
        self._screen_sender = screen_sender
        self._schemas = schemas
        self._given = set(given)

    def run(self) -> None:
        """Ask everything that was not given, with what is there as the default."""
        form = self._schemas.form(self._draft.provider, self._draft.name)
        way = self._choose_way(form) if form.ways else None
        # What the service itself lists can be asked for only once it is known how it is reached.
        for question in sorted(form.required, key=lambda each: each.key in self._service.offers):
            asked = question if way is None else way.narrowed(question)
            if question.key in self._service.offers:
                self._ask_offered(asked)
            else:
                self._ask(asked, needed=True)
        optional = [each for each in form.optional if way is None or each.key not in way.excluded]
        for question in optional:
            if question.key == PACE:
                self._ask(question, needed=False)
        self._ask_optional([each for each in optional if each.key != PACE], form)
        self._ask_sender()
        self._ask_address()
        self._ask_default()
        # The next time everything may be mended.
        self._given = set()

    # One question

    def _ask(self, question: Question, *, needed: bool) -> None:
        if question.path in self._given:
            return
        draft, before = self._draft, self._draft.get(question.path)
        self._head(question)
        if question.secret:
            self._ask_secret(question, needed=needed)
            return
        label = self._label(question, before, needed)
        while True:
            typed = prompt(label, hidden=question.hidden)
            if not typed and (before is not None or not needed):
                return
            if not typed and question.default is not None:
                return
            if typed == TAKE_AWAY and not needed:
                draft.put(question.path, None)
                return
            draft.put(question.path, question.read(typed))
            faults = ["This one is needed."] if not typed else draft.faults_at(question.path)
            if not faults:
                return
            draft.put(question.path, before)
            for fault in faults:
                tell(fault, "  ")

    def _head(self, question: Question) -> None:
        click.echo(err=True)
        click.secho(question.title, bold=True, err=True)
        if question.description:
            tell(question.description, "  ")
        if question.choices:
            tell(f"One of {', '.join(question.choices)}.", "  ")
        elif question.example is not None:
            tell(f"Such as {question.example}.", "  ")

    def _label(self, question: Question, before: Any, needed: bool) -> str:
        if before is not None:
            shown = "unchanged" if question.hidden else _shown(before)
            return f"{question.title} [{shown}]" + ("" if needed else f" ({TAKE_AWAY} takes it away)")
        if question.default is not None:
            return f"{question.title} [{_shown(question.default)}]"
        return question.title if needed else f"{question.title} [{NONE}]"

    # What the service knows

    def _ask_offered(self, question: Question) -> None:
        """Let a person choose among what the service lists, or make a new one there."""
        if question.path in self._given:
            return
        try:
            with waiting("Asking the service ..."):
                offer = self._service.offer(question.key)
        except ConnectorError as error:
            click.echo(err=True)
            tell(str(error))
            self._ask(question, needed=True)
            return
        self._head(question)
        before = self._draft.get(question.path)
        values = [each.value for each in offer.choices]
        options = [f"{each.label} ({each.value})" for each in offer.choices]
        if offer.new:
            options.append("a new one, made now")
        options.append("another one, which I type")
        while True:
            chosen = choose("Number", options, default=values.index(before) if before in values else 0)
            if chosen < len(values):
                self._draft.put(question.path, values[chosen])
                return
            if not offer.new or chosen > len(values):
                self._ask(question, needed=True)
                return
            try:
                made = self._service.make(question.key, {each.key: _answer(each) for each in offer.new})
            except ConnectorError as error:
                tell(str(error), "  ")
                continue
            self._draft.put(question.path, made)
            return

    # Secrets

    def _ask_secret(self, question: Question, *, needed: bool) -> None:
        draft, before = self._draft, self._draft.get(question.path)
        tell("It is not written into the configuration, only where it is found. Where is it to live?", "  ")
        places = ["in an environment variable", "in a file that only holds it"]
        kinds = [self._in_variable, self._in_file]
        if keyring_is_there():
            places.append("in the keyring of this machine")
            kinds.append(self._in_keyring)
        if before is not None:
            places.append(f"where it is now ({before if isinstance(before, str) else 'in several places'})")
        if not needed:
            places.append("nowhere: leave it out")
        chosen = choose("Number", places, default=len(kinds) if before is not None else 0)
        if chosen < len(kinds):
            draft.put(question.path, kinds[chosen](question))
        elif before is None or chosen > len(kinds):
            draft.put(question.path, None)
        elif isinstance(before, str):
            self._paste_if_unset(question, before)

    def _in_variable(self, question: Question) -> str:
        suggested = suggested_variable(self._draft.name, question.key)
        while True:
            name = prompt(f"Name of the variable [{suggested}]") or suggested
            if looks_like_secret(name):
                tell(
                    f"That looks like the secret itself; give the name of a variable, such as {suggested}. "
                    "Nothing was kept.",
                    "  ",
                )
                continue
            if VARIABLE.fullmatch(name):
                break
            # What was typed may be the secret itself.
            tell("A variable's name has letters, digits and _ only. The secret itself is asked for next.", "  ")
        reference = f"env:{name}"
        self._paste_if_unset(question, reference)
        return reference

    def _paste_if_unset(self, question: Question, reference: str) -> None:
        kind, _, name = reference.partition(":")
        if kind != "env" or os.environ.get(name):
            return
        enter = "Enter keeps what was pasted." if reference in self._draft.pasted else "Enter goes on without it."
        tell(
            f"{name} is not set here yet. Paste the secret to try it: it is not shown, and kept for this run only. "
            f"{enter}",
            "  ",
        )
        secret = prompt(question.title, hidden=True)
        if secret:
            self._draft.pasted[reference] = secret

    def _in_file(self, question: Question) -> str:
        while True:
            reference = f"file:{prompt('Path of the file')}"
            try:
                read_secret(reference)
            except ConfigurationError as error:
                tell(str(error), "  ")
                continue
            return reference

    def _in_keyring(self, question: Question) -> str:
        reference = f"keyring:{self._draft.name}.{question.key}"
        while True:
            secret = prompt(f"{question.title}, which is not shown", hidden=True)
            if secret:
                # It is put there when everything is saved.
                self._draft.pasted[reference] = secret
                return reference
            tell("This one is needed.", "  ")

    # What belongs together

    def _choose_way(self, form: Form) -> Way:
        draft = self._draft
        own = ("integrations", draft.name)
        given = [way for way in form.ways if any((*own, key) in self._given for key in way.keys)]
        there = [way for way in form.ways if all(draft.get((*own, key)) is not None for key in way.keys)]
        if given:
            way = given[0]
        else:
            click.echo(err=True)
            click.secho("How do you sign in?", bold=True, err=True)
            default = form.ways.index(there[0]) if there else 0
            way = form.ways[choose("Number", [way.title for way in form.ways], default=default)]
        for key in (set(form.of_ways) | way.excluded) - set(way.keys):
            draft.put((*own, key), None)
        for key in way.keys:
            self._ask(form.of_ways[key], needed=True)
        return way

    def _ask_optional(self, questions: Sequence[Question], form: Form) -> None:
        while True:
            click.echo(err=True)
            tell("Other settings, which most people leave as they are:")
            options = [*map(self._line, questions), "go on"]
            chosen = choose("Number of one to set, or Enter to go on", options, default=len(questions))
            if chosen == len(questions):
                return
            self._ask_with_its_others(questions[chosen], form)

    def _ask_with_its_others(self, question: Question, form: Form) -> None:
        self._given.discard(question.path)
        self._ask(question, needed=False)
        others = [each for each in form.optional if each.key in form.together.get(question.key, ())]
        for other in others:
            if self._draft.get(question.path) is None:
                self._draft.put(other.path, None)
            elif self._draft.get(other.path) is None:
                self._ask(other, needed=True)

    def _line(self, question: Question) -> str:
        value = self._draft.get(question.path)
        if value is not None and question.hidden:
            return f"{question.title}: set"
        value = question.default if value is None else value
        return f"{question.title}: {'not set' if value is None else _shown(value)}"

    def _ask_sender(self) -> None:
        draft = self._draft
        question = self._schemas.at(("senders", "NAME", "value"), draft.provider)
        if ("defaults", "sender") in self._given or any(path[0] == "senders" for path in self._given):
            return
        click.echo(err=True)
        click.secho("Sender", bold=True, err=True)
        tell(f"Whom people see a message from, where a campaign names nobody else. {question.description}", "  ")
        senders = draft.get(("senders",)) or {}
        if senders:
            tell(f"There are already: {', '.join(senders)}. Type one of these names, or a new sender.", "  ")
        before = draft.get(("defaults", "sender"))
        while True:
            typed = prompt(f"Sender [{before or NONE}]")
            if not typed:
                return
            faults = self._put_sender(typed, before)
            if not faults:
                return
            for fault in faults:
                tell(fault, "  ")

    def _put_sender(self, typed: str, before: str | None) -> list[str]:
        """Put a sender, by its name or as people see it, in the place of the one before; what is wrong with it."""
        draft, was = self._draft, self._draft.get(("senders",)) or {}
        # What only this run brought, and is now answered otherwise, is not to be saved.
        replaced = before if before is not None and not draft.is_saved(("senders", before)) else None
        others = {name: sender for name, sender in was.items() if name != replaced}
        if typed in was:
            name, senders = typed, {**others, typed: was[typed]}
        else:
            name = _name_of(typed, others)
            senders = {**others, name: {**others.get(name, {}), "value": typed}}
        draft.put(("senders",), senders)
        draft.put(("defaults", "sender"), name)
        faults = draft.faults_at(("senders", name, "value"))
        if not faults:
            wrong = self._screen_sender(senders[name]["value"])
            faults = [wrong] if wrong is not None else []
        if faults:
            draft.put(("senders",), was or None)
            draft.put(("defaults", "sender"), before)
            if not draft.get(("defaults",)):
                draft.put(("defaults",), None)
        return faults

    def _ask_address(self) -> None:
        provider = self._draft.provider
        self._ask(self._schemas.at(("server", "public_url"), provider), needed=False)
        if self._draft.get(("server", "public_url")) is not None:
            click.echo(err=True)
            tell(
                "What answers at that address must pass requests on to `connector serve`, which listens on a port here."
            )
            self._ask(self._schemas.at(("server", "port"), provider), needed=False)

    def _ask_default(self) -> None:
        draft, path = self._draft, ("defaults", "integration")
        others = set(draft.document["integrations"]) - {draft.name}
        if not others or draft.get(path) is not None or path in self._given:
            return
        click.echo(err=True)
        if click.confirm(f"Do campaigns that name no integration go through {draft.name}?", default=True, err=True):
            draft.put(path, draft.name)


def _answer(wanted: Wanted) -> str:
    click.echo(err=True)
    if wanted.description:
        tell(wanted.description, "  ")
    while True:
        typed = prompt(wanted.title, hidden=wanted.secret)
        if typed:
            return typed
        tell("This one is needed.", "  ")


def _shown(value: Any) -> str:
    """A value as a person would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else f"{value}".removesuffix(".0")


def _name_of(value: str, taken: dict[str, Any]) -> str:
    """A name for a sender, from what people see: `shop` for "Shop"."""
    plain = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-") or "sender"
    name, number = plain, 1
    while name in taken and taken[name].get("value") != value:
        number += 1
        name = f"{plain}-{number}"
    return name
