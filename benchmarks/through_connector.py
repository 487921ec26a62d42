"""One dispatch through the connector, in a process of its own.

    python benchmarks/through_connector.py RECIPIENTS.csv URL DATABASE

prints as JSON how long planning and draining took, and the most memory that the process ever had. Imports
and the making of an empty ledger come before the clock.
"""

import gc
import json
import logging
import resource
import sys
import time
from pathlib import Path

from recipients import SENDER, TEXT

from connector import Connector


def main(recipients: Path, url: str, database: Path) -> None:
    # Once the last batch is sent it asks for reports, which this server does not have.
    logging.getLogger("connector").setLevel(logging.ERROR)
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
    campaign = {"name": "benchmark", "sender": SENDER, "max_parts": 3, "message": {"text": TEXT}}
    with Connector(settings, secrets=lambda reference: "token") as connector:
        connector.open()
        # What the imports left is not looked through on the clock.
        gc.collect()
        started = time.perf_counter()
        dispatch = connector.plan(campaign, recipients)
        planned = time.perf_counter()
        dispatch.drain()
        drained = time.perf_counter()
        report = dispatch.report()
    print(
        json.dumps(
            {
                "planning_seconds": planned - started,
                "draining_seconds": drained - planned,
                "seconds": drained - started,
                "recipients": report.recipients,
                "enqueued": report.enqueued,
                # Linux counts in KiB, macOS in bytes.
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                * (1 if sys.platform == "darwin" else 1024),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
