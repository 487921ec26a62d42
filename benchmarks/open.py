"""How many messages a second an open dispatch takes, and how soon the provider has them.

python benchmarks/open.py [--adds 2000] [--messages 800] [--per-second 40] [--beside 200000]
"""

import argparse
import logging
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from answering import answering
from recipients import FIRST_NAMES, SENDER, TEXT, write_recipients

from connector import Connector, OpenDispatch
from connector.simulator.numbers import fictional_numbers

CAMPAIGN = {"name": "benchmark", "sender": SENDER, "max_parts": 3, "message": {"text": TEXT}}


PACE = 20_000
"""Messages a second on the account, where a list is sent beside: a batch of it has 50 ms to itself."""


def connect(url: str, database: Path) -> Connector:
    settings = {
        "integrations": {
            "sms": {
                "provider": "sinch-sms",
                "service_plan_id": "plan",
                "api_token": "env:TOKEN",
                "region": "eu",
                "base_url": url,
            }
        },
        "storage": {"url": f"sqlite:///{database}"},
    }
    connector = Connector(settings, secrets=lambda reference: "token")
    # This server has no reports to ask for.
    connector.policy = replace(connector.policy, first_poll_alone=timedelta(hours=1))
    return connector


def message(number: str, place: int) -> dict[str, str]:
    name = FIRST_NAMES[place % len(FIRST_NAMES)]
    return {"to": f"+{number}", "customer_id": f"c-{place}", "first_name": name, "code": f"CODE{place:07}"}


def commits_a_second(folder: Path, count: int) -> float:
    """What the disk allows: transactions of one row, each durable."""
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (a TEXT);")
        started = time.perf_counter()
        for place in range(count):
            connection.execute("INSERT INTO t VALUES (?)", (f"row {place}",))
        return count / (time.perf_counter() - started)


def adds_a_second(folder: Path, url: str, threads: int, count: int) -> float:
    with connect(url, folder / f"adds-{threads}.db") as connector:
        opened = connector.open(CAMPAIGN, key="adds")
        rows = [message(number, place) for place, number in enumerate(islice(fictional_numbers(), count))]
        opened.add(rows[0], key="first")
        started = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda place: opened.add(rows[place], key=str(place)), range(count)):
                pass
        return count / (time.perf_counter() - started)


@contextmanager
def sending(connector: Connector, url: str, database: Path, *, elsewhere: bool) -> Iterator[None]:
    """Somebody who sends: a thread of this process, or another process."""
    if elsewhere:
        with subprocess.Popen([sys.executable, __file__, "--work", url, database], stdin=subprocess.PIPE) as process:
            yield
            assert process.stdin is not None
            process.stdin.close()
        return
    stop = threading.Event()
    thread = threading.Thread(target=connector.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def work(url: str, database: Path) -> None:
    """Send until standard input is closed."""
    logging.disable(logging.WARNING)
    stop = threading.Event()
    with connect(url, database) as connector:
        thread = threading.Thread(target=connector.run, args=(stop,))
        thread.start()
        sys.stdin.read()
        stop.set()
        thread.join()


def latencies(folder: Path, url: str, messages: int, per_second: float, *, beside: int, elsewhere: bool) -> list[float]:
    """Seconds from each call of `add` to the provider's acceptance, sorted; they come at random moments."""
    database = folder / f"latency-{beside}-{elsewhere}.db"
    moments = random.Random(7)
    with connect(url, database) as connector:
        opened = connector.open(CAMPAIGN, key="latency")
        if beside:
            write_recipients(folder / "recipients.csv", beside)
            connector.set_rate(opened.account, PACE)
            connector.plan(CAMPAIGN, folder / "recipients.csv")
        called: dict[str, datetime] = {}

        def add(place: int, number: str) -> None:
            at = datetime.now(UTC)
            called[opened.add(message(number, place), key=str(place)).message_id] = at

        with sending(connector, url, database, elsewhere=elsewhere), ThreadPoolExecutor(16) as pool:
            while not connector.worker_is_running() or (beside and not connector.dispatches()[0].enqueued):
                time.sleep(0.1)
            for place, number in enumerate(islice(fictional_numbers(), messages)):
                pool.submit(add, place, number)
                time.sleep(moments.expovariate(per_second))
            pool.shutdown()
            while opened.report().enqueued < messages:
                time.sleep(0.1)
        return sorted(_taken(opened, called))


def _taken(opened: OpenDispatch, called: dict[str, datetime]) -> Iterator[float]:
    for event in opened.all_events():
        assert event.status == "enqueued" and event.message_id is not None
        yield (event.recorded_at - called[event.message_id]).total_seconds()


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast an open dispatch takes messages, and sends them.")
    parser.add_argument("--adds", type=int, default=2000)
    parser.add_argument("--messages", type=int, default=800)
    parser.add_argument("--per-second", type=float, default=40)
    parser.add_argument("--beside", type=int, default=200_000)
    options: Any = parser.parse_args()
    # The server that only answers has no lists to ask for.
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name, answering() as url:
        folder = Path(name)
        print(f"{'bare commits':<44} {commits_a_second(folder, options.adds):>8,.0f} a second")
        for threads in (1, 8, 32):
            rate = adds_a_second(folder, url, threads, options.adds)
            print(f"{f'adds, {threads} threads':<44} {rate:>8,.0f} a second", flush=True)
        for beside, elsewhere in ((0, False), (0, True), (options.beside, True)):
            found = latencies(folder, url, options.messages, options.per_second, beside=beside, elsewhere=elsewhere)
            who = "another process sends" if elsewhere else "the same process sends"
            what = f"{who}, beside {beside:,} of a list" if beside else who
            p50, p99 = (found[int(len(found) * part)] * 1000 for part in (0.5, 0.99))
            print(f"{what:<52} p50 {p50:>5.0f} ms, p99 {p99:>5.0f} ms, most {found[-1] * 1000:>5.0f} ms", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
