"""Apps: channel credentials in their order of priority, modes, retention, limits.

Answers of the API repeat credentials. So what an app is made of here leaves them out, and a credential keeps them
where neither `repr` nor JSON shows them, for one purpose: the API takes all credentials of an app or none.
Source: the schemas `App`, `ConversationChannelCredential`, `RetentionPolicy` of the API's OpenAPI document.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from connector.model.errors import InputError
from connector_sinch.conversation.resources import limits
from connector_sinch.conversation.resources.host import Host, entries_of, given
from connector_sinch.conversation.resources.resource import (
    Channel,
    ChannelName,
    Resource,
    matches,
    read,
    read_each,
)

BEARER = (Channel.SMS, Channel.RCS, Channel.WHATSAPP, Channel.VIBERBM)
"""Channels whose credential is an identity and its token."""
PENDING, ACTIVE, FAILING = "PENDING", "ACTIVE", "FAILING"
DEFAULT_RETENTION_DAYS = 180
RETENTION_TYPES = ("MESSAGE_EXPIRE_POLICY", "CONVERSATION_EXPIRE_POLICY", "PERSIST_RETENTION_POLICY")
PROCESSING_MODES = ("CONVERSATION", "DISPATCH")
METADATA_VIEWS = ("NONE", "FULL")
_READ_ONLY = ("state", "channel_known_id")


class _Secretive(Resource):
    """What the API answers of it may hold secrets: what isn't known here is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ChannelState(_Secretive):
    """How far the integration of a channel has come."""

    status: str = ""
    """PENDING, ACTIVE or FAILING."""
    description: str = ""
    """Why, where it is FAILING."""


class ChannelCredential(_Secretive):
    """How an app reaches one channel."""

    channel: ChannelName = ""
    state: ChannelState = ChannelState()
    channel_known_id: str = ""
    """What the channel calls the sender."""
    credential_ordinal_number: int | None = None
    has_callback_secret: bool = False

    _body: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_secrets_out_of_sight(cls, data: Any, handler: Any) -> "ChannelCredential":
        body = dict(data) if isinstance(data, Mapping) else {}
        made: ChannelCredential = handler({**body, "has_callback_secret": bool(body.get("callback_secret"))})
        made._body = {key: value for key, value in body.items() if key not in _READ_ONLY}
        return made

    def body(self) -> dict[str, Any]:
        """As the API takes it, secrets and all. Raises `InputError` where the API did not show them."""
        if any(_is_hidden(value) for value in _leaves(self._body)):
            raise InputError(
                f"The API doesn't show the credentials of {self.channel} again, so they can't be passed on unchanged: "
                "remove that channel, and add it anew with its credentials."
            )
        return self._body


class RetentionPolicy(_Secretive):
    """How long messages are kept."""

    retention_type: str = ""
    ttl_days: int | None = None


class RateLimits(_Secretive):
    """How many a second."""

    inbound: int | None = None
    outbound: int | None = None
    webhooks: int | None = None


class QueueStats(_Secretive):
    """Messages that wait to leave."""

    outbound_size: int | None = None
    outbound_limit: int | None = None


class ReportBasedFallback(_Secretive):
    """Whether the next channel is tried where no report of delivery comes."""

    enabled: bool = False
    delivery_report_waiting_time: int | None = None
    """In seconds."""


class MessageRetry(_Secretive):
    """How long Sinch tries a channel again that fails for the moment."""

    retry_duration: int | None = None
    """In seconds."""


