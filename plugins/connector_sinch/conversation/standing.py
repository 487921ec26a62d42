"""How an app is: its channels with their state, what it keeps, how fast it is; and what of that will hurt.

Source: the pages "App", "Processing modes" and "Callbacks" of the API, and its OpenAPI document (states, limits).
"""

from datetime import timedelta

from connector.extension import CheckResult
from connector_sinch.conversation.resources.apps import ACTIVE, FAILING, PENDING, App, ChannelCredential
from connector_sinch.errors import without_numbers

EXAMPLE = 100_000
"""Messages, to say how long a campaign takes."""


def standing(app: App) -> list[CheckResult]:
    """Everything that can be said of an app, by its channels first, in the order of their priority."""
    return [*_channels(app), _mode(app), *_pace(app), _metadata(app)]


def _channels(app: App) -> list[CheckResult]:
    if not app.channel_credentials:
        sentence = "The app has no channel, so it can send nothing: connector conversation app add-channel adds one."
        return [CheckResult("channels", False, sentence)]
    count = len(app.channel_credentials)
    return [_channel(each, place, count) for place, each in enumerate(app.channel_credentials, 1)]


def _channel(channel: ChannelCredential, place: int, count: int) -> CheckResult:
    priority = f"priority {place} of {count}"
    said = f" Sinch says: {without_numbers(channel.state.description)}" if channel.state.description else ""
    name = f"channel {channel.channel}"
    match channel.state.status:
        case status if status == ACTIVE:
            return CheckResult(name, True, f"It is active ({priority}).")
        case status if status == PENDING:
            sentence = f"It is not active yet ({priority}): that takes Sinch up to a minute.{said}"
            return CheckResult(name, None, sentence, pending=True)
        case status if status == FAILING:
            sentence = (
                f"It fails ({priority}), and nothing gets through over it.{said} Mend that with the channel's owner, "
                f"then give its credential anew: connector conversation app add-channel {channel.channel}"
            )
            return CheckResult(name, False, sentence)
        case status:
            return CheckResult(name, None, f"Its state is {status or 'not told'} ({priority}).{said}")


def _mode(app: App) -> CheckResult:
    if app.processing_mode != "DISPATCH":
        policy = app.retention_policy
        kept = "for ever" if policy.retention_type == "PERSIST_RETENTION_POLICY" else f"{policy.ttl_days or 180} days"
        sentence = f"The app works in {app.processing_mode or 'an unknown'} mode, and keeps messages {kept}."
        return CheckResult("retention", True, sentence)
    days = app.dispatch_retention_policy.ttl_days or 0
    if days:
        return CheckResult("retention", True, f"The app works in DISPATCH mode, and keeps messages {days} days.")
    sentence = (
        "The app works in DISPATCH mode and keeps no messages (0 days). So what people wrote while no callback could "
        "be taken is lost, metadata of conversations is not repeated, and whether a single message was accepted after "
        "a lost answer is known by its callback only. Up to 7 days can be kept: connector conversation app retention"
    )
    return CheckResult("retention", None, sentence)


def _pace(app: App) -> list[CheckResult]:
    rates = app.rate_limits
    found = []
    if rates.outbound:
        takes = _shown(EXAMPLE / rates.outbound)
        sentence = f"The app sends {rates.outbound:,} messages a second: {EXAMPLE:,} take {takes}."
        if rates.webhooks:
            sentence += (
                f" It calls back {rates.webhooks:,} times a second, so two reports of each take "
                f"{_shown(2 * EXAMPLE / rates.webhooks)}."
            )
        found.append(CheckResult("pace", True, sentence))
    size, limit = app.queue_stats.outbound_size, app.queue_stats.outbound_limit
    if size is not None and limit and size > limit / 2:
        sentence = f"{size:,} messages of at most {limit:,} wait to leave already: new ones may be refused for a while."
        found.append(CheckResult("queue", None, sentence))
    return found


def _metadata(app: App) -> CheckResult:
    view = app.conversation_metadata_report_view or "NONE"
    repeats = "the whole metadata" if view == "FULL" else "no metadata"
    return CheckResult(
        "metadata", True, f"Callbacks repeat {repeats} of conversations ({view}); nothing here needs it."
    )


def _shown(seconds: float) -> str:
    minutes = round(timedelta(seconds=seconds) / timedelta(minutes=1))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(minutes, 1)} min"
