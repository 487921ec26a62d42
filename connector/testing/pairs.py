"""Every fault of a provider's simulator, alone and in every pair: a short campaign under each, and who got what.

The clock of each process is moved from one due time to the next, so that pauses of minutes are over at once. When
nothing is waiting or in doubt any more the provider is well again, and the last reports are waited for. Then every
sum is counted again, and the ledger is compared with what the simulator accepted: each number once.

With `--late` the provider breaks the condition under which that holds: an accepted batch shows in its list long after
the doubt window, nothing else was sent since that could show how far the list lags, and no callback comes. Whoever is
messaged twice then must be told of (`double_send`), unless batches are held (`on_absent`) and stay in doubt.
Exit status 1 when anybody was lost, messaged twice without a word, or miscounted.
"""

import argparse
import faulthandler
import logging
import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import stamina
from sqlalchemy import func, select

from connector.connector import Connector, Dispatch
from connector.ledger.tables import BatchState, Task, accounts, attempts, batches, messages
from connector.model.errors import ConnectorError
from connector.server.serve import listen, serving
from connector.simulator import Simulator, find
from connector.simulator.faults import CHANCES
from connector.testing.clock import Clock, moving
from connector.testing.stage import Stage, lists, lit

BATCHES = 6
PEOPLE_PER_BATCH = 2
WINDOW_SECONDS = 60.0
LAG_SECONDS = 20.0
"""Of a list that lags within the doubt window."""
LATE_SECONDS = 36_000.0
"""Of one that lags for longer."""
LOST_SECONDS = 7_200.0
"""So long after it was sent nothing more comes of a batch whose list lags."""
CHANCE = 0.4
FAULTS: Mapping[str, Mapping[str, float]] = {
    **{name: {name: CHANCE} for name in CHANCES},
    "slow": {"slow": CHANCE, "slow_seconds": 1.5},
    "listing_lag": {"listing_lag": LAG_SECONDS},
}
"""What each fault is set to: four times in ten, or for so long."""
DOUBTS = ("error_after", "drop_after", "slow")
"""Faults that accept a batch and leave it in doubt."""
LATE = ("listing_lag", "callback_lost")
"""Faults that each late case has."""
TIMEOUT_SECONDS = 1.0
MOST_STEPS = 400


@dataclass(frozen=True)
class Case:
    """The faults of one campaign."""

    faults: tuple[str, ...]
    late: bool = False
    """The list lags for longer than the doubt window."""
    on_absent: str = "resend"
    seed: int = 1

    def __str__(self) -> str:
        return " + ".join([*self.faults, *(["list too late", self.on_absent] if self.late else [])])

    @property
    def batches(self) -> int:
        return 1 if self.late else BATCHES

    def values(self) -> dict[str, float | str]:
        values: dict[str, float | str] = {}
        for name in self.faults:
            values |= FAULTS[name]
        if self.late:
            # The first answer is lost, and so is every callback.
            values |= {self.faults[0]: "1x1", "callback_lost": 1, "listing_lag": LATE_SECONDS}
        return values


@dataclass
class Result:
    """What came of one campaign."""

    case: Case
    wrong: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    """How attempts to send ended."""
    twice: int = 0
    """People who were messaged twice."""
    held: int = 0
    """People who are still in doubt."""


def cases() -> list[Case]:
    """Every fault alone, and every pair."""
    named: list[tuple[str, ...]] = [*((name,) for name in FAULTS), *combinations(FAULTS, 2)]
    return [Case(faults, seed=number) for number, faults in enumerate(named, 1)]


def late_cases() -> list[Case]:
    """A list that lags for too long, with whatever leaves a send in doubt, alone and beside every other fault."""
    named: list[tuple[str, ...]] = [(doubt,) for doubt in DOUBTS]
    named += [(doubt, other) for doubt in DOUBTS for other in FAULTS if other not in (doubt, *LATE)]
    return [
        Case(faults, late=True, on_absent=on_absent, seed=number)
        for number, faults in enumerate(named, 1)
        for on_absent in ("resend", "hold")
    ]


def run(simulator: Simulator, options: Mapping[str, Any], case: Case) -> Result:
    """Send a campaign under faults, to its end."""
    given = {**options, "seed": case.seed, "retry_seconds": 0.01}
    with (
        stamina.set_testing(True, attempts=3),
        moving() as clock,
        tempfile.TemporaryDirectory(prefix="pairs-") as folder,
        listen("127.0.0.1", 0) as listening,
        lit(simulator, **given) as stage,
    ):
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with (
            _connector(stage, Path(folder), url, case) as connector,
            serving(connector, with_worker=False, listening=listening),
        ):
            return _Campaign(stage, connector, clock, case).run()


