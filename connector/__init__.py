"""Send campaigns through a messaging provider and get the truth back about every message."""

from connector.connector import Connector, Dispatch
from connector.model.callback import Request, Response
from connector.model.campaign import Campaign
from connector.model.errors import ConnectorError
from connector.model.event import Event, Status
from connector.model.recipient import Recipient

__all__ = [
    "Campaign",
    "Connector",
    "ConnectorError",
    "Dispatch",
    "Event",
    "Recipient",
    "Request",
    "Response",
    "Status",
]
