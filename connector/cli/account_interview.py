"""The questions for an account at a provider, and what goes with it: what the service lists, sender, address."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import rich_click as click

from connector.cli.draft import Draft
from connector.cli.interview import NONE, Interview, choose, prompt, tell
from connector.cli.output import waiting
from connector.cli.questions import Path, Question, Schemas
from connector.extension.offer import Offer, Wanted
from connector.model.errors import ConnectorError

PACE = "messages_per_second"


class Service(Protocol):
    """What can be asked of the service itself, in the draft's settings as they are."""

    @property
    def offers(self) -> Sequence[str]:
        """Settings that it lists."""

    def offer(self, key: str) -> Offer:
        """What a setting may be. Raises `ConnectorError`."""

    def make(self, key: str, answers: Mapping[str, str]) -> str:
        """A new one. Raises `ConnectorError`."""


class AccountInterview(Interview):
    """Asks for one integration and what goes with it."""

    def __init__(
        self,
        draft: Draft,
        schemas: Schemas,
        given: Sequence[Path],
        screen_sender: Callable[[str], str | None],
        service: Service,
        pace: Callable[[], float | None],
    ) -> None:
        """`screen_sender`: what is wrong with a sender for the provider, as a sentence; `pace`: how much it takes."""
        super().__init__(draft, schemas, given, [PACE])
        self._screen_sender = screen_sender
        self._service = service
        self._pace = pace
        self._told_pace: float | None = None

    def _ask(self, question: Question, *, needed: bool) -> None:
        asked = question.path not in self._given
        if question.key == PACE and asked and self._draft.get(question.path) is None:
            with waiting("Asking the service ..."):
                self._told_pace = self._pace()
            self._draft.put(question.path, self._told_pace)
        super()._ask(question, needed=needed)

    def _head(self, question: Question) -> None:
        super()._head(question)
        if question.key == PACE and self._told_pace is not None:
            tell(f"The service says that it lets {self._told_pace:g} a second through.", "  ")

    def _in_order(self, questions: Sequence[Question]) -> Sequence[Question]:
        # What the service itself lists can be asked for only once it is known how it is reached.
        return sorted(questions, key=lambda each: each.key in self._service.offers)

    def _ask_needed(self, question: Question) -> None:
        if question.key in self._service.offers:
            self._ask_offered(question)
        else:
            super()._ask_needed(question)

    def _ask_beside(self) -> None:
        self._ask_sender()
        self._ask_address()
        self._ask_default()

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
        if offer.new is not None:
            options.append("a new one, made now")
        options.append("another one, which I type")
        while True:
            chosen = choose("Number", options, default=values.index(before) if before in values else 0)
            if chosen < len(values):
                self._draft.put(question.path, values[chosen])
                return
            if offer.new is None or chosen > len(values):
                self._ask(question, needed=True)
                return
            try:
                made = self._service.make(question.key, _answers(offer.new))
            except ConnectorError as error:
                tell(str(error), "  ")
                continue
            self._draft.put(question.path, made)
            return

    def _ask_sender(self) -> None:
        draft = self._draft
        question = self._schemas.at(("senders", "NAME", "value"), draft.subject)
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
        subject = self._draft.subject
        self._ask(self._schemas.at(("server", "public_url"), subject), needed=False)
        if self._draft.get(("server", "public_url")) is not None:
            click.echo(err=True)
            tell(
                "What answers at that address must pass requests on to `connector serve`, which listens on a port here."
            )
            self._ask(self._schemas.at(("server", "port"), subject), needed=False)

    def _ask_default(self) -> None:
        draft, path = self._draft, ("defaults", "integration")
        others = set(draft.document["integrations"]) - {draft.subject.name}
        if not others or draft.get(path) is not None or path in self._given:
            return
        click.echo(err=True)
        if click.confirm(
            f"Do campaigns that name no integration go through {draft.subject.name}?", default=True, err=True
        ):
            draft.put(path, draft.subject.name)


def _answers(asked: Callable[[Mapping[str, str]], Wanted | None]) -> dict[str, str]:
    answers: dict[str, str] = {}
    while (wanted := asked(answers)) is not None:
        answers[wanted.key] = _answer(wanted)
    return answers


def _answer(wanted: Wanted) -> str:
    click.echo(err=True)
    if wanted.description:
        tell(wanted.description, "  ")
    if wanted.choices:
        chosen = choose(wanted.title, [each.label for each in wanted.choices], default=0)
        return wanted.choices[chosen].value
    while True:
        typed = prompt(wanted.title, hidden=wanted.secret)
        if typed:
            return typed
        tell("This one is needed.", "  ")


def _name_of(value: str, taken: dict[str, Any]) -> str:
    """A name for a sender, from what people see: `shop` for "Shop"."""
    plain = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-") or "sender"
    name, number = plain, 1
    while name in taken and taken[name].get("value") != value:
        number += 1
        name = f"{plain}-{number}"
    return name
