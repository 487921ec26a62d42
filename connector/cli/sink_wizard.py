"""Setting up a sink: a platform that gets the events."""

import re
from collections.abc import Sequence

import rich_click as click

from connector.checking.finding import Finding
from connector.cli.draft import Draft
from connector.cli.interview import Interview
from connector.cli.output import counted, waiting
from connector.cli.questions import Path as Place
from connector.cli.wizard import Done, Wizard, to_export
from connector.connector import Connector
from connector.extension.sink import NAME, Sink


class SinkWizard(Wizard):
    """Sets up a sink."""

    table = "sinks"
    key = "sink"
    what = "sink"
    naming = "What you call this platform yourself, such as crm; `connector sinks` shows it by this name."
    name_form = re.compile(NAME)
    name_rule = "The name of a sink is made of letters, digits, - and _, at most 100 of them; give another name."

    @property
    def _offered(self) -> type[Sink]:
        return self._plugins.sinks[self._kind]

    def _interview(self, draft: Draft, given: Sequence[Place]) -> Interview:
        return Interview(draft, self._schemas, given, self._offered.asked)

    def _try(self, draft: Draft) -> list[Finding]:
        """What the platform says, without anything being written to it."""
        with self._on_trial(draft) as connector:
            click.echo(err=self._err)
            with waiting("Trying it, without writing anything there ..."):
                return connector.try_sink(draft.subject.name)

    def afterwards(self, done: Done) -> None:
        """Say what is left to do, and where the sink begins."""
        name = done.subject.name
        settings = done.draft.settings()
        sink = settings.sinks[name].settings
        done.to_do += to_export(sink)
        if not settings.integrations:
            done.to_do.append("Connect the account that sends, whose events are to come here:\nconnector setup")
            return
        with Connector(settings, plugins=self._plugins) as connector:
            # From here on the ledger knows it: it misses nothing of what happens until something runs.
            (state,) = (each for each in connector.sinks() if each.name == name)
            runs = connector.server_is_running() or connector.worker_is_running()
        is_moved = sink.start == "beginning" != self._old.get(self.table, {}).get(name, {}).get("start")
        if is_moved and state.position >= 0:
            done.to_do.append(
                f"{name} is known from before, and goes on where it was, not at the beginning. Where it is to get "
                f"earlier events, too:\nconnector replay {name} --since 2026-01-01"
            )
        elif state.lag:
            one = "event that is there already waits for it; it comes first."
            more = "events that are there already wait for it; they come first."
            done.to_do.append(counted(state.lag, one, more))
        done.to_do += [
            "Restart `connector serve` or `connector worker`: what runs still has the old settings."
            if runs
            else "Run `connector serve` all the time: it hands the events over as they happen.",
            f"See how far it has come, and what it refused:\nconnector sinks {name}",
            "Try everything once more, whenever you like:\nconnector check",
        ]
