"""The ledger's tables, all in one place.

What can be derived is not stored: while a batch is waiting, sending, in doubt or given up, its messages have
no state of their own, and accepting a batch of a thousand writes one row of the log. A batch is a range of
rows of its dispatch: its messages are those of its shape that have not been skipped or refused.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

metadata = MetaData()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(at: datetime) -> int:
    """An aware time as microseconds since 1970, as the ledger stores it."""
    return (at - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """The time of a stored value, in UTC."""
    return _EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """An aware UTC time, stored as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else from_microseconds(value)


Number = BigInteger().with_variant(Integer, "sqlite")
"""A row number; SQLite counts only plain integers by itself."""


class DispatchState(StrEnum):
    """Where a dispatch stands."""

    planning = "planning"
    """Its recipients are being read; nothing is sent."""
    running = "running"
    """Its batches are sent as they fall due."""
    paused = "paused"
    """A person or a host's hook paused it."""
    stopped = "stopped"
    """A refusal that concerns the whole of it stopped it; the cause says why."""
    cancelled = "cancelled"
    """A person ended it: nothing more is sent, and what the provider can still call back is called back."""
    finished = "finished"
    """Nothing is waiting, sending or in doubt any more, and nothing can be added. Derived, never stored."""


class BatchState(StrEnum):
    """Where a batch stands."""

    waiting = "waiting"
    """Not sent, or surely not accepted."""
    sending = "sending"
    """A worker has claimed it, and may be writing the request."""
    in_doubt = "in_doubt"
    """It may have been accepted."""
    accepted = "accepted"
    """The provider took it."""
    refused = "refused"
    """The provider refused it, and every message in it."""
    split = "split"  # type: ignore[assignment]  # the word of the field, over the method of text
    """The provider refused a part; the rest is in its children."""
    given_up = "given_up"
    """A person gave up finding out; its messages are unknown."""
    cancelled = "cancelled"
    """Its messages were skipped before it was sent."""


class Task(StrEnum):
    """What is due for a batch at its `due_at`."""

    send = "send"
    """Claim it and send."""
    overdue = "overdue"
    """The worker that claimed it is dead or late: put it in doubt."""
    look_up = "look_up"
    """Ask the provider whether it has it."""
    recheck = "recheck"
    """A copy is scheduled at the provider: look once more whether an older one has surfaced."""
    poll = "poll"
    """Ask for its reports."""
    cancel = "cancel"
    """Ask the provider to call it back."""
    country = "country"
    """Nothing yet: everybody in it is in a country that is paused."""
    trial = "trial"
    """Nothing yet: it waits for what becomes of another batch of the same sender and text."""


class MessageState(StrEnum):
    """A message's own state; a message without one has that of its batch."""

    skipped = "skipped"
    """Never part of a batch."""
    withdrawn = "withdrawn"
    """Skipped after it had been planned into a batch; counted and told as skipped."""
    enqueue_failed = "enqueue_failed"
    unconfirmed = "unconfirmed"
    rejected = "rejected"
    failed = "failed"
    delivered = "delivered"
    read = "read"


