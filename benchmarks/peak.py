"""The most memory that a process ever had."""

import resource
import sys
from pathlib import Path


def peak_bytes() -> int:
    """Of this process, since it began."""
    status = Path("/proc/self/status")
    if status.exists():
        # What Linux counts for getrusage begins with what the parent had.
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    # macOS counts in bytes, others in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
