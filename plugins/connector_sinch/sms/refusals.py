"""What an answer to `POST /batches` means for the batch: accepted, refused and for whom, or in doubt.

A batch is refused as a whole, also for one malformed number; the error's sentence then points at the field:
"The format of parameter 'to[3]' is invalid; ...". Source: the SMS API's pages "Batches" and "Status codes".
"""

import re
from collections.abc import Sequence
from datetime import datetime

from connector.http import Answer, NoToken
from connector.model.batch import Batch
from connector.model.errors import Throttled
from connector.model.outcome import Accepted, InDoubt, Outcome, Refused, Scope
from connector_sinch.errors import ApiError, read_error, without_numbers
from connector_sinch.sms.guidance import ACCESS_KEY, KEY_REFUSED_BY_API

_INDEX = re.compile(r"\bto\[(\d{1,4})\]")
_FIELD = re.compile(r"""['"](?:request\.|batch\.)?([a-z_]+)(?=['".\[])""")
_NUMBER = re.compile(r"\+?(\d{7,20})")
_DEFAULT = re.compile(r"\bparameters\b\S*\bdefault\b")
# Up to the last quote, as a value may hold quotes itself.
_VALUE = re.compile(r"""\bvalue (?:'.*'|".*")""", re.DOTALL)

# The advice for a field that is the same in every batch of the campaign.
_CAMPAIGN_FIELDS = {
    "from": "Check the campaign's sender: an alphanumeric one has up to 11 characters, a number is one of the plan's.",
    "body": "Check the campaign's text.",
    "expire_at": "Check the campaign's expiry: it lies after the time to send at, and at most three days after it.",
    "send_at": "Check the campaign's time to send at: it lies before the expiry.",
    "max_number_of_message_parts": "Check the campaign's greatest number of parts.",
    "callback_url": "Check the server's public address: the API takes a valid URL of up to 2,048 characters.",
    "client_reference": "The connector's reference was not taken; please report this.",
    "delivery_report": "The kind of delivery report was not taken; please report this.",
    "type": "The kind of message was not taken; please report this.",
}

_CHECK_DEFAULTS = "Check the campaign's defaults: the API takes 1 to 160 characters."
_CHECK_TOKEN = "Check api_token, service_plan_id and region of this integration: a token works with its own plan only."
_CHECK_ADDRESS = "Check service_plan_id and region of this integration, and base_url if it is set."
_CHECK_PROJECT_ADDRESS = "Check project_id and region of this integration, and base_url if it is set."

# By the API's code, for 403: (scope, advice)
_FORBIDDEN = {
    "blocked_account": (Scope.account, "The account is blocked, perhaps for want of credit: settle that with Sinch."),
    "illegal_number_type": (Scope.account, "The plan may not use a number of this type: ask Sinch to allow it."),
    "missing_callback_url": (
        Scope.account,
        "Set server.public_url, or a callback URL of the service plan in the Sinch dashboard.",
    ),
    "unknown_campaign": (
        Scope.campaign,
        "The sender belongs to no registered campaign of this plan: choose another sender, or register it with Sinch.",
    ),
    "unknown_group": (Scope.campaign, "A recipient was taken for a group that doesn't exist."),
}
# As an edition of the API's guide spells it.
_FORBIDDEN["llegal_number_type"] = _FORBIDDEN["illegal_number_type"]
# By HTTP status: refusals that concern every dispatch on the account.
_ACCOUNT_STATUSES = {
    401: _CHECK_TOKEN,
    402: "The account has no credit: top it up with Sinch.",
    403: "The account may not send this: " + _CHECK_TOKEN[0].lower() + _CHECK_TOKEN[1:],
    404: "There is no such service plan in this region. " + _CHECK_ADDRESS,
    405: "This address does not take batches. " + _CHECK_ADDRESS,
    407: "A proxy before the API wants its own credentials. " + _CHECK_ADDRESS,
    415: "This address does not take JSON. " + _CHECK_ADDRESS,
}