dispatches = Table(
    "dispatches",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("key", String(200), unique=True),
    Column("key_is_given", Boolean, nullable=False),
    Column("digest", String(64)),
    Column("campaign", Text, nullable=False),
    Column("campaign_name", Text, nullable=False),
    Column("campaign_id", Text),
    Column("integration", String(200), nullable=False),
    Column("account", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("cause", Text),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("send_at", Instant),
    Column("expire_at", Instant),
    Column("resumed_at", Instant),
    Column("paused_countries", Text),
    Column("open", Boolean),
)
"""`paused_countries`: JSON, country to what is wrong there. `open`: whether messages may be added one at a time;
None: its recipients were read from a list."""

shapes = Table(
    "shapes",
    metadata,
    Column("dispatch", Number, ForeignKey("dispatches.number"), nullable=False),
    Column("shape", Integer, nullable=False),
    Column("sender", Text),
    Column("text", Text, nullable=False),
    Column("twin_of", Integer),
    Column("gathers", Number),
    Column("long", Boolean),
    Column("outside", Boolean),
    PrimaryKeyConstraint("dispatch", "shape"),
)
"""What the messages of one batch share: sender and text. `twin_of`: the shape that this one was parted from. `outside`:
of people without an open session, who get another message.
Of an open dispatch: `gathers`, the batch that was last added to; `long`, whether its values travel in pieces."""

messages = Table(
    "messages",
    metadata,
    Column("dispatch", Number, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("shape", Integer, nullable=False),
    Column("address", Text, nullable=False),
    Column("country", String(3)),
    Column("customer_id", Text),
    Column("content", Text),
    Column("metadata", Text),
    Column("parts", Integer),
    Column("state", String(20)),
    Column("reason", String(40)),
    Column("status_code", Integer),
    Column("status_code_source", String(20)),
    Column("raw_status", Text),
    Column("error", Text),
    Column("provider_id", Text),
    PrimaryKeyConstraint("dispatch", "ordinal"),
    sqlite_with_rowid=False,
)
"""One row of one dispatch. `content`: the values of the text's parameters, as a JSON array. `error`: a code that is no
number; `provider_id`: the provider's own id of it, where its reports tell one."""

addresses = Table(
    "addresses",
    metadata,
    Column("dispatch", Number, nullable=False),
    Column("address", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    PrimaryKeyConstraint("dispatch", "address", "ordinal"),
    sqlite_with_rowid=False,
)
"""Which message went to an address: of a list one, as repeats are found when this is written in order after the
bulk; of an open dispatch any number. A person's further identities stand here, too, as they may answer over any."""

MESSAGE_OF_ADDRESS = (messages.c.dispatch == addresses.c.dispatch) & (messages.c.ordinal == addresses.c.ordinal + 0)
"""Joins an address to its message.

Without `+ 0`, and given a range of rows, SQLite would go through all messages of the range for every address.
"""

additions = Table(
    "additions",
    metadata,
    Column("dispatch", Number, nullable=False),
    Column("key", String(200), nullable=False),
    Column("ordinal", Integer, nullable=False),
    PrimaryKeyConstraint("dispatch", "key"),
    sqlite_with_rowid=False,
)
"""The messages that were added to open dispatches, each by the host's own key for it."""

batches = Table(
    "batches",
    metadata,
    Column("number", Number, primary_key=True),
    Column("dispatch", Number, ForeignKey("dispatches.number"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("split", Integer, nullable=False),
    Column("parent", Number),
    Column("key", String(128), nullable=False, unique=True),
    Column("account", String(200), nullable=False),
    Column("shape", Integer, nullable=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("task", String(20)),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("first_sent_at", Instant),
    Column("doubt_since", Instant),
    Column("deadline", Instant),
    Column("look_ups", Integer, nullable=False),
    Column("good_look_ups", Integer, nullable=False),
    Column("last_look_up", Text),
    Column("held", Boolean, nullable=False),
    Column("provider_batch_id", String(200)),
    Column("accepted_at", Instant),
    Column("cancelled_at", Instant),
    Column("send_at", Instant),
    Column("polls", Integer, nullable=False),
    Column("prompt", Boolean),
    Column("unlisted", Boolean),
    Index("batches_by_task", "task", "due_at"),
    Index("batches_to_send", "task", "dispatch", "due_at", sqlite_where=text("task = 'send'")),
    Index("batches_by_dispatch", "dispatch", "state", "task"),
    Index("batches_by_ordinal", "dispatch", "ordinal", "split"),
    Index("batches_by_rows", "dispatch", "shape", "first"),
    Index("batches_by_provider_id", "provider_batch_id"),
)
"""`prompt`: of an open dispatch, and so sent before what is due of a list. `unlisted`: no look-up could show it, even
though it was accepted."""

attempts = Table(
    "attempts",
    metadata,
    Column("batch", Number, ForeignKey("batches.number"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("deadline", Instant, nullable=False),
    Column("send_at", Instant),
    Column("ended", String(20)),
    Column("cause", Text),
    Column("provider_batch_id", String(200)),
    PrimaryKeyConstraint("batch", "number"),
    Index("attempts_by_provider_id", "provider_batch_id"),
)

totals = Table(
    "totals",
    metadata,
    Column("number", Number, primary_key=True),
    Column("dispatch", Number, nullable=False),
    Column("name", String(200), nullable=False),
    Column("delta", BigInteger, nullable=False),
    Index("totals_by_dispatch", "dispatch", "name", "delta"),
)
"""Changes of a dispatch's counts, written with what they count, and folded now and then."""

events = Table(
    "events",
    metadata,
    Column("number", Number, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("integration", String(200)),
    Column("dispatch", Number),
    Column("ordinal", Integer),
    Column("batch", Number),
    Column("last", Integer),
    Column("size", Integer, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("event_id", String(40), unique=True),
    Column("recipient", Text),
    Column("sender", Text),
    Column("status_code", Integer),
    Column("status_code_source", String(20)),
    Column("error", Text),
    Column("comment", Text),
    Column("raw_status", Text),
    Column("number_of_message_parts", Integer),
    Column("operator", Text),
    Column("encoding", Text),
    Column("channel", Text),
    Column("text", Text),
    Column("payload", Text),
    Index("events_by_dispatch", "dispatch", "number"),
    sqlite_autoincrement=True,
)
"""The log. A row is one event, or a block of them: all messages of a batch that was accepted (`batch`), or
the skipped ones among the rows `ordinal` to `last`."""

kept_reports = Table(
    "kept_reports",
    metadata,
    Column("number", Number, primary_key=True),
    Column("why", String(20), nullable=False),
    Column("integration", String(40), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("batch_key", String(128)),
    Column("provider_batch_id", String(200)),
    Column("dispatch", Number),
    Column("ordinal", Integer),
    Column("problem", Text),
    Column("body", Text, nullable=False),
    Column("digest", String(64)),
    Index("kept_reports_by_digest", "why", "integration", "digest"),
    Index("kept_reports_by_key", "why", "batch_key", "provider_batch_id"),
    Index("kept_reports_by_provider_id", "why", "provider_batch_id"),
    Index("kept_reports_by_message", "dispatch", "ordinal"),
)
"""`digest`: of the body, by which a repeat is known."""


class WhyKept(StrEnum):
    """Why a report is kept beside the log."""

    unmatched = "unmatched"
    """It belongs to nothing that is known yet; it is matched again."""
    unreadable = "unreadable"
    """It could not be read, or is of an unknown type or status."""
    late = "late"
    """It came after the waiting period."""
    double_send = "double_send"
    """It speaks of a second accepted copy of a message."""


integrations = Table(
    "integrations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("provider", String(200), nullable=False),
    Column("account", String(200), nullable=False),
)
"""The unguessable id in an integration's callback address, which outlives its name."""

accounts = Table(
    "accounts",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("messages_per_second", Float),
    Column("free_at", Instant, nullable=False),
    Column("throttles", Integer, nullable=False),
    Column("throttled_at", Instant),
    Column("failures", Integer, nullable=False),
    Column("probe_at", Instant),
    Column("trouble", Text),
    Column("look_up_proven_at", Instant),
    Column("inbound_read_to", Instant),
    Column("inbound_due_at", Instant),
    Column("inbound_failures", Integer),
    Column("channels_asked_at", Instant),
    Column("channels_due_at", Instant),
)
"""What the provider limits: the moment that it is free for the next batch, and whether it is well. `channels_due_at`:
its channels are to be asked about before anything more is sent."""

failing_channels = Table(
    "failing_channels",
    metadata,
    Column("account", String(200), nullable=False),
    Column("channel", String(40), nullable=False),
    Column("since", Instant, nullable=False),
    Column("words", Text, nullable=False),
    Column("stands_until", Instant, nullable=False),
    PrimaryKeyConstraint("account", "channel"),
)
"""Channels that let nothing through, in the provider's words. `stands_until`: so long it counts, though the provider
should not list it when it is asked."""

counters = Table(
    "counters",
    metadata,
    Column("integration", String(40), nullable=False),
    Column("name", String(60), nullable=False),
    Column("count", BigInteger, nullable=False),
    PrimaryKeyConstraint("integration", "name"),
)
"""How often something happened that makes no event: forged, stale, late and repeated reports."""

receivers = Table(
    "receivers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("seen_at", Instant, nullable=False),
    Column("backlog", Integer, nullable=False),
)
"""Servers that take callbacks just now: reports are asked for less while there is one."""

cursors = Table(
    "cursors",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("due_at", Instant),
    Column("trouble", Text),
    Column("ahead", Text),
    Column("stopped", Boolean),
    Column("taken_at", Instant),
    Column("events_per_second", Float),
    Column("left_out", BigInteger),
    Column("of_program", Boolean),
)
"""How far each reader of the log has come: everything up to `position` was taken, and what `ahead`, a JSON array of
later positions, names. `stopped`: it waits for a person. `events_per_second`: of its latest work, until `taken_at`.
`left_out`: how many events were none for its platform. `of_program`: no configuration names it, a host's program
hands it over."""

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("number", Number, primary_key=True),
    Column("sink", String(200), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("event_id", String(40), nullable=False),
    Column("dispatch", String(32)),
    Column("status", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("refused_at", Instant, nullable=False),
    Column("again", Boolean),
    UniqueConstraint("sink", "position"),
    Index("dead_letters_again", "sink", "again"),
    sqlite_autoincrement=True,
)
"""Events that a sink won't take, with the platform's words. `again`: it is to be tried once more."""

replays = Table(
    "replays",
    metadata,
    Column("number", Number, primary_key=True),
    Column("sink", String(200), nullable=False),
    Column("dispatch", Number),
    Column("position", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("ahead", Text),
    Column("asked_at", Instant, nullable=False),
    Index("replays_by_sink", "sink", "number"),
)
"""Parts of the log that go to a sink again: what stands after `position`, up to `until`, of one dispatch or of all."""

sessions = Table(
    "sessions",
    metadata,
    Column("account", String(200), nullable=False),
    Column("channel", String(40), nullable=False),
    Column("address", Text, nullable=False),
    Column("open_until", Instant, nullable=False),
    PrimaryKeyConstraint("account", "channel", "address"),
    Index("sessions_by_end", "open_until"),
    sqlite_with_rowid=False,
)
"""Until when anything may be sent to a person on a channel, as they wrote: later only what the channel approved."""

trials = Table(
    "trials",
    metadata,
    Column("dispatch", Number, nullable=False),
    Column("shape", Integer, nullable=False),
    Column("probe", Number),
    Column("descents", Integer, nullable=False),
    PrimaryKeyConstraint("dispatch", "shape"),
)
"""Senders and texts that the provider refused without saying for whom: one batch of them is sent at a time."""

refused_alone = Table(
    "refused_alone",
    metadata,
    Column("batch", Number, primary_key=True, autoincrement=False),
    Column("dispatch", Number, nullable=False),
    Column("shape", Integer, nullable=False),
    Column("descent", Integer, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("error", Text),
    Column("comment", Text),
    Index("refused_alone_by_shape", "dispatch", "shape"),
)
"""Batches of one recipient that were refused during a trial: its end tells whether it was about them."""
