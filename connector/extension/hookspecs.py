"""The hooks of the connector, each with its one sentence."""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from connector.extension.provider import Integration, Provider
    from connector.extension.sink import Sink
    from connector.http import Http
    from connector.model.batch import Batch
    from connector.model.outcome import Outcome
    from connector.model.report import Receipt, Report

PROJECT = "connector"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def connector_provider() -> "type[Provider] | None":
    """Offer a `Provider` class."""


@hookspec(firstresult=True)
def connector_setup(integration: "Integration", http: "Http") -> "Provider | None":
    """Provider setup: from checked settings (account, token, region ...) to a ready provider."""


@hookspec(firstresult=True)
def connector_dispatch(provider: "Provider", batch: "Batch") -> "Outcome | None":
    """Campaign dispatch: send one batch once, and return its outcome."""


@hookspec(firstresult=True)
def connector_map_events(provider: "Provider", report: "Report") -> "list[Receipt] | None":
    """Event mapping: one report, called back or polled, to receipts."""


@hookspec
def connector_sink() -> "type[Sink] | None":
    """Offer a `Sink` class."""
