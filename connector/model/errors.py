"""The errors of the connector, in one tree.

    ConnectorError
    ├── InputError                 what was given is wrong: mend it and start again
    │   ├── ConfigurationError     the configuration
    │   ├── CampaignError          the campaign
    │   └── RecipientsError        the recipients
    ├── KeyConflict                the dispatch key is in use for something else, or already done
    ├── DispatchClosed             the dispatch takes no more messages
    ├── NotFound                   no such dispatch, integration, provider ...
    ├── LedgerError                the ledger can't be used
    │   ├── SchemaMismatch         it was made by an older or newer version
    │   └── WorkerBusy             another process drains it
    ├── PluginError                a plugin broke its contract
    ├── ReadFailed                 a safe read at the provider failed
    │   └── ReadRefused            the provider refused it (credentials, unknown id)
    ├── NotTaken                   a sink did not take its events; they come again
    │   └── SinkStopped            the platform refused the sink's credentials or settings
    └── NotSent                    a send that was surely not accepted
        ├── NotReached             the request never left
        ├── Throttled              the provider asked us to wait
        └── Stopped                a host's hook stopped the dispatch

A send that ends in anything else than an outcome or `NotSent` may have been accepted: it is in doubt.
"""

import traceback
from dataclasses import dataclass


class ConnectorError(Exception):
    """The connector could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in what was given: where it stands, what was found, what to do."""

    place: str
    """Path of the field (`integrations.sms-eu.region`), or `line 17`; empty for the whole."""
    message: str
    """What was found (never a secret) and what would be right."""
    source: str = ""
    """The file, or what stands for one."""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.source, self.place) if part)
        return f"{where}: {self.message}" if where else self.message


class InputError(ConnectorError):
    """What was given is wrong: mend it and start again."""

    def __init__(self, faults: list[Fault] | str) -> None:
        self.faults = [Fault("", faults)] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ConfigurationError(InputError):
    """The configuration is wrong."""


class CampaignError(InputError):
    """The campaign is wrong."""


class RecipientsError(InputError):
    """The recipients can't be read."""


class KeyConflict(ConnectorError):
    """The dispatch key is in use for something else, or its dispatch is done."""


class DispatchClosed(ConnectorError):
    """The dispatch takes no more messages."""


class NotFound(ConnectorError):
    """There is no such thing."""


class LedgerError(ConnectorError):
    """The ledger can't be used."""


class SchemaMismatch(LedgerError):
    """The ledger was made by another version of the connector."""


class WorkerBusy(LedgerError):
    """Another process drains this ledger."""


class PluginError(ConnectorError):
    """A plugin broke its contract."""


class ReadFailed(ConnectorError):
    """A safe read at the provider failed; it may be asked again."""


class ReadRefused(ReadFailed):
    """The provider refused a read."""

    def __init__(self, message: str | None = None, *, http_status: int | None = None) -> None:
        self.http_status = http_status
        super().__init__(message)


class NotTaken(ConnectorError):
    """A sink did not take its events; they come again."""

    def __init__(self, message: str | None = None, *, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class SinkStopped(NotTaken):
    """The platform refused a sink's credentials or settings: it waits for a person."""


class NotSent(ConnectorError):
    """The batch was surely not accepted."""


class NotReached(NotSent):
    """The request never left."""


class Throttled(NotSent):
    """The provider asked us to wait."""

    def __init__(self, message: str | None = None, *, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class Stopped(NotSent):
    """A host's hook stopped the dispatch."""


def without_words(error: BaseException) -> str:
    """A foreign error for a log: its type and the lines that led to it.

    Its words are left out, as they may name people or secrets.
    """
    lines = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}\n{lines}".rstrip()