# The same where a project's access token was sent.
_PROJECT_STATUSES = {
    401: KEY_REFUSED_BY_API,
    402: _ACCOUNT_STATUSES[402],
    403: f"The project may not send this. {_CHECK_PROJECT_ADDRESS}",
    404: f"There is no such project in this region. {_CHECK_PROJECT_ADDRESS}",
    405: f"This address does not take batches. {_CHECK_PROJECT_ADDRESS}",
    407: f"A proxy before the API wants its own credentials. {_CHECK_PROJECT_ADDRESS}",
    415: f"This address does not take JSON. {_CHECK_PROJECT_ADDRESS}",
}


def outcome_of(answer: Answer, batch: Batch, *, by_project: bool, now: datetime) -> Outcome:
    """The outcome that an answer to a sent batch makes; `by_project`: it was sent with a project's access token.

    Raises `Throttled` for 429.
    """
    status = answer.status
    if 200 <= status < 300:
        return _taken(answer)
    if status == 429:
        raise Throttled(
            "The API has too many outstanding requests of this service plan.",
            retry_after_seconds=answer.retry_after_seconds(now),
        )
    # 500 and 503 are said not to have been processed, by a guide of 2021: that is too little to send again on.
    if status >= 500 or status == 408 or status < 200:
        return InDoubt(f"The API answered HTTP {status}, which does not say whether it took the batch.")
    return refusal_of(answer, batch, by_project=by_project)


def without_token(error: NoToken) -> Refused:
    """The outcome for a batch that wasn't sent, because the access key gets no token."""
    return Refused(Scope.account, error.http_status or 401, error=error.error, advice=ACCESS_KEY)


def _taken(answer: Answer) -> Outcome:
    parsed = answer.json()
    batch_id = parsed.get("id") if isinstance(parsed, dict) else None
    if answer.status in (200, 201) and isinstance(batch_id, str) and batch_id:
        return Accepted(batch_id)
    return InDoubt(f"The API answered HTTP {answer.status} without a batch id that can be read.")


def refusal_of(answer: Answer, batch: Batch, *, by_project: bool) -> Refused:
    """What a certain refusal says, of whom, and what to do."""
    error = read_error(answer.body)
    scope, positions, advice = _whom(answer.status, error, batch, by_project)
    return Refused(
        scope=scope,
        status_code=answer.status,
        error=error.code,
        comment=_comment(error.text),
        recipients=positions,
        advice=advice,
    )


def _whom(status: int, error: ApiError, batch: Batch, by_project: bool) -> tuple[Scope, tuple[int, ...], str | None]:
    if status < 400:
        check_address = _CHECK_PROJECT_ADDRESS if by_project else _CHECK_ADDRESS
        return Scope.account, (), f"The address answers with a redirection. {check_address}"
    if status == 403 and error.code in _FORBIDDEN:
        scope, advice = _FORBIDDEN[error.code]
        return scope, (), advice
    if status in _ACCOUNT_STATUSES:
        return Scope.account, (), (_PROJECT_STATUSES if by_project else _ACCOUNT_STATUSES)[status]
    if status != 400 or error.text is None:
        return Scope.unknown, (), None
    return _pointed_at(error.text, batch.recipients)


def _pointed_at(text: str, recipients: Sequence[str]) -> tuple[Scope, tuple[int, ...], str | None]:
    """Whom the sentence of a 400 points at: positions in `to`, numbers, or a field of the whole batch."""
    # What was found in a field is no pointer: a value may say anything.
    pointers = _VALUE.sub("", text)
    positions = {int(index) for index in _INDEX.findall(pointers)}
    if positions:
        if max(positions) < len(recipients):
            return Scope.recipient, tuple(sorted(positions)), None
        return Scope.unknown, (), None
    fields = _FIELD.findall(pointers)
    for field in fields:
        if field in _CAMPAIGN_FIELDS:
            return Scope.campaign, (), _CAMPAIGN_FIELDS[field]
    named = set(_NUMBER.findall(text))
    if named and (not fields or "parameters" in fields or "to" in fields):
        found = tuple(position for position, number in enumerate(recipients) if number in named)
        if found:
            return Scope.recipient, found, None
    if _DEFAULT.search(pointers):
        return Scope.campaign, (), _CHECK_DEFAULTS
    return Scope.unknown, (), None


def _comment(text: str | None) -> str | None:
    """The API's sentence without people: a refused value may be a name as well as a number."""
    if text is None:
        return None
    if re.search(r"\bparameters\b", text):
        text = _VALUE.sub("value (hidden)", text)
    return without_numbers(text)
