"""The core's own plugin: answers the dispatch hooks by the provider's methods, after everyone else."""

from connector.extension.hookspecs import hookimpl
from connector.extension.provider import Integration, Provider
from connector.http import Http
from connector.model.batch import Batch
from connector.model.outcome import Outcome
from connector.model.report import Receipt, Report


class ProviderMethods:
    """Dispatch by the provider's own methods."""

    @hookimpl(trylast=True)
    def connector_dispatch(self, provider: Provider, batch: Batch) -> Outcome:
        return provider.send(batch)

    @hookimpl(trylast=True)
    def connector_map_events(self, provider: Provider, report: Report) -> list[Receipt]:
        return provider.parse(report)


class ProviderSetup:
    """Setup by the provider classes that were offered."""

    def __init__(self, providers: dict[str, type[Provider]]) -> None:
        self._providers = providers

    @hookimpl(trylast=True)
    def connector_setup(self, integration: Integration, http: Http) -> Provider | None:
        # Two providers may share their class of settings.
        cls = self._providers.get(integration.provider) or next(
            (cls for cls in self._providers.values() if cls.Settings is type(integration.settings)), None
        )
        return None if cls is None else cls(integration, http)
