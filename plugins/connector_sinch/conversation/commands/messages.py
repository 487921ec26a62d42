"""`connector conversation message`: messages as the API keeps them."""

from datetime import UTC, datetime

import rich_click as click

from connector.cli.output import moment
from connector_sinch.conversation.commands.desk import (
    Desk,
    app_option,
    confirmed,
    limit_option,
    on_project,
    source_of,
    source_option,
    yes_option,
)
from connector_sinch.conversation.resources.messages import Message

TEXT_CELLS = 40


@click.group("message", cls=click.RichGroup)
def message() -> None:
    """Look at the messages that the API keeps, from people and to them.

    Use it to see what was said. It doesn't tell what became of a message: `connector message NUMBER` does.
    """


@message.command("list")
@app_option
@click.option("--conversation", metavar="ID", help="Only those of this conversation.")
@click.option("--contact", metavar="ID", help="Only those of this person.")
@click.option("--identity", metavar="ID", help="Only those of this number or id on a channel.")
@click.option("--channel", metavar="CHANNEL", help="Only those of this channel.")
@click.option("--direction", type=click.Choice(["TO_APP", "TO_CONTACT"]), help="Only those from people, or to them.")
@click.option("--since", type=click.DateTime(), help="Only those from then on; UTC.")
@click.option("--until", type=click.DateTime(), help="Only those before then; UTC.")
@source_option
@limit_option
@on_project
def list_messages(
    desk: Desk,
    app: str | None,
    conversation: str | None,
    contact: str | None,
    identity: str | None,
    channel: str | None,
    direction: str | None,
    since: datetime | None,
    until: datetime | None,
    dispatched: bool,
    limit: int,
) -> None:
    """List messages, newest first.

    Use it to see what people wrote, or what went to them. In DISPATCH mode nothing is kept, unless the app's retention
    for it is above 0 days: then it is found by --dispatched.
    """
    found = desk.project.messages.list(
        app_id=app or desk.app_id,
        conversation_id=conversation,
        contact_id=contact,
        channel_identity=identity,
        channel=channel,
        direction=direction,
        start=_utc(since),
        end=_utc(until),
        source=source_of(dispatched),
        page_size=min(limit, 1000) if limit else None,
    )
    desk.many("messages", found, COLUMNS, limit=limit)


@message.command("last")
@click.argument("people", metavar="PERSON...", nargs=-1, required=True)
@app_option
@click.option("--contacts", is_flag=True, help="The words are ids of contacts, not numbers or ids on a channel.")
@click.option("--channel", metavar="CHANNEL", help="Only of this channel.")
@click.option("--direction", type=click.Choice(["TO_APP", "TO_CONTACT"]), help="Only from people, or to them.")
@source_option
@on_project
def last_messages(
    desk: Desk,
    people: tuple[str, ...],
    app: str | None,
    contacts: bool,
    channel: str | None,
    direction: str | None,
    dispatched: bool,
) -> None:
    """List the last message of each of some people.

    Use it to see where each of them stands, without reading all that was said.
    """
    found = desk.project.messages.last(
        app or desk.app_id,
        channel_identities=() if contacts else [each.removeprefix("+") for each in people],
        contact_ids=people if contacts else (),
        channel=channel,
        direction=direction,
        source=source_of(dispatched),
    )
    desk.many("messages", found, COLUMNS, limit=0)


@message.command("show")
@click.argument("message_id", metavar="MESSAGE")
@source_option
@on_project
def show_message(desk: Desk, message_id: str, dispatched: bool) -> None:
    """Show a message with everything that the API keeps of it.

    Use it with an id that `connector conversation message list` shows.
    """
    desk.one(desk.project.messages.get(message_id, source=source_of(dispatched)))


@message.command("delete")
@click.argument("message_id", metavar="MESSAGE")
@source_option
@yes_option
@on_project
def delete_message(desk: Desk, message_id: str, dispatched: bool, yes: bool) -> None:
    """Delete what the API keeps of a message.

    Use it to forget what was said. A message that was sent is not called back by it. It can't be undone.
    """
    confirmed(f"Delete what is kept of {message_id}?", yes=yes)
    desk.project.messages.delete(message_id, source=source_of(dispatched))
    desk.done(f"What was kept of {message_id} is deleted.", deleted=message_id)


@message.command("set-metadata")
@click.argument("message_id", metavar="MESSAGE")
@click.argument("metadata", metavar="TEXT")
@source_option
@yes_option
@on_project
def set_metadata(desk: Desk, message_id: str, metadata: str, dispatched: bool, yes: bool) -> None:
    """Change the metadata that is kept with a message.

    Use it for messages of yours. Of a message of a campaign it holds what reports are matched by, which is lost then.
    """
    confirmed(f"Replace the metadata of {message_id}?", yes=yes)
    desk.one(desk.project.messages.set_metadata(message_id, metadata, source=source_of(dispatched)))


def _what(each: Message) -> str:
    """The text of a message, or what kind it is of."""
    body = each.app_message or each.contact_message
    text = body.get("text_message", {}).get("text") if isinstance(body.get("text_message"), dict) else None
    if isinstance(text, str):
        return text if len(text) <= TEXT_CELLS else text[: TEXT_CELLS - 1] + "…"
    return next((name for name in body if name.endswith("_message")), "-")


COLUMNS = {
    "message": lambda each: each.id,
    "at": lambda each: moment(each.accept_time),
    "from": lambda each: "the person" if each.direction == "TO_APP" else "the app",
    "channel": lambda each: str(each.channel_identity.channel) or "-",
    "identity": lambda each: each.channel_identity.identity or "-",
    "what": _what,
}


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)
