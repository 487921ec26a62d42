"""Capability: which channels reach somebody. The answer itself comes by callback, one for each channel.

Source: the schema `QueryCapabilityRequest` of the API's OpenAPI document.
"""

from collections.abc import Mapping
from typing import Any

from connector_sinch.conversation.resources.host import Host, given
from connector_sinch.conversation.resources.resource import Resource, read


class CapabilityQuery(Resource):
    """A question that was taken."""

    app_id: str = ""
    request_id: str = ""
    """Comes back in the callbacks of the trigger CAPABILITY."""


class Capability:
    """Asking for capabilities."""

    def __init__(self, api: Host) -> None:
        self._api = api

    def query(self, app_id: str, recipient: Mapping[str, Any], *, request_id: str | None = None) -> CapabilityQuery:
        """Ask for somebody, as `recipient.recipient` writes them; nothing tells two questions of one id apart."""
        body = given(app_id=app_id, recipient=dict(recipient), request_id=request_id)
        return read(CapabilityQuery, self._api.post("capability:query", body=body))
