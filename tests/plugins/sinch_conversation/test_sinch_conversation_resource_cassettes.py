"""`connector conversation` against recorded answers; the README in `cassettes/sinch-conversation` says of what."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from connector_sinch.conversation.simulator import SIMULATOR
from recording import assert_nothing_real, recording_tests, vcr_config_of
from sinch_conversation_recording import (
    API_URL,
    BATCH_URL,
    PERSON,
    SIMULATED,
    SIMULATED_WEBHOOK_SECRET,
    ConversationHiding,
    Recorded,
    recorded,
    replayed,
)

from connector.cli.main import cli
from connector.simulator import running

CASSETTES = Path(__file__).parents[3] / "cassettes" / "sinch-conversation" / "resources"
TEMPLATE_URL = "https://eu.template.api.sinch.com"
OTHER = "12015550102"


class ResourceHiding(ConversationHiding):
    """Hides what is simulated of a project; all of it was made for the recording."""

    wished_times = re.compile(r'(?<="accept_time":")[^"]+')

    def host_of(self, address: Any, path: str) -> str | None:
        return TEMPLATE_URL if path.startswith("/v2/projects/") else super().host_of(address, path)

    def show(self, said: Any) -> Any:
        return said


@dataclass
class Desk:
    """A configuration that leads to a project, and the commands on it."""

    folder: Path
    target: Recorded

    def run(self, *words: str, **options: Any) -> Result:
        config = str(self.folder / "connector.toml")
        environment = {"KEY_SECRET": self.target.settings["key_secret"].value(), "TOKEN": "API-TOKEN"}
        result = CliRunner(env=environment).invoke(cli, ["--config", config, "conversation", *words], **options)
        assert result.exit_code == 0, result.output
        return result

    def json(self, *words: str, **options: Any) -> Any:
        return json.loads(self.run(*words, "--json", **options).stdout)

    def write(self, name: str, content: Any) -> str:
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(path)

    def just_now(self) -> str:
        """A minute ago, as the command line takes it."""
        return (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.fixture
def hiding() -> ResourceHiding:
    return ResourceHiding()


@pytest.fixture
def vcr_cassette_dir() -> str:
    return str(CASSETTES)


@pytest.fixture
def vcr_config(hiding: ResourceHiding) -> dict[str, Any]:
    return vcr_config_of(hiding)


@pytest.fixture(autouse=True)
def _everything_on_the_cassette_is_asked_for(vcr: Any, record_mode: str) -> Iterator[None]:
    yield
    if vcr is not None and record_mode == "none":
        assert vcr.all_played


@pytest.fixture
def desk(tmp_path: Path, record_mode: str, hiding: ResourceHiding) -> Iterator[Callable[..., Desk]]:
    """Makes a desk at the simulator, whatever the environment names: a project of somebody's is not changed."""
    with ExitStack() as stack:

        def make(**options: Any) -> Desk:
            target = replayed()
            if record_mode != "none":
                url = stack.enter_context(running(SIMULATOR, SIMULATOR.Options(**options)))
                target = recorded(url)
                hiding.hide(target)
            table = {name: value for name, value in target.settings.items() if isinstance(value, str)}
            lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
            text = "\n".join(["[integrations.conv]", 'provider = "sinch-conversation"', *lines, ""])
            (tmp_path / "connector.toml").write_text(f'{text}key_secret = "env:KEY_SECRET"\n')
            return Desk(tmp_path, target)

        yield make


@pytest.mark.vcr
@pytest.mark.block_network
def test_apps(desk):
    at = desk()
    made = at.json("app", "create", "Shop", "SMS", "--identity", "plan", "--token", "env:TOKEN", "--mode", "DISPATCH")
    app = ("--app", made["id"])
    assert made["id"] in [each["id"] for each in at.json("app", "list")["apps"]]
    at.run("app", "add-channel", "RCS", "--identity", "agent", "--token", "env:TOKEN", *app)
    messenger = at.write("messenger.json", {"static_token": {"token": "PAGE-TOKEN"}})
    at.run("app", "add-channel", "MESSENGER", "--credentials", messenger, *app)
    at.run("app", "order-channels", "RCS", *app)
    at.run("app", "sign-channel", "RCS", "--callback-secret", "env:TOKEN", *app)
    at.run("app", "remove-channel", "MESSENGER", "--yes", *app)
    at.run("app", "set", "--name", "Books", "--metadata-view", "FULL", "--fallback-seconds", "60", *app)
    at.run("app", "retention", "--dispatch-days", "3", "--legal-justification", "Complaints", "--yes", *app)
    shown = at.json("app", "show", *app)
    assert [each["channel"] for each in shown["channel_credentials"]] == ["RCS", "SMS"]
    assert shown["channel_credentials"][0]["has_callback_secret"]
    assert (shown["display_name"], shown["conversation_metadata_report_view"]) == ("Books", "FULL")
    assert shown["dispatch_retention_policy"]["ttl_days"] == 3
    assert shown["delivery_report_based_fallback"]["enabled"]
    at.run("app", "delete", made["id"], "--yes")


