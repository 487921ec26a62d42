"""How fast the events of a log reach each sink, beside the bare requests, and how much memory it takes.

    python benchmarks/sinks.py [--events 200000] [--base 10000] [--runs 3] [--bare 200000] [--only bloomreach,kafka]

The platforms are doubles in processes of their own (of Kafka, the cluster that its library brings along for tests; of a
webhook, a server that only answers), and the limit of 100 requests a second is lifted. The bare requests are those of
the sink itself: the first that it makes is caught, and posted again and again by httpx, as many at once.
"""

import argparse
import base64
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from answering import answering
from confluent_kafka import KafkaError, Message, Producer
from connector_bloomreach.simulator import SIMULATOR as BLOOMREACH
from connector_bloomreach.simulator_options import BloomreachOptions
from connector_bloomreach.sink import Bloomreach
from connector_kafka.sink import Kafka
from connector_segment.simulator import SIMULATOR as SEGMENT
from connector_segment.simulator import SegmentOptions
from peak import peak_bytes
from recipients import SENDER, TEXT, write_recipients

from connector import Connector
from connector.extension import Sink
from connector.model.errors import NotTaken
from connector.simulator import serve
from connector.testing import answering as caught

OPTIONS = BloomreachOptions(requests_per_second=None, remember=False)
SOURCE = SegmentOptions()
WEBHOOK_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
SECRETS = BLOOMREACH.secrets(OPTIONS) | SEGMENT.secrets(SOURCE) | {"WEBHOOK_SECRET": WEBHOOK_SECRET}
TARGET = 0.5
TOPIC = "campaign-events"
EVENT_BYTES = 800
"""Of a record, as long as those of this log."""

TABLES: dict[str, Callable[[str], dict[str, Any]]] = {
    "bloomreach": lambda url: BLOOMREACH.settings(url, OPTIONS),
    "segment": lambda url: SEGMENT.settings(url, SOURCE),
    "webhook": lambda url: {
        "sink": "webhook",
        "url": f"{url}/events",
        "secret": "env:WEBHOOK_SECRET",
        "allow_private_addresses": True,
    },
    "kafka": lambda servers: {"sink": "kafka", "bootstrap_servers": servers, "topic": TOPIC, "tls": False},
    "jsonl": lambda path: {"sink": "jsonl", "path": path},
}
"""How each sink is configured, by where it leads."""


def settings(database: Path, sinks: dict[str, Any], url: str = "http://127.0.0.1:9") -> dict[str, Any]:
    """A connector on a ledger, with these sinks."""
    integration = {"provider": "sinch-sms", "service_plan_id": "plan", "api_token": "env:TOKEN", "region": "eu"}
    return {
        "integrations": {"sms": {**integration, "base_url": url}},
        "storage": {"url": f"sqlite:///{database}"},
        "sinks": sinks,
    }


def secret(reference: str) -> str:
    return SECRETS.get(reference.removeprefix("env:"), "token")


def fill(database: Path, recipients: Path, url: str) -> None:
    """A log with an event for each recipient."""
    campaign = {"name": "benchmark", "sender": SENDER, "max_parts": 3, "message": {"text": TEXT}}
    with Connector(settings(database, {}, url), secrets=secret) as connector:
        connector.send(campaign, recipients)


@contextmanager
def connected(database: Path, kind: str, target: str) -> Iterator[tuple[Connector, str, Sink]]:
    """A connector with one sink that begins at the beginning, as the ledger doesn't know its name; its name, and it."""
    name = f"{kind}-{os.getpid()}"
    table = {**TABLES[kind](target), "start": "beginning"}
    with Connector(settings(database, {name: table}), secrets=secret) as connector:
        connector.prepare()
        (sink,) = connector._sinks.values()
        if isinstance(sink, Bloomreach):
            sink.calls_per_second = None
        yield connector, name, sink


def deliver(database: Path, kind: str, target: str) -> dict[str, Any]:
    """Hand the log over, from its beginning, and measure it."""
    with connected(database, kind, target) as (connector, name, _):
        # As `connector serve` and `connector worker` do.
        gc.collect()
        gc.freeze()
        began = time.perf_counter()
        connector.deliver()
        seconds = time.perf_counter() - began
        (state,) = [each for each in connector.sinks() if each.name == name]
        if state.lag or state.dead_letters or state.trouble:
            raise SystemExit(f"Not everything arrived: {state}")
    return {"seconds": seconds, "peak_bytes": peak_bytes()}


