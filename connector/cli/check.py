"""`connector check`: whether what is configured works."""

import sys
from pathlib import Path

import rich_click as click

from connector.checking.finding import Result
from connector.checking.replies import NAME as REPLIES
from connector.cli import proving
from connector.cli.output import document, json_option, waiting
from connector.cli.proving import may_send_test_message, taking_callbacks, test_number_option
from connector.connector import Connector
from connector.model.errors import InputError


@click.command("check")
@test_number_option
@click.option("--yes", is_flag=True, help="Don't ask before the test message.")
@json_option
@click.pass_obj
def check(config: Path, test_number: str | None, yes: bool, as_json: bool) -> None:
    """Try what is configured: credentials, clock, senders, the way of callbacks, replies, the ledger.

    Use it after `connector setup`, and whenever something seems not to work. It says of everything whether it is
    right, what to do where it isn't, and what it could not prove. Nothing is sent, unless --test-number says so.

    Exit status: 0 nothing is wrong; 1 something is, or the test message didn't get through; 2 the configuration can't
    be read.
    """
    with Connector.from_config(config) as connector:
        through = None if test_number is None else _default(connector)
        sends = through is not None and may_send_test_message(yes=yes)
        with taking_callbacks(connector) as taking:
            with waiting("Trying what is configured ..."):
                findings = taking.explained(connector.check(receiving=taking.receiving))
            trial = None
            if test_number is not None and through is not None and sends:
                trial, findings = proving.try_number(connector, test_number, through, findings)
        configured = connector.settings.integrations
        titles = {name: connector.plugins.providers[each.provider].title for name, each in configured.items()}
        configured_sinks = connector.settings.sinks
        titles |= {f"sink {name}": connector.plugins.sinks[each.kind].title for name, each in configured_sinks.items()}
        wrong = proving.wrong(findings)
        failed = bool(wrong) or (trial is not None and trial.failed)
        addresses, guidance = {}, {}
        if connector.settings.server.public_url is not None and all(each.name != "ledger" for each in wrong):
            addresses, guidance = connector.callback_addresses(), connector.reply_guidance()
        if as_json:
            told = {"callbacks": addresses, "reply_guidance": guidance, "test_message": trial}
            document({"ok": not failed, "findings": findings, **told})
        else:
            proving.show(findings, titles)
            arriving = [each.integration for each in findings if each.name == REPLIES and each.result is Result.ok]
            proving.show_reply_guidance({name: told for name, told in guidance.items() if name not in arriving})
            click.echo(_verdict(len(wrong)))
    if failed:
        sys.exit(1)


def _default(connector: Connector) -> str:
    """The integration that a test message goes through. Raises `InputError`."""
    settings = connector.settings
    name = settings.defaults.integration or next(iter(settings.integrations), None)
    if name is None or (settings.defaults.integration is None and len(settings.integrations) > 1):
        raise InputError(
            "A test message goes through the default integration, and there is none: name one in the configuration, as "
            "[defaults] integration."
        )
    return name


def _verdict(wrong: int) -> str:
    if not wrong:
        return "Nothing is wrong."
    return "1 thing is wrong." if wrong == 1 else f"{wrong} things are wrong."