@pytest.mark.vcr
@pytest.mark.block_network
def test_contacts(desk):
    at = desk(processing_mode="CONVERSATION")
    first, second = (
        at.json("contact", "create", channel, f"+{number}", "--external-id", channel)["id"]
        for channel, number in (("SMS", PERSON), ("WHATSAPP", OTHER))
    )
    (found,) = at.json("contact", "list", "--channel", "SMS", "--identity", PERSON)["contacts"]
    assert found["id"] == first
    assert at.json("contact", "list", "--external-id", "WHATSAPP")["contacts"][0]["id"] == second
    assert at.json("contact", "update", first, "--name", "Ada")["display_name"] == "Ada"
    at.run("contact", "add-identity", first, "RCS", f"+{PERSON}")
    at.run("contact", "remove-identity", first, "RCS")
    merged = at.json("contact", "merge", first, second, "--yes")
    assert [each["channel"] for each in merged["channel_identities"]] == ["SMS", "WHATSAPP"]
    assert at.json("contact", "show", first)["display_name"] == "Ada"
    assert at.json("contact", "conflicts")["conflicts"] == []
    at.run("contact", "delete", first, "--yes")
    assert at.json("contact", "list")["contacts"] == []


@pytest.mark.vcr
@pytest.mark.block_network
def test_contacts_in_bulk(desk):
    at = desk(processing_mode="CONVERSATION")
    people = at.write("people.csv", f"display_name,SMS\nAda,+{PERSON}\nBo,+{OTHER}\n")
    assert at.json("contact", "import", people)["taken"] == 2
    assert at.json("contact", "export", str(at.folder / "out.csv"))["contacts"] == 2
    ids = [each["id"] for each in at.json("contact", "list")["contacts"]]
    assert at.json("contact", "delete", "-", "--yes", input="\n".join(ids)) == {"taken": 2}


@pytest.mark.vcr
@pytest.mark.block_network
def test_conversations_and_their_messages(desk):
    at = desk(processing_mode="CONVERSATION")
    person = at.json("contact", "create", "SMS", f"+{PERSON}")["id"]
    made = at.json("create", person, "--channel", "SMS", "--metadata", '{"order": "7"}')["id"]
    whom = ("--channel", "SMS", "--identity", PERSON, "--at", at.just_now())
    message = at.write("message.json", {"text_message": {"text": "Is it open?"}})
    at.run("inject", made, message, "--contact", person, "--from-person", *whom)
    joined = at.write("event.json", {"agent_joined_event": {"agent": {"display_name": "Ada"}}})
    event = at.json("inject-event", made, joined, *whom)["injected"]
    assert [each["id"] for each in at.json("event", "list", "--conversation", made)["events"]] == [event]
    assert at.json("event", "show", event)["conversation_id"] == made
    at.run("event", "delete", event, "--yes")
    assert at.json("update", made, "--correlation-id", "c7")["correlation_id"] == "c7"
    assert at.json("show", made)["contact_id"] == person
    assert [each["id"] for each in at.json("list", "--contact", person)["conversations"]] == [made]
    (recent,) = at.json("recent")["conversations"]
    assert recent["conversation"]["id"] == made
    (listed,) = at.json("message", "list", "--conversation", made)["messages"]
    assert listed["contact_message"] == {"text_message": {"text": "Is it open?"}}
    assert (
        at.json("message", "last", PERSON)["messages"] == at.json("message", "last", person, "--contacts")["messages"]
    )
    assert at.json("message", "set-metadata", listed["id"], "seen", "--yes")["metadata"] == "seen"
    assert at.json("message", "show", listed["id"])["metadata"] == "seen"
    at.run("message", "delete", listed["id"], "--yes")
    at.run("stop", made)
    at.run("delete", made, "--yes")


