"""How many signed callbacks a server takes, durably, and how long each waits while a large dispatch runs beside it.

    python benchmarks/callbacks.py [--callbacks 30000] [--runs 5] [--recipients 200000] [--rate 300]

First part: `connector serve` on SQLite against the same server that only checks the signature and answers
(`without_storing.py`), in turn, called by the same script over as many connections, as fast as they are answered.
Second part: callbacks come at a steady rate, while `connector send` plans and drains a dispatch, in its own process or
through the server's worker. After each run everything that was answered with success is looked for in the ledger, and
every sum is counted again.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from answering import answering
from calling import WARM_UP
from recipients import SENDER, TEXT, write_recipients
from sqlalchemy import func, select

from connector import Connector
from connector.ledger.tables import batches, dispatches, messages

HERE = Path(__file__).parent
CONNECTOR = Path(sys.executable).with_name("connector")
SECRETS = {"BENCHMARK_TOKEN": "token", "BENCHMARK_SECRET": "a-callback-secret-of-benchmarks"}
ENVIRONMENT = {**os.environ, **SECRETS}
TARGET = 0.40
TARGET_MILLISECONDS = 100
MOST_STEADY_SECONDS = 120

CONFIG = """\
[integrations.sms]
provider = "sinch-sms"
service_plan_id = "plan"
api_token = "env:BENCHMARK_TOKEN"
region = "eu"
base_url = "{url}"
callback_secret = "env:BENCHMARK_SECRET"

[server]
public_url = "https://hooks.example.com"

[storage]
url = "sqlite:///{database}"
"""
CAMPAIGN = {"name": "benchmark", "sender": SENDER, "max_parts": 3, "message": {"text": TEXT}}


@dataclass(frozen=True)
class Place:
    """A folder with a configuration, a ledger of accepted messages, and a delivery report for each of them."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "connector.toml"

    @property
    def database(self) -> Path:
        return self.folder / "connector.db"

    @property
    def bodies(self) -> Path:
        return self.folder / "bodies"

    def prepare(self, url: str, count: int) -> None:
        """Have so many messages accepted, and write what will be reported of them, in no order."""
        self.config.write_text(CONFIG.format(url=url, database=self.database))
        recipients = self.folder / "recipients.csv"
        write_recipients(recipients, count)
        with Connector.from_config(self.config) as connector:
            # This server has no reports to ask for.
            connector.policy = replace(connector.policy, first_poll_alone=timedelta(hours=1))
            connector.send(CAMPAIGN, recipients)
            query = (
                select(messages.c.address, batches.c.key, batches.c.provider_batch_id)
                .join(batches, messages.c.ordinal.between(batches.c.first, batches.c.last))
                .order_by(messages.c.ordinal)
            )
            with connector.ledger.read() as connection:
                rows = connection.execute(query).all()
        assert len(rows) == count
        random.Random(1).shuffle(rows)
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self.bodies.open("w") as file:
            for address, key, provider_batch_id in rows:
                report = {
                    "type": "recipient_delivery_report_sms",
                    "batch_id": provider_batch_id,
                    "client_reference": key,
                    "recipient": address,
                    "code": 0,
                    "status": "Delivered",
                    "at": at,
                    "operator_status_at": at,
                    "operator": "310260",
                    "applied_originator": SENDER,
                    "encoding": "GSM",
                    "number_of_message_parts": 1,
                }
                file.write(json.dumps(report) + "\n")
        self.database.rename(self.folder / "prepared.db")

    def renew(self) -> None:
        """The ledger as it was prepared."""
        for path in self.folder.glob("connector.db*"):
            path.unlink()
        shutil.copy(self.folder / "prepared.db", self.database)

    def check(self, calls: list[Any]) -> None:
        """See that all were answered 200, that every one is in the ledger, and that every sum closes."""
        wrong = [status for _, status, *_ in calls if status != 200]
        if wrong:
            raise SystemExit(f"{len(wrong)} of {len(calls)} callbacks were not answered 200: {set(wrong)}")
        bodies = self.bodies.read_bytes().splitlines()
        reported = {json.loads(bodies[number])["recipient"] for number, *_ in calls}
        with Connector.from_config(self.config) as connector:
            first = connector.dispatches()[-1]
            events = connector.dispatch(first.id).all_events()
            stored = [event.recipient for event in events if event.status == "delivered"]
        if len(stored) != len(set(stored)) or set(stored) != reported:
            raise SystemExit(f"{len(reported)} messages were reported on, and {len(stored)} are delivered.")
        subprocess.run(
            [CONNECTOR, "--config", self.config, "verify"], env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True
        )


@contextmanager
def server(*command: str | Path) -> Iterator[str]:
    """The callback address of a server in a process of its own."""
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        assert process.stdout
        text = ""
        while not _is_whole(text) and (line := process.stdout.readline()):
            text += line
        if not _is_whole(text):
            said.seek(0)
            raise SystemExit(said.read().decode())
        try:
            told = json.loads(text)
            (address,) = told["callbacks"].values()
            yield told["url"] + urlsplit(address).path
        finally:
            process.terminate()


