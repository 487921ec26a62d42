"""Who may call back, and a callback as Sinch would make it.

Sinch calls back without any authentication until its account manager enables a signature or Basic authentication.
Source: the SMS API's page "Webhooks".
"""

import base64
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime

from pydantic_core import to_json

from connector.extension import Secret
from connector.model.callback import Request, Verdict
from connector_sinch.signature import signed_headers, verify_signature, with_secrets
from connector_sinch.sms.request import api_time
from connector_sinch.sms.settings import SmsSettings

REHEARSED_NUMBER = "12015550100"
"""A number that is reserved for fiction."""
REHEARSED_BATCH = "00000000000000000REHEARSAL"
"""No batch has this id: those of the API begin with the time."""


def verify(settings: SmsSettings, request: Request, *, now_seconds: float) -> Verdict:
    """By signature or Basic authentication, whichever is set; where both are, either suffices."""
    return with_secrets(lambda value_of: _verdict(settings, request, now_seconds, value_of))


def _verdict(settings: SmsSettings, request: Request, now_seconds: float, value_of: Callable[[Secret], str]) -> Verdict:
    verdicts = []
    if settings.callback_secrets:
        held = [value_of(secret) for secret in settings.callback_secrets]
        verdicts.append(verify_signature(request.headers, request.body, held, now_seconds=now_seconds))
    credentials = _credentials(settings, value_of)
    if credentials is not None:
        verdicts.append(_basic(request.headers, credentials))
    if not verdicts:
        return Verdict.not_checked
    return next(verdict for verdict in (Verdict.genuine, Verdict.stale, Verdict.forged) if verdict in verdicts)


def rehearse(settings: SmsSettings, batch_key: str, now: datetime) -> Request:
    """A delivery report on a batch that doesn't exist, signed and authenticated as the settings want it."""
    body = to_json(
        {
            "type": "recipient_delivery_report_sms",
            "batch_id": REHEARSED_BATCH,
            "client_reference": batch_key,
            "recipient": REHEARSED_NUMBER,
            "code": 0,
            "status": "Delivered",
            "at": api_time(now),
            "operator_status_at": api_time(now),
            "number_of_message_parts": 1,
        }
    )
    headers = {"content-type": "application/json"}
    if settings.callback_secrets:
        # During a change Sinch signs with either; both are held.
        secret = settings.callback_secrets[0].value()
        headers |= signed_headers(secret, body, nonce=secrets.token_urlsafe(12), timestamp=str(int(now.timestamp())))
    credentials = _credentials(settings, Secret.value)
    if credentials is not None:
        headers["authorization"] = f"Basic {credentials.decode()}"
    return Request("POST", "", headers, body)


def _credentials(settings: SmsSettings, value_of: Callable[[Secret], str]) -> bytes | None:
    """User name and password as they travel; None where none are set."""
    if settings.callback_username is None or settings.callback_password is None:
        return None
    return base64.b64encode(f"{settings.callback_username}:{value_of(settings.callback_password)}".encode())


def _basic(headers: Mapping[str, str], expected: bytes) -> Verdict:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    matches = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), expected)
    return Verdict.genuine if matches and scheme.lower() == "basic" else Verdict.forged
