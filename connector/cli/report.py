"""`connector report`: what became of everybody."""

from pathlib import Path

import rich_click as click

from connector.cli import funnel
from connector.cli.output import document, json_option
from connector.connector import Connector
from connector.ledger.tables import DispatchState
from connector.model.errors import NotFound
from connector.report import Report, together


@click.command("report")
@click.argument("dispatch_id", metavar="ID", required=False)
@click.option("--campaign", "name", metavar="NAME", help="Every dispatch of this campaign together.")
@json_option
@click.pass_obj
def report(config: Path, dispatch_id: str | None, name: str | None, as_json: bool) -> None:
    """Show what became of everybody: skipped, accepted, delivered, failed, with rates and error codes.

    Use it after `send`, as often as you like: delivery reports keep coming in for a while. ID is a dispatch's id,
    which `send` prints and `dispatches` lists.
    """
    if (dispatch_id is None) == (name is None):
        raise click.UsageError("Name either a dispatch, or a campaign with --campaign.")
    with Connector.from_config(config) as connector:
        if dispatch_id is not None:
            one = connector.dispatch(dispatch_id).report()
            if as_json:
                document(one.as_dict())
            else:
                funnel.show(one, heading_of(one))
            return
        reports = [
            connector.dispatch(line.id).report()
            for line in connector.dispatches()
            if line.campaign == name and line.state != DispatchState.planning
        ]
    if not reports:
        raise NotFound(f"There is no dispatch of a campaign {name!r}; `connector dispatches` lists them.")
    whole = together(reports)
    if as_json:
        document({**whole.as_dict(), "dispatch": None, "dispatches": [each.as_dict() for each in reports]})
    else:
        funnel.show(whole, heading_of(whole))


def heading_of(one: Report) -> str:
    """A report's first line."""
    cause = f" ({one.cause})" if one.cause else ""
    dispatches = "dispatches" if ", " in one.dispatch else "dispatch"
    return f"Campaign {one.campaign}, {dispatches} {one.dispatch}: {one.state}{cause}"
