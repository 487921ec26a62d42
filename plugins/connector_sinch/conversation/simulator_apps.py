"""Apps of the simulated Conversation API, their channels and webhooks. Source: its pages "App" and "Webhooks"."""

import random
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from connector_sinch.conversation.simulator_options import Channel, ConversationOptions
from connector_sinch.conversation.simulator_request import (
    NOT_FOUND,
    AppId,
    Problem,
    Request,
    changed,
    invalid,
    is_url,
)
from connector_sinch.ulid import new_ulid

MAX_WEBHOOKS = 5
MAX_TARGET = 742
OUTBOUND_PER_SECOND = INBOUND_PER_SECOND = 25

CREDENTIALS = {
    "SMS": ("static_bearer",),
    "RCS": ("static_bearer",),
    "WHATSAPP": ("static_bearer",),
    "VIBERBM": ("static_bearer",),
    "MESSENGER": ("static_token",),
    "MMS": ("mms_credentials",),
    "INSTAGRAM": ("instagram_credentials",),
    "TELEGRAM": ("telegram_credentials",),
    "KAKAOTALK": ("kakaotalk_credentials",),
    "KAKAOTALKCHAT": ("kakaotalkchat_credentials",),
    "LINE": ("line_credentials", "line_enterprise_credentials"),
    "WECHAT": ("wechat_credentials",),
    "APPLEBC": ("applebc_credentials",),
}
"""Channel to the fields of which a credential has one."""

Trigger = Literal[
    "MESSAGE_DELIVERY",
    "EVENT_DELIVERY",
    "MESSAGE_INBOUND",
    "EVENT_INBOUND",
    "CONVERSATION_START",
    "CONVERSATION_STOP",
    "CONVERSATION_DELETE",
    "CONTACT_CREATE",
    "CONTACT_DELETE",
    "CONTACT_MERGE",
    "CONTACT_UPDATE",
    "CONTACT_IDENTITIES_DUPLICATION",
    "UNSUPPORTED",
    "OPT_IN",
    "OPT_OUT",
    "CAPABILITY",
    "CHANNEL_EVENT",
    "SMART_CONVERSATION",
    "MESSAGE_INBOUND_SMART_CONVERSATION_REDACTION",
    "RECORD_NOTIFICATION",
    "MESSAGE_SUBMIT",
    "BATCH_STATUS_UPDATE",
]
TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)

_OWN_HOST = re.compile(r"conversation-api\..*\.?sinch\.com")


class Credential(Request):
    """What opens a channel to an app."""

    channel: Channel
    callback_secret: Annotated[str, Field(max_length=256)] = ""
    credential_ordinal_number: Annotated[int, Field(ge=0, le=255)] = 0
    static_bearer: dict[str, Any] | None = None
    static_token: dict[str, Any] | None = None
    mms_credentials: dict[str, Any] | None = None
    instagram_credentials: dict[str, Any] | None = None
    telegram_credentials: dict[str, Any] | None = None
    kakaotalk_credentials: dict[str, Any] | None = None
    kakaotalkchat_credentials: dict[str, Any] | None = None
    line_credentials: dict[str, Any] | None = None
    line_enterprise_credentials: dict[str, Any] | None = None
    wechat_credentials: dict[str, Any] | None = None
    applebc_credentials: dict[str, Any] | None = None
    state: Any = None
    """Read-only, as is the next: a client may write back what it read."""
    channel_known_id: Any = None

    @model_validator(mode="after")
    def _with_its_own(self) -> "Credential":
        own = CREDENTIALS[self.channel]
        given = [name for name in {name for names in CREDENTIALS.values() for name in names} if getattr(self, name)]
        if len(given) != 1 or given[0] not in own:
            raise ValueError(f"{self.channel} needs {' or '.join(own)}, and nothing else")
        return self


class RetentionPolicy(Request):
    retention_type: Literal["MESSAGE_EXPIRE_POLICY", "CONVERSATION_EXPIRE_POLICY", "PERSIST_RETENTION_POLICY"] = (
        "MESSAGE_EXPIRE_POLICY"
    )
    ttl_days: Annotated[int, Field(ge=1, le=3650)] = 180


class DispatchRetentionPolicy(Request):
    retention_type: Literal["MESSAGE_EXPIRE_POLICY"] = "MESSAGE_EXPIRE_POLICY"
    ttl_days: Annotated[int, Field(ge=0, le=7)] = 0


class Enabled(Request):
    enabled: bool = False


class CallbackSettings(Request):
    secret_for_overridden_callback_urls: str = ""


