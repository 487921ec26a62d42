"""Settings of a Bloomreach Engagement project."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from connector.extension import Secret, SinkSettings
from connector.extension.neutral import distinct
from connector.model.event import Status

PRIVATE = ("api_key_id", "api_secret")
PUBLIC = ("api_token",)

METADATA = "metadata."

IDS = ("customer_id", "recipient", "recipient_with_plus")
"""What of an event may name a customer, beside `metadata.NAME`."""

CUSTOMER_IDS: Mapping[str, str] = {"registered": "customer_id"}

PROPERTIES: Mapping[str, str] = {
    "action_type": "action_type",
    "status": "status",
    "number_of_message_parts": "number_of_message_parts",
    "status_code": "status_code",
    "error": "error",
    "comment": "comment",
    "campaign_id": "campaign_id",
    "campaign_name": "campaign_name",
    "dispatch": "action_id",
    "message_id": "message_id",
    "recipient": "recipient",
    "sender": "sender",
    "text": "message",
}
"""What of an event is tracked unless the settings say otherwise, and the name of the property."""

FIELDS = (
    *PROPERTIES,
    "id",
    "integration",
    "customer_id",
    "status_code_source",
    "raw_status",
    "operator",
    "encoding",
    "channel",
)
"""What of an event may be tracked, beside `metadata.NAME`."""

STATUSES: Mapping[Status, str] = {Status.replied: "incoming_message"}
"""Statuses that the platform has another word for."""

TRACKED = (
    Status.enqueued,
    Status.enqueue_failed,
    Status.delivered,
    Status.rejected,
    Status.failed,
    Status.replied,
    Status.clicked,
)

_ONE_OR_THE_OTHER = "Give either api_key_id and api_secret (private access), or api_token (public access); not both."


def _known(names: tuple[str, ...], what: str) -> AfterValidator:
    def check(given: Mapping[str, str]) -> Mapping[str, str]:
        for name in given.values() if what == "id" else given:
            if name not in names and not re.fullmatch(r"metadata\..+", name):
                raise ValueError(f'an event has no "{name}"; known: {", ".join(names)}, metadata.NAME')
        return given

    return AfterValidator(check)


def _alternative(title: str, keys: tuple[str, ...], others: tuple[str, ...]) -> dict[str, Any]:
    return {"title": title, "required": list(keys), "properties": {name: {"type": "null"} for name in others}}


def _distinct(given: Mapping[str, str]) -> Mapping[str, str]:
    distinct({**PROPERTIES, **given})
    return given


class BloomreachSettings(SinkSettings):
    """A project of Bloomreach Engagement, by private or public access.

    Source: the Engagement API reference's pages "Authentication", "Add event" and "Batch commands", and the
    documentation's page "Sinch SMS" (the properties of the campaign event).
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "oneOf": [
                _alternative("Private access", PRIVATE, PUBLIC),
                _alternative("Public access", PUBLIC, PRIVATE),
            ]
        },
    )

    base_url: Annotated[
        str,
        Field(
            title="Base URL",
            description="The API of the project's instance; Project settings, Access management, API shows it.",
            examples=["https://api.exponea.com"],
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        ),
    ]
    project_token: Annotated[
        str,
        Field(
            title="Project token",
            description="Names the project; the same page shows it.",
            min_length=1,
            max_length=100,
            pattern=r"^[A-Za-z0-9._~-]+$",
        ),
    ]
    api_key_id: Annotated[
        str | None,
        Field(
            title="API key ID",
            description="Of private access, which is meant for servers; its group needs the permission Events, Set.",
            min_length=1,
            pattern=r"^[^\s:]+$",
        ),
    ] = None
    api_secret: Annotated[
        Secret | None, Field(title="API secret", description="Of private access; shown once, when the key is made.")
    ] = None
    api_token: Annotated[Secret | None, Field(title="API token", description="Of public access.")] = None
    customer_ids: Annotated[
        dict[str, str],
        _known(IDS, "id"),
        Field(
            default_factory=lambda: dict(CUSTOMER_IDS),
            min_length=1,
            title="Customer IDs",
            description="The project's name of an ID, and what it is filled with: customer_id, recipient (the number's "
            "digits), recipient_with_plus or metadata.NAME. One that is there is enough.",
            json_schema_extra={
                # The library tells no limit of what has a validator of its own.
                "minProperties": 1,
                "additionalProperties": {"type": "string", "examples": list(IDS)},
                "default": dict(CUSTOMER_IDS),
            },
        ),
    ]
    without_id: Annotated[
        Literal["refuse", "leave_out"],
        Field(
            title="Without an ID",
            description="refuse: a campaign with recipients who have none of the IDs is not sent; leave_out: it is, "
            "and their events are left out here.",
        ),
    ] = "refuse"
    event_type: Annotated[
        str,
        Field(
            min_length=1,
            title="Event type",
            description="Or the event that the project maps campaign events to.",
        ),
    ] = "campaign"
    action_type: Annotated[str, Field(min_length=1, title="Action type", description="The value of action_type.")] = (
        "sms"
    )
    properties: Annotated[
        dict[str, str],
        _known(FIELDS, "field"),
        AfterValidator(_distinct),
        Field(
            default_factory=dict,
            title="Properties",
            description="What of an event, or metadata.NAME, to the name of its property; an empty name leaves it out. "
            "What isn't named keeps its usual name.",
        ),
    ]
    statuses: Annotated[
        dict[Status, Annotated[str, Field(min_length=1)]],
        Field(
            default_factory=dict,
            title="Statuses",
            description="A status to the value that is tracked for it; what isn't named is tracked by its own name, "
            "and replied as incoming_message.",
        ),
    ]
    only_statuses: Annotated[
        tuple[Status, ...] | None,
        Field(
            min_length=1,
            title="Only statuses",
            description="Events with these statuses alone: those that the platform's own campaigns have, unless "
            "you say so.",
        ),
    ] = TRACKED
    requests_per_second: Annotated[
        float,
        Field(gt=0, le=100, title="Requests per second", description="At most; an address may make 100."),
    ] = 100.0

    @model_validator(mode="after")
    def _one_access(self) -> "BloomreachSettings":
        private, public = ({name for name in names if getattr(self, name) is not None} for names in (PRIVATE, PUBLIC))
        if (len(private), len(public)) not in ((len(PRIVATE), 0), (0, len(PUBLIC))):
            raise ValueError(_ONE_OR_THE_OTHER)
        return self

    @model_validator(mode="after")
    def _numbers_that_are_ids_are_shown(self) -> "BloomreachSettings":
        sources = set(self.customer_ids.values())
        if self.recipient == "left_out" and sources.intersection(("recipient", "recipient_with_plus")):
            raise ValueError('customer_ids uses the phone number, so recipient can\'t be "left_out"')
        if self.recipient == "hashed" and "recipient_with_plus" in sources:
            raise ValueError("a hashed number has no plus: use recipient in customer_ids")
        return self

    @property
    def names(self) -> dict[str, str]:
        """What of an event is tracked, and the name of its property."""
        return {field: name for field, name in {**PROPERTIES, **self.properties}.items() if name}

    @property
    def values(self) -> dict[Status, str]:
        """Statuses to what is tracked for them, where that isn't their own name."""
        return {**STATUSES, **self.statuses}
