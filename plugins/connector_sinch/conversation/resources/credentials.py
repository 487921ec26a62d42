"""What opens a channel to an app: the fields of its credential, for those that a person can be asked for one by one.

Source: the schemas of channel credentials in the API's OpenAPI document, and the official SDKs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector_sinch.conversation.resources.resource import Channel


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One field of a channel's credential."""

    path: tuple[str, str]
    """Where it stands: the credential, and its field."""
    title: str
    description: str = ""
    secret: bool = True


def _bearer(identity: str, description: str, token: str) -> tuple[CredentialField, ...]:
    return (
        CredentialField(("static_bearer", "claimed_identity"), identity, description, secret=False),
        CredentialField(("static_bearer", "token"), token),
    )


CREDENTIALS: Mapping[Channel, tuple[CredentialField, ...]] = {
    Channel.SMS: _bearer(
        "Service plan ID",
        "The service plan that sends; the dashboard shows it under SMS, Service APIs.",
        "API token",
    ),
    Channel.RCS: _bearer("RCS sender ID", "What the dashboard calls the RCS agent that sends.", "RCS token"),
    Channel.WHATSAPP: _bearer(
        "WhatsApp sender ID", "What the dashboard calls the WhatsApp sender.", "WhatsApp bearer token"
    ),
    Channel.VIBERBM: _bearer("Viber service ID", "The service of Viber Business Messages.", "Viber token"),
    Channel.MESSENGER: (CredentialField(("static_token", "token"), "Page access token", "Of the Facebook page."),),
    Channel.INSTAGRAM: (
        CredentialField(("instagram_credentials", "business_account_id"), "Business account ID", secret=False),
        CredentialField(("instagram_credentials", "token"), "Instagram token"),
    ),
    Channel.TELEGRAM: (CredentialField(("telegram_credentials", "token"), "Bot token", "As @BotFather gave it."),),
    Channel.LINE: (
        CredentialField(("line_credentials", "token"), "LINE channel token"),
        CredentialField(("line_credentials", "secret"), "LINE channel secret"),
    ),
    Channel.WECHAT: (
        CredentialField(("wechat_credentials", "app_id"), "WeChat app ID", secret=False),
        CredentialField(("wechat_credentials", "app_secret"), "WeChat app secret"),
        CredentialField(("wechat_credentials", "token"), "WeChat token"),
        CredentialField(("wechat_credentials", "aes_key"), "WeChat AES key"),
    ),
    Channel.KAKAOTALK: (
        CredentialField(("kakaotalk_credentials", "kakaotalk_plus_friend_id"), "Plus friend ID", secret=False),
        CredentialField(("kakaotalk_credentials", "kakaotalk_sender_key"), "Sender key"),
    ),
}
"""Channel to its fields. The others have credentials of several forms, and come from a file."""


def credential(channel: str, values: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """A channel's credential as the API takes it, of the values of its fields by their paths."""
    made: dict[str, Any] = {"channel": str(channel)}
    for (name, field), value in values.items():
        made.setdefault(name, {})[field] = value
    return {**made, "callback_secret": ""}
