"""`connector setup` as somebody types at a terminal."""

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_kit import Desk
from setup_kit import TOKEN, Terminal, free_port

SECRET_PLACE = "Number [1]: "
ENTER = ""


@pytest.fixture
def fresh(open_desk: Callable[..., Desk]) -> Desk:
    """A folder without a configuration, beside a simulator."""
    desk = open_desk()
    (desk.folder / "connector.toml").unlink()
    return desk


def begin(desk: Desk, **environment: str) -> Terminal:
    """Answer everything up to where the API token lives."""
    terminal = Terminal(desk.folder, "setup", "sinch-sms", **environment)
    terminal.type("sms-eu", at="Name [sinch-sms]: ")
    terminal.type("first", "1", at="Number [1]: ")
    terminal.type("no plan", desk.options.service_plan_id, at="Service plan ID: ")
    return terminal


def go_on(terminal: Terminal, desk: Desk) -> None:
    """Answer everything from the region on, but the last question."""
    terminal.type("europe", "eu", at="Region: ")
    terminal.type("fast", "50", at="Messages per second [none]: ")
    terminal.type("base url", at="Enter to go on [7]: ")
    terminal.type(desk.base_url, at="Base URL [none]: ")
    terminal.type(ENTER, at="Enter to go on [7]: ")
    terminal.type("A shop with a long name", "Book shop", at="Sender [none]: ")


def test_a_newcomer_is_asked_and_told_and_no_secret_is_ever_shown(fresh: Desk) -> None:
    port = free_port()
    with begin(fresh) as terminal:
        terminal.type("1", at=SECRET_PLACE)
        terminal.type("not a name", ENTER, at="Name of the variable [SMS_EU_API_TOKEN]: ")
        terminal.type(TOKEN, at="API token: ")
        go_on(terminal, fresh)
        terminal.type("hooks", f"http://127.0.0.1:{port}", at="Public URL [none]: ")
        terminal.type("99999", str(port), at="Port [8080]: ")
        terminal.type(ENTER, at="Save this? [Y/n]: ")
        assert terminal.end() == 0, terminal.shown
        shown = " ".join(terminal.shown.split())
        assert "Sinch offers the SMS API to nobody new" in shown
        assert "Conversation API" in shown
        assert 'Found "europe"; give one of "us", "eu", "au", "br", "ca".' in shown
        assert 'Found "fast"; give a number above 0.' in shown
        assert 'Found "A shop with a long name"' in shown
        assert "The SMS API accepts the API token" in shown
        assert "one was started on 127.0.0.1" in shown
        assert "export SMS_EU_API_TOKEN='...'" in shown
        assert "as the Incoming URL" in shown
        written = (fresh.folder / "connector.toml").read_text()
        assert 'api_token = "env:SMS_EU_API_TOKEN"' in written
        assert '[senders.book-shop]\nvalue = "Book shop"\n\n[defaults]\nsender = "book-shop"\n' in written
        assert f'[server]\npublic_url = "http://127.0.0.1:{port}"\nport = {port}\n' in written
        assert TOKEN not in terminal.shown + written
        # What was set up sends, once the secret is where it is said to be.
        fresh.environment["SMS_EU_API_TOKEN"] = TOKEN
        fresh.write("campaign.toml", 'name = "opening"\nmessage.text = "We open on Monday."\n')
        fresh.people(2)
        assert fresh.send("--wait")["delivered"] == 2


def test_answers_that_don_t_work_are_changed(fresh: Desk) -> None:
    with begin(fresh) as terminal:
        terminal.type("1", at=SECRET_PLACE)
        terminal.type(ENTER, at="Name of the variable [SMS_EU_API_TOKEN]: ")
        terminal.type("not-the-token", at="API token: ")
        go_on(terminal, fresh)
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.wait_for("WRONG")
        terminal.wait_for("refused the API token")
        terminal.type("change", at="What now? [1]: ")
        terminal.type(ENTER, at="Number [1]: ")
        terminal.type(ENTER, at=f"Service plan ID [{fresh.options.service_plan_id}]: ")
        terminal.type("where", at="Number [3]: ")
        terminal.wait_for("Enter keeps what was pasted")
        terminal.type(TOKEN, at="API token: ")
        terminal.type(ENTER, at="Region [eu]: ")
        terminal.type("-", at="Messages per second [50] (- takes it away): ")
        terminal.type(ENTER, at="Enter to go on [7]: ")
        terminal.type(ENTER, at="Sender [book-shop]: ")
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.type("y", at="Save this? [Y/n]: ")
        assert terminal.end() == 0, terminal.shown
        assert "not-the-token" not in terminal.shown
        assert "messages_per_second" not in (fresh.folder / "connector.toml").read_text()


