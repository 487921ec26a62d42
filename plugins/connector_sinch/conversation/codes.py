"""The codes of the Conversation API in plain words: reasons and sub codes of delivery reports, and HTTP.

Sources: the API's reference, "Reason codes" and "Reason sub codes" (schemas ReasonCode and ReasonSubCode); four
reasons that only the official Node SDK lists; the API's page "Errors", and the pages of the Batch API. Which reasons
count as rejected and which as failed, and which concern more than one message, is ours.
"""

from dataclasses import dataclass

from connector.model.codes import Catalogue, ErrorCode, Turn
from connector.model.event import Status, StatusCodeSource
from connector.model.outcome import Scope
from connector_sinch import tokens

_nobody, _sender, _integrator = Turn.nobody, Turn.sender, Turn.integrator
_provider, _recipient, _unknown = Turn.provider, Turn.recipient, Turn.unknown
_rejected, _failed = Status.rejected, Status.failed


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a message was not delivered."""

    status: Status
    """What a message ends as that has it."""
    meaning: str
    turn: Turn
    retry: bool | None
    scope: Scope = Scope.recipient


_REASONS: dict[str, _Reason] = {
    "UNKNOWN": _Reason(_failed, "The channel gave no reason that the API knows.", _unknown, None),
    "INTERNAL_ERROR": _Reason(
        _failed, "Sinch had an internal error; its support can look into the report.", _provider, True
    ),
    "RATE_LIMITED": _Reason(_failed, "Too much was sent at once, and the channel dropped the message.", _nobody, True),
    "RECIPIENT_INVALID_CHANNEL_IDENTITY": _Reason(
        _rejected, "The number or identity is not in the form that the channel wants.", _sender, False
    ),
    "RECIPIENT_NOT_REACHABLE": _Reason(
        _failed, "The person can't be reached on the channel: no account there, or out of reach.", _recipient, None
    ),
    "RECIPIENT_NOT_OPTED_IN": _Reason(
        _rejected, "The person has not agreed to messages on the channel, or has opted out.", _recipient, False
    ),
    "OUTSIDE_ALLOWED_SENDING_WINDOW": _Reason(
        _rejected,
        "The person wrote too long ago: outside of the channel's window, 24 hours on WhatsApp, only approved templates "
        "are let through.",
        _sender,
        False,
    ),
    "CHANNEL_FAILURE": _Reason(
        _failed, "The channel did not take the message, though Sinch tried several times.", _nobody, True
    ),
    "CHANNEL_BAD_CONFIGURATION": _Reason(
        _rejected, "The channel is not set up rightly in the app.", _integrator, False, Scope.account
    ),
    "CHANNEL_CONFIGURATION_MISSING": _Reason(
        _rejected, "The app doesn't have the channel.", _integrator, False, Scope.account
    ),
    "MEDIA_TYPE_UNSUPPORTED": _Reason(_rejected, "The channel does not take media of this type.", _sender, False),
    "MEDIA_TOO_LARGE": _Reason(_rejected, "The media are larger than the channel takes.", _sender, False),
    "MEDIA_NOT_REACHABLE": _Reason(_rejected, "The media could not be fetched from their address.", _sender, None),
    "NO_CHANNELS_LEFT": _Reason(_failed, "Every channel was tried, or there was none to try.", _sender, None),
    "TEMPLATE_NOT_FOUND": _Reason(
        _rejected, "There is no such template, or it is not approved.", _sender, False, Scope.campaign
    ),
    "TEMPLATE_INSUFFICIENT_PARAMETERS": _Reason(_rejected, "A parameter of the template had no value.", _sender, False),
    "TEMPLATE_NON_EXISTING_LANGUAGE_OR_VERSION": _Reason(
        _rejected, "The template does not exist in this language or version.", _sender, False, Scope.campaign
    ),
    "DELIVERY_TIMED_OUT": _Reason(
        _failed, "The channel could not deliver the message within the time that it allows.", _recipient, True
    ),
    "DELIVERY_REJECTED_DUE_TO_POLICY": _Reason(
        _rejected, "The channel's rules do not allow the message: its content, or how often it comes.", _sender, False
    ),
    "CONTACT_NOT_FOUND": _Reason(_rejected, "There is no such contact in the project.", _sender, False),
    "BAD_REQUEST": _Reason(
        _rejected, "The message is not as the channel wants it; the API saw that after it had taken it.", _sender, False
    ),
    "UNKNOWN_APP": _Reason(
        _rejected, "The app was deleted while the message was on its way.", _integrator, False, Scope.account
    ),
    "NO_CHANNEL_IDENTITY_FOR_CONTACT": _Reason(
        _rejected, "The contact has no number or identity on the channels that were to be tried.", _sender, False
    ),
    "CHANNEL_REJECT": _Reason(_rejected, "The channel refused the message for good.", _unknown, False),
    "NO_PERMISSION": _Reason(_rejected, "The app may not do this on the channel.", _integrator, False),
    "NO_PROFILE_AVAILABLE": _Reason(_rejected, "The channel shows no profile of this person.", _recipient, False),
    "UNSUPPORTED_OPERATION": _Reason(_rejected, "The channel does not offer this.", _sender, False),
    # Only in the Node SDK
    "INACTIVE_CREDENTIAL": _Reason(
        _failed, "The channel's credentials in the app are not active.", _integrator, False, Scope.account
    ),
    "MESSAGE_EXPIRED": _Reason(
        _failed, "The message's time was over before it was delivered; give it a longer one.", _sender, None
    ),
    "MESSAGE_SPLIT_REQUIRED": _Reason(
        _failed, "The message is too long for the channel, and would have to be split.", _sender, False
    ),
    "DELIVERY_REPORT_TIME_OUT": _Reason(
        _failed, "The channel did not report in the time that the app allows.", _nobody, None
    ),
}

# sub code: (meaning, whose turn, whether sending again may help)
_SUB_CODES: dict[str, tuple[str, Turn, bool | None]] = {
    "UNSPECIFIED_SUB_CODE": ("Nothing more is known than the reason beside it.", _unknown, None),
    "ATTACHMENT_REJECTED": ("The channel refused the attachment.", _sender, False),
    "MEDIA_TYPE_UNDETERMINED": ("It could not be found out of what type the media are.", _sender, False),
    "INACTIVE_SENDER": ("The sender is not active on the channel.", _integrator, False),
}

# status or word: (meaning, whose turn, scope, whether sending again may help)
_HTTP: dict[str, tuple[str, Turn, Scope, bool | None]] = {
    "400": ("The request is not as the API wants it.", _sender, Scope.unknown, False),
    "401": ("The access key, or its access token, was not accepted.", _integrator, Scope.account, False),
    "403": (
        "The access key may not do this in the project, or the account has no credit.",
        _integrator,
        Scope.account,
        False,
    ),
    "404": (
        "There is no such app in this project and region; an app of another region looks the same.",
        _integrator,
        Scope.account,
        False,
    ),
    "408": (
        "The API waited too long for the request; whether it was taken is not known.",
        _nobody,
        Scope.unknown,
        None,
    ),
    "413": ("The request is larger than the API takes.", _provider, Scope.unknown, False),
    "429": (
        "The app's queue is full, or too much was asked at once; the API wants us to wait.",
        _nobody,
        Scope.account,
        True,
    ),
    "500": (
        "The API had an internal error; whether the request was taken is not known.",
        _provider,
        Scope.unknown,
        None,
    ),
    "501": ("The API does not offer this.", _provider, Scope.unknown, False),
    "503": (
        "The API is not available for the moment; whether the request was taken is not known.",
        _provider,
        Scope.unknown,
        None,
    ),
    "INVALID_ARGUMENT": ("A field of the request is missing or wrong.", _sender, Scope.unknown, False),
    "INVALID_REQUEST": ("The request is not as the API wants it.", _sender, Scope.unknown, False),
    "UNAUTHENTICATED": ("The access key, or its access token, was not accepted.", _integrator, Scope.account, False),
    "UNAUTHORIZED": ("The access key belongs to another project.", _integrator, Scope.account, False),
    "PERMISSION_DENIED": (
        "The project may not use this part of the API; Sinch has to open it.",
        _integrator,
        Scope.account,
        False,
    ),
    "BILLING_CREDIT_LIMIT_BREACHED": (
        "The account has no credit; settle that with Sinch, then go on.",
        _integrator,
        Scope.account,
        False,
    ),
    "NOT_FOUND": (
        "There is no such app in this project and region; an app of another region looks the same.",
        _integrator,
        Scope.account,
        False,
    ),
    "RESOURCE_EXHAUSTED": (
        "The app's queue is full, or too much was asked at once; the API wants us to wait.",
        _nobody,
        Scope.account,
        True,
    ),
    "INTERNAL_ERROR": (
        "The API had an internal error; whether the request was taken is not known.",
        _provider,
        Scope.unknown,
        None,
    ),
    **tokens.REFUSALS,
}


def status_of(reason: str | None) -> Status:
    """What a message ends as that failed for this reason: rejected or failed; one that isn't known failed."""
    known = _REASONS.get(reason or "")
    return Status.failed if known is None else known.status


def _catalogue() -> Catalogue:
    conversation, http = StatusCodeSource.conversation, StatusCodeSource.http
    entries = [
        ErrorCode(code, conversation, reason.meaning, reason.turn, reason.scope, retry=reason.retry)
        for code, reason in _REASONS.items()
    ]
    entries += [
        ErrorCode(code, conversation, meaning, turn, retry=retry) for code, (meaning, turn, retry) in _SUB_CODES.items()
    ]
    entries += [
        ErrorCode(code, http, meaning, turn, scope, retry=retry)
        for code, (meaning, turn, scope, retry) in _HTTP.items()
    ]
    return {(entry.source, entry.code): entry for entry in entries}


CODES: Catalogue = _catalogue()
