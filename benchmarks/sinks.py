"""How fast the events of a log reach each sink, beside the bare requests, and how much memory it takes.

    python benchmarks/sinks.py [--events 200000] [--base 10000] [--runs 3]

The platforms are doubles in processes of their own (of Kafka, the cluster that its library brings along for tests), and
the limit of 100 requests a second is lifted.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from answering import answering
from confluent_kafka import KafkaError, Message, Producer
from connector_bloomreach.simulator import API_SECRET, SIMULATOR
from connector_bloomreach.simulator_options import BloomreachOptions
from connector_bloomreach.sink import Bloomreach
from connector_kafka.sink import Kafka
from pydantic_core import to_json
from recipients import SENDER, TEXT, write_recipients

from connector import Connector
from connector.http import Client
from connector.simulator import serve

OPTIONS = BloomreachOptions(requests_per_second=None, remember=False)
TARGET = 0.5
TOPIC = "campaign-events"
EVENT_BYTES = 800
"""Of a record, as long as those of this log."""


def settings(database: Path, sinks: dict[str, Any], url: str = "http://127.0.0.1:9") -> dict[str, Any]:
    """A connector on a ledger, with these sinks."""
    integration = {"provider": "sinch-sms", "service_plan_id": "plan", "api_token": "env:TOKEN", "region": "eu"}
    return {
        "integrations": {"sms": {**integration, "base_url": url}},
        "storage": {"url": f"sqlite:///{database}"},
        "sinks": sinks,
    }


def secret(reference: str) -> str:
    return {API_SECRET: OPTIONS.api_secret}.get(reference.removeprefix("env:"), "token")


def fill(database: Path, recipients: Path, url: str) -> None:
    """A log with an event for each recipient."""
    campaign = {"name": "benchmark", "sender": SENDER, "max_parts": 3, "message": {"text": TEXT}}
    with Connector(settings(database, {}, url), secrets=secret) as connector:
        connector.send(campaign, recipients)


def deliver(database: Path, kind: str, target: str) -> dict[str, Any]:
    """Hand the log over, from its beginning, and measure it."""
    table = {
        "bloomreach": SIMULATOR.settings(target, OPTIONS),
        "kafka": {"sink": "kafka", "bootstrap_servers": target, "topic": TOPIC, "tls": False},
        "jsonl": {"sink": "jsonl", "path": target},
    }[kind]
    # A name that the ledger doesn't know begins at the beginning.
    name = f"{kind}-{os.getpid()}"
    sinks = {name: {**table, "start": "beginning"}}
    with Connector(settings(database, sinks), secrets=secret) as connector:
        connector.prepare()
        for sink in connector._sinks.values():
            if isinstance(sink, Bloomreach):
                sink.requests_per_second = None
        began = time.perf_counter()
        connector.deliver()
        seconds = time.perf_counter() - began
        (state,) = [each for each in connector.sinks() if each.name == name]
        if state.lag or state.dead_letters or state.trouble:
            raise SystemExit(f"Not everything arrived: {state}")
    return {"seconds": seconds, "peak_bytes": peak_bytes()}


def bare(count: int, url: str) -> dict[str, Any]:
    """The same requests with nothing around them: as many at once, a body that is written before the clock starts."""
    command = {
        "name": "customers/events",
        "command_id": "9fa1c8db-a54d-5692-8001-2f3a4b5c6d7e",
        "data": {
            "customer_ids": {"registered": "customer-1"},
            "event_type": "campaign",
            "timestamp": 1_795_335_122.787963,
            "properties": {
                "action_type": "sms",
                "status": "enqueued",
                "number_of_message_parts": 1,
                "campaign_name": "benchmark",
                "action_id": "9fa1c8dba54d3692",
                "message_id": "9fa1c8dba54d3692-100000",
                "recipient": "12015550123",
                "sender": "Bookshop",
            },
        },
    }
    body = to_json({"commands": [command] * Bloomreach.batch_events})
    client = Client(url)
    headers = {"authorization": f"Token {OPTIONS.api_token}"}
    path = f"/track/v2/projects/{OPTIONS.project_token}/batch"
    began = time.perf_counter()
    with ThreadPoolExecutor(Bloomreach.parallel) as pool:
        requests = range(count // Bloomreach.batch_events)
        for answer in pool.map(lambda _: client.post_events(path, body, headers), requests):
            assert answer.status == 200
    seconds = time.perf_counter() - began
    client.close()
    return {"seconds": seconds, "peak_bytes": peak_bytes()}


def bare_kafka(count: int, servers: str) -> dict[str, Any]:
    """The same records with nothing around them: as safely written, a value that is there before the clock starts."""
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "log_level": 0})
    value = b"x" * EVENT_BYTES
    began = time.perf_counter()
    for start in range(0, count, Kafka.batch_events):
        for place in range(start, min(count, start + Kafka.batch_events)):
            producer.produce(TOPIC, value, b"9fa1c8dba54d3692-%d" % place, on_delivery=_written)
        producer.flush()
    seconds = time.perf_counter() - began
    producer.close()
    return {"seconds": seconds, "peak_bytes": peak_bytes()}


def _written(error: KafkaError | None, message: Message) -> None:
    assert error is None


def peak_bytes() -> int:
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def alone(*arguments: object) -> dict[str, Any]:
    """A step in a process of its own."""
    words = [sys.executable, __file__, "--step", *map(str, arguments)]
    done: dict[str, Any] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return done


@contextmanager
def platform() -> Iterator[str]:
    """The double, in a process of its own."""
    with serving("serve") as said:
        yield f"http://127.0.0.1:{said}"


@contextmanager
def serving(name: str) -> Iterator[str]:
    """What a step says that goes on in a process of its own."""
    with subprocess.Popen([sys.executable, __file__, "--step", name], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def serve_kafka() -> None:
    """A cluster in this process, until it ends."""
    client = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = client.list_topics(timeout=60).brokers.values()
    print(f"{broker.host}:{broker.port}", flush=True)
    threading.Event().wait()


def step(name: str, *arguments: str) -> None:
    """What runs in a process of its own."""
    if name == "serve":
        serve(SIMULATOR, OPTIONS, ready=lambda port: print(port, flush=True))
    elif name == "serve-kafka":
        serve_kafka()
    elif name == "bare":
        print(json.dumps(bare(int(arguments[0]), arguments[1])))
    elif name == "bare-kafka":
        print(json.dumps(bare_kafka(int(arguments[0]), arguments[1])))
    else:
        print(json.dumps(deliver(Path(arguments[0]), arguments[1], arguments[2])))


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast events reach each sink.")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--base", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(*options.step)
        return
    counts = (options.base, options.events)
    with tempfile.TemporaryDirectory() as folder:
        ledgers = {count: Path(folder, f"{count}.db") for count in counts}
        with answering() as url:
            for count, database in ledgers.items():
                recipients = Path(folder, "recipients.csv")
                write_recipients(recipients, count)
                fill(database, recipients, url)
        heads = [f"MiB at {count:,}" for count in counts]
        print(f"{'':24}{'events/s':>12}{'of bare':>10}{heads[0]:>18}{heads[1]:>18}")
        with platform() as url, serving("serve-kafka") as servers:
            targets = {"bloomreach": url, "kafka": servers, "jsonl": str(Path(folder, "events.jsonl"))}
            bests = {}
            for kind, bare_step in {"bloomreach": "bare", "kafka": "bare-kafka"}.items():
                times = [alone(bare_step, options.events, targets[kind])["seconds"] for _ in range(options.runs)]
                bests[kind] = min(times)
                print(f"{f'{kind}, bare requests':24}{options.events / bests[kind]:>12,.0f}")
            for kind, target in targets.items():
                peaks, rates = {}, {}
                for count, database in ledgers.items():
                    seconds = []
                    for _ in range(options.runs):
                        done = alone("deliver", database, kind, target)
                        seconds.append(done["seconds"])
                        peaks[count] = done["peak_bytes"] / 1024**2
                    rates[count] = count / min(seconds)
                rate = rates[options.events]
                share = f"{rate * bests[kind] / options.events:.0%}" if kind in bests else ""
                print(f"{kind:24}{rate:>12,.0f}{share:>10}{peaks[options.base]:>18.1f}{peaks[options.events]:>18.1f}")
        print(f"\nThe target is {TARGET:.0%} of the bare requests, and the same memory at both lengths.")


if __name__ == "__main__":
    main()
