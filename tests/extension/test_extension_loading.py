"""A plugin that is broken is named, with what is wrong; the rest go on."""

import logging
from pathlib import Path
from typing import Any

import connector_sinch.sms.plugin as installed
import pytest
from extension_kit import OFFER, PROVIDER, install, provider
from receiving_kit import ADA, Api, Clock, connect, receipt, send_to, statuses, take

from connector.connector import Connector
from connector.extension import Integration, IntegrationSettings, Provider, hookimpl
from connector.extension.plugins import Plugins
from connector.http import Http
from connector.model.errors import ConfigurationError, PluginError

HEAD = "from connector.extension import hookimpl\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def refused(plugins: Plugins, name: str) -> str:
    """Why a plugin is left out."""
    (reason,) = [broken.reason for broken in plugins.broken if broken.name == name]
    return reason


BROKEN = {
    "absent": ("import nothing_of_this_name", "it fails to import: ModuleNotFoundError: No module named"),
    "torn": ("def connector_provider(:", "it fails to import: SyntaxError"),
    "raising": ("raise RuntimeError('in a bad mood')", "it fails to import: RuntimeError: in a bad mood"),
    "script": ("import sys\nsys.exit('usage: ...')", "it fails to import: SystemExit"),
    "empty": ("", "it implements no hook"),
    "unmarked": ("def connector_provider():\n    return None", "its connector_provider is not marked with @hookimpl"),
    "misspelt": (
        HEAD + "@hookimpl\ndef connector_provide():\n    return None",
        "it implements connector_provide, which is no hook of the connector (connector_dispatch,",
    ),
    "greedy": (
        HEAD + "@hookimpl\ndef connector_dispatch(provider, batch, retries):\n    return None",
        "its connector_dispatch takes retries, which the hook doesn't have",
    ),
    "asynchronous": (
        HEAD + "@hookimpl\nasync def connector_dispatch(batch):\n    return None",
        "its connector_dispatch is async",
    ),
    "badly-wrapped": (
        HEAD + "@hookimpl(wrapper=True)\ndef connector_dispatch(batch):\n    return None",
        "generator",
    ),
    "failing": (
        HEAD + "@hookimpl\ndef connector_provider():\n    raise LookupError('no licence')",
        "its connector_provider fails: LookupError: no licence",
    ),
    "wrong-thing": (
        HEAD + "@hookimpl\ndef connector_provider():\n    return 'drums'",
        "its provider can't be used: it is not a subclass of Provider",
    ),
    "unfinished": (
        PROVIDER.format(name="Drums", offers="unfinished").replace("def send", "def post") + OFFER.format(name="Drums"),
        "its provider can't be used: it doesn't write send",
    ),
    "nameless": (
        PROVIDER.format(name="Drums", offers="x").replace('name = "x"', "") + OFFER.format(name="Drums"),
        "its provider can't be used: it lacks name",
    ),
    "misnamed": (
        PROVIDER.format(name="Drums", offers="x").replace('name = "x"', "name = ['x']") + OFFER.format(name="Drums"),
        "its provider can't be used: its name and title are not text",
    ),
    "unsettled": (
        PROVIDER.format(name="Drums", offers="y").replace("Settings = IntegrationSettings", "Settings = dict")
        + OFFER.format(name="Drums"),
        "its provider can't be used: its Settings are no subclass of IntegrationSettings",
    ),
    "limitless": (
        PROVIDER.format(name="Drums", offers="z").replace("limits = Limits()", "limits = 1000")
        + OFFER.format(name="Drums"),
        "its provider can't be used: its limits are no Limits",
    ),
    "undecided": (
        PROVIDER.format(name="Drums", offers="w").replace('"find", ', "") + OFFER.format(name="Drums"),
        "it fails to import: PluginError: The provider class Drums breaks its contract: it neither writes find nor",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_each_way_to_be_broken_is_named_and_the_rest_go_on(
    site: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    source, words = BROKEN[kind]
    name = f"test-drums-{kind}"
    install(site, name, source)
    install(site, f"test-drums-after-{kind}", provider("fine-drums"))
    with caplog.at_level(logging.ERROR, "connector.plugins"):
        plugins = Plugins()
    assert words in refused(plugins, name)
    assert f"Plugin {name} is left out: " in caplog.text
    assert {"fine-drums", "sinch-sms"} <= set(plugins.providers)
    assert [broken.name for broken in plugins.broken] == [name]


def test_all_of_them_at_once(site: Path) -> None:
    for kind, (source, _) in BROKEN.items():
        install(site, f"test-all-{kind}", source)
    install(site, "test-all-fine", provider("fine-drums"))
    plugins = Plugins()
    assert {broken.name for broken in plugins.broken} == {f"test-all-{kind}" for kind in BROKEN}
    assert {"fine-drums", "sinch-sms"} <= set(plugins.providers)


def test_a_name_that_is_offered_twice_stays_with_the_first(site: Path) -> None:
    install(site, "test-twice-b", provider("drums", "Second"))
    install(site, "test-twice-a", provider("drums", "First"))
    plugins = Plugins()
    assert plugins.providers["drums"].__name__ == "First"
    assert refused(plugins, "test-twice-b") == "it offers drums, which test-twice-a offers already"


def test_a_host_that_hands_over_what_is_installed_already_loses_nothing(site: Path) -> None:
    plugins = Plugins([installed])
    assert "sinch-sms" in plugins.providers
    assert refused(plugins, "connector_sinch.sms.plugin") == "it is loaded already"
    mine = Api()
    plugins = Plugins([mine, mine])
    assert "scripted-sms" in plugins.providers
    assert refused(plugins, "Api") == "it is loaded already"
    plugins = Plugins([Api(), Api()], installed=False)
    assert refused(plugins, "Api") == "another plugin of this name is loaded already"
    assert "scripted-sms" in plugins.providers


class Unmarked:
    def connector_map_events(self, provider: Any, report: Any) -> None:
        """Lacks its mark."""

    @hookimpl
    def connector_dispatch(self, batch: Any) -> None:
        """Has it."""


class Moody:
    @property
    def mood(self) -> str:
        raise RuntimeError("not today")

    @hookimpl
    def connector_dispatch(self, batch: Any) -> None:
        """Is fine."""


@pytest.mark.parametrize(
    ("plugin", "name", "words"),
    [
        (Unmarked(), "Unmarked", "its connector_map_events is not marked with @hookimpl"),
        (Moody(), "Moody", "not today"),
        (Api, "Api", "it is a class: hand over an instance of it"),
        (object(), "object", "it implements no hook"),
        (None, "NoneType", "it implements no hook"),
        ("a-name", "str", "it implements no hook"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else "",
)
def test_what_a_host_hands_over_is_checked_alike(plugin: object, name: str, words: str) -> None:
    plugins = Plugins([plugin, other := Api()], installed=False)
    assert words in plugins.broken[0].reason
    assert plugins.broken[0].name == name
    assert plugins.providers == {"scripted-sms": other.provider} or plugin is Api


def test_a_configuration_for_a_broken_plugin_says_why(site: Path, tmp_path: Path, clock: Clock) -> None:
    install(site, "test-drums-gone", "raise RuntimeError('in a bad mood')")
    with pytest.raises(ConfigurationError, match="test-drums-gone is left out: it fails to import: RuntimeError"):
        Connector({"integrations": {"a": {"provider": "drums"}}}, plugins=Plugins(), clock=clock)


def test_two_providers_with_the_same_settings_are_not_mixed_up(site: Path) -> None:
    install(site, "test-same-a", provider("drums", "Drums"))
    install(site, "test-same-b", provider("horns", "Horns"))
    plugins = Plugins()
    assert plugins.providers["drums"].Settings is plugins.providers["horns"].Settings is IntegrationSettings
    for name in ("horns", "drums"):
        made = plugins.setup(Integration("mine", IntegrationSettings(), name), Http())
        assert type(made).name == name


class Setup:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @hookimpl
    def connector_setup(self, integration: Integration) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            ValueError("with a token in it"),
            "The plugin of scripted-sms failed to set up the integration sms: ValueError.",
        ),
        ("no provider", "No plugin sets up the integration sms."),
    ],
    ids=["raises", "rubbish"],
)
def test_a_setup_that_fails_names_the_integration(
    tmp_path: Path, api: Api, clock: Clock, answer: Any, words: str
) -> None:
    with connect(tmp_path, api, clock, Setup(answer)) as connector, pytest.raises(PluginError) as raised:
        connector.prepare()
    assert str(raised.value) == words


def test_a_setup_of_a_hosts_own_goes_first(tmp_path: Path, api: Api, clock: Clock) -> None:
    """It may hand over a provider that is made in another way."""

    class Own:
        @hookimpl
        def connector_setup(self, integration: Integration, http: Http) -> Provider:
            made = api.provider(integration, http)
            seen.append(integration.name)
            return made

    seen: list[str] = []
    with connect(tmp_path, api, clock, Own()) as connector:
        send_to(connector, ADA)
        take(connector, receipt(ADA, client_reference=api.sent[0].key))
        assert statuses(connector, ADA) == ["enqueued", "delivered"]
    assert seen == ["sms"]
