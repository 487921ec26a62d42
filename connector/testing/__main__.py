"""`python -m connector.testing sweep PROVIDER`: the fault kit on a provider's simulator."""

import argparse
import sys

from connector.model.errors import ConnectorError
from connector.simulator import find, simulators
from connector.testing import pairs, sweep


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m connector.testing", description="The fault kit on a simulator.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in {"sweep": sweep, "pairs": pairs}.items():
        described = module.__doc__ or ""
        command = commands.add_parser(
            name,
            help=described.partition("\n")[0],
            description=described,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("provider", help="a provider that has a simulator", choices=simulators())
        module.arguments(command)
        command.set_defaults(main=module.main)
    options = parser.parse_args()
    try:
        find(options.provider).campaign()
    except ConnectorError as error:
        parser.error(str(error))
    status: int = options.main(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
