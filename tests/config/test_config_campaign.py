"""Checking campaigns, from files and from dictionaries."""

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pigeon_kit import pigeons, settings_of

from connector.config.load import check_campaign, check_settings, load_campaign
from connector.config.names import campaign_faults, integration_of
from connector.config.settings import Settings
from connector.model.campaign import Campaign
from connector.model.errors import CampaignError
from connector.order import read_campaign

KNOWN = "category, expire_at, id, integration, max_parts, message, metadata, name, send_at, sender, time_zone"
RIGHT = {"name": "harvest", "message": {"text": "Apples for ${name}: $${ is not a mark"}}
OFFSET = "give a date and time with an offset, such as 2026-12-01T09:00:00+01:00."


def test_a_campaign_in_toml(tmp_path: Any) -> None:
    path = tmp_path / "harvest.toml"
    path.write_text(
        """
        id = "c-7"
        name = "harvest"
        sender = "Orchard"
        send_at = 2026-12-01T09:00:00+01:00
        metadata = { team = "fruit", day = 2026-12-01 }
        [message]
        text = "Apples for ${name}"
        [message.defaults]
        name = "you"
        """
    )
    campaign = load_campaign(path)
    assert (campaign.id, campaign.name, campaign.sender, campaign.max_parts) == ("c-7", "harvest", "Orchard", 30)
    assert campaign.send_at == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert campaign.message.text == "Apples for ${name}"
    assert campaign.message.defaults == {"name": "you"}
    assert campaign.metadata == {"team": "fruit", "day": "2026-12-01"}


def test_the_same_campaign_in_json(tmp_path: Any) -> None:
    path = tmp_path / "harvest.JSON"
    path.write_text(json.dumps({**RIGHT, "send_at": "2026-12-01T08:00:00Z"}))
    assert load_campaign(str(path)).send_at == datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_what_a_provider_takes_beside_a_text_stays() -> None:
    campaign = check_campaign({"name": "harvest", "message": {"card_message": {"title": "Apples"}}})
    assert campaign.message.model_extra == {"card_message": {"title": "Apples"}}


def test_a_host_may_give_times_as_times() -> None:
    at = datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=1)))
    assert check_campaign({**RIGHT, "send_at": at}).send_at == at


BAD: list[tuple[Any, list[str]]] = [
    (
        {"nme": "harvest", "message": {}},
        [
            "name: This is missing; give a text of 1 to 200 characters.",
            "nme: There is no such key; did you mean name?",
        ],
    ),
    ({"name": "harvest"}, ["message: This is missing; give a table."]),
    ({**RIGHT, "message": "Apples"}, ['message: Found "Apples"; give a table.']),
    ({"name": "harvest", "message": {"txt": "Hi"}}, ["message.txt: There is no such key. Did you mean text?"]),
    (
        {"name": "harvest", "message": {"text": "Hi", "default": {}}},
        ["message.default: There is no such key. Did you mean defaults?"],
    ),
    ({**RIGHT, "recipients": ["+12015550123"]}, [f"recipients: There is no such key; known here: {KNOWN}."]),
    ({**RIGHT, "name": ""}, ["name: This is empty; give a text of 1 to 200 characters."]),
    ({**RIGHT, "name": "x" * 201}, ["name: Found 201 characters; give a text of 1 to 200 characters."]),
    ({**RIGHT, "id": 42}, ["id: Found 42; give a text of at most 200 characters."]),
    ({**RIGHT, "max_parts": 0}, ["max_parts: Found 0; give a whole number from 1 to 255."]),
    ({**RIGHT, "max_parts": 2.5}, ["max_parts: Found 2.5; give a whole number from 1 to 255."]),
    ({**RIGHT, "metadata": []}, ["metadata: Found a list; give a table."]),
    (
        {**RIGHT, "send_at": datetime(2026, 12, 1, 9)},  # noqa: DTZ001
        [
            'send_at: Found "2026-12-01T09:00:00", a local time; give its offset from UTC, such as '
            "2026-12-01T09:00:00+01:00, or Z for UTC, or name its time_zone."
        ],
    ),
    (
        {**RIGHT, "expire_at": date(2026, 12, 1)},
        [
            'expire_at: Found "2026-12-01", a local time; give its offset from UTC, such as '
            "2026-12-01T00:00:00+01:00, or Z for UTC, or name its time_zone."
        ],
    ),
    ({**RIGHT, "send_at": "tomorrow"}, [f'send_at: Found "tomorrow"; {OFFSET}']),
    ({**RIGHT, "send_at": "2026-02-30T09:00:00Z"}, [f'send_at: Found "2026-02-30T09:00:00Z"; {OFFSET}']),
    ({**RIGHT, "send_at": 1764579600}, [f"send_at: Found 1764579600; {OFFSET}"]),
    (
        {**RIGHT, "send_at": "2026-12-01T09:00:00Z", "expire_at": "2026-12-01T10:00:00+01:00"},
        ["expire_at: This is not after send_at; give a later time."],
    ),
    (
        {"name": "harvest", "message": {"text": "For ${name", "defaults": {"name": 1}}},
        [
            "message.defaults.name: Found 1; give a text that isn't empty.",
            "message.text: A ${ has no } after its name; write ${name}, and $${ for a literal ${.",
        ],
    ),
    (
        {"name": "harvest", "message": {"text": "For ${ }"}},
        ["message.text: A ${} names no parameter; write ${name}, and $${ for a literal ${."],
    ),
    ({**RIGHT, "metadata": {"a": [float("nan")]}}, ["metadata.a[0]: Found nan; give a finite number."]),
    (
        {**RIGHT, "metadata": {"a": ["Hi \ud83d"]}},
        ["metadata.a[0]: This holds half a character (a lone surrogate); cut texts between characters."],
    ),
    (
        {**RIGHT, "metadata": {"\ud83d": 1}},
        ["metadata: This holds half a character (a lone surrogate); cut texts between characters."],
    ),
    (
        {**RIGHT, "name": "Hi \ud83d"},
        ["name: This holds half a character (a lone surrogate); cut texts between characters."],
    ),
    (
        {**RIGHT, "metadata": {"a": object()}},
        ["metadata: A value can't be written as JSON; give texts, numbers, true or false, lists and tables."],
    ),
    ("harvest", [': Found "harvest"; give a table.']),
]


