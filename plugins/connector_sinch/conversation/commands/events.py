"""`connector conversation event`: what is told beside messages, such as that somebody types."""

from typing import Any

import rich_click as click

from connector.cli.output import moment
from connector_sinch.conversation.commands.desk import (
    Desk,
    app_option,
    confirmed,
    limit_option,
    on_project,
    table_in,
    yes_option,
)
from connector_sinch.conversation.commands.reaching import contact_option, whom
from connector_sinch.conversation.resources.events import KINDS, Event


@click.group("event", cls=click.RichGroup)
def event() -> None:
    """Look after events: that somebody types, has read, takes over.

    Use it while people of yours talk to somebody. The API keeps events in CONVERSATION mode only.
    """


@event.command("send")
@click.argument("kind", type=click.Choice([kind.removesuffix("_event") for kind in KINDS]))
@click.argument("channel", metavar="CHANNEL")
@click.argument("identity", metavar="[IDENTITY]", required=False)
@contact_option
@click.option("--content", metavar="FILE", help="JSON or TOML: what belongs to this kind of event.")
@click.option("--metadata", metavar="TEXT", help="What callbacks about it repeat, up to 1,024 characters.")
@app_option
@on_project
def send_event(
    desk: Desk,
    kind: str,
    channel: str,
    identity: str | None,
    contact: str | None,
    content: str | None,
    metadata: str | None,
    app: str | None,
) -> None:
    """Send an event to somebody: that you type, that you have read, that a colleague takes over.

    Use it while people of yours talk to somebody; not every channel shows every kind.
    """
    sent = desk.project.events.send(
        app or desk.app_id,
        whom(desk, channel, identity, contact, app),
        f"{kind}_event",
        None if content is None else table_in(content),
        channel=channel,
        metadata=metadata,
    )
    desk.one(sent)


@event.command("list")
@click.option("--conversation", metavar="ID", help="Only those of this conversation.")
@click.option("--contact", metavar="ID", help="Only those of this person.")
@limit_option
@on_project
def list_events(desk: Desk, conversation: str | None, contact: str | None, limit: int) -> None:
    """List the events that the API keeps, from people and to them.

    Use it to see what happened in a conversation beside its messages.
    """
    desk.many(
        "events",
        desk.project.events.list(conversation_id=conversation, contact_id=contact),
        {
            "event": lambda each: each.id,
            "at": lambda each: moment(each.accept_time),
            "from": lambda each: "the person" if each.direction == "TO_APP" else "the app",
            "channel": lambda each: str(each.channel_identity.channel) or "-",
            "contact": lambda each: each.contact_id or "-",
            "what": _what,
        },
        limit=limit,
    )


@event.command("show")
@click.argument("event_id", metavar="EVENT")
@on_project
def show_event(desk: Desk, event_id: str) -> None:
    """Show an event with everything that the API keeps of it.

    Use it with an id that `connector conversation event list` shows.
    """
    desk.one(desk.project.events.get(event_id))


@event.command("delete")
@click.argument("event_id", metavar="EVENT")
@yes_option
@on_project
def delete_event(desk: Desk, event_id: str, yes: bool) -> None:
    """Delete what the API keeps of an event.

    Use it to forget what happened. It can't be undone.
    """
    confirmed(f"Delete what is kept of the event {event_id}?", yes=yes)
    desk.project.events.delete(event_id)
    desk.done(f"What was kept of the event {event_id} is deleted.", deleted=event_id)


def _what(each: Event) -> str:
    """The kind of an event."""
    body: dict[str, Any] = each.app_event or each.contact_event or each.contact_message_event
    return next(iter(body), "-")
