"""The sink against recorded answers; `cassettes/segment/README.md` says of what, and how to record anew."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from connector_segment.sink import Segment
from recording import assert_nothing_real, recording_tests, vcr_config_of
from segment_recording import SOURCE, WRITE_KEY, SegmentHiding, settings_of
from sink_recording import events_of_a_customer, secret, telling

from connector.http import Http
from connector.model.errors import NotTaken

CASSETTES = Path(__file__).parents[3] / "cassettes" / "segment"


@pytest.fixture
def hiding() -> SegmentHiding:
    return SegmentHiding()


@pytest.fixture
def vcr_cassette_dir() -> str:
    return str(CASSETTES)


@pytest.fixture
def vcr_config(hiding: SegmentHiding) -> dict[str, Any]:
    return vcr_config_of(hiding)


@pytest.fixture(autouse=True)
def _everything_on_the_cassette_is_asked_for(vcr: Any, record_mode: str) -> Iterator[None]:
    yield
    if vcr is not None and record_mode == "none":
        assert vcr.all_played


@pytest.fixture
def tell(record_mode: str, hiding: SegmentHiding) -> Iterator[Callable[..., Mapping[str, str]]]:
    with telling(SOURCE, hiding, record_mode) as telling_it:
        yield telling_it


@pytest.fixture
def ready(tell: Callable[..., Mapping[str, str]]) -> Iterator[Callable[..., Segment]]:
    """Makes a sink for a source, that of the environment unless there are options of the simulator."""
    http = Http()

    def make(changed: Mapping[str, Any] | None = None, **options: Any) -> Segment:
        return Segment(settings_of(tell(WRITE_KEY, **options), **changed or {}), http)

    yield make
    http.close()


@pytest.mark.vcr
@pytest.mark.block_network
def test_events_are_tracked_and_may_come_twice(ready):
    sink = ready()
    assert sink.deliver(events_of_a_customer(26)) == []
    assert sink.deliver(events_of_a_customer(26)) == []


@pytest.mark.vcr
@pytest.mark.block_network
def test_what_is_tracked_is_named_as_the_settings_say(ready):
    names = {"properties": {"status": "what", "recipient": ""}, "events": {"delivered": "Message Delivered"}}
    assert ready(changed=names).deliver(events_of_a_customer(26)) == []


@pytest.mark.vcr
@pytest.mark.block_network
def test_who_has_no_customer_id_may_be_anonymous(ready):
    events = [replace(event, customer_id=None) for event in events_of_a_customer(2)]
    assert ready(changed={"without_id": "anonymous"}).deliver(events) == []


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_wrong_write_key_is_not_told(ready):
    assert ready(changed={"write_key": secret("another-key")}).deliver(events_of_a_customer(1)) == []


@pytest.mark.vcr
@pytest.mark.block_network
def test_throttling_is_a_wait_as_long_as_it_says(ready):
    sink = ready(faults={"throttled": "1x1"}, retry_after_seconds=7)
    with pytest.raises(NotTaken) as caught:
        sink.deliver(events_of_a_customer(2))
    assert caught.value.retry_after_seconds == 7
    assert sink.deliver(events_of_a_customer(2)) == []


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_503_is_tried_again(ready):
    sink = ready(faults={"error_after": "1x1"})
    with pytest.raises(NotTaken, match="503"):
        sink.deliver(events_of_a_customer(2))
    assert sink.deliver(events_of_a_customer(2)) == []


ADDRESS = re.compile(r"https://api\.segment\.io/v1/batch")


@pytest.mark.parametrize("file", sorted(CASSETTES.glob("*.yaml")), ids=lambda file: file.stem)
def test_cassettes_hold_no_secret_and_nobody_real(file: Path):
    assert_nothing_real(file, ADDRESS, SOURCE.simulated)


def test_every_cassette_has_its_test():
    assert {file.stem for file in CASSETTES.glob("*.yaml")} == recording_tests(globals())
