"""`connector setup` with a service that knows what a setting may be, and that has to be told where it calls back."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from connector_sinch.conversation.simulator import SIMULATOR
from setup_kit import Terminal, findings, free_port

from connector.cli.main import cli
from connector.simulator import running

ENTER = ""


@dataclass
class Place:
    """A folder, beside a simulated project with one app."""

    folder: Path
    base_url: str
    options: Any

    @property
    def environment(self) -> dict[str, str]:
        return {"CONV_KEY_SECRET": self.options.key_secret, "HOOK_SECRET": "signs"}

    @property
    def given(self) -> list[str]:
        settings = {
            "name": "conv",
            "base_url": self.base_url,
            "auth_url": self.base_url,
            "webhook_secret": "env:HOOK_SECRET",
        }
        return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]

    def run(self, *words: str) -> Any:
        result = CliRunner(env=self.environment).invoke(cli, [*words, "--json"])
        return json.loads(result.stdout)

    def asked(self, path: str) -> Any:
        """What the API itself has, by the access key."""
        options = self.options
        with httpx.Client(base_url=self.base_url) as http:
            form = {"grant_type": "client_credentials"}
            token = http.post("/oauth2/token", data=form, auth=(options.key_id, options.key_secret)).json()
            headers = {"authorization": f"Bearer {token['access_token']}"}
            return http.get(f"/v1/projects/{options.project_id}/{path}", headers=headers).json()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    options = SIMULATOR.Options(callback_secret=None, pending_seconds=1.5)
    with running(SIMULATOR, options) as base_url:
        yield Place(tmp_path, base_url, options)


def test_an_app_is_chosen_or_made_waited_for_and_called_back_from(place: Place) -> None:
    port = free_port()
    with Terminal(place.folder, "setup", "sinch-conversation", *place.given, **place.environment) as terminal:
        terminal.type(place.options.project_id, at="Project ID: ")
        terminal.type("eu", at="Region: ")
        terminal.type(place.options.key_id, at="Key ID: ")
        terminal.type(ENTER, at="Number [1]: ")
        terminal.type(ENTER, at="Name of the variable [CONV_KEY_SECRET]: ")
        terminal.wait_for("Simulated app: DISPATCH; ")
        terminal.type("2", at="Number [1]: ")
        terminal.type("Shop", at="Name of the app: ")
        terminal.type("whatsapp", at="First channel [1]: ")
        terminal.type("sender", at="WhatsApp sender ID: ")
        terminal.type("TOKEN-OF-WHATSAPP", at="WhatsApp bearer token: ")
        terminal.type("sms", at="Next channel [1]: ")
        terminal.type("plan", at="Service plan ID: ")
        terminal.type("TOKEN-OF-THE-PLAN", at="API token: ")
        terminal.type(ENTER, at="Next channel [1]: ")
        terminal.wait_for("it lets 25 a second through")
        terminal.type(ENTER, at="Messages per second [25] (- takes it away): ")
        terminal.type(ENTER, at="Enter to go on")
        terminal.type(ENTER, at="Sender [none]: ")
        terminal.type(f"http://127.0.0.1:{port}", at="Public URL [none]: ")
        terminal.type(str(port), at="Port [8080]: ")
        terminal.type(ENTER, at="Save this? [Y/n]: ")
        terminal.type(ENTER, at="Set it right at the service now? [Y/n]: ")
        assert terminal.end() == 0, terminal.shown
    assert "TOKEN-OF" not in terminal.shown
    assert "ACTIVE, priority 2 of 2" in " ".join(terminal.shown.split())
    saved = tomllib.loads((place.folder / "connector.toml").read_text())["integrations"]["conv"]
    (app,) = (each for each in place.asked("apps")["apps"] if each["display_name"] == "Shop")
    assert (saved["app_id"], saved["messages_per_second"]) == (app["id"], 25)
    assert [each["channel"] for each in app["channel_credentials"]] == ["WHATSAPP", "SMS"]
    (webhook,) = place.asked(f"apps/{app['id']}/webhooks")["webhooks"]
    assert webhook["target"].startswith(f"http://127.0.0.1:{port}/webhooks/")
    assert webhook["secret"] == "signs"
    checked = findings(place.run("check"))
    assert (checked["webhook"][0], checked["signature"][0]) == ("ok", "ok")


def test_what_is_not_right_is_told_and_the_app_can_be_typed(place: Place) -> None:
    with Terminal(place.folder, "setup", "sinch-conversation", *place.given, **place.environment) as terminal:
        terminal.type("another-project", at="Project ID: ")
        terminal.type("eu", at="Region: ")
        terminal.type(place.options.key_id, at="Key ID: ")
        terminal.type(ENTER, at="Number [1]: ")
        terminal.type(ENTER, at="Name of the variable [CONV_KEY_SECRET]: ")
        terminal.wait_for("The API answered HTTP 40")
        terminal.type("mine", at="App ID: ")
        terminal.interrupt()
        assert terminal.end() == 1


def test_without_questions_the_service_is_set_right_at_once(place: Place) -> None:
    port = free_port()
    settings = {
        "project_id": place.options.project_id,
        "app_id": place.options.app_id,
        "region": "eu",
        "key_id": place.options.key_id,
        "key_secret": "env:CONV_KEY_SECRET",
        "server.public_url": f"http://127.0.0.1:{port}",
        "server.port": port,
    }
    given = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    told = place.run("setup", "sinch-conversation", *place.given, *given, "--yes")
    assert told["saved"] is True
    saved = tomllib.loads((place.folder / "connector.toml").read_text())["integrations"]["conv"]
    assert saved["messages_per_second"] == 25
    assert findings(told)["channel SMS"][0] == "ok"
    assert findings(told)["webhook"][0] == "ok"
    (webhook,) = place.asked(f"apps/{place.options.app_id}/webhooks")["webhooks"]
    assert webhook["target"] == told["callbacks"]["conv"]


@pytest.mark.parametrize("said", ["messages_per_second=10", "messages_per_second=", "ACCOUNT=7"])
def test_a_pace_that_somebody_gave_stays(place: Place, said: str) -> None:
    settings = {
        "project_id": place.options.project_id,
        "app_id": place.options.app_id,
        "region": "eu",
        "key_id": place.options.key_id,
        "key_secret": "env:CONV_KEY_SECRET",
    }
    given = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    if said.startswith("ACCOUNT"):
        table = f'[accounts."sinch-conversation:{place.options.app_id}"]\nmessages_per_second = 7\n'
        (place.folder / "connector.toml").write_text(table)
    else:
        given += ["--set", said]
    told = place.run("setup", "sinch-conversation", *place.given, *given, "--yes", "--save-anyway")
    assert told["saved"] is True
    saved = tomllib.loads((place.folder / "connector.toml").read_text())["integrations"]["conv"]
    assert saved.get("messages_per_second") == (10 if said.endswith("10") else None)
