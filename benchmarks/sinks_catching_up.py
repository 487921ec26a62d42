"""Whether a sink that was down and catches up slows what else goes on: a dispatch, and callbacks.

    python benchmarks/sinks_catching_up.py [--events 300000] [--recipients 300000] [--rate 200] [--runs 2] [--apart]

`connector serve` receives callbacks at a steady rate, first alone, then while its worker drains a dispatch. All the
time its sink has a backlog, and its platform takes it for a second (at the usual limit of 100 requests a second),
and then nothing for one, over and over: so both are measured in the same process, and whatever else the machine does
meets both alike. With `--apart` there are two processes, `connector serve --no-worker` and `connector worker`. After
each run everything that was answered with success is looked for in the ledger, and every sum is counted again.
"""

import argparse
import bisect
import json
import math
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import callbacks
from answering import answering
from callbacks import CAMPAIGN, CONNECTOR, SECRETS, Place, calling, milliseconds, percentile, phases, result, server
from calling import WARM_UP
from connector_bloomreach.simulator import SIMULATOR
from gate import gate
from recipients import write_recipients
from sinks import OPTIONS
from sqlalchemy import select

from connector import Connector
from connector.ledger.tables import batches

TURN_SECONDS = 1.0
SETTLING_SECONDS = 0.2
"""So long after a turn nothing is counted: what is on its way ends."""
ALONE_TURNS = 20
MOST_SECONDS = 240


