"""Channel profiles: what somebody calls themselves on a channel.

Source: the operation `getChannelProfile` of the API's OpenAPI document.
"""

from collections.abc import Mapping
from typing import Any

from connector_sinch.conversation.resources import limits
from connector_sinch.conversation.resources.host import Host

CHANNELS = ("MESSENGER", "INSTAGRAM", "VIBER", "LINE")
"""Those that tell it."""


class ChannelProfiles:
    """Asking for profiles."""

    def __init__(self, api: Host) -> None:
        self._api = api

    def name(self, app_id: str, recipient: Mapping[str, Any], channel: str) -> str:
        """The name of somebody, as `recipient.recipient` writes them, on one of `CHANNELS`."""
        limits.one_of("channel", channel, CHANNELS)
        body = {"app_id": app_id, "recipient": dict(recipient), "channel": channel}
        return str(self._api.ask("contacts:getChannelProfile", body=body).get("profile_name", ""))
