"""Who may call back, and a callback as Sinch would make it.

Callbacks of a webhook that has a secret are signed; those of one without are not. Source: the API's page "Callbacks",
"Validating callbacks".
"""

import secrets as randomness
from collections.abc import Sequence
from datetime import datetime

from pydantic_core import to_json

from connector.model.callback import Request, Verdict
from connector_sinch.conversation.reports import BATCH_KEY
from connector_sinch.conversation.settings import ConversationSettings
from connector_sinch.signature import signed_headers, verify_signature

REHEARSED_NUMBER = "12015550100"
"""A number that is reserved for fiction."""
REHEARSED_MESSAGE = "0000000000000000REHEARSAL0"
"""No message has this id: those of the API begin with the time."""


def verify(request: Request, secrets: Sequence[str], *, now_seconds: float) -> Verdict:
    """By the webhook's signature over the body as it came; not checked where no secret is set.

    One that is right but old is `stale`: nothing says that Sinch signs a callback anew that it repeats.
    """
    return verify_signature(request.headers, request.body, secrets, now_seconds=now_seconds)


def rehearse(settings: ConversationSettings, batch_key: str, now: datetime) -> Request:
    """A delivery report on a batch that doesn't exist, signed where the settings have a secret.

    Raises `ConfigurationError` when it can't be read.
    """
    at = now.isoformat()
    body = to_json(
        {
            "app_id": settings.app_id,
            "project_id": settings.project_id,
            "accepted_time": at,
            "event_time": at,
            "message_delivery_report": {
                "message_id": REHEARSED_MESSAGE,
                "conversation_id": "",
                "contact_id": "",
                "status": "DELIVERED",
                "channel_identity": {"channel": "SMS", "identity": REHEARSED_NUMBER, "app_id": ""},
                "metadata": to_json({BATCH_KEY: batch_key}).decode(),
                "processing_mode": "DISPATCH",
            },
            "message_metadata": "",
            "correlation_id": "",
        }
    )
    headers = {"content-type": "application/json"}
    if settings.webhook_secrets:
        # During a change Sinch signs with either; both are held.
        secret = settings.webhook_secrets[0].value()
        nonce = randomness.token_urlsafe(12)
        headers |= signed_headers(secret, body, nonce=nonce, timestamp=str(int(now.timestamp())))
    return Request("POST", "", headers, body)
