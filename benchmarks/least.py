"""The least script that sends a campaign and writes down what it did: what the connector is measured against.

    python benchmarks/least.py RECIPIENTS.csv URL DATABASE

One thread. It checks nothing, finds no repeats, and could not be started again after a crash.
"""

import csv
import gc
import http.client
import json
import sqlite3
import sys
import time
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from recipients import SENDER, TEXT

BATCH = 1000


def main(recipients: Path, url: str, database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.executescript(
        """
        PRAGMA journal_mode=WAL;
        PRAGMA synchronous=FULL;
        CREATE TABLE messages (
            number INTEGER PRIMARY KEY, batch TEXT, recipient TEXT, customer_id TEXT, first_name TEXT, code TEXT,
            state TEXT
        );
        CREATE TABLE events (number INTEGER PRIMARY KEY, message INTEGER, status TEXT, occurred_at REAL);
        """
    )
    client = http.client.HTTPConnection(urlsplit(url).netloc)
    # What the imports left is not looked through on the clock.
    gc.collect()
    started = time.perf_counter()
    with recipients.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        first = 0
        while batch := list(islice(rows, BATCH)):
            key = f"batch-{first}"
            numbers = [to[1:] for to, _, _, _ in batch]
            body = json.dumps(
                {
                    "type": "mt_text",
                    "to": numbers,
                    "from": SENDER,
                    "body": TEXT,
                    "parameters": {
                        "first_name": {number: row[2] for number, row in zip(numbers, batch, strict=True)},
                        "code": {number: row[3] for number, row in zip(numbers, batch, strict=True)},
                    },
                    "client_reference": key,
                    "delivery_report": "none",
                    "max_number_of_message_parts": 3,
                }
            )
            client.request("POST", "/xms/v1/plan/batches", body, {"Content-Type": "application/json"})
            response = client.getresponse()
            answer = response.read()
            if response.status != 201:
                raise SystemExit(f"HTTP {response.status}: {answer!r}")
            batch_id = json.loads(answer)["id"]
            now = time.time()
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, 'enqueued')",
                [
                    (first + place, batch_id, number, row[1], row[2], row[3])
                    for place, (number, row) in enumerate(zip(numbers, batch, strict=True))
                ],
            )
            connection.executemany(
                "INSERT INTO events (message, status, occurred_at) VALUES (?, 'enqueued', ?)",
                [(first + place, now) for place in range(len(batch))],
            )
            connection.execute("COMMIT")
            first += len(batch)
    print(json.dumps({"seconds": time.perf_counter() - started, "recipients": first}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
