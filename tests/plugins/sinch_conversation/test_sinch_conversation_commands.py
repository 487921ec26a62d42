"""`connector conversation`: what it shows to people and programs, what it asks before, what it never shows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from answering_api import Api, answering
from click.testing import CliRunner, Result

from connector.cli.main import cli

PROJECT = "/v1/projects/p"
APP = {
    "id": "A1",
    "display_name": "Shop",
    "processing_mode": "DISPATCH",
    "channel_credentials": [
        {
            "channel": "WHATSAPP",
            "static_bearer": {"claimed_identity": "shop", "token": "TOKEN-ONE"},
            "callback_secret": "SIGNS-ONE",
            "state": {"status": "FAILING", "description": "permission revoked"},
        },
        {"channel": "SMS", "static_bearer": {"claimed_identity": "plan", "token": "TOKEN-TWO"}},
    ],
    "retention_policy": {"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": 180},
    "dispatch_retention_policy": {"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": 0},
    "rate_limits": {"outbound": 20, "inbound": 25, "webhooks": 25},
}


@dataclass
class Desk:
    """A configuration, and the API that it leads to."""

    folder: Path
    api: Api

    def at(self, path: str) -> Api:
        return self.api.at(f"{PROJECT}/{path}")

    def run(self, *words: str, **options: Any) -> Result:
        config = str(self.folder / "connector.toml")
        environment = {"KEY_SECRET": "KEY-ITSELF", "RCS_TOKEN": "TOKEN-FIVE"}
        return CliRunner(env=environment).invoke(cli, ["--config", config, "conversation", *words], **options)

    def json(self, *words: str, status: int = 0) -> Any:
        result = self.run(*words, "--json")
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    def write(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return str(path)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with answering() as api:
        api.at("/oauth2/token").will(200, {"access_token": "A-TOKEN", "expires_in": 3600})
        made = Desk(tmp_path, api)
        configure(made, "conv")
        yield made


def configure(desk: Desk, *names: str, default: str | None = None) -> None:
    text = "" if default is None else f'[defaults]\nintegration = "{default}"\n'
    for number, name in enumerate(names, 1):
        text += (
            f'[integrations.{name}]\nprovider = "sinch-conversation"\nproject_id = "p"\napp_id = "A{number}"\n'
            f'region = "eu"\nkey_id = "key"\nkey_secret = "env:KEY_SECRET"\n'
            f'base_url = "{desk.api.url}"\nauth_url = "{desk.api.url}"\n'
        )
    desk.write("connector.toml", text)


def test_an_app_is_shown_with_the_state_of_its_channels_and_without_its_secrets(desk: Desk) -> None:
    desk.at("apps/A1").will(200, APP)
    shown = desk.run("app", "show")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert any(line.split()[:3] == ["1", "WHATSAPP", "FAILING"] and "permission revoked" in line for line in lines)
    assert any(line.split()[:2] == ["2", "SMS"] for line in lines)
    assert "not at all" in shown.stdout
    told = desk.json("app", "show")
    assert told["channel_credentials"][0]["state"]["description"] == "permission revoked"
    for text in (shown.stdout, json.dumps(told)):
        assert "TOKEN" not in text
        assert "SIGNS" not in text


def test_a_channel_is_added_by_a_token_that_is_found_elsewhere(desk: Desk) -> None:
    app = desk.at("apps/A1").will(200, APP)
    assert desk.run("app", "add-channel", "RCS", "--identity", "agent", "--token", "env:RCS_TOKEN").exit_code == 0
    assert app.seen[-1].json["channel_credentials"][2]["static_bearer"]["token"] == "TOKEN-FIVE"
    line = desk.write("line.json", '{"line_credentials": {"token": "TOKEN-SIX", "secret": "SIGNS-SIX"}}')
    told = desk.json("app", "add-channel", "LINE", "--credentials", line)
    assert app.seen[-1].json["channel_credentials"][2]["channel"] == "LINE"
    assert "SIX" not in json.dumps(told)


def test_a_token_itself_is_refused_and_not_shown(desk: Desk) -> None:
    result = desk.run("app", "add-channel", "RCS", "--identity", "agent", "--token", "TOKEN-FIVE")
    assert result.exit_code == 2
    assert "--token: A secret is given as env:NAME" in result.stderr
    assert "TOKEN-FIVE" not in result.output
    assert desk.api.seen == []


def test_retention_needs_a_reason_which_is_kept_before_it_is_changed(desk: Desk) -> None:
    app = desk.at("apps/A1").will(200, APP)
    result = desk.run("app", "retention", "--dispatch-days", "3", "--yes")
    assert result.exit_code == 2
    assert "--legal-justification is missing" in result.stderr
    assert app.seen == []
    words = ["--dispatch-days", "3", "--legal-justification", "Complaints are answered within 3 days", "--yes"]
    told = desk.json("app", "retention", *words)
    kept = Path(told["justification_kept_in"])
    (line,) = map(json.loads, kept.read_text().splitlines())
    assert kept.parent == desk.folder
    assert line["legal_justification"] == "Complaints are answered within 3 days"
    assert line["before"]["dispatch_retention_policy"]["ttl_days"] == 0
    assert line["wanted"]["dispatch_retention_policy"]["ttl_days"] == 3
    assert app.seen[-1].json["dispatch_retention_policy"]["ttl_days"] == 3


@pytest.mark.parametrize(("option", "days"), [("--days", "0"), ("--days", "3651"), ("--dispatch-days", "8")])
def test_times_that_the_api_does_not_take_are_told_before_anything_is_kept(desk: Desk, option: str, days: str) -> None:
    app = desk.at("apps/A1").will(200, APP)
    result = desk.run("app", "retention", option, days, "--legal-justification", "Law", "--yes")
    assert (result.exit_code, "ttl_days is" in result.stderr) == (2, True)
    assert {seen.method for seen in app.seen} == {"GET"}
    assert not (desk.folder / "legal-justifications.jsonl").exists()


def test_retention_stays_where_the_reason_cannot_be_kept(desk: Desk) -> None:
    app = desk.at("apps/A1").will(200, APP)
    (desk.folder / "legal-justifications.jsonl").mkdir()
    result = desk.run("app", "retention", "--days", "10", "--legal-justification", "Law", "--yes")
    assert result.exit_code == 2
    assert "nothing was changed" in result.stderr
    assert {seen.method for seen in app.seen} == {"GET"}


@pytest.mark.parametrize(
    "words",
    [
        ("app", "delete", "A1"),
        ("app", "remove-channel", "SMS"),
        ("contact", "delete", "C"),
        ("contact", "merge", "C", "D"),
        ("delete", "C"),
        ("event", "delete", "E"),
        ("message", "delete", "M"),
        ("settings", "reset"),
        ("settings", "set", "--one-contact-per-number"),
        ("template", "delete", "T"),
        ("webhook", "delete", "W"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_undone_is_asked_for(desk: Desk, words: tuple[str, ...]) -> None:
    result = desk.run(*words)
    assert result.exit_code == 2
    assert "needs --yes" in result.stderr
    assert desk.api.seen == []


def test_lists_are_as_long_as_one_wants(desk: Desk) -> None:
    contacts = desk.at("contacts")
    contacts.will(200, {"contacts": [{"id": "1"}, {"id": "2", "display_name": "Ada"}], "next_page_token": "T"})
    contacts.will(200, {"contacts": [{"id": "3"}]})
    told = desk.json("contact", "list", "--limit", "2")
    assert told == {"contacts": [{"id": "1"}, {"id": "2", "display_name": "Ada"}], "more": True}
    contacts.answers.insert(0, (200, b'{"contacts": [{"id": "1"}], "next_page_token": "T"}', {}))
    shown = desk.run("contact", "list", "--limit", "0")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["contact", "1", "3"]
    contacts.answers[:] = [(200, b"{}", {})]
    assert desk.run("contact", "list").stdout == "There are no contacts.\n"


def test_contacts_go_out_and_in_again(desk: Desk) -> None:
    people = [
        {
            "id": "C1",
            "display_name": "Zoë; Ada",
            "language": "EN_US",
            "channel_priority": ["RCS", "SMS"],
            "channel_identities": [
                {"channel": "SMS", "identity": "12015550123"},
                {"channel": "MESSENGER", "identity": "a;b:c/d", "app_id": "A7"},
            ],
        },
        {
            "id": "C2",
            "metadata": 'two\nlines, and "quotes"',
            "channel_identities": [{"channel": "RCS", "identity": "x"}],
        },
    ]
    desk.at("contacts").will(200, {"contacts": people}).will(200)
    file = str(desk.folder / "people.csv")
    assert desk.json("contact", "export", file) == {"file": file, "contacts": 2}
    assert desk.json("contact", "import", file) == {"file": file, "contacts": 2, "taken": 2}
    first, second = desk.at("contacts").seen[-1].json["contacts"]
    assert first == {key: value for key, value in people[0].items() if key != "id"}
    assert second == {**{key: value for key, value in people[1].items() if key != "id"}, "language": "UNSPECIFIED"}


def test_contacts_come_in_from_a_table_with_channels_for_columns(desk: Desk) -> None:
    file = desk.write("people.csv", "\ufeffdisplay_name,SMS,INSTAGRAM\nAda,+12015550123,ada\nBob,,bob\n")
    desk.at("contacts").will(200)
    assert desk.json("contact", "import", file)["taken"] == 2
    first, second = desk.at("contacts").seen[0].json["contacts"]
    assert first["channel_identities"] == [
        {"channel": "SMS", "identity": "+12015550123"},
        {"channel": "INSTAGRAM", "identity": "ada", "app_id": "A1"},
    ]
    assert [each["channel"] for each in second["channel_identities"]] == ["INSTAGRAM"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,SMS\nAda,+12015550124\n", "a column 'name'"),
        ("", "it is empty"),
        ('SMS\n+12015550124\n""\n', "line 3: it has no identity"),
        ("identities\n+12015550124\n", "written CHANNEL:identity"),
        ("SMS,metadata\n+12015550124," + "x" * 1025 + "\n", "line 2: metadata has 1,025"),
        ("SMS\n+12015550124,7\n", "more cells"),
    ],
)
def test_a_table_with_a_fault_brings_nobody_in(desk: Desk, content: str, words: str) -> None:
    result = desk.run("contact", "import", desk.write("people.csv", content))
    assert result.exit_code == 2
    assert words in result.stderr
    assert "2015550124" not in result.stderr
    assert desk.api.seen == []


def test_many_contacts_are_deleted_by_ids_from_a_pipe(desk: Desk) -> None:
    desk.at("contacts").will(200)
    result = desk.run("contact", "delete", "-", "--yes", "--json", input="C1\n\nC2\n")
    assert json.loads(result.stdout) == {"taken": 2}
    assert desk.at("contacts").seen[0].json == {"contact_ids": ["C1", "C2"]}


def test_opt_outs_are_written_from_a_file(desk: Desk) -> None:
    desk.at("consents").will(200, {"batch_id": "B"})
    file = desk.write("gone.txt", "+12015550123\n+12015550124\n")
    told = desk.json("consent", "add", "--list", "OPT_OUT_MARKETING", "--file", file)
    assert told == {"taken": 2, "list": "OPT_OUT_MARKETING"}
    assert desk.at("consents").seen[0].json == {
        "app_id": "A1",
        "consent_records": [
            {"identification": "+12015550123", "consent_type": "OPT_OUT_MARKETING"},
            {"identification": "+12015550124", "consent_type": "OPT_OUT_MARKETING"},
        ],
    }


def test_how_somebody_came_onto_a_list(desk: Desk) -> None:
    stop = {
        "origin": "ORIGIN_MO",
        "operation": "OPERATION_INSERT",
        "list_type": "OPT_OUT_ALL",
        "datetime": "2026-06-06T14:42:56Z",
    }
    desk.at("apps/A1/consents/identities/12015550123").will(200, {"audit_records": [stop]})
    (_, line) = desk.run("consent", "audit", "+12015550123").stdout.splitlines()
    assert line.split() == ["2026-06-06T14:42:56Z", "OPT_OUT_ALL", "insert", "the", "person"]


def test_a_template_is_shown_changed_and_replaced(desk: Desk) -> None:
    shown = {
        "id": "T",
        "version": 4,
        "default_translation": "en-US",
        "create_time": "2026-01-01T00:00:00Z",
        "translations": [
            {"language_code": "en-US", "text_message": {"text": "Hi"}, "create_time": "2026-01-01T00:00:00Z"}
        ],
    }
    template = desk.api.at("/v2/projects/p/templates/T").will(200, shown)
    told = desk.json("template", "show", "T")
    told["translations"][0]["text_message"]["text"] = "Hello"
    assert desk.run("template", "update", "T", desk.write("t.json", json.dumps(told))).exit_code == 0
    assert template.seen[-1].json == {
        "version": 4,
        "default_translation": "en-US",
        "translations": [{"language_code": "en-US", "text_message": {"text": "Hello"}}],
    }
    del told["version"]
    result = desk.run("template", "update", "T", desk.write("t.json", json.dumps(told)))
    assert (result.exit_code, "version is missing" in result.stderr) == (2, True)


def test_messages_are_listed_with_what_was_said(desk: Desk) -> None:
    messages = desk.at("messages").will(
        200,
        {
            "messages": [
                {
                    "id": "M1",
                    "direction": "TO_APP",
                    "contact_message": {"text_message": {"text": "Is it open?"}},
                    "channel_identity": {"channel": "SMS", "identity": "12015550123"},
                    "accept_time": "2026-06-06T14:42:56Z",
                },
                {"id": "M2", "direction": "TO_CONTACT", "app_message": {"card_message": {"title": "Sale"}}},
            ]
        },
    )
    shown = desk.run("message", "list", "--dispatched", "--since", "2026-06-01")
    assert messages.seen[0].query == {
        "app_id": "A1",
        "start_time": "2026-06-01T00:00:00.000Z",
        "messages_source": "DISPATCH_SOURCE",
        "page_size": "100",
    }
    first, second = shown.stdout.splitlines()[1:]
    assert "Is it open?" in first
    assert "card_message" in second


def test_conversations_are_stopped_and_history_is_brought_along(desk: Desk) -> None:
    stop = desk.at("conversations/C:stop").will(200)
    assert desk.json("stop", "C") == {"stopped": "C"}
    assert stop.seen[0].method == "POST"
    result = desk.run("update", "C", "--metadata", "[1]")
    assert (result.exit_code, "give an object of JSON" in result.stderr) == (2, True)
    message = desk.write("message.json", '{"text_message": {"text": "Hi"}}')
    words = ["--contact", "P", "--channel", "SMS", "--identity", "12015550123", "--at", "2020-01-01"]
    result = desk.run("inject", "C", message, *words)
    assert (result.exit_code, "at most 30 days" in result.stderr) == (2, True)


def test_a_campaign_is_shown_as_channels_would_make_it(desk: Desk) -> None:
    transcode = desk.at("messages:transcode").will(200, {"transcoded_message": {"SMS": "Hi ${name}"}})
    campaign = desk.write(
        "campaign.toml", 'name = "x"\n[message]\ntext = "Hi ${name}"\n[message.defaults]\nname = "f"\n'
    )
    assert desk.json("transcode", campaign, "--channel", "SMS") == {"transcoded": {"SMS": "Hi ${name}"}}
    assert transcode.seen[0].json == {
        "app_id": "A1",
        "app_message": {"text_message": {"text": "Hi ${name}"}},
        "channels": ["SMS"],
    }


def test_of_a_campaign_only_the_message_is_shown(desk: Desk) -> None:
    message = {
        "type": "text",
        "body": "Hi ${name}\nSee you",
        "from": "",
        "lines": [{"no": 1}, {"no": 2}],
        "to": ["a", "b"],
    }
    transcode = desk.at("messages:transcode").will(200, {"transcoded_message": {"RCS": json.dumps(message)}})
    campaign = """
