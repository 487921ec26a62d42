"""`connector conversation capability`, `profile` and `transcode`: about one person, or one message."""

from typing import Any

import rich_click as click

from connector.cli.output import document, fields_in, table
from connector.model.errors import InputError
from connector_sinch.conversation.commands.desk import Desk, app_option, on_project, table_in
from connector_sinch.conversation.messages import BESIDE, KINDS, OVERRIDES
from connector_sinch.conversation.resources.channel_profile import CHANNELS
from connector_sinch.conversation.resources.contacts_csv import identity_on
from connector_sinch.conversation.resources.recipient import recipient

contact_option = click.option("--contact", metavar="ID", help="A contact, in place of a number or id on the channel.")


@click.command("capability")
@click.argument("channel", metavar="[CHANNEL]", required=False)
@click.argument("identity", metavar="[IDENTITY]", required=False)
@contact_option
@app_option
@on_project
def capability(desk: Desk, channel: str | None, identity: str | None, contact: str | None, app: str | None) -> None:
    """Ask whether somebody can be reached on a channel, or on which of their channels a contact can be.

    Use it before a campaign over a channel that not everybody has. The answer itself is called back: it is in
    `connector events` within some seconds, where `connector serve` runs.
    """
    if contact is not None and channel is not None:
        raise InputError("--contact stands alone here: the API tells of all channels of a contact.")
    desk.one(desk.project.capability.query(app or desk.app_id, whom(desk, channel, identity, contact, app)))


@click.command("profile")
@click.argument("channel", type=click.Choice(CHANNELS))
@click.argument("identity", metavar="[IDENTITY]", required=False)
@contact_option
@app_option
@on_project
def profile(desk: Desk, channel: str, identity: str | None, contact: str | None, app: str | None) -> None:
    """Show what somebody calls themselves on a channel.

    Use it to give a contact a name; only these channels tell it.
    """
    recipient = whom(desk, channel, identity, contact, app)
    name = desk.project.channel_profiles.name(app or desk.app_id, recipient, channel)
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
        table(("", ""), fields_in(text), title=channel)


def whom(desk: Desk, channel: str | None, identity: str | None, contact: str | None, app: str | None) -> dict[str, Any]:
    """Somebody on a channel, or a contact, as the API takes a recipient. Raises `InputError`."""
    if (identity is None) is (contact is None):
        raise InputError("Say who: a number or id on the channel, or --contact ID.")
    if contact is not None:
        return recipient(contact_id=contact)
    return recipient(identities=[identity_on(channel or "", identity or "", None, app_id=app or desk.app_id)])


def _message(file: str) -> dict[str, Any]:
    """A message as the API takes it, from a file that is one or holds one."""
    read = table_in(file)
    if "message" not in read:
        return read
    found = read["message"]
    if not isinstance(found, dict):
        raise InputError(f"{file}: there is no message in it.")
    # The rest says how a campaign is sent.
    message = {key: found[key] for key in (*KINDS, *OVERRIDES, *BESIDE) if key in found}
    return {"text_message": {"text": found["text"]}, **message} if isinstance(found.get("text"), str) else message
