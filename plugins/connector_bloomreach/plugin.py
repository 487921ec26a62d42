"""The plugin `bloomreach`."""

from connector.extension import Sink, hookimpl
from connector_bloomreach.sink import Bloomreach


@hookimpl
def connector_sink() -> type[Sink]:
    """Offer Bloomreach Engagement."""
    return Bloomreach
