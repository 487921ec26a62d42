"""`connector conversation list` and the like: what people and an app have said to each other."""

from datetime import UTC, datetime
from typing import Any

import rich_click as click
from pydantic_core import from_json

from connector.cli.output import moment
from connector.model.errors import InputError
from connector_sinch.conversation.commands.desk import (
    Desk,
    app_option,
    confirmed,
    limit_option,
    on_project,
    table_in,
    yes_option,
)
from connector_sinch.conversation.resources.contacts_csv import identity_on

COLUMNS = {
    "conversation": lambda each: each.id,
    "contact": lambda each: each.contact_id,
    "active": lambda each: "yes" if each.active else "no",
    "channel": lambda each: str(each.active_channel) or "-",
    "last received": lambda each: "-" if _never(each.last_received) else moment(each.last_received),
}


@click.command("list")
@app_option
@click.option("--contact", metavar="ID", help="Only those with this person.")
@click.option("--active", is_flag=True, help="Only those that go on.")
@limit_option
@on_project
def list_conversations(desk: Desk, app: str | None, contact: str | None, active: bool, limit: int) -> None:
    """List the conversations of the app, or with one person.

    Use it to find out with whom the app has talked; `recent` lists them by their last message.
    """
    found = desk.project.conversations.list(
        app_id=app or desk.app_id, contact_id=contact, only_active=True if active else None
    )
    desk.many("conversations", found, COLUMNS, limit=limit)


@click.command("recent")
@app_option
@click.option("--active", is_flag=True, help="Only those that go on.")
@limit_option
@on_project
def recent(desk: Desk, app: str | None, active: bool, limit: int) -> None:
    """List conversations by their last message, newest first.

    Use it to see what people have written lately.
    """
    desk.many(
        "conversations",
        desk.project.conversations.recent(app or desk.app_id, only_active=True if active else None),
        {
            "conversation": lambda each: each.conversation.id,
            "contact": lambda each: each.conversation.contact_id,
            "channel": lambda each: str(each.last_message.channel_identity.channel) or "-",
            "at": lambda each: moment(each.last_message.accept_time),
            "from": lambda each: "the person" if each.last_message.direction == "TO_APP" else "the app",
        },
        limit=limit,
    )


@click.command("show")
@click.argument("conversation_id", metavar="CONVERSATION")
@on_project
def show(desk: Desk, conversation_id: str) -> None:
    """Show a conversation, with the metadata that it has; `message list` shows what was said.

    Use it with an id that `connector conversation list` shows.
    """
    desk.one(desk.project.conversations.get(conversation_id))


@click.command("create")
@click.argument("contact_id", metavar="CONTACT")
@app_option
@click.option("--channel", metavar="CHANNEL", help="The channel that messages go over.")
@click.option("--metadata", metavar="JSON", help='An object of yours, as in {"order": "7"}.')
@click.option("--correlation-id", metavar="ID", help="What callbacks about it repeat, up to 128 characters.")
@on_project
def create(
    desk: Desk, contact_id: str, app: str | None, channel: str | None, metadata: str | None, correlation_id: str | None
) -> None:
    """Begin a conversation with a person; nothing is sent.

    Use it to give it metadata before the first message; else the API begins one by itself.
    """
    made = desk.project.conversations.create(
        app or desk.app_id,
        contact_id,
        active_channel=channel,
        metadata_json=_object(metadata),
        correlation_id=correlation_id,
    )
    desk.one(made)


@click.command("update")
@click.argument("conversation_id", metavar="CONVERSATION")
@click.option("--channel", metavar="CHANNEL", help="The channel that messages go over from now on.")
@click.option("--metadata", metavar="JSON", help="An object of yours in the place of the one that is there.")
@click.option("--correlation-id", metavar="ID", help="What callbacks about it repeat, up to 128 characters.")
@on_project
def update(
    desk: Desk, conversation_id: str, channel: str | None, metadata: str | None, correlation_id: str | None
) -> None:
    """Change a conversation's channel or metadata; what isn't given stays.

    Use it to go on over another channel.
    """
    changed = desk.project.conversations.update(
        conversation_id, active_channel=channel, metadata_json=_object(metadata), correlation_id=correlation_id
    )
    desk.one(changed)


