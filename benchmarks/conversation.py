"""A campaign through the simulated Conversation API: how many requests, and how fast; exit status 1 where it is broken.

    python benchmarks/conversation.py batches [--rows 20000] [--recipients FILE --campaign FILE]
    python benchmarks/conversation.py pace [--messages 3000] [--pace 100]

`batches`: one file of recipients, repeated and invalid ones among them, goes out by SMS, and then through the
Conversation API with one line of the campaign changed, its `integration`. `pace`: a campaign that the Batch API doesn't
take goes by messages:send, from several threads in two processes; the first of them is killed half-way. What counts
is the account of the simulator, which runs in a process of its own.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from recipients import FIRST_NAMES, TEXT, write_recipients

from connector import Connector
from connector.simulator.asking import settled_account
from connector.simulator.numbers import fictional_numbers

CONNECTOR = Path(sys.executable).with_name("connector")
SMS, CONVERSATION = "sinch-sms", "sinch-conversation"
DELIVERED = {SMS: "outcomes.Delivered:0=1", CONVERSATION: "outcomes.DELIVERED=1"}
MOST_REQUESTS_PER_SECOND = 800

Broken = list[str]
"""Sentences on what was promised and not kept."""


@contextmanager
def simulator(provider: str, *settings: str) -> Iterator[Any]:
    """A simulator in a process of its own: its address, settings and secrets."""
    words = [word for setting in (DELIVERED[provider], *settings) for word in ("--set", setting)]
    command = [CONNECTOR, "simulate", provider, "--port", "0", "--json", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def write_messy(path: Path, rows: int) -> None:
    """A file as CRMs export it: of 26 rows one is no number, and one repeats the person before it in another form."""
    numbers = fictional_numbers()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("to", "customer_id", "first_name", "code"))
        number = ""
        for place in range(rows):
            repeated, wrong = place % 26 == 7, place % 26 == 13
            number = number if repeated else next(numbers)
            to = "null" if wrong else f"00{number}" if repeated else f"+{number}"
            writer.writerow((to, f"customer-{place}", FIRST_NAMES[place % len(FIRST_NAMES)], f"SPRING{place:07}"))


def batches(options: argparse.Namespace, folder: Path) -> Broken:
    path = options.recipients
    if path is None:
        path = folder / "recipients.csv"
        write_messy(path, options.rows)
    campaign: dict[str, Any] = {"name": "spring-sale", "max_parts": 3, "message": {"text": TEXT}}
    if options.campaign is not None:
        campaign = tomllib.loads(options.campaign.read_text(encoding="utf-8"))
    told: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        simulators = {provider: stack.enter_context(simulator(provider)) for provider in (SMS, CONVERSATION)}
        secrets = {name: value for each in simulators.values() for name, value in each["environment"].items()}
        settings = {
            "integrations": {provider: each["settings"] for provider, each in simulators.items()},
            "defaults": {"integration": SMS},
            "storage": {"url": f"sqlite:///{folder / 'ledger.db'}"},
        }
        connector = stack.enter_context(
            Connector(settings, secrets=lambda reference: secrets[reference.removeprefix("env:")])
        )
        for provider, each in simulators.items():
            begun = time.perf_counter()
            report = connector.send({**campaign, "integration": provider}, path).report()
            account = settled_account(each["url"])
            took = time.perf_counter() - begun
            skipped = dict(sorted(report.skipped.by_reason.items()))
            told[provider] = {"recipients": report.recipients, "skipped": skipped, "enqueued": report.enqueued}
            print(f"{provider}: {report.recipients:,} rows, skipped {skipped}, {report.enqueued:,} enqueued")
            print(
                f"  accepted once {account['accepted_once']:,}, more than once {account['accepted_more']:,}; requests"
            )
            print(f"  that send {account['sends']}; {took:.1f} s", flush=True)
            told[provider]["accepted once"] = account["accepted_once"]
            told[provider]["requests"] = account["sends"]
    least = -(-told[CONVERSATION]["enqueued"] // 1000)
    broken = []
    requests = sum(told[CONVERSATION].pop("requests").values())
    told[SMS].pop("requests")
    if told[SMS] != told[CONVERSATION]:
        broken.append(f"the counts differ: {told[SMS]} and {told[CONVERSATION]}")
    if requests > least:
        broken.append(f"{requests} requests, where {least} would do")
    print(f"\n{requests} requests for {told[CONVERSATION]['enqueued']:,} recipients by the Batch API.")
    return broken


def pace(options: argparse.Namespace, folder: Path) -> Broken:
    write_recipients(folder / "people.csv", options.messages)
    with simulator(CONVERSATION) as told, httpx.Client(base_url=told["url"]) as http:
        lines = [f"{key} = {json.dumps(value)}" for key, value in told["settings"].items()]
        lines += [f"messages_per_second = {options.pace}"]
        (folder / "connector.toml").write_text(
            "\n".join(["[integrations.conv]", *lines, "[storage]", f'url = "sqlite:///{folder}/pace.db"', ""])
        )
        # Of what is asked for here the Batch API can't carry the queue.
        message = {"text": TEXT, "queue": "HIGH_PRIORITY"}
        (folder / "campaign.json").write_text(json.dumps({"name": "pace", "message": message}))
        send = ("send", "campaign.json", "--recipients", "people.csv", "--yes")
        environment = {**os.environ, **told["environment"]}
        with ExitStack() as stack:
            first = stack.enter_context(started(folder, environment, *send))
            begun = asked_to_send(http, at_least=1)
            second = stack.enter_context(started(folder, environment, "worker"))
            half = asked_to_send(http, at_least=options.messages // 2)
            first.kill()
            first.wait()
            print(f"After {half[1]:,} requests the first process is killed; the second one goes on.", flush=True)
            resumed = asked_to_send(http, at_least=asked_to_send(http, at_least=0)[1] + 1)
            os.environ.update(told["environment"])
            connector = stack.enter_context(Connector.from_config(folder / "connector.toml"))
            (line,) = connector.dispatches()
            dispatch = connector.dispatch(line.id)
            while (report := dispatch.report()).waiting or report.sending:
                time.sleep(0.05)
            ended = asked_to_send(http, at_least=0)
            second.terminate()
            second.wait()
        account = settled_account(told["url"])
    rates = [(there[1] - here[1]) / (there[0] - here[0]) for here, there in ((begun, half), (resumed, ended))]
    requests = sum(account["sends"].values())
    most = account["most_sends_in_a_second"]
    allowed = min(options.pace, MOST_REQUESTS_PER_SECOND)
    print(f"messages_per_second = {options.pace:g}, {options.messages:,} messages one by one, {requests:,} requests")
    print(f"  a second: the first process {rates[0]:.1f}, the second one {rates[1]:.1f}; most within any second {most}")
    print(f"  without a request after the kill: {resumed[0] - half[0]:.1f} s")
    once, more = account["accepted_once"], account["accepted_more"]
    print(f"  accepted once {once:,}, more than once {more}, in doubt {report.in_doubt}")
    broken = []
    # A request may be a moment late, and the next one on time.
    if most > allowed * 1.1 + 1:
        broken.append(f"{most} requests within a second, where {allowed} are allowed")
    if account["accepted_more"]:
        broken.append(f"{account['accepted_more']} were accepted more than once")
    if account["accepted_once"] + report.in_doubt < options.messages:
        broken.append(f"{options.messages - account['accepted_once'] - report.in_doubt} were neither sent nor in doubt")
    return broken


@contextmanager
def started(folder: Path, environment: Mapping[str, str], *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command in a process of its own, which ends with the block at the latest."""
    with subprocess.Popen([CONNECTOR, *words], cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def asked_to_send(http: httpx.Client, *, at_least: int) -> tuple[float, int]:
    """When so many requests that send had come, and how many it were by then."""
    while True:
        sends = sum(http.get("/_simulator/account").json()["sends"].values())
        if sends >= at_least:
            return time.perf_counter(), sends
        time.sleep(0.05)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s PART [options]"
    )
    commands = parser.add_subparsers(required=True, metavar="PART", dest="part")
    command = commands.add_parser("batches")
    command.add_argument("--rows", type=int, default=20_000)
    command.add_argument("--recipients", type=Path)
    command.add_argument("--campaign", type=Path)
    command.set_defaults(run=batches)
    command = commands.add_parser("pace")
    command.add_argument("--messages", type=int, default=3000)
    command.add_argument("--pace", type=float, default=100)
    command.set_defaults(run=pace)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="conversation-") as folder:
        broken = options.run(options, Path(folder))
    print(*(["\nBROKEN:", *broken] if broken else ["\nKept."]), sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
