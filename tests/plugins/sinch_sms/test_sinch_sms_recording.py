"""Recording anew, as the README of the cassettes tells: an account is recorded, and nothing of it is given away."""

from pathlib import Path

from connector_sinch.sms.simulator import SIMULATOR
from recording import assert_nothing_given_away, record_apart

from connector.simulator import running
from connector.simulator.asking import have_somebody_write

HERE = Path(__file__).parent
MODULE = "test_sinch_sms_cassettes.py"
ACCOUNT = {
    "SINCH_SERVICE_PLAN_ID": "plan-of-somebody",
    "SINCH_API_TOKEN": "token-of-somebody",
    "SINCH_PROJECT_ID": "project-of-somebody",
    "SINCH_KEY_ID": "key-of-somebody",
    "SINCH_KEY_SECRET": "key-secret-of-somebody",
    "SINCH_REGION": "us",
    "SINCH_FROM": "Somebody",
    "SINCH_TO": "+447700900188",
}
STRANGER = "+447700900199"
RECORDED = "personalised or wrote or check or one_token"


def test_an_account_is_recorded_and_nothing_of_it_is_given_away(tmp_path: Path) -> None:
    options = SIMULATOR.Options(
        service_plan_id=ACCOUNT["SINCH_SERVICE_PLAN_ID"],
        api_token=ACCOUNT["SINCH_API_TOKEN"],
        project_id=ACCOUNT["SINCH_PROJECT_ID"],
        key_id=ACCOUNT["SINCH_KEY_ID"],
        key_secret=ACCOUNT["SINCH_KEY_SECRET"],
        outcomes={"Delivered:0": 1},
    )
    with running(SIMULATOR, options) as url:
        have_somebody_write(url, ACCOUNT["SINCH_TO"], "A word in private")
        have_somebody_write(url, STRANGER, "Not for you")
        environment = ACCOUNT | {"SINCH_BASE_URL": url, "SINCH_AUTH_URL": url}
        recording = record_apart(tmp_path, HERE, MODULE, RECORDED, "rewrite", environment)
    assert recording.returncode == 0, recording.stdout
    secrets = [value.lstrip("+") for name, value in ACCOUNT.items() if name != "SINCH_REGION"]
    others = [STRANGER.lstrip("+"), "in private", "Not for you", "//us.", "127.0.0.1"]
    cassettes = tmp_path / "cassettes" / "sinch-sms"
    written = assert_nothing_given_away(cassettes, len(RECORDED.split(" or ")), [*secrets, *others])
    assert "Yes, please" in written
    replaying = record_apart(tmp_path, HERE, MODULE, RECORDED, "none", {})
    assert replaying.returncode == 0, replaying.stdout
