"""`connector demo`: all of it on a simulator."""

import sys
import time
from typing import Any

import rich_click as click

from connector.cli import funnel
from connector.cli.completion import provider_names
from connector.cli.following import follow
from connector.cli.output import count, document, json_option, say, waiting
from connector.cli.simulate import first_simulator
from connector.connector import Connector, Dispatch
from connector.report import Report
from connector.server.serve import listen, serving
from connector.simulator import Simulator, find
from connector.simulator.asking import settled_account
from connector.simulator.simulated import simulated


class _Steps:
    """Tells, unless a program listens, what happens and how long each step took."""

    def __init__(self, silent: bool) -> None:
        self._silent = silent
        self._begun = self._last = time.monotonic()
        self._number = 0

    def tell(self, sentence: str) -> None:
        self._number += 1
        now = time.monotonic()
        took, self._last = now - self._last, now
        if not self._silent:
            click.echo(f"{self._number}. {sentence} ({took:.1f} s)")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun


@click.command("demo")
@click.option(
    "--recipients",
    "people",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    help="How many people get a message; some rows that are skipped come on top.",
)
@click.option("--provider", shell_complete=provider_names, help="Whose simulator; else the first that is installed.")
@json_option
def demo(people: int, provider: str | None, as_json: bool) -> None:
    """Watch a whole campaign run on this machine; no account is needed, and no message goes anywhere.

    Use it for a first look. It starts a simulator of the provider and a server for callbacks, sends a campaign over
    real HTTP, takes the delivery reports back, and counts everybody again. Nothing is left of it.
    """
    simulator = find(provider or first_simulator())
    steps = _Steps(silent=as_json)
    with simulated(simulator.name) as local, listen("127.0.0.1", 0) as listening:
        steps.tell(f"A simulator of {simulator.title} answers on {local.base_url}, as the provider would.")
        public_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = {**local.settings, "server": {"public_url": public_url}}
        with (
            Connector(settings, secrets=local.secret) as connector,
            serving(connector, listening=listening),
        ):
            steps.tell(f"The connector takes callbacks on {public_url}, and sends what is due.")
            dispatch = _run(connector, simulator, people, steps)
            with waiting("Taking the last callbacks ..."):
                account = settled_account(local.base_url)
            steps.tell(f"Their delivery reports came back: {count(account['callbacks']['answered'])} callbacks stored.")
            report, result = _recount(connector, dispatch, account, steps)
    if as_json:
        document(result)
    else:
        click.echo("")
        funnel.show(report)
        _tell(result)
        _suggest(simulator.name)
    if not result["ok"]:
        sys.exit(1)


def _run(connector: Connector, simulator: Simulator, people: int, steps: _Steps) -> Dispatch:
    with waiting("Reading the recipients ..."):
        dispatch = connector.plan(simulator.campaign(), simulator.recipients(people))
    report = dispatch.report()
    steps.tell(
        f"{count(report.recipients)} rows are read, screened and stored; {count(report.skipped.total)} of them are "
        f"skipped, each with its reason."
    )
    interrupted = follow(connector, dispatch, final=False)
    report = dispatch.report()
    if not interrupted:
        steps.tell(f"The provider has accepted {count(report.enqueued)} messages.")
        interrupted = follow(connector, dispatch, final=True)
    if interrupted:
        say("Stopped.")
        sys.exit(1)
    return dispatch


def _recount(
    connector: Connector, dispatch: Dispatch, account: dict[str, Any], steps: _Steps
) -> tuple[Report, dict[str, Any]]:
    """The report, and what the connector's own recount and the simulator's account say of it."""
    differences = connector.verify()[dispatch.id]
    report = dispatch.report()
    agrees = account["accepted_more"] == 0 and account["numbers"] == report.enqueued
    steps.tell("Everybody is counted again.")
    return report, {
        "ok": agrees and not differences and report.is_settled,
        "report": report.as_dict(),
        "verify": differences,
        "account": account,
        "seconds": round(steps.seconds, 1),
    }


def _tell(result: dict[str, Any]) -> None:
    account, differences = result["account"], result["verify"]
    click.echo("")
    for each in differences:
        click.echo(f"verify: {each}")
    if not differences:
        click.echo("verify: messages, events and totals agree, and the sums close.")
    click.echo(
        f"The simulator's own account: {count(account['numbers'])} numbers, {count(account['accepted_once'])} accepted "
        f"once, {count(account['accepted_more'])} more than once; {count(account['callbacks']['answered'])} callbacks "
        f"answered."
    )
    if result["report"]["open"]:
        click.echo(
            f"{count(result['report']['open'])} messages are open: their network gave no clear end. They count as "
            f"unconfirmed when the waiting period is over."
        )
    click.echo(f"All of it took {result['seconds']} s.")


def _suggest(provider: str) -> None:
    click.echo("\nNext:")
    for command, what in (
        ("connector demo --recipients 100000", "the same with more people"),
        (f"connector simulate {provider} --port 9000", "a simulator to configure against, with faults if you like"),
        ("connector send --help", "how a campaign of your own goes out"),
        ("connector --help", "everything else"),
    ):
        click.echo(f"  {command:<46} {what}")