name = "x"
[message]
channel_priority_order = ["RCS"]
ttl = "60s"
card_message.title = "Hi ${name}"
outside_session.template_message.channel_template.WHATSAPP = { template_id = "t", language_code = "en_US" }
explicit_channel_omni_message.SMS.text_message.text = "Hi"
defaults.name = "friend"
"""
    shown = desk.run("transcode", desk.write("campaign.toml", campaign), "--channel", "RCS").stdout.splitlines()
    assert transcode.seen[0].json["app_message"] == {
        "card_message": {"title": "Hi ${name}"},
        "explicit_channel_omni_message": {"SMS": {"text_message": {"text": "Hi"}}},
    }
    assert [line.split(maxsplit=1) for line in shown[1:]] == [
        ["type", "text"],
        ["body", "Hi ${name} ⏎ See you"],
        ["lines.1.no", "1"],
        ["lines.2.no", "2"],
        ["to", "a, b"],
    ]
    assert shown[0] == "RCS"


def test_events_that_the_api_keeps(desk: Desk) -> None:
    typing = {
        "id": "E1",
        "direction": "TO_CONTACT",
        "app_event": {"composing_event": {}},
        "channel_identity": {"channel": "RCS", "identity": "12015550123"},
        "contact_id": "P",
        "accept_time": "2026-06-06T14:42:56Z",
    }
    listed = desk.at("events").will(200, {"events": [typing]})
    (_, line) = desk.run("event", "list", "--contact", "P").stdout.splitlines()
    assert line.split() == ["E1", "2026-06-06T14:42:56Z", "the", "app", "RCS", "P", "composing_event"]
    assert listed.seen[0].query == {"contact_id": "P", "page_size": "20"}
    one = desk.at("events/E1").will(200, typing)
    assert desk.json("event", "show", "E1")["app_event"] == {"composing_event": {}}
    assert desk.json("event", "delete", "E1", "--yes") == {"deleted": "E1"}
    assert [seen.method for seen in one.seen] == ["GET", "DELETE"]


def test_history_beside_messages_is_brought_along(desk: Desk) -> None:
    inject = desk.at("conversations/C:inject-event").will(200, {"event_id": "E"})
    event = desk.write("event.json", '{"agent_joined_event": {"agent": {"display_name": "Ada"}}}')
    words = ["--channel", "SMS", "--identity", "12015550123", "--at", "2026-06-06 14:00:00"]
    assert desk.json("inject-event", "C", event, *words) == {"injected": "E"}
    assert inject.seen[0].json == {
        "app_event": {"agent_joined_event": {"agent": {"display_name": "Ada"}}},
        "channel_identity": {"channel": "SMS", "identity": "12015550123"},
        "accept_time": "2026-06-06T14:00:00.000Z",
    }


def test_the_last_message_of_each(desk: Desk) -> None:
    last = desk.at("messages:fetch-last-message").will(200, {"messages": [{"id": "M1", "direction": "TO_APP"}]})
    assert [line.split()[0] for line in desk.run("message", "last", "+12015550123").stdout.splitlines()] == [
        "message",
        "M1",
    ]
    assert last.seen[0].json == {"app_id": "A1", "channel_identities": ["12015550123"], "page_size": 1000}
    desk.run("message", "last", "P1", "P2", "--contacts", "--direction", "TO_APP")
    assert last.seen[1].json == {"app_id": "A1", "contact_ids": ["P1", "P2"], "direction": "TO_APP", "page_size": 1000}


def test_settings_of_the_project(desk: Desk) -> None:
    on = {"project_id": "p", "settings": {"contact_settings": {"unified_contact_id_enabled": True}}}
    settings = desk.at("settings").will(404, {"error": {"code": 404, "message": "", "status": "NOT_FOUND"}})
    assert desk.run("settings", "show").stdout.split()[-1] == "no"
    # Where none were made, they are made.
    settings.will(404).will(200, on)
    settings.answers.pop(0)
    assert desk.json("settings", "set", "--one-contact-per-number", "--yes") == on
    assert [seen.method for seen in settings.seen[1:]] == ["PATCH", "POST"]
    assert settings.seen[-1].json == {"contact_settings": {"unified_contact_id_enabled": True}}
    assert desk.run("settings", "show").stdout.split()[-1] == "yes"
    assert desk.json("settings", "reset", "--yes") == {"reset": True}
    assert settings.seen[-1].method == "DELETE"


def test_a_webhook_is_made_for_an_address_that_wants_a_token(desk: Desk) -> None:
    made = {"id": "W", "target": "https://crm.example.com", "target_type": "HTTP", "secret": "SIGNS-ONE"}
    webhooks = desk.at("webhooks").will(200, {**made, "client_credentials": {"client_secret": "TOKEN-FIVE"}})
    words = ["--client-id", "us", "--client-secret", "env:RCS_TOKEN", "--token-url", "https://crm.example.com/token"]
    result = desk.run("webhook", "create", "https://crm.example.com", "--trigger", "OPT_OUT", *words)
    assert webhooks.seen[0].json["client_credentials"] == {
        "client_id": "us",
        "client_secret": "TOKEN-FIVE",
        "endpoint": "https://crm.example.com/token",
        "token_request_type": "BASIC",
    }
    assert "TOKEN-FIVE" not in result.output
    assert "SIGNS-ONE" not in result.output
    result = desk.run("webhook", "create", "https://crm.example.com", "--client-id", "us")
    assert (result.exit_code, "give all of" in result.stderr) == (2, True)
    one = desk.at("webhooks/W").will(200, made)
    assert desk.json("webhook", "show", "W")["has_secret"] is True
    assert desk.run("webhook", "set", "W", "--silent", "--trigger", "OPT_IN").exit_code == 0
    assert (one.seen[-1].method, one.seen[-1].json) == ("PATCH", {"triggers": ["OPT_IN"], "target_type": "DISMISS"})


def test_when_an_app_tries_the_next_channel(desk: Desk) -> None:
    app = desk.at("apps/A1").will(200, {**APP, "message_retry_settings": {"retry_duration": 60}})
    shown = desk.run("app", "set", "--fallback-seconds", "600", "--retry-seconds", "60")
    assert app.seen[0].json == {
        "message_retry_settings": {"retry_duration": 60},
        "delivery_report_based_fallback": {"enabled": True, "delivery_report_waiting_time": 600},
    }
    assert "60 seconds" in shown.stdout
    desk.run("app", "set", "--fallback-seconds", "0")
    assert app.seen[1].json == {"delivery_report_based_fallback": {"enabled": False}}
    result = desk.run("app", "set", "--fallback-seconds", "5")
    assert (result.exit_code, "the API takes 10 to 259,200" in result.stderr) == (2, True)


def test_about_one_person(desk: Desk) -> None:
    desk.at("capability:query").will(200, {"request_id": "R"})
    assert desk.json("capability", "RCS", "12015550123") == {"request_id": "R"}
    profile = desk.at("contacts:getChannelProfile").will(200, {"profile_name": "Ada"})
    assert desk.json("profile", "MESSENGER", "fan") == {"profile_name": "Ada"}
    (identity,) = profile.seen[0].json["recipient"]["identified_by"]["channel_identities"]
    assert identity == {"channel": "MESSENGER", "identity": "fan", "app_id": "A1"}
    events = desk.at("events:send").will(200, {"event_id": "E"})
    assert desk.json("event", "send", "composing", "RCS", "12015550123") == {"event_id": "E"}
    assert events.seen[0].json["event"] == {"composing_event": {}}
    desk.run("event", "send", "composing", "RCS", "--contact", "P")
    desk.run("capability", "--contact", "P")
    desk.run("profile", "LINE", "--contact", "P")
    for path in ("events:send", "capability:query", "contacts:getChannelProfile"):
        assert desk.at(path).seen[-1].json["recipient"] == {"contact_id": "P"}
    for words in (("profile", "LINE"), ("capability", "RCS", "--contact", "P"), ("event", "send", "composing", "RCS")):
        assert desk.run(*words).exit_code == 2


def test_which_integration(desk: Desk) -> None:
    for number in (1, 2):
        desk.at(f"apps/A{number}").will(200, {"id": f"A{number}"})
    configure(desk, "one", "two")
    result = desk.run("app", "show")
    assert (result.exit_code, "--integration NAME; there is one, two" in result.stderr) == (2, True)
    assert desk.json("app", "show", "--integration", "two")["id"] == "A2"
    result = desk.run("app", "show", "--integration", "three")
    assert (result.exit_code, "three is no integration" in result.stderr) == (2, True)
    configure(desk, "one", "two", default="two")
    assert desk.json("app", "show")["id"] == "A2"
    configure(desk)
    result = desk.run("app", "show")
    assert (result.exit_code, "connector setup sinch-conversation" in result.stderr) == (2, True)


def test_refusals_are_told_without_numbers(desk: Desk) -> None:
    desk.at("contacts").will(400, {"error": {"code": 400, "message": "bad +12015550123", "status": "INVALID_ARGUMENT"}})
    result = desk.run("contact", "create", "SMS", "+12015550123")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line == "Error: The API answered HTTP 400 INVALID_ARGUMENT: bad (number)"
    desk.at("contacts/C").will(404, {"code": 404, "message": "information not found", "status": "NOT_FOUND"})
    result = desk.run("contact", "show", "C")
    assert (result.exit_code, "another region" in result.stderr) == (2, True)
