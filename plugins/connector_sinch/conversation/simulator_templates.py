"""Message templates of the simulated Template Management API, version 2. Source: its page "Templates V2"."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from connector_sinch.conversation.simulator_callbacks import stamp
from connector_sinch.conversation.simulator_request import NOT_FOUND, Problem, Request, invalid
from connector_sinch.ulid import new_ulid

CONTENTS = (
    "text_message",
    "media_message",
    "card_message",
    "carousel_message",
    "choice_message",
    "location_message",
    "list_message",
    "template_message",
    "contact_info_message",
)


class Variable(Request):
    key: str
    preview_value: str = ""


class Override(Request):
    template_reference: dict[str, Any] | None = None
    parameter_mappings: dict[str, str] = Field(default_factory=dict)


class Translation(Request):
    """A template in one language."""

    language_code: Annotated[str, Field(min_length=2)]
    version: str = ""
    variables: list[Variable] = Field(default_factory=list)
    channel_template_overrides: dict[str, Override] = Field(default_factory=dict)
    create_time: Any = None
    """Read-only, as is the next."""
    update_time: Any = None
    text_message: dict[str, Any] | None = None
    media_message: dict[str, Any] | None = None
    card_message: dict[str, Any] | None = None
    carousel_message: dict[str, Any] | None = None
    choice_message: dict[str, Any] | None = None
    location_message: dict[str, Any] | None = None
    list_message: dict[str, Any] | None = None
    template_message: dict[str, Any] | None = None
    contact_info_message: dict[str, Any] | None = None


class TemplateFields(Request):
    """What a request says of a template."""

    id: str | None = None
    description: str = ""
    version: int | None = None
    default_translation: str
    translations: Annotated[list[Translation], Field(min_length=1)]
    create_time: Any = None
    """Read-only, as is the next."""
    update_time: Any = None


@dataclass(slots=True)
class Template:
    id: str
    fields: TemplateFields
    version: int
    created_at: datetime
    updated_at: datetime

    def translations(self, language_code: str | None = None, version: str | None = None) -> list[dict[str, Any]]:
        """As answered; those of a language, or of a version of the translation, where one is named."""
        return [
            {
                **each.model_dump(exclude={"create_time", "update_time"}, exclude_none=True),
                "version": each.version or "1",
                "create_time": stamp(self.created_at),
                "update_time": stamp(self.updated_at),
            }
            for each in self.fields.translations
            if language_code in (None, each.language_code) and version in (None, "", each.version or "1")
        ]

    def as_answered(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "description": self.fields.description,
            "version": self.version,
            "default_translation": self.fields.default_translation,
            "translations": self.translations(),
            "create_time": stamp(self.created_at),
            "update_time": stamp(self.updated_at),
        }


class Templates:
    """All templates of the project. What names an unknown one raises `Problem`."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._templates: dict[str, Template] = {}

    def all(self) -> list[Template]:
        return list(self._templates.values())

    def get(self, template_id: str) -> Template | None:
        return self._templates.get(template_id)

    def by_id(self, template_id: str) -> Template:
        template = self.get(template_id)
        if template is None:
            raise Problem(404, NOT_FOUND, f"Template {template_id} was not found.")
        return template

    def create(self, request: TemplateFields) -> Template:
        self._check(request)
        template_id = request.id or new_ulid(self._dice)
        if template_id in self._templates:
            raise Problem(400, "ALREADY_EXISTS", f"There is a template {template_id} already.")
        now = datetime.now(UTC)
        template = self._templates[template_id] = Template(template_id, request, 1, now, now)
        return template

    def replace(self, template: Template, request: TemplateFields) -> None:
        """Everything anew; the request must have the version that the template is at."""
        self._check(request)
        if request.id not in (None, template.id):
            raise invalid("id: a template's ID can't be changed.")
        if request.version != template.version:
            raise Problem(
                409, "ABORTED", f"The template is at version {template.version}; the request was made for another one."
            )
        template.fields = request
        template.version += 1
        template.updated_at = datetime.now(UTC)

    def delete(self, template: Template) -> None:
        del self._templates[template.id]

    @staticmethod
    def _check(request: TemplateFields) -> None:
        languages = [each.language_code for each in request.translations]
        if len(set(languages)) != len(languages):
            raise invalid("translations: a language comes twice.")
        if request.default_translation not in languages:
            raise invalid("default_translation must be the language of one of the translations.")
        for each in request.translations:
            if sum(getattr(each, name) is not None for name in CONTENTS) != 1:
                raise invalid(f"translations: {each.language_code} needs exactly one message.")
