"""Settings, the offered class, and who may call back."""

import base64
from importlib.metadata import entry_points

import pytest
from connector_sinch.signature import sign
from connector_sinch.sms import plugin
from connector_sinch.sms.provider import SinchSms
from connector_sinch.sms.settings import SmsSettings
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from sinch_sms_kit import KEY, PLAN, PROJECT, secret

from connector.config.load import check_settings
from connector.extension.plugins import Plugins
from connector.model.callback import Request, Verdict
from connector.model.errors import ConfigurationError
from connector.model.text import Template

LEAST = {"service_plan_id": PLAN, "api_token": "env:TOKEN", "region": "eu"}
BY_PROJECT = {"project_id": PROJECT, "key_id": KEY, "key_secret": "env:KEY_SECRET", "region": "eu"}


def test_the_installed_plugin_offers_the_provider():
    (entry,) = entry_points(group="connector.plugins", name="sinch-sms")
    assert entry.load() is plugin
    plugins = Plugins([plugin], installed=False)
    assert plugins.broken == []
    assert plugins.providers == {"sinch-sms": SinchSms}


def test_limits_are_those_of_the_api(make_provider):
    limits = make_provider().limits
    assert (limits.batch_recipients, limits.text_characters, limits.value_characters) == (1000, 2000, 160)
    assert (limits.schedules, limits.expiry_days, limits.listing_days, limits.max_pieces) == (True, 3, 14, 13)


def test_the_account_is_the_service_plan(make_provider):
    assert make_provider().account == f"sinch-sms:{PLAN}"
    assert make_provider(region="us").account == make_provider(region="eu").account


@pytest.mark.parametrize("region", ["us", "eu", "au", "br", "ca"])
def test_a_region_has_its_host(region):
    assert SmsSettings(**{**LEAST, "region": region}).url == f"https://{region}.sms.api.sinch.com"


def test_the_account_of_an_access_key_is_the_project(make_provider):
    by_project = make_provider(service_plan_id=None, api_token=None, **BY_PROJECT)
    assert by_project.account == f"sinch-sms:{PROJECT}"


@pytest.mark.parametrize("region", ["us", "eu"])
def test_a_project_has_its_own_host(region):
    settings = SmsSettings(**{**BY_PROJECT, "region": region})
    assert settings.url == f"https://zt.{region}.sms.api.sinch.com"
    assert settings.token_url == "https://auth.sinch.com/oauth2/token"


def test_another_address_stands_in_for_the_host_of_tokens():
    settings = SmsSettings(**BY_PROJECT, auth_url="http://127.0.0.1:9000/", base_url="http://127.0.0.1:9000")
    assert (settings.url, settings.token_url) == ("http://127.0.0.1:9000", "http://127.0.0.1:9000/oauth2/token")


def test_a_base_url_stands_in_for_the_host():
    assert SmsSettings(**LEAST, base_url="http://127.0.0.1:9000/").url == "http://127.0.0.1:9000"


WRONG = [
    {"service_plan_id": None},
    {"service_plan_id": ""},
    {"service_plan_id": "a/b"},
    {"api_token": None},
    {"region": None},
    {"region": "se"},
    {"base_url": "eu.sms.api.sinch.com"},
    {"base_url": "https://x?y"},
    {"base_url": "https://user:password@x"},
    {"callback_secret": []},
    {"callback_username": "u"},
    {"callback_password": "env:P"},
    {"callback_username": "a:b", "callback_password": "env:P"},
    {"colour": "red"},
    {"auth_url": "http://127.0.0.1:9000"},
    {"delivery_feedback": "sometimes"},
    # Both, one and a half, two halves.
    BY_PROJECT,
    {"project_id": PROJECT},
    {"service_plan_id": None, "project_id": PROJECT, "key_id": KEY},
    {"api_token": None, "key_secret": "env:S"},
    # Neither.
    {"service_plan_id": None, "api_token": None},
]
WRONG_OF_PROJECTS = [
    {"region": "au"},
    {"region": "ca"},
    {"key_id": None},
    {"key_id": "a:b"},
    {"key_id": ""},
    {"key_secret": None},
    {"project_id": "a/b"},
    {"auth_url": "auth.sinch.com"},
    {"auth_url": "https://user:password@x"},
    {"api_token": "env:TOKEN"},
]


