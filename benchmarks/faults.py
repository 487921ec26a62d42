"""What the promise comes to under faults, in figures; exit status 1 where it is broken, however long it took.

    python benchmarks/faults.py lost [--recipients 1000000]          answers lost, 503 after accepting, 429, resets
    python benchmarks/faults.py bad-numbers [--batches 100]          one bad number in each batch of a thousand
    python benchmarks/faults.py bad-sender [--recipients 1000000]    one sender, bad for everybody; and two bad numbers
    python benchmarks/faults.py receipts [--receipts 10000]          each receipt three times, shuffled
    python benchmarks/faults.py killed-serve [--callbacks 30000]     `connector serve` is killed while callbacks come
    python benchmarks/faults.py late-list                            the list lags for longer than the doubt window

The provider is its simulator, over real HTTP, and its own account is what is compared with. Times that production
keeps long are set short here, and printed.
"""

import argparse
import json
import logging
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json
from recipients import FIRST_NAMES, SENDER, TEXT, write_recipients
from sqlalchemy import func, select

from connector import Connector, Dispatch
from connector.http import Answer
from connector.ledger.tables import BatchState, accounts, attempts, batches, messages
from connector.model.report import Report as Body
from connector.model.report import ReportSource
from connector.server.serve import serving
from connector.simulator import find
from connector.simulator.asking import settled_account
from connector.simulator.numbers import fictional_numbers
from connector.simulator.service import Call
from connector.testing.stage import Stage, lit

PROVIDER = "sinch-sms"
CONNECTOR = Path(sys.executable).with_name("connector")
CAMPAIGN = {"name": "faults", "sender": SENDER, "max_parts": 3, "message": {"text": TEXT}}
BATCH = 1000
DELIVERED = {"Delivered:0": 1.0}
TRACKING = {"doubt_window_seconds": 5, "resend_lead_seconds": 5}
TIMEOUT_SECONDS = 5
FAULTS = {"drop_after": 0.05, "error_after": 0.05, "throttled": 0.1, "drop_before": 0.02}

Broken = list[str]
"""Sentences on what was promised and not kept."""


def connected(
    integration: Mapping[str, Any], secrets: Mapping[str, str], database: Path, **more: Mapping[str, Any]
) -> Connector:
    """A connector on a ledger of its own; reports are asked for where a part needs them."""
    settings = {
        "integrations": {"faulty": {**integration, "request_timeout_seconds": TIMEOUT_SECONDS}},
        "storage": {"url": f"sqlite:///{database}"},
        "tracking": TRACKING,
        **more,
    }
    connector = Connector(settings, secrets=lambda reference: secrets[reference.removeprefix("env:")])
    connector.policy = replace(connector.policy, first_poll_alone=timedelta(hours=1))
    return connector


def on(stage: Stage, database: Path, **more: Mapping[str, Any]) -> Connector:
    return connected(stage.settings, stage.secrets, database, **more)


def people(how_many: int, *, after: int = 0) -> list[dict[str, str]]:
    return [
        {
            "to": f"+{number}",
            "customer_id": f"customer-{place}",
            "first_name": FIRST_NAMES[place % len(FIRST_NAMES)],
            "code": f"SPRING{place:07}",
        }
        for place, number in enumerate(islice(fictional_numbers(), after, after + how_many), after)
    ]


def verified(connector: Connector, *, with_provider: bool = False) -> Broken:
    """What `connector verify` says."""
    told = connector.verify(with_provider=with_provider)
    return [f"verify, {name}: {line}" for name, lines in told.items() for line in lines]


def expect(what: str, found: object, wanted: object) -> Broken:
    return [] if found == wanted else [f"{what}: {found!r} instead of {wanted!r}"]


# Answers lost, 503, 429, resets


