"""`connector unmatched`: reports that belong to nothing that is known."""

from pathlib import Path

import rich_click as click

from connector.cli.output import count, document, json_option, moment, table
from connector.connector import Connector
from connector.ledger.tables import WhyKept


@click.command("unmatched")
@json_option
@click.pass_obj
def unmatched(config: Path, as_json: bool) -> None:
    """List the delivery reports that belong to no message that is known, and those that could not be read.

    Use it when reports seem to be missing. A report that comes before its message is known waits here, and finds it
    by itself later; others belong to messages that something else sent through the same account.
    """
    with Connector.from_config(config) as connector:
        kept = [*connector.kept_reports(WhyKept.unmatched), *connector.kept_reports(WhyKept.unreadable)]
    if as_json:
        document({"reports": kept})
        return
    if not kept:
        click.echo("Every report that came has found its message.")
        return
    table(
        ("received", "integration", "why", "problem", "batch", "recipient"),
        [
            (
                moment(each.received_at),
                each.integration,
                each.why,
                each.problem or "-",
                each.batch or "-",
                each.recipient or "-",
            )
            for each in kept
        ],
    )
    click.echo(f"\n{count(len(kept))} reports; phone numbers are masked.")