@click.command("stop")
@click.argument("conversation_id", metavar="CONVERSATION")
@on_project
def stop(desk: Desk, conversation_id: str) -> None:
    """End a conversation; the next message begins a new one.

    Use it when a matter is settled, so that the next one has its own conversation.
    """
    desk.project.conversations.stop(conversation_id)
    desk.done(f"The conversation {conversation_id} is ended.", stopped=conversation_id)


@click.command("delete")
@click.argument("conversation_id", metavar="CONVERSATION")
@yes_option
@on_project
def delete(desk: Desk, conversation_id: str, yes: bool) -> None:
    """Delete a conversation with all of its messages.

    Use it to forget what was said. It can't be undone.
    """
    confirmed(f"Delete the conversation {conversation_id} with its messages?", yes=yes)
    desk.project.conversations.delete(conversation_id)
    desk.done(f"The conversation {conversation_id} is deleted.", deleted=conversation_id)


@click.command("inject")
@click.argument("conversation_id", metavar="CONVERSATION")
@click.argument("file", metavar="FILE")
@click.option("--contact", metavar="ID", required=True, help="Who wrote it, or to whom it went.")
@click.option("--channel", metavar="CHANNEL", required=True, help="Over which channel.")
@click.option("--identity", metavar="ID", required=True, help="The person's number or id on that channel.")
@click.option(
    "--at", type=click.DateTime(), required=True, help="When, in UTC unless the time has an offset; up to 30 days ago."
)
@click.option("--from-person", is_flag=True, help="The person wrote it; without this the app did.")
@click.option("--metadata", metavar="TEXT", help="Anything of yours, up to 1,024 characters.")
@on_project
def inject(
    desk: Desk,
    conversation_id: str,
    file: str,
    contact: str,
    channel: str,
    identity: str,
    at: datetime,
    from_person: bool,
    metadata: str | None,
) -> None:
    """Put a message that another system has sent or received into a conversation; nothing is sent.

    Use it to bring history along. FILE is JSON or TOML with one message as the API writes it, such as
    {"text_message": {"text": "Hello"}}.
    """
    desk.project.conversations.inject_message(
        conversation_id,
        message=table_in(file),
        direction="TO_APP" if from_person else "TO_CONTACT",
        channel_identity=identity_on(channel, identity, None, app_id=desk.app_id),
        contact_id=contact,
        accept_time=at.replace(tzinfo=UTC) if at.tzinfo is None else at,
        metadata=metadata,
    )
    desk.done(f"The message is part of the conversation {conversation_id} now.", injected=conversation_id)


@click.command("inject-event")
@click.argument("conversation_id", metavar="CONVERSATION")
@click.argument("file", metavar="FILE")
@click.option("--channel", metavar="CHANNEL", required=True, help="Over which channel.")
@click.option("--identity", metavar="ID", required=True, help="The person's number or id on that channel.")
@click.option(
    "--at", type=click.DateTime(), required=True, help="When, in UTC unless the time has an offset; up to 30 days ago."
)
@on_project
def inject_event(desk: Desk, conversation_id: str, file: str, channel: str, identity: str, at: datetime) -> None:
    """Put an event that another system has sent into a conversation; nothing is sent.

    Use it to bring history along. FILE is JSON or TOML with one event as the API writes it, such as
    {"agent_joined_event": {"agent": {"display_name": "Ada"}}}.
    """
    event_id = desk.project.conversations.inject_event(
        conversation_id,
        event=table_in(file),
        channel_identity=identity_on(channel, identity, None, app_id=desk.app_id),
        at=at.replace(tzinfo=UTC) if at.tzinfo is None else at,
    )
    desk.done(f"The event {event_id} is part of the conversation {conversation_id} now.", injected=event_id)


COMMANDS = (list_conversations, recent, show, create, update, stop, delete, inject, inject_event)
"""They stand beside the groups, as the conversation is what the whole is named after."""


def _object(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = from_json(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError('--metadata: give an object of JSON, as in {"order": "7"}.')
    return found


def _never(at: datetime | None) -> bool:
    return at is None or at.year == 1970
