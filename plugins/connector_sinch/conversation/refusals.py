"""What an answer to a sent request means for the batch: accepted, refused and for whom, or in doubt.

A refusal names the fields in `details`, as `google.rpc.BadRequest` has them, or in its sentence; how the Batch API
tells of one recipient among many is not documented, so that both are searched for its place in
`recipient_and_params`. Source: the API's page "Errors", and the pages of the Batch API.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from connector.http import Answer, NoToken
from connector.model.batch import Batch
from connector.model.errors import Throttled
from connector.model.outcome import Accepted, InDoubt, Outcome, Refused, Scope
from connector.model.text import parameters
from connector_sinch.conversation.guidance import ACCESS_KEY, REGION
from connector_sinch.conversation.request import app_message
from connector_sinch.errors import ApiError, read_error, without_numbers

NO_CREDIT = "BILLING_CREDIT_LIMIT_BREACHED"
LONGEST_WAIT_SECONDS = 86_400.0

_PLACE = re.compile(r"recipient_?and_?params\[(\d{1,4})\]", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+(?:_[a-z]+)*", re.IGNORECASE)
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")

# Fields that are the same in every request of a campaign, unless values stand in them, and what to do about each.
_CAMPAIGN_FIELDS = {
    "message": "Check the campaign's message.",
    "app_message": "Check the campaign's message.",
    "channel_priority_order": "Check the campaign's channel_priority_order: the app needs every channel in it.",
    "channel_properties": "Check the campaign's channel_properties, and its sender.",
    "ttl": "Check the campaign's ttl and its expiry.",
    "queue": "Check the campaign's queue.",
    "message_content_type": "Check the campaign's message_content_type.",
    "conversation_metadata": "Check the campaign's conversation_metadata.",
    "correlation_id": "Check the campaign's correlation_id.",
    "processing_strategy": "Check the campaign's processing_strategy.",
    "send_after": "Check the campaign's time to send at: the API takes up to seven days ahead.",
    "callback_url": "Check the server's public address: the API takes a valid URL.",
    "batch_metadata": "The connector's key was not taken; please report this.",
}
_RECIPIENT_FIELDS = ("recipient", "contact_id", "identified_by", "channel_identities", "identity", "message_metadata")

_ACCOUNT_STATUSES = {
    401: ACCESS_KEY,
    402: "The account has no credit: top it up with Sinch.",
    403: "Check that the access key belongs to this project, and ask Sinch whether the project may use this API.",
    404: REGION,
    405: f"This address does not take messages. {REGION}",
    407: f"A proxy before the API wants its own credentials. {REGION}",
    415: f"This address does not take JSON. {REGION}",
}


def outcome_of(answer: Answer, batch: Batch, *, alone: bool, now: datetime) -> Outcome:
    """The outcome that an answer makes; `alone`: to messages:send. Raises `Throttled` for 429."""
    status = answer.status
    if 200 <= status < 300:
        return _taken(answer, "message_id" if alone else "batch_id")
    if status == 429:
        raise Throttled(
            "The app's queue is full, or the project asks too much of the API at once.",
            retry_after_seconds=answer.retry_after_seconds(now) or _retry_info(answer),
        )
    if status >= 500 or status == 408 or status < 200:
        return InDoubt(f"The API answered HTTP {status}, which does not say whether it took the messages.")
    return refusal_of(answer, batch, alone=alone)


def without_token(error: NoToken) -> Refused:
    """The outcome for a batch that wasn't sent, because the access key gets no token."""
    return Refused(Scope.account, error.http_status or 401, error=error.error, advice=ACCESS_KEY)


def refusal_of(answer: Answer, batch: Batch, *, alone: bool) -> Refused:
    """What a certain refusal says, of whom, and what to do."""
    error = read_error(answer.body)
    scope, places, advice = _whom(answer, error, batch, alone)
    return Refused(
        scope=scope,
        status_code=answer.status,
        error=error.code,
        comment=_comment(answer, error),
        recipients=places,
        advice=advice,
    )


def _taken(answer: Answer, name: str) -> Outcome:
    parsed = answer.json()
    identifier = parsed.get(name) if isinstance(parsed, dict) else None
    if isinstance(identifier, str) and identifier:
        return Accepted(identifier)
    return InDoubt(f"The API answered HTTP {answer.status} without a {name} that can be read.")