def _is_whole(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@contextmanager
def calling(place: Place, url: str, connections: int, rate: float | None = None) -> Iterator["subprocess.Popen[str]"]:
    """The script that calls back, from when its connections are open and warm."""
    arguments = [place.bodies, url, SECRETS["BENCHMARK_SECRET"], str(connections), *([str(rate)] if rate else [])]
    with subprocess.Popen(
        [sys.executable, HERE / "calling.py", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        said = process.stderr.readline()
        if said != "ready\n":
            raise SystemExit(said + process.stderr.read())
        yield process


def result(process: "subprocess.Popen[str]") -> Any:
    """What the script says at its end."""
    out, error = process.communicate()
    if process.returncode:
        raise SystemExit(error)
    return json.loads(out)


def percentile(values: list[float], part: float) -> float:
    """The smallest value that this part of all are no greater than."""
    return sorted(values)[max(0, ceil(part * len(values)) - 1)]


def milliseconds(seconds: list[float]) -> str:
    """p50, p99 and the most, as columns."""
    if not seconds:
        return f"{'-':>8} {'-':>8} {'-':>8}"
    return " ".join(f"{1000 * percentile(seconds, part):>8.1f}" for part in (0.5, 0.99, 1.0))


def throughput(place: Place, runs: int, connections: int) -> None:
    print(f"{'run':>6} {'server':>16} {'calls/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'caller busy':>12}")
    storing = (CONNECTOR, "--config", place.config, "serve", "--port", "0", "--json")
    servers = {
        "storing": storing,
        "without storing": (sys.executable, HERE / "without_storing.py", place.config),
    }
    rates: dict[str, list[float]] = {name: [] for name in servers}
    for run in range(1, runs + 1):
        for name, command in servers.items():
            place.renew()
            with server(*command) as url, calling(place, url, connections) as caller:
                told = result(caller)
            if name == "storing":
                place.check(told["calls"])
            timed = told["calls"][WARM_UP:]
            rates[name].append(len(timed) / told["seconds"])
            print(
                f"{run:>6} {name:>16} {rates[name][-1]:>9,.0f} {milliseconds([took for *_, took in timed])} "
                f"{told['busy']:>12.0%}",
                flush=True,
            )
    ours, base = (median(rates[name]) for name in servers)
    ratios = [one / other for one, other in zip(*rates.values(), strict=True)]
    print(f"\nmedians: {ours:,.0f} storing, {base:,.0f} without; ratio {median(ratios):.2f}", end="")
    print(f" ({min(ratios):.2f} to {max(ratios):.2f}); the target is {TARGET:.2f} or more.\n")


def beside(place: Place, runs: int, count: int, rate: float, connections: int) -> None:
    campaign, recipients = place.folder / "campaign.json", place.folder / "many.csv"
    campaign.write_text(json.dumps(CAMPAIGN | {"name": "beside"}))
    write_recipients(recipients, count)
    print(f"{rate:,.0f} callbacks/s while {count:,} are sent to; milliseconds")
    print(f"{'run':>6} {'drained by':>10} {'phase':>9} {'seconds':>8} {'calls':>7} {'p50':>8} {'p99':>8} {'max':>8}")
    for drained_by, options in {"send": ("--no-worker",), "serve": ()}.items():
        worst: list[float] = []
        for run in range(1, runs + 1):
            place.renew()
            command = (CONNECTOR, "--config", place.config)
            with (
                server(*command, "serve", "--port", "0", "--json", *options) as url,
                calling(place, url, connections, rate) as caller,
            ):
                subprocess.run(
                    [*command, "send", campaign, "--recipients", recipients, "--yes", "--json"],
                    env=ENVIRONMENT,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=True,
                )
                told = result(caller)
            place.check(told["calls"])
            timed = told["calls"][WARM_UP:]
            for phase, (start, end) in phases(place, count).items():
                within = [took for _, _, at, took in timed if start <= at < end]
                print(f"{run:>6} {drained_by:>10} {phase:>9} {end - start:>8.1f} {len(within):>7,}", end=" ")
                print(milliseconds(within), flush=True)
                if phase == "both":
                    worst.append(1000 * percentile(within, 0.99))
        print(f"p99 while it ran: {median(worst):.0f} ms, at worst {max(worst):.0f} ms; the target is", end="")
        print(f" under {TARGET_MILLISECONDS} ms.\n")


def phases(place: Place, count: int) -> dict[str, tuple[float, float]]:
    """When the last dispatch was planned and drained, as UNIX times."""
    with Connector.from_config(place.config) as connector:
        dispatch = connector.dispatch(connector.dispatches()[0].id)
        if dispatch.report().enqueued != count:
            raise SystemExit(f"Of {count} recipients, {dispatch.report().enqueued} were sent.")
        with connector.ledger.read() as connection:
            created_at, started_at = connection.execute(
                select(dispatches.c.created_at, dispatches.c.started_at).where(dispatches.c.number == dispatch.number)
            ).one()
            ended_at = connection.scalar(
                select(func.max(batches.c.accepted_at)).where(batches.c.dispatch == dispatch.number)
            )
    start, middle, end = (at.timestamp() for at in (created_at, started_at, ended_at))
    return {"planning": (start, middle), "draining": (middle, end), "both": (start, end)}


def main() -> None:
    parser = argparse.ArgumentParser(description="How many callbacks a server takes, and how long they wait.")
    parser.add_argument("--callbacks", type=int, default=30_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--recipients", type=int, default=200_000)
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--part", choices=["throughput", "beside"])
    options = parser.parse_args()
    os.environ.update(SECRETS)
    with tempfile.TemporaryDirectory() as folder, answering() as url:
        place = Place(Path(folder))
        needed = max(options.callbacks, round(options.rate * MOST_STEADY_SECONDS))
        place.prepare(url, WARM_UP + needed)
        if options.part != "beside":
            throughput(place, options.runs, options.connections)
        if options.part != "throughput":
            beside(place, options.runs, options.recipients, options.rate, options.connections)


if __name__ == "__main__":
    main()
