"""`connector poll`: asking the provider now."""

import sys
from pathlib import Path

import rich_click as click

from connector.cli.completion import dispatch_ids
from connector.cli.following import read_secrets
from connector.cli.output import count, document, json_option, say, waiting
from connector.connector import Connector


@click.command("poll")
@click.argument("dispatch_id", metavar="[ID]", required=False, shell_complete=dispatch_ids)
@json_option
@click.pass_obj
def poll(config: Path, dispatch_id: str | None, as_json: bool) -> None:
    """Ask the provider now for delivery reports and for what people wrote, and print what came.

    Use it when news seems to be missing; `serve` and `worker` ask by themselves from time to time. It does not get in
    the way of what is being sent. With ID, the id or the key of a dispatch, only for the reports of that one, and for
    what people wrote. The exit status is 1 if something could not be asked for.
    """
    with Connector.from_config(config) as connector:
        names = (
            connector.settings.integrations if dispatch_id is None else [connector.dispatch(dispatch_id).integration]
        )
        read_secrets(connector, names)
        with waiting("Asking the provider ..."):
            polled = connector.poll(dispatch_id)
    if as_json:
        document(polled)
    else:
        click.echo(
            f"Read {_times(polled.reports, 'answer')} about batches and {_times(polled.inbound, 'message')} of people."
        )
        click.echo(f"News: {_times(polled.events, 'event')}; the rest was known already.")
    for sentence in polled.trouble:
        say(sentence)
    if polled.trouble:
        sys.exit(1)


def _times(number: int, what: str) -> str:
    return f"{count(number)} {what}{'' if number == 1 else 's'}"
