"""Whether what people answer arrives: in the ledger already, or at least in the provider's list."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from connector.checking.finding import Finding, Result
from connector.extension.plugins import Plugins
from connector.extension.provider import Provider
from connector.ledger.database import Ledger
from connector.ledger.tables import events
from connector.model.errors import ConnectorError
from connector.model.event import Status
from connector.model.report import ReceiptKind

NAME = "replies"
LOOK_BACK = timedelta(days=7)


def prove(name: str, provider: Provider, plugins: Plugins, ledger: Ledger, *, now: datetime) -> Finding:
    """Whether a message from a person ever came, or waits in the provider's list."""
    with ledger.read() as connection:
        last = _last(connection, name)
    if last is not None:
        return Finding(
            NAME, Result.ok, f"Messages from people arrive; the last one is of {last:%Y-%m-%d %H:%M} UTC.", name
        )
    if not provider.supports("inbound"):
        declined = provider.declines.get("inbound", "its plugin doesn't read them")
        return Finding(NAME, Result.not_proved, f"No message from a person has come ({declined}).", name)
    try:
        waiting = any(
            receipt.kind is ReceiptKind.person
            for report in provider.inbound(now - LOOK_BACK)
            for receipt in plugins.map_events(provider, report)
        )
    except ConnectorError as error:
        return Finding(NAME, Result.not_proved, f"The list of messages from people can't be read: {error}", name)
    except Exception as error:
        sentence = f"The plugin of {provider.name} failed while it read messages from people ({type(error).__name__})."
        return Finding(NAME, Result.not_proved, sentence, name)
    if waiting:
        sentence = (
            f"People have written to this account in the last {LOOK_BACK.days} days. `connector serve` and `connector "
            "worker` fetch that while they run."
        )
        return Finding(NAME, Result.ok, sentence, name)
    sentence = (
        f"No message from a person has come yet, nor has the provider had one in the last {LOOK_BACK.days} days: "
        "write one to a number of the account to see it arrive."
    )
    return Finding(NAME, Result.not_proved, sentence, name)


def _last(connection: Connection, name: str) -> datetime | None:
    query = select(events.c.occurred_at).where(events.c.status == Status.replied, events.c.integration == name)
    at: datetime | None = connection.scalar(query.order_by(events.c.number.desc()).limit(1))
    return at
