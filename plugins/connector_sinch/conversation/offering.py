"""The apps of a project, to choose from in the wizard, and making one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from connector.extension import Choice, Integration, Offer, Wanted
from connector.http import Http
from connector.model.errors import InputError, ReadFailed
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.resources import Project
from connector_sinch.conversation.resources.apps import App
from connector_sinch.conversation.resources.credentials import CREDENTIALS, CredentialField, credential
from connector_sinch.conversation.resources.resource import Channel
from connector_sinch.conversation.settings import ConversationSettings

APP = "app_id"
NOT_KNOWN = "not-known-yet"
NAME = "name"
NO_MORE = ""
KEPT_BY_SINCH = "Sinch keeps it in the app; here it is not kept."
ELSEWHERE = (
    "If you use a simulator or a proxy, start again with: connector setup sinch-conversation --set base_url=ADDRESS "
    "--set auth_url=ADDRESS"
)
"""What to do where the real service was asked in vain: these settings are asked for only later."""
OTHERS = (
    "MMS, KakaoTalk Chat, Apple Messages and enterprise accounts of LINE are added later, from a file: connector "
    "conversation app add-channel CHANNEL --credentials FILE"
)


def offer(settings: Mapping[str, Any], http: Http) -> Offer:
    """The apps of the project. Raises any `ConnectorError`."""
    with _project(settings, http) as project:
        try:
            apps = list(project.apps.list())
        except ReadFailed as error:
            if settings.get("base_url") and settings.get("auth_url"):
                raise
            raise ReadFailed(f"{error} {ELSEWHERE}") from error
    return Offer([Choice(app.id, _label(app)) for app in apps if app.id], _asked)


def make(answers: Mapping[str, str], settings: Mapping[str, Any], http: Http) -> str:
    """A new app with the channels that were chosen, in their order; its id. Raises any `ConnectorError`."""
    credentials = [
        credential(channel, {each.path: answers[_key(place, each)] for each in CREDENTIALS[channel]})
        for place, channel in enumerate(_chosen(answers), 1)
    ]
    with _project(settings, http) as project:
        return project.apps.create(answers[NAME], credentials).id


def _asked(answers: Mapping[str, str]) -> Wanted | None:
    """What is to be asked next for a new app: its name, and then channel by channel what opens it."""
    if NAME not in answers:
        return Wanted(NAME, "Name of the app", "What people call the new app.")
    chosen = _chosen(answers)
    for place, channel in enumerate(chosen, 1):
        for each in CREDENTIALS[channel]:
            if _key(place, each) not in answers:
                description = f"{each.description} {KEPT_BY_SINCH}".strip() if each.secret else each.description
                return Wanted(_key(place, each), each.title, description, each.secret)
    place = len(chosen) + 1
    if f"channel_{place}" in answers:
        return None
    left = [Choice(str(channel), str(channel)) for channel in CREDENTIALS if channel not in chosen]
    if not chosen:
        description = f"An app begins with a channel, which is the first in its order of priority. {OTHERS}"
        return Wanted("channel_1", "First channel", description, choices=left)
    return Wanted(f"channel_{place}", "Next channel", choices=[Choice(NO_MORE, "no more channels"), *left])


def _chosen(answers: Mapping[str, str]) -> list[Channel]:
    """The channels that were chosen so far, in their order."""
    found: list[Channel] = []
    while channel := answers.get(f"channel_{len(found) + 1}"):
        found.append(Channel(channel))
    return found


def _key(place: int, field: CredentialField) -> str:
    return f"channel_{place}.{'.'.join(field.path)}"


@contextmanager
def _project(settings: Mapping[str, Any], http: Http) -> Iterator[Project]:
    try:
        own = ConversationSettings.model_validate({**settings, APP: NOT_KNOWN})
    except ValidationError as error:
        missing = ", ".join(str(each["loc"][0]) for each in error.errors(include_input=False) if each["loc"])
        raise InputError(f"The project's apps can't be listed yet: {missing} is not right.") from None
    yield Project(Connection(Integration("", own), http))


def _label(app: App) -> str:
    channels = ", ".join(f"{each.channel} {each.state.status}".rstrip() for each in app.channel_credentials)
    return (
        f"{app.display_name or 'without a name'}: {app.processing_mode or 'mode not told'}; {channels or 'no channel'}"
    )
