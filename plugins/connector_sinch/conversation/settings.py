"""Settings of a Conversation integration."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from connector.extension import IntegrationSettings, Secret
from connector_sinch import tokens

_URL = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
_ID = r"^[A-Za-z0-9._~-]+$"


class ConversationSettings(IntegrationSettings):
    """One app of the Conversation API, by its project's access key.

    Source: the Conversation API's page "Introduction" (base URLs, authentication), and the pages "Batch API" and
    "Template Management API" (their hosts).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    project_id: Annotated[
        str,
        Field(
            title="Project ID",
            description="Names the project; the dashboard's page Access Keys shows it.",
            min_length=1,
            max_length=100,
            pattern=_ID,
        ),
    ]
    app_id: Annotated[
        str,
        Field(
            title="App ID",
            description="Names the app that sends; the dashboard shows it under Conversation API, Apps.",
            min_length=1,
            max_length=100,
            pattern=_ID,
        ),
    ]
    region: Annotated[
        Literal["us", "eu", "br"],
        Field(title="Region", description="Where the app was made; in any other region it is not found."),
    ]
    key_id: Annotated[
        str,
        Field(
            title="Key ID",
            description="The ID of the project's access key.",
            min_length=1,
            max_length=200,
            pattern=r"^[^\s:]+$",
        ),
    ]
    key_secret: Annotated[
        Secret,
        Field(
            title="Key secret",
            description="The secret of the access key; the dashboard shows it once, when the key is made.",
        ),
    ]
    webhook_secret: Annotated[
        Secret | Annotated[list[Secret], Field(min_length=1)] | None,
        Field(
            title="Webhook secret",
            description="Signs callbacks: of the app's webhook, and of messages that name an address of their own; "
            "a list holds the old secret and the new one during a change.",
        ),
    ] = None
    consent_management: Annotated[
        bool,
        Field(
            title="Consent management",
            description="Whether the app keeps Sinch's lists of opt-outs: every message then says whether it is "
            "marketing, by its campaign's category, and goes in a request of its own.",
        ),
    ] = False
    base_url: Annotated[
        str | None,
        Field(
            title="Base URL",
            description="A simulator or proxy in place of the region's host; "
            "batches and templates go there too, unless they have an address of their own.",
            pattern=_URL,
            examples=["http://127.0.0.1:9000"],
        ),
    ] = None
    batch_base_url: Annotated[
        str | None,
        Field(
            title="Base URL of batches",
            description="A simulator or proxy in place of the Batch API's host in this region.",
            pattern=_URL,
            examples=["http://127.0.0.1:9000"],
        ),
    ] = None
    template_base_url: Annotated[
        str | None,
        Field(
            title="Base URL of templates",
            description="A simulator or proxy in place of the host of message templates in this region.",
            pattern=_URL,
            examples=["http://127.0.0.1:9000"],
        ),
    ] = None
    auth_url: Annotated[
        str | None,
        Field(
            title="Authentication URL",
            description="A simulator or proxy in place of https://auth.sinch.com, which gives the access tokens.",
            pattern=_URL,
            examples=["http://127.0.0.1:9000"],
        ),
    ] = None

    @property
    def url(self) -> str:
        """The base of most requests, without a slash at its end."""
        return (self.base_url or f"https://{self.region}.conversation.api.sinch.com").rstrip("/")

    @property
    def batch_url(self) -> str:
        """The base of requests to the Batch API."""
        return (
            self.batch_base_url or self.base_url or f"https://{self.region}.conversationbatch.api.sinch.com"
        ).rstrip("/")

    @property
    def template_url(self) -> str:
        """The base of requests about templates."""
        return (self.template_base_url or self.base_url or f"https://{self.region}.template.api.sinch.com").rstrip("/")

    @property
    def token_url(self) -> str:
        """Where access tokens come from."""
        return tokens.token_url(self.auth_url)

    @property
    def webhook_secrets(self) -> list[Secret]:
        """The secrets that may have signed a callback."""
        if self.webhook_secret is None:
            return []
        return self.webhook_secret if isinstance(self.webhook_secret, list) else [self.webhook_secret]
