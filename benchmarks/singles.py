"""A campaign that goes in single requests: memory of planning, what others wait for meanwhile, and its pace.

python benchmarks/singles.py [--recipients 1000000] [--base 10000] [--pace 50] [--seconds 20]
"""

import argparse
import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from memory import TARGET_BYTES
from peak import peak_bytes
from recipients import TEXT, write_recipients

from connector import Connector
from connector.simulator.simulated import simulated

CAMPAIGN = {"name": "single", "message": {"text": TEXT, "correlation_id": "single"}}
EVERY_SECONDS = 0.05


@contextmanager
def writing_beside(other: Connector) -> Iterator[list[float]]:
    """Write through another connector, as a server that takes callbacks does; how long each transaction waited."""
    waited: list[float] = []
    done = threading.Event()

    def write() -> None:
        while not done.wait(EVERY_SECONDS):
            began = time.perf_counter()
            with other.ledger.write(urgent=True):
                waited.append(time.perf_counter() - began)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield waited
    finally:
        done.set()
        writing.join()


def told(waited: list[float]) -> str:
    ordered = sorted(waited)
    return f"{ordered[len(ordered) // 2] * 1000:.0f} ms, {ordered[-1] * 1000:.0f} ms at most"


def measure(count: int, pace: float, seconds: float) -> int:
    """Plan, and send for a while; returns the most memory that planning took."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, simulated("sinch-conversation") as demo:
        recipients = Path(folder, "recipients.csv")
        write_recipients(recipients, count)
        for integration in demo.settings["integrations"].values():
            integration["messages_per_second"] = pace
        with (
            Connector(demo.settings, secrets=demo.secret) as connector,
            Connector(demo.settings, secrets=demo.secret) as other,
        ):
            other.prepare()
            began = time.perf_counter()
            with writing_beside(other) as waited:
                dispatch = connector.send(CAMPAIGN, recipients, drain=False)
            took, peak = time.perf_counter() - began, peak_bytes()
            print(f"{count:>12,} recipients: planned in {took:.1f} s, {peak / 1024**2:.1f} MiB at most")
            print(f"{'':>12} a write beside it waits {told(waited)}")
            began = time.perf_counter()
            with writing_beside(other) as waited:
                connector.worker(replies=False).run(max_seconds=seconds)
            sent = dispatch.report().enqueued
            print(f"{'':>12} {sent / (time.perf_counter() - began):.1f} sent a second, of {pace:g}", flush=True)
            print(f"{'':>12} a write beside it waits {told(waited)}", flush=True)
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description="A campaign that goes in single requests.")
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--base", type=int, default=10_000)
    parser.add_argument("--pace", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    counts = (options.base, options.recipients)
    # Each in a process of its own, as memory is told by the most that a process ever had.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        base, peak = pool.map(measure, counts, repeat(options.pace), repeat(options.seconds))
    more = (peak - base) / (options.recipients - options.base)
    print(f"\n{more:.1f} bytes for every recipient more; the target is {TARGET_BYTES} or fewer.")


if __name__ == "__main__":
    main()
