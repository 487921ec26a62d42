"""Settings of the whole project: so far one, whether a phone number is one identity on all channels that have it.

Source: the operations on `/settings` of the API's OpenAPI document, and its schema `ProjectSettings`.
"""

from connector_sinch.conversation.resources.host import Host
from connector_sinch.conversation.resources.resource import Resource, read


class ContactSettings(Resource):
    """How the project tells contacts apart."""

    unified_contact_id_enabled: bool = False
    """A phone number on SMS, RCS and MMS is one identity, of one contact."""


class Settings(Resource):
    """What is set."""

    contact_settings: ContactSettings = ContactSettings()


class OfProject(Resource):
    """The settings of a project."""

    project_id: str = ""
    settings: Settings = Settings()


class ProjectSettings:
    """The settings of a project. Where none were ever made, the API may not know them: `NotFound`."""

    def __init__(self, api: Host) -> None:
        self._api = api

    def get(self) -> OfProject:
        """What is set."""
        return read(OfProject, self._api.get("settings"))

    def create(self, *, unified_contact_id_enabled: bool) -> OfProject:
        """Make the settings, where there are none yet."""
        return read(OfProject, self._api.post("settings", body=_body(unified_contact_id_enabled)))

    def update(self, *, unified_contact_id_enabled: bool) -> OfProject:
        """Change the settings. Identities that several contacts have must be settled before (`Contacts.conflicts`)."""
        return read(OfProject, self._api.change("PATCH", "settings", body=_body(unified_contact_id_enabled)))

    def delete(self) -> None:
        """Back to what holds for projects that set nothing."""
        self._api.change("DELETE", "settings")


def _body(unified_contact_id_enabled: bool) -> dict[str, dict[str, bool]]:
    return {"contact_settings": {"unified_contact_id_enabled": unified_contact_id_enabled}}
