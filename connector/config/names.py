"""Names that refer to other parts of the configuration."""

import re
from typing import Any

from connector.config.messages import Wrong, faults, unknown_name
from connector.config.settings import SENDER, Settings
from connector.model.campaign import Campaign
from connector.model.errors import Fault

ONLY_INTEGRATIONS = "only_integrations"

KINDS = ("marketing", "transactional")
"""The categories there are where the configuration declares none: one of each kind, by its name."""


def unknown_defaults(document: Any) -> list[Wrong]:
    """What [defaults] names and nothing defines; `document` needn't be valid."""
    defaults = document.get("defaults") if isinstance(document, dict) else None
    if not isinstance(defaults, dict):
        return []
    wrong = []
    for key, table, what in (("integration", "integrations", "integration"), ("sender", "senders", "sender")):
        name, known = defaults.get(key), document.get(table, {})
        if isinstance(name, str) and isinstance(known, dict) and name not in known:
            wrong.append(Wrong(("defaults", key), unknown_name(name, list(known), what)))
    return wrong


def unknown_integrations(document: Any) -> list[Wrong]:
    """What sinks want events of, and nothing configures; `document` needn't be valid."""
    sinks, known = (document.get(name, {}) if isinstance(document, dict) else {} for name in ("sinks", "integrations"))
    if not isinstance(sinks, dict) or not isinstance(known, dict):
        return []
    wrong = []
    for sink, table in sinks.items():
        names = table.get(ONLY_INTEGRATIONS) if isinstance(table, dict) else None
        for number, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str) and name not in known:
                sentence = unknown_name(name, list(known), "integration")
                wrong.append(Wrong(("sinks", sink, ONLY_INTEGRATIONS, number), sentence))
    return wrong


def campaign_faults(campaign: Campaign, settings: Settings, source: str = "campaign") -> list[Fault]:
    """What a campaign names and the settings don't define: integration, sender, category."""
    wrong = []
    integrations = list(settings.integrations)
    if campaign.integration is None and settings.defaults.integration is None and len(integrations) != 1:
        known = ", ".join(integrations) or "none is configured yet"
        wrong.append(
            Wrong(
                ("integration",),
                f"The campaign names no integration, and [defaults] of the configuration neither; known: {known}.",
            )
        )
    if campaign.integration is not None and campaign.integration not in settings.integrations:
        wrong.append(Wrong(("integration",), unknown_name(campaign.integration, integrations, "integration")))
    for sender in campaign.senders:
        if sender not in settings.senders and not re.fullmatch(SENDER, sender):
            sentence = unknown_name(sender, list(settings.senders), "sender")
            wrong.append(
                Wrong(
                    ("sender",),
                    f"{sentence} A literal one is a phone number, a short code, or up to eleven characters.",
                )
            )
    categories = list(settings.categories or KINDS)
    if campaign.category is not None and campaign.category not in categories:
        wrong.append(Wrong(("category",), unknown_name(campaign.category, categories, "category")))
    return faults(wrong, source)


def integration_of(campaign: Campaign, settings: Settings) -> str:
    """The integration that a campaign without faults goes through: its own, the default, or the only one."""
    return campaign.integration or settings.defaults.integration or next(iter(settings.integrations))


def transactional(settings: Settings) -> frozenset[str]:
    """The categories whose messages people asked for."""
    if not settings.categories:
        return frozenset({"transactional"})
    return frozenset(name for name, category in settings.categories.items() if category.kind == "transactional")
