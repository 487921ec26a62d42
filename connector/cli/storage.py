"""`connector storage`: upkeep of the ledger."""

from pathlib import Path

import rich_click as click

from connector.cli.output import document, json_option
from connector.config.load import load_settings
from connector.extension.plugins import Plugins
from connector.ledger import glance, schema
from connector.ledger.database import Ledger


@click.group("storage", cls=click.RichGroup)
def storage() -> None:
    """Look after the ledger, the file that remembers everything.

    Use it when a new version of the connector is installed.
    """


@storage.command("upgrade")
@click.option("--sql", is_flag=True, help="Only print the SQL statements that would do it; the file is left alone.")
@json_option
@click.pass_obj
def upgrade(config: Path, sql: bool, as_json: bool) -> None:
    """Bring the ledger to the form that this version of the connector works with.

    Use it after you have installed a new version, at a time of your choice; else it is done by itself when the ledger
    is first used. A ledger that a newer connector made is left alone, and you are told.
    """
    ledger = Ledger(load_settings(config, Plugins()).storage.url)
    before = glance.version(ledger.path)
    if sql:
        statements = "" if before == schema.HEAD else schema.statements(before)
        if as_json:
            document({"ledger": str(ledger.path), "from": before, "to": schema.HEAD, "statements": statements})
        else:
            click.echo(statements or f"-- Nothing is to be done: the schema is {schema.HEAD} already.\n", nl=False)
        return
    with ledger.read() as connection:
        after = schema.current(connection)
    ledger.close()
    if as_json:
        document({"ledger": str(ledger.path), "from": before, "to": after})
    elif before is None:
        click.echo(f"There was no ledger yet: {ledger.path} is made, with schema {after}.")
    elif before == after:
        click.echo(f"Nothing was to be done: the ledger {ledger.path} has schema {after} already.")
    else:
        click.echo(f"The ledger {ledger.path} had schema {before}, and has schema {after} now.")
