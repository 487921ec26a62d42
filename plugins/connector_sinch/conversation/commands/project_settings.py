"""`connector conversation settings`: what holds for the whole project."""

import rich_click as click

from connector.model.errors import NotFound
from connector_sinch.conversation.commands.desk import Desk, confirmed, on_project, yes_option
from connector_sinch.conversation.resources.project_settings import OfProject

HELD = "one contact for a phone number on SMS, RCS and MMS"


@click.group("settings", cls=click.RichGroup)
def settings() -> None:
    """Look after what holds for the whole project, with all of its apps.

    Use it to have one contact for each phone number, whichever channel it is on.
    """


@settings.command("show")
@on_project
def show(desk: Desk) -> None:
    """Show the settings of the project.

    Use it to see whether a phone number on SMS, RCS and MMS is one contact.
    """
    try:
        _show(desk, desk.project.settings.get())
    except NotFound:
        # A project that never set anything has nothing to show.
        _show(desk, OfProject())


@settings.command("set")
@click.option(
    "--one-contact-per-number/--a-contact-per-channel",
    "unified",
    required=True,
    help="Whether a phone number on SMS, RCS and MMS is one contact.",
)
@yes_option
@on_project
def change(desk: Desk, unified: bool, yes: bool) -> None:
    """Change the settings of the project, for all of its apps.

    Use it once `connector conversation contact conflicts` lists nobody any more: a number that several contacts have
    can't be one.
    """
    confirmed("Change how all apps of the project tell contacts apart?", yes=yes)
    try:
        changed = desk.project.settings.update(unified_contact_id_enabled=unified)
    except NotFound:
        changed = desk.project.settings.create(unified_contact_id_enabled=unified)
    _show(desk, changed)


@settings.command("reset")
@yes_option
@on_project
def reset(desk: Desk, yes: bool) -> None:
    """Take the settings of the project away: what Sinch does by itself holds again.

    Use it where nobody remembers why they were set.
    """
    confirmed("Take the settings of the project away?", yes=yes)
    desk.project.settings.delete()
    desk.done("The project has no settings of its own any more.", reset=True)


def _show(desk: Desk, shown: OfProject) -> None:
    if desk.as_json:
        desk.one(shown)
    else:
        desk.one({HELD: shown.settings.contact_settings.unified_contact_id_enabled})
