"""Settings of an SMS integration."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from connector.extension import IntegrationSettings, Secret


class SmsSettings(IntegrationSettings):
    """A service plan of the SMS API, with its API token.

    Source: the SMS API's page "Introduction" (base URLs, authentication).
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "dependentRequired": {
                "callback_username": ["callback_password"],
                "callback_password": ["callback_username"],
            }
        },
    )

    service_plan_id: Annotated[
        str,
        Field(
            title="Service plan ID",
            description="Names the service plan that sends; the Sinch dashboard shows it under SMS, Service APIs.",
            min_length=1,
            max_length=100,
            pattern=r"^[A-Za-z0-9._~-]+$",
        ),
    ]
    api_token: Annotated[
        Secret,
        Field(title="API token", description="The token of this service plan; the dashboard shows it beside the plan."),
    ]
    region: Annotated[
        Literal["us", "eu", "au", "br", "ca"],
        Field(
            title="Region",
            description="Where the service plan lives; a token works in the region of its plan only.",
        ),
    ]
    base_url: Annotated[
        str | None,
        Field(
            title="Base URL",
            description="A simulator or proxy in place of the region's host, such as http://127.0.0.1:9000.",
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        ),
    ] = None
    callback_secret: Annotated[
        Secret | Annotated[list[Secret], Field(min_length=1)] | None,
        Field(
            title="Callback secret",
            description="Signs callbacks, where Sinch has enabled signing for this service plan; "
            "a list holds the old secret and the new one during a change.",
        ),
    ] = None
    callback_username: Annotated[
        str | None,
        Field(
            title="Callback user name",
            description="Basic authentication of callbacks, where Sinch was asked to send it.",
            min_length=1,
            pattern=r"^[^:]+$",
        ),
    ] = None
    callback_password: Annotated[
        Secret | None,
        Field(title="Callback password", description="The password that goes with the callback user name."),
    ] = None

    @model_validator(mode="after")
    def _user_and_password_together(self) -> "SmsSettings":
        if (self.callback_username is None) != (self.callback_password is None):
            raise ValueError("callback_username and callback_password are given together or not at all")
        return self

    @property
    def url(self) -> str:
        """The base of every request, without a slash at its end."""
        return (self.base_url or f"https://{self.region}.sms.api.sinch.com").rstrip("/")

    @property
    def callback_secrets(self) -> list[Secret]:
        """The secrets that may have signed a callback."""
        if self.callback_secret is None:
            return []
        return self.callback_secret if isinstance(self.callback_secret, list) else [self.callback_secret]