def test_a_token_pasted_as_the_name_of_the_variable_is_asked_for_again(fresh: Desk) -> None:
    pasted = "0123456789abcdef0123456789abcdef"
    with begin(fresh) as terminal:
        terminal.type("1", at=SECRET_PLACE)
        terminal.type(pasted, at="Name of the variable [SMS_EU_API_TOKEN]: ")
        terminal.wait_for("That looks like the secret itself; give the name of a variable, such as SMS_EU_API_TOKEN.")
        terminal.type(ENTER, at="Name of the variable [SMS_EU_API_TOKEN]: ")
        terminal.type(TOKEN, at="API token: ")
        go_on(terminal, fresh)
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.type("y", at="Save this? [Y/n]: ")
        assert terminal.end() == 0, terminal.shown
        # Once: as the terminal shows what is typed.
        assert terminal.shown.count(pasted) == 1
        assert pasted not in (fresh.folder / "connector.toml").read_text()


def test_a_sender_of_a_wrong_form_is_asked_for_again_and_one_that_is_replaced_is_not_saved(fresh: Desk) -> None:
    with Terminal(
        fresh.folder, "setup", "sinch-sms", "--set", "name=sms", *_all_given(fresh), SIMULATED_API_TOKEN="not-the-token"
    ) as terminal:
        terminal.type(ENTER, at="Messages per second [none]: ")
        terminal.type(ENTER, at="Enter to go on [7]: ")
        terminal.type("V\u00e5ffel", at="Sender [none]: ")
        terminal.wait_for("has the character")
        terminal.type("Waffle", at="Sender [none]: ")
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.type("change", at="What now? [1]: ")
        terminal.type(ENTER, at="Number [1]: ")
        terminal.type(ENTER, at=f"Service plan ID [{fresh.options.service_plan_id}]: ")
        terminal.type("where", at="Number [3]: ")
        terminal.type(ENTER, at="Region [eu]: ")
        terminal.type(ENTER, at="Messages per second [none]: ")
        terminal.type(ENTER, at="Enter to go on [7]: ")
        terminal.type("V\u00e5ffel", "WAFFLE", at="Sender [waffle]: ")
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.type("change", at="What now? [1]: ")
        terminal.type(ENTER, at="Number [1]: ")
        terminal.type(ENTER, at=f"Service plan ID [{fresh.options.service_plan_id}]: ")
        terminal.type("where", at="Number [3]: ")
        terminal.type(ENTER, at="Region [eu]: ")
        terminal.type(ENTER, at="Messages per second [none]: ")
        terminal.type(ENTER, at="Enter to go on [7]: ")
        terminal.type("Bakery", at="Sender [waffle]: ")
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.type("save", at="What now? [1]: ")
        terminal.type("y", at="Save this? [Y/n]: ")
        assert terminal.end() == 0, terminal.shown
    written = tomllib.loads((fresh.folder / "connector.toml").read_text())
    assert (written["senders"], written["defaults"]) == ({"bakery": {"value": "Bakery"}}, {"sender": "bakery"})


def test_a_sender_that_was_saved_stays_beside_a_new_one(desk: Desk) -> None:
    desk.configure(**{"senders.shop": {"value": "Shop"}}, defaults={"sender": "shop"})
    with Terminal(
        desk.folder, "setup", "sinch-sms", "--set", "name=simulated", *_all_given(desk), **desk.environment
    ) as terminal:
        terminal.type(ENTER, at="Messages per second [none]: ")
        terminal.type(ENTER, at="Enter to go on [7]: ")
        terminal.type("Bakery", at="Sender [shop]: ")
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.type("y", at="Save this? [Y/n]: ")
        assert terminal.end() == 0, terminal.shown
    written = tomllib.loads((desk.folder / "connector.toml").read_text())
    assert written["senders"] == {"shop": {"value": "Shop"}, "bakery": {"value": "Bakery"}}
    assert written["defaults"] == {"sender": "bakery"}


@pytest.mark.parametrize(("choice", "status"), [("stop", 1), ("save", 0)])
def test_what_doesn_t_work_is_saved_or_not_as_the_person_says(fresh: Desk, choice: str, status: int) -> None:
    with begin(fresh, SMS_EU_API_TOKEN="not-the-token") as terminal:
        terminal.type("1", at=SECRET_PLACE)
        terminal.type(ENTER, at="Name of the variable [SMS_EU_API_TOKEN]: ")
        go_on(terminal, fresh)
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.type(choice, at="What now? [1]: ")
        if choice == "save":
            terminal.type("y", at="Save this? [Y/n]: ")
        assert terminal.end() == status
        assert (fresh.folder / "connector.toml").exists() == (choice == "save")
        assert "not-the-token" not in terminal.shown