class RetrySettings(Request):
    retry_duration: Annotated[int, Field(ge=30, le=3600)] = 3600


class Fallback(Request):
    enabled: bool = False
    delivery_report_waiting_time: Annotated[int, Field(ge=10, le=259_200)] = 10


class AppFields(Request):
    """What a request says of an app."""

    display_name: Annotated[str, Field(min_length=1)] = ""
    channel_credentials: Annotated[list[Credential], Field(min_length=1)] | None = None
    conversation_metadata_report_view: Literal["NONE", "FULL"] = "NONE"
    retention_policy: RetentionPolicy = Field(default_factory=RetentionPolicy)
    dispatch_retention_policy: DispatchRetentionPolicy = Field(default_factory=DispatchRetentionPolicy)
    processing_mode: Literal["CONVERSATION", "DISPATCH"] = "DISPATCH"
    smart_conversation: Enabled = Field(default_factory=Enabled)
    callback_settings: CallbackSettings = Field(default_factory=CallbackSettings)
    message_retry_settings: RetrySettings = Field(default_factory=RetrySettings)
    delivery_report_based_fallback: Fallback = Field(default_factory=Fallback)


class NewApp(AppFields):
    """A request to make an app."""

    display_name: Annotated[str, Field(min_length=1)]
    channel_credentials: Annotated[list[Credential], Field(min_length=1)]


def _target(value: str) -> str:
    if not is_url(value, MAX_TARGET):
        raise ValueError(f"must be a URL of at most {MAX_TARGET} characters")
    if _OWN_HOST.fullmatch(urlsplit(value).hostname or ""):
        raise ValueError("must not be an address of the Conversation API")
    return value


class ClientCredentials(Request):
    client_id: str
    client_secret: str
    endpoint: str
    scope: Annotated[str, Field(max_length=1024)] = ""
    response_type: Annotated[str, Field(max_length=64)] = ""
    token_request_type: Literal["BASIC", "FORM"] = "BASIC"


class WebhookFields(Request):
    """What a request says of a webhook."""

    app_id: AppId | None = None
    target: Annotated[str, AfterValidator(_target)] | None = None
    target_type: Literal["DISMISS", "HTTP"] = "DISMISS"
    triggers: list[Trigger] = Field(default_factory=list)
    secret: str = ""
    client_credentials: ClientCredentials | None = None
    id: Any = None
    """Read-only."""


class NewWebhook(WebhookFields):
    """A request to make a webhook."""

    app_id: AppId
    target: Annotated[str, AfterValidator(_target)]
    triggers: list[Trigger]


@dataclass(slots=True, eq=False)
class Webhook:
    id: str
    app_id: str
    fields: WebhookFields

    def as_answered(self) -> dict[str, Any]:
        shown = self.fields.model_dump(exclude={"app_id", "id"})
        return {"id": self.id, "app_id": self.app_id, **shown}


@dataclass(slots=True, eq=False)
class App:
    id: str
    fields: AppFields
    channels_since: dict[str, float] = field(default_factory=dict)
    """Channel to when its credential came (monotonic)."""
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    queued: int = 0
    """How many of its messages wait."""

    @property
    def channels(self) -> list[str]:
        """In the order of its priority."""
        return [credential.channel for credential in self.fields.channel_credentials or ()]

    @property
    def dispatches(self) -> bool:
        """Whether it keeps no contacts and conversations."""
        return self.fields.processing_mode == "DISPATCH"


