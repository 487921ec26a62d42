"""A local double of Segment's HTTP tracking API."""

from typing import Annotated, Any

from pydantic import Field

from connector.simulator import Options, SinkSimulator
from connector_segment.simulator_service import SegmentService

WRITE_KEY = "SIMULATED_SEGMENT_WRITE_KEY"


class SegmentOptions(Options):
    """A simulated source of a workspace."""

    write_key: str = "simulated-write-key"
    """The source's write key."""
    retry_after_seconds: Annotated[int, Field(ge=0)] | None = None
    """What a 429 says in `Retry-After`; without it, nothing."""


class SegmentSimulator(SinkSimulator):
    name = "segment"
    title = "Twilio Segment"
    Options = SegmentOptions

    def service(self, options: SegmentOptions) -> SegmentService:
        return SegmentService(options, write_key=options.write_key, retry_after_seconds=options.retry_after_seconds)

    def settings(self, base_url: str, options: SegmentOptions) -> dict[str, Any]:
        return {"sink": self.name, "write_key": f"env:{WRITE_KEY}", "region": "eu", "base_url": base_url}

    def secrets(self, options: SegmentOptions) -> dict[str, str]:
        return {WRITE_KEY: options.write_key}


SIMULATOR = SegmentSimulator()
