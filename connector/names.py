"""What `connector` has for hosts: every name that one needs."""

from connector.checking.finding import Finding
from connector.checking.trial import Trial
from connector.connector import Added, Connector, Dispatch, OpenDispatch, Preview
from connector.delivery.cursors import SinkState
from connector.delivery.dead_letters import RefusedEvent
from connector.dispatch.rechecking import Rechecked
from connector.engine.polls import Polled
from connector.extension.sink import DeadLetter, Sink
from connector.ledger.tables import WhyKept
from connector.model.callback import Request, Response
from connector.model.campaign import Campaign
from connector.model.errors import (
    CampaignError,
    ConfigurationError,
    ConnectorError,
    DispatchClosed,
    Fault,
    InputError,
    KeyConflict,
    LedgerError,
    NotFound,
    NotReached,
    NotSent,
    NotTaken,
    PluginError,
    ReadFailed,
    ReadRefused,
    RecipientsError,
    SchemaMismatch,
    SinkStopped,
    Stopped,
    Throttled,
    WorkerBusy,
)
from connector.model.event import Event, EventKind, Status, StatusCodeSource
from connector.model.recipient import Recipient
from connector.overview import AccountState, DispatchLine, DoubtfulBatch, KeptReport
from connector.person import Person
from connector.report import Report
from connector.tracking.silence import Silence

__all__ = [
    "AccountState",
    "Added",
    "Campaign",
    "CampaignError",
    "ConfigurationError",
    "Connector",
    "ConnectorError",
    "DeadLetter",
    "Dispatch",
    "DispatchClosed",
    "DispatchLine",
    "DoubtfulBatch",
    "Event",
    "EventKind",
    "Fault",
    "Finding",
    "InputError",
    "KeptReport",
    "KeyConflict",
    "LedgerError",
    "NotFound",
    "NotReached",
    "NotSent",
    "NotTaken",
    "OpenDispatch",
    "Person",
    "PluginError",
    "Polled",
    "Preview",
    "ReadFailed",
    "ReadRefused",
    "Rechecked",
    "Recipient",
    "RecipientsError",
    "RefusedEvent",
    "Report",
    "Request",
    "Response",
    "SchemaMismatch",
    "Silence",
    "Sink",
    "SinkState",
    "SinkStopped",
    "Status",
    "StatusCodeSource",
    "Stopped",
    "Throttled",
    "Trial",
    "WhyKept",
    "WorkerBusy",
]
