"""What is going on in a ledger just now: dispatches, accounts, batches in doubt, reports that were kept."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from connector.ledger import registry
from connector.ledger.tables import BatchState, DispatchState, WhyKept, accounts, attempts, batches, kept_reports
from connector.model.phone import mask
from connector.report import Report


@dataclass(frozen=True, slots=True)
class DoubtfulBatch:
    """A batch that may have been accepted, and what is being done about it."""

    key: str
    messages: int
    since: datetime | None
    cause: str | None
    look_ups: int
    last_look_up: str | None
    next_look_up: datetime | None
    held: bool
    """Whether it waits for a person."""


@dataclass(frozen=True, slots=True)
class DispatchLine:
    """A dispatch in a list."""

    id: str
    campaign: str
    key: str | None
    state: str
    cause: str | None
    created_at: datetime
    recipients: int
    enqueued: int
    in_doubt: int
    left: int
    """How many of its messages wait, are being sent, or are in doubt."""
    send_at: datetime | None
    """When it is to be sent; None: at once."""
    is_open: bool
    """Whether messages may be added to it."""
    abandoned: bool
    """Its reading was never finished, and nobody is at it any more."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """How a provider's account is just now."""

    name: str
    free_at: datetime
    probe_at: datetime | None
    trouble: str | None
    look_up_proven_at: datetime | None
    inbound_read_to: datetime | None
    """Everything that people wrote before this was asked for; None: nothing was."""
    inbound_failures: int
    """How often in a row it could not be asked for since."""


@dataclass(frozen=True, slots=True)
class KeptReport:
    """A report that changed nothing, and why it is kept."""

    why: str
    integration: str
    received_at: datetime
    problem: str | None
    batch: str | None
    """The batch key that it names, or the provider's own id of the batch."""
    recipient: str | None
    """Masked."""


def line_of(dispatch: Row[Any], told: Report, abandoned: bool) -> DispatchLine:
    """A dispatch and its report, as a line of a list."""
    return DispatchLine(
        id=dispatch.id,
        campaign=dispatch.campaign_name,
        key=dispatch.key,
        state=told.state,
        cause=dispatch.cause,
        created_at=dispatch.created_at,
        recipients=told.recipients,
        enqueued=told.enqueued,
        in_doubt=told.in_doubt,
        left=told.waiting + told.sending + told.in_doubt,
        send_at=dispatch.send_at,
        is_open=bool(dispatch.open) and told.state != DispatchState.cancelled,
        abandoned=abandoned,
    )


def accounts_of(connection: Connection) -> list[AccountState]:
    """Every account that was ever used."""
    return [
        AccountState(
            name=row.name,
            free_at=row.free_at,
            probe_at=row.probe_at,
            trouble=row.trouble,
            look_up_proven_at=row.look_up_proven_at,
            inbound_read_to=row.inbound_read_to,
            inbound_failures=row.inbound_failures or 0,
        )
        for row in connection.execute(select(accounts).order_by(accounts.c.name))
    ]


def in_doubt(connection: Connection, dispatch: int) -> list[DoubtfulBatch]:
    """The batches of a dispatch that may have been accepted, oldest first, each with the cause of its last attempt."""
    last = (attempts.c.batch == batches.c.number) & (attempts.c.number == batches.c.attempts)
    rows = connection.execute(
        select(batches, attempts.c.cause)
        .outerjoin(attempts, last)
        .where(batches.c.dispatch == dispatch, batches.c.state == BatchState.in_doubt)
        .order_by(batches.c.number)
    )
    return [
        DoubtfulBatch(
            key=row.key,
            messages=row.size,
            since=row.doubt_since,
            cause=row.cause,
            look_ups=row.look_ups,
            last_look_up=row.last_look_up,
            next_look_up=row.due_at,
            held=row.held,
        )
        for row in rows
    ]


def reports_kept(connection: Connection, why: WhyKept, *, limit: int) -> list[KeptReport]:
    """The reports that are kept for a reason, the latest first."""
    names = registry.names(connection)
    listed = []
    for row in connection.execute(
        select(kept_reports).where(kept_reports.c.why == why).order_by(kept_reports.c.number.desc()).limit(limit)
    ):
        recipient = json.loads(row.body).get("recipient")
        listed.append(
            KeptReport(
                why=row.why,
                integration=names.get(row.integration, row.integration),
                received_at=row.received_at,
                problem=row.problem,
                batch=row.batch_key or row.provider_batch_id,
                recipient=None if recipient is None else mask(recipient),
            )
        )
    return listed
