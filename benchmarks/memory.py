"""How much memory a dispatch takes for every recipient more.

python benchmarks/memory.py [--recipients 1000000] [--base 10000]
"""

import argparse
import tempfile
from pathlib import Path

from answering import answering
from dispatch import run
from recipients import write_recipients

TARGET_BYTES = 16


def main() -> None:
    parser = argparse.ArgumentParser(description="How much memory a dispatch takes for every recipient more.")
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--base", type=int, default=10_000)
    options = parser.parse_args()
    peaks: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder, answering() as url:
        recipients = Path(folder, "recipients.csv")
        for count in (options.base, options.recipients):
            write_recipients(recipients, count)
            done = run("through_connector.py", recipients, url, Path(folder, "connector.db"))
            if done["enqueued"] != count:
                raise SystemExit(f"Of {count} recipients, {done['enqueued']} were sent.")
            peaks[count] = done["peak_bytes"]
            print(f"{count:>12,} recipients: {peaks[count] / 1024**2:8.1f} MiB at most", flush=True)
    more = (peaks[options.recipients] - peaks[options.base]) / (options.recipients - options.base)
    print(f"\n{more:.1f} bytes for every recipient more; the target is {TARGET_BYTES} or fewer.")


if __name__ == "__main__":
    main()
