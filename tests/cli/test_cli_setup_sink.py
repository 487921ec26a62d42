"""`connector setup SINK`: a platform that gets the events, by words and as somebody types at a terminal."""

import base64
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from cli_kit import Desk
from connector_bloomreach.simulator import SIMULATOR
from connector_bloomreach.simulator_options import BloomreachOptions
from setup_kit import Terminal, findings

from connector.simulator import running

ENTER = ""
OPTIONS = BloomreachOptions()
SECRET = OPTIONS.api_secret
NEW_SECRET = "whsec_" + base64.b64encode(b"1" * 24).decode()
VARIABLE = "SIMULATED_BLOOMREACH_SECRET"


@pytest.fixture
def platform() -> Iterator[str]:
    """The address of a simulated project."""
    with running(SIMULATOR, OPTIONS) as base_url:
        yield base_url


def words(address: str, /, **more: Any) -> list[str]:
    """The `--set`s of a sink at the simulated project; `more` adds some, or changes them."""
    settings = {**SIMULATOR.settings(address, OPTIONS), "name": "crm", **more}
    del settings["sink"]
    return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]


def saved(desk: Desk) -> Mapping[str, Any]:
    return tomllib.loads((desk.folder / "connector.toml").read_text())


def test_by_words_a_platform_is_tried_saved_and_gets_the_next_campaign(desk: Desk, platform: str) -> None:
    desk.environment[VARIABLE] = SECRET
    before = "# Ada looks after this.\n" + (desk.folder / "connector.toml").read_text()
    desk.write("connector.toml", before)
    ids = {"customer_ids.registered": "customer_id", 'customer_ids."phone id"': "recipient_with_plus"}
    told = desk.json("setup", "bloomreach", *words(platform, **ids, properties="operator=operator, sender="), "--yes")
    assert (told["saved"], told["sink"], told["integration"]) == (True, "crm", None)
    assert findings(told)["address"][0] == "ok"
    assert findings(told)["permission"][0] == "not_proved"
    written = (desk.folder / "connector.toml").read_text()
    assert written.startswith(before.rstrip())
    assert SECRET not in written + str(told)
    table = saved(desk)["sinks"]["crm"]
    assert table["customer_ids"] == {"registered": "customer_id", "phone id": "recipient_with_plus"}
    assert table["properties"] == {"operator": "operator", "sender": ""}
    assert table["api_secret"] == f"env:{VARIABLE}"
    assert any("connector sinks crm" in sentence for sentence in told["to_do"])
    desk.people(2)
    desk.send("--wait")
    (state,) = desk.json("sinks")["sinks"]
    assert (state["name"], state["lag"], state["dead_letters"]) == ("crm", 0, 0)
    # The same again changes what is said, and nothing else.
    told = desk.json("setup", "bloomreach", "--set", "event_type=sms", "--set", "customer_ids.registered=", "--yes")
    changed = {line for line in told["changes"] if line[0] in "+-"}
    assert changed == {'-registered = "customer_id"', '+event_type = "sms"'}
    assert saved(desk)["sinks"]["crm"]["customer_ids"] == {"phone id": "recipient_with_plus"}


def test_what_happened_before_waits_for_a_sink_that_begins_at_the_beginning(desk: Desk) -> None:
    desk.people(3)
    desk.send("--wait")
    given = ["--set", "path=events.jsonl", "--set", "start=beginning", "--set", "only_statuses=delivered, failed"]
    told = desk.json("setup", "jsonl", *given, "--yes")
    assert any(sentence.startswith("6 events that are there already") for sentence in told["to_do"])
    assert saved(desk)["sinks"]["jsonl"]["only_statuses"] == ["delivered", "failed"]
    assert not (desk.folder / "events.jsonl").exists(), "nothing is written by trying it"


def test_a_sink_that_is_known_from_before_goes_on_where_it_was(desk: Desk) -> None:
    desk.people(3)
    desk.send("--wait")
    desk.json("setup", "jsonl", "--set", "path=events.jsonl", "--yes")
    told = desk.json("setup", "jsonl", "--set", "start=beginning", "--yes")
    (line,) = [sentence for sentence in told["to_do"] if "known from before" in sentence]
    assert line.endswith("connector replay jsonl --since 2026-01-01")


