"""`connector conversation webhook`: where an app's callbacks go."""

from collections.abc import Callable

import rich_click as click

from connector.model.errors import InputError
from connector_sinch.conversation.commands.desk import (
    Desk,
    app_option,
    confirmed,
    limit_option,
    on_project,
    yes_option,
)
from connector_sinch.conversation.commands.desk import secret as read_secret
from connector_sinch.conversation.resources.webhooks import TARGET_TYPES, TRIGGERS, client_credentials

found_at = "given as env:NAME, file:PATH or keyring:NAME, never itself."

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


@webhook.command("show")
@click.argument("webhook_id", metavar="WEBHOOK")
@on_project
def show_webhook(desk: Desk, webhook_id: str) -> None:
    """Show a webhook, without the secrets that authenticate it.

    Use it with an id that `connector conversation webhook list` shows.
    """
    desk.one(desk.project.webhooks.get(webhook_id))


def authentication(command: Callable[..., None]) -> Callable[..., None]:
    """How callbacks are authenticated."""
    for option, metavar, text in (
        ("--scope", "TEXT", "The scope of that access token."),
        ("--token-url", "URL", "Where Sinch gets it: with this, callbacks carry an OAuth2 access token."),
        ("--client-secret", "SECRET", f"The secret of that client, {found_at}"),
        ("--client-id", "ID", "Whom Sinch gets an access token as, where the address wants one."),
        ("--secret", "SECRET", f"Signs callbacks, {found_at}"),
    ):
        command = click.option(option, metavar=metavar, help=text)(command)
    return command


def _client(
    client_id: str | None, client_secret: str | None, token_url: str | None, scope: str | None
) -> dict[str, str] | None:
    """How Sinch gets an access token; None: it needs none. Raises `InputError`."""
    if client_id is None and client_secret is None and token_url is None and scope is None:
        return None
    if client_id is None or client_secret is None or token_url is None:
        raise InputError("For access tokens give all of --client-id, --client-secret and --token-url.")
    return client_credentials(client_id, read_secret("--client-secret", client_secret), token_url, scope=scope)


@webhook.command("create")
@click.argument("target", metavar="ADDRESS")
@click.option(
    "--trigger",
    "triggers",
    type=click.Choice(TRIGGERS),
    multiple=True,
    help="What is called back about; may be repeated. Without this: everything.",
)
@authentication
@app_option
@on_project
def create_webhook(
    desk: Desk,
    target: str,
    triggers: tuple[str, ...],
    secret: str | None,
    client_id: str | None,
    client_secret: str | None,
    token_url: str | None,
    scope: str | None,
    app: str | None,
) -> None:
    """Make a webhook that calls another system of yours.

    Use it for systems beside the connector. An app has up to five webhooks, each with another address.
    """
    made = desk.project.webhooks.create(
        app or desk.app_id,
        target,
        triggers or TRIGGERS,
        secret=None if secret is None else read_secret("--secret", secret),
        client_credentials=_client(client_id, client_secret, token_url, scope),
    )
    desk.one(made)


@webhook.command("set")
@click.argument("webhook_id", metavar="WEBHOOK")
@click.option("--target", metavar="ADDRESS", help="What it calls.")
@click.option(
    "--trigger",
    "triggers",
    type=click.Choice(TRIGGERS),
    multiple=True,
    help="What is called back about, in place of all before; may be repeated.",
)
@click.option("--silent/--calling", default=None, help="Whether it calls nobody, though it stays.")
@authentication
@on_project
def set_webhook(
    desk: Desk,
    webhook_id: str,
    target: str | None,
    triggers: tuple[str, ...],
    silent: bool | None,
    secret: str | None,
    client_id: str | None,
    client_secret: str | None,
    token_url: str | None,
    scope: str | None,
) -> None:
    """Change a webhook; what isn't given stays.

    Use it when a system of yours moves, or wants to hear of something else. `connector setup` mends the connector's
    own.
    """
    kind = None if silent is None else TARGET_TYPES[int(silent)]
    changed = desk.project.webhooks.update(
        webhook_id,
        target=target,
        triggers=triggers or None,
        target_type=kind,
        secret=None if secret is None else read_secret("--secret", secret),
        client_credentials=_client(client_id, client_secret, token_url, scope),
    )
    desk.one(changed)


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
