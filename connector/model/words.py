"""What reasons, states, codes and turns mean, in plain words for whoever runs campaigns."""

from connector.model.codes import Turn
from connector.model.event import SkipReason, StatusCodeSource
from connector.model.outcome import Scope

REASONS: dict[str, str] = {
    SkipReason.invalid_number: "the number can't exist, or is missing",
    SkipReason.duplicate: "the same person stands earlier in the list",
    SkipReason.missing_parameter: "the text needs a value that the row doesn't have",
    SkipReason.too_long: "with the person's values the message would take more parts or characters than allowed",
    SkipReason.no_channel: "no channel of the campaign takes this person's number or identities",
    SkipReason.outside_session: "the person has not written lately, and the channel takes only an approved template",
    SkipReason.country: "no sender of the campaign is used in this country",
    SkipReason.expired: "the campaign's time was over before it could be sent",
    SkipReason.cancelled: "the campaign was cancelled before it was this person's turn",
}
"""Why somebody is skipped; a host's own reasons speak for themselves."""

STATES: dict[str, str] = {
    "skipped": "not messaged, with a reason",
    "waiting": "not sent yet",
    "sending": "on the way to the provider",
    "in_doubt": "may have been accepted; looked up until it is known",
    "enqueue_failed": "the provider refused to take it",
    "unknown": "given up finding out",
    "enqueued": "taken by the provider",
    "open": "taken by the provider, no final report yet",
    "unconfirmed": "no final report within the waiting period",
    "rejected": "taken by the provider, then refused or cancelled there",
    "failed": "not delivered, or not in time",
    "delivered": "on the phone",
    "read": "opened",
}
"""What has become of a message."""

TOLD_BY: dict[str, str] = {
    StatusCodeSource.http: "the provider, when it refused the request",
    StatusCodeSource.report: "the provider, in its delivery report",
    StatusCodeSource.smpp: "the operator's network, in the delivery report",
    StatusCodeSource.conversation: "the channel, in the delivery report",
}
"""Who gives the codes of a source."""

TURNS: dict[str, str] = {
    Turn.nobody: "nobody: there is nothing to do",
    Turn.sender: "whoever runs the campaign: look at text, sender and list",
    Turn.integrator: "whoever keeps the connector: look at settings, credentials and account",
    Turn.provider: "the provider's support",
    Turn.recipient: "the recipient: the phone is off, full, blocked ...",
    Turn.unknown: "not known",
}
"""Who can do something about a code."""

SCOPES: dict[str, str] = {
    Scope.recipient: "this recipient only",
    Scope.campaign: "the whole campaign: it stops, and nobody is marked as failed",
    Scope.country: "everybody in this country: who is left there waits, and the others go on",
    Scope.account: "the whole account: what goes through it stops, and nobody is marked as failed",
    Scope.unknown: "the provider doesn't say; it is found out by sending to fewer people at a time",
}
"""Whom a code concerns."""


def retry(helps: bool | None) -> str:
    """Whether sending again may help."""
    return {True: "may help", False: "does not help", None: "the provider doesn't say whether it helps"}[helps]
