"""Events in words of our own, for sinks whose platform has none: their fields, renamed or left out."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from connector.extension.sink import SinkSettings
from connector.model.event import Event

FIELDS = tuple(field.name for field in fields(Event))


def distinct(names: Mapping[str, str]) -> None:
    """Whether no two fields get the same name, an empty one excepted. Raises `ValueError`, which names both."""
    named: dict[str, str] = {}
    for field, name in names.items():
        if name and name in named:
            raise ValueError(
                f'"{name}" is the name of two fields, {named[name]} and {field}: give one of them another name, or an '
                "empty one, which leaves it out"
            )
        named[name] = field


def _known(given: Mapping[str, str]) -> Mapping[str, str]:
    for name in given:
        if name not in FIELDS:
            raise ValueError(f'an event has no "{name}"; known: {", ".join(FIELDS)}')
    distinct({**{field: field for field in FIELDS}, **given})
    return given


class NeutralSettings(SinkSettings):
    """Settings of a sink that gets an event's fields by their own names, unless they are given others."""

    properties: Annotated[
        dict[str, str],
        AfterValidator(_known),
        Field(
            default_factory=dict,
            title="Properties",
            description="A field of an event to the name that it gets here; an empty name leaves it out.",
        ),
    ]


def told(event: Event, properties: Mapping[str, str]) -> dict[str, Any]:
    """The fields of an event that have a value, by the names that they get."""
    found = {field: value for field, value in vars(event).items() if value is not None and value != {}}
    if not properties:
        return found
    return {name: value for field, value in found.items() if (name := properties.get(field, field))}
