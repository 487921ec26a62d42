"""Trying an integration on the real service, by safe reads: access key, app, channels, modes, limits."""

from collections.abc import Iterator

from connector.extension import CheckResult
from connector.model.errors import ConfigurationError, ReadFailed, ReadRefused
from connector_sinch import probing
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.guidance import ACCESS_KEY, REGION
from connector_sinch.conversation.resources.apps import ACTIVE, FAILING, PENDING, App
from connector_sinch.conversation.resources.resource import read


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
    proved.append(_batches(connection))
    sentence = "Credit, senders and templates show only when a message is sent; try one to a number of yours."
    return [*proved, CheckResult("sending", None, sentence)]


def _channels(app: App) -> Iterator[CheckResult]:
    """Each channel, in the order of priority, with how far its integration has come."""
    if not app.channel_credentials:
        sentence = "The app has no channel, so nothing can be sent: connector conversation app add-channel adds one."
        yield CheckResult("channels", False, sentence)
    for place, credential in enumerate(app.channel_credentials, 1):
        name, state = f"channel {credential.channel}", credential.state
        number = f"priority {place} of {len(app.channel_credentials)}"
        why = f": {state.description}" if state.description else "."
        match state.status:
            case "ACTIVE":
                yield CheckResult(name, True, f"{ACTIVE}, {number}.")
            case "PENDING":
                sentence = f"{PENDING}, {number}: Sinch still sets it up, which takes up to a minute. Check again then."
                yield CheckResult(name, None, sentence, pending=True)
            case "FAILING":
                sentence = (
                    f"{FAILING}, {number}{why} Nothing gets through over it: mend that at the channel, and if its "
                    f"credential has changed, connector conversation app add-channel {credential.channel} replaces it."
                )
                yield CheckResult(name, False, sentence)
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
                "Messages are kept for 0 days: what people write is lost when its callback is, and can't be asked for, "
                "and most replies don't tell which campaign they answer. "
                "Up to 7 days can be kept: connector conversation app retention --dispatch-days 7 "
                '--legal-justification "WHY THAT IS LAWFUL"'
            )
            yield CheckResult("retention", None, sentence)
    else:
        mode = app.processing_mode or "not told"
        yield CheckResult("processing mode", True, f"{mode}: contacts and conversations are made by themselves.")
        policy = app.retention_policy
        days_of = "for ever" if policy.retention_type.startswith("PERSIST") else f"for {policy.ttl_days or 180} days"
        yield CheckResult("retention", True, f"{policy.retention_type or 'Messages'}: kept {days_of}.")
    view = app.conversation_metadata_report_view or "NONE"
    if view == "FULL":
        sentence = "FULL: callbacks repeat the metadata of conversations, so replies tell which campaign they answer."
    else:
        sentence = (
            f"{view}: callbacks do not repeat the metadata of conversations, so a reply tells which campaign it "
            "answers only where somebody quotes a message or chooses from it. All do with: connector conversation "
            "app set --metadata-view FULL"
        )
    yield CheckResult("metadata report view", True, sentence)


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
    if messages_per_second is None:
        sentence += (
            " No messages_per_second is set here: unless [accounts] has one, what is sent at once waits at Sinch, "
            "where it can't be paused. connector setup writes the app's rate down."
        )
    elif messages_per_second > rates.outbound:
        sentence += f" messages_per_second is {messages_per_second:g}: what is more than the app's rate waits at Sinch."
    elif messages_per_second < rates.outbound:
        sentence += f" messages_per_second is {messages_per_second:g}: the app would let more through."
    yield CheckResult("rate limits", True, sentence)


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