def _connector(stage: Stage, folder: Path, url: str, case: Case) -> Connector:
    settings = {
        "integrations": {"faulty": {**stage.settings, "request_timeout_seconds": TIMEOUT_SECONDS}},
        "storage": {"url": f"sqlite:///{folder / 'ledger.db'}"},
        "server": {"public_url": url},
        "tracking": {
            "doubt_window_seconds": WINDOW_SECONDS,
            "resend_lead_seconds": WINDOW_SECONDS,
            "on_absent": case.on_absent,
        },
    }
    secrets = stage.secrets
    return Connector(settings, secrets=lambda reference: secrets[reference.removeprefix("env:")])


class _Campaign:
    """One campaign under its faults."""

    def __init__(self, stage: Stage, connector: Connector, clock: Clock, case: Case) -> None:
        self._stage = stage
        self._connector = connector
        self._clock = clock
        self._case = case

    def run(self) -> Result:
        stage = self._stage
        people = 1 + self._case.batches * PEOPLE_PER_BATCH
        rows = list(islice(stage.simulator.recipients(people), people))
        # An account that has accepted something, and by it shown that looking up works.
        first = self._send("first", rows[:1])
        self._work_until(first, lambda: self._connector.accounts()[0].look_up_proven_at is not None)
        stage.faults(**self._case.values())
        dispatch = self._send("faulty", rows[1:])
        given_up_at = self._clock() + timedelta(seconds=LOST_SECONDS)
        self._work_until(
            dispatch, lambda: self._is_settled(dispatch) or (self._case.late and self._clock() > given_up_at)
        )
        stage.faults()
        polls = self._polls_of(dispatch)
        self._work_until(dispatch, lambda: self._is_final(dispatch, polls))
        return self._compared(dispatch, [row["to"].removeprefix("+") for row in rows])

    def _send(self, name: str, rows: list[dict[str, str]]) -> Dispatch:
        senders = [{**row, "sender": f"Shop {place // PEOPLE_PER_BATCH}"} for place, row in enumerate(rows)]
        return self._connector.plan({**self._stage.simulator.campaign(), "name": name}, senders)

    def _work_until(self, dispatch: Dispatch, ended: Callable[[], bool]) -> None:
        """Work, moving the clock from one due time to the next; a person resumes what was stopped."""
        for _ in range(MOST_STEPS):
            self._connector.work()
            self._stage.idle()
            if ended():
                return
            if dispatch.report().state in ("stopped", "paused"):
                dispatch.resume()
            elif (due := self._next_due()) is not None:
                self._clock.advance_to(due)
        raise ConnectorError(f"It does not end: {dispatch.report()}")

    def _is_settled(self, dispatch: Dispatch) -> bool:
        """Whether nothing waits, or is in doubt and not held, and no copy is to be looked up once more."""
        with self._connector.ledger.read() as connection:
            moving_on = select(batches.c.number).where(
                batches.c.dispatch == dispatch.number,
                batches.c.state.in_((BatchState.waiting, BatchState.sending, BatchState.in_doubt))
                | (batches.c.task == Task.recheck)
                # A copy that was sent again has its own time.
                | (batches.c.send_at > self._clock()),
                batches.c.held.is_(False),
            )
            return connection.execute(moving_on.limit(1)).first() is None

    def _is_final(self, dispatch: Dispatch, polls: Mapping[int, int]) -> bool:
        """Whether it is settled, and the provider has nothing more to say of anybody who was accepted.

        `polls`: how often each batch had been asked about when the provider was well again.
        """
        if "callback_lost" in self._case.values() and not self._polls():
            # What the list shows then is looked for when its reports would be due.
            asked = all(times > polls.get(number, 0) for number, times in self._polls_of(dispatch).items())
            return self._is_settled(dispatch) and (asked or not self._case.late)
        with self._connector.ledger.read() as connection:
            awaited = (
                select(messages.c.ordinal)
                .join_from(
                    messages,
                    batches,
                    (messages.c.dispatch == batches.c.dispatch) & (messages.c.shape == batches.c.shape),
                )
                .where(
                    batches.c.dispatch == dispatch.number,
                    batches.c.state == BatchState.accepted,
                    messages.c.state.is_(None),
                    messages.c.raw_status.is_(None),
                )
            )
            return self._is_settled(dispatch) and connection.execute(awaited.limit(1)).first() is None

    def _polls_of(self, dispatch: Dispatch) -> dict[int, int]:
        """How often each accepted batch was asked about that has more to tell."""
        with self._connector.ledger.read() as connection:
            due = (batches.c.state == BatchState.accepted) & (batches.c.task == Task.poll)
            rows = connection.execute(
                select(batches.c.number, batches.c.polls).where(batches.c.dispatch == dispatch.number, due)
            )
            return {row.number: row.polls for row in rows}

    def _polls(self) -> bool:
        """Whether what a lost callback told can be asked for."""
        return all(line.provider.supports("poll") for line in self._connector.lines.values())

    def _next_due(self) -> datetime | None:
        """When something falls due; what is due already waits for something else."""
        with self._connector.ledger.read() as connection:
            times = [
                *connection.scalars(select(batches.c.due_at).where(batches.c.state != BatchState.split)),
                *connection.scalars(select(accounts.c.probe_at)),
                *connection.scalars(select(accounts.c.free_at)),
                *connection.scalars(select(accounts.c.inbound_due_at)),
                *connection.scalars(select(accounts.c.channels_due_at)),
            ]
        now = self._clock()
        return min((each for each in times if each is not None and each > now), default=None)

    def _compared(self, dispatch: Dispatch, numbers: list[str]) -> Result:
        connector, accepted = self._connector, self._stage.accepted
        with connector.ledger.read() as connection:
            ended = connection.execute(select(attempts.c.ended, func.count()).group_by(attempts.c.ended)).all()
            held = connection.scalars(select(batches.c.size).where(batches.c.held)).all()
        report = dispatch.report()
        result = Result(
            self._case,
            happened=Counter({row[0]: row[1] for row in ended}),
            twice=sum(times > 1 for times in accepted.values()),
            held=sum(held),
        )
        wrong = result.wrong
        listed = lists(connector)
        told = connector.verify(with_provider=listed)
        if result.twice and not (report.double_send and (told[dispatch.id] or not listed)):
            wrong.append(f"{result.twice} were messaged twice without a word")
        if not result.twice:
            wrong += [line for lines in told.values() for line in lines if not (held and "in doubt here" in line)]
        if result.twice and not self._case.late:
            wrong.append(f"{result.twice} were messaged twice")
        if result.held and self._case.on_absent != "hold":
            wrong.append(f"{result.held} are held")
        lost = set(numbers) - accepted.keys()
        if lost and not held:
            wrong.append(f"{len(lost)} were never messaged")
        if report.enqueued + result.held != len(numbers) - 1 or report.enqueue_failed or report.unknown:
            wrong.append(str(report))
        return result