def bare(count: int, database: Path, kind: str, url: str) -> dict[str, Any]:
    """The same requests with nothing around them: as many at once, each as the first one of the sink."""
    with caught.answering() as api, connected(database, kind, api.url) as (connector, _, sink):
        api.will(200, {})
        size, parallel = sink.batch_events, sink.parallel
        with suppress(NotTaken):
            sink.deliver(connector.events(limit=size))
        (request,) = api.seen
    headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
    with httpx.Client(base_url=url) as client, ThreadPoolExecutor(parallel) as pool:
        began = time.perf_counter()
        for answer in pool.map(
            lambda _: client.post(request.path, content=request.body, headers=headers), range(count // size)
        ):
            assert answer.is_success
        seconds = time.perf_counter() - began
    return {"seconds": seconds}


def bare_kafka(count: int, database: Path, kind: str, servers: str) -> dict[str, Any]:
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
    return {"seconds": seconds}


def _written(error: KafkaError | None, message: Message) -> None:
    assert error is None


def alone(*arguments: object) -> dict[str, Any]:
    """A step in a process of its own."""
    words = [sys.executable, __file__, "--step", *map(str, arguments)]
    done: dict[str, Any] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return done


@contextmanager
def platform(kind: str = "bloomreach") -> Iterator[str]:
    """A double in a process of its own: where it is."""
    if kind == "webhook":
        with answering() as url:
            yield url
        return
    with subprocess.Popen([sys.executable, __file__, "--step", kind], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        yield said if kind == "kafka" else f"http://127.0.0.1:{said}"
        process.terminate()


def serve_kafka() -> None:
    """A cluster in this process, until it ends."""
    client = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = client.list_topics(timeout=60).brokers.values()
    print(f"{broker.host}:{broker.port}", flush=True)
    threading.Event().wait()


def step(name: str, *arguments: str) -> None:
    """What runs in a process of its own."""
    if name == "bloomreach":
        serve(BLOOMREACH, OPTIONS, ready=lambda port: print(port, flush=True))
    elif name == "segment":
        serve(SEGMENT, SOURCE, ready=lambda port: print(port, flush=True))
    elif name == "kafka":
        serve_kafka()
    elif name == "bare":
        count, database, kind, target = arguments
        done = (bare_kafka if kind == "kafka" else bare)(int(count), Path(database), kind, target)
        print(json.dumps(done))
    else:
        database, kind, target = arguments
        print(json.dumps(deliver(Path(database), kind, target)))


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast events reach each sink.")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--base", type=int, default=10_000)
    parser.add_argument("--bare", type=int, default=200_000, help="events in the bare requests")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default=",".join(TABLES), help="sinks, with commas")
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
        print(f"{'':12}{'bare/s':>12}{'events/s':>12}{'of bare':>10}{heads[0]:>18}{heads[1]:>18}")
        for kind in options.only.split(","):
            with ExitStack() as stack:
                is_file = kind == "jsonl"
                target = str(Path(folder, "events.jsonl")) if is_file else stack.enter_context(platform(kind))
                bares, rates = [], []
                peaks = dict.fromkeys(counts, 0.0)
                # In turn, so that whatever else the machine does meets both.
                for _ in range(options.runs):
                    if not is_file:
                        done = alone("bare", options.bare, ledgers[options.base], kind, target)
                        bares.append(options.bare / done["seconds"])
                    for count, database in ledgers.items():
                        done = alone("deliver", database, kind, target)
                        peaks[count] = max(peaks[count], done["peak_bytes"] / 1024**2)
                    rates.append(options.events / done["seconds"])
            best = f"{max(bares):>12,.0f}" if bares else f"{'':12}"
            share = f"{max(rates) / max(bares):>10.0%}" if bares else f"{'':10}"
            memory = "".join(f"{peaks[count]:>18.1f}" for count in counts)
            print(f"{kind:12}{best}{max(rates):>12,.0f}{share}{memory}", flush=True)
    print(f"\nThe target is {TARGET:.0%} of the bare requests, and the same memory at both lengths.")


if __name__ == "__main__":
    main()
