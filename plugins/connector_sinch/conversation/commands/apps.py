"""`connector conversation app`: apps, their channels, modes and retention."""

from collections.abc import Callable, Mapping
from typing import Any

import rich_click as click

from connector.cli.output import document, sentences, table
from connector.model.batch import utc_now
from connector.model.errors import InputError
from connector_sinch.conversation.commands import justifications
from connector_sinch.conversation.commands.desk import (
    Desk,
    app_option,
    confirmed,
    limit_option,
    on_project,
    secret,
    table_in,
    yes_option,
)
from connector_sinch.conversation.resources.apps import (
    BEARER,
    DEFAULT_RETENTION_DAYS,
    METADATA_VIEWS,
    PROCESSING_MODES,
    RETENTION_TYPES,
    App,
    bearer,
)
from connector_sinch.conversation.resources.apps import retention as retention_fields

secret_help = "given as env:NAME, file:PATH or keyring:NAME, never itself."


def credential_options(command: Callable[..., None]) -> Callable[..., None]:
    """How a channel's credential is given."""
    for option, metavar, text in (
        (
            "--credentials",
            "FILE",
            "For other channels: a JSON file with their credential as the API's page on the channel shows it.",
        ),
        ("--callback-secret", "SECRET", f"Signs what the channel calls back to Sinch; {secret_help}"),
        ("--token", "SECRET", f"The token that goes with it; {secret_help}"),
        ("--identity", "ID", "What the channel calls the sender: for SMS, the ID of the service plan."),
    ):
        command = click.option(option, metavar=metavar, help=text)(command)
    return command


@click.group("app", cls=click.RichGroup)
def app() -> None:
    """Look after an app: what sends, over which channels, and how long messages are kept.

    Use it to see whether all channels work, and to add, remove and reorder them.
    """


@app.command("list")
@limit_option
@on_project
def list_apps(desk: Desk, limit: int) -> None:
    """List the apps of the project.

    Use it to find the id of an app, and to see which channels it has.
    """
    desk.many(
        "apps",
        desk.project.apps.list(),
        {
            "app": lambda each: each.id,
            "name": lambda each: each.display_name,
            "mode": lambda each: each.processing_mode,
            "channels": lambda each: ", ".join(str(one.channel) for one in each.channel_credentials),
        },
        limit=limit,
    )


@app.command("show")
@app_option
@on_project
def show_app(desk: Desk, app: str | None) -> None:
    """Show an app: its channels in the order of their priority with their state, its modes, retention and limits.

    Use it when messages over a channel fail. PENDING becomes ACTIVE within a minute; a channel that is FAILING has the
    reason beside it, and sends nothing until that is mended. No secret is shown.
    """
    _show(desk, desk.project.apps.get(app or desk.app_id))


@app.command("create")
@click.argument("name")
@click.argument("channel", metavar="CHANNEL")
@credential_options
@click.option("--mode", type=click.Choice(PROCESSING_MODES), help="DISPATCH keeps no contacts and conversations.")
@on_project
def create_app(
    desk: Desk,
    name: str,
    channel: str,
    identity: str | None,
    token: str | None,
    callback_secret: str | None,
    credentials: str | None,
    mode: str | None,
) -> None:
    """Make an app under a name, with its first channel.

    Use it when the project has none; other channels are added by `connector conversation app add-channel`.
    """
    first = _credential(channel, identity, token, callback_secret, credentials)
    _show(desk, desk.project.apps.create(name, [first], processing_mode=mode))


@app.command("set")
@app_option
@click.option("--name", help="What people call the app.")
@click.option("--mode", type=click.Choice(PROCESSING_MODES), help="DISPATCH keeps no contacts and conversations.")
@click.option(
    "--metadata-view", type=click.Choice(METADATA_VIEWS), help="How much metadata of a conversation callbacks repeat."
)
@click.option(
    "--callback-secret",
    metavar="SECRET",
    help=f"Signs callbacks of messages that name an address of their own; {secret_help}",
)
@click.option("--retry-seconds", type=int, help="How long a channel that fails for the moment is tried again.")
@click.option(
    "--fallback-seconds",
    type=int,
    help="After how long without a report of delivery the next channel is tried, for which Sinch charges; 0: never.",
)
@on_project
def set_app(
    desk: Desk,
    app: str | None,
    name: str | None,
    mode: str | None,
    metadata_view: str | None,
    callback_secret: str | None,
    retry_seconds: int | None,
    fallback_seconds: int | None,
) -> None:
    """Change an app: its name, its mode, what callbacks repeat, when the next channel is tried.

    Use it for what `connector conversation app show` shows; what isn't given stays as it is.
    """
    changed = desk.project.apps.update(
        app or desk.app_id,
        display_name=name,
        processing_mode=mode,
        conversation_metadata_report_view=metadata_view,
        callback_secret=None if callback_secret is None else secret("--callback-secret", callback_secret),
        retry_seconds=retry_seconds,
        fallback_seconds=fallback_seconds,
    )
    _show(desk, changed)


