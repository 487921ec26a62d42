"""The faults that the doubles of platforms are said to have are those that they have."""

from collections.abc import Callable
from typing import Any

import pytest
from connector_bloomreach.settings import BloomreachSettings
from connector_bloomreach.simulator import SIMULATOR as BLOOMREACH
from connector_bloomreach.sink import Bloomreach
from connector_segment.settings import SegmentSettings
from connector_segment.simulator import SIMULATOR as SEGMENT
from connector_segment.sink import Segment

from connector.extension.secret import Secret
from connector.extension.sink import Sink
from connector.http import Http
from connector.model.errors import NotTaken
from connector.simulator import SinkSimulator, running
from connector.simulator.faults import CHANCES, TO_PLATFORMS
from connector.testing.sink_contract import sample_events

LONG_SECONDS = 600.0
PLATFORMS: list[tuple[SinkSimulator, Callable[..., Sink], Any]] = [
    (BLOOMREACH, Bloomreach, BloomreachSettings),
    (SEGMENT, Segment, SegmentSettings),
]


def fails(simulator: SinkSimulator, sink: Callable[..., Sink], settings: Any, fault: str) -> bool:
    """Whether events are not taken where this fault happens once."""
    options = simulator.Options(faults={fault: "1x1", "slow_seconds": LONG_SECONDS})
    secrets = simulator.secrets(options)
    http = Http()
    with running(simulator, options) as base_url:
        table = {
            key: Secret(value, lambda reference: secrets[reference.removeprefix("env:")])
            if str(value).startswith("env:")
            else value
            for key, value in simulator.settings(base_url, options).items()
            if key != "sink"
        }
        seconds = 0.5 if fault == "slow" else 30.0
        try:
            return sink(settings(**table, request_timeout_seconds=seconds), http).deliver(sample_events(1)) != []
        except NotTaken:
            return True
        finally:
            http.close()


@pytest.mark.parametrize(("simulator", "sink", "settings"), PLATFORMS, ids=["bloomreach", "segment"])
def test_these_and_no_others_happen(simulator: SinkSimulator, sink: Callable[..., Sink], settings: Any) -> None:
    assert [fault for fault in CHANCES if fails(simulator, sink, settings, fault)] == list(TO_PLATFORMS)
