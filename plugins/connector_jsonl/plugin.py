"""The plugin `jsonl`."""

from connector.extension import Sink, hookimpl
from connector_jsonl.sink import JsonLines


@hookimpl
def connector_sink() -> type[Sink]:
    """Offer JSON Lines."""
    return JsonLines