class App(_Secretive):
    """An app, without its secrets."""

    id: str = ""
    display_name: str = ""
    channel_credentials: list[ChannelCredential] = Field(default_factory=list)
    """In the order of their priority."""
    processing_mode: str = ""
    conversation_metadata_report_view: str = ""
    retention_policy: RetentionPolicy = RetentionPolicy()
    dispatch_retention_policy: RetentionPolicy = RetentionPolicy()
    rate_limits: RateLimits = RateLimits()
    queue_stats: QueueStats = QueueStats()
    delivery_report_based_fallback: ReportBasedFallback = ReportBasedFallback()
    message_retry_settings: MessageRetry = MessageRetry()
    signs_callbacks_of_messages: bool = False
    """Whether callbacks of messages that name an address of their own are signed."""

    _secret: str = PrivateAttr("")

    @model_validator(mode="wrap")
    @classmethod
    def _keep_the_secret_out_of_sight(cls, data: Any, handler: Any) -> "App":
        settings = data.get("callback_settings") if isinstance(data, Mapping) else None
        secret = settings.get("secret_for_overridden_callback_urls") if isinstance(settings, Mapping) else None
        made: App = handler(
            {**data, "signs_callbacks_of_messages": bool(secret)} if isinstance(data, Mapping) else data
        )
        made._secret = secret if isinstance(secret, str) else ""
        return made

    def signs_messages_by(self, secret: str) -> bool:
        """Whether callbacks of messages that name an address are signed by this secret, as far as the API shows it."""
        return matches(self._secret, secret)


def bearer(channel: str, identity: str, token: str, *, callback_secret: str = "") -> dict[str, Any]:
    """The credential of a channel in `BEARER`, as the API takes it."""
    limits.one_of("channel", channel, BEARER)
    limits.needed("identity", identity)
    limits.needed("token", token)
    limits.at_most("callback_secret", callback_secret, limits.CALLBACK_SECRET_CHARACTERS)
    return {
        "channel": str(channel),
        "static_bearer": {"claimed_identity": identity, "token": token},
        "callback_secret": callback_secret,
    }


def retention(policy: tuple[str, int] | None, dispatch_days: int | None) -> dict[str, Any]:
    """What an app says of retention, as the API takes it; `policy` is a type and its days. Raises `InputError`."""
    fields: dict[str, Any] = {}
    if policy is not None:
        kind, days = policy
        limits.one_of("retention_type", kind, RETENTION_TYPES)
        limits.between("ttl_days", days, *limits.RETENTION_DAYS)
        fields["retention_policy"] = {"retention_type": kind, "ttl_days": days}
    if dispatch_days is not None:
        limits.between("ttl_days", dispatch_days, *limits.DISPATCH_RETENTION_DAYS)
        fields["dispatch_retention_policy"] = {"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": dispatch_days}
    return fields


