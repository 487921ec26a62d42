"""`connector conversation webhook`: where an app's callbacks go."""

import rich_click as click

from connector_sinch.conversation.commands.desk import (
    Desk,
    app_option,
    confirmed,
    limit_option,
    on_project,
    secret,
    yes_option,
)
from connector_sinch.conversation.resources.webhooks import TRIGGERS

COLUMNS = {
    "webhook": lambda each: each.id,
    "calls": lambda each: each.target if each.target_type == "HTTP" else f"nobody ({each.target_type})",
    "signed": lambda each: "yes" if each.has_secret else "no",
    "triggers": lambda each: f"{len(each.triggers)}: {', '.join(each.triggers)}" if each.triggers else "none",
}


@click.group("webhook", cls=click.RichGroup)
def webhook() -> None:
    """Look after webhooks, by which an app calls back: delivery reports, what people write, and more.

    Use it when reports don't come. `connector setup` makes the one that the connector needs, and mends it.
    """


@webhook.command("list")
@app_option
@limit_option
@on_project
def list_webhooks(desk: Desk, app: str | None, limit: int) -> None:
    """List an app's webhooks: whom they call, and about what.

    Use it when reports come twice, or not at all: two webhooks with one trigger call twice.
    """
    desk.many("webhooks", desk.project.webhooks.list(app or desk.app_id), COLUMNS, limit=limit)


@webhook.command("create")
@click.argument("target", metavar="ADDRESS")
@click.option(
    "--trigger",
    "triggers",
    type=click.Choice(TRIGGERS),
    multiple=True,
    help="What is called back about; may be repeated. Without this: everything.",
)
@click.option("--secret", "reference", metavar="SECRET", help="Signs callbacks; env:NAME, file:PATH or keyring:NAME.")
@app_option
@on_project
def create_webhook(desk: Desk, target: str, triggers: tuple[str, ...], reference: str | None, app: str | None) -> None:
    """Make a webhook that calls another system of yours.

    Use it for systems beside the connector. An app has up to five webhooks, each with another address.
    """
    made = desk.project.webhooks.create(
        app or desk.app_id,
        target,
        triggers or TRIGGERS,
        secret=None if reference is None else secret("--secret", reference),
    )
    desk.one(made)


@webhook.command("delete")
@click.argument("webhook_id", metavar="WEBHOOK")
@yes_option
@on_project
def delete_webhook(desk: Desk, webhook_id: str, yes: bool) -> None:
    """Delete a webhook: nothing is called back to its address any more.

    Use it for addresses that nobody answers any more, so that there is room for another.
    """
    confirmed(f"Delete the webhook {webhook_id}?", yes=yes)
    desk.project.webhooks.delete(webhook_id)
    desk.done(f"The webhook {webhook_id} is deleted.", deleted=webhook_id)
