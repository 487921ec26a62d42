"""`connector report`: what became of everybody."""

from dataclasses import replace
from pathlib import Path

import rich_click as click

from connector.cli import funnel
from connector.cli.output import document, json_option
from connector.connector import Connector
from connector.ledger.tables import DispatchState
from connector.model.errors import NotFound
from connector.report import ErrorCount, Report, Skips

WORST_FIRST = (DispatchState.stopped, DispatchState.paused, DispatchState.running, DispatchState.finished)
SUMMED = (
    "recipients",
    "waiting",
    "sending",
    "in_doubt",
    "enqueue_failed",
    "unknown",
    "enqueued",
    "open",
    "unconfirmed",
    "rejected",
    "failed",
    "delivered",
    "read",
    "report_not_expected",
    "double_send",
    "late",
    "number_of_message_parts",
)


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
    together = total(reports)
    if as_json:
        document({**together.as_dict(), "dispatch": None, "dispatches": [each.as_dict() for each in reports]})
    else:
        ids = ", ".join(each.dispatch for each in reports)
        funnel.show(together, f"Campaign {name}, dispatches {ids}: {together.state}")


def heading_of(one: Report) -> str:
    """A report's first line."""
    cause = f" ({one.cause})" if one.cause else ""
    return f"Campaign {one.campaign}, dispatch {one.dispatch}: {one.state}{cause}"


def total(reports: list[Report]) -> Report:
    """The sum of several reports; its state is the one that needs attention most."""
    reasons: dict[str, int] = {}
    errors: dict[tuple[object, ...], ErrorCount] = {}
    for each in reports:
        for reason, times in each.skipped.by_reason.items():
            reasons[reason] = reasons.get(reason, 0) + times
        for error in each.errors:
            kind = (error.status, error.status_code, error.status_code_source, error.error)
            known = errors.get(kind)
            errors[kind] = error if known is None else replace(known, count=known.count + error.count)
    return replace(
        reports[0],
        state=next(state for state in WORST_FIRST if any(each.state == state for each in reports)),
        cause=None,
        skipped=Skips(sum(reasons.values()), dict(sorted(reasons.items()))),
        errors=sorted(errors.values(), key=lambda error: -error.count),
        **{name: sum(getattr(each, name) for each in reports) for name in SUMMED},
    )