def test_secrets_in_a_file_and_in_the_keyring(fresh: Desk, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    here = str(Path(__file__).parent)
    nest = {
        "NEST": str(kept),
        "PYTHON_KEYRING_BACKEND": "nest_keyring.Nest",
        "PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]),
    }
    (tmp_path / "signing").write_text("signing-secret\n")
    with begin(fresh, **nest) as terminal:
        terminal.type("in the keyring", at=SECRET_PLACE)
        terminal.type(ENTER, TOKEN, at="API token, which is not shown: ")
        terminal.type("eu", at="Region: ")
        terminal.type(ENTER, at="Messages per second [none]: ")
        terminal.type("Base", at="Enter to go on [7]: ")
        terminal.type(fresh.base_url, at="Base URL [none]: ")
        terminal.type("callback secret", at="Enter to go on [7]: ")
        terminal.type("in a file", at="Number [1]: ")
        terminal.type("nowhere", "signing", at="Path of the file: ")
        # What needs another setting beside it asks for that, too.
        terminal.type("callback user", at="Enter to go on [7]: ")
        terminal.type("sinch", at="Callback user name [none]: ")
        terminal.type("in a file", at="Number [1]: ")
        terminal.type("signing", at="Path of the file: ")
        terminal.type(ENTER, at="Enter to go on [7]: ")
        terminal.type(ENTER, at="Sender [none]: ")
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.wait_for("Save this? [Y/n]: ")
        assert not kept.exists()
        terminal.type("y", at="")
        assert terminal.end() == 0, terminal.shown
        written = (fresh.folder / "connector.toml").read_text()
        assert 'api_token = "keyring:sms-eu.api_token"' in written
        assert 'callback_secret = "file:signing"' in written
        assert 'callback_password = "file:signing"' in written
        assert json.loads(kept.read_text()) == {"campaign-connector/sms-eu.api_token": TOKEN}
        assert TOKEN not in terminal.shown + written
    with Terminal(fresh.folder, "check", **nest) as checked:
        assert checked.end() == 0, checked.shown


def test_a_project_with_its_access_key(fresh: Desk) -> None:
    with Terminal(
        fresh.folder, "setup", "sinch-sms", "--set", "name=sms", "--set", f"base_url={fresh.base_url}"
    ) as terminal:
        terminal.type("project", at="Number [1]: ")
        terminal.type("project-1", at="Project ID: ")
        terminal.type("key-1", at="Key ID: ")
        terminal.type("1", at="Number [1]: ")
        terminal.type("KEY", at="Name of the variable [SMS_KEY_SECRET]: ")
        terminal.type("key-secret-1", at="Key secret: ")
        terminal.wait_for("One of us, eu.")
        terminal.type("br", "us", at="Region: ")
        terminal.wait_for("Messages per second")
        terminal.interrupt()
        assert terminal.end() == 1
        assert "work in the regions us and eu" in " ".join(terminal.shown.split())
        assert "nothing was saved" in terminal.shown
        assert "key-secret-1" not in terminal.shown
        assert list(fresh.folder.glob("connector*")) == []


def test_what_is_there_is_offered_and_enter_keeps_it(desk: Desk) -> None:
    desk.configure(**{"senders.shop": {"value": "Shop"}}, defaults={"sender": "shop"}, tracking={"on_absent": "hold"})
    before = (desk.folder / "connector.toml").read_text()
    with Terminal(desk.folder, "setup", "sinch-sms", "--test-number", "+46701740605", **desk.environment) as terminal:
        terminal.type(ENTER, at="Name [simulated]: ")
        terminal.type(ENTER, at="Number [1]: ")
        terminal.type(ENTER, at=f"Service plan ID [{desk.options.service_plan_id}]: ")
        terminal.type(ENTER, at="Number [3]: ")
        terminal.type(ENTER, at="Region [eu]: ")
        terminal.type(ENTER, at="Messages per second [none]: ")
        terminal.type(ENTER, at="Enter to go on [7]: ")
        terminal.type(ENTER, at="Sender [shop]: ")
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.type("y", at="Send a real test message to that number now? [y/N]: ")
        assert terminal.end() == 0, terminal.shown
        assert "connector.toml says all of this already." in terminal.shown
        assert "Accepted after" in terminal.shown
        assert "delivered after" in " ".join(terminal.shown.split())
        assert (desk.folder / "connector.toml").read_text() == before
        assert desk.account()["accepted_once"] == 1


def test_another_integration_beside_the_first(desk: Desk) -> None:
    with Terminal(desk.folder, "setup", "sinch-sms", *_all_given(desk), **desk.environment) as terminal:
        terminal.type("second", at="Name [simulated]: ")
        terminal.type(ENTER, at="Messages per second [none]: ")
        terminal.type(ENTER, at="Enter to go on [7]: ")
        terminal.type(ENTER, at="Sender [none]: ")
        terminal.type(ENTER, at="Public URL [none]: ")
        terminal.type(ENTER, at="Do campaigns that name no integration go through second? [Y/n]: ")
        terminal.type(ENTER, at="Save this? [Y/n]: ")
        assert terminal.end() == 0, terminal.shown
        written = (desk.folder / "connector.toml").read_text()
        assert '[defaults]\nintegration = "second"\n' in written
        assert "[integrations.simulated]" in written


def _all_given(desk: Desk) -> list[str]:
    given = {
        "service_plan_id": desk.options.service_plan_id,
        "api_token": "env:SIMULATED_API_TOKEN",
        "region": "eu",
        "base_url": desk.base_url,
    }
    return [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
