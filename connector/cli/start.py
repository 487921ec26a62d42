"""The console script: everything else is loaded once it is known what Ctrl-C does meanwhile."""

import importlib
import sys


def main() -> None:
    """Run `connector`; whoever stops it while it starts sees no more than that it ended."""
    try:
        run = importlib.import_module("connector.cli.main").main
    except KeyboardInterrupt:
        sys.exit(1)
    run()
