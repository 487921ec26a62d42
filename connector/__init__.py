"""Send campaigns through a messaging provider and get the truth back about every message."""

from connector.connector import Connector, Dispatch, Preview
from connector.delivery.cursors import SinkState
from connector.extension.sink import Sink
from connector.model.callback import Request, Response
from connector.model.campaign import Campaign
from connector.model.errors import (
    CampaignError,
    ConfigurationError,
    ConnectorError,
    Fault,
    InputError,
    KeyConflict,
    LedgerError,
    NotFound,
    NotReached,
    NotSent,
    PluginError,
    ReadFailed,
    ReadRefused,
    RecipientsError,
    SchemaMismatch,
    Stopped,
    Throttled,
    WorkerBusy,
)
from connector.model.event import Event, EventKind, Status, StatusCodeSource
from connector.model.recipient import Recipient
from connector.report import Report

__all__ = [
    "Campaign",
    "CampaignError",
    "ConfigurationError",
    "Connector",
    "ConnectorError",
    "Dispatch",
    "Event",
    "EventKind",
    "Fault",
    "InputError",
    "KeyConflict",
    "LedgerError",
    "NotFound",
    "NotReached",
    "NotSent",
    "PluginError",
    "Preview",
    "ReadFailed",
    "ReadRefused",
    "Recipient",
    "RecipientsError",
    "Report",
    "Request",
    "Response",
    "SchemaMismatch",
    "Sink",
    "SinkState",
    "Status",
    "StatusCodeSource",
    "Stopped",
    "Throttled",
    "WorkerBusy",
]
