"""Settings of a webhook."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from connector.extension import Secret
from connector.extension.neutral import NeutralSettings


class WebhookSettings(NeutralSettings):
    """An address of yours that every event is posted to.

    Source: the Standard Webhooks specification 1.0, and the CloudEvents specification 1.0.
    """

    url: Annotated[
        str,
        Field(
            title="URL",
            description="Where events are posted to.",
            pattern=r"^https?://[^\s/?#@]+([/?][^\s#]*)?$",
            examples=["https://crm.example.com/events"],
        ),
    ]
    secret: Annotated[
        Secret | Annotated[list[Secret], Field(min_length=1, max_length=2)],
        Field(
            title="Secret",
            description="Signs what is posted: whsec_ and 24 to 64 random bytes in base64. A list: the new one and "
            "the old one during a change.",
        ),
    ]
    body: Annotated[
        Literal["event", "cloudevent"],
        Field(
            title="Body",
            description="event: type, timestamp and data, as Standard Webhooks advises; cloudevent: a structured "
            "CloudEvent.",
        ),
    ] = "event"
    source: Annotated[
        str,
        Field(
            min_length=1, title="Source", description="The source of CloudEvents, which tells whose connector it is."
        ),
    ] = "/campaign-connector"
    allow_private_addresses: Annotated[
        bool,
        Field(
            title="Allow private addresses",
            description="Whether the URL may lead into a private network, or to this machine, and needs no encryption.",
        ),
    ] = False

    @model_validator(mode="after")
    def _encrypted_outside(self) -> "WebhookSettings":
        if self.url.startswith("http://") and not self.allow_private_addresses:
            raise ValueError("the url must begin with https://, unless allow_private_addresses is true")
        return self

    @property
    def secrets(self) -> list[Secret]:
        """The secrets that sign, the new one first."""
        return self.secret if isinstance(self.secret, list) else [self.secret]
