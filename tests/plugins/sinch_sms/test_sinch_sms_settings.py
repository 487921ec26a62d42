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
from sinch_sms_kit import PLAN, secret

from connector.extension.plugins import Plugins
from connector.model.callback import Request, Verdict
from connector.model.text import Template

LEAST = {"service_plan_id": PLAN, "api_token": "env:TOKEN", "region": "eu"}


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
]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_wrong_settings_are_refused_by_model_and_schema(change):
    given = {name: value for name, value in {**LEAST, **change}.items() if value is not None}
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
    ],
    ids=str,
)
def test_good_settings_pass_model_and_schema(change):
    SmsSettings(**LEAST, **change)
    Draft202012Validator(SmsSettings.model_json_schema()).validate({**LEAST, **change})


def test_every_setting_can_be_shown_in_a_form():
    for name, field in SmsSettings.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert field.description.endswith("."), name


def test_secrets_are_written_only():
    properties = SmsSettings.model_json_schema()["properties"]
    assert properties["api_token"]["writeOnly"] is True
    assert "writeOnly" in str(properties["callback_secret"])
    assert "writeOnly" in str(properties["callback_password"])


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