class Apps:
    """All apps of the project, and their webhooks. What names an unknown one raises `Problem`."""

    def __init__(self, dice: random.Random, options: ConversationOptions) -> None:
        self._dice = dice
        self._options = options
        self._apps: dict[str, App] = {}
        self.failing: Mapping[Any, str] = options.failing
        """Channel to what is wrong with the access to it."""
        if options.asked_region in (None, options.region):
            self._make_own()

    def _make_own(self) -> None:
        options = self._options
        app = App(
            options.app_id,
            NewApp(
                display_name="Simulated app",
                channel_credentials=[_simulated(channel) for channel in options.app_channels],
                conversation_metadata_report_view=options.metadata_report_view,
                dispatch_retention_policy=DispatchRetentionPolicy(ttl_days=options.dispatch_retention_days),
                processing_mode=options.processing_mode,
                callback_settings=CallbackSettings(
                    secret_for_overridden_callback_urls=options.callback_secret or "",
                ),
            ),
        )
        self._put(app)
        if options.webhook_url is not None:
            self.add_webhook(
                NewWebhook(
                    app_id=app.id,
                    target=options.webhook_url,
                    target_type="HTTP",
                    triggers=list(TRIGGERS),
                    secret=options.callback_secret or "",
                )
            )

    def _put(self, app: App) -> None:
        now = time.monotonic()
        app.channels_since = {channel: app.channels_since.get(channel, now) for channel in app.channels}
        self._apps[app.id] = app

    def all(self) -> list[App]:
        return list(self._apps.values())

    def __contains__(self, app: App) -> bool:
        return self._apps.get(app.id) is app

    def by_id(self, app_id: str) -> App:
        app = self._apps.get(app_id)
        if app is None:
            raise Problem(404, NOT_FOUND, f"App {app_id} was not found.")
        return app

    def create(self, request: NewApp) -> App:
        app = App(new_ulid(self._dice), request)
        self._check(app.fields)
        self._put(app)
        return app

    def update(self, app: App, request: AppFields, mask: Iterable[str]) -> None:
        fields = changed(app.fields, request, mask)
        self._check(fields)
        app.fields = fields
        self._put(app)

    @staticmethod
    def _check(fields: AppFields) -> None:
        credentials = fields.channel_credentials or []
        if not fields.display_name or not credentials:
            raise invalid("display_name and channel_credentials must not be empty.")
        places = [(each.channel, each.credential_ordinal_number) for each in credentials]
        if len(set(places)) != len(places):
            raise invalid("channel_credentials names a channel twice.")

    def delete(self, app: App) -> None:
        del self._apps[app.id]

    def state_of(self, app: App, channel: str) -> tuple[str, str]:
        """The state of an app's channel, PENDING, ACTIVE or FAILING, and its description."""
        if time.monotonic() < app.channels_since[channel] + self._options.pending_seconds:
            return "PENDING", "The channel is being activated."
        if channel in self.failing:
            return "FAILING", self.failing[channel]
        return "ACTIVE", ""

    def as_answered(self, app: App) -> dict[str, Any]:
        options = self._options
        fields = app.fields.model_dump(exclude={"channel_credentials"})
        shown = []
        for credential in app.fields.channel_credentials or ():
            status, description = self.state_of(app, credential.channel)
            given = credential.model_dump(exclude={"state", "channel_known_id"}, exclude_none=True)
            if credential.channel != "LINE":
                del given["credential_ordinal_number"]
            known = f"{credential.channel.lower()}-{app.id[-4:].lower()}"
            shown.append({**given, "state": {"status": status, "description": description}, "channel_known_id": known})
        pace = options.messages_per_second
        return {
            "id": app.id,
            **fields,
            "channel_credentials": shown,
            "rate_limits": {
                "inbound": INBOUND_PER_SECOND,
                "outbound": max(1, round(pace)) if pace else OUTBOUND_PER_SECOND,
                "webhooks": max(1, round(options.callbacks_per_second)),
            },
            "queue_stats": {"outbound_size": app.queued, "outbound_limit": options.queue_limit},
            "persist_message_status": {"enabled": False},
            "message_search": {"enabled": False},
        }

    # Webhooks

    def webhook(self, webhook_id: str) -> Webhook:
        for app in self._apps.values():
            if webhook_id in app.webhooks:
                return app.webhooks[webhook_id]
        raise Problem(404, NOT_FOUND, f"Webhook {webhook_id} was not found.")

    def add_webhook(self, request: NewWebhook) -> Webhook:
        app = self.by_id(request.app_id)
        if len(app.webhooks) >= MAX_WEBHOOKS:
            raise invalid(f"An app has at most {MAX_WEBHOOKS} webhooks.")
        self._check_target(app, request.target)
        webhook = Webhook(new_ulid(self._dice), app.id, request)
        app.webhooks[webhook.id] = webhook
        return webhook

    def update_webhook(self, webhook: Webhook, request: WebhookFields, mask: Iterable[str]) -> None:
        fields = changed(webhook.fields, request, mask)
        if fields.target is None:
            raise invalid("target must not be empty.")
        if fields.target != webhook.fields.target:
            self._check_target(self.by_id(webhook.app_id), fields.target)
        webhook.fields = fields

    def delete_webhook(self, webhook: Webhook) -> None:
        del self.by_id(webhook.app_id).webhooks[webhook.id]

    @staticmethod
    def _check_target(app: App, target: str) -> None:
        if any(webhook.fields.target == target for webhook in app.webhooks.values()):
            raise invalid("The app has a webhook with this target already.")


def _simulated(channel: str) -> Credential:
    given = {"claimed_identity": f"simulated-{channel.lower()}", "token": "simulated-token"}
    return Credential.model_validate({"channel": channel, CREDENTIALS[channel][0]: given})
