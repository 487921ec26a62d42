"""A secret never shows its value, whoever prints, compares, copies or sends it."""

import copy
import json
import pickle
import traceback
from typing import Any

import pytest
from connector_sinch.sms.settings import SmsSettings
from pydantic import TypeAdapter, ValidationError

from connector.config.secrets import read_secret
from connector.extension import IntegrationSettings, Secret
from connector.model.errors import ConfigurationError

VALUE = "the-value-itself"


class Vault:
    """A host's own store."""

    def __init__(self) -> None:
        self.everything = {"token": VALUE}

    def read(self, reference: str) -> str:
        return self.everything[reference.removeprefix("env:")]


@pytest.fixture
def secret() -> Secret:
    return Secret("env:token", Vault().read)


def test_it_is_read_at_use_and_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTATED", "old")
    secret = Secret("env:ROTATED", read_secret)
    assert secret.value() == "old"
    monkeypatch.setenv("ROTATED", "new")
    assert secret.value() == "new"


def test_what_is_asked_for_often_is_read_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTATED", "old")
    secret = Secret("env:ROTATED", read_secret)
    assert secret.recent() == "old"
    monkeypatch.setenv("ROTATED", "new")
    assert (secret.recent(), secret.value()) == ("old", "new")
    monkeypatch.setattr("connector.extension.secret.RECENT_SECONDS", 0.0)
    another = Secret("env:ROTATED", read_secret)
    assert another.recent() == "new"
    monkeypatch.delenv("ROTATED")
    with pytest.raises(ConfigurationError, match="ROTATED"):
        another.recent()


def test_no_form_of_it_holds_the_value(secret: Secret) -> None:
    assert secret.value() == secret.recent() == VALUE
    forms = [
        repr(secret),
        str(secret),
        f"{secret} {secret!r} {secret!s}",
        "%s %r" % (secret, secret),  # noqa: UP031
        repr([secret]),
        repr({"token": secret}),
        str(pickle.dumps(secret)),
        repr(copy.deepcopy(secret)),
        TypeAdapter(Secret).dump_json(secret).decode(),
        str(TypeAdapter(Secret).dump_python(secret)),
    ]
    assert not [form for form in forms if VALUE in form]
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        vars(secret)


def test_it_shows_where_it_is_and_not_what_may_be_one_by_mistake() -> None:
    assert repr(Secret("env:TOKEN")) == "Secret(env:...)"
    assert repr(Secret("file:/run/secrets/token")) == "Secret(file:...)"
    for mistake in (VALUE, f"{VALUE}:{VALUE}", f"vault:{VALUE}", "env:"):
        assert repr(Secret(mistake)) == "Secret(...)"


def test_what_was_sent_elsewhere_has_to_be_bound_anew(secret: Secret) -> None:
    """A host's vault never travels along."""
    travelled = pickle.loads(pickle.dumps(secret))
    assert travelled == secret
    with pytest.raises(RuntimeError, match="not bound"):
        travelled.value()
    assert travelled.bound(Vault().read).value() == VALUE


def test_a_copy_reads_as_before(secret: Secret) -> None:
    settings = SmsSettings(service_plan_id="p", api_token=secret, region="eu")
    for copied in (copy.copy(secret), copy.deepcopy(secret), settings.model_copy(deep=True).api_token):
        assert copied.value() == VALUE


def test_settings_show_no_value(secret: Secret) -> None:
    settings = SmsSettings(service_plan_id="p", api_token=secret, region="eu", callback_secret=[secret, secret])
    for form in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert VALUE not in form
    assert len(settings.callback_secrets) == 2


@pytest.mark.parametrize(
    "given",
    [
        {"api_token": [VALUE]},
        {"api_token": {"value": VALUE}},
        {"api_token": "env:T", "region": VALUE},
        {"api_token": "env:T", VALUE: 1},
        {"api_token": "env:T", "callback_password": VALUE},
        {"api_token": "env:T", "base_url": f"https://user:{VALUE}@example.com"},
    ],
    ids=["a list", "a table", "in another field", "as a name", "without its user", "in an address"],
)
def test_pydantics_own_errors_hold_no_value(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as raised:
        SmsSettings(**{"service_plan_id": "p", "region": "eu", **given})  # type: ignore[arg-type]
    words = str(raised.value) + "".join(traceback.format_exception(raised.value))
    # The name of a field that doesn't exist is all that is told of what was given.
    assert VALUE not in words or VALUE in given


def test_every_provider_hides_what_it_was_given() -> None:
    class Own(IntegrationSettings):
        pin: int

    with pytest.raises(ValidationError) as raised:
        Own(pin=VALUE)  # type: ignore[arg-type]
    assert VALUE not in str(raised.value)


def test_whatever_a_hosts_function_raises_is_a_secret_that_cannot_be_found() -> None:
    def fails(reference: str) -> str:
        raise OSError(f"no {VALUE} here")

    with pytest.raises(ConfigurationError) as caught:
        Secret("token", fails).value()
    assert "OSError" in str(caught.value)
    assert VALUE not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_hosts_function_that_finds_nothing_says_so(nothing: Any) -> None:
    with pytest.raises(ConfigurationError, match="found none"):
        Secret("token", lambda reference: nothing).value()
