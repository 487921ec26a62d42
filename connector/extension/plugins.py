"""Finding, checking and asking plugins, each alone: a broken one is named, and the rest go on."""

import inspect
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from connector.extension import hookspecs
from connector.extension import sink as sinks
from connector.extension.core_plugin import ProviderMethods, ProviderSetup
from connector.extension.provider import Integration, Provider, problems
from connector.extension.sink import Sink, SinkSettings
from connector.http import Http
from connector.model.batch import Batch
from connector.model.errors import ConnectorError, PluginError
from connector.model.event import EventKind, Status, StatusCodeSource
from connector.model.outcome import Accepted, InDoubt, Outcome, Refused, Scope
from connector.model.report import Receipt, Report

GROUP = "connector.plugins"
PREFIX = "connector_"

log = logging.getLogger("connector.plugins")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin that is in use."""

    name: str
    version: str
    hooks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin, or an offer of one, that can't be used, and why."""

    name: str
    reason: str


class Plugins:
    """The plugins of one connector: those installed and those a host hands over."""

    def __init__(self, extra: Iterable[object] = (), *, installed: bool = True) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._known = {name for name in vars(hookspecs) if name.startswith(PREFIX)}
        self.providers: dict[str, type[Provider]] = {}
        self.sinks: dict[str, type[Sink]] = {}
        self.loaded: list[Loaded] = []
        self.broken: list[Broken] = []
        if installed:
            for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
                self._load(entry)
        for plugin in extra:
            name = getattr(plugin, "__name__", type(plugin).__name__)
            self._register(plugin, name, "")
        self._collect("connector_provider", "provider", problems, self.providers)
        self._collect("connector_sink", "sink", sinks.problems, self.sinks)
        self._manager.register(ProviderMethods(), "connector")
        self._manager.register(ProviderSetup(self.providers), "connector-setup")

    def _load(self, entry: EntryPoint) -> None:
        try:
            plugin = entry.load()
        except (Exception, SystemExit) as error:
            # A script that is taken for a plugin may even end the process.
            self._report(entry.name, f"it fails to import: {type(error).__name__}: {error}")
            return
        self._register(plugin, entry.name, entry.dist.version if entry.dist else "")

    def _register(self, plugin: object, name: str, version: str) -> None:
        if self._manager.is_registered(plugin):
            self._report(name, "it is loaded already")
            return
        if self._manager.has_plugin(name):
            self._report(name, "another plugin of this name is loaded already")
            return
        try:
            fault = self._fault(plugin)
            if fault is None:
                self._manager.register(plugin, name)
        except Exception as error:
            fault = str(error) or type(error).__name__
            if self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
        if fault is not None:
            self._report(name, fault)
            return
        self.loaded.append(Loaded(name, version, tuple(sorted(self._hooks(plugin)))))

    def _hooks(self, plugin: object) -> dict[str, Any]:
        marked = {}
        for name in dir(plugin):
            member = getattr(plugin, name, None)
            if callable(member) and getattr(member, f"{hookspecs.PROJECT}_impl", None) is not None:
                marked[name] = member
        return marked

    def _fault(self, plugin: object) -> str | None:
        hooks = self._hooks(plugin)
        for name, member in hooks.items():
            if name not in self._known:
                return f"it implements {name}, which is no hook of the connector ({', '.join(sorted(self._known))})"
            known = set(inspect.signature(getattr(hookspecs, name)).parameters)
            taken = set(inspect.signature(member).parameters)
            if "self" in taken:
                return "it is a class: hand over an instance of it"
            if inspect.iscoroutinefunction(member):
                return f"its {name} is async, and hooks are called from threads: write it with def"
            if taken - known:
                return f"its {name} takes {', '.join(sorted(taken - known))}, which the hook doesn't have"
        misspelt = [
            name
            for name in dir(plugin)
            if name.startswith(PREFIX) and inspect.isroutine(getattr(plugin, name, None)) and name not in hooks
        ]
        if misspelt:
            return f"its {misspelt[0]} is not marked with @hookimpl"
        return None if hooks else "it implements no hook"

    def _report(self, name: str, reason: str) -> None:
        log.error("Plugin %s is left out: %s", name, reason)
        self.broken.append(Broken(name, reason))

    def _collect(
        self, hook: str, kind: str, problems_of: Callable[[Any], Sequence[str]], offers: dict[str, Any]
    ) -> None:
        """Put every class that a hook offers under its name, but for those that can't be used."""
        offered_by: dict[str, str] = {}
        for plugin_name, offered in self._ask_each(hook):
            if offered is None:
                continue
            wrong = problems_of(offered)
            if wrong:
                self._report(plugin_name, f"its {kind} can't be used: {'; '.join(wrong)}")
            elif offered.name in offers:
                self._report(plugin_name, f"it offers {offered.name}, which {offered_by[offered.name]} offers already")
            else:
                offered_by[offered.name] = plugin_name
                offers[offered.name] = offered

    def _ask_each(self, hook: str) -> list[tuple[str, Any]]:
        answers = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            try:
                answers.append((implementation.plugin_name, implementation.function()))
            except Exception as error:
                self._report(implementation.plugin_name, f"its {hook} fails: {type(error).__name__}: {error}")
        return sorted(answers, key=lambda answer: answer[0])

    def setup(self, integration: Integration, http: Http) -> Provider:
        """A ready provider for an integration. Raises `PluginError` when no plugin makes one, or one fails."""
        of_whom = f"of {integration.provider} " if integration.provider else ""
        try:
            provider = self._manager.hook.connector_setup(integration=integration, http=http)
        except ConnectorError:
            raise
        except Exception as error:
            raise PluginError(
                f"The plugin {of_whom}failed to set up the integration {integration.name}: {type(error).__name__}."
            ) from error
        if not isinstance(provider, Provider):
            raise PluginError(f"No plugin sets up the integration {integration.name}.")
        return provider

    def sink(self, kind: str, name: str, settings: SinkSettings, http: Http) -> Sink:
        """A ready sink of a kind under a name. Raises `PluginError` when its plugin fails to make it."""
        make: Any = self.sinks[kind]
        try:
            sink = make(settings, http)
        except ConnectorError:
            raise
        except Exception as error:
            raise PluginError(
                f"The plugin of {kind} failed to set up the sink {name}: {type(error).__name__}."
            ) from error
        sink.start = settings.start
        made: Sink = sink
        return made

    def dispatch(self, provider: Provider, batch: Batch) -> Outcome:
        """Send one batch through the hook; an answer that is no outcome is in doubt."""
        outcome = self._manager.hook.connector_dispatch(provider=provider, batch=batch)
        if isinstance(outcome, Accepted | Refused | InDoubt):
            return outcome
        return InDoubt(f"The plugin of {provider.name} answered with {type(outcome).__name__}, which is no outcome.")

    def map_events(self, provider: Provider, report: Report) -> Sequence[Receipt]:
        """The receipts of a report, through the hook."""
        mapped = self._manager.hook.connector_map_events(provider=provider, report=report)
        # It may be a generator, which can be gone through only once.
        receipts = [] if mapped is None else list(mapped)
        if mapped is None or not all(_can_be_stored(receipt) for receipt in receipts):
            raise PluginError(f"The plugin of {provider.name} did not map a report to receipts.")
        return [_with_scope(receipt, provider) for receipt in receipts]


def _with_scope(receipt: Receipt, provider: Provider) -> Receipt:
    """A receipt that says whom its code concerns, where that is more than one message."""
    told = receipt.error if receipt.status_code is None else str(receipt.status_code)
    if told is None or receipt.status not in (Status.rejected, Status.failed):
        return receipt
    code = provider.codes.get((receipt.status_code_source or StatusCodeSource.report, told))
    if code is None or code.scope not in (Scope.campaign, Scope.country, Scope.account):
        return receipt
    return replace(receipt, scope=code.scope, meaning=code.meaning)


def _can_be_stored(receipt: object) -> bool:
    """Whether something is a receipt, with times that have a zone and a payload of JSON.

    What is about a message is of kind `message`: everything else changes none.
    """
    if not isinstance(receipt, Receipt) or receipt.about is EventKind.message:
        return False
    try:
        json.dumps(receipt.payload)
        times = (receipt.occurred_at, receipt.open_until)
        return all(at is None or at.utcoffset() is not None for at in times)
    except (TypeError, ValueError, AttributeError, RecursionError):
        return False
