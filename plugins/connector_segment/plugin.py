"""The plugin `segment`."""

from connector.extension import Sink, hookimpl
from connector_segment.sink import Segment


@hookimpl
def connector_sink() -> type[Sink]:
    """Offer Segment."""
    return Segment
