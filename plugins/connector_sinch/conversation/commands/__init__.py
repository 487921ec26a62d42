"""`connector conversation`: the resources of a Conversation API project, on the command line."""

import rich_click as click

from connector_sinch.conversation.commands.apps import app
from connector_sinch.conversation.commands.consents import consent
from connector_sinch.conversation.commands.contacts import contact
from connector_sinch.conversation.commands.conversations import COMMANDS
from connector_sinch.conversation.commands.events import event
from connector_sinch.conversation.commands.messages import message
from connector_sinch.conversation.commands.project_settings import settings
from connector_sinch.conversation.commands.reaching import capability, profile, transcode
from connector_sinch.conversation.commands.templates import template
from connector_sinch.conversation.commands.webhooks import webhook


@click.group("conversation", cls=click.RichGroup)
def conversation() -> None:
    """Look after apps, contacts, conversations and templates of the Sinch Conversation API.

    Use it for what a campaign doesn't do by itself: which channels an app has and how they are, who is in the project,
    what people wrote, whom a list of opt-outs names.
    """


for _each in (
    app,
    contact,
    message,
    template,
    consent,
    webhook,
    *COMMANDS,
    capability,
    profile,
    transcode,
    event,
    settings,
):
    conversation.add_command(_each)
