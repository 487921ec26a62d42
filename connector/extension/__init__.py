"""How plugins extend the connector: hooks, `Provider`, and their loading."""

from connector.extension.hookspecs import hookimpl
from connector.extension.provider import CheckResult, Integration, IntegrationSettings, Provider
from connector.extension.secret import Secret

__all__ = ["CheckResult", "Integration", "IntegrationSettings", "Provider", "Secret", "hookimpl"]
