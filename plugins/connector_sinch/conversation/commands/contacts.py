"""`connector conversation contact`: the people of a project."""

import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TextIO

import rich_click as click

from connector.cli.output import say
from connector.model.errors import InputError
from connector_sinch.conversation.commands.desk import (
    Desk,
    app_option,
    confirmed,
    limit_option,
    on_project,
    yes_option,
)
from connector_sinch.conversation.resources import contacts_csv
from connector_sinch.conversation.resources.contacts import contact as new_contact

COLUMNS = {
    "contact": lambda each: each.id,
    "name": lambda each: each.display_name or "-",
    "external id": lambda each: each.external_id or "-",
    "identities": lambda each: ", ".join(f"{one.channel} {one.identity}" for one in each.channel_identities),
}


def fields(command: Callable[..., None]) -> Callable[..., None]:
    """What a contact has beside its identities."""
    for option, metavar, text in (
        ("--name", "TEXT", "What the person is called."),
        ("--email", "ADDRESS", "An address for mail; nothing is sent there."),
        ("--external-id", "ID", "What your own system calls this person."),
        ("--metadata", "TEXT", "Anything of yours, up to 1,024 characters."),
        ("--language", "CODE", "The person's language, as the API writes it: EN_US."),
        ("--priority", "CHANNELS", "Channels in the order that they are tried, with commas between them."),
    ):
        command = click.option(option, metavar=metavar, help=text)(command)
    return command


@click.group("contact", cls=click.RichGroup)
def contact() -> None:
    """Look after the people of a project; all of its apps share them.

    Use it for apps in CONVERSATION mode; in DISPATCH mode the API keeps nobody.
    """


@contact.command("list")
@click.option("--external-id", metavar="ID", help="Only who has this id in your own system.")
@click.option("--channel", metavar="CHANNEL", help="Only who has the identity that --identity gives on this channel.")
@click.option("--identity", metavar="ID", help="A phone number or an id of the channel; goes with --channel.")
@limit_option
@on_project
def list_contacts(desk: Desk, external_id: str | None, channel: str | None, identity: str | None, limit: int) -> None:
    """List people, or find one by an id of yours or by an identity on a channel.

    Use it to see whom the API knows, and under which id.
    """
    found = desk.project.contacts.list(external_id=external_id, channel=channel, identity=identity)
    desk.many("contacts", found, COLUMNS, limit=limit)


@contact.command("show")
@click.argument("contact_id", metavar="CONTACT")
@on_project
def show_contact(desk: Desk, contact_id: str) -> None:
    """Show everything that is kept of a person.

    Use it with an id that `connector conversation contact list` shows.
    """
    desk.one(desk.project.contacts.get(contact_id))


@contact.command("create")
@click.argument("channel", metavar="CHANNEL")
@click.argument("identity", metavar="IDENTITY")
@app_option
@fields
@on_project
def create_contact(
    desk: Desk,
    channel: str,
    identity: str,
    app: str | None,
    name: str | None,
    email: str | None,
    external_id: str | None,
    metadata: str | None,
    language: str | None,
    priority: str | None,
) -> None:
    """Make a contact with one identity on a channel; more are added by `add-identity`.

    Use it for one person; many are made by `connector conversation contact import`.
    """
    made = new_contact(
        channel_identities=[_identity(desk, channel, identity, app)],
        language=language or "UNSPECIFIED",
        channel_priority=_channels(priority),
        display_name=name,
        email=email,
        external_id=external_id,
        metadata=metadata,
    )
    desk.one(desk.project.contacts.create(made))


@contact.command("update")
@click.argument("contact_id", metavar="CONTACT")
@fields
@on_project
def update_contact(
    desk: Desk,
    contact_id: str,
    name: str | None,
    email: str | None,
    external_id: str | None,
    metadata: str | None,
    language: str | None,
    priority: str | None,
) -> None:
    """Change what is kept of a person; what isn't given stays, and an empty text takes it away.

    Use it to give people the ids of your own system, or to say which channel they prefer.
    """
    changed = desk.project.contacts.update(
        contact_id,
        channel_priority=_channels(priority),
        display_name=name,
        email=email,
        external_id=external_id,
        metadata=metadata,
        language=language,
    )
    desk.one(changed)


@contact.command("add-identity")
@click.argument("contact_id", metavar="CONTACT")
@click.argument("channel", metavar="CHANNEL")
@click.argument("identity", metavar="IDENTITY")
@app_option
@on_project
def add_identity(desk: Desk, contact_id: str, channel: str, identity: str, app: str | None) -> None:
    """Give a person an identity on a channel, in the place of the one that they have there.

    Use it when somebody can be reached over another channel, or has another number.
    """
    desk.one(desk.project.contacts.add_identity(contact_id, _identity(desk, channel, identity, app)))


