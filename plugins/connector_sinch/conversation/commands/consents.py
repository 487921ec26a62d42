"""`connector conversation consent`: Sinch's own lists of people who must not be messaged."""

import sys
from collections.abc import Iterator
from pathlib import Path

import rich_click as click

from connector.cli.output import moment, say, table
from connector.model.errors import Fault, InputError
from connector_sinch.conversation.commands.desk import Desk, app_option, limit_option, on_project
from connector_sinch.conversation.resources.consents import LISTS, record


@click.group("consent", cls=click.RichGroup)
def consent() -> None:
    """Look at Sinch's lists of people who must not be messaged, and add to them.

    Use it where Sinch has switched consent management on for the app. The connector's own list is another one.
    """


@consent.command("list")
@click.argument("list_type", metavar="LIST", type=click.Choice(LISTS))
@app_option
@limit_option
@on_project
def list_consents(desk: Desk, list_type: str, app: str | None, limit: int) -> None:
    """List everybody on one of the lists.

    Use it to compare with your own. OPT_OUT_ALL keeps every message from people, the others keep marketing or
    notifications from them.
    """
    found = desk.project.consents.list(app or desk.app_id, list_type)
    desk.many("identities", found, {"identity": lambda each: each.identity}, limit=limit)


@consent.command("audit")
@click.argument("identity", metavar="NUMBER")
@app_option
@on_project
def audit(desk: Desk, identity: str, app: str | None) -> None:
    """Show how somebody came onto the lists, and off them.

    Use it when a person asks, or says that they never opted out.
    """
    found = desk.project.consents.audit(app or desk.app_id, identity)
    if desk.as_json:
        desk.one(found)
        return
    if not found.audit_records:
        click.echo("Nothing is recorded of this person.")
        return
    table(
        ("at", "list", "what", "by"),
        [
            (
                moment(each.datetime),
                each.list_type,
                each.operation.removeprefix("OPERATION_").lower(),
                "the person" if each.origin == "ORIGIN_MO" else "a program",
            )
            for each in found.audit_records
        ],
    )


@consent.command("add")
@click.argument("identities", metavar="NUMBER...", nargs=-1)
@click.option("--list", "list_type", type=click.Choice(LISTS), required=True, help="Which list they go onto.")
@click.option("--file", type=click.Path(path_type=Path), help="One number or contact's id a line; - is standard input.")
@app_option
@on_project
def add(desk: Desk, identities: tuple[str, ...], list_type: str, file: Path | None, app: str | None) -> None:
    """Put people onto one of the lists, in bulk: phone numbers, or ids of contacts.

    Use it to bring opt-outs to Sinch that came to you in another way. Doing it twice does no harm. Nobody is taken off
    a list by this; the API has no way to.
    """
    if (file is None) is (not identities):
        raise InputError("Give either numbers, or --file.")
    records = [record(each, list_type) for each in identities or _lines(file)]
    taken = 0
    for taken in desk.project.consents.add_many(app or desk.app_id, records):
        if len(records) > 1:
            say(f"{taken:,} of {len(records):,} taken.")
    desk.done(f"The API has taken {taken:,} for {list_type}.", taken=taken, list=list_type)


def _lines(file: Path | None) -> Iterator[str]:
    try:
        text = sys.stdin.read() if str(file) == "-" else (file or Path()).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Fault("", "This can't be read as text in UTF-8.", str(file))]) from error
    return (line.strip() for line in text.splitlines() if line.strip())
