"""`connector conversation capability`, `profile`, `transcode` and `event`: about one person, or one message."""

from typing import Any

import rich_click as click

from connector.cli.output import document
from connector.model.errors import InputError
from connector_sinch.conversation.commands.desk import Desk, app_option, on_project, table_in
from connector_sinch.conversation.resources.channel_profile import CHANNELS
from connector_sinch.conversation.resources.contacts_csv import identity_on
from connector_sinch.conversation.resources.events import KINDS
from connector_sinch.conversation.resources.recipient import recipient


@click.command("capability")
@click.argument("channel", metavar="CHANNEL")
@click.argument("identity", metavar="IDENTITY")
@app_option
@on_project
def capability(desk: Desk, channel: str, identity: str, app: str | None) -> None:
    """Ask whether somebody can be reached on a channel.

    Use it before a campaign over a channel that not everybody has. The answer itself is called back: it is in
    `connector events` within some seconds, where `connector serve` runs.
    """
    desk.one(desk.project.capability.query(app or desk.app_id, _on(desk, channel, identity, app)))


@click.command("profile")
@click.argument("channel", type=click.Choice(CHANNELS))
@click.argument("identity", metavar="IDENTITY")
@app_option
@on_project
def profile(desk: Desk, channel: str, identity: str, app: str | None) -> None:
    """Show what somebody calls themselves on a channel.

    Use it to give a contact a name; only these channels tell it.
    """
    name = desk.project.channel_profiles.name(app or desk.app_id, _on(desk, channel, identity, app), channel)
    if desk.as_json:
        document({"profile_name": name})
    else:
        click.echo(name or "The channel tells no name.")


@click.command("transcode")
@click.argument("file", metavar="FILE")
@click.option("--channel", "channels", metavar="CHANNEL", multiple=True, required=True, help="May be repeated.")
@app_option
@on_project
def transcode(desk: Desk, file: str, channels: tuple[str, ...], app: str | None) -> None:
    """Show what channels would make of a message; nothing is sent.

    Use it to see how a card or a list looks where there is none, such as in SMS. FILE is a campaign, or one message
    as the API writes it.
    """
    made = desk.project.messages.transcode(app or desk.app_id, _message(file), channels)
    if desk.as_json:
        document({"transcoded": made})
        return
    for channel, text in made.items():
        click.secho(channel, bold=True)
        click.echo(text)


@click.command("event")
@click.argument("kind", type=click.Choice([kind.removesuffix("_event") for kind in KINDS]))
@click.argument("channel", metavar="CHANNEL")
@click.argument("identity", metavar="IDENTITY")
@click.option("--content", metavar="FILE", help="JSON or TOML: what belongs to this kind of event.")
@click.option("--metadata", metavar="TEXT", help="What callbacks about it repeat, up to 1,024 characters.")
@app_option
@on_project
def event(
    desk: Desk,
    kind: str,
    channel: str,
    identity: str,
    content: str | None,
    metadata: str | None,
    app: str | None,
) -> None:
    """Send an event to somebody: that you type, that you have read, that a colleague takes over.

    Use it while people of yours talk to somebody; not every channel shows every kind.
    """
    sent = desk.project.events.send(
        app or desk.app_id,
        _on(desk, channel, identity, app),
        f"{kind}_event",
        None if content is None else table_in(content),
        channel=channel,
        metadata=metadata,
    )
    desk.one(sent)


def _on(desk: Desk, channel: str, identity: str, app: str | None) -> dict[str, Any]:
    return recipient(identities=[identity_on(channel, identity, None, app_id=app or desk.app_id)])


def _message(file: str) -> dict[str, Any]:
    """A message as the API takes it, from a file that is one or holds one."""
    read = table_in(file)
    found = read.get("message", read)
    if not isinstance(found, dict):
        raise InputError(f"{file}: there is no message in it.")
    if isinstance(found.get("text"), str):
        return {"text_message": {"text": found["text"]}}
    return {key: value for key, value in found.items() if key != "defaults"}
