"""Trying an integration's settings on the real service, by safe reads; and saying what they can't prove."""

from connector.extension import CheckResult
from connector.http import Answer
from connector.model.errors import ConfigurationError, ReadFailed, ReadRefused
from connector_sinch import probing
from connector_sinch.sms.connection import Connection
from connector_sinch.sms.guidance import ACCESS_KEY, KEY_REFUSED_BY_API, SERVICE_PLAN
from connector_sinch.sms.settings import SmsSettings


def check(settings: SmsSettings, connection: Connection) -> list[CheckResult]:
    """Get a token, where a project needs one, and list one batch: for that all settings have to be right."""
    proved = []
    credentials = connection.credentials()
    if credentials is not None:
        access_key = probing.access_key(credentials, ACCESS_KEY)
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
    clock = probing.clock(answer.headers)
    return [*proved, *([] if clock is None else [clock]), *_unproved(settings)]


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
