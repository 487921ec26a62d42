"""The sweep: a process is killed, or frozen, at every commit and every step of every request and callback.

First a process goes through its course (`course.py`) undisturbed, on the provider's simulator, to see which moments
there are. Then, for each of them, another process is killed (SIGKILL) just there, on a new ledger; a second one goes
on to the end; and the ledger is compared with what the simulator accepted. With `--freeze` it is stopped there
(SIGSTOP) until its deadlines have passed, and goes on itself. With `--open` people are added to an open dispatch, by
several threads; who goes on adds all of them once more, under their keys. `--points` takes so many of the moments,
spread over all kinds. Exit status 1 when anybody was lost, messaged twice or miscounted.
"""

import argparse
import json
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import select

from connector.connector import Connector
from connector.ledger.tables import attempts, batches
from connector.model.errors import ConnectorError
from connector.model.event import EventKind, Status
from connector.model.report import ReceiptKind, Report, ReportSource
from connector.simulator import Simulator, find
from connector.testing import course
from connector.testing.course import ADDED, CALLED_OFF, HANDED_OVER, LOG, MET, MOMENTS, OPENED, SENT, Course, Fate
from connector.testing.stage import Stage, lists, lit

PEOPLE = 16
PEOPLE_PER_BATCH = 4
CALLED_OFF_PEOPLE = 3
REFUSED = 6
"""The place of the recipient whom the provider refuses, without saying so."""
FAULTS = {
    "drop_before": "1x1",
    "error_after": "1x1",
    "drop_after": "1x1",
    "throttled": "1x1",
    "callback_lost": "1x2",
    "callback_doubled": "1x2",
    "callback_shuffled": "1x3",
}
SECONDS = 90.0
"""How long a process may take."""
KILLED = -9
FROZEN_SECONDS = 2.5
"""Longer than a request may take and than the doubt window."""


@dataclass
class Result:
    """What came of one kill."""

    fate: Fate
    reached: bool = True
    """False: the process ended before that moment came."""
    wrong: list[str] = field(default_factory=list)
    log: str = ""


