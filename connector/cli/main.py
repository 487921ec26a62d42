"""`connector`: the command line."""

import errno
import gc
import sys
import traceback
from pathlib import Path
from typing import Any

import rich_click as click
from click.exceptions import Exit

from connector.cli import logs
from connector.cli.added import added_command, added_commands
from connector.cli.check import check
from connector.cli.completion import PROGRAM, VARIABLE, completion
from connector.cli.demo import demo
from connector.cli.events import events
from connector.cli.explain import explain
from connector.cli.interrupts import terminate_like_interrupt
from connector.cli.message import message
from connector.cli.output import sentences
from connector.cli.plugins import plugins
from connector.cli.poll import poll
from connector.cli.rate import rate
from connector.cli.report import report
from connector.cli.schema import schema
from connector.cli.send import send
from connector.cli.serve import serve, worker
from connector.cli.setup import setup
from connector.cli.simulate import simulate
from connector.cli.sinks import discard, replay, sinks
from connector.cli.status import dispatches, status
from connector.cli.steering import cancel, pause, resume, retry
from connector.cli.storage import storage
from connector.cli.unmatched import unmatched
from connector.cli.verify import verify
from connector.model.errors import ConnectorError, InputError, KeyConflict, NotFound

WRONG_USE = (InputError, NotFound, KeyConflict)
"""What exit status 2 stands for; other errors of ours are work that failed, status 1."""


class Connector(click.RichGroup):
    """Runs a command, and turns what goes wrong into sentences and an exit status.

    Beside its own commands it has those that plugins bring, which can't take the place of one of its own.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name in added_commands() if name not in own)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or added_command(cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        with logs.shown():
            try:
                return super().invoke(ctx)
            except ConnectorError as error:
                if logs.debugging():
                    traceback.print_exc()
                for line in str(error).splitlines():
                    sentences(f"Error: {line}", err=True)
                sys.exit(2 if isinstance(error, WRONG_USE) else 1)
            except KeyboardInterrupt:
                click.echo("Stopped.", err=True)
                sys.exit(1)
            except click.NoSuchOption as error:
                if error.option_name == "--config" and error.ctx is not None:
                    rest = error.ctx.command_path.removeprefix(ctx.command_path).strip()
                    told = f"--config stands before the command: {PROGRAM} --config FILE {rest}"
                    raise click.UsageError(told, error.ctx) from None
                raise
            except (click.ClickException, Exit, click.Abort):
                raise
            except Exception as error:
                if isinstance(error, OSError) and error.errno == errno.EPIPE:
                    raise
                if logs.debugging():
                    traceback.print_exc()
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    click.echo("Error: There is no space left where the output goes.", err=True)
                    sys.exit(1)
                sentences(
                    f"Error: Something failed that should not ({type(error).__name__}). Please report it, with what "
                    f"the same command prints under {logs.DEBUG_VARIABLE}=1; take phone numbers out before.",
                    err=True,
                )
                sys.exit(1)


@click.group("connector", cls=Connector, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="CONNECTOR_CONFIG",
    default=Path("connector.toml"),
    show_default=True,
    help="The configuration file; $CONNECTOR_CONFIG names it, too.",
)
@click.version_option(package_name="campaign-connector", prog_name="connector")
@click.pass_context
def cli(ctx: click.Context, config: Path) -> None:
    """Send campaigns through a messaging provider, and get the truth back about every message.

    A campaign is what is sent; a dispatch is one time that it is sent to a list of people, and has an id. Where to
    begin: `connector demo` shows all of it, `connector setup` connects an account, `connector send` sends.

    Exit status: 0 done; 1 the work failed, is incomplete or in doubt; 2 wrong usage or configuration.
    """
    ctx.obj = config


FAMILIES: dict[str, list[click.Command]] = {
    "Setting up": [setup, check],
    "Campaigns": [send, report, events, message],
    "What is under way": [dispatches, status, pause, resume, cancel, retry, rate],
    "Running it": [serve, worker, poll, unmatched, verify, storage],
    "Platforms": [sinks, replay, discard],
    "Trying it": [demo, simulate],
    "Looking up": [explain, plugins, schema, completion],
}

for family in FAMILIES.values():
    for command in family:
        cli.add_command(command)
click.rich_click.COMMAND_GROUPS = {
    "connector": [
        {"name": title, "commands": [str(command.name) for command in family]} for title, family in FAMILIES.items()
    ]
}


def main() -> None:
    """The console script."""
    terminate_like_interrupt()
    # What was imported stays. The garbage collector would look through it again and again, and hold up for a tenth of
    # a second what is being sent or received.
    gc.freeze()
    cli(prog_name=PROGRAM, complete_var=VARIABLE)