def test_credentials_that_are_refused_are_not_saved(desk: Desk, platform: str) -> None:
    desk.environment[VARIABLE] = "another-secret"
    before = (desk.folder / "connector.toml").read_text()
    told = desk.json("setup", "bloomreach", *words(platform), "--yes", status=1)
    assert (told["saved"], findings(told)["credentials"][0]) == (False, "wrong")
    assert (desk.folder / "connector.toml").read_text() == before
    told = desk.json("setup", "bloomreach", *words(platform), "--yes", "--save-anyway")
    assert (told["saved"], "another-secret" in str(told)) == (True, False)


GIVEN_WRONG = [
    ("api_secret=s3cr3t-itself", "api_secret=env:NAME, file:PATH or keyring:NAME"),
    ("customer_ids=registered", "--set customer_ids: Write NAME=VALUE, with commas between several."),
    ("customer_ids.registered=phone", 'An event has no "phone"; known: customer_id, recipient'),
    ("only_statuses=delivered, lost", 'Found "lost"'),
    ("statuses.deliverd=arrived", "deliverd"),
    ("customer_id=registered", 'did you mean "customer_ids"?'),
    ("start=tomorrow", 'give one of "now", "beginning"'),
    ("name=my crm", "The name of a sink is made of letters, digits, - and _"),
    ("project_token=a project", 'Found "a project", which is not of the right form. It has a space in it. Names the'),
    ("base_url=", "sinks.crm.base_url: This is missing"),
    ("api_token=env:TOKEN", "don't go together"),
]


def test_what_is_given_wrong_is_named_with_what_would_be_right(desk: Desk, platform: str) -> None:
    desk.environment[VARIABLE] = SECRET
    before = (desk.folder / "connector.toml").read_text()
    for given, sentence in GIVEN_WRONG:
        key, _, value = given.partition("=")
        result = desk.run("setup", "bloomreach", *words(platform, **{key: value}), "--yes")
        assert (result.exit_code, result.stdout) == (2, ""), given
        assert sentence in result.stderr, given
        assert "s3cr3t" not in result.output
    result = desk.run("setup", "bloomreach", *words(platform), "--yes", "--test-number", "+12015550123")
    assert (result.exit_code, "is a sink: nothing is sent by it" in " ".join(result.stderr.split())) == (2, True)
    assert (desk.folder / "connector.toml").read_text() == before


def hook(desk: Desk, *secrets: str, status: int = 0) -> str:
    """What the file says of a webhook's secrets, once each `--set` was carried out."""
    private = ["--set", "url=http://127.0.0.1:9/events", "--set", "allow_private_addresses=yes"]
    for given in secrets:
        result = desk.run("setup", "webhook", *private, "--set", f"secret={given}", "--yes")
        assert result.exit_code == status, result.output
        if status:
            return " ".join(result.stderr.split())
    return str(saved(desk)["sinks"]["webhook"]["secret"])


def test_several_secrets_take_commas_while_they_change(desk: Desk) -> None:
    desk.write("hooks,old", NEW_SECRET)
    desk.environment.update(WH1=NEW_SECRET, WH2=NEW_SECRET)
    assert hook(desk, "env:WH1,env:WH2") == "['env:WH1', 'env:WH2']"
    in_file = f"file:{desk.folder / 'hooks,old'}"
    assert hook(desk, f"env:WH2, {in_file}") == str(["env:WH2", in_file])
    assert hook(desk, in_file) == in_file
    assert hook(desk, "env:WH2") == "env:WH2"


def test_each_of_several_secrets_says_where_it_is_found(desk: Desk) -> None:
    desk.environment.update(WH1=NEW_SECRET, WH2=NEW_SECRET)
    assert "secret=env:NAME,env:ANOTHER" in hook(desk, "env:WH1,WH2", status=2)
    told = hook(desk, f"env:WH1,{NEW_SECRET}", status=2)
    assert "a secret itself isn't given here" in told and NEW_SECRET[6:] not in told
    assert "1 to 2 entries" in hook(desk, "env:WH1,env:WH2,env:WH3", status=2)


