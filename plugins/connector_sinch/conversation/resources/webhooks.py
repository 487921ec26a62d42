"""Webhooks: where an app's callbacks go. An app has up to five, each with an address of its own.

Source: the schema `Webhook` of the API's OpenAPI document, and the pages "Callbacks" and "Batch API".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from connector.model.errors import InputError
from connector_sinch.conversation.resources import limits
from connector_sinch.conversation.resources.host import Host, entries_of, given
from connector_sinch.conversation.resources.resource import Resource, matches, read, read_each

HTTP = "HTTP"
"""The kind of target that is called; the API's default, DISMISS, sends nothing."""
TRIGGERS = (
    "MESSAGE_DELIVERY",
    "MESSAGE_SUBMIT",
    "MESSAGE_INBOUND",
    "EVENT_DELIVERY",
    "EVENT_INBOUND",
    "CONVERSATION_START",
    "CONVERSATION_STOP",
    "CONVERSATION_DELETE",
    "CONTACT_CREATE",
    "CONTACT_UPDATE",
    "CONTACT_DELETE",
    "CONTACT_MERGE",
    "CONTACT_IDENTITIES_DUPLICATION",
    "OPT_IN",
    "OPT_OUT",
    "CAPABILITY",
    "CHANNEL_EVENT",
    "UNSUPPORTED",
    "SMART_CONVERSATION",
    "MESSAGE_INBOUND_SMART_CONVERSATION_REDACTION",
    "RECORD_NOTIFICATION",
    "BATCH_STATUS_UPDATE",
)
"""Everything that a webhook can be told of."""


TARGET_TYPES = (HTTP, "DISMISS")
TOKEN_REQUESTS = ("BASIC", "FORM")


def client_credentials(
    client_id: str,
    client_secret: str,
    endpoint: str,
    *,
    scope: str | None = None,
    token_request_type: str = TOKEN_REQUESTS[0],
) -> dict[str, str]:
    """How Sinch gets an access token for the address that it calls, as the API takes it. Raises `InputError`.

    The token's life, which the endpoint answers as `expires_in`, must be 30 to 3,600 seconds.
    """
    for field, value in (("client_id", client_id), ("client_secret", client_secret), ("endpoint", endpoint)):
        limits.needed(field, value)
    limits.at_most("scope", scope, limits.SCOPE_CHARACTERS)
    limits.one_of("token_request_type", token_request_type, TOKEN_REQUESTS)
    made = {"client_id": client_id, "client_secret": client_secret, "endpoint": endpoint}
    return {**made, "token_request_type": token_request_type, **given(scope=scope)}


class Webhook(Resource):
    """Where callbacks go, without the secrets that authenticate them."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = ""
    app_id: str = ""
    target: str = ""
    target_type: str = "DISMISS"
    triggers: list[str] = Field(default_factory=list)
    has_secret: bool = False
    has_client_credentials: bool = False
    """Whether Sinch gets an access token for its address."""

    _secret: str = PrivateAttr("")

    @model_validator(mode="wrap")
    @classmethod
    def _keep_the_secret_out_of_sight(cls, data: Any, handler: Any) -> "Webhook":
        body = data if isinstance(data, Mapping) else {}
        secret = body.get("secret")
        has = {"has_secret": bool(secret), "has_client_credentials": bool(body.get("client_credentials"))}
        made: Webhook = handler({**body, **has} if isinstance(data, Mapping) else data)
        made._secret = secret if isinstance(secret, str) else ""
        return made

    def is_signed_by(self, secret: str) -> bool:
        """Whether it signs with this secret, as far as the API shows which one it has."""
        return matches(self._secret, secret)


class Webhooks:
    """The webhooks of a project's apps."""

    def __init__(self, api: Host) -> None:
        self._api = api

    def list(self, app_id: str) -> Iterator[Webhook]:
        """Those of an app; the API gives them on one page."""
        return read_each(Webhook, entries_of(self._api.get("apps", app_id, "webhooks"), "webhooks"))

    def get(self, webhook_id: str) -> Webhook:
        """One webhook."""
        return read(Webhook, self._api.get("webhooks", webhook_id))

    def create(
        self,
        app_id: str,
        target: str,
        triggers: Sequence[str],
        *,
        target_type: str = HTTP,
        secret: str | None = None,
        client_credentials: Mapping[str, str] | None = None,
    ) -> Webhook:
        """A new webhook; `client_credentials`, where its address takes OAuth2 access tokens (`client_credentials`)."""
        _check(target, triggers)
        body = given(
            app_id=app_id,
            target=target,
            target_type=target_type,
            triggers=list(triggers),
            secret=secret,
            client_credentials=client_credentials,
        )
        return read(Webhook, self._api.post("webhooks", body=body))

    def update(
        self,
        webhook_id: str,
        *,
        target: str | None = None,
        triggers: Sequence[str] | None = None,
        target_type: str | None = None,
        secret: str | None = None,
        client_credentials: Mapping[str, str] | None = None,
    ) -> Webhook:
        """Change what is given."""
        _check(target, triggers)
        if target_type is not None:
            limits.one_of("target_type", target_type, TARGET_TYPES)
        changes = given(
            target=target,
            triggers=None if triggers is None else list(triggers),
            target_type=target_type,
            secret=secret,
            client_credentials=client_credentials,
        )
        if not changes:
            raise InputError("Nothing is to be changed: say what.")
        query = {"update_mask": list(changes)}
        return read(Webhook, self._api.change("PATCH", "webhooks", webhook_id, body=changes, query=query))

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook: nothing is called back to it any more."""
        self._api.change("DELETE", "webhooks", webhook_id)


def _check(target: str | None, triggers: Sequence[str] | None) -> None:
    if target is not None:
        limits.at_most("target", target, limits.TARGET_CHARACTERS)
        host = urlsplit(target).hostname or ""
        if host.startswith("conversation-api.") and host.endswith(".sinch.com"):
            raise InputError("target: the API doesn't call addresses of its own; give one of yours.")
    if triggers is not None:
        limits.needed("triggers", triggers)
        for trigger in triggers:
            limits.one_of("triggers", trigger, TRIGGERS)