@contact.command("remove-identity")
@click.argument("contact_id", metavar="CONTACT")
@click.argument("channel", metavar="CHANNEL")
@click.option("--app", metavar="ID", help="Only the identity that belongs to this app.")
@on_project
def remove_identity(desk: Desk, contact_id: str, channel: str, app: str | None) -> None:
    """Take a person's identity on a channel away.

    Use it when somebody is not to be reached there any more. The last identity stays: delete the contact instead.
    """
    desk.one(desk.project.contacts.remove_identity(contact_id, channel, app))


@contact.command("merge")
@click.argument("kept", metavar="KEPT")
@click.argument("gone", metavar="GONE")
@yes_option
@on_project
def merge_contacts(desk: Desk, kept: str, gone: str, yes: bool) -> None:
    """Merge two contacts that are one person: KEPT gets what GONE has, and GONE is deleted.

    Use it for what `connector conversation contact conflicts` lists. Conversations move; identities move for channels
    that KEPT lacks; other fields only fill what is empty. It can't be undone.
    """
    confirmed(f"Merge {gone} into {kept}, and delete {gone}?", yes=yes)
    desk.one(desk.project.contacts.merge(kept, gone))


@contact.command("conflicts")
@limit_option
@on_project
def conflicts(desk: Desk, limit: int) -> None:
    """List identities that several contacts have.

    Use it before the project is told to take one number on SMS, RCS and MMS for one person: these have to be merged.
    """
    desk.many(
        "conflicts",
        desk.project.contacts.conflicts(),
        {
            "identity": lambda each: each.identity,
            "channels": lambda each: ", ".join(map(str, each.channels)),
            "contacts": lambda each: ", ".join(each.contact_ids),
        },
        limit=limit,
    )


@contact.command("delete")
@click.argument("contact_ids", metavar="CONTACT...", nargs=-1, required=True)
@yes_option
@on_project
def delete_contacts(desk: Desk, contact_ids: tuple[str, ...], yes: bool) -> None:
    """Delete people from the project.

    Use it to forget somebody there; one `-` reads ids from standard input, one a line, and deletes them in bulk, which
    takes the API a while. It can't be undone.
    """
    if contact_ids == ("-",):
        ids = [line.strip() for line in sys.stdin if line.strip()]
        confirmed(f"Delete {len(ids):,} contacts?", yes=yes)
        taken = 0
        for taken in desk.project.contacts.delete_many(ids):
            say(f"{taken:,} of {len(ids):,} taken.")
        desk.done(f"The API has taken {taken:,}; it deletes them one by one.", taken=taken)
        return
    confirmed(f"Delete {', '.join(contact_ids)}?", yes=yes)
    for contact_id in contact_ids:
        desk.project.contacts.delete(contact_id)
    desk.done(f"{len(contact_ids):,} deleted.", deleted=list(contact_ids))


@contact.command("export")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--limit", default=0, type=click.IntRange(min=0), help="How many at most; 0, the default, is all.")
@on_project
def export_contacts(desk: Desk, file: Path, limit: int) -> None:
    """Write people into a CSV file; it goes in again by `import`.

    Use it to move people to another project, or to look at them in a spreadsheet. The file holds personal data.
    """
    found = desk.project.contacts.list()
    try:
        with file.open("w", encoding="utf-8", newline="") as written:
            count = contacts_csv.write(islice(found, limit) if limit else found, written)
    except OSError as error:
        raise InputError(f"{file} can't be written ({error.strerror}).") from error
    desk.done(f"{file} has {count:,} contacts.", file=str(file), contacts=count)


@contact.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@app_option
@click.option("--dry-run", is_flag=True, help="Only read the file, and say what is wrong in it.")
@on_project
def import_contacts(desk: Desk, file: Path, app: str | None, dry_run: bool) -> None:
    """Make a contact of every line of a CSV file, in bulk.

    Use it to bring people into the project. Its columns are those that `export` writes; instead of `identities` a
    column may be named like a channel, and hold each person's number or id there. Nothing is made before the whole
    file was read without a fault. The API makes them one by one after that, and says nothing of those that it can't.
    """
    # Read twice: a fault in the last line is told before the first person is made, whatever the length.
    with _opened(file) as rows:
        count = sum(1 for _ in contacts_csv.read(rows, app_id=app or desk.app_id, source=str(file)))
    if dry_run:
        desk.done(f"{file} has {count:,} contacts, and nothing is wrong.", file=str(file), contacts=count, taken=0)
        return
    taken = 0
    with _opened(file) as rows:
        people = contacts_csv.read(rows, app_id=app or desk.app_id, source=str(file))
        for taken in desk.project.contacts.create_many(people):
            say(f"{taken:,} of {count:,} taken.")
    desk.done(
        f"The API has taken {taken:,} contacts; it makes them one by one.", file=str(file), contacts=count, taken=taken
    )


def _opened(file: Path) -> TextIO:
    try:
        return file.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InputError(f"{file} can't be read ({error.strerror}).") from error


def _identity(desk: Desk, channel: str, value: str, app: str | None) -> dict[str, str]:
    return contacts_csv.identity_on(channel, value, app, app_id=desk.app_id)


def _channels(given: str | None) -> list[str] | None:
    return None if given is None else [word.strip() for word in given.split(",") if word.strip()]
