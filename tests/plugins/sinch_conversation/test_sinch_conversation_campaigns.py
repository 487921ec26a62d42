"""Campaigns through the whole connector: who gets what, over which channel, and what stops them."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from answering_api import Api
from connector_sinch.conversation.provider import SinchConversation
from connector_sinch.signature import signed_headers
from pydantic_core import to_json
from sending_kit import wait_until
from sinch_conversation_kit import APP, APPS, KEY_SECRET, MESSAGES, NUMBERS, SEND, TRANSCODE, settings

from connector import Connector, Recipient
from connector.model.callback import Request
from connector.model.errors import CampaignError, InputError, KeyConflict

Make = Callable[..., Connector]
CARD = {"card_message": {"title": "For ${name}", "description": "Your code: ${code}"}}
SECRETS = {"key-secret": KEY_SECRET, "webhook-secret": "hook", "token": "t"}


@pytest.fixture
def make(api: Api, tmp_path: Path) -> Iterator[Make]:
    made = []

    def build(public_url: str | None = "https://hooks.example", **more: Any) -> Connector:
        given = {
            "integrations": {
                "conv": settings(api, **more),
                "sms": {
                    "provider": "sinch-sms",
                    "service_plan_id": "p",
                    "api_token": "token",
                    "region": "eu",
                    "base_url": api.url,
                },
            },
            "defaults": {"integration": "conv"},
            "storage": {"url": f"sqlite:///{tmp_path / 'ledger.db'}"},
            "server": {"public_url": public_url} if public_url else {},
        }
        connector = Connector(given, secrets=SECRETS.__getitem__)
        made.append(connector)
        return connector

    api.will(200, {"count": 0, "inbounds": []})
    api.at(APPS).will(200, {"id": APP, "processing_mode": "DISPATCH"})
    api.at(MESSAGES).will(200, {"batch_id": "01JBATCH"})
    yield build
    for connector in made:
        connector.close()


def campaign(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "spring", "message": message, **more}


def rows(*given: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"to": f"+{number}", **row} for number, row in zip(NUMBERS, given, strict=False)]


def entries(api: Api) -> list[dict[str, Any]]:
    (seen,) = [seen for seen in api.at(MESSAGES).seen if seen.method == "POST"]
    return seen.json["recipient_and_params"]


def skips(connector: Connector, dispatch: Any) -> dict[str, int]:
    return dict(dispatch.report().skipped.by_reason)


def test_one_line_sends_the_campaign_of_sms_through_other_channels(make: Make, api: Api):
    connector = make()
    dispatch = connector.send(campaign({"text": "Hi ${name}"}), rows({"name": "Ada"}, {"name": "Bo"}))
    assert dispatch.report().enqueued == 2
    assert [entry["parameters"] for entry in entries(api)] == [{"name": "Ada"}, {"name": "Bo"}]
    ids = [entry["message_metadata"]["message"] for entry in entries(api)]
    assert ids == [f"{dispatch.id}-0", f"{dispatch.id}-1"]
    url = api.at(MESSAGES).seen[0].json["callback_url"]
    assert url.startswith("https://hooks.example/webhooks/")
    assert [event.number_of_message_parts for event in dispatch.all_events()] == [1, 1]


def test_a_card_needs_its_parameters_from_every_field(make: Make, api: Api):
    connector = make()
    dispatch = connector.send(
        campaign({**CARD, "defaults": {"code": "SPRING"}}), rows({"name": "Ada", "code": "A"}, {"name": "Bo"}, {})
    )
    assert dispatch.report().enqueued == 2
    assert skips(connector, dispatch) == {"missing_parameter": 1}
    assert [entry["parameters"] for entry in entries(api)] == [
        {"name": "Ada", "code": "A"},
        {"name": "Bo", "code": "SPRING"},
    ]
    assert [event.number_of_message_parts for event in dispatch.all_events()] == [None, None, None]


def test_only_what_goes_out_as_sms_can_be_too_long(make: Make, api: Api):
    long = "x" * 400
    connector = make()
    as_sms = connector.send(campaign({"text": "${t}"}, max_parts=1), rows({"t": long}, {"t": "short"}))
    assert skips(connector, as_sms) == {"too_long": 1}
    message = {"text": "${t}", "channel_priority_order": ["RCS"]}
    elsewhere = connector.preview(campaign(message, max_parts=1), rows({"t": long}, {"t": "short"}))
    assert (elsewhere.skipped, elsewhere.number_of_message_parts) == (0, 0)
    assert elsewhere.samples[0].text.startswith('{"text":"xxx')


def test_parameters_without_a_column_are_found_before_anything_is_planned(make: Make, tmp_path: Path):
    people = tmp_path / "people.csv"
    people.write_text("to,nam\n+12015550101,Ada\n")
    with pytest.raises(CampaignError) as thrown:
        make().send(campaign(CARD), people)
    assert [fault.place for fault in thrown.value.faults] == ["message", "message"]
    assert "Did you mean ${nam}?" in str(thrown.value)


def test_what_is_wrong_with_a_message_is_told_before_anything_leaves(make: Make, api: Api):
    with pytest.raises(CampaignError, match=r"message\.card_message\.titel"):
        make().send(campaign({"card_message": {"titel": "x"}}), rows({}))
    assert api.seen == []


def test_a_message_of_channels_does_not_go_through_a_provider_of_texts(make: Make):
    with pytest.raises(CampaignError) as thrown:
        make().send(campaign({**CARD, "ttl": "60s"}, integration="sms"), rows({}))
    assert {fault.place for fault in thrown.value.faults} == {"message.card_message", "message.ttl"}


def test_nothing_to_send(make: Make, tmp_path: Path):
    people = tmp_path / "people.csv"
    people.write_text("to\n+12015550101\n")
    with pytest.raises(CampaignError, match="nothing to send"):
        make().send(campaign({"ttl": "60s"}), people)


def test_texts_of_the_platform_stand_in_place_of_the_campaigns_message(make: Make, api: Api):
    message = {"ttl": "60s", "channel_properties": {"SMS_FLASH_MESSAGE": "${flash}"}}
    dispatch = make().send(
        campaign(message), rows({"text": "One", "flash": "true"}, {"text": "Two"}, {"flash": "true"})
    )
    assert dispatch.report().enqueued == 1
    assert dispatch.report().skipped.by_reason == {"missing_parameter": 2}
    assert [entry["parameters"] for entry in entries(api)] == [{"text": "One", "flash": "true"}]
    (seen,) = [seen for seen in api.at(MESSAGES).seen if seen.method == "POST"]
    assert seen.json["message"] == {"text_message": {"text": "${text}"}}
    assert seen.json["channel_properties"]["SMS_FLASH_MESSAGE"] == "${flash}"


def test_people_by_number_identity_and_contact(make: Make, api: Api, tmp_path: Path):
    people = tmp_path / "people.csv"
    people.write_text(
        "to,customer_id,identities\n"
        "+12015550101,c-1,\n"
        ",c-2,MESSENGER:7746 SMS:+12015550102\n"
        "01JC0NTACT000000000000000A,c-3,\n"
        "+61491570156,c-4,WHATSAPP:+61491570156 SMS:+61491570156\n"
        "nobody,c-5,\n"
        "+46701740605,c-6,WHATSAPP:12\n"
        ",c-7,MESSENGER:7746\n"
        ",c-8,\n"
    )
    connector = make()
    dispatch = connector.send(campaign({"text": "Hello"}), people)
    assert skips(connector, dispatch) == {"invalid_number": 3, "duplicate": 1}
    assert [entry["recipient"] for entry in entries(api)] == [
        {"identified_by": {"channel_identities": [{"channel": "SMS", "identity": "+12015550101"}]}},
        {
            "identified_by": {
                "channel_identities": [
                    {"channel": "MESSENGER", "identity": "7746"},
                    {"channel": "SMS", "identity": "+12015550102"},
                ]
            }
        },
        {"contact_id": "01JC0NTACT000000000000000A"},
        {
            "identified_by": {
                "channel_identities": [
                    {"channel": "WHATSAPP", "identity": "+61491570156"},
                    {"channel": "SMS", "identity": "+61491570156"},
                ]
            }
        },
    ]
    told = {event.customer_id: event.recipient for event in dispatch.all_events() if event.status == "enqueued"}
    assert told == {
        "c-1": "12015550101",
        "c-2": "MESSENGER:7746",
        "c-3": "contact:01JC0NTACT000000000000000A",
        "c-4": "61491570156",
    }
    assert "parameters" not in entries(api)[0]
    for written, address in (("MESSENGER:7746", "MESSENGER:7746"), ("+44 7400 123456", "447400123456")):
        assert connector.messages_of(written).recipient == address
    assert [each.customer_id for each in connector.messages_of("MESSENGER:7746").messages] == ["c-2", "c-7"]
    with pytest.raises(InputError):
        connector.messages_of("somebody")


def test_identities_from_a_host(make: Make, api: Api):
    identities = [{"channel": "LINE", "identity": "U1"}, {"channel": "SMS", "identity": "+12015550101"}]
    connector = make()
    dispatch = connector.send(
        campaign({"text": "Hi ${name}"}),
        [
            Recipient(identities=identities, parameters={"name": "Ada"}),
            {"identities": "MESSENGER:7746", "name": "Bo"},
            Recipient("+12015550102", parameters={"name": "Cy"}),
        ],
    )
    assert dispatch.report().enqueued == 3
    found = [entry["recipient"]["identified_by"]["channel_identities"] for entry in entries(api)]
    assert [[each["channel"] for each in one] for one in found] == [["LINE", "SMS"], ["MESSENGER"], ["SMS"]]
    assert [entry["parameters"] for entry in entries(api)] == [{"name": "Ada"}, {"name": "Bo"}, {"name": "Cy"}]


@pytest.mark.parametrize(
    ("message", "fits", "too_long"),
    [
        ({"correlation_id": "${ref}"}, "r" * 128, "r" * 129),
        ({"correlation_id": "o-${ref}"}, "r" * 126, "r" * 127),
        ({"conversation_metadata": {"order": {"of": "${ref}"}}}, "r" * 2029, "r" * 2030),
        ({"conversation_metadata": {"of": ["${ref}"]}}, "r" * 2037, '"' * 1100),
        ({"channel_properties": {"SMS_FLASH_MESSAGE": "false", "LINE_X": "${ref}"}}, "r" * 1024, "r" * 1025),
    ],
    ids=["correlation_id", "beside words", "metadata", "metadata, escaped", "properties"],
)
def test_whose_value_makes_a_field_too_long_is_skipped(
    make: Make, api: Api, message: dict[str, Any], fits: str, too_long: str
):
    api.at(SEND).will(200, {"message_id": "01JM1"}).will(200, {"message_id": "01JM2"})
    connector = make()
    given = campaign({"text": "Hello", **message, "defaults": {"ref": "none"}})
    dispatch = connector.send(given, rows({"ref": fits}, {"ref": too_long}, {}))
    report = dispatch.report()
    assert (report.state, report.enqueued, skips(connector, dispatch)) == ("finished", 2, {"too_long": 1})
    opened = connector.open(given, key="orders")
    assert [opened.add(row, key=row["to"]).reason for row in rows({"ref": fits}, {"ref": too_long})] == [
        None,
        "too_long",
    ]


def test_a_value_that_the_api_refuses_in_a_field_of_the_message_stops_nobody_else(make: Make, api: Api):
    refusal = {"field": "message.text_message.text", "description": "is not allowed"}
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [refusal]}]
    wrong = {"error": {"code": 400, "message": "Wrong", "status": "INVALID_ARGUMENT", "details": details}}
    api.at(SEND).will(400, wrong).will(200, {"message_id": "01JM1"}).will(200, {"message_id": "01JM2"})
    message = {"text": "Hi ${name}", "queue": "HIGH_PRIORITY"}
    report = make().send(campaign(message), rows({"name": "A"}, {"name": "B"}, {"name": "C"})).report()
    assert (report.state, report.enqueued, report.enqueue_failed) == ("finished", 2, 1)


def test_a_field_that_is_refused_with_everybodys_values_still_stops_the_campaign(make: Make, api: Api):
    refusal = {"field": "message.text_message.text", "description": "is not allowed"}
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [refusal]}]
    wrong = {"error": {"code": 400, "message": "Wrong", "status": "INVALID_ARGUMENT", "details": details}}
    api.at(SEND).will(400, wrong)
    message = {"text": "Hi ${name}", "queue": "HIGH_PRIORITY"}
    dispatch = make().send(campaign(message), rows(*({"name": name} for name in "ABCD")))
    report = dispatch.report()
    assert (report.state, report.waiting, report.enqueue_failed) == ("stopped", 4, 0)


@pytest.mark.parametrize(
    ("order", "skipped"),
    [
        (["MESSENGER"], {"no_channel": 2}),
        (["MESSENGER", "LINE"], {"no_channel": 2}),
        (["MESSENGER", "SMS"], {}),
        # It may take numbers.
        (["NEWER"], {}),
        (None, {}),
    ],
    ids=str,
)
def test_a_number_does_not_leave_over_a_channel_that_takes_none(
    make: Make, api: Api, order: list[str] | None, skipped: dict[str, int]
):
    people = [
        {"to": "+12015550101"},
        {"to": "+12015550102", "identities": "MESSENGER:7746"},
        {"to": "MESSENGER:7747"},
        {"to": "01JC0NTACT000000000000000A"},
        {"to": "+61491570156"},
    ]
    message = {"text": "Hello"} if order is None else {"text": "Hello", "channel_priority_order": order}
    connector = make()
    assert connector.preview(campaign(message), people).by_reason == skipped
    dispatch = connector.send(campaign(message), people)
    assert skips(connector, dispatch) == skipped
    numbers = [
        each["identity"]
        for entry in entries(api)
        for each in entry["recipient"].get("identified_by", {}).get("channel_identities", [])
        if each["channel"] in ("MESSENGER", "TELEGRAM", "LINE")
    ]
    assert numbers == ["7746", "7747"]


@pytest.mark.parametrize(
    ("order", "reached"),
    [
        (["RCS", "SMS"], [1, 4, 5, 6]),
        (["LINE"], [5, 6]),
        (["TELEGRAM", "SMS"], [0, 1, 2, 3, 4, 5, 6]),
        # It may be how any of them is reached.
        (["NEWER", "SMS"], [0, 1, 2, 3, 4, 5, 6]),
        (None, [0, 1, 2, 3, 4, 5, 6]),
    ],
    ids=str,
)
def test_who_has_an_identity_on_none_of_the_channels_is_skipped(
    make: Make, api: Api, order: list[str] | None, reached: list[int]
):
    people = [
        {"to": "+12015550100", "identities": "TELEGRAM:99"},
        {"to": "+12015550101", "identities": "TELEGRAM:99 SMS:+12015550101"},
        {"to": "+12015550102", "identities": "TELEGRAM:98 MESSENGER:7746"},
        {"to": "TELEGRAM:97"},
        {"to": "+12015550104"},
        # A channel that isn't known here, and a contact, whose identities aren't.
        {"to": "+12015550105", "identities": "NEWEST:1"},
        {"to": "01JC0NTACT000000000000000A"},
    ]
    message = {"text": "Hello"} if order is None else {"text": "Hello", "channel_priority_order": order}
    connector = make()
    skipped = {"no_channel": len(people) - len(reached)} if len(reached) < len(people) else {}
    preview = connector.preview(campaign(message), people)
    assert (preview.by_reason, preview.to_send) == (skipped, len(reached))
    dispatch = connector.send(campaign(message), people)
    assert skips(connector, dispatch) == skipped
    assert len(entries(api)) == len(reached)


def test_nothing_is_left_of_identities_of_a_dispatch_that_was_there_already(make: Make, tmp_path: Path):
    connector = make()
    people = [{"to": "+12015550101", "identities": "MESSENGER:7746 SMS:+12015550101"}]
    sent = connector.send(campaign({"text": "Hello"}), iter(people))
    with pytest.raises(KeyConflict):
        connector.send(campaign({"text": "Hello"}), iter(people))
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        kept = ledger.execute("SELECT dispatch, address FROM addresses ORDER BY address").fetchall()
    assert kept == [(sent.number, "12015550101"), (sent.number, "MESSENGER:7746"), (sent.number, "SMS:12015550101")]


def test_a_provider_of_texts_still_wants_numbers(make: Make, tmp_path: Path):
    people = tmp_path / "people.csv"
    people.write_text("identities\nMESSENGER:7746\n")
    with pytest.raises(CampaignError, match="no column `to`"):
        make().send(campaign({"text": "Hello"}, integration="sms"), people)
    people.write_text("to,identities\nMESSENGER:7746,x\n+12015550101,SMS:+12015550101\n")
    preview = make().preview(campaign({"text": "Hello"}, integration="sms"), people)
    assert (preview.by_reason, preview.columns_not_used) == ({"invalid_number": 1}, ["identities"])


def test_a_sender_of_some_countries_serves_no_address_without_one(make: Make):
    connector = make()
    given = campaign({"text": "Hello"})
    preview = connector.preview(given, [{"to": "MESSENGER:7746"}, *rows({})])
    assert preview.by_country == {"": 1, "US": 1}


def test_a_category_says_what_kind_of_message_it_is(make: Make, api: Api):
    api.at(SEND).will(200, {"message_id": "01JM"})
    connector = make(consent_management=True)
    connector.send(campaign({"text": "Your code"}, category="transactional"), rows({}))
    connector.send(campaign({"text": "Sale"}, category="marketing"), rows({}))
    connector.send(campaign({"text": "Sale too"}), rows({}))
    assert [seen.json["message_content_type"] for seen in api.at(SEND).seen] == [
        "CONTENT_NOTIFICATION",
        "CONTENT_MARKETING",
        "CONTENT_MARKETING",
    ]


def test_a_message_that_goes_alone_is_one_request_each(make: Make, api: Api):
    api.at(SEND).will(200, {"message_id": "01JM1"}).will(200, {"message_id": "01JM2"})
    message = {"text": "Hello", "queue": "HIGH_PRIORITY"}
    connector = make()
    assert connector.preview(campaign(message), rows({}, {})).requests == 2
    assert connector.send(campaign(message), rows({}, {})).report().enqueued == 2
    assert [seen.json["queue"] for seen in api.at(SEND).seen] == ["HIGH_PRIORITY"] * 2


def test_single_requests_keep_the_pace_of_the_project(
    make: Make, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(SinchConversation, "limits", replace(SinchConversation.limits, requests_per_second=10))
    api.at(SEND).will(200, {"message_id": "01JM1"}).will(200, {"message_id": "01JM2"}).will(
        200, {"message_id": "01JM3"}
    )
    make().send(campaign({"text": "Hello", "queue": "HIGH_PRIORITY"}), rows({}, {}, {}))
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        sent = [microseconds for (microseconds,) in ledger.execute("SELECT sent_at FROM attempts ORDER BY sent_at")]
    gaps = [after - before for before, after in pairwise(sent)]
    assert len(gaps) == 2
    assert min(gaps) >= 99_999


def test_nobody_waits_for_reports_that_cannot_come(make: Make, api: Api):
    connector = make(public_url=None)
    report = connector.send(campaign({"text": "Hello"}), rows({}, {})).wait()
    assert (report.enqueued, report.open) == (2, 2)
    (finding,) = [each for each in connector.check() if each.name == "callback path" and each.integration == "conv"]
    assert finding.result == "wrong"
    assert "can't be asked for reports" in finding.message


def test_a_dry_run_shows_the_first_message_on_each_channel(make: Make, api: Api):
    api.at(TRANSCODE).will(200, {"transcoded_message": {"SMS": '{"body":"Hi Ada"}'}})
    preview = make().preview(campaign({"text": "Hi ${name}"}), rows({"name": "Ada"}), ask_provider=True)
    assert preview.first_request is not None
    assert preview.first_request.by_channel == {"SMS": '{"body":"Hi Ada"}'}
    assert preview.first_request.counted_by_provider is None


def test_messages_are_added_one_by_one(make: Make, api: Api):
    api.at(SEND).will(200, {"message_id": "01JM"})
    connector = make()
    opened = connector.open(campaign(CARD), key="welcome")
    assert opened.add({"to": "MESSENGER:7746", "name": "Ada", "code": "a"}, key="1").reason is None

    def sent() -> bool:
        # It leaves a moment after it was added, for others to come along.
        connector.work()
        return bool(api.at(SEND).seen)

    wait_until(sent)
    (seen,) = api.at(SEND).seen
    assert seen.json["message"] == {"card_message": {"title": "For Ada", "description": "Your code: a"}}


@pytest.mark.parametrize("reason", ["CHANNEL_BAD_CONFIGURATION", "CHANNEL_CONFIGURATION_MISSING"])
def test_a_channel_that_fails_pauses_what_runs_in_the_words_of_the_api(make: Make, api: Api, reason: str):
    connector = make(webhook_secret="webhook-secret")
    api.at(SEND).will(200, {"message_id": "01JM"}).will(429, retry_after="3600")
    dispatch = connector.plan(campaign({"text": "Hello", "queue": "HIGH_PRIORITY"}), rows({}, {}))
    connector.work()
    assert dispatch.report().waiting == 1
    sent = api.at(SEND).seen[0].json
    body = to_json(
        {
            "app_id": "a",
            "project_id": "p",
            "event_time": "2026-11-23T09:30:00Z",
            "message_delivery_report": {
                "message_id": "01JM",
                "status": "FAILED",
                "channel_identity": {"channel": "SMS", "identity": "12015550101", "app_id": ""},
                "reason": {"code": reason, "description": "The token of the channel was revoked"},
                "metadata": sent["message_metadata"],
            },
        }
    )
    headers = signed_headers("hook", body, nonce="n", timestamp="1")
    path = sent["callback_url"].removeprefix("https://hooks.example")
    assert connector.receive(Request("POST", path, headers, body)).status == 200
    report = dispatch.report()
    assert (report.rejected, report.state) == (1, "paused")
    assert "revoked" in (report.cause or "")
