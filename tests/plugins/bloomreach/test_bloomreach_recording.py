"""Recording anew, as the README of the cassettes tells: a project is recorded, and nothing of it is given away."""

from pathlib import Path

from connector_bloomreach.simulator import SIMULATOR
from connector_bloomreach.simulator_options import BloomreachOptions
from recording import assert_nothing_given_away, record_apart

from connector.simulator import running

HERE = Path(__file__).parent
PROJECT = {
    "BLOOMREACH_PROJECT_TOKEN": "project-of-somebody",
    "BLOOMREACH_API_KEY_ID": "key-of-somebody",
    "BLOOMREACH_API_SECRET": "secret-of-somebody",
    "BLOOMREACH_API_TOKEN": "token-of-somebody",
}


def test_a_project_is_recorded_and_nothing_of_it_is_given_away(tmp_path: Path) -> None:
    options = BloomreachOptions(
        project_token=PROJECT["BLOOMREACH_PROJECT_TOKEN"],
        api_key_id=PROJECT["BLOOMREACH_API_KEY_ID"],
        api_secret=PROJECT["BLOOMREACH_API_SECRET"],
        api_token=PROJECT["BLOOMREACH_API_TOKEN"],
    )
    with running(SIMULATOR, options) as url:
        environment = PROJECT | {"BLOOMREACH_BASE_URL": url}
        recording = record_apart(
            tmp_path, HERE, "test_bloomreach_cassettes.py", "check or mend", "rewrite", environment
        )
    assert recording.returncode == 0, recording.stdout
    cassettes = tmp_path / "cassettes" / "bloomreach"
    written = assert_nothing_given_away(cassettes, 5, [*PROJECT.values(), "127.0.0.1"])
    assert "/projects/PROJECT/batch" in written
