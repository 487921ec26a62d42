"""What the cassettes of the HTTP tracking API are recorded from, and what stands in them in place of the real.

Recorded from the simulator, unless the environment names a real source; `cassettes/segment/README.md` says how.
"""

from collections.abc import Mapping
from typing import Any

from connector_segment.settings import SegmentSettings
from connector_segment.simulator import SIMULATOR, SegmentOptions
from recording import Hiding
from sink_recording import Account, secret

API_URL = "https://api.segment.io"
WRITE_KEY = "SEGMENT_WRITE_KEY"
SOURCE = Account(
    simulator=SIMULATOR,
    address="SEGMENT_BASE_URL",
    url=API_URL,
    shown={WRITE_KEY: "WRITE-KEY"},
    simulated={WRITE_KEY: SegmentOptions().write_key},
)


def settings_of(given: Mapping[str, str], **changed: Any) -> SegmentSettings:
    """Settings for a source."""
    settings = {
        "write_key": secret(given[WRITE_KEY]),
        "region": given.get("SEGMENT_REGION", "us"),
        # A region has its host by itself.
        "base_url": None if "SEGMENT_REGION" in given else given[SOURCE.address],
    }
    return SegmentSettings(**settings | changed)


class SegmentHiding(Hiding):
    """Hides what is real of one source."""

    def host_of(self, address: Any, path: str) -> str | None:
        return API_URL if path.startswith("/v1/") else None
