"""`connector report`: what became of everybody."""

import os
import sys
from pathlib import Path

import rich_click as click

from connector.cli import funnel
from connector.cli.completion import campaign_names, dispatch_ids
from connector.cli.following import follow, remind
from connector.cli.output import document, json_option
from connector.connector import Connector
from connector.model.errors import InputError
from connector.report import together

STANDARD_OUTPUT = "-"


@click.command("report")
@click.argument("dispatch_id", metavar="[ID]", required=False, shell_complete=dispatch_ids)
@click.option(
    "--campaign",
    "name",
    metavar="NAME",
    shell_complete=campaign_names,
    help="All dispatches of the campaign of this name, added up.",
)
@click.option("--wait", is_flag=True, help="First wait until every message is delivered, failed or otherwise final.")
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write the report as a page for the browser, with pictures, to pass on or to print; `-` prints it.",
)
@json_option
@click.option_panel("Of what", options=["--campaign"])
@click.option_panel("How to go about it", options=["--wait"])
@click.option_panel("The result", options=["--html", "--json"])
@click.option_panel("Other options", options=["--help"])
@click.pass_obj
def report(
    config: Path, dispatch_id: str | None, name: str | None, wait: bool, page: str | None, as_json: bool
) -> None:
    """Show what became of everybody: skipped, taken by the provider, delivered, failed, with rates and error codes.

    Use it after `send`, as often as you like: delivery reports keep coming in for a while. ID is the id or the key
    of a dispatch; `dispatches` lists them.
    """
    if (dispatch_id is None) == (name is None):
        raise click.UsageError("Name either a dispatch, or a campaign with --campaign.")
    if as_json and page == STANDARD_OUTPUT:
        raise click.UsageError("--json and --html - would both go to standard output; give --html a file.")
    with Connector.from_config(config) as connector:
        chosen = [connector.dispatch(dispatch_id)] if dispatch_id is not None else connector.of_campaign(str(name))
        interrupted = False
        for dispatch in chosen if wait else ():
            interrupted = interrupted or follow(dispatch, final=True)
        if page is not None:
            _write(page, connector.page(chosen))
        reports = [dispatch.report() for dispatch in chosen]
        whole = together(reports)
        if as_json and name is not None:
            document({**whole.as_dict(), "dispatch": None, "dispatches": [each.as_dict() for each in reports]})
        elif as_json:
            document(whole.as_dict())
        elif page is None:
            funnel.show(whole)
        elif page != STANDARD_OUTPUT:
            click.echo(f"The report is in {page}.")
        if wait:
            remind(connector, chosen, final=True, interrupted=interrupted)


def _write(page: str, text: str) -> None:
    """Write a page whole, or not at all."""
    if page == STANDARD_OUTPUT:
        sys.stdout.write(text)
        return
    file = Path(page)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{page}: The report can't be written there ({error.strerror}).") from error