def test_a_person_chooses_the_platform_and_is_asked_what_it_needs(desk: Desk, platform: str) -> None:
    with Terminal(desk.folder, "setup", **desk.environment) as terminal:
        terminal.wait_for("Begin with the provider")
        terminal.wait_for("Bloomreach Engagement: gets the events")
        terminal.type("99", at="What do you want to set up?: ")
        terminal.wait_for(", or a name such as sinch-conversation.")
        terminal.type("bloomreach", at="What do you want to set up?: ")
        terminal.wait_for("permission Events, Set")
        terminal.type("my crm", "crm", at="Name [bloomreach]: ")
        terminal.type(ENTER, at="Number [1]: ")
        terminal.type(OPTIONS.api_key_id, at="API key ID: ")
        terminal.type(ENTER, at="Number [1]: ")
        terminal.type(ENTER, at="Name of the variable [CRM_API_SECRET]: ")
        terminal.type(SECRET, at="API secret: ")
        terminal.type("api.exponea.com", platform, at="Base URL: ")
        terminal.type("a project", OPTIONS.project_token, at="Project token: ")
        terminal.wait_for("Written as NAME=VALUE")
        terminal.type("phone_id", "phone_id=phone", "phone_id=metadata.phone", at="[registered=customer_id]: ")
        terminal.wait_for("Any of enqueued, enqueue_failed, delivered")
        terminal.type("delivered, lost", "delivered, failed", at="Only statuses [enqueued, ")
        terminal.type("beginning", at="Start [now]: ")
        terminal.type("statuses", at="Enter to go on [")
        terminal.type("delivered=arrived", at="Statuses [none]: ")
        terminal.wait_for("Statuses: delivered=arrived")
        # Another setting's name begins with this one's.
        terminal.type("recipient", at="Enter to go on [")
        terminal.type("left_out", at="Recipient [clear]: ")
        terminal.type(ENTER, at="Enter to go on [")
        terminal.wait_for("Bloomreach answers for this project.")
        terminal.type("y", at="Save this? [Y/n]: ")
        assert terminal.end() == 0, terminal.shown
    shown = " ".join(terminal.shown.split())
    assert SECRET not in terminal.shown
    assert "What is left to do" in shown
    assert "export CRM_API_SECRET='...'" in shown
    assert "^" not in shown, "nobody is shown a regular expression"
    assert saved(desk)["sinks"]["crm"] == {
        "sink": "bloomreach",
        "base_url": platform,
        "project_token": OPTIONS.project_token,
        "api_key_id": OPTIONS.api_key_id,
        "api_secret": "env:CRM_API_SECRET",
        "customer_ids": {"phone_id": "metadata.phone"},
        "only_statuses": ["delivered", "failed"],
        "start": "beginning",
        "statuses": {"delivered": "arrived"},
        "recipient": "left_out",
    }


def test_a_sink_that_is_there_is_offered_and_one_of_another_kind_kept(desk: Desk) -> None:
    desk.configure(**{"sinks.archive": {"sink": "jsonl", "path": "events.jsonl"}})
    with Terminal(desk.folder, "setup", "jsonl", **desk.environment) as terminal:
        terminal.type(ENTER, at="Name [archive]: ")
        terminal.type(ENTER, at="Path [events.jsonl]: ")
        terminal.type(ENTER, at="Start [now]: ")
        terminal.type(ENTER, at="Enter to go on [")
        assert terminal.end() == 0, terminal.shown
    assert "says all of this already" in terminal.shown
    result = desk.run("setup", "webhook", "--set", "name=archive", "--yes")
    assert (result.exit_code, "The sink archive uses jsonl; give another name." in result.stderr) == (2, True)


def test_before_there_is_an_account_it_says_what_comes_next(desk: Desk) -> None:
    (desk.folder / "connector.toml").unlink()
    told = desk.json("setup", "jsonl", "--set", "path=events.jsonl", "--yes")
    assert told["saved"] is True
    assert told["to_do"] == ["Connect the account that sends, whose events are to come here:\nconnector setup"]


def test_who_has_connected_an_account_is_told_of_sinks_once(desk: Desk) -> None:
    told = desk.json("setup", "sinch-sms", "--yes")
    (line,) = [sentence for sentence in told["to_do"] if "connector setup SINK" in sentence]
    assert "bloomreach" in line
    desk.json("setup", "jsonl", "--set", "path=events.jsonl", "--yes")
    told = desk.json("setup", "sinch-sms", "--yes")
    assert not any("connector setup SINK" in sentence for sentence in told["to_do"])
