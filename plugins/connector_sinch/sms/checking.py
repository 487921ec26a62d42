"""Trying an integration's settings on the real service, by safe reads; and saying what they can't prove."""

import email.utils
from collections.abc import Mapping
from datetime import UTC

from connector.extension import CheckResult
from connector.http import Answer, ClientCredentials, NoToken
from connector.model.batch import utc_now
from connector.model.errors import ConfigurationError, NotSent, ReadFailed, ReadRefused, Throttled
from connector_sinch.sms.connection import Connection
from connector_sinch.sms.guidance import ACCESS_KEY, KEY_REFUSED_BY_API, SERVICE_PLAN
from connector_sinch.sms.settings import SmsSettings

MAX_CLOCK_DIFFERENCE_SECONDS = 60.0


def check(settings: SmsSettings, connection: Connection) -> list[CheckResult]:
    """Get a token, where a project needs one, and list one batch: for that all settings have to be right."""
    proved = []
    credentials = connection.credentials()
    if credentials is not None:
        access_key = _token(credentials)
        if access_key.ok is not True:
            return [access_key]
        proved.append(access_key)
    try:
        answer = connection.sender().get(connection.path("batches"), {"page_size": "1"})
    except ConfigurationError as error:
        return [*proved, _wrong(str(error))]
    except ReadRefused as error:
        return [*proved, _wrong(_refusal(settings, error))]
    except ReadFailed as error:
        return [*proved, _wrong(f"{error} Check region, base_url and the network ({_where(settings)}).", reached=False)]
    proved.append(_what_answers(settings, answer))
    if not proved[-1].ok:
        return proved
    clock = _clock(answer.headers)
    return [*proved, *([] if clock is None else [clock]), *_unproved(settings)]


def _token(credentials: ClientCredentials) -> CheckResult:
    try:
        credentials.token()
    except NoToken as error:
        advice = "" if error.http_status is None else f" {ACCESS_KEY}"
        return CheckResult("access key", False, f"{error}{advice}")
    except Throttled as error:
        return CheckResult("access key", None, f"{error} Try again in a minute.")
    except NotSent as error:
        return CheckResult("access key", False, f"{error} Check auth_url and the network.", reached=False)
    return CheckResult("access key", True, "Sinch gives a token for the access key.")


def _refusal(settings: SmsSettings, error: ReadRefused) -> str:
    refused = f"(HTTP {error.http_status}; {_where(settings)})"
    if settings.project_id is not None:
        return f"The SMS API refused the project's access token {refused}. {KEY_REFUSED_BY_API}"
    return f"The SMS API refused the API token {refused}. {SERVICE_PLAN}"


def _what_answers(settings: SmsSettings, answer: Answer) -> CheckResult:
    where = _where(settings)
    if answer.status == 404:
        what, names = (
            ("project", "project_id") if settings.project_id is not None else ("service plan", "service_plan_id")
        )
        return _wrong(f"The SMS API knows no such {what} ({where}). Check {names} and region.")
    if not isinstance(answer.json(), dict):
        return _wrong(f"What answers there is not the SMS API ({where}). Check region and base_url.")
    token = "project's access token" if settings.project_id is not None else "API token"
    return CheckResult("credentials", True, f"The SMS API accepts the {token} ({where}).")


def _where(settings: SmsSettings) -> str:
    what = "service plan" if settings.project_id is None else "project"
    return f"{what} {settings.account_id}, region {settings.region}, {settings.url}"


def _wrong(message: str, *, reached: bool = True) -> CheckResult:
    return CheckResult("credentials", False, message, reached=reached)


def _clock(headers: Mapping[str, str]) -> CheckResult | None:
    try:
        theirs = email.utils.parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    difference_seconds = abs((utc_now() - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds())
    if difference_seconds <= MAX_CLOCK_DIFFERENCE_SECONDS:
        return CheckResult("clock", True, "This machine's clock agrees with the API's.")
    return CheckResult(
        "clock",
        False,
        f"This machine's clock is {difference_seconds:.0f} seconds off the API's: set it, as schedules and "
        "look-ups depend on it.",
    )


def _unproved(settings: SmsSettings) -> list[CheckResult]:
    if settings.callback_secret is not None or settings.callback_username is not None:
        callbacks = "Whether Sinch signs or authenticates callbacks as set here shows with the first one."
    else:
        callbacks = "No callback_secret is set: the unguessable address alone protects callbacks."
    return [
        CheckResult(
            "sending",
            None,
            "Credit, allowed senders and countries show only when a message is sent; try one to a number of yours.",
        ),
        CheckResult("callbacks", None, callbacks),
    ]
