"""The questions of the wizard, at a terminal."""

import os
import re
from collections.abc import Sequence
from typing import Any

import rich_click as click

from connector.cli.draft import Draft
from connector.cli.output import fitted
from connector.cli.questions import Form, Path, Question, Schemas, Way, looks_like_secret, suggested_variable
from connector.config.secrets import keyring_is_there, read_secret
from connector.model.errors import ConfigurationError, InputError

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NAME = re.compile(r"[\w.-]+")
"""An option that can be typed as quickly as its number; sentences can't."""

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
        meant = typed.lower()
        named = [place for place, option in enumerate(options) if option.lower().partition(":")[0] == meant]
        begun = [place for place, option in enumerate(options) if option.lower().startswith(meant)]
        if typed and len(named or begun) == 1:
            return (named or begun)[0]
        name = re.split("  |:", options[0], maxsplit=1)[0]
        by_name = f", or a name such as {name}" if NAME.fullmatch(name) else ""
        tell(f"Type a number from 1 to {len(options)}{by_name}.", "  ")


class Interview:
    """Asks for the settings of one integration or sink; every answer is checked at once."""

    def __init__(self, draft: Draft, schemas: Schemas, given: Sequence[Path], asked: Sequence[str]) -> None:
        """`given`: what needn't be asked; `asked`: settings that are asked for although they have a default."""
        self._draft = draft
        self._schemas = schemas
        self._given = set(given)
        self._asked = asked

    def run(self) -> None:
        """Ask everything that was not given, with what is there as the default."""
        form = self._schemas.form(self._draft.subject)
        way = self._choose_way(form) if form.ways else None
        for question in self._in_order(form.required):
            self._ask_needed(question if way is None else way.narrowed(question))
        optional = {each.key: each for each in form.optional if way is None or each.key not in way.excluded}
        for key in self._asked:
            if key in optional:
                self._ask(optional[key], needed=False)
        self._ask_optional([each for key, each in optional.items() if key not in self._asked], form)
        self._ask_beside()
        # The next time everything may be mended.
        self._given = set()

    def _in_order(self, questions: Sequence[Question]) -> Sequence[Question]:
        """What must be answered, in the order that it is asked for."""
        return questions

    def _ask_needed(self, question: Question) -> None:
        self._ask(question, needed=True)

    def _ask_beside(self) -> None:
        """Ask for what goes with it, elsewhere in the configuration."""

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
            try:
                draft.put(question.path, question.read(typed))
                faults = ["This one is needed."] if not typed else draft.faults_at(question.path)
            except InputError as error:
                faults = [str(error)]
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
        if question.choices and question.kind == "array":
            tell(f"Any of {', '.join(question.choices)}, with commas between them.", "  ")
        elif question.choices:
            tell(f"One of {', '.join(question.choices)}.", "  ")
        elif question.kind == "object":
            tell("Written as NAME=VALUE, with commas between several.", "  ")
        elif question.example is not None:
            tell(f"Such as {question.example}.", "  ")

    def _label(self, question: Question, before: Any, needed: bool) -> str:
        if before is not None:
            shown = "unchanged" if question.hidden else _shown(before)
            return f"{question.title} [{shown}]" + ("" if needed else f" ({TAKE_AWAY} takes it away)")
        if question.default is not None:
            return f"{question.title} [{_shown(question.default)}]"
        return question.title if needed else f"{question.title} [{NONE}]"

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
        suggested = suggested_variable(self._draft.subject.name, question.key)
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
        reference = f"keyring:{self._draft.subject.in_keyring(question.key)}"
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
        own = draft.subject.path
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


def _shown(value: Any) -> str:
    """A value as a person would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else f"{value}".removesuffix(".0")
