"""Settings of an SMS integration."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from connector.extension import IntegrationSettings, Secret
from connector_sinch import tokens

PLAN = ("service_plan_id", "api_token")
PROJECT = ("project_id", "key_id", "key_secret")
PROJECT_REGIONS = ("us", "eu")

_ONE_OR_THE_OTHER = (
    "Give either service_plan_id and api_token, or project_id, key_id and key_secret; not both, and not in part."
)
_PROJECT_REGIONS = (
    "Access keys of a project work in the regions us and eu; for another one use a service plan and its API token."
)
_NO_AUTH_URL = "Leave auth_url out: a service plan has its API token, and fetches none."
_ID = r"^[A-Za-z0-9._~-]+$"


def _alternative(title: str, keys: tuple[str, ...], others: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {
        "title": title,
        "required": list(keys),
        "properties": {**{name: {"type": "null"} for name in others}, **properties},
    }


class SmsSettings(IntegrationSettings):
    """The SMS API, by a service plan and its API token or by a project and its access key.

    Source: the SMS API's page "Introduction" (base URLs, authentication), and the official SDKs' README
    (hosts and regions of projects).
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "oneOf": [
                _alternative(
                    "Service plan and API token",
                    PLAN,
                    PROJECT,
                    auth_url={"type": "null", "description": _NO_AUTH_URL},
                ),
                _alternative(
                    "Project and access key",
                    PROJECT,
                    PLAN,
                    region={"enum": list(PROJECT_REGIONS), "description": _PROJECT_REGIONS},
                ),
            ],
            "dependentRequired": {
                "callback_username": ["callback_password"],
                "callback_password": ["callback_username"],
            },
        },
    )

    service_plan_id: Annotated[
        str | None,
        Field(
            title="Service plan ID",
            description="Names the service plan that sends; the Sinch dashboard shows it under SMS, Service APIs.",
            min_length=1,
            max_length=100,
            pattern=_ID,
        ),
    ] = None
    api_token: Annotated[
        Secret | None,
        Field(title="API token", description="The token of this service plan; the dashboard shows it beside the plan."),
    ] = None
    project_id: Annotated[
        str | None,
        Field(
            title="Project ID",
            description="Names the project, where it sends by an access key; the dashboard's page Access Keys shows "
            "both. Projects made after 15 April 2026 can't: they need a service plan.",
            min_length=1,
            max_length=100,
            pattern=_ID,
        ),
    ] = None
    key_id: Annotated[
        str | None,
        Field(
            title="Key ID",
            description="The ID of the project's access key.",
            min_length=1,
            max_length=200,
            pattern=r"^[^\s:]+$",
        ),
    ] = None
    key_secret: Annotated[
        Secret | None,
        Field(
            title="Key secret",
            description="The secret of the access key; the dashboard shows it once, when the key is made.",
        ),
    ] = None
    region: Annotated[
        Literal["us", "eu", "au", "br", "ca"],
        Field(
            title="Region",
            description="Where the service plan lives; a token works in the region of its plan only. "
            "Projects with an access key: us or eu.",
        ),
    ]
    base_url: Annotated[
        str | None,
        Field(
            title="Base URL",
            description="A simulator or proxy in place of the region's host.",
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
            examples=["http://127.0.0.1:9000"],
        ),
    ] = None
    auth_url: Annotated[
        str | None,
        Field(
            title="Authentication URL",
            description="A simulator or proxy in place of https://auth.sinch.com, which gives projects their tokens.",
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
            examples=["http://127.0.0.1:9000"],
        ),
    ] = None
    delivery_feedback: Annotated[
        bool,
        Field(
            title="Delivery feedback",
            description="Whether you will tell Sinch who did what a message was for, such as using its code.",
        ),
    ] = False
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
    def _together_or_not_at_all(self) -> "SmsSettings":
        plan, project = ({name for name in names if getattr(self, name) is not None} for names in (PLAN, PROJECT))
        if (len(plan), len(project)) not in ((len(PLAN), 0), (0, len(PROJECT))):
            raise ValueError(_ONE_OR_THE_OTHER)
        if project and self.region not in PROJECT_REGIONS:
            raise ValueError(_PROJECT_REGIONS)
        if plan and self.auth_url is not None:
            raise ValueError(_NO_AUTH_URL)
        if (self.callback_username is None) != (self.callback_password is None):
            raise ValueError("callback_username and callback_password are given together or not at all")
        return self

    @property
    def account_id(self) -> str:
        """The service plan's or the project's: it stands in the path of every request."""
        return self.service_plan_id or self.project_id or ""

    @property
    def url(self) -> str:
        """The base of every request, without a slash at its end."""
        prefix = "" if self.project_id is None else "zt."
        return (self.base_url or f"https://{prefix}{self.region}.sms.api.sinch.com").rstrip("/")

    @property
    def token_url(self) -> str:
        """Where a project gets its access tokens."""
        return tokens.token_url(self.auth_url)

    @property
    def callback_secrets(self) -> list[Secret]:
        """The secrets that may have signed a callback."""
        if self.callback_secret is None:
            return []
        return self.callback_secret if isinstance(self.callback_secret, list) else [self.callback_secret]
