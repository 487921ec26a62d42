"""What `setup` and `check` share: a server for the time of a proof, a test message, and findings for people."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import rich_click as click

from connector.checking.callback_path import NAME as CALLBACK_PATH
from connector.checking.finding import Finding, Result
from connector.checking.trial import Trial
from connector.cli.interview import tell
from connector.cli.output import table, waiting
from connector.connector import Connector
from connector.model.errors import InputError, LedgerError
from connector.server.serve import listen, serving

PROVED_BY_TRIAL = {"test message": "sending", "callbacks from outside": "callbacks"}
"""What a provider can't prove of itself, and a test message does."""
NEEDED_TO_SEND = ("secrets", "credentials", "ledger", "integrations")
WORDS = {Result.ok: "ok", Result.wrong: "WRONG", Result.not_proved: "not proved"}

test_number_option = click.option(
    "--test-number",
    metavar="NUMBER",
    help="Also send a real message to this number, and wait for its report; it is billed like any other.",
)


@dataclass(frozen=True, slots=True)
class Taking:
    """Who takes callbacks while something is proved."""

    receiving: bool
    """Whether a server did before."""
    started: str | None = None
    """The address of the one that was started for the proof."""
    trouble: str | None = None
    """Why none could be started."""

    def explained(self, findings: Iterable[Finding]) -> list[Finding]:
        """Findings on the callback path, with what is known of the server behind it."""
        return [self._explained(each) if each.name == CALLBACK_PATH else each for each in findings]

    def _explained(self, finding: Finding) -> Finding:
        if finding.result is Result.wrong and self.trouble:
            return replace(finding, message=f"{finding.message} {self.trouble}")
        if finding.result is Result.ok and self.started:
            note = f"No `connector serve` runs, so one was started on {self.started} for this alone."
            return replace(finding, message=f"{finding.message} {note}")
        return finding


@contextmanager
def taking_callbacks(connector: Connector) -> Iterator[Taking]:
    """Take callbacks as `connector serve` does, where none does just now."""
    server = connector.settings.server
    try:
        receiving = connector.server_is_running()
    except LedgerError:
        # The check says so.
        yield Taking(receiving=False)
        return
    if receiving or server.public_url is None:
        yield Taking(receiving)
        return
    where = f"{server.host}:{server.port}"
    try:
        listening = listen(server.host, server.port)
    except InputError as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else None
        trouble = (
            f"On this machine nothing could be started at {where} to take it ({reason}): if that is another program, "
            "give this one another port as [server] port, and pass callbacks on to that."
        )
        yield Taking(receiving=False, trouble=trouble)
        return
    with serving(connector, with_worker=False, listening=listening):
        yield Taking(receiving=False, started=where)


def before_a_restart(findings: Iterable[Finding]) -> list[Finding]:
    """Findings where a server runs that can't know the new settings yet: what it answers proves nothing."""
    note = (
        "`connector serve` runs with the settings as they were, so it doesn't know these. Restart it once they are "
        "saved, and `connector check` proves the way of callbacks."
    )
    return [
        replace(each, result=Result.not_proved, message=note)
        if each.name == CALLBACK_PATH and each.result is Result.wrong
        else each
        for each in findings
    ]


def may_send_test_message(*, yes: bool) -> bool:
    """Ask whether a test message is sent; off a terminal `--yes` must have said so."""
    if yes:
        return True
    if not on_terminal():
        raise click.UsageError("--test-number sends a real message, so without a terminal to ask on it needs --yes.")
    return click.confirm("Send a real test message to that number now?", err=True)


def on_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def try_number(
    connector: Connector, number: str, integration: str, findings: Sequence[Finding]
) -> tuple[Trial, list[Finding]]:
    """Send a test message where the findings let it; what became of it, and the findings with what it proves."""
    hindered = [
        each
        for each in findings
        if each.result is Result.wrong and each.integration in (None, integration) and each.name in NEEDED_TO_SEND
    ]
    if hindered:
        trial = Trial(
            integration, cause=f"First mend what is wrong above ({', '.join(each.name for each in hindered)})."
        )
    else:
        with waiting("Sending the test message, and waiting for its report ..."):
            trial = connector.try_number(number, integration=integration)
    proved = trial.findings()
    if trial.dispatch is not None:
        proved += connector.try_account(integration)
    names = {each.name for each in proved}
    names |= {
        PROVED_BY_TRIAL[each.name] for each in proved if each.result is Result.ok and each.name in PROVED_BY_TRIAL
    }
    kept = [each for each in findings if each.integration != integration or each.name not in names]
    return trial, [*kept, *proved]


def show(findings: Sequence[Finding], titles: Mapping[str, str], *, err: bool = False) -> None:
    """Print what was found: each integration and sink by itself, what is about none, then what was not proved."""
    proved = [each for each in findings if each.result is not Result.not_proved]
    for about in dict.fromkeys(map(_about, proved)):
        heading = f"{about} ({titles.get(about, '')})" if about else "This connector"
        rows = [(WORDS[each.result], each.name, each.message) for each in proved if _about(each) == about]
        table(("", "", ""), rows, title=heading, err=err)
        click.echo(err=err)
    left = [each for each in findings if each.result is Result.not_proved]
    if left:
        rows = [(_about(each), each.name, each.message) for each in left]
        table(("", "", ""), rows, title="Not proved", err=err)
        click.echo(err=err)


def _about(finding: Finding) -> str:
    """What a finding is about; empty: the connector as a whole."""
    return f"sink {finding.sink}" if finding.sink is not None else finding.integration or ""


def show_reply_guidance(guidance: Mapping[str, str]) -> None:
    """Print how replies are brought here; an address in it stays in one piece."""
    for integration, sentence in guidance.items():
        click.echo(f"To have replies to {integration} brought here")
        tell(sentence, "  ", err=False)
        click.echo()


def wrong(findings: Iterable[Finding]) -> list[Finding]:
    """What has to be mended."""
    return [each for each in findings if each.result is Result.wrong]
