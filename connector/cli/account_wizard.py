"""Setting up an account at a provider: its settings, how its reports come back, and a test message."""

from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from connector.checking import offering
from connector.checking.finding import Finding
from connector.checking.trial import Trial
from connector.cli import proving
from connector.cli.account_interview import PACE, AccountInterview
from connector.cli.draft import Draft
from connector.cli.output import waiting
from connector.cli.proving import taking_callbacks
from connector.cli.questions import Path as Place
from connector.cli.questions import Schemas
from connector.cli.wizard import Done, Wizard, to_export
from connector.connector import Connector
from connector.extension.offer import Offer
from connector.extension.provider import Provider
from connector.extension.secret import Secret
from connector.model.errors import ConnectorError


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
        subject = self._draft.subject
        table = self._draft.get(subject.path) or {}
        return {key: self._read(key, value) for key, value in table.items() if key != subject.key}

    def _read(self, key: str, value: Any) -> Any:
        subject = self._draft.subject
        question = self._schemas.at((*subject.path, key), subject)
        if not question.secret:
            return value
        if isinstance(value, list):
            return [Secret(each, self._draft.reader()) for each in value]
        return Secret(value, self._draft.reader())


class AccountWizard(Wizard):
    """Sets up an integration."""

    table = "integrations"
    key = "provider"
    what = "integration"
    naming = "What you call this account yourself, as campaigns and reports name it."
    _given: Sequence[Place] = ()

    @property
    def _offered(self) -> type[Provider]:
        return self._plugins.providers[self._kind]

    def _interview(self, draft: Draft, given: Sequence[Place]) -> AccountInterview:
        self._given = given
        service = _Service(draft, self._offered, self._schemas)
        return AccountInterview(
            draft,
            self._schemas,
            given,
            lambda sender: self._screen_sender(draft, sender),
            service,
            lambda: self._pace(draft),
        )

    def _try(self, draft: Draft) -> list[Finding]:
        """What the real service says, and whether callbacks arrive, in a ledger that is thrown away."""
        pace = (*draft.subject.path, PACE)
        if not self._asks and pace not in self._given and draft.get(pace) is None:
            draft.put(pace, self._pace(draft))
        with self._on_trial(draft) as connector, taking_callbacks(connector) as taking:
            click.echo(err=self._err)
            with waiting("Trying it ..."):
                found = taking.explained(connector.try_integration(draft.subject.name))
        return proving.before_a_restart(found) if self._server_runs(draft) else found

    def _screen_sender(self, draft: Draft, sender: str) -> str | None:
        """What is wrong with a sender for the provider, as a sentence."""
        try:
            with self._on_trial(draft) as connector:
                return connector.lines[draft.subject.name].provider.screen_sender(sender)
        except ConnectorError:
            # Other answers don't fit yet: that is said, and the sender tried, once everything is answered.
            return None

    def _pace(self, draft: Draft) -> float | None:
        """How many messages a second the service lets through; None: it doesn't say, or a pace is set elsewhere."""
        try:
            with self._on_trial(draft) as connector:
                line = connector.lines[draft.subject.name]
                return line.provider.pace() if line.messages_per_second is None else None
        except ConnectorError:
            # What is wrong shows when everything is tried.
            return None

    def _server_runs(self, draft: Draft) -> bool:
        """Whether a server works with the settings as they were before."""
        with Connector(draft.settings(), plugins=self._plugins) as connector:
            # A ledger that isn't there is not made: nothing is saved yet.
            return connector.ledger.path.exists() and connector.server_is_running()

    def afterwards(self, done: Done) -> None:
        """Have the service call back, and say what is left to do, with the address that the integration has now."""
        self._set_callbacks(done)
        name = done.subject.name
        settings = done.draft.settings()
        done.to_do += to_export(settings.integrations[name].settings)
        with Connector(settings, plugins=self._plugins) as connector:
            if settings.server.public_url is not None:
                done.address = connector.callback_addresses()[name]
            guidance = connector.reply_guidance().get(name)
            done.to_do += [guidance] if guidance else []
            restart = connector.server_is_running() or connector.worker_is_running()
        done.to_do += [
            "Restart `connector serve` or `connector worker`: what runs still has the old settings."
            if restart
            else "Run `connector serve` all the time: it takes or asks for reports and replies.",
            "Try everything once more, whenever you like:\nconnector check",
            "See who would get what, then send:\nconnector send CAMPAIGN.toml --recipients PEOPLE.csv --dry-run",
        ]
        if self._plugins.sinks and not settings.sinks:
            kinds = ", ".join(sorted(self._plugins.sinks))
            done.to_do.append(
                f"Have what becomes of every message brought to your own platform ({kinds}):\nconnector setup SINK"
            )

    def _set_callbacks(self, done: Done) -> None:
        """Have the service call back here, where it has to be told so once."""
        name = done.subject.name
        with Connector(done.draft.settings(), plugins=self._plugins) as connector:
            found = connector.try_call_back(name, mend=False)
            if proving.wrong(found) and self._may_set(done, found):
                found = connector.try_call_back(name, mend=True)
                self.show(found, done.subject)
        done.findings += found
        done.called_back = not proving.wrong(found)

    def _may_set(self, done: Done, found: list[Finding]) -> bool:
        if not self._asks:
            return True
        self.show(found, done.subject)
        return click.confirm("Set it right at the service now?", default=True, err=True)

    def try_number(self, done: Done, number: str) -> None:
        """Send a test message through what was saved."""
        name = done.subject.name
        with Connector(done.draft.settings(), plugins=self._plugins) as connector:
            if connector.server_is_running() or connector.worker_is_running():
                cause = "Restart what runs with the new settings first, then: connector check --test-number NUMBER"
                done.trial = Trial(name, cause=cause)
                found = [*done.findings, *done.trial.findings()]
            else:
                with taking_callbacks(connector):
                    done.trial, found = proving.try_number(connector, number, name, done.findings)
        proved = [each for each in found if each not in done.findings]
        done.findings = found
        self.show(proved, done.subject)