@app.command("retention")
@app_option
@click.option("--days", type=int, help=f"How long messages are kept; Sinch's own default is {DEFAULT_RETENTION_DAYS}.")
@click.option(
    "--type",
    "kind",
    type=click.Choice(RETENTION_TYPES),
    help="Whether days count from each message or from the last of its conversation; PERSIST keeps all.",
)
@click.option("--dispatch-days", type=int, help="The same in DISPATCH mode: 0 keeps nothing, 7 is the most.")
@click.option(
    "--legal-justification",
    metavar="TEXT",
    help="Why this is lawful. It is kept in a file beside the configuration, to be given to Sinch.",
)
@yes_option
@on_project
def retention(
    desk: Desk,
    app: str | None,
    days: int | None,
    kind: str | None,
    dispatch_days: int | None,
    legal_justification: str | None,
    yes: bool,
) -> None:
    """Change how long an app keeps messages.

    Use it only with a reason that holds before the law: Sinch obliges whoever changes retention by program to tell
    their account manager why. So the reason must be given, and is kept beside the configuration together with what
    was before.
    """
    if days is None and kind is None and dispatch_days is None:
        raise InputError("Say what is to be changed: --days, --type or --dispatch-days.")
    if not (legal_justification or "").strip():
        raise InputError(
            "--legal-justification is missing: say why other times than Sinch's defaults are lawful here. Your Sinch "
            "account manager has to be told, too."
        )
    app_id = app or desk.app_id
    before = desk.project.apps.get(app_id)
    policy = None
    if days is not None or kind is not None:
        kept = before.retention_policy
        lasting = kept.ttl_days or DEFAULT_RETENTION_DAYS
        policy = (kind or kept.retention_type or RETENTION_TYPES[0], lasting if days is None else days)
    wanted = retention_fields(policy, dispatch_days)
    confirmed("Messages that are older than the new times are deleted. Change retention?", yes=yes)
    path = justifications.keep(
        desk.config,
        app_id=app_id,
        before=before,
        wanted=wanted,
        justification=str(legal_justification).strip(),
        at=utc_now(),
    )
    changed = desk.project.apps.update(app_id, retention_policy=policy, dispatch_retention_days=dispatch_days)
    if desk.as_json:
        document({**changed.as_dict(), "justification_kept_in": str(path)})
        return
    _show(desk, changed)
    sentences(f"The reason is kept in {path}. Give it to your Sinch account manager, too.")


@app.command("add-channel")
@click.argument("channel", metavar="CHANNEL")
@app_option
@credential_options
@on_project
def add_channel(
    desk: Desk,
    channel: str,
    app: str | None,
    identity: str | None,
    token: str | None,
    callback_secret: str | None,
    credentials: str | None,
) -> None:
    """Add a channel to an app as the last in priority, or give a channel that it has another credential.

    Use it with --identity and --token for SMS, RCS, WHATSAPP and VIBERBM, with --credentials FILE for all others. The
    channel is PENDING for up to a minute then: `connector conversation app show` tells when it is ACTIVE.
    """
    made = _credential(channel, identity, token, callback_secret, credentials)
    _show(desk, desk.project.apps.add_channel(app or desk.app_id, made))


def _credential(
    channel: str, identity: str | None, token: str | None, callback_secret: str | None, credentials: str | None
) -> dict[str, Any]:
    """A channel's credential as the API takes it. Raises `InputError`."""
    signs = None if callback_secret is None else secret("--callback-secret", callback_secret)
    if credentials is not None:
        if identity is not None or token is not None:
            raise InputError("Give either --credentials, or --identity and --token.")
        return {**table_in(credentials), "channel": channel, **({} if signs is None else {"callback_secret": signs})}
    if identity is None or token is None:
        raise InputError(
            f"Give --identity and --token for {', '.join(BEARER)}; for other channels, --credentials FILE."
        )
    return bearer(channel, identity, secret("--token", token), callback_secret=signs or "")