@dataclass
class Turns:
    """Opens and closes the gate in turn, and knows when it was what."""

    process: "subprocess.Popen[str]"
    moments: list[float] = field(default_factory=list)
    """UNIX times: opened, closed, opened ..."""
    _over: threading.Event = field(default_factory=threading.Event)

    def go_on(self) -> None:
        while not self._over.is_set():
            self._turn()
            self._over.wait(TURN_SECONDS)
        if len(self.moments) % 2:
            self._turn()

    def end(self) -> None:
        self._over.set()

    def _turn(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.moments.append(time.time())

    def is_open_at(self, at: float) -> bool | None:
        """Whether the platform took events then; None: that had just changed, or the turns were over."""
        place = bisect.bisect(self.moments, at)
        if place in (0, len(self.moments)) or at - self.moments[place - 1] < SETTLING_SECONDS:
            return None
        return place % 2 == 1

    def seconds(self, start: float, end: float, *, is_open: bool) -> float:
        """How long it was so within a time."""
        found = 0.0
        for place, (since, until) in enumerate(zip(self.moments, self.moments[1:], strict=False)):
            if (place % 2 == 0) == is_open:
                found += max(0.0, min(until, end) - max(since + SETTLING_SECONDS, start))
        return found


def configure(place: Place, url: str) -> None:
    """Give the configuration its sink."""
    table = {**SIMULATOR.settings(url, OPTIONS), "start": "beginning"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    place.config.write_text("\n".join([place.config.read_text(), "[sinks.crm]", *lines, ""]))


@contextmanager
def serving(place: Place, *, apart: bool) -> Iterator[str]:
    """The callback address of a connector that also sends and hands over, by itself or in a process beside it."""
    command = [CONNECTOR, "--config", place.config]
    if not apart:
        with server(*command, "serve", "--port", "0", "--json") as url:
            yield url
        return
    with (
        server(*command, "serve", "--port", "0", "--json", "--no-worker") as url,
        subprocess.Popen([*command, "worker"], env=callbacks.ENVIRONMENT, stderr=subprocess.DEVNULL) as worker,
    ):
        try:
            yield url
        finally:
            worker.terminate()


def run(
    place: Place, platform: "subprocess.Popen[str]", campaign: Path, recipients: Path, rate: float, *, apart: bool
) -> Any:
    """What was called back, the turns, when the turns alone began, and how far the sink was behind at both ends."""
    place.renew()
    turns = Turns(platform)
    turning = threading.Thread(target=turns.go_on)
    with (
        serving(place, apart=apart) as url,
        calling(place, url, 64, rate) as caller,
    ):
        began, before = time.time(), lag(place)
        turning.start()
        try:
            time.sleep(ALONE_TURNS * TURN_SECONDS)
            subprocess.run(
                [CONNECTOR, "--config", place.config, "send", campaign, "--recipients", recipients, "--yes", "--json"],
                env=callbacks.ENVIRONMENT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )
        finally:
            turns.end()
            turning.join()
        after = lag(place)
        told = result(caller)
    place.check(told["calls"])
    return told["calls"][WARM_UP:], turns, began, (before, after)


def lag(place: Place) -> int:
    """How many events the sink has still to take."""
    with Connector.from_config(place.config) as connector:
        return connector.sinks()[0].lag


def accepted(place: Place) -> list[tuple[float, int]]:
    """When each batch of the latest dispatch was accepted, and how many recipients it had."""
    with Connector.from_config(place.config) as connector, connector.ledger.read() as connection:
        number = connector.dispatch(connector.dispatches()[0].id).number
        rows = connection.execute(
            select(batches.c.accepted_at, batches.c.first, batches.c.last).where(batches.c.dispatch == number)
        ).all()
    return [(row.accepted_at.timestamp(), row.last - row.first + 1) for row in rows if row.accepted_at]


def main() -> None:
    parser = argparse.ArgumentParser(description="Whether a sink that catches up slows dispatches and callbacks.")
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--recipients", type=int, default=300_000)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--apart", action="store_true")
    options = parser.parse_args()
    secrets = {**SECRETS, **SIMULATOR.secrets(OPTIONS)}
    os.environ.update(secrets)
    callbacks.ENVIRONMENT.update(secrets)
    with tempfile.TemporaryDirectory() as folder, answering() as provider, gate() as platform:
        place = Place(Path(folder))
        place.prepare(provider, options.events)
        needed = WARM_UP + round(options.rate * MOST_SECONDS)
        place.bodies.write_bytes(b"".join(place.bodies.read_bytes().splitlines(keepends=True)[:needed]))
        assert platform.stdout
        configure(place, platform.stdout.readline().strip())
        campaign, recipients = place.folder / "campaign.json", place.folder / "many.csv"
        campaign.write_text(json.dumps(CAMPAIGN | {"name": "beside"}))
        write_recipients(recipients, options.recipients)
        print(f"{options.rate:,.0f} callbacks a second, {options.recipients:,} recipients, {options.events:,} behind")
        print(f"{'run':>3} {'the sink':>11} {'sent/s':>8}   {'callbacks alone, ms':27}   callbacks beside, ms")
        print(f"{'':25}{'p50':>8} {'p99':>8} {'max':>8}   {'p50':>8} {'p99':>8} {'max':>8}")
        for number in range(1, options.runs + 1):
            calls, turns, began, behind = run(place, platform, campaign, recipients, options.rate, apart=options.apart)
            times = phases(place, options.recipients)
            sent = accepted(place)
            spans = {"alone": (began, times["both"][0]), "beside": times["both"]}
            rates, took = {}, {}
            for is_open, name in ((False, "waits"), (True, "catches up")):
                seconds = turns.seconds(*times["draining"], is_open=is_open)
                count = sum(size for at, size in sent if turns.is_open_at(at) == is_open)
                rates[name] = count / seconds if seconds else math.nan
                took[name] = {
                    span: [each for *_, at, each in calls if start <= at < end and turns.is_open_at(at) == is_open]
                    for span, (start, end) in spans.items()
                }
                print(f"{number:>3} {name:>11} {rates[name]:>8,.0f}  ", end="")
                print(f"{milliseconds(took[name]['alone'])}   {milliseconds(took[name]['beside'])}", flush=True)
            print(f"{'':4}ratios: sent {rates['catches up'] / rates['waits']:.2f}", end="")
            for span in spans:
                for part, word in ((0.5, "p50"), (0.99, "p99")):
                    one, other = (percentile(took[name][span], part) for name in ("catches up", "waits"))
                    print(f", {span} {word} {one / other:.2f}", end="")
            print(f"; behind {behind[0]:,}, then {behind[1]:,}", flush=True)


if __name__ == "__main__":
    main()
