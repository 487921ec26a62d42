"""Recording anew, as the README of the cassettes tells: an app is recorded, and nothing of it is given away."""

from pathlib import Path

from connector_sinch.conversation.simulator import SIMULATOR
from recording import assert_nothing_given_away, record_apart

from connector.simulator import running
from connector.simulator.asking import have_somebody_write

HERE = Path(__file__).parent
MODULE = "test_sinch_conversation_cassettes.py"
ACCOUNT = {
    "SINCH_PROJECT_ID": "project-of-somebody",
    "SINCH_APP_ID": "01JS0MEB0DY00000000000000A",
    "SINCH_KEY_ID": "key-of-somebody",
    "SINCH_KEY_SECRET": "key-secret-of-somebody",
    "SINCH_REGION": "us",
    "SINCH_FROM": "Somebody",
    "SINCH_TO": "+447700900188",
}
SIGNING = "callback-secret-of-somebody"
STRANGER = "+447700900199"
RECORDED = "personalised or alone or wrote or check or offered or dry"


def test_an_app_is_recorded_and_nothing_of_it_is_given_away(tmp_path: Path) -> None:
    options = SIMULATOR.Options(
        project_id=ACCOUNT["SINCH_PROJECT_ID"],
        app_id=ACCOUNT["SINCH_APP_ID"],
        key_id=ACCOUNT["SINCH_KEY_ID"],
        key_secret=ACCOUNT["SINCH_KEY_SECRET"],
        callback_secret=SIGNING,
        dispatch_retention_days=3,
        outcomes={"DELIVERED": 1},
    )
    with running(SIMULATOR, options) as url:
        have_somebody_write(url, ACCOUNT["SINCH_TO"], "A word in private")
        have_somebody_write(url, STRANGER, "Not for you")
        hosts = {"SINCH_BASE_URL": url, "SINCH_AUTH_URL": url}
        hosts["SINCH_BATCH_BASE_URL"] = url.replace("127.0.0.1", "localhost")
        recording = record_apart(tmp_path, HERE, MODULE, RECORDED, "rewrite", ACCOUNT | hosts)
    assert recording.returncode == 0, recording.stdout
    secrets = [value.lstrip("+") for name, value in ACCOUNT.items() if name != "SINCH_REGION"]
    others = [SIGNING, STRANGER.lstrip("+"), "in private", "Not for you", "//us.", "127.0.0.1", "localhost"]
    cassettes = tmp_path / "cassettes" / "sinch-conversation"
    written = assert_nothing_given_away(cassettes, len(RECORDED.split(" or ")), [*secrets, *others])
    assert "Yes, please" in written
    replaying = record_apart(tmp_path, HERE, MODULE, RECORDED, "none", {})
    assert replaying.returncode == 0, replaying.stdout