def _whom(answer: Answer, error: ApiError, batch: Batch, alone: bool) -> tuple[Scope, tuple[int, ...], str | None]:
    status = answer.status
    if status < 400:
        return Scope.account, (), f"The address answers with a redirection. {REGION}"
    if error.code == NO_CREDIT:
        return Scope.account, (), "The account has no credit: top it up with Sinch, then resume."
    if status in _ACCOUNT_STATUSES:
        return Scope.account, (), _ACCOUNT_STATUSES[status]
    if status != 400:
        return Scope.unknown, (), None
    pointers = [*_fields(answer), _QUOTED.sub(_only_fields, error.text or "")]
    places = {int(place) for pointer in pointers for place in _PLACE.findall(pointer)}
    if places and max(places) < batch.size:
        return Scope.recipient, tuple(sorted(places)), None
    words = [word for pointer in pointers for word in _WORD.findall(pointer)]
    if "app_id" in words:
        return Scope.account, (), "Check app_id of this integration: the API knows no such app."
    # In a sentence "message" and "recipient" may be words; as a field they stand first.
    first = [word[0] for pointer in _fields(answer) if (word := _WORD.findall(pointer))]
    for field in [*first, *(word for word in words if "_" in word)]:
        if field in _CAMPAIGN_FIELDS:
            if _depends_on_values(field, batch):
                # It may be one person's value: that is found out.
                return Scope.unknown, (), _CAMPAIGN_FIELDS[field]
            return Scope.campaign, (), _CAMPAIGN_FIELDS[field]
        if alone and field in _RECIPIENT_FIELDS:
            return Scope.recipient, (0,), None
    return Scope.unknown, (), None


def _depends_on_values(field: str, batch: Batch) -> bool:
    """Whether people's own values stand in a field."""
    part = app_message(batch) if field in ("message", "app_message") else batch.message.get(field)
    return bool(parameters(part))


def _only_fields(quoted: re.Match[str]) -> str:
    """A quoted field is a pointer; any other value may say anything."""
    inside = quoted.group()[1:-1]
    return inside if re.fullmatch(r"[a-z_]+(\[\d+\])?(\.[a-z_]+(\[\d+\])?)*", inside) else ""


def _details(answer: Answer) -> Iterator[dict[str, Any]]:
    parsed = answer.json()
    error = parsed.get("error") if isinstance(parsed, dict) else None
    for body in (error, parsed):
        details = body.get("details") if isinstance(body, dict) else None
        if isinstance(details, list):
            yield from (detail for detail in details if isinstance(detail, dict))


def _violations(answer: Answer) -> Iterator[dict[str, Any]]:
    for detail in _details(answer):
        for name in ("fieldViolations", "field_violations"):
            found = detail.get(name)
            if isinstance(found, list):
                yield from (violation for violation in found if isinstance(violation, dict))


def _fields(answer: Answer) -> list[str]:
    """The fields that a refusal points at."""
    return [field for violation in _violations(answer) if isinstance(field := violation.get("field"), str)]


def _retry_info(answer: Answer) -> float | None:
    """What `google.rpc.RetryInfo` asks for."""
    for detail in _details(answer):
        for name in ("retryDelay", "retry_delay"):
            delay = detail.get(name)
            match = _SECONDS.fullmatch(delay) if isinstance(delay, str) else None
            if match:
                return min(float(match[1]), LONGEST_WAIT_SECONDS)
    return None


def _comment(answer: Answer, error: ApiError) -> str | None:
    """The API's words without people: a refused value may be a name as well as a number."""
    described = [
        f"{violation.get('field')}: {violation.get('description')}"
        for violation in _violations(answer)
        if isinstance(violation.get("field"), str)
    ]
    text = "; ".join(filter(None, [error.text, *described]))
    if not text:
        return None
    if "parameters" in text or _PLACE.search(text):
        text = _QUOTED.sub(lambda quoted: f"'{_only_fields(quoted)}'" if _only_fields(quoted) else "(hidden)", text)
    return without_numbers(text)
