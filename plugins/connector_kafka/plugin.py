"""The plugin `kafka`."""

from connector.extension import Sink, hookimpl
from connector_kafka.sink import Kafka


@hookimpl
def connector_sink() -> type[Sink]:
    """Offer Kafka."""
    return Kafka
