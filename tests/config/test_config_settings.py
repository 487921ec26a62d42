"""Checking configurations: what is right gets in, and what is wrong gets a sentence of ours."""

import re
import string
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pigeon_kit import PigeonPlugin, PigeonSettings, pigeons, settings_of

from connector.config.load import check_settings, load_settings
from connector.extension.plugins import Plugins
from connector.model.errors import ConfigurationError

EXAMPLE = """
[integrations.sms-eu]
provider = "sinch-sms"
service_plan_id = "plan-of-tests"
api_token = "env:TOKEN_OF_TESTS"
region = "eu"
base_url = "http://127.0.0.1:9000"

[accounts."sinch-sms:plan-of-tests"]
messages_per_second = 100

[senders.shop]
value = "Shop"
countries = ["SE", "NO"]

[categories.marketing]
kind = "marketing"

[defaults]
integration = "sms-eu"
sender = "shop"

[storage]
url = "sqlite:///connector.db"

[server]
public_url = "https://hooks.example.com/"

[tracking]
waiting_period_days = 4
doubt_window_seconds = 900
on_absent = "resend"
resend_lead_seconds = 300
"""


def said(document: Any, plugins: Plugins | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        check_settings(document, plugins or pigeons(), "there.toml")
    assert {fault.source for fault in caught.value.faults} == {"there.toml"}
    return [f"{fault.place}: {fault.message}" for fault in caught.value.faults]


def test_a_sink_names_integrations_that_there_are() -> None:
    sink = {"sink": "jsonl", "path": "events.jsonl"}
    configured = {**settings_of(), "sinks": {"crm": {**sink, "only_integrations": ["birds"]}}}
    taken = check_settings(configured, Plugins([PigeonPlugin()]))
    assert taken.sinks["crm"].settings.only_integrations == ("birds",)
    wanted = {"crm": {**sink, "only_integrations": ["birds", "brids", "nope"]}, "log": {**sink, "only_integrations": 3}}
    assert said({**configured, "sinks": wanted}, Plugins([PigeonPlugin()]))[:2] == [
        'sinks.crm.only_integrations[1]: Found "brids", but there is no such integration; did you mean "birds"?',
        'sinks.crm.only_integrations[2]: Found "nope", but there is no such integration; known: "birds".',
    ]
    (none,) = said({"sinks": {"crm": {**sink, "only_integrations": ["nope"]}}}, Plugins())
    assert none.endswith('Found "nope", but there is no such integration; known: none.')


@pytest.mark.parametrize("setting", ["only_statuses", "only_integrations", "only_campaigns"])
def test_a_sink_that_would_get_nothing_is_refused(setting: str) -> None:
    project = {"base_url": "https://api.example.com", "project_token": "p", "api_token": "env:TOKEN"}
    for sink in ({"sink": "jsonl", "path": "events.jsonl"}, {"sink": "bloomreach", **project}):
        (fault,) = said({"sinks": {"crm": {**sink, setting: []}}}, Plugins())
        assert fault.startswith(f"sinks.crm.{setting}: This is empty")


def test_what_is_wrong_with_a_sink_is_told_in_the_names_of_its_settings() -> None:
    file = {"sink": "jsonl", "path": "events.jsonl"}
    project = {"sink": "bloomreach", "base_url": "https://crm.example.com", "project_token": "p", "api_token": "env:T"}
    (told,) = said({"sinks": {"crm": {**file, "recipient": "hashed"}}}, Plugins())
    assert told == 'sinks.crm: recipient_key goes with recipient = "hashed": give both, or neither.'
    (told,) = said({"sinks": {"crm": {**project, "customer_ids": {}}}}, Plugins())
    assert told.startswith("sinks.crm.customer_ids: This is empty; at least one entry is needed. The project's name of")


def test_a_whole_configuration_is_taken() -> None:
    settings = check_settings(tomllib.loads(EXAMPLE), Plugins())
    integration = settings.integrations["sms-eu"]
    assert (integration.name, integration.provider) == ("sms-eu", "sinch-sms")
    assert isinstance(integration.settings, Plugins().providers["sinch-sms"].Settings)
    assert settings.accounts["sinch-sms:plan-of-tests"].messages_per_second == 100
    assert settings.senders["shop"].countries == ("SE", "NO")
    assert settings.categories["marketing"].kind == "marketing"
    assert (settings.defaults.integration, settings.defaults.sender) == ("sms-eu", "shop")
    assert settings.server.public_url == "https://hooks.example.com"


def test_what_is_not_said_has_a_default() -> None:
    settings = check_settings({}, pigeons())
    assert settings.integrations == {}
    assert settings.storage.url == "sqlite:///connector.db"
    assert (settings.server.public_url, settings.server.host, settings.server.port) == (None, "127.0.0.1", 8080)
    tracking = settings.tracking
    assert (tracking.waiting_period_days, tracking.doubt_window_seconds) == (4, 900)
    assert (tracking.on_absent, tracking.resend_lead_seconds) == ("resend", 300)
    assert len(set(tracking.countries_without_reports)) == 34
    assert settings.screening.default_region is None


def test_settings_can_not_be_changed() -> None:
    settings = check_settings(settings_of(), pigeons())
    for table, name in ((settings, "storage"), (settings.server, "port"), (settings.integrations["birds"], "name")):
        with pytest.raises(Exception, match=r"frozen|cannot assign"):
            setattr(table, name, None)


def test_two_integrations_may_share_an_account() -> None:
    document = settings_of()
    document["integrations"]["more-birds"] = dict(document["integrations"]["birds"])
    assert list(check_settings(document, pigeons()).integrations) == ["birds", "more-birds"]


def test_a_database_login_is_not_in_the_repr() -> None:
    settings = check_settings({"storage": {"url": "sqlite:///of/someone"}}, pigeons())
    assert "of/someone" not in repr(settings)


KNOWN_TABLES = (
    "accounts, categories, defaults, integrations, limits, screening, senders, server, sinks, storage, tracking"
)
KNOWN_SETTINGS = (
    "base_url, code, days, keeper, keeper_password, loft, messages_per_second, pin, provider, region, "
    "request_timeout_seconds, rings, signets, tune, whistle"
)
NO_SECRET = "Give a reference env:NAME, file:PATH or keyring:NAME. A secret itself doesn't belong here."

BAD_INTEGRATIONS: list[tuple[dict[str, Any], list[str]]] = [
    ({"region": "cost"}, ['region: Found "cost"; give one of "coast", "valley", "hills". Did you mean "coast"?']),
    ({"region": 7}, ['region: Found 7; give one of "coast", "valley", "hills".']),
    ({"loft": "x"}, ["loft: Found 1 character; give a text of 2 to 10 characters."]),
    ({"loft": ""}, ["loft: This is empty; give a text of 2 to 10 characters."]),
    ({"loft": {"name": "x"}}, ["loft: Found a table; give a text of 2 to 10 characters."]),
    ({"whistl": "s3cr3t"}, ["whistl: There is no such key; did you mean whistle?"]),
    ({"Keeper-Password": "s3cr3t"}, ["Keeper-Password: There is no such key; did you mean keeper_password?"]),
    ({"zzz": 1}, [f"zzz: There is no such key; known here: {KNOWN_SETTINGS}."]),
    ({"two words": 1}, [f'"two words": There is no such key; known here: {KNOWN_SETTINGS}.']),
    ({"whistle": "s3cr3t"}, [f"whistle: {NO_SECRET}"]),
    ({"whistle": ""}, [f"whistle: {NO_SECRET}"]),
    ({"whistle": "env:"}, [f"whistle: {NO_SECRET}"]),
    ({"whistle": {"env": "s3cr3t"}}, ["whistle: Give a reference env:NAME, file:PATH or keyring:NAME."]),
    ({"whistle": 53}, ["whistle: Give a reference env:NAME, file:PATH or keyring:NAME."]),
    ({"signets": "s3cr3t"}, [f"signets: {NO_SECRET}"]),
    ({"signets": ["env:A", "s3cr3t"]}, [f"signets[1]: {NO_SECRET}"]),
    ({"signets": 53}, ["signets: Give a reference env:NAME, file:PATH or keyring:NAME, or a list."]),
    ({"rings": "s3cr3t"}, ["rings: Give a list of at most 2 entries."]),
    ({"rings": ["env:A"] * 3}, ["rings: Give a list of at most 2 entries."]),
    ({"pin": 53}, ["pin: Give a whole number of at least 1000."]),
    ({"tune": "s3cr3t off"}, ["tune: This can't be used."]),
    (
        {"base_url": "ftp://me:s3cr3t@x"},
        ['base_url: Found "ftp://...@x"; give a text such as "http://127.0.0.1:9000". Another loft.'],
    ),
    ({"code": "a"}, ['code: Found "a"; give a text that matches ^[A-Z]+$.']),
    ({"days": []}, ["days: This is empty; give a list that isn't empty."]),
    ({"days": ["mon", "mon"]}, ["days: An entry stands more than once; give each once."]),
    ({"days": ["mon", "tu"]}, ['days[1]: Found "tu"; give one of "mon", "tue". Did you mean "tue"?']),
    ({"request_timeout_seconds": 601}, ["request_timeout_seconds: Found 601; give a number above 0 and up to 600."]),
    ({"request_timeout_seconds": "9"}, ['request_timeout_seconds: Found "9"; give a number above 0 and up to 600.']),
    ({"request_timeout_seconds": True}, ["request_timeout_seconds: Found true; give a number above 0 and up to 600."]),
    ({"messages_per_second": 0}, ["messages_per_second: Found 0; give a number above 0."]),
    ({"messages_per_second": float("inf")}, ["messages_per_second: Found inf; give a finite number."]),
    ({"messages_per_second": float("nan")}, ["messages_per_second: Found nan; give a finite number."]),
]


@pytest.mark.parametrize(("changes", "messages"), BAD_INTEGRATIONS, ids=range(len(BAD_INTEGRATIONS)))
def test_a_bad_setting_of_a_provider(changes: dict[str, Any], messages: list[str]) -> None:
    assert said(settings_of(**changes)) == [f"integrations.birds.{message}" for message in messages]


BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"keywords": {}}, [f"keywords: There is no such key; known here: {KNOWN_TABLES}."]),
    ({"trackng": {}}, ["trackng: There is no such key; did you mean tracking?"]),
    ({"integrations": "s3cr3t"}, ["integrations: Give a table."]),
    ({"integrations": {"whistle": "s3cr3t"}}, ["integrations.whistle: Give a table."]),
    (
        {"integrations": {"a b": {}}},
        [
            'integrations."a b".provider: This is missing; give "carrier-pigeon". The messaging service, by the name '
            "that its plugin gives it."
        ],
    ),
    (
        {"integrations": {"birds": {"provider": "pigeon", "whistle": "s3cr3t"}}},
        ['integrations.birds.provider: Found "pigeon", but there is no such provider; did you mean "carrier-pigeon"?'],
    ),
    (
        {"integrations": {"birds": {"provider": "carrier-pigeon"}}},
        [
            "integrations.birds.loft: This is missing; give a text of 2 to 10 characters. The name over the door.",
            'integrations.birds.region: This is missing; give one of "coast", "valley", "hills".',
        ],
    ),
    (
        settings_of(whistle=None),
        ["integrations.birds: Give either whistle, or keeper and keeper_password."],
    ),
    (
        {**settings_of(whistle=None), "server": {"port": 65536}},
        [
            "integrations.birds: Give either whistle, or keeper and keeper_password.",
            "server.port: Found 65536; give a whole number from 0 to 65535.",
        ],
    ),
    (
        settings_of(tune="crash"),
        ["integrations.birds: The plugin of carrier-pigeon failed to check this (RuntimeError)."],
    ),
    (
        {"accounts": {"birds": {"messages_per_second": 5}}},
        [
            'accounts.birds: Found "birds"; give a text such as "PROVIDER:ACCOUNT". The name of an account is its '
            "provider's name, a colon and its id there."
        ],
    ),
    (
        {"accounts": {"a:b": {}}},
        [
            'accounts."a:b".messages_per_second: This is missing; give a number above 0. Pace of all dispatches on '
            "this account together."
        ],
    ),
    (
        {"senders": {"shop": {"value": "Twelve chars", "countries": "SE"}}},
        [
            'senders.shop.countries: Found "SE"; give a list.',
            'senders.shop.value: Found "Twelve chars"; give a text such as "Shop". A phone number, a short code, or '
            "up to eleven characters.",
        ],
    ),
    (
        {"senders": {"shop": {"value": "Shop", "countries": ["se", "UK", "NO"]}}},
        [
            'senders.shop.countries[0]: Found "se"; give a text such as "SE". The two-letter code of ISO 3166-1, in '
            "capitals.",
            'senders.shop.countries[1]: No country has the code "UK"; give its two-letter code of ISO 3166-1, such as '
            '"SE" or "GB".',
        ],
    ),
    (
        {"categories": {"news": {"kind": "Marketing"}}},
        [
            'categories.news.kind: Found "Marketing"; give one of "marketing", "transactional". '
            'Did you mean "marketing"?'
        ],
    ),
    (
        {**settings_of(), "defaults": {"integration": "brids", "sender": "shop"}},
        [
            'defaults.integration: Found "brids", but there is no such integration; did you mean "birds"?',
            'defaults.sender: Found "shop", but there is no such sender; known: none.',
        ],
    ),
    (
        {"storage": {"url": "postgresql://me:s3cr3t@db/x"}},
        [
            'storage.url: Give a text such as "sqlite:///connector.db". A SQLite file; a relative path starts at the '
            "folder of the configuration file."
        ],
    ),
    ({"storage": "postgresql://me:s3cr3t@db/x"}, ["storage: Give a table."]),
    (
        {"server": {"public_url": "hooks.example.com"}},
        [
            'server.public_url: Found "hooks.example.com"; give a text such as "https://hooks.example.com". Where the '
            "provider reaches this server; absent: reports are polled."
        ],
    ),
    (
        {"tracking": {"waiting_period_days": 0, "doubt_window_seconds": -1, "on_absent": "wait"}},
        [
            "tracking.doubt_window_seconds: Found -1; give a number of at least 0.",
            'tracking.on_absent: Found "wait"; give one of "resend", "hold".',
            "tracking.waiting_period_days: Found 0; give a number above 0.",
        ],
    ),
    (
        {"screening": {"default_region": "Sweden"}},
        [
            'screening.default_region: Found "Sweden"; give a text such as "SE". The two-letter code of ISO 3166-1, in '
            "capitals."
        ],
    ),
]