def spread(moments: Counter[str], points: int | None) -> list[Fate]:
    """The moments to kill at: every one, or so many, spread over all kinds and over the length of each."""
    if points is None or points >= moments.total():
        return [Fate(moment, n) for moment in sorted(moments) for n in range(1, moments[moment] + 1)]
    share: Counter[str] = Counter()
    while share.total() < points:
        # The rarest first: each kind gets its turn.
        for moment in sorted(moments, key=lambda each: (moments[each], each)):
            if share[moment] < moments[moment] and share.total() < points:
                share[moment] += 1
    return [
        Fate(moment, 1 + (2 * n + 1) * moments[moment] // (2 * times))
        for moment, times in sorted(share.items())
        for n in range(times)
    ]


@contextmanager
def staged(simulator: Simulator, *, opens: bool = False) -> Iterator[tuple[Stage, Course]]:
    """A simulator with its faults, and the course on a ledger in a folder of its own; `opens`: an open dispatch."""
    rows = [row for _, row in zip(range(PEOPLE), simulator.recipients(PEOPLE), strict=False)]
    others = list(simulator.recipients(PEOPLE + CALLED_OFF_PEOPLE))[PEOPLE:]
    rows = [{**row, "sender": f"Shop {place // PEOPLE_PER_BATCH}"} for place, row in enumerate(rows)]
    refused = frozenset({_digits(rows[REFUSED])})
    with (
        tempfile.TemporaryDirectory(prefix="sweep-") as folder,
        lit(simulator, refused=refused, faults=FAULTS, retry_seconds=0.02) as stage,
        _reserved_port() as port,
    ):
        settings = {
            "integrations": {"swept": {**stage.settings, "request_timeout_seconds": 1}},
            "storage": {"url": f"sqlite:///{folder}/ledger.db"},
            "server": {"public_url": f"http://127.0.0.1:{port}"},
            "tracking": {"doubt_window_seconds": 0.2, "resend_lead_seconds": 1},
        }
        send_at = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
        campaign = simulator.campaign()
        yield stage, Course(Path(folder), settings, stage.secrets, port, campaign, rows, others, send_at, opens)


def _digits(row: dict[str, str]) -> str:
    return row["to"].removeprefix("+")


@contextmanager
def _reserved_port() -> Iterator[int]:
    """A port that nobody else is given until the end of the block, and that processes may listen on, one at a time."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def start(course_: Course, fate: Fate | None) -> BaseProcess:
    """A process that goes through the course."""
    process = _CONTEXT.Process(target=course.run, args=(course_, fate))
    # Starting one looks after the others, too: two threads must not both take the code of one.
    with _ASKING:
        process.start()
    return process


def end_of(process: BaseProcess) -> int | None:
    """The exit code of a process that goes through the course; None: it took too long."""
    ended = wait([process.sentinel], SECONDS)
    if not ended:
        process.kill()
        wait([process.sentinel])
    with _ASKING:
        process.join()
        return process.exitcode if ended else None


_ASKING = threading.Lock()
_CONTEXT = multiprocessing.get_context("forkserver")
# What is imported once needn't be imported by each process.
_CONTEXT.set_forkserver_preload(["connector.testing.sweep", *({"pytest"} & sys.modules.keys())])


def count(simulator: Simulator, *, opens: bool = False) -> Counter[str]:
    """The moments of an undisturbed course, and how often each comes. Raises `ConnectorError`."""
    with staged(simulator, opens=opens) as (stage, course_):
        if (code := end_of(start(course_, None))) != 0:
            raise ConnectorError(f"The undisturbed course ended with {code}.\n{_log(course_)}")
        if wrong := at_the_end(stage, course_):
            raise ConnectorError("The undisturbed course went wrong: " + "; ".join(wrong))
        return Counter(json.loads((course_.folder / MOMENTS).read_text()))


def meet(simulator: Simulator, fate: Fate, *, opens: bool = False) -> Result:
    """Kill or freeze a process at one moment, let another one or itself go on, and compare."""
    with staged(simulator, opens=opens) as (stage, course_):
        result = Result(fate)
        process = start(course_, fate)
        if fate.by is signal.SIGSTOP:
            result.reached = thaw(process, course_)
            code = end_of(process)
        else:
            code = end_of(process)
            result.reached = code == KILLED
            if result.reached:
                result.wrong += [f"after the kill: {each}" for each in at_any_time(stage, course_)]
                code = end_of(start(course_, None))
        if code != 0:
            result.wrong.append(f"the process ended with {code}")
        result.wrong += at_the_end(stage, course_)
        if result.wrong:
            result.log = _log(course_) + _ledger(course_)
        return result


def thaw(process: BaseProcess, course_: Course) -> bool:
    """Wait until a process is frozen, and let it go on when its deadlines have passed; False: it ended before."""
    met = course_.folder / MET
    while not met.exists():
        if wait([process.sentinel], 0.02):
            return False
    time.sleep(FROZEN_SECONDS)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGCONT)
    return True


def _log(course_: Course) -> str:
    path = course_.folder / LOG
    return path.read_text() if path.exists() else ""


def _ledger(course_: Course) -> str:
    """Batches and attempts, for whoever looks for the cause."""
    shown = [
        batches.c[name] for name in ("number", "key", "state", "task", "due_at", "deadline", "last_look_up", "held")
    ]
    with course_.connector() as connector, connector.ledger.read() as connection:
        rows = [*connection.execute(select(*shown)), *connection.execute(select(attempts))]
    return "\n".join(map(str, rows))


def at_any_time(stage: Stage, course_: Course) -> list[str]:
    """What is wrong at whatever moment one looks: sums that don't close, callbacks that were answered and are lost."""
    # What is answered from now on may be stored from now on.
    answered = list(stage.answered)
    with course_.connector() as connector:
        wrong = [line for lines in connector.verify().values() for line in lines]
        return wrong + _lost(connector, answered) + _unkept(connector, course_)


def _unkept(connector: Connector, course_: Course) -> list[str]:
    """What was added to the open dispatch, as its adders were told, and isn't there, or is there twice."""
    added = _added(course_)
    if not added:
        return []
    report = connector.dispatch(OPENED).report()
    found = []
    if any(len(ids) > 1 for ids in added.values()) or report.recipients > len(course_.rows):
        found.append("a key was added twice")
    if report.recipients < len(added):
        found.append(f"{len(added)} were told that they are added, and {report.recipients} are")
    return found


def _added(course_: Course) -> dict[str, set[str]]:
    """Recipient's place to the ids of messages that its adders were told."""
    path = course_.folder / ADDED
    told: dict[str, set[str]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        place, message = line.split()
        told.setdefault(place, set()).add(message)
    return told


def _lost(connector: Connector, answered: Sequence[bytes]) -> list[str]:
    """The callbacks that were answered with success and made no event."""
    (line,) = connector.lines.values()
    told = {(each.recipient, each.status) for each in connector.events(limit=1_000_000)}
    with connector.ledger.read() as connection:
        counting = set(connection.scalars(select(batches.c.provider_batch_id)))
    return [
        f"a callback that was answered is lost: {receipt.status}"
        for body in answered
        for receipt in connector.plugins.map_events(
            line.provider, Report(ReportSource.callback, body, datetime.now(UTC))
        )
        if receipt.kind is ReceiptKind.message
        and receipt.status is not None
        # What becomes of a copy that was cancelled is nobody's news.
        and receipt.provider_batch_id in counting
        and (receipt.recipient, receipt.status) not in told
    ]


def at_the_end(stage: Stage, course_: Course) -> list[str]:
    """What is wrong after a process has gone through to the end."""
    wrong = at_any_time(stage, course_)
    with course_.connector() as connector:
        wrong += [line for lines in connector.verify(with_provider=lists(connector)).values() for line in lines]
        sent = OPENED if course_.opens else SENT
        sizes = {sent: len(course_.rows)} | ({} if course_.opens else {CALLED_OFF: len(course_.called_off)})
        for key, count_ in sizes.items():
            try:
                report = connector.dispatch(key).report()
            except ConnectorError as error:
                wrong.append(str(error))
                continue
            if not report.is_final or report.recipients != count_:
                wrong.append(f"{key}: {report}")
            if key == sent and (report.enqueued, report.enqueue_failed) != (count_ - 1, 1):
                wrong.append(f"{key}: {report}")
            if key == CALLED_OFF and report.delivered:
                wrong.append(f"{key}: {report}")
        log = connector.events(limit=1_000_000)
    ids = [each.id for each in log]
    if len(set(ids)) != len(ids):
        wrong.append("the log has an event twice")
    finals = Counter(
        each.message_id
        for each in log
        if each.kind is EventKind.message
        and each.status in (Status.delivered, Status.failed, Status.rejected, Status.enqueue_failed, Status.skipped)
    )
    if set(finals.values()) != {1}:
        wrong.append("not every message has one end")
    if {message for ids in _added(course_).values() for message in ids} - finals.keys():
        wrong.append("not every message that was added has an end")
    if missing := set(ids) - set((course_.folder / HANDED_OVER).read_text().split()):
        wrong.append(f"{len(missing)} events were never handed over")
    return wrong + _miscounted(stage, course_)


def _miscounted(stage: Stage, course_: Course) -> list[str]:
    """What the provider itself says: each number once, but for the refused and those who were called off."""
    expected = {_digits(row): 1 for row in course_.rows if _digits(row) not in stage.refused}
    accepted = stage.accepted
    found = []
    if lost := expected.keys() - accepted.keys():
        found.append(f"lost: {len(lost)} numbers were never accepted")
    if twice := sum(times > 1 for times in accepted.values()):
        found.append(f"twice: {twice} numbers were accepted more than once")
    if more := accepted.keys() - expected.keys():
        found.append(f"{len(more)} numbers were accepted and should not have been")
    return found


def sweep(simulator: Simulator, fates: Iterable[Fate], lanes: int = 8, *, opens: bool = False) -> Iterator[Result]:
    """Kill or freeze at each of these moments, some at the same time; results come in their order."""
    with ThreadPoolExecutor(lanes) as pool:
        yield from pool.map(partial(meet, simulator, opens=opens), fates)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--points", type=int, help="so many moments, spread over all kinds; else every one")
    parser.add_argument("--lanes", type=int, default=8, help="how many are killed at the same time")
    parser.add_argument("--freeze", action="store_true", help="freeze it for a while instead of killing it")
    parser.add_argument("--open", action="store_true", help="add to an open dispatch instead of sending to lists")
    parser.add_argument("--at", nargs=2, metavar=("MOMENT", "TIMES"), help="this moment only, at its n-th time")


def main(options: argparse.Namespace) -> int:
    simulator = find(options.provider)
    what = "frozen" if options.freeze else "killed"
    if options.at:
        fates = [Fate(options.at[0], int(options.at[1]))]
    else:
        moments = count(simulator, opens=options.open)
        fates = spread(moments, options.points)
        print(f"{moments.total()} moments of {len(moments)} kinds; {what} at {len(fates)} of them.", flush=True)
    if options.freeze:
        fates = [replace(fate, by=signal.SIGSTOP) for fate in fates]
    met: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    bad: list[Result] = []
    for result in sweep(simulator, fates, options.lanes, opens=options.open):
        (met if result.reached else missed)[result.fate.moment] += 1
        if result.wrong:
            bad.append(result)
            print(f"\n{result.fate.moment!r} {result.fate.times}", *result.wrong, sep="\n  ")
            print(result.log, flush=True)
    print(f"\n{'moment':<44} {what:>7} {'not met':>8}")
    for moment in sorted({*met, *missed}):
        print(f"{moment:<44} {met[moment]:>7} {missed[moment]:>8}")
    print(f"\n{what} {met.total()} times, {missed.total()} moments not met; {len(bad)} went wrong.")
    return 1 if bad else 0
