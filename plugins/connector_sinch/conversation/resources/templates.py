"""Message templates, version 2 of their API, on a host of its own; they stay in their region.

Source: the pages "Template Management API", and the official SDKs.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from connector_sinch.conversation.resources import limits
from connector_sinch.conversation.resources.host import Host, entries_of, given
from connector_sinch.conversation.resources.resource import Resource, Time, read, read_each


class Translation(Resource):
    """A template in one language; beside this it has its message, under the name of its kind."""

    language_code: str = ""
    version: str = ""
    variables: list[dict[str, Any]] = Field(default_factory=list)
    channel_template_overrides: dict[str, Any] = Field(default_factory=dict)
    create_time: Time = None
    update_time: Time = None


class Template(Resource):
    """A message with its translations."""

    id: str = ""
    description: str = ""
    version: int = 0
    """Rises with every change; whoever changes the template says which one they saw."""
    default_translation: str = ""
    translations: list[Translation] = Field(default_factory=list)
    create_time: Time = None
    update_time: Time = None


class Templates:
    """The templates of a project."""

    def __init__(self, templates: Host) -> None:
        self._templates = templates

    def list(self) -> Iterator[Template]:
        """All of them; the API gives them on one page."""
        return read_each(Template, entries_of(self._templates.get("templates"), "templates"))

    def get(self, template_id: str) -> Template:
        """One template."""
        return read(Template, self._templates.get("templates", template_id))

    def translations(
        self, template_id: str, *, language_code: str | None = None, version: str | None = None
    ) -> Iterator[Translation]:
        """The translations of a template; of all languages and of the last version, unless they are given."""
        query = given(language_code=language_code, translation_version=version)
        said = self._templates.get("templates", template_id, "translations", query=query)
        return read_each(Translation, entries_of(said, "translations"))

    def create(
        self,
        translations: Sequence[Mapping[str, Any]],
        *,
        default_translation: str,
        description: str | None = None,
        template_id: str | None = None,
    ) -> Template:
        """A new template; each translation as the API takes it, its `language_code` and message in it."""
        body = _body(translations, default_translation, description)
        return read(Template, self._templates.post("templates", body={**body, **given(id=template_id)}))

    def update(
        self,
        template_id: str,
        version: int,
        translations: Sequence[Mapping[str, Any]],
        *,
        default_translation: str,
        description: str | None = None,
    ) -> Template:
        """Replace all of a template.

        `version` is the one that was read: where somebody else has changed it since, the API refuses.
        """
        limits.between("version", version, 1, 2**31 - 1)
        body = {**_body(translations, default_translation, description), "version": version}
        return read(Template, self._templates.change("PUT", "templates", template_id, body=body))

    def delete(self, template_id: str) -> None:
        """Delete a template."""
        self._templates.change("DELETE", "templates", template_id)


def _body(
    translations: Sequence[Mapping[str, Any]], default_translation: str, description: str | None
) -> dict[str, Any]:
    limits.needed("translations", translations)
    languages = [str(each.get("language_code", "")) for each in translations]
    for language in languages:
        limits.needed("language_code", language)
    limits.one_of("default_translation", default_translation, languages)
    return {
        "default_translation": default_translation,
        "translations": [dict(each) for each in translations],
        **given(description=description),
    }