@pytest.mark.vcr
@pytest.mark.block_network
def test_webhooks(desk):
    at = desk()
    client = ("--client-id", "us", "--client-secret", "env:TOKEN", "--token-url", "https://crm.example.com/token")
    address = "https://crm.example.com/told"
    made = at.json("webhook", "create", address, "--trigger", "OPT_OUT", "--secret", "env:TOKEN", *client)
    assert (made["has_secret"], made["has_client_credentials"]) == (True, True)
    assert [each["id"] for each in at.json("webhook", "list")["webhooks"]] == [made["id"]]
    at.run("webhook", "set", made["id"], "--silent", "--trigger", "OPT_IN", "--trigger", "OPT_OUT")
    shown = at.json("webhook", "show", made["id"])
    assert (shown["target_type"], shown["triggers"]) == ("DISMISS", ["OPT_IN", "OPT_OUT"])
    at.run("webhook", "delete", made["id"], "--yes")


@pytest.mark.vcr
@pytest.mark.block_network
def test_templates(desk):
    at = desk()
    text = {"language_code": "en-US", "version": "1", "text_message": {"text": "Hi ${name}"}}
    given = {"default_translation": "en-US", "description": "greeting", "translations": [text]}
    made = at.json("template", "create", at.write("template.json", given))
    assert [each["id"] for each in at.json("template", "list")["templates"]] == [made["id"]]
    shown = at.json("template", "show", made["id"])
    shown["translations"][0]["text_message"]["text"] = "Hello ${name}"
    changed = at.json("template", "update", made["id"], at.write("template.json", shown))
    assert changed["version"] == made["version"] + 1
    (english,) = at.json("template", "translations", made["id"], "--language", "en-US")["translations"]
    assert english["text_message"]["text"] == "Hello ${name}"
    at.run("template", "delete", made["id"], "--yes")


@pytest.mark.vcr
@pytest.mark.block_network
def test_consents(desk):
    at = desk()
    assert at.json("consent", "add", f"+{PERSON}", f"+{OTHER}", "--list", "OPT_OUT_MARKETING")["taken"] == 2
    listed = at.json("consent", "list", "OPT_OUT_MARKETING")["identities"]
    assert {each["identity"] for each in listed} == {PERSON, OTHER}
    (record,) = at.json("consent", "audit", f"+{PERSON}")["audit_records"]
    assert (record["list_type"], record["origin"]) == ("OPT_OUT_MARKETING", "ORIGIN_API")


@pytest.mark.vcr
@pytest.mark.block_network
def test_about_a_person_and_a_message(desk):
    at = desk(processing_mode="CONVERSATION")
    assert at.json("capability", "RCS", PERSON)["request_id"]
    assert at.json("profile", "MESSENGER", "fan")["profile_name"]
    assert at.json("event", "send", "composing", "RCS", PERSON)["event_id"]
    card = at.write("card.json", {"card_message": {"title": "Sale", "description": "From Monday"}})
    made = at.json("transcode", card, "--channel", "SMS", "--channel", "WHATSAPP")["transcoded"]
    assert set(made) == {"SMS", "WHATSAPP"}


@pytest.mark.vcr
@pytest.mark.block_network
def test_settings_of_the_project(desk):
    at = desk(processing_mode="CONVERSATION")
    unified = lambda: at.json("settings", "show")["settings"]["contact_settings"]["unified_contact_id_enabled"]  # noqa: E731
    assert not unified()
    at.run("settings", "set", "--one-contact-per-number", "--yes")
    assert unified()
    at.run("settings", "reset", "--yes")
    assert not unified()


ADDRESS = re.compile(
    r"https://auth\.sinch\.com/oauth2/token"
    rf"|({re.escape(API_URL)}|{re.escape(BATCH_URL)})/v1/projects/PROJECT/\w.*"
    rf"|{re.escape(TEMPLATE_URL)}/v2/projects/PROJECT/templates.*"
)


@pytest.mark.parametrize("file", sorted(CASSETTES.glob("*.yaml")), ids=lambda file: file.stem)
def test_cassettes_hold_no_secret_and_nobody_real(file: Path):
    assert_nothing_real(file, ADDRESS, {**SIMULATED, "webhook": SIMULATED_WEBHOOK_SECRET})


def test_every_cassette_has_its_test():
    assert {file.stem for file in CASSETTES.glob("*.yaml")} == recording_tests(globals())
