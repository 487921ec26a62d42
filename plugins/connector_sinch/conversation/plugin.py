"""The plugin `sinch-conversation`."""

from connector.extension import Provider, hookimpl
from connector_sinch.conversation.provider import SinchConversation


@hookimpl
def connector_provider() -> type[Provider]:
    """Offer the Sinch Conversation API."""
    return SinchConversation