@pytest.mark.parametrize(
    ("least", "change"),
    [*((LEAST, each) for each in WRONG), *((BY_PROJECT, each) for each in WRONG_OF_PROJECTS)],
    ids=str,
)
def test_wrong_settings_are_refused_by_model_and_schema(least, change):
    given = {name: value for name, value in {**least, **change}.items() if value is not None}
    with pytest.raises(ValidationError):
        SmsSettings(**given)
    assert not Draft202012Validator(SmsSettings.model_json_schema()).is_valid(given)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"callback_secret": "env:S"},
        {"callback_secret": ["env:S", "file:/run/secrets/old"]},
        {"callback_username": "u", "callback_password": "env:P"},
        {"messages_per_second": 30, "request_timeout_seconds": 10},
        {"delivery_feedback": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("least", [LEAST, BY_PROJECT, BY_PROJECT | {"auth_url": "http://x"}], ids=str)
def test_good_settings_pass_model_and_schema(least, change):
    SmsSettings(**least, **change)
    Draft202012Validator(SmsSettings.model_json_schema()).validate({**least, **change})


EITHER = "give service_plan_id and api_token, or project_id, key_id and key_secret"


@pytest.mark.parametrize(
    ("given", "place", "sentence"),
    [
        ({"region": "eu"}, "", f"Something is missing; {EITHER}."),
        (LEAST | BY_PROJECT, "", f"which don't go together; {EITHER}, and not both."),
        (
            LEAST | {"project_id": PROJECT},
            "",
            "Found service_plan_id, api_token and project_id, which don't go together",
        ),
        ({"region": "eu", "service_plan_id": PLAN}, ".api_token", "This is missing; give a reference env:NAME"),
        ({"region": "eu", "project_id": PROJECT, "key_id": KEY}, ".key_secret", "the dashboard shows it once"),
        (BY_PROJECT | {"region": "au"}, ".region", "Access keys of a project work in the regions us and eu;"),
        (LEAST | {"auth_url": "http://x"}, ".auth_url", "Leave auth_url out"),
    ],
)
def test_who_mixes_the_two_ways_to_sign_in_is_told_what_to_give(given, place, sentence):
    with pytest.raises(ConfigurationError) as caught:
        check_settings({"integrations": {"sms": {"provider": "sinch-sms", **given}}}, Plugins())
    (fault,) = caught.value.faults
    assert fault.place == f"integrations.sms{place}"
    assert sentence in fault.message


def test_a_form_can_offer_the_two_ways_to_sign_in():
    alternatives = SmsSettings.model_json_schema()["oneOf"]
    assert [(each["title"], each["required"]) for each in alternatives] == [
        ("Service plan and API token", ["service_plan_id", "api_token"]),
        ("Project and access key", ["project_id", "key_id", "key_secret"]),
    ]


def test_every_setting_can_be_shown_in_a_form():
    for name, field in SmsSettings.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert field.description.endswith("."), name


def test_secrets_are_written_only():
    properties = SmsSettings.model_json_schema()["properties"]
    for name in ("api_token", "key_secret", "callback_secret", "callback_password"):
        assert "writeOnly" in str(properties[name]), name


def test_a_text_that_is_too_long_as_written_is_told(make_provider):
    provider = make_provider()
    assert provider.screen_template(Template.read("x" * 2000)) is None
    assert provider.screen_template(Template.read("x" * 1990 + "${name}")) is None
    assert "2,000" in provider.screen_template(Template.read("x" * 1995 + "${name}"))


BODY = b'{"type": "mo_text"}'
NOW_SECONDS = 1_795_426_200.0


def signed_by(value: str, at: float = NOW_SECONDS) -> dict[str, str]:
    return {
        "x-sinch-webhook-signature": sign(value, BODY, "n", str(int(at))),
        "x-sinch-webhook-signature-nonce": "n",
        "x-sinch-webhook-signature-timestamp": str(int(at)),
        "x-sinch-webhook-signature-algorithm": "HmacSHA256",
    }


def basic(credentials: str, scheme: str = "Basic") -> dict[str, str]:
    return {"authorization": f"{scheme} {base64.b64encode(credentials.encode()).decode()}"}


SIGNATURE = {"callback_secret": secret("s")}
ROTATION = {"callback_secret": [secret("new"), secret("s")]}
BASIC = {"callback_username": "user", "callback_password": secret("pass:wörd")}


@pytest.mark.parametrize(
    ("settings", "headers", "verdict"),
    [
        ({}, {}, Verdict.not_checked),
        (SIGNATURE, signed_by("s"), Verdict.genuine),
        (ROTATION, signed_by("s"), Verdict.genuine),
        (ROTATION, signed_by("new"), Verdict.genuine),
        (ROTATION, signed_by("other"), Verdict.forged),
        (SIGNATURE, {}, Verdict.forged),
        (SIGNATURE, signed_by("s", NOW_SECONDS - 3600), Verdict.stale),
        (SIGNATURE, basic("user:pass:wörd"), Verdict.forged),
        (BASIC, basic("user:pass:wörd"), Verdict.genuine),
        (BASIC, basic("user:pass:wörd", "basic"), Verdict.genuine),
        (BASIC, basic("user:pass:wörd", "Bearer"), Verdict.forged),
        (BASIC, basic("user:pass"), Verdict.forged),
        (BASIC, {"authorization": "Basic ÿ"}, Verdict.forged),
        (BASIC, {"authorization": ""}, Verdict.forged),
        (BASIC, signed_by("s"), Verdict.forged),
        (SIGNATURE | BASIC, signed_by("s"), Verdict.genuine),
        (SIGNATURE | BASIC, basic("user:pass:wörd"), Verdict.genuine),
        (SIGNATURE | BASIC, signed_by("s", NOW_SECONDS - 3600), Verdict.stale),
        (SIGNATURE | BASIC, signed_by("s", NOW_SECONDS - 3600) | basic("user:pass:wörd"), Verdict.genuine),
        (SIGNATURE | BASIC, {}, Verdict.forged),
    ],
)
def test_who_may_call_back(make_provider, settings, headers, verdict):
    request = Request("POST", "/webhooks/x", headers, BODY)
    assert make_provider(**settings).verify(request, now_seconds=NOW_SECONDS) is verdict
