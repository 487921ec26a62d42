"""The sink against recorded answers; `cassettes/bloomreach/README.md` says of what, and how to record anew."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bloomreach_recording import PRIVATE, PROJECT, PUBLIC, BloomreachHiding, settings_of
from connector_bloomreach.sink import Bloomreach
from recording import assert_nothing_real, recording_tests, vcr_config_of
from sink_recording import events_of_a_customer, secret, telling

from connector.http import Http
from connector.model.errors import NotTaken, SinkStopped

CASSETTES = Path(__file__).parents[3] / "cassettes" / "bloomreach"


@pytest.fixture
def hiding() -> BloomreachHiding:
    return BloomreachHiding()


@pytest.fixture
def vcr_cassette_dir() -> str:
    return str(CASSETTES)


@pytest.fixture
def vcr_config(hiding: BloomreachHiding) -> dict[str, Any]:
    return vcr_config_of(hiding)


@pytest.fixture(autouse=True)
def _everything_on_the_cassette_is_asked_for(vcr: Any, record_mode: str) -> Iterator[None]:
    yield
    if vcr is not None and record_mode == "none":
        assert vcr.all_played


@pytest.fixture
def tell(record_mode: str, hiding: BloomreachHiding) -> Iterator[Callable[..., Mapping[str, str]]]:
    with telling(PROJECT, hiding, record_mode) as telling_it:
        yield telling_it


@pytest.fixture
def ready(tell: Callable[..., Mapping[str, str]]) -> Iterator[Callable[..., Bloomreach]]:
    """Makes a sink for a project, that of the environment unless there are options of the simulator."""
    http = Http()

    def make(access: str = PRIVATE, changed: Mapping[str, Any] | None = None, **options: Any) -> Bloomreach:
        return Bloomreach(settings_of(tell(access, **options), access, **changed or {}), http)

    yield make
    http.close()


@pytest.mark.vcr
@pytest.mark.block_network
@pytest.mark.parametrize("access", [PRIVATE, PUBLIC], ids=["private", "public"])
def test_right_settings_pass_the_check_and_events_are_tracked(ready, access):
    sink = ready(access)
    assert [(result.name, result.ok) for result in sink.check()] == [("address", True), ("permission", None)]
    assert sink.deliver(events_of_a_customer(50)) == []


@pytest.mark.vcr
@pytest.mark.block_network
def test_what_is_tracked_is_named_as_the_settings_say(ready):
    properties = {"metadata.season": "season", "sender": "", "operator": "operator"}
    sink = ready(
        changed={"properties": properties, "statuses": {"replied": "answered"}, "recipient": "left_out"},
    )
    assert sink.deliver(events_of_a_customer(18)) == []


@pytest.mark.vcr
@pytest.mark.block_network
def test_of_a_batch_one_event_is_refused_with_its_words(ready):
    sink = ready(changed={"properties": {"metadata.note": "note"}}, remember=True)
    first, second, third = events_of_a_customer(3)
    (dead,) = sink.deliver([first, replace(second, metadata={"note": "x" * 16_200}), third])
    assert (dead.event.id, dead.reason) == (second.id, "A property value is too large.")


@pytest.mark.vcr
@pytest.mark.block_network
@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"project_token": "another-project"}, "project_token"),
        ({"api_key_id": "another-key"}, "credentials"),
        ({"api_secret": secret("another-secret")}, "credentials"),
    ],
    ids=["project", "key", "secret"],
)
def test_what_a_person_must_mend_stops_the_sink(ready, changed, word):
    sink = ready(changed=changed)
    with pytest.raises(SinkStopped, match=word):
        sink.deliver(events_of_a_customer(2))
    assert [result.ok for result in sink.check()] == [False]


@pytest.mark.vcr
@pytest.mark.block_network
def test_an_event_type_that_the_key_may_not_track_stops_the_sink(ready):
    sink = ready(event_types=("purchase",))
    with pytest.raises(SinkStopped, match="event type"):
        sink.deliver(events_of_a_customer(2))


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
    sink = ready(faults={"error_before": "1x1"})
    with pytest.raises(NotTaken, match="503"):
        sink.deliver(events_of_a_customer(2))
    assert sink.deliver(events_of_a_customer(2)) == []


ADDRESS = re.compile(r"https://api\.exponea\.com/track/v2/projects/(PROJECT|another-project)/(batch|system/time)")


@pytest.mark.parametrize("file", sorted(CASSETTES.glob("*.yaml")), ids=lambda file: file.stem)
def test_cassettes_hold_no_secret_and_nobody_real(file: Path):
    assert_nothing_real(file, ADDRESS, PROJECT.simulated)


def test_every_cassette_has_its_test():
    written = {file.stem.partition("[")[0] for file in CASSETTES.glob("*.yaml")}
    assert written == recording_tests(globals())
