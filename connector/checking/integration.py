"""What an integration's own settings are worth: its secrets, what the real service says to them, its senders."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from connector.checking.finding import Finding, Result, found_by_provider
from connector.extension.provider import CheckResult, Provider
from connector.extension.secret import Secret
from connector.model.errors import ConnectorError, InputError

SECRETS = "secrets"
PATIENCE_SECONDS = 60.0
"""How long is waited for what will be right by itself."""
PAUSE_SECONDS = 1.0


def secrets_of(settings: Any) -> Iterator[tuple[str, Secret]]:
    """Every secret in an integration's settings, with the name of its setting."""
    for name, value in dict(settings).items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, Secret):
                yield name, each


def try_settings(name: str, provider: Provider, settings: Any) -> list[Finding]:
    """Read the secrets, and ask the real service by safe reads whether it takes them."""
    unread = []
    for setting, secret in secrets_of(settings):
        try:
            secret.value()
        except InputError as error:
            unread.append(Finding(SECRETS, Result.wrong, f"{setting} can't be read. {error}", name))
    if unread:
        # Asking without them would only say the same once more.
        return unread
    try:
        return found_by_provider(name, _settled(provider))
    except ConnectorError as error:
        return [Finding("credentials", Result.wrong, str(error), name)]
    except Exception as error:
        sentence = f"The plugin of {provider.name} failed while it checked this ({type(error).__name__})."
        return [Finding("credentials", Result.not_proved, f"{sentence} Please tell its author.", name)]


def _settled(provider: Provider) -> list[CheckResult]:
    """What the check says once nothing is pending any more, or time is up."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        results = provider.check()
        if not any(each.pending for each in results) or time.monotonic() + PAUSE_SECONDS > ends:
            return results
        time.sleep(PAUSE_SECONDS)


def called_back(name: str, provider: Provider, address: str, *, mend: bool) -> list[Finding]:
    """Whether the service is set to call back at our address; with `mend`, it is set so first."""
    if not provider.supports("call_back"):
        return []
    try:
        return found_by_provider(name, provider.call_back(address, mend=mend))
    except ConnectorError as error:
        return [Finding("callback address", Result.wrong, str(error), name)]
    except Exception as error:
        sentence = f"The plugin of {provider.name} failed over its callback address ({type(error).__name__})."
        return [Finding("callback address", Result.not_proved, f"{sentence} Please tell its author.", name)]


def senders(name: str, provider: Provider, named: Mapping[str, str], default: str | None) -> list[Finding]:
    """Whether the configured senders are of a form that this provider takes; `named`: name to value."""
    found = []
    for sender, value in named.items():
        wrong = provider.screen_sender(value)
        if wrong is not None:
            found.append(Finding("sender", Result.wrong, f"{sender} ({value}): {wrong}", name))
    if named and not found:
        listed = ", ".join(f"{sender} ({value})" for sender, value in named.items())
        found.append(
            Finding(
                "sender",
                Result.ok,
                f"{listed}: of a form that {provider.title} takes. Whether a country lets it through shows when a "
                "message is sent.",
                name,
            )
        )
    if default is None:
        found.append(
            Finding(
                "sender",
                Result.not_proved,
                "[defaults] names no sender: a campaign without one goes out under whatever the provider puts there.",
                name,
            )
        )
    return found
