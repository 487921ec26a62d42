"""Channels of an account that let nothing through: told by the provider, or asked for while something is sent."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from connector.ledger.tables import accounts, failing_channels

ASK_EVERY = timedelta(minutes=5)
"""So often the channels are asked about while something is sent, and once before the first request of a dispatch."""
FRESH = timedelta(seconds=10)
"""An answer that is no older serves for a dispatch that begins."""
TOLD_STANDS = timedelta(minutes=15)
"""So long the provider's own word that a channel fails goes before its list, which may lag behind."""

_OF_ACCOUNT = failing_channels.c.account == bindparam("of_account")
_FAILING = select(failing_channels.c.channel, failing_channels.c.words, failing_channels.c.since).where(_OF_ACCOUNT)
_ASKED_AT = select(accounts.c.channels_asked_at).where(accounts.c.name == bindparam("of_account"))


def told(connection: Connection, account: str, channel: str, words: str, *, now: datetime) -> None:
    """The provider said by itself that a channel fails."""
    _fails(connection, account, channel, words, now=now, stands_until=now + TOLD_STANDS)


def answered(connection: Connection, account: str, failing: Mapping[str, str] | None, *, now: datetime) -> None:
    """The provider was asked which channels fail; None: it could not say, and what was known holds."""
    connection.execute(
        update(accounts).where(accounts.c.name == account).values(channels_asked_at=now, channels_due_at=None)
    )
    if failing is None:
        return
    connection.execute(
        delete(failing_channels).where(
            failing_channels.c.account == account,
            failing_channels.c.channel.not_in(list(failing)),
            failing_channels.c.stands_until <= now,
        )
    )
    for channel, words in failing.items():
        _fails(connection, account, channel, words, now=now, stands_until=now)


def _fails(
    connection: Connection, account: str, channel: str, words: str, *, now: datetime, stands_until: datetime
) -> None:
    """Write down that a channel fails; since when is kept, so that nothing is paused twice for the same."""
    named = (failing_channels.c.account == account) & (failing_channels.c.channel == channel)
    known = connection.execute(select(failing_channels).where(named)).first()
    if known is None:
        values = {"account": account, "channel": channel, "since": now, "words": words, "stands_until": stands_until}
        connection.execute(insert(failing_channels).values(values))
    else:
        until = max(known.stands_until, stands_until)
        connection.execute(update(failing_channels).where(named).values(words=words, stands_until=until))


def ask_first(connection: Connection, account: str, begun_at: datetime | None, *, now: datetime) -> bool:
    """Whether the channels of an account are to be asked about before a dispatch sends; then nothing leaves until.

    `begun_at`: when the dispatch was let run, or was resumed.
    """
    asked_at: datetime | None = connection.scalar(_ASKED_AT, {"of_account": account})
    # A clock that was set back must not keep it from being asked, nor have it asked again and again.
    oldest = max(min(begun_at or now, now) - FRESH, now - ASK_EVERY)
    if asked_at is not None and oldest <= asked_at <= now:
        return False
    connection.execute(update(accounts).where(accounts.c.name == account).values(channels_due_at=now))
    return True


def failing_since(connection: Connection, account: str, resumed_at: datetime | None) -> dict[str, str]:
    """The channels that fail, each with the provider's words; without what a person saw before resuming."""
    rows = connection.execute(_FAILING, {"of_account": account}).all()
    return {row.channel: row.words for row in rows if resumed_at is None or row.since > resumed_at}
