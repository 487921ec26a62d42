"""The plugin `webhook`."""

from connector.extension import Sink, hookimpl
from connector_webhook.sink import WebhookSink


@hookimpl
def connector_sink() -> type[Sink]:
    """Offer webhooks."""
    return WebhookSink
