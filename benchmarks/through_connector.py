"""One dispatch through the connector, in a process of its own.

    python benchmarks/through_connector.py RECIPIENTS.csv URL DATABASE

prints as JSON how long planning and draining took, and the most memory that the process ever had. Imports
and the making of an empty ledger come before the clock.
"""

import gc
import json
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from peak import peak_bytes
from recipients import SENDER, TEXT

from connector import Connector


def main(recipients: Path, url: str, database: Path) -> None:
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
        connector.prepare()
        # This server has no reports to ask for.
        connector.policy = replace(connector.policy, first_poll_alone=timedelta(hours=1))
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
                "peak_bytes": peak_bytes(),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
