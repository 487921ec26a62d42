"""Asking providers now: for the reports of a batch, for what people wrote to an account, for all of it at once."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select, update

from connector.dispatch import doubt
from connector.dispatch.sending import Desk, Line, callbacks_expected, load
from connector.ledger.tables import BatchState, accounts, batches, dispatches
from connector.tracking import inbound, polling, standing
from connector.tracking.asking import Asked, Asker, Turns

MOST_POLLS = 4
"""Questions that are under way at one time."""
NOT_CONFIGURED_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Polled:
    """What came of asking every provider."""

    reports: int
    """Answers about batches that were read; one batch may take several."""
    receipts: int
    """Facts about messages in them, known ones too."""
    inbound: int
    """Messages of people that were read, known ones too."""
    events: int
    """What of all this was news."""
    trouble: list[str] = field(default_factory=list)
    """What could not be asked for, and why, each a sentence with its account."""


def lines_of_accounts(desk: Desk) -> dict[str, Line]:
    """The integration that is asked for what people write, by account: of several that share one, the first."""
    first: dict[str, Line] = {}
    for line in desk.lines.values():
        if line.provider.supports("inbound"):
            first.setdefault(line.provider.account, line)
    return first


def replies(desk: Desk, line: Line, turns: Turns) -> Asked:
    """Ask for what people wrote to the account of an integration."""
    shared = [each for each in desk.lines.values() if each.provider.account == line.provider.account]
    with desk.ledger.read() as connection:
        called_back = any(callbacks_expected(connection, each, desk.clock()) for each in shared)
    return inbound.poll(_asker(desk, line, turns, called_back=called_back))


def reports(desk: Desk, number: int, turns: Turns) -> Asked:
    """Ask for the reports of an accepted batch, and find out first what asking needs."""
    with desk.ledger.read() as connection:
        row = standing.batch_by_number(connection, number)
        line = desk.line_of(connection, row.dispatch)
    if line is None or line.provider.account != row.account:
        with desk.ledger.write() as connection:
            later = desk.clock() + NOT_CONFIGURED_PAUSE
            connection.execute(update(batches).where(batches.c.number == number).values(due_at=later))
        return Asked(trouble="Its integration isn't configured for its account (any more).")
    if not turns.wait():
        return Asked(left=True)
    doubt.identify(desk, line, number)
    if line.provider.supports("find"):
        if turns.proves():
            doubt.prove_look_up(desk, line)
        if not line.provider.supports("poll"):
            doubt.look_again(desk, line, number)
    with desk.ledger.read() as connection:
        batch = load(connection, number, clock=desk.clock)
        called_back = callbacks_expected(connection, line, desk.clock())
    return polling.poll(_asker(desk, line, turns, called_back=called_back), batch, number)


def _asker(desk: Desk, line: Line, turns: Turns, *, called_back: bool) -> Asker:
    return Asker(
        ledger=desk.ledger,
        plugins=desk.plugins,
        provider=line.provider,
        integration_id=line.integration_id,
        policy=desk.policy,
        clock=desk.clock,
        turns=turns,
        called_back=called_back,
    )


def poll(desk: Desk, dispatch: int | None = None) -> Polled:
    """Ask for the reports of every batch that may have more to tell, and for all that people wrote, whatever is due.

    `dispatch`: the number of the only one whose batches are asked about. Raises `LedgerError`.
    """
    trouble = Counter(_left_alone(desk))
    alone = {account for account, _ in trouble}
    questions = [(account, True, partial(replies, desk, line)) for account, line in lines_of_accounts(desk).items()]
    for batch in _batches(desk, dispatch):
        line = desk.lines.get(batch.integration)
        if line is None or line.provider.account != batch.account:
            trouble[
                batch.account, f"The integration {batch.integration} isn't configured for this account (any more)."
            ] += 1
        elif not line.provider.supports("poll"):
            trouble[batch.account, f"Reports can't be asked for: {line.provider.declines['poll']}."] += 1
        else:
            questions.append((batch.account, False, partial(reports, desk, batch.number)))
    leaving = threading.Event()
    turns = {line.provider.account: Turns(leaving, desk.monotonic) for line in desk.lines.values()}

    def ask(account: str, question: Callable[[Turns], Asked]) -> Asked | None:
        """None: the account has failed too often to go on with it."""
        return None if turns[account].rests() else question(turns[account])

    told = Counter[str]()
    with ThreadPoolExecutor(MOST_POLLS, thread_name_prefix="connector-poll") as pool:
        asked = [
            (account, of_people, pool.submit(ask, account, question))
            for account, of_people, question in questions
            if account not in alone
        ]
        try:
            for account, of_people, future in asked:
                answer = future.result()
                if answer is None:
                    trouble[account, "It failed so often in a row that nothing more was asked."] += 1
                    continue
                told["inbound" if of_people else "receipts"] += answer.receipts
                told["reports"] += 0 if of_people else answer.answers
                told["events"] += answer.events
                if answer.trouble:
                    what = "What people wrote" if of_people else "Reports"
                    trouble[account, f"{what} can't be asked for. {answer.trouble}"] += 1
        finally:
            leaving.set()
            pool.shutdown(cancel_futures=True)
    return Polled(
        reports=told["reports"],
        receipts=told["receipts"],
        inbound=told["inbound"],
        events=told["events"],
        trouble=[
            f"{account}: {sentence}" + (f" ({times} times)" if times > 1 else "")
            for (account, sentence), times in trouble.items()
        ],
    )


def _left_alone(desk: Desk) -> dict[tuple[str, str], int]:
    """The accounts that nothing may be asked of just now, each with the reason, once."""
    now = desk.clock()
    found: dict[tuple[str, str], int] = {}
    names = {line.provider.account for line in desk.lines.values()}
    with desk.ledger.read() as connection:
        for row in connection.execute(select(accounts).where(accounts.c.name.in_(names))):
            if row.probe_at is not None and row.probe_at > now:
                found[row.name, f"{row.trouble} It is tried again at {_moment(row.probe_at)}."] = 1
            elif row.throttles and row.free_at > now:
                found[row.name, f"The provider asked to wait until {_moment(row.free_at)}."] = 1
    return found


def _batches(desk: Desk, dispatch: int | None) -> Sequence[Any]:
    """The accepted batches that may have more to tell, the longest due first."""
    query = (
        select(batches.c.number, batches.c.account, dispatches.c.integration)
        .join_from(batches, dispatches, batches.c.dispatch == dispatches.c.number)
        # One without a task has told everything, or its waiting period is over.
        .where(batches.c.state == BatchState.accepted, batches.c.task.is_not(None))
        .order_by(batches.c.due_at)
    )
    if dispatch is not None:
        query = query.where(batches.c.dispatch == dispatch)
    with desk.ledger.read() as connection:
        return connection.execute(query).all()


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