@contextmanager
def simulator(**faults: float) -> Iterator[Any]:
    """A simulator in a process of its own: its address, settings and secrets."""
    words = [word for name, chance in faults.items() for word in ("--fault", f"{name}={chance}")]
    command: list[str | Path] = [
        CONNECTOR,
        "simulate",
        PROVIDER,
        "--port",
        "0",
        "--json",
        "--set",
        "outcomes.Delivered:0=1",
        *words,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield _document(process)
        finally:
            process.terminate()


def _document(process: "subprocess.Popen[str]") -> Any:
    """The one JSON document that a process prints when it is ready."""
    assert process.stdout
    text = ""
    for line in process.stdout:
        text += line
        try:
            return json.loads(text)
        except ValueError:
            continue
    raise SystemExit(f"It did not start, and ended with {process.wait()}.")


class Waits:
    """Looks, fifty times a second, whether no request that sends is under way, and what is waited for then."""

    PAUSE_SECONDS = 0.02

    def __init__(self, connector: Connector, dispatch: int) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._connector = connector
        self._dispatch = dispatch
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Waits":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def _look(self) -> None:
        then = time.perf_counter()
        while not self._over.wait(self.PAUSE_SECONDS):
            what, now = self._waited_for(), time.perf_counter()
            if what is not None:
                self.seconds[what] += now - then
            then = now

    def _waited_for(self) -> str | None:
        now = datetime.now(UTC)
        with self._connector.ledger.read() as connection:
            states = set(
                connection.scalars(select(batches.c.state).where(batches.c.dispatch == self._dispatch).distinct())
            )
            account = connection.execute(select(accounts)).one()
        if BatchState.sending in states:
            return None
        if account.probe_at is not None:
            return "until a safe read found the provider well, after failures in a row"
        if BatchState.waiting in states:
            return "as the provider asked to (429)" if account.free_at > now else None
        return "with nothing left but what is in doubt, or sent again ahead of its time"


def lost(options: argparse.Namespace, folder: Path) -> Broken:
    print(f"{options.recipients:,} recipients; {', '.join(f'{name} {chance:.0%}' for name, chance in FAULTS.items())}.")
    print(f"Set short: timeout {TIMEOUT_SECONDS} s, doubt window and lead of what is sent again 5 s each.\n")
    write_recipients(folder / "recipients.csv", options.recipients)
    broken: Broken = []
    seconds = []
    for name, faults in (("without faults", {}), ("with faults", FAULTS)):
        with (
            simulator(**faults) as told,
            connected(told["settings"], told["environment"], folder / f"{name}.db") as connector,
        ):
            started = time.perf_counter()
            dispatch = connector.plan(CAMPAIGN, folder / "recipients.csv")
            planned = time.perf_counter()
            with Waits(connector, dispatch.number) as waits:
                dispatch.drain()
            drained = time.perf_counter()
            seconds.append(drained - planned)
            account, ended = settled_account(told["url"]), how_attempts_ended(connector)
            report = dispatch.report()
            print(f"{name}: planned in {planned - started:.1f} s, sent in {drained - planned:.1f} s")
            print(f"  requests that send, as answered: {account['sends']}; as they ended here: {ended}")
            print(f"  accepted once: {account['accepted_once']:,}, more than once: {account['accepted_more']:,}")
            for what, waited in waits.seconds.items():
                print(f"  {waited:7.1f} s waited {what}")
            print(f"  {waits.total:7.1f} s of waits together", flush=True)
            broken += expect(f"{name}, state", report.state, "finished")
            broken += expect(f"{name}, enqueued", report.enqueued, options.recipients)
            broken += expect(f"{name}, accepted once", account["accepted_once"], options.recipients)
            broken += expect(f"{name}, accepted more than once", account["accepted_more"], 0)
            broken += verified(connector, with_provider=True)
    print(f"\n{seconds[1] - seconds[0]:.1f} s longer than without faults, {waits.total:.1f} s of them waits")
    return broken


def how_attempts_ended(connector: Connector) -> dict[str, int]:
    with connector.ledger.read() as connection:
        rows = connection.execute(select(attempts.c.ended, func.count()).group_by(attempts.c.ended)).all()
    return {row[0]: row[1] for row in rows}


# Refusals

CODE, SENTENCE = "syntax_constraint_violation", "Something is wrong."
Rule = Callable[[dict[str, Any]], Answer | None]
"""From a request that sends to the answer that refuses it, or None."""


@dataclass
class Refusing:
    """A provider that refuses by a rule; `requests` that send are counted."""

    stage: Stage
    rule: Rule = lambda content: None
    requests: int = 0

    def __post_init__(self) -> None:
        answer = self.stage.service.answer

        async def ruled(call: Call) -> Answer:
            if call.method == "POST" and call.path.endswith("/batches"):
                self.requests += 1
                refusal = self.rule(from_json(call.body))
                if refusal is not None:
                    return refusal
            return await answer(call)

        self.stage.service.answer = ruled  # type: ignore[method-assign]


def refusal(text: str = SENTENCE, *, status: int = 400, code: str = CODE) -> Answer:
    return Answer(status, {"content-type": "application/json"}, to_json({"code": code, "text": text}))


def refuses(numbers: set[str], *, pointing: bool) -> Rule:
    """A whole request for one number in it; `pointing`: with a word for whom."""

    def rule(content: dict[str, Any]) -> Answer | None:
        places = [place for place, number in enumerate(content["to"]) if number in numbers]
        if not places:
            return None
        return refusal(f"The format of parameter 'to[{places[0]}]' is invalid.") if pointing else refusal()

    return rule


def always(answer: Answer) -> Rule:
    return lambda content: answer


def bad_numbers(options: argparse.Namespace, folder: Path) -> Broken:
    how_many = options.batches * BATCH
    rows = people(how_many)
    dice = random.Random(1)
    bad = {rows[start + dice.randrange(BATCH)]["to"].removeprefix("+") for start in range(0, how_many, BATCH)}
    print(f"One bad number in each of {options.batches} batches of {BATCH:,}.\n")
    broken: Broken = []
    for pointing, most in ((False, 25), (True, 3)):
        name = "with a pointer to it" if pointing else "without a pointer"
        with lit(find(PROVIDER), outcomes=DELIVERED) as stage, on(stage, folder / f"{pointing}.db") as connector:
            Refusing(stage, refuses(bad, pointing=pointing))
            started = time.perf_counter()
            dispatch = connector.send(CAMPAIGN, rows)
            seconds = time.perf_counter() - started
            report = dispatch.report()
            failed = [event for event in dispatch.all_events() if event.status == "enqueue_failed"]
            requests = requests_per_batch(connector, dispatch)
            print(
                f"{name}: {report.enqueued:,} enqueued, {report.enqueue_failed} enqueue_failed; requests per batch: "
                f"{max(requests)} at most, {sum(requests) / len(requests):.1f} on average; {seconds:.1f} s"
            )
            broken += expect(f"{name}, enqueued", report.enqueued, how_many - options.batches)
            broken += expect(f"{name}, enqueue_failed", {event.recipient for event in failed}, bad)
            said = {(event.status_code, event.error, bool(event.comment)) for event in failed}
            broken += expect(f"{name}, code and text", said, {(400, CODE, True)})
            broken += expect(f"{name}, at most {most} requests per batch", max(requests) <= most, True)
            accepted = stage.accepted
            broken += expect(f"{name}, accepted once", set(accepted.values()), {1})
            broken += expect(f"{name}, accepted", len(accepted), how_many - options.batches)
            broken += verified(connector, with_provider=True)
    return broken


def requests_per_batch(connector: Connector, dispatch: Dispatch) -> list[int]:
    """How often each planned batch was sent, its parts included."""
    with connector.ledger.read() as connection:
        query = (
            select(func.count())
            .join_from(attempts, batches, attempts.c.batch == batches.c.number)
            .where(batches.c.dispatch == dispatch.number)
            .group_by(batches.c.ordinal)
        )
        return list(connection.scalars(query))


SENDERS: Mapping[str, tuple[Answer, int]] = {
    "by its code": (refusal("No such campaign.", status=403, code="unknown_campaign"), 5),
    "by a pointer": (refusal("The 'from' parameter is not allowed.", code="syntax_invalid_parameter_format"), 5),
    "without a word": (refusal(), 60),
}
"""How a provider says that the sender is bad, and the most requests that may take."""


def bad_sender(options: argparse.Namespace, folder: Path) -> Broken:
    print(f"A sender that is bad for all of {options.recipients:,} recipients.\n")
    write_recipients(folder / "recipients.csv", options.recipients)
    broken: Broken = []
    with lit(find(PROVIDER), outcomes=DELIVERED) as stage, on(stage, folder / "ledger.db") as connector:
        refusing = Refusing(stage)
        dispatch = connector.plan(CAMPAIGN, folder / "recipients.csv")
        for name, (answer, most) in SENDERS.items():
            refusing.rule, refusing.requests = always(answer), 0
            dispatch.resume()
            started = time.perf_counter()
            dispatch.drain()
            report = dispatch.report()
            print(f"{name}: {refusing.requests} requests, {report.state} after {time.perf_counter() - started:.1f} s")
            print(f"  {report.cause}", flush=True)
            found = (report.state, report.waiting, report.enqueue_failed, report.enqueued)
            broken += expect(f"{name}, nobody failed", found, ("stopped", options.recipients, 0, 0))
            broken += expect(f"{name}, at most {most} requests", refusing.requests <= most, True)
            broken += expect(
                f"{name}, the cause is named", from_json(answer.body)["code"] in (report.cause or ""), True
            )
        broken += verified(connector)
        broken += expect("accepted", len(stage.accepted), 0)
        broken += two_bad_numbers(connector, refusing)
    return broken


def two_bad_numbers(connector: Connector, refusing: Refusing) -> Broken:
    rows = people(BATCH)
    bad = {rows[place]["to"].removeprefix("+") for place in (123, 876)}
    refusing.rule, refusing.requests = refuses(bad, pointing=False), 0
    report = connector.send({**CAMPAIGN, "name": "two", "sender": "Another"}, rows).report()
    print(
        f"Two bad numbers in a batch, without a pointer: {report.enqueue_failed} enqueue_failed, {report.enqueued} "
        f"enqueued, {refusing.requests} requests, {report.state}"
    )
    found = (report.state, report.enqueue_failed, report.enqueued)
    return expect("two bad numbers", found, ("finished", 2, BATCH - 2)) + verified(connector)


# Receipts

COURSES = (
    (("Queued", 400), ("Dispatched", 401), ("Delivered", 0)),
    (("Dispatched", 401), ("Failed", 150)),
    (("Failed", 153), ("Delivered", 0)),
    (("Unknown", 155), ("Delivered", 0)),
    (("Rejected", 61), ("Failed", 158)),
    (("Delivered", 0),),
    (("Dispatched", 401),),
    (("Dispatched", 401), ("Unknown", 155), ("Expired", 202)),
)
"""What is reported of one message after the other, in this order: sixteen receipts of eight messages."""
AT_ONCE = 5000
CONNECTIONS = 16


def receipts(options: argparse.Namespace, folder: Path) -> Broken:
    each = [len(course) for course in COURSES]
    how_many = options.receipts // sum(each) * len(each)
    told = how_many // len(each) * sum(each)
    print(f"{told:,} receipts on {how_many:,} messages, in order; then each three times, shuffled.\n")
    broken: Broken = []
    with lit(find(PROVIDER), callback_connections=CONNECTIONS) as stage:
        with on(stage, folder / "orderly.db") as connector:
            connector.send(CAMPAIGN, people(how_many))
            query = select(messages.c.address, batches.c.key, batches.c.provider_batch_id).join(
                batches, messages.c.ordinal.between(batches.c.first, batches.c.last)
            )
            with connector.ledger.read() as connection:
                rows = connection.execute(query.order_by(messages.c.ordinal)).all()
        shutil.copy(folder / "orderly.db", folder / "shuffled.db")
        rounds: list[list[tuple[str, bytes]]] = [[] for _ in range(max(each))]
        for row, course in zip(rows, cycle(COURSES), strict=False):
            for place, (status, code) in enumerate(course):
                rounds[place].append((row.key, receipt(row, status, code)))
        shuffled = [pair for one in rounds for pair in one] * 3
        random.Random(1).shuffle(shuffled)
        ends = []
        for name, streams in (("orderly", rounds), ("shuffled", [shuffled])):
            with on(stage, folder / f"{name}.db") as connector, serving(connector, with_worker=False) as url:
                started = time.perf_counter()
                for stream in streams:
                    call_back(stage, connector, url, stream)
                report = connector.dispatches()[0]
                seconds = time.perf_counter() - started
                events = list(connector.dispatch(report.id).all_events())
                ends.append(connector.dispatch(report.id).report().as_dict())
                funnel = {state: ends[-1][state] for state in ("enqueued", "delivered", "failed", "rejected", "open")}
                print(f"{name}: {sum(map(len, streams)):,} callbacks in {seconds:.1f} s; {funnel}", flush=True)
                broken += expect(f"{name}, ids of events", len({event.id for event in events}), len(events))
                broken += verified(connector)
        broken += expect("the funnel of the shuffled stream", ends[1], ends[0])
        account = stage.service.callbacks.account()
        broken += expect("callbacks answered with success", account["answered"], account["sent"])
        broken += expect("callbacks sent", account["sent"], 4 * told)
    return broken


def receipt(row: Any, status: str, code: int) -> bytes:
    """A delivery report on one message."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return to_json(
        {
            "type": "recipient_delivery_report_sms",
            "batch_id": row.provider_batch_id,
            "client_reference": row.key,
            "recipient": row.address,
            "code": code,
            "status": status,
            "at": at,
            "number_of_message_parts": 1,
        }
    )


def call_back(stage: Stage, connector: Connector, url: str, stream: list[tuple[str, bytes]]) -> None:
    """Have the simulator call back, signed and over its connections, and wait until all is answered."""
    (line,) = connector.lines.values()
    for start in range(0, len(stream), AT_ONCE):
        for key, body in stream[start : start + AT_ONCE]:
            stage.service.callbacks.submit(f"{url}/webhooks/{line.integration_id}/{key}", body)
        stage.idle()


# A server that is killed

CONFIG = """\
[integrations.faulty]
{integration}

[storage]
url = "sqlite:///{database}"

[server]
public_url = "http://127.0.0.1:{port}"
"""
KILLS = 10


def killed_serve(options: argparse.Namespace, folder: Path) -> Broken:
    print(f"{options.callbacks:,} callbacks, and `connector serve` killed (SIGKILL) {KILLS} times while they come.\n")
    broken: Broken = []
    dice = random.Random(1)
    with (
        socket.create_server(("127.0.0.1", 0)) as free,
        lit(
            find(PROVIDER),
            outcomes={"Delivered:0": 9.0, "Failed:150": 1.0},
            retry_seconds=0.05,
            callback_connections=CONNECTIONS,
        ) as stage,
    ):
        port = free.getsockname()[1]
        free.close()
        integration = "\n".join(f"{key} = {json.dumps(value)}" for key, value in stage.settings.items())
        config = folder / "connector.toml"
        config.write_text(CONFIG.format(integration=integration, database=folder / "ledger.db", port=port))
        command = (CONNECTOR, "--config", config, "serve", "--no-worker", "--port", str(port), "--json")
        environment = {**os.environ, **stage.secrets}
        server = {"public_url": f"http://127.0.0.1:{port}"}
        with on(stage, folder / "ledger.db", server=server) as connector:
            connector.policy = replace(connector.policy, first_poll=timedelta(hours=1))
            stage.service.callbacks.hold(True)
            dispatch = connector.send(CAMPAIGN, people(options.callbacks))
            for kill in range(KILLS + 1):
                with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
                    try:
                        _document(process)
                        stage.service.callbacks.hold(False)
                        left = options.callbacks - len(stage.answered)
                        more = left if kill == KILLS else dice.randint(1, 2 * left // (KILLS + 2 - kill))
                        answered_more(stage, more)
                    finally:
                        process.kill()
                        process.wait()
                        stage.service.callbacks.hold(True)
                answered = list(stage.answered)
                lost = told_and_lost(connector, dispatch, answered)
                what = "at the end" if kill == KILLS else f"kill {kill + 1:2}"
                print(f"{what}: {len(answered):6,} answered 2xx, {lost} of them lost", flush=True)
                broken += expect(f"{what}, answered and lost", lost, 0)
                broken += verified(connector)
            report = dispatch.report()
            account = stage.service.callbacks.account()
            print(f"{account['retried']:,} callbacks were tried again; {report.delivered:,} delivered, ", end="")
            print(f"{report.failed:,} failed, {report.open:,} open")
            broken += expect("open", report.open, 0)
            broken += expect("given up or refused", account["given_up"] + account["dropped"], 0)
    return broken


def answered_more(stage: Stage, more: int) -> None:
    """Wait until so many callbacks more were answered with success, or none is left."""
    wanted = len(stage.answered) + more
    while len(stage.answered) < wanted and stage.service.callbacks.waiting:
        time.sleep(0.001)


def told_and_lost(connector: Connector, dispatch: Dispatch, answered: list[bytes]) -> int:
    """How many callbacks that were answered with success the ledger doesn't show."""
    (line,) = connector.lines.values()
    with connector.ledger.read() as connection:
        query = select(messages.c.address, messages.c.state).where(messages.c.dispatch == dispatch.number)
        shown = {(row.address, row.state) for row in connection.execute(query)}
    return sum(
        (receipt.recipient, receipt.status) not in shown
        for body in answered
        for receipt in connector.plugins.map_events(line.provider, Body(ReportSource.callback, body, datetime.now(UTC)))
    )


# A list that lags

WINDOW = {"doubt_window_seconds": 2, "resend_lead_seconds": 4}
HOUR = 3600.0
PER_BATCH = 10


def late_list(options: argparse.Namespace, folder: Path) -> Broken:
    print("Doubt window 2 s, lead of what is sent again 4 s, and a list that lags for an hour.\n")
    return [
        *among_others(options, folder),
        *alone(options, folder, "resend"),
        *alone(options, folder, "hold"),
    ]


def among_others(options: argparse.Namespace, folder: Path) -> Broken:
    """Later batches of the account show that the list lags: nothing is sent again."""
    rows = [{**row, "sender": f"Shop {place // PER_BATCH}"} for place, row in enumerate(people(options.recipients))]
    with lit(find(PROVIDER), outcomes=DELIVERED) as stage, on(stage, folder / "many.db", tracking=WINDOW) as connector:
        prove_look_up(connector, stage)
        stage.faults(drop_after=0.2, listing_lag=HOUR)
        dispatch = connector.plan({**CAMPAIGN, "name": "many"}, rows)
        while dispatch.report().waiting:
            connector.work(max_seconds=0.5)
        # One that was surely accepted after all of them.
        stage.faults(listing_lag=HOUR)
        connector.send({**CAMPAIGN, "name": "later"}, people(1, after=1_000_001))
        ends = time.monotonic() + options.seconds
        while time.monotonic() < ends:
            connector.work(max_seconds=1)
            time.sleep(0.1)
        during, twice = dispatch.report(), sum(times > 1 for times in stage.accepted.values())
        silent = [batch for batch in dispatch.in_doubt() if not batch.last_look_up]
        print(f"Among others, after {options.seconds} s: {during.in_doubt} in doubt, {twice} accepted twice, ", end="")
        print(f"{during.double_send} told as double_send", flush=True)
        broken = expect("sum", during.in_doubt + during.enqueued, options.recipients)
        broken += expect("batches in doubt without a word of why", len(silent), 0)
        stage.faults()
        dispatch.drain()
        report = dispatch.report()
        twice = sum(times > 1 for times in stage.accepted.values())
        print(f"  once the list is up to date: {report.enqueued} enqueued, {report.in_doubt} in doubt, {twice} twice")
        broken += expect("nobody twice among others", (twice, report.enqueued), (0, options.recipients))
        return broken + verified(connector, with_provider=True)


def prove_look_up(connector: Connector, stage: Stage) -> None:
    """An account that has accepted something, and by it shown that looking up works."""
    connector.send({**CAMPAIGN, "name": "first"}, people(1, after=1_000_000))
    while connector.accounts()[0].look_up_proven_at is None:
        connector.try_account("faulty")
        time.sleep(0.1)


def alone(options: argparse.Namespace, folder: Path, on_absent: str) -> Broken:
    """Nothing was sent since that could show how far the list lags."""
    tracking = {**WINDOW, "on_absent": on_absent}
    with (
        lit(find(PROVIDER), outcomes=DELIVERED) as stage,
        on(stage, folder / f"{on_absent}.db", tracking=tracking) as connector,
    ):
        connector.policy = replace(connector.policy, first_poll_alone=timedelta(seconds=1))
        prove_look_up(connector, stage)
        stage.faults(drop_after="1x1", listing_lag=HOUR)
        dispatch = connector.send({**CAMPAIGN, "name": on_absent}, people(options.recipients))
        dispatch.wait()
        # Who waits for the last reports of everybody leaves before the other copy's; a worker that stays asks for them.
        connector.work()
        report = dispatch.report()
        twice = sum(times > 1 for times in stage.accepted.values())
        wrong = verified(connector)
        print(f"Alone, on_absent = {on_absent!r}: {twice} accepted twice, {report.double_send} told as double_send, ")
        print(f"  {report.in_doubt} held in doubt; verify says {wrong or 'nothing'}", flush=True)
        if on_absent == "hold":
            return expect("held", (twice, report.in_doubt), (0, options.recipients)) + wrong
        broken = expect("told as double_send", (twice, report.double_send), (options.recipients, options.recipients))
        return broken + expect("verify says so", any("double_send" in line for line in wrong), True)


PARTS: Mapping[str, tuple[Callable[[argparse.Namespace, Path], Broken], Mapping[str, int]]] = {
    "lost": (lost, {"recipients": 1_000_000}),
    "bad-numbers": (bad_numbers, {"batches": 100}),
    "bad-sender": (bad_sender, {"recipients": 1_000_000}),
    "receipts": (receipts, {"receipts": 10_000}),
    "killed-serve": (killed_serve, {"callbacks": 30_000}),
    "late-list": (late_list, {"recipients": 1000, "seconds": 20}),
}
"""Name to the part, and its sizes."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s PART [options]"
    )
    commands = parser.add_subparsers(required=True, metavar="PART", dest="part")
    for name, (_, sizes) in PARTS.items():
        command = commands.add_parser(name)
        for size, default in sizes.items():
            command.add_argument(f"--{size}", type=int, default=default)
    options = parser.parse_args()
    # What is in doubt, told to wait or refused is what this is about: the ledger has all of it.
    logging.disable(logging.ERROR)
    part, _ = PARTS[options.part]
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        broken = part(options, Path(folder))
    print(*(["\nBROKEN:", *broken] if broken else ["\nKept."]), sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