def sweep(simulator: str, given: Iterable[Case], *, options: Mapping[str, Any], lanes: int) -> Iterator[Result]:
    """Run cases in some processes, each with a clock of its own; results come in their order."""
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(lanes, context, initializer=faulthandler.enable) as pool:
        yield from pool.map(partial(_run, simulator, dict(options)), given)


def _run(simulator: str, options: Mapping[str, Any], case: Case) -> Result:
    logging.getLogger("connector").addHandler(logging.NullHandler())
    try:
        return run(find(simulator), options, case)
    except ConnectorError as error:
        return Result(case, wrong=[str(error)])


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--late", action="store_true", help="let the list lag for longer than the doubt window")
    parser.add_argument(
        "--only", nargs="+", metavar="FAULT", choices=FAULTS, help="only with these faults, all of them"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the simulator")
    parser.add_argument("--lanes", type=int, default=2, help="how many processes run at the same time")


def main(options: argparse.Namespace) -> int:
    chosen = late_cases() if options.late else cases()
    if options.only:
        chosen = [case for case in chosen if set(case.faults) == set(options.only)]
    settings = dict(setting.split("=", 1) for setting in options.set)
    bad = people = twice = held = 0
    happened: Counter[str] = Counter()
    for result in sweep(options.provider, chosen, options=settings, lanes=options.lanes):
        people += result.case.batches * PEOPLE_PER_BATCH
        twice += result.twice
        held += result.held
        happened += result.happened
        bad += bool(result.wrong)
        told = ", ".join(f"{name} {times}" for name, times in sorted(result.happened.items()))
        print(f"{result.case!s:<60} {told}", *result.wrong, sep="\n    ", flush=True)
    print(f"\n{len(chosen)} campaigns, {people:,} people; how requests ended: {dict(happened)}.")
    print(f"{twice} were messaged twice, {held} are held in doubt; {bad} campaigns went wrong.")
    return 1 if bad else 0