@pytest.mark.parametrize(("document", "messages"), BAD, ids=range(len(BAD)))
def test_a_bad_configuration(document: dict[str, Any], messages: list[str]) -> None:
    assert said(document) == messages


def test_a_configuration_that_is_no_table() -> None:
    assert said([1, 2]) == [": Give a table."]


def test_a_provider_whose_plugin_is_broken_says_why() -> None:
    class Grumpy:
        @staticmethod
        def connector_provider() -> None:
            """Not marked as a hook."""

    plugins = Plugins([PigeonPlugin(), Grumpy()], installed=False)
    assert said({"integrations": {"x": {"provider": "grumpy"}}}, plugins) == [
        'integrations.x.provider: Found "grumpy", but there is no such provider; known: "carrier-pigeon". The plugin '
        "Grumpy is left out: its connector_provider is not marked with @hookimpl."
    ]


def test_a_configuration_without_any_plugin() -> None:
    nothing = Plugins(installed=False)
    assert check_settings({}, nothing).integrations == {}
    assert said({"integrations": {"x": {"provider": "grumpy"}}}, nothing) == [
        'integrations.x.provider: Found "grumpy", but there is no such provider; known: none.'
    ]


def test_secrets_are_read_at_use_and_where_the_reference_says(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = check_settings(settings_of(), pigeons()).integrations["birds"].settings
    assert isinstance(settings, PigeonSettings)
    assert settings.whistle is not None
    monkeypatch.setenv("WHISTLE", "tweet")
    assert settings.whistle.value() == "tweet"


def test_a_host_with_its_own_secrets_may_name_them_as_it_likes() -> None:
    document = settings_of(whistle="vault/birds#1", signets=["old", "new"])
    with pytest.raises(ConfigurationError):
        check_settings(document, pigeons())
    settings = check_settings(document, pigeons(), read_secret=lambda name: name.upper()).integrations["birds"].settings
    assert isinstance(settings, PigeonSettings)
    assert settings.whistle is not None
    assert settings.whistle.value() == "VAULT/BIRDS#1"
    assert isinstance(settings.signets, list)
    assert [secret.value() for secret in settings.signets] == ["OLD", "NEW"]


SECRET = st.text(string.ascii_letters + string.digits + "!#$%&*+-./:;=?@_ ", min_size=4, max_size=80).map("Zq".__add__)
WRONG_SHAPES = [
    lambda secret: settings_of(whistle=secret),
    lambda secret: settings_of(whistle={"value": secret}),
    lambda secret: settings_of(whistle=[secret]),
    lambda secret: settings_of(whistel=secret),
    lambda secret: settings_of(signets=["env:A", secret, 5]),
    lambda secret: settings_of(signets=[["deep", secret]]),
    lambda secret: settings_of(rings=secret),
    lambda secret: settings_of(rings=[secret, secret, secret]),
    lambda secret: settings_of(pin=secret),
    lambda secret: settings_of(tune=f"{secret} off"),
    lambda secret: settings_of(base_url=f"ftp://me:{secret}@example.com"),
    lambda secret: settings_of(loft={"name": secret}),
    lambda secret: {"integrations": {"whistle": secret}},
    lambda secret: {"integrations": secret},
    lambda secret: {"integrations": {"x": {"provider": "carrier-pigeom", "whistle": secret}}},
    lambda secret: {"integrations": {"x": {"whistle": secret}}},
    lambda secret: {"storage": {"url": f"postgresql://me:{secret}@db/x"}},
    lambda secret: {"storage": f"postgresql://me:{secret}@db/x"},
    lambda secret: {"secrets": {"whistle": secret}},
    lambda secret: [secret],
]


@pytest.mark.parametrize("shape", WRONG_SHAPES, ids=range(len(WRONG_SHAPES)))
@settings(max_examples=25, deadline=None)
@given(secret=SECRET)
def test_no_secret_is_ever_in_a_message(secret: str, shape: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_settings(shape(secret), pigeons())
    assert caught.value.faults
    assert secret not in str(caught.value)
    assert secret[:20] not in str(caught.value)
    # What an exception hangs on may be logged with it.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[integrations.x]\nwhistle = "s3cr3t', "the end of the file: This is not TOML; look before here for"),
        ('[integrations.x]\nwhistle = s3cr3t"\n', "line 2, column 11: This is not TOML; look before here for"),
        ("[server]\nport = 1\n[server]\n", "line 3, column 8: This key or table stands twice; keep one."),
        ("[server]\nport = 1\nport = 2", "the end of the file: This key or table stands twice; keep one."),
        ("x = " + "[" * 100_000, "This is not TOML"),
        ("port = " + "1" * 5000, "This is not TOML"),
    ],
)
def test_a_torn_file_names_the_line(tmp_path: Any, text: str, message: str) -> None:
    path = tmp_path / "connector.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        load_settings(path, pigeons())
    assert caught.value.faults[0].source == str(path)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_file_that_is_not_utf_8_names_the_line(tmp_path: Any) -> None:
    path = tmp_path / "connector.toml"
    path.write_bytes('[senders.shop]\nvalue = "Café"\n'.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"line 2: This is not UTF-8 text; save the file as UTF-8\."):
        load_settings(path, pigeons())


def test_a_missing_file_says_how_to_name_another(tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: There is no such file\. .*--config PATH"):
        load_settings(tmp_path / "nowhere.toml", pigeons())


def test_a_directory_is_no_configuration(tmp_path: Any) -> None:
    (tmp_path / "connector.toml").mkdir()
    with pytest.raises(ConfigurationError, match="This can't be read"):
        load_settings(tmp_path / "connector.toml", pigeons())


def test_a_file_is_checked_under_its_name(tmp_path: Any) -> None:
    path = tmp_path / "connector.toml"
    path.write_bytes(b"\xef\xbb\xbf" + b"[server]\nport = 2026-12-01\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, pigeons())
    assert str(caught.value) == (f'{path}: server.port: Found "2026-12-01"; give a whole number from 0 to 65535.')
    path.write_bytes(b"\xef\xbb\xbf" + b"[server]\nport = 9\n")
    assert load_settings(str(path), pigeons()).server.port == 9