@app.command("remove-channel")
@click.argument("channel", metavar="CHANNEL")
@app_option
@yes_option
@on_project
def remove_channel(desk: Desk, channel: str, app: str | None, yes: bool) -> None:
    """Take a channel out of an app: nothing is sent or received over it any more.

    Use it for a channel that is given up; its credential is not kept by Sinch.
    """
    confirmed(f"Take {channel} out of the app?", yes=yes)
    _show(desk, desk.project.apps.remove_channel(app or desk.app_id, channel))


@app.command("order-channels")
@click.argument("channels", metavar="CHANNEL...", nargs=-1, required=True)
@app_option
@on_project
def order_channels(desk: Desk, channels: tuple[str, ...], app: str | None) -> None:
    """Put channels first in priority, in the order that they are named; the others follow as they were.

    Use it to say which channel is tried first where neither campaign nor recipient says so.
    """
    _show(desk, desk.project.apps.order_channels(app or desk.app_id, channels))


@app.command("sign-channel")
@click.argument("channel", metavar="CHANNEL")
@click.option("--callback-secret", metavar="SECRET", help=f"What signs; {secret_help}")
@click.option("--unsigned", is_flag=True, help="Take the secret away: what the channel calls back is not checked.")
@app_option
@on_project
def sign_channel(desk: Desk, channel: str, callback_secret: str | None, unsigned: bool, app: str | None) -> None:
    """Set the secret by which Sinch knows that what a channel calls back is the channel's own.

    Use it when the channel's side gets another secret.
    """
    if (callback_secret is None) is not unsigned:
        raise InputError("Give either --callback-secret, or --unsigned.")
    signs = "" if callback_secret is None else secret("--callback-secret", callback_secret)
    _show(desk, desk.project.apps.sign_channel(app or desk.app_id, channel, signs))


@app.command("delete")
@click.argument("app_id", metavar="APP")
@yes_option
@on_project
def delete_app(desk: Desk, app_id: str, yes: bool) -> None:
    """Delete an app, with its channels, webhooks, conversations and messages.

    Use it for apps that nobody sends through any more. It can't be undone.
    """
    confirmed(f"Delete the app {app_id} with everything in it?", yes=yes)
    desk.project.apps.delete(app_id)
    desk.done(f"The app {app_id} is deleted.", deleted=app_id)


def _show(desk: Desk, shown: App) -> None:
    if desk.as_json:
        document(shown.as_dict())
        return
    rates, queue = shown.rate_limits, shown.queue_stats
    facts: Mapping[str, Any] = {
        "app": shown.id,
        "name": shown.display_name,
        "mode": shown.processing_mode,
        "messages are kept": _kept(shown),
        "metadata in callbacks": shown.conversation_metadata_report_view,
        "messages a second": f"{_count(rates.outbound)} out, {_count(rates.inbound)} in",
        "callbacks a second": _count(rates.webhooks),
        "waiting to leave": f"{_count(queue.outbound_size)} of {_count(queue.outbound_limit)}",
        "fallback without report": _fallback(shown),
        "tries again for": f"{_count(shown.message_retry_settings.retry_duration)} seconds",
        "own callback addresses signed": "yes" if shown.signs_callbacks_of_messages else "no",
    }
    table(("", ""), [(name, str(value)) for name, value in facts.items()])
    click.echo()
    if not shown.channel_credentials:
        sentences("It has no channel yet: connector conversation app add-channel adds one.")
        return
    table(
        ("priority", "channel", "state", "known as", "callbacks signed", "reason"),
        [
            (
                str(place),
                str(each.channel),
                each.state.status or "-",
                each.channel_known_id or "-",
                "yes" if each.has_callback_secret else "no",
                each.state.description or "-",
            )
            for place, each in enumerate(shown.channel_credentials, 1)
        ],
        right=("priority",),
    )


def _kept(shown: App) -> str:
    if shown.processing_mode == "DISPATCH":
        days = shown.dispatch_retention_policy.ttl_days or 0
        return f"{days} days" if days else "not at all"
    if shown.retention_policy.retention_type == "PERSIST_RETENTION_POLICY":
        return "for ever"
    return f"{shown.retention_policy.ttl_days or DEFAULT_RETENTION_DAYS} days"


def _fallback(shown: App) -> str:
    fallback = shown.delivery_report_based_fallback
    return f"after {_count(fallback.delivery_report_waiting_time)} seconds" if fallback.enabled else "no"


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
