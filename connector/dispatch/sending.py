"""Claiming a batch, sending it, and writing down what came of it: intent before act."""

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from connector.audience.screening import BETWEEN_IDENTITIES
from connector.dispatch import due, lapsed, pace
from connector.dispatch.budget import Budget
from connector.extension.plugins import Plugins
from connector.extension.provider import Provider
from connector.ledger import log
from connector.ledger.database import Ledger
from connector.ledger.receiving import receiver_is_there
from connector.ledger.tables import (
    BatchState,
    DispatchState,
    Task,
    attempts,
    batches,
    dispatches,
    shapes,
)
from connector.model.batch import Attempt, Batch, Deadline, utc_now
from connector.model.campaign import Campaign
from connector.model.errors import NotSent, Stopped, Throttled, without_words
from connector.model.event import SkipReason, message_id
from connector.model.outcome import Accepted, InDoubt, Outcome, Refused
from connector.model.text import HOST_TEXT, Template
from connector.tracking import channels, holds, outcomes, refusals, standing, track
from connector.tracking.policy import Policy

logger = logging.getLogger("connector.dispatch")

Identities = Sequence[tuple[str, ...]]

FIRST_LOOK_UP = timedelta(seconds=2)
PROOF_AFTER = timedelta(seconds=2)


@dataclass(frozen=True)
class Line:
    """One integration, ready to send."""

    provider: Provider
    integration_id: str
    request_timeout_seconds: float
    messages_per_second: float | None
    callback_base: str | None
    """Where the provider reaches us, with the integration's id; None: nothing is called back."""


