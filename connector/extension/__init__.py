"""How plugins extend the connector: hooks, `Provider`, and their loading."""

from connector.extension.hookspecs import hookimpl
from connector.extension.offer import Choice, Offer, Wanted
from connector.extension.provider import CheckResult, Integration, IntegrationSettings, Provider
from connector.extension.secret import Secret
from connector.extension.sink import DeadLetter, Sink, SinkSettings

__all__ = [
    "CheckResult",
    "Choice",
    "DeadLetter",
    "Integration",
    "IntegrationSettings",
    "Offer",
    "Provider",
    "Secret",
    "Sink",
    "SinkSettings",
    "Wanted",
    "hookimpl",
]