class Apps:
    """The apps of a project."""

    def __init__(self, api: Host) -> None:
        self._api = api

    def list(self) -> Iterator[App]:
        """All of them; the API gives them on one page."""
        return read_each(App, entries_of(self._api.get("apps"), "apps"))

    def get(self, app_id: str) -> App:
        """One app."""
        return read(App, self._api.get("apps", app_id))

    def create(
        self,
        display_name: str,
        channel_credentials: Sequence[Mapping[str, Any]],
        *,
        processing_mode: str | None = None,
    ) -> App:
        """A new app; its credentials in the order of priority, as the API takes them (`bearer`)."""
        limits.needed("display_name", display_name)
        limits.needed("channel_credentials", channel_credentials)
        if processing_mode is not None:
            limits.one_of("processing_mode", processing_mode, PROCESSING_MODES)
        body = given(
            display_name=display_name, channel_credentials=[*channel_credentials], processing_mode=processing_mode
        )
        return read(App, self._api.post("apps", body=body))

    def update(
        self,
        app_id: str,
        *,
        display_name: str | None = None,
        processing_mode: str | None = None,
        conversation_metadata_report_view: str | None = None,
        retention_policy: tuple[str, int] | None = None,
        dispatch_retention_days: int | None = None,
        callback_secret: str | None = None,
        retry_seconds: int | None = None,
        fallback_seconds: int | None = None,
    ) -> App:
        """Change what is given; `retention_policy` is a type and its days.

        `callback_secret` signs the callbacks of messages that name an address of their own. `retry_seconds`: how long
        Sinch tries a channel again that fails for the moment. `fallback_seconds`: after how long without a report of
        delivery the next channel is tried, for which Sinch charges; 0: it never is.
        """
        changes = given(
            display_name=display_name,
            processing_mode=processing_mode,
            conversation_metadata_report_view=conversation_metadata_report_view,
        )
        if processing_mode is not None:
            limits.one_of("processing_mode", processing_mode, PROCESSING_MODES)
        if conversation_metadata_report_view is not None:
            limits.one_of("conversation_metadata_report_view", conversation_metadata_report_view, METADATA_VIEWS)
        changes |= retention(retention_policy, dispatch_retention_days)
        if callback_secret is not None:
            limits.at_most("callback_secret", callback_secret, limits.CALLBACK_SECRET_CHARACTERS)
            changes["callback_settings"] = {"secret_for_overridden_callback_urls": callback_secret}
        if retry_seconds is not None:
            limits.between("retry_duration", retry_seconds, *limits.RETRY_SECONDS)
            changes["message_retry_settings"] = {"retry_duration": retry_seconds}
        if fallback_seconds == 0:
            changes["delivery_report_based_fallback"] = {"enabled": False}
        elif fallback_seconds is not None:
            limits.between("delivery_report_waiting_time", fallback_seconds, *limits.FALLBACK_SECONDS)
            changes["delivery_report_based_fallback"] = {
                "enabled": True,
                "delivery_report_waiting_time": fallback_seconds,
            }
        return self._patch(app_id, changes)

    def delete(self, app_id: str) -> None:
        """Delete an app, with everything that belongs to it."""
        self._api.change("DELETE", "apps", app_id)

    def add_channel(self, app_id: str, credential: Mapping[str, Any]) -> App:
        """Add a channel as the last in priority, or replace the credential that the app has for it."""
        limits.needed("channel", credential.get("channel"))
        before = self.get(app_id).channel_credentials
        channel = credential["channel"]
        bodies = [dict(credential) if each.channel == channel else each.body() for each in before]
        if all(each.channel != channel for each in before):
            bodies.append(dict(credential))
        return self._patch(app_id, {"channel_credentials": bodies})

    def remove_channel(self, app_id: str, channel: str) -> App:
        """Take a channel out of an app."""
        before = self.get(app_id).channel_credentials
        _must_have(before, [channel])
        return self._patch(app_id, {"channel_credentials": [each.body() for each in before if each.channel != channel]})

    def order_channels(self, app_id: str, channels: Sequence[str]) -> App:
        """Put the channels that are named first, in this order; the others follow as they were."""
        before = self.get(app_id).channel_credentials
        _must_have(before, channels)
        place = {channel: number for number, channel in enumerate(channels)}
        ordered = sorted(before, key=lambda each: place.get(each.channel, len(place)))
        return self._patch(app_id, {"channel_credentials": [each.body() for each in ordered]})

    def sign_channel(self, app_id: str, channel: str, callback_secret: str) -> App:
        """Set the secret that callbacks of a channel to Sinch are signed by; empty: they are not checked."""
        limits.at_most("callback_secret", callback_secret, limits.CALLBACK_SECRET_CHARACTERS)
        before = self.get(app_id).channel_credentials
        _must_have(before, [channel])
        bodies = [
            {**each.body(), "callback_secret": callback_secret} if each.channel == channel else each.body()
            for each in before
        ]
        return self._patch(app_id, {"channel_credentials": bodies})

    def _patch(self, app_id: str, changes: Mapping[str, Any]) -> App:
        if not changes:
            raise InputError("Nothing is to be changed: say what.")
        return read(App, self._api.change("PATCH", "apps", app_id, body=changes, query={"update_mask": list(changes)}))


def _must_have(credentials: Sequence[ChannelCredential], channels: Sequence[str]) -> None:
    there = [str(each.channel) for each in credentials]
    for channel in channels:
        if channel not in there:
            raise InputError(f"The app has no channel {channel}; it has {', '.join(there) or 'none'}.")


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, name)
    else:
        yield key, value


def _is_hidden(leaf: tuple[str, Any]) -> bool:
    """Whether a value is a token of which the API shows stars only, or nothing."""
    key, value = leaf
    return isinstance(value, str) and (set(value) == {"*"} or (key == "token" and not value))