@dataclass(frozen=True)
class Desk:
    """What every step of the work needs."""

    ledger: Ledger
    plugins: Plugins
    lines: Mapping[str, Line]
    """By the name of the integration."""
    policy: Policy
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    transactional: frozenset[str] = frozenset()
    """The categories of campaigns that people asked for; all others are marketing."""
    jitter: random.Random = field(default_factory=random.Random)

    def line_of(self, connection: Connection, dispatch: int) -> Line | None:
        """The line of a dispatch; None: its integration isn't configured any more."""
        name = connection.scalar(select(dispatches.c.integration).where(dispatches.c.number == dispatch))
        return self.lines.get(name or "")


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that is ours to send, once."""

    number: int
    attempt: Attempt
    line: Line
    claimed_at: datetime
    due_at: datetime
    """When it fell due: a batch that has to wait once more keeps its place."""
    batch: Row[Any]
    dispatch: Row[Any]
    """As they stood when it was claimed; what is read of them never changes."""


def claim(desk: Desk, budget: Budget, *, without: Sequence[int] = ()) -> Claim | None:
    """Claim the next batch that is due: the intent is durable before anything leaves.

    `budget`: kept by the worker from claim to claim; `without`: the dispatches of which nothing is to be claimed.
    """
    claimed, done = None, False
    while not done:
        # A batch that turns out not to be sent is written down by itself: transactions stay short.
        with desk.ledger.write() as connection:
            # The time counts from here: the transaction may have been waited for.
            claimed, done = _claim_or_settle(desk, budget, connection, desk.clock(), without)
    return claimed


def _claim_or_settle(
    desk: Desk, budget: Budget, connection: Connection, now: datetime, without: Sequence[int]
) -> tuple[Claim | None, bool]:
    """A claim, and whether this is the end of looking: False where a batch that was due was settled otherwise."""
    batch = due.first(connection, now, without=without)
    if batch is None:
        return None, True
    dispatch = connection.execute(_DISPATCH, {"number": batch.dispatch}).one()
    line = desk.lines.get(dispatch.integration)
    if line is None:
        outcomes.stopped(
            connection,
            batch.dispatch,
            DispatchState.stopped,
            f"The integration {dispatch.integration} is not in the configuration. Add it, then resume.",
        )
        return None, False
    if line.provider.account != batch.account:
        outcomes.stopped(
            connection,
            batch.dispatch,
            DispatchState.stopped,
            f"The integration {dispatch.integration} now uses the account {line.provider.account}, and this "
            f"dispatch was planned for {batch.account}. Restore the setting, then resume.",
        )
        return None, False
    if line.provider.supports("failing"):
        begun_at = max(filter(None, (dispatch.started_at, dispatch.resumed_at)), default=None)
        if channels.ask_first(connection, batch.account, begun_at, now=now):
            return None, False
        failing = channels.failing_since(connection, batch.account, dispatch.resumed_at)
        if failing and (told := _over_failing(desk, connection, batch, line, failing)):
            outcomes.stopped(connection, batch.dispatch, DispatchState.paused, told)
            return None, False
    send_at = _send_at(desk, batch, dispatch, now)
    if dispatch.expire_at is not None and dispatch.expire_at <= (send_at or now):
        if batch.doubt_since is None:
            outcomes.withdrawn(connection, batch.number, SkipReason.expired, now=now)
        else:
            # An early copy may still surface, so nobody can be said to have been skipped.
            why = "not there, and its expiry has passed: it is not sent again"
            standing.move(connection, batch, BatchState.in_doubt, held=True, task=None, due_at=None, last_look_up=why)
        refusals.advance(connection, batch.dispatch, batch.shape, now=now)
        return None, False
    if _missed(connection, batch, dispatch, desk.policy.missed_schedule, now):
        outcomes.stopped(
            connection,
            batch.dispatch,
            DispatchState.paused,
            f"Its time to send, {dispatch.send_at:%Y-%m-%d %H:%M} UTC, passed while nothing was at work. Resume to "
            "send it now, or cancel it.",
        )
        return None, False
    most = desk.policy.messages_per_day
    if most is not None and batch.doubt_since is None and budget.is_over(connection, batch, most, now):
        return None, False
    if (
        dispatch.paused_countries
        and not refusals.on_trial(connection, batch.dispatch, batch.shape)
        and holds.set_aside(connection, batch, dispatch, now)
    ):
        return None, False
    # What was once in doubt keeps its key, and all of its recipients.
    rule = line.provider.session_of(_campaign(dispatch.campaign).message) if batch.doubt_since is None else None
    if rule is not None:
        as_sent = load(connection, batch.number, clock=desk.clock)
        if lapsed.set_aside(connection, batch, as_sent, rule, sent_at=send_at or now, now=now):
            return None, False
    budget.claimed(batch)
    return _claim(desk, connection, batch, dispatch, line, send_at, now), True


def _over_failing(
    desk: Desk, connection: Connection, batch: Row[Any], line: Line, failing: Mapping[str, str]
) -> str | None:
    """What to tell of the failing channels that a batch would go over; None: it goes over none of them."""
    try:
        uses = line.provider.channels_of(load(connection, batch.number, clock=desk.clock))
    except Exception as error:
        logger.error("The plugin of %s failed while it named channels: %s", line.provider.name, without_words(error))
        uses = None
    wrong = {channel: words for channel, words in failing.items() if uses is None or channel in uses}
    if not wrong:
        return None
    several = f"The channels {', '.join(wrong)} let" if len(wrong) > 1 else f"The channel {next(iter(wrong))} lets"
    said = (
        "; ".join(f"{channel}: {words}" for channel, words in wrong.items()) if len(wrong) > 1 else wrong.popitem()[1]
    )
    return f"{several} nothing through. In the provider's words: {said.rstrip('.')}. Mend that, then resume."


def _missed(connection: Connection, batch: Row[Any], dispatch: Row[Any], patience: timedelta, now: datetime) -> bool:
    """Whether a scheduled dispatch would begin so late that a person has to say whether it still should."""
    if dispatch.send_at is None or now <= dispatch.send_at + patience or dispatch.created_at > dispatch.send_at:
        return False
    if dispatch.resumed_at is not None and dispatch.resumed_at > dispatch.send_at:
        return False
    begun = select(batches.c.number).where(batches.c.dispatch == batch.dispatch, batches.c.attempts > 0).limit(1)
    return connection.execute(begun).first() is None


# Statements of every batch are built once: building one costs more than running it.
_DISPATCH = select(dispatches).where(dispatches.c.number == bindparam("number"))
_SHAPE = select(shapes).where(shapes.c.dispatch == bindparam("dispatch"), shapes.c.shape == bindparam("shape"))
_NEW_ATTEMPT = insert(attempts)
_UNLISTED = update(batches).where(batches.c.number == bindparam("of_number")).values(unlisted=bindparam("is_unlisted"))


def _send_at(desk: Desk, batch: Row[Any], dispatch: Row[Any], now: datetime) -> datetime | None:
    """When the provider is to send; a batch that was ever in doubt goes some time ahead, to be looked up again."""
    provider = desk.lines[dispatch.integration].provider
    schedules = provider.limits_of(_campaign(dispatch.campaign).message).schedules
    times = [dispatch.send_at] if dispatch.send_at is not None and dispatch.send_at > now else []
    if batch.doubt_since is not None:
        times.append(now + desk.policy.resend_lead)
    return max(times) if times and schedules else None


def _claim(
    desk: Desk,
    connection: Connection,
    batch: Row[Any],
    dispatch: Row[Any],
    line: Line,
    send_at: datetime | None,
    now: datetime,
) -> Claim:
    number = batch.attempts + 1
    deadline = now + timedelta(seconds=line.request_timeout_seconds)
    standing.move(
        connection,
        batch,
        BatchState.sending,
        task=Task.overdue,
        # An answer that comes just in time is still on its way at the deadline.
        due_at=deadline + timedelta(seconds=line.request_timeout_seconds),
        deadline=deadline,
        attempts=number,
        first_sent_at=batch.first_sent_at or now,
    )
    connection.execute(
        _NEW_ATTEMPT,
        {"batch": batch.number, "number": number, "sent_at": now, "deadline": deadline, "send_at": send_at},
    )
    requests_per_second = line.provider.limits.requests_per_second
    pace.take(connection, batch.account, batch.size, line.messages_per_second, requests_per_second, now)
    attempt = Attempt(
        number=number,
        deadline=Deadline(
            deadline, desk.monotonic() + line.request_timeout_seconds, clock=desk.clock, monotonic=desk.monotonic
        ),
        send_at=send_at,
        expire_at=dispatch.expire_at,
        callback_url=None if line.callback_base is None else f"{line.callback_base}/{batch.key}",
    )
    return Claim(batch.number, attempt, line, claimed_at=now, due_at=batch.due_at, batch=batch, dispatch=dispatch)


def callbacks_expected(connection: Connection, line: Line, now: datetime) -> bool:
    """Whether the provider calls this line back, and somebody is there to take it."""
    if line.callback_base is None:
        return False
    return receiver_is_there(connection, now)


@lru_cache(maxsize=64)
def _campaign(stored: str) -> Campaign:
    return Campaign.model_validate_json(stored)


@lru_cache(maxsize=64)
def _template(text: str, stored: str) -> Template:
    return Template.read(text, _campaign(stored).message.parameters_beside(text))


def load(
    connection: Connection,
    number: int,
    *,
    clock: Callable[[], datetime] = utc_now,
) -> Batch:
    """A batch with its recipients, as it was last sent or would be first."""
    batch = standing.batch_by_number(connection, number)
    dispatch = connection.execute(_DISPATCH, {"number": batch.dispatch}).one()
    attempt = Attempt(batch.attempts, Deadline(batch.deadline or dispatch.created_at, 0.0, clock), batch.send_at)
    return _assembled(connection, batch, dispatch, attempt, batch.first_sent_at or dispatch.created_at, frozenset())


def _assembled(
    connection: Connection,
    batch: Row[Any],
    dispatch: Row[Any],
    attempt: Attempt,
    first_sent_at: datetime,
    transactional: frozenset[str],
) -> Batch:
    shape = connection.execute(_SHAPE, {"dispatch": batch.dispatch, "shape": batch.shape}).one()
    rows = connection.execute(log.MEMBERS_TO_SEND, log.range_of(batch)).all()
    campaign = _campaign(dispatch.campaign)
    template = _template(shape.text, dispatch.campaign)
    values, identities = _values([row[1] for row in rows], len(template.names))
    return Batch(
        key=batch.key,
        sender=shape.sender,
        template=template,
        defaults=campaign.message.defaults,
        max_parts=campaign.max_parts,
        recipients=[row[0] for row in rows],
        values=values,
        attempt=attempt,
        first_sent_at=first_sent_at,
        provider_batch_id=batch.provider_batch_id,
        message=campaign.message.model_dump(exclude_none=True),
        own_texts=shape.text == HOST_TEXT,
        prompt=bool(batch.prompt),
        transactional=campaign.category in transactional,
        identities=identities,
        outside_session=bool(shape.outside),
        message_ids=[message_id(dispatch.id, row[2]) for row in rows],
    )


def _values(contents: Sequence[str | None], width: int) -> tuple[Sequence[tuple[str | None, ...]], Identities]:
    """The values of JSON arrays of `width` texts each, and the identities that may stand after them."""
    if not contents or contents[0] is None:
        return [()] * len(contents), ()
    if len(from_json(contents[0])) == width:
        return _rows(contents, width), ()
    rows = _rows(contents, width + 1)
    return [row[:-1] for row in rows], [tuple(row[-1].split(BETWEEN_IDENTITIES)) if row[-1] else () for row in rows]


def _rows(contents: Sequence[str | None], width: int) -> list[tuple[str | None, ...]]:
    """Read as one flat array: a thousand lists at a time would set off the longest runs of the garbage collector."""
    joined = ",".join([content[1:-1] for content in contents if content is not None])
    flat = iter(from_json(f"[{joined}]", cache_strings="none"))
    return list(zip(*[flat] * width, strict=True))


def send(desk: Desk, claimed: Claim) -> Outcome | NotSent:
    """Send a claimed batch once, and write down what came of it; returns it."""
    line = claimed.line
    with desk.ledger.read() as connection:
        first_sent_at = claimed.batch.first_sent_at or claimed.claimed_at
        batch = _assembled(
            connection, claimed.batch, claimed.dispatch, claimed.attempt, first_sent_at, desk.transactional
        )
    outcome: Outcome | NotSent
    unlisted = is_unlisted(line, batch)
    try:
        outcome = desk.plugins.dispatch(line.provider, batch)
    except NotSent as error:
        outcome = error
    except Exception as error:
        # Whatever a plugin raises, the request may have left.
        logger.error(
            "The plugin of %s failed while it sent batch %s: %s", line.provider.name, batch.key, without_words(error)
        )
        outcome = InDoubt(f"The plugin of {line.provider.name} failed: {type(error).__name__}.")
    record(desk, claimed, outcome, unlisted=unlisted)
    return outcome


def is_unlisted(line: Line, batch: Batch) -> bool:
    """Whether no look-up can show a batch, even though it was accepted."""
    try:
        return not line.provider.lists(batch)
    except Exception as error:
        logger.error("The plugin of %s failed while it looked at a batch: %s", line.provider.name, without_words(error))
        return False


def _is_first(connection: Connection, account: str) -> bool:
    """Whether only one batch was ever accepted on this account."""
    two = select(batches.c.number).where(batches.c.account == account, batches.c.state == BatchState.accepted).limit(2)
    return len(connection.execute(two).all()) == 1


def record(desk: Desk, claimed: Claim, outcome: Outcome | NotSent, *, unlisted: bool = False) -> None:
    """Write an outcome: batch, messages, totals, events and the account's state in one transaction."""
    number, attempt, account = claimed.number, claimed.attempt.number, claimed.line.provider.account
    with desk.ledger.write() as connection:
        now = desk.clock()
        if unlisted != bool(claimed.batch.unlisted):
            connection.execute(_UNLISTED, {"of_number": number, "is_unlisted": unlisted})
        match outcome:
            case Accepted(provider_batch_id):
                track.accepted(
                    connection,
                    number,
                    provider_batch_id=provider_batch_id,
                    attempt=attempt,
                    now=now,
                    policy=desk.policy,
                    callbacks_expected=callbacks_expected(connection, claimed.line, now),
                )
                pace.well(connection, account)
                if pace.look_up_is_unproven(connection, account) and _is_first(connection, account):
                    # The first batch of an account shows whether looking up works there.
                    connection.execute(
                        update(batches)
                        .where(batches.c.number == number, batches.c.task == Task.poll)
                        .values(due_at=now + PROOF_AFTER)
                    )
            case Refused():
                refusals.refused(connection, number, attempt=attempt, outcome=outcome, now=now)
                holds.watch_errors(connection, claimed.batch.dispatch, desk.policy)
                pace.well(connection, account)
            case InDoubt(cause):
                outcomes.doubted(connection, number, attempt=attempt, cause=cause, now=now, due_at=now + FIRST_LOOK_UP)
                pace.failed(connection, account, cause, now=now, jitter=desk.jitter)
            case Throttled():
                outcomes.returned(
                    connection,
                    number,
                    attempt=attempt,
                    ended="throttled",
                    cause=str(outcome),
                    now=now,
                    due_at=claimed.due_at,
                )
                pace.throttled(
                    connection,
                    account,
                    sent_at=claimed.claimed_at,
                    retry_after_seconds=outcome.retry_after_seconds,
                    now=now,
                    jitter=desk.jitter,
                )
            case Stopped():
                outcomes.returned(
                    connection,
                    number,
                    attempt=attempt,
                    ended="stopped",
                    cause=str(outcome),
                    now=now,
                    due_at=claimed.due_at,
                )
                dispatch = standing.batch_by_number(connection, number).dispatch
                outcomes.stopped(connection, dispatch, DispatchState.paused, str(outcome))
            case _:
                pause = timedelta(seconds=pace.backoff_seconds(attempt - 1, desk.jitter))
                outcomes.returned(
                    connection,
                    number,
                    attempt=attempt,
                    ended="not_sent",
                    cause=str(outcome),
                    now=now,
                    due_at=now + pause,
                )
                pace.failed(connection, account, str(outcome), now=now, jitter=desk.jitter)
    if isinstance(outcome, InDoubt):
        logger.warning("A batch is in doubt and will be looked up: %s", outcome.cause)
    elif isinstance(outcome, NotSent):
        logger.warning("A batch was not sent and waits: %s", outcome)
