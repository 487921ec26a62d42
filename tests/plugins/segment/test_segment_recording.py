"""Recording anew, as the README of the cassettes tells: a source is recorded, and nothing of it is given away."""

from pathlib import Path

from connector_segment.simulator import SIMULATOR, SegmentOptions
from recording import assert_nothing_given_away, record_apart

from connector.simulator import running

KEY = "key-of-somebody"


def test_a_source_is_recorded_and_nothing_of_it_is_given_away(tmp_path: Path) -> None:
    with running(SIMULATOR, SegmentOptions(write_key=KEY)) as url:
        environment = {"SEGMENT_WRITE_KEY": KEY, "SEGMENT_BASE_URL": url}
        recording = record_apart(
            tmp_path, Path(__file__).parent, "test_segment_cassettes.py", "twice or anonymous", "rewrite", environment
        )
    assert recording.returncode == 0, recording.stdout
    written = assert_nothing_given_away(tmp_path / "cassettes" / "segment", 2, [KEY, "127.0.0.1"])
    assert "https://api.segment.io/v1/batch" in written
