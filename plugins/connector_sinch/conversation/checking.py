"""Trying an integration on the real service, by safe reads: access key, app, channels, modes, limits, webhooks."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from connector.extension import CheckResult
from connector.model.errors import ConfigurationError, NotFound, ReadFailed, ReadRefused
from connector_sinch import probing
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.guidance import ACCESS_KEY, REGION
from connector_sinch.conversation.resources.apps import ACTIVE, FAILING, PENDING, App
from connector_sinch.conversation.resources.project import Project
from connector_sinch.conversation.resources.resource import read
from connector_sinch.conversation.resources.webhooks import Webhook

NEEDED = ("MESSAGE_DELIVERY", "MESSAGE_INBOUND", "BATCH_STATUS_UPDATE")
"""What should be called back: reports, replies, and what becomes of batches."""


def check(connection: Connection) -> list[CheckResult]:
    """Get a token, look at the app and all that it is made of, and ask the Batch API for a batch."""
    proved = [probing.access_key(connection.credentials, ACCESS_KEY)]
    if proved[0].ok is not True:
        return proved
    settings = connection.settings
    where = f"project {settings.project_id}, region {settings.region}, {settings.url}"
    try:
        answer = connection.api.get(connection.path("apps", settings.app_id))
    except ConfigurationError as error:
        return [*proved, CheckResult("app", False, str(error))]
    except ReadRefused as error:
        sentence = (
            f"The API refused the access key (HTTP {error.http_status}; {where}). Check that the key belongs to this "
            "project, and that the account has credit."
        )
        return [*proved, CheckResult("app", False, sentence)]
    except ReadFailed as error:
        return [*proved, CheckResult("app", False, f"{error} Check base_url and the network ({where}).", reached=False)]
    if answer.status == 404:
        return [*proved, CheckResult("app", False, f"The API has no app {settings.app_id} there ({where}). {REGION}")]
    body = answer.json()
    if not isinstance(body, dict) or body.get("id") is None:
        sentence = f"What answers there is not the Conversation API ({where}). Check region and base_url."
        return [*proved, CheckResult("app", False, sentence)]
    clock = probing.clock(answer.headers)
    if clock is not None:
        proved.append(clock)
    try:
        app = read(App, body)
    except ReadFailed as error:
        return [*proved, CheckResult("app", False, str(error))]
    proved.append(CheckResult("app", True, f"The app {app.display_name or app.id} is there ({where})."))
    proved += [*_channels(app), *_modes(app), *_limits(app, settings.messages_per_second)]
    proved += [*_signing(connection, app), *_webhooks(connection), _batches(connection)]
    sentence = "Credit, senders and templates show only when a message is sent; try one to a number of yours."
    return [*proved, CheckResult("sending", None, sentence)]


def _channels(app: App) -> Iterator[CheckResult]:
    """Each channel, in the order of priority, with how far its integration has come."""
    if not app.channel_credentials:
        yield CheckResult(
            "channels", False, "The app has no channel, so nothing can be sent: add one in the dashboard."
        )
    for place, credential in enumerate(app.channel_credentials, 1):
        name, state = f"channel {credential.channel}", credential.state
        number = f"priority {place} of {len(app.channel_credentials)}"
        why = f": {state.description}" if state.description else "."
        match state.status:
            case "ACTIVE":
                yield CheckResult(name, True, f"{ACTIVE}, {number}.")
            case "PENDING":
                sentence = f"{PENDING}, {number}: Sinch still sets it up, which takes up to a minute. Check again then."
                yield CheckResult(name, None, sentence)
            case "FAILING":
                yield CheckResult(name, False, f"{FAILING}, {number}{why} Mend it in the dashboard.")
            case other:
                yield CheckResult(name, None, f"Its state is {other or 'not told'}, {number}{why}")


def _modes(app: App) -> Iterator[CheckResult]:
    """How the app treats messages, and how long it keeps them."""
    if app.processing_mode == "DISPATCH":
        yield CheckResult("processing mode", True, "DISPATCH: no contacts and conversations are kept.")
        days = app.dispatch_retention_policy.ttl_days or 0
        if days:
            yield CheckResult("retention", True, f"Messages are kept for {days} days.")
        else:
            sentence = (
                "Messages are kept for 0 days: what people write is lost when its callback is, and can't be asked for. "
                "Give the app a dispatch retention of 1 to 7 days."
            )
            yield CheckResult("retention", None, sentence)
    else:
        mode = app.processing_mode or "not told"
        yield CheckResult("processing mode", True, f"{mode}: contacts and conversations are made by themselves.")
        policy = app.retention_policy
        days_of = "for ever" if policy.retention_type.startswith("PERSIST") else f"for {policy.ttl_days or 180} days"
        yield CheckResult("retention", True, f"{policy.retention_type or 'Messages'}: kept {days_of}.")
    view = app.conversation_metadata_report_view or "NONE"
    repeats = "repeat" if view == "FULL" else "do not repeat"
    yield CheckResult("metadata report view", True, f"{view}: callbacks {repeats} the metadata of conversations.")


def _limits(app: App, messages_per_second: float | None) -> Iterator[CheckResult]:
    """How fast the app drains."""
    rates, queue = app.rate_limits, app.queue_stats
    if rates.outbound is None:
        return
    waiting = f"; {queue.outbound_size:,} of {queue.outbound_limit:,} wait" if queue.outbound_limit else ""
    sentence = (
        f"{rates.outbound} messages a second out, {rates.inbound or 'any'} in, {rates.webhooks or 'any'} callbacks"
        f"{waiting}."
    )
    if messages_per_second is not None and messages_per_second > rates.outbound:
        sentence += f" messages_per_second is {messages_per_second:g}: what is more than the app's rate waits at Sinch."
    yield CheckResult("rate limits", True, sentence)


def _signing(connection: Connection, app: App) -> Iterator[CheckResult]:
    """Whether callbacks of messages, which name our address, are signed as the settings expect."""
    expects = bool(connection.settings.webhook_secrets)
    if expects and not app.signs_callbacks_of_messages:
        sentence = (
            "webhook_secret is set, and the app has no secret for callback addresses of messages: delivery reports "
            "would come unsigned, and be refused. Give the app the same secret, as `connector setup` does."
        )
        yield CheckResult("callback secret", False, sentence)
    elif not expects:
        yield CheckResult(
            "callback secret", None, "No webhook_secret is set: the unguessable address alone protects callbacks."
        )


def _webhooks(connection: Connection) -> Iterator[CheckResult]:
    """What the app calls back, and where."""
    try:
        webhooks = list(Project(connection).webhooks.list(connection.settings.app_id))
    except (ReadFailed, NotFound) as error:
        yield CheckResult("webhooks", None, str(error))
        return
    if not webhooks:
        sentence = (
            "The app has no webhook: delivery reports come by the address in each message, and replies do not come at "
            "all. `connector setup` makes one."
        )
        yield CheckResult("webhooks", None, sentence)
    for webhook in webhooks:
        yield _webhook(webhook)


def _webhook(webhook: Webhook) -> CheckResult:
    missing = [trigger for trigger in NEEDED if trigger not in webhook.triggers]
    # The rest of the address is what protects it.
    name = f"webhook {urlsplit(webhook.target).netloc}"
    if webhook.target_type != "HTTP":
        return CheckResult(
            name, False, f"Its target type is {webhook.target_type or 'DISMISS'}: nothing is called back."
        )
    if not webhook.triggers:
        return CheckResult(name, False, "It has no triggers: nothing is called back.")
    listed = ", ".join(webhook.triggers)
    if missing:
        return CheckResult(name, None, f"It is called for {listed}; not for {', '.join(missing)}.")
    return CheckResult(name, True, f"It is called for {listed}.")


def _batches(connection: Connection) -> CheckResult:
    """Whether the Batch API lets this project in: asked for a batch that doesn't exist."""
    query = {"metadataKey": "batch", "metadataValue": "no-such-batch"}
    try:
        connection.batches.get(connection.path("messages"), query)
    except ReadRefused as error:
        sentence = (
            f"The Batch API refused the project (HTTP {error.http_status}): ask Sinch to open it for the project."
        )
        return CheckResult("batch API", False, sentence)
    except ReadFailed as error:
        return CheckResult("batch API", False, f"{error} Check batch_base_url and the network.", reached=False)
    return CheckResult("batch API", True, "The Batch API answers, and takes the access key.")
