"""Loading and checking configuration and campaigns: all faults at once, or a checked result."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from connector.config import secrets
from connector.config.document import plain, read_document
from connector.config.messages import Inspection, Wrong, faults, nearest, unknown_name
from connector.config.names import unknown_defaults, unknown_integrations
from connector.config.schema import CAMPAIGN, CONFIGURATION, campaign_schema, compose, rules
from connector.config.settings import ConfiguredIntegration, ConfiguredSink, Settings, Tables
from connector.config.times import with_offsets
from connector.extension.plugins import Plugins
from connector.model.campaign import Campaign, Message
from connector.model.errors import CampaignError, ConfigurationError
from connector.model.text import Template

ReadSecret = Callable[[str], str]

SQLITE = "sqlite:///"


def load_settings(path: str | os.PathLike[str], plugins: Plugins, read_secret: ReadSecret | None = None) -> Settings:
    """The settings in a TOML (or JSON) file.

    A relative path of the ledger starts at the folder of this file, one of a secret at the current directory. Raises
    `ConfigurationError` with everything that is wrong.
    """
    document, unreadable = read_document(
        Path(path), missing="`connector setup` writes one; or name yours with --config PATH or $CONNECTOR_CONFIG."
    )
    if unreadable:
        raise ConfigurationError(unreadable)
    return beside(check_settings(document, plugins, str(path), read_secret), path)


def beside(settings: Settings, path: str | os.PathLike[str]) -> Settings:
    """Settings of a file, with their ledger where that file means it: the same from wherever a command runs.

    Another ledger would know nothing of what was sent.
    """
    url = ledger_url(settings.storage.url, path)
    return settings.model_copy(update={"storage": settings.storage.model_copy(update={"url": url})})


def ledger_url(url: str, path: str | os.PathLike[str]) -> str:
    """The URL of a ledger as a configuration file means it: a relative path starts at the folder of that file."""
    file = url.removeprefix(SQLITE)
    if file == url or file == ":memory:" or Path(file).is_absolute():
        return url
    return f"{SQLITE}{Path(path).parent / file}"


def check_settings(
    data: Mapping[str, Any],
    plugins: Plugins,
    source: str = "configuration",
    read_secret: ReadSecret | None = None,
) -> Settings:
    """The settings in a host's dictionary; `source` stands for the file in messages.

    A host that hands over `read_secret` may give secrets by any name that this function knows; else they are
    `env:NAME`, `file:PATH` or `keyring:NAME`. Secrets are read at use, not here.

    Raises `ConfigurationError` with everything that is wrong.
    """
    document, wrong = plain(data)
    wrong += _unknown_kinds(document, "integrations", "provider", plugins.providers, plugins)
    wrong += _unknown_kinds(document, "sinks", "sink", plugins.sinks, plugins)
    wrong += unknown_defaults(document)
    wrong += unknown_integrations(document)
    ruleset = rules(compose(plugins), CONFIGURATION, own_secrets=read_secret is not None)
    inspection = Inspection(ruleset, document)
    wrong += _unless_known(inspection.violations(), wrong)
    if not isinstance(document, dict):
        raise ConfigurationError(faults(wrong, source))

    late: list[Wrong] = []
    reader = secrets.read_secret if read_secret is None else read_secret
    integrations = {
        name: ConfiguredIntegration(name, provider, settings)
        for name, provider, settings in _plugged(
            document, "integrations", "provider", plugins.providers, reader, inspection, late
        )
    }
    sinks = {
        name: ConfiguredSink(name, kind, settings)
        for name, kind, settings in _plugged(document, "sinks", "sink", plugins.sinks, reader, inspection, late)
    }
    shared = {name: table for name, table in document.items() if name not in ("integrations", "sinks")}
    tables = Tables()
    try:
        tables = Tables.model_validate(shared)
    except ValidationError as error:
        late += inspection.validation(error)
    wrong += [each for each in late if not any(_touches(each, other) for other in wrong)]
    if wrong:
        raise ConfigurationError(faults(wrong, source))
    tables_alike = {name: getattr(tables, name) for name in type(tables).model_fields}
    return Settings(integrations=integrations, sinks=sinks, **tables_alike)


def _named_tables(document: Any, where: str) -> list[tuple[str, dict[str, Any]]]:
    tables = document.get(where) if isinstance(document, dict) else None
    found = tables.items() if isinstance(tables, dict) else ()
    return [(name, table) for name, table in found if isinstance(table, dict)]


def _unknown_kinds(document: Any, where: str, key: str, offers: Mapping[str, Any], plugins: Plugins) -> list[Wrong]:
    """The tables that want something that no plugin offers."""
    wrong = []
    for name, table in _named_tables(document, where):
        kind = table.get(key)
        if isinstance(kind, str) and kind not in offers:
            sentence = unknown_name(kind, sorted(offers), key)
            broken = "".join(f" The plugin {each.name} is left out: {each.reason}." for each in plugins.broken)
            wrong.append(Wrong((where, name, key), sentence + broken))
    return wrong


def _plugged(
    document: Any,
    where: str,
    key: str,
    offers: Mapping[str, Any],
    read_secret: ReadSecret,
    inspection: Inspection,
    wrong: list[Wrong],
) -> Iterator[tuple[str, str, Any]]:
    """Name, kind and settings of the tables that their plugins take; what is wrong with others is added to `wrong`."""
    for name, table in _named_tables(document, where):
        kind = table.get(key)
        if not isinstance(kind, str) or kind not in offers:
            continue
        given = {setting: value for setting, value in table.items() if setting != key}
        at = (where, name)
        model: type[BaseModel] = offers[kind].Settings
        try:
            settings = model.model_validate(given, context={"read_secret": read_secret})
        except ValidationError as error:
            wrong += inspection.validation(error, at)
        except Exception as error:
            # A plugin's validator may fail in any way; the rest is checked all the same.
            wrong.append(Wrong(at, f"The plugin of {kind} failed to check this ({type(error).__name__})."))
        else:
            yield name, kind, settings


def _unless_known(wrong: list[Wrong], known: list[Wrong]) -> list[Wrong]:
    """Without what a more telling sentence was found for."""
    paths = {each.path for each in known}
    return [each for each in wrong if each.path not in paths]


def _touches(one: Wrong, other: Wrong) -> bool:
    """Whether one stands inside the other: what the schema found wrong, models find wrong again."""
    length = min(len(one.path), len(other.path))
    return one.path[:length] == other.path[:length]


def load_campaign(path: str | os.PathLike[str]) -> Campaign:
    """The campaign in a TOML or JSON file. Raises `CampaignError` with everything that is wrong."""
    document, unreadable = read_document(Path(path), missing="Name the file of a campaign, in TOML or JSON.")
    if unreadable:
        raise CampaignError(unreadable)
    return check_campaign(document, str(path))


def check_campaign(data: Mapping[str, Any], source: str = "campaign") -> Campaign:
    """The campaign in a host's dictionary; `source` stands for the file in messages.

    Whether the names in it are configured is `campaign_faults`'s to say. Raises `CampaignError` with everything
    that is wrong.
    """
    document, wrong = plain(data)
    document, untimely = with_offsets(document)
    wrong += untimely
    inspection = Inspection(rules({CAMPAIGN: campaign_schema()}, CAMPAIGN), document)
    wrong += _unless_known(inspection.violations(), wrong)
    wrong += _torn_parameters(document)
    wrong += _misspelt_message(document)
    campaign = None
    try:
        campaign = Campaign.model_validate(document)
    except ValidationError as error:
        late = inspection.validation(error)
        wrong += [each for each in late if not any(_touches(each, other) for other in wrong)]
    if campaign and campaign.send_at and campaign.expire_at and campaign.expire_at <= campaign.send_at:
        wrong.append(Wrong(("expire_at",), "This is not after send_at; give a later time."))
    if wrong or campaign is None:
        raise CampaignError(faults(wrong, source))
    check_values(campaign, source)
    return campaign


def check_values(campaign: Campaign, source: str = "campaign") -> None:
    """Whether all that a campaign holds can be kept, and told in events. Raises `CampaignError`."""
    _, wrong = plain(campaign.model_dump())
    if not wrong:
        for name in Campaign.model_fields:
            try:
                campaign.model_dump_json(include={name})
            except PydanticSerializationError:
                sentence = "A value can't be written as JSON; give texts, numbers, true or false, lists and tables."
                wrong.append(Wrong((name,), sentence))
    if wrong:
        raise CampaignError(faults(wrong, source))


def _misspelt_message(document: Any) -> list[Wrong]:
    """Keys of [message] that are nearly ours; others may be a provider's own kinds of message."""
    message = document.get("message") if isinstance(document, dict) else None
    wrong = []
    for key in message if isinstance(message, dict) else ():
        meant = None if key in Message.model_fields else nearest(key, list(Message.model_fields))
        if meant is not None:
            wrong.append(Wrong(("message", key), f"There is no such key. Did you mean {meant}?"))
    return wrong


def _torn_parameters(document: Any) -> list[Wrong]:
    """Marks that would go out to people as they stand: `${name` without its end, and `${}`."""
    message = document.get("message") if isinstance(document, dict) else None
    text = message.get("text") if isinstance(message, dict) else None
    if not isinstance(text, str):
        return []
    path = ("message", "text")
    wrong = []
    if "${" in re.sub(r"\$\$\{|\$\{[^{}]*\}", "", text):
        wrong.append(Wrong(path, "A ${ has no } after its name; write ${name}, and $${ for a literal ${."))
    if "" in Template.read(text).names:
        wrong.append(Wrong(path, "A ${} names no parameter; write ${name}, and $${ for a literal ${."))
    return wrong