@pytest.mark.parametrize(("document", "messages"), BAD, ids=range(len(BAD)))
def test_a_bad_campaign(document: Any, messages: list[str]) -> None:
    with pytest.raises(CampaignError) as caught:
        check_campaign(document, "there.toml")
    assert [f"{fault.place}: {fault.message}" for fault in caught.value.faults] == messages
    assert {fault.source for fault in caught.value.faults} == {"there.toml"}
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '{"name": "x",\n "message"}', "line 2, column 11: This is not JSON; look before here"),
        ("a.json", "[" * 100_000, "the whole file: This is not JSON"),
        ("a.toml", "name = x", "line 1, column 8: This is not TOML; look before here"),
        ("a.yaml", "name: x", "The name of this file doesn't end in .toml or .json."),
    ],
)
def test_a_torn_campaign_file(tmp_path: Any, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CampaignError, match=re.escape(f"{path}: {message}")) as caught:
        load_campaign(path)
    assert caught.value.__context__ is None


def test_a_missing_campaign_file(tmp_path: Any) -> None:
    with pytest.raises(CampaignError, match=r"There is no such file\. Name the file of a campaign"):
        load_campaign(tmp_path / "nowhere.toml")


SETTINGS = check_settings(
    {
        **settings_of(),
        "senders": {"orchard": {"value": "Orchard"}},
        "categories": {"fruit": {"kind": "marketing"}},
        "defaults": {"integration": "birds"},
    },
    pigeons(),
)


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"integration": "birds", "sender": "orchard", "category": "fruit"},
        {"sender": "Literal"},
        {"sender": "+447700900123"},
    ],
)
def test_names_that_are_configured(names: dict[str, str]) -> None:
    assert campaign_faults(Campaign.model_validate({**RIGHT, **names}), SETTINGS) == []


def test_names_that_are_not_configured() -> None:
    names = {"integration": "brids", "sender": "Orchards of the north", "category": "fruits"}
    faults = campaign_faults(Campaign.model_validate({**RIGHT, **names}), SETTINGS, "there.toml")
    assert [str(fault) for fault in faults] == [
        'there.toml: category: Found "fruits", but there is no such category; did you mean "fruit"?',
        'there.toml: integration: Found "brids", but there is no such integration; did you mean "birds"?',
        'there.toml: sender: Found "Orchards of the north", but there is no such sender; known: "orchard". A literal '
        "one is a phone number, a short code, or up to eleven characters.",
    ]


def several(*names: str) -> Settings:
    integration = settings_of()["integrations"]["birds"]
    return check_settings({"integrations": dict.fromkeys(names, integration)}, pigeons())


def test_the_integration_is_the_campaigns_or_the_default_or_the_only_one() -> None:
    campaign = Campaign.model_validate(RIGHT)
    assert integration_of(Campaign.model_validate({**RIGHT, "integration": "doves"}), SETTINGS) == "doves"
    assert integration_of(campaign, SETTINGS) == "birds"
    assert campaign_faults(campaign, several("doves")) == []
    assert integration_of(campaign, several("doves")) == "doves"


@pytest.mark.parametrize(("names", "known"), [((), "none is configured yet"), (("birds", "doves"), "birds, doves")])
def test_no_integration_named_anywhere(names: tuple[str, ...], known: str) -> None:
    faults = campaign_faults(Campaign.model_validate(RIGHT), several(*names))
    assert [str(fault) for fault in faults] == [
        "campaign: integration: The campaign names no integration, and [defaults] of the configuration neither; "
        f"known: {known}."
    ]


@pytest.mark.parametrize("value", ["Hi \ud83d", float("nan"), object()])
def test_a_campaign_of_a_host_holds_what_can_be_kept(value: object) -> None:
    campaign = Campaign.model_validate({**RIGHT, "metadata": {"a": [value]}})
    with pytest.raises(CampaignError) as caught:
        read_campaign(campaign)
    assert caught.value.faults[0].place.startswith("metadata")
    assert str(caught.value).encode()


def test_half_a_character_in_a_file_of_a_campaign(tmp_path: Path) -> None:
    file = tmp_path / "harvest.json"
    file.write_text(json.dumps({**RIGHT, "metadata": {"a": "Hi \ud83d"}}))
    with pytest.raises(CampaignError, match=r"harvest\.json: metadata\.a: This holds half a character"):
        load_campaign(file)
