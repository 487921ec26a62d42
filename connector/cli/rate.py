"""`connector rate`: the pace of an account, while dispatches are under way."""

from pathlib import Path

import rich_click as click

from connector.cli.completion import account_names
from connector.cli.output import document, json_option, sentences
from connector.connector import Connector


def _pace(ctx: click.Context, argument: click.Parameter, value: str) -> float | None:
    if value == "settings":
        return None
    try:
        pace = float(value)
    except ValueError:
        pace = 0.0
    if not 0 < pace < float("inf"):
        raise click.BadParameter(f"{value!r} is no pace; write a number of messages per second above 0, or settings.")
    return pace


@click.command("rate")
@click.argument("account", metavar="ACCOUNT", shell_complete=account_names)
@click.argument("messages_per_second", metavar="N", callback=_pace)
@json_option
@click.pass_obj
def rate(config: Path, account: str, messages_per_second: float | None, as_json: bool) -> None:
    """Send faster or slower through an account from now on: N messages per second.

    That is an average: up to a thousand messages leave together, and then nothing until their time has passed.
    Use it while a campaign is under way and the shop, the call centre or the provider can take more, or less. ACCOUNT
    is a name that `connector status` shows, such as PROVIDER:ID. It holds for all campaigns on the account until you
    say `settings` in place of N: then the configuration decides again.
    """
    with Connector.from_config(config) as connector:
        connector.set_rate(account, messages_per_second)
    if as_json:
        document({"account": account, "messages_per_second": messages_per_second})
    elif messages_per_second is None:
        sentences(f"The account {account} keeps to the pace of the configuration again.")
    else:
        sentences(
            f"The account {account} now sends {messages_per_second:g} messages a second on average; what leaves "
            f"together, up to a thousand, is followed by a pause that is as long."
        )
