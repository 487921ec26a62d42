"""The pace of a provider's account: its rate, its throttling and its circuit, shared by all who use it."""

import random
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, insert, select, update

from connector.ledger.tables import accounts

FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 300.0
FAILURES_BEFORE_CIRCUIT = 3
CREDIT = timedelta(seconds=0.1)
"""How far what leaves late may catch up: a pace of many a second would never be reached otherwise."""


# Statements of every batch are built once: building one costs more than running it.
_ACCOUNT = select(accounts).where(accounts.c.name == bindparam("name"))
_WELL = (
    update(accounts)
    .where(accounts.c.name == bindparam("of_name"))
    .values(throttles=0, failures=0, probe_at=None, trouble=None)
)


def register(connection: Connection, account: str, now: datetime) -> None:
    """Know an account; what people wrote to it before is not ours."""
    if connection.execute(select(accounts.c.name).where(accounts.c.name == account)).first() is None:
        connection.execute(
            insert(accounts).values(
                name=account, free_at=now, throttles=0, failures=0, inbound_read_to=now, inbound_failures=0
            )
        )


def backoff_seconds(times: int, jitter: random.Random) -> float:
    """A pause that doubles with every time, between half and all of it at random."""
    whole = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(times, 20))
    return whole * (0.5 + jitter.random() / 2)


def take(
    connection: Connection,
    account: str,
    size: int,
    messages_per_second: float | None,
    requests_per_second: float | None,
    now: datetime,
) -> None:
    """Take the room of a batch, which is one request: the account is free again when its pace has had time for it."""
    row = connection.execute(_ACCOUNT, {"name": account}).one()
    rate = row.messages_per_second or messages_per_second
    free_at = row.free_at
    if rate:
        free_at = max(now - CREDIT, free_at) + timedelta(seconds=size / rate)
    if requests_per_second:
        # The provider's own limit knows no catching up.
        free_at = max(free_at, now + timedelta(seconds=1 / requests_per_second))
    if free_at != row.free_at:
        connection.execute(update(accounts).where(accounts.c.name == account).values(free_at=free_at))


def set_rate(connection: Connection, account: str, messages_per_second: float | None, now: datetime) -> bool:
    """Give an account another pace than the settings, for all who use it; None: theirs again. False: it isn't known.

    It counts from now on: what the old pace still kept back may go, unless the provider asked to wait.
    """
    row = connection.execute(_ACCOUNT, {"name": account}).first()
    if row is None:
        return False
    asked_to_wait = row.throttled_at is not None and now - row.throttled_at < timedelta(seconds=LONGEST_BACKOFF_SECONDS)
    free_at = row.free_at if asked_to_wait else min(row.free_at, now)
    connection.execute(
        update(accounts)
        .where(accounts.c.name == account)
        .values(messages_per_second=messages_per_second, free_at=free_at)
    )
    return True


def throttled(
    connection: Connection,
    account: str,
    *,
    sent_at: datetime,
    retry_after_seconds: float | None,
    now: datetime,
    jitter: random.Random,
) -> None:
    """The provider asked to wait: nothing goes to this account until then.

    Requests that were on their way together are throttled together, and count once.
    """
    row = connection.execute(select(accounts).where(accounts.c.name == account)).one()
    values: dict[str, object] = {}
    pause = retry_after_seconds or 0.0
    if row.throttled_at is None or sent_at > row.throttled_at:
        values = {"throttles": row.throttles + 1, "throttled_at": now}
        pause = max(pause, backoff_seconds(row.throttles, jitter))
    values["free_at"] = max(row.free_at, now + timedelta(seconds=pause))
    connection.execute(update(accounts).where(accounts.c.name == account).values(**values))


def failed(connection: Connection, account: str, trouble: str, *, now: datetime, jitter: random.Random) -> None:
    """A send did not get through, or is in doubt: after some in a row the circuit opens.

    While it is open nothing is sent; a safe read probes whether the account is well again.
    """
    row = connection.execute(select(accounts).where(accounts.c.name == account)).one()
    values: dict[str, object] = {"trouble": trouble}
    # What was on its way when the circuit opened says nothing new.
    if row.probe_at is None:
        values["failures"] = row.failures + 1
        if row.failures + 1 >= FAILURES_BEFORE_CIRCUIT:
            values["probe_at"] = _probe_at(row.failures + 1, now, jitter)
    connection.execute(update(accounts).where(accounts.c.name == account).values(**values))


def unwell(connection: Connection, account: str, trouble: str, *, now: datetime, jitter: random.Random) -> None:
    """A probe did not get through: the circuit stays open, for longer."""
    row = connection.execute(select(accounts).where(accounts.c.name == account)).one()
    values = {"failures": row.failures + 1, "trouble": trouble, "probe_at": _probe_at(row.failures + 1, now, jitter)}
    connection.execute(update(accounts).where(accounts.c.name == account).values(**values))


def _probe_at(failures: int, now: datetime, jitter: random.Random) -> datetime:
    return now + timedelta(seconds=backoff_seconds(failures - FAILURES_BEFORE_CIRCUIT, jitter))


def well(connection: Connection, account: str) -> None:
    """A send or a probe got through."""
    connection.execute(_WELL, {"of_name": account})


def look_up_is_unproven(connection: Connection, account: str) -> bool:
    """Whether a look-up was never seen to work on this account."""
    row = connection.execute(_ACCOUNT, {"name": account}).first()
    return row is not None and row.look_up_proven_at is None


def look_up_proven(connection: Connection, account: str, now: datetime) -> None:
    """A look-up has shown a batch that was accepted on this account."""
    connection.execute(
        update(accounts)
        .where(accounts.c.name == account, accounts.c.look_up_proven_at.is_(None))
        .values(look_up_proven_at=now)
    )
