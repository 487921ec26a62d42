"""Whether every event arrives whatever goes wrong: a platform that fails, is away, and workers that are killed.

    python benchmarks/sinks_faults.py [--events 20000] [--kills 20]

Of 100 requests some 17 go wrong, the platform is away for five seconds, and `connector worker` is killed (SIGKILL) over
and over. Ends with exit status 1 where an event is lost, came with other content, or came twice without a reason.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from answering import answering
from connector_bloomreach.simulator import SIMULATOR
from connector_bloomreach.simulator_options import BloomreachOptions
from connector_bloomreach.sink import Bloomreach
from pydantic_core import to_json
from recipients import write_recipients
from sinks import fill, secret, settings

from connector import Connector
from connector.delivery.delivering import PAGE
from connector.http import Client
from connector.simulator import running

WRONG = {"throttled": 0.05, "error_before": 0.05, "drop_before": 0.03, "error_after": 0.02, "drop_after": 0.02}
AWAY_SECONDS = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description="Whether every event arrives whatever goes wrong.")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    dice = random.Random(7)
    simulated = BloomreachOptions(retry_after_seconds=0)
    with tempfile.TemporaryDirectory() as name, running(SIMULATOR, simulated) as url, answering() as provider:
        folder = Path(name)
        database, client = folder / "connector.db", Client(url, timeout_seconds=120)
        write_recipients(folder / "recipients.csv", options.events)
        fill(database, folder / "recipients.csv", provider)
        table = {**SIMULATOR.settings(url, simulated), "start": "beginning", "requests_per_second": 20}
        given = settings(database, {"crm": table}, provider)
        (folder / "connector.json").write_text(json.dumps(given))
        environment = {**os.environ, **SIMULATOR.secrets(simulated), "TOKEN": "token"}
        client.post_repeatable("/_simulator/faults", to_json(WRONG))
        for number in range(options.kills):
            began = _came(client)
            worker = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    "from connector.cli.main import main; main()",
                    "--config",
                    "connector.json",
                    "worker",
                ],
                cwd=folder,
                env=environment,
                stderr=subprocess.DEVNULL,
            )
            while _came(client) == began:
                time.sleep(0.02)
            time.sleep(dice.random())
            if number == options.kills // 2:
                client.post_repeatable("/_simulator/faults", to_json({"error_before": 1}))
                time.sleep(AWAY_SECONDS)
                client.post_repeatable("/_simulator/faults", to_json(WRONG))
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        with Connector(given, secrets=secret) as connector:
            for sink in connector._sinks.values():
                assert isinstance(sink, Bloomreach)
                sink.calls_per_second = None
            while connector.sinks()[0].lag:
                connector.resume_sink("crm")
                connector.deliver()
            wanted, after = set(), -1
            while page := connector.events(after=after):
                wanted |= {event.id for event in page}
                after = page[-1].position
            refused = len(connector.refused_events("crm"))
        tracked = client.get("/_simulator/batches").json()["batches"]
        sends = client.get("/_simulator/account").json()["sends"]
        client.close()
    came = Counter(event["command_id"] for event in tracked)
    contents = {(event["command_id"], to_json(event)) for event in tracked}
    lost, others = wanted - came.keys(), len(contents) - len(came)
    repeated = sum(came.values()) - len(came)
    allowed = 50 * sum(times for status, times in sends.items() if status != "200") + PAGE * options.kills
    print(f"{len(wanted):,} events, {options.kills} kills, answers {dict(sends)}")
    print(f"lost {len(lost)}, refused {refused}, with other content {others}, came once more {repeated:,}")
    if lost or refused or others or repeated > allowed:
        raise SystemExit(1)


def _came(client: Client) -> int:
    """How many events the platform has by now."""
    account = client.get("/_simulator/account").json()
    return int(account["accepted_once"] + account["accepted_more"])


if __name__ == "__main__":
    main()
