"""The apps of a project, to choose from in the wizard, and making one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from connector.extension import Choice, Integration, Offer, Wanted
from connector.http import Http
from connector.model.errors import InputError
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.resources import Project
from connector_sinch.conversation.resources.apps import App, bearer
from connector_sinch.conversation.settings import ConversationSettings

APP = "app_id"
NOT_KNOWN = "not-known-yet"
NAME, PLAN, TOKEN = "name", "service_plan_id", "api_token"
NEW = (
    Wanted(NAME, "Name of the app", "What people call the new app."),
    Wanted(
        PLAN,
        "Service plan ID",
        "An app begins with a channel, here SMS: the ID of the service plan that sends; the dashboard shows it under "
        "SMS, Service APIs. Other channels are added later: connector conversation app add-channel",
    ),
    Wanted(TOKEN, "API token", "The token of this service plan. Sinch keeps it in the app; here it is not kept.", True),
)


def offer(settings: Mapping[str, Any], http: Http) -> Offer:
    """The apps of the project. Raises any `ConnectorError`."""
    with _project(settings, http) as project:
        return Offer([Choice(app.id, _label(app)) for app in project.apps.list() if app.id], NEW)


def make(answers: Mapping[str, str], settings: Mapping[str, Any], http: Http) -> str:
    """A new app with one channel, SMS; its id. Raises any `ConnectorError`."""
    with _project(settings, http) as project:
        return project.apps.create(answers[NAME], [bearer("SMS", answers[PLAN], answers[TOKEN])]).id


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
