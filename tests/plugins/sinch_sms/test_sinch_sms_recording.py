"""Recording anew, as the README of the cassettes tells: an account is recorded, and nothing of it is given away."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from connector_sinch.sms.simulator import SIMULATOR

from connector.simulator import running
from connector.simulator.asking import have_somebody_write

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
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
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", RECORDED]


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
        recording = _pytest(tmp_path, "--record-mode=rewrite", ACCOUNT | {"SINCH_BASE_URL": url, "SINCH_AUTH_URL": url})
    assert recording.returncode == 0, recording.stdout
    cassettes = sorted((tmp_path / "cassettes" / "sinch-sms").glob("*.yaml"))
    assert len(cassettes) == len(RECORDED.split(" or "))
    # As it reads when it is loaded: in the file a text may be broken into lines anywhere.
    written = str([yaml.safe_load(cassette.read_text(encoding="utf-8")) for cassette in cassettes])
    secrets = [value.lstrip("+") for name, value in ACCOUNT.items() if name != "SINCH_REGION"]
    for word in (*secrets, STRANGER.lstrip("+"), "in private", "Not for you", "//us.", "127.0.0.1"):
        assert word not in written
    assert "Yes, please" in written
    replaying = _pytest(tmp_path, "--record-mode=none", {})
    assert replaying.returncode == 0, replaying.stdout


def _pytest(folder: Path, mode: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the tests of the cassettes in a folder of their own, with cassettes beside."""
    copy = folder / "tests" / "plugins" / "sinch_sms"
    if not copy.exists():
        shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(TESTS / "answering_api.py", folder / "tests")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SINCH_", "PYTEST_"))}
    paths = os.pathsep.join(filter(None, [str(folder / "tests"), kept.get("PYTHONPATH")]))
    return subprocess.run(
        [*PYTEST, mode, f"--rootdir={folder}", str(copy / "test_sinch_sms_cassettes.py")],
        cwd=folder,
        env=kept | environment | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
