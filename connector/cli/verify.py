"""`connector verify`: whether the sums close."""

import sys
from pathlib import Path

import rich_click as click

from connector.cli.output import count, counted, document, json_option
from connector.connector import Connector


@click.command("verify")
@click.option(
    "--provider", "with_provider", is_flag=True, help="Compare with the provider's own list of what it accepted, too."
)
@json_option
@click.pass_obj
def verify(config: Path, with_provider: bool, as_json: bool) -> None:
    """Count everybody in every dispatch anew, in two ways, and compare with what the reports say.

    Use it when you want proof: nobody is missing, nobody was messaged twice. It counts from the messages and from
    the events. The exit status is 1 if anything disagrees.
    """
    with Connector.from_config(config) as connector:
        found = connector.verify(with_provider=with_provider)
    closes = not any(found.values())
    if as_json:
        document(
            {
                "ok": closes,
                "dispatches": [{"dispatch": name, "differences": wrong} for name, wrong in found.items()],
            }
        )
    else:
        for name, wrong in found.items():
            if wrong:
                click.echo(f"{name}: does not close")
            for each in wrong:
                click.echo(f"  {each}")
        closed = sum(not wrong for wrong in found.values())
        of_all = f"{count(closed)} of {counted(len(found), 'dispatch', 'dispatches')}"
        click.echo(f"{of_all}: messages, events and totals agree, and the sums close.")
        if with_provider and closes:
            click.echo("The provider accepted the same batches, each once.")
    if not closes:
        sys.exit(1)
