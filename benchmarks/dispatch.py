"""How fast a dispatch goes, against the least script that sends the same.

python benchmarks/dispatch.py [--recipients 200000] [--runs 5]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from answering import answering
from recipients import write_recipients

HERE = Path(__file__).parent
TARGET = 0.30


def run(script: str, recipients: Path, url: str, database: Path) -> Any:
    """What a script prints about its own run, started in a process of its own; its database is removed."""
    done = subprocess.run(
        [sys.executable, HERE / script, recipients, url, database], stdout=subprocess.PIPE, check=True, text=True
    )
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast a dispatch goes, against the least script.")
    parser.add_argument("--recipients", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    count = options.recipients
    print(f"{count:,} recipients; recipients/s\n")
    print(f"{'run':>6} {'planning':>10} {'draining':>10} {'both':>10} {'least':>10} {'ratio':>7}")
    rows: list[tuple[float, float, float, float]] = []
    with tempfile.TemporaryDirectory() as folder, answering() as url:
        recipients = Path(folder, "recipients.csv")
        write_recipients(recipients, count)
        for number in range(1, options.runs + 1):
            ours = run("through_connector.py", recipients, url, Path(folder, "connector.db"))
            least = run("least.py", recipients, url, Path(folder, "least.db"))
            if not ours["enqueued"] == least["recipients"] == count:
                raise SystemExit(f"Of {count} recipients, {ours['enqueued']} and {least['recipients']} were sent.")
            rows.append((ours["planning_seconds"], ours["draining_seconds"], ours["seconds"], least["seconds"]))
            _show(str(number), count, rows[-1])
    medians = tuple(median(column) for column in zip(*rows, strict=True))
    _show("median", count, medians)
    ratio = medians[3] / medians[2]
    print(f"\n{ratio:.0%} of the least script's rate; the target is {TARGET:.0%} or more.")


def _show(name: str, count: int, seconds: tuple[float, ...]) -> None:
    rates = " ".join(f"{count / each:>10,.0f}" for each in seconds)
    print(f"{name:>6} {rates} {seconds[3] / seconds[2]:>7.2f}", flush=True)


if __name__ == "__main__":
    main()
