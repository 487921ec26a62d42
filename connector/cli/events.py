"""`connector events`: the log."""

import csv
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import rich_click as click
from pydantic_core import to_json

from connector.cli.completion import dispatch_ids
from connector.cli.interrupts import stopping
from connector.cli.output import json_option
from connector.connector import Connector
from connector.model.batch import utc_now
from connector.model.event import Event

COLUMNS = [field.name for field in fields(Event)]
LOOK_AGAIN_SECONDS = 0.5
NOW = "now"


def time_of(ctx: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
    """The time that an option names, as the user's clock shows it unless it has an offset."""
    if text is None:
        return None
    if text == NOW:
        return utc_now()
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no time; write 2026-12-01, 2026-12-01T09:00, 2026-12-01T09:00:00+01:00, or now."
        ) from None


@click.command("events")
@click.option(
    "--dispatch",
    "dispatch_id",
    metavar="ID",
    shell_complete=dispatch_ids,
    help="Only of this dispatch, by its id or key.",
)
@click.option(
    "--since",
    metavar="TIME",
    callback=time_of,
    help="Only what was recorded at this time or later, as in 2026-12-01T09:00; `now`: nothing that is there already.",
)
@click.option("--after", type=int, default=-1, metavar="POSITION", help="Only what stands after this position.")
@click.option(
    "--follow",
    is_flag=True,
    help="Go on with new events as they come, until Ctrl-C; all from the first one on, unless --since now.",
)
@click.option(
    "--format",
    "written",
    type=click.Choice(["jsonl", "csv"]),
    help="jsonl: one JSON object a line, unless you say so; csv: a table.",
)
@json_option
@click.option_panel("Which events", options=["--dispatch", "--since", "--after", "--follow"])
@click.option_panel("The result", options=["--format", "--json"])
@click.option_panel("Other options", options=["--help"])
@click.pass_obj
def events(
    config: Path,
    dispatch_id: str | None,
    since: datetime | None,
    after: int,
    follow: bool,
    written: str | None,
    as_json: bool,
) -> None:
    """Print what happened, oldest first: one event for each thing that became of a message, or that a person did.

    Use it to bring events to another system, or to look one up. It is the data itself: phone numbers are in it.
    Each event has a `position`; the last one that you have taken is where --after goes on.
    """
    if as_json and (follow or written):
        raise click.UsageError("--json is one whole document; it goes neither with --follow nor with --format.")
    with Connector.from_config(config) as connector:
        if dispatch_id is not None:
            dispatch_id = connector.dispatch(dispatch_id).id
        # An exception that Ctrl-C raises can get lost in what the interpreter is at just then: an event can't.
        with stopping(quietly=True) if follow else nullcontext() as stop:
            found = _read(connector, dispatch_id, since, after, stop)
            if as_json:
                _document(found)
            elif written == "csv":
                _lines(found, _csv, head=_csv_line(COLUMNS))
            else:
                _lines(found, _jsonl)


def _read(
    connector: Connector, dispatch_id: str | None, since: datetime | None, after: int, stop: threading.Event | None
) -> Iterator[list[Event]]:
    """The events, page by page; with `stop`, also those that come until it is set."""
    if since is not None:
        after = max(after, connector.position_before(since))
    while stop is None or not stop.is_set():
        page = connector.events(after=after, dispatch=dispatch_id)
        if page:
            after = page[-1].position
            yield page
        elif stop is None:
            return
        else:
            stop.wait(LOOK_AGAIN_SECONDS)


def _lines(pages: Iterator[list[Event]], line: Callable[[Event], str], head: str = "") -> None:
    if head:
        click.echo(head, nl=False)
    for page in pages:
        click.echo("".join(map(line, page)), nl=False)


def _document(pages: Iterator[list[Event]]) -> None:
    between = "["
    for page in pages:
        for event in page:
            click.echo(between + to_json(event).decode(), nl=False)
            between = ",\n"
    click.echo("]" if between != "[" else "[]")


def _jsonl(event: Event) -> str:
    return to_json(event).decode() + "\n"


def _csv(event: Event) -> str:
    return _csv_line([_cell(getattr(event, name)) for name in COLUMNS])


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return to_json(value).decode() if value else ""
    return "" if value is None else value


def _csv_line(cells: list[object] | list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
