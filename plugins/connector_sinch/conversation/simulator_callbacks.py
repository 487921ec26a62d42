"""What the simulated Conversation API calls back: the envelope, the signature, and to whom. Source: "Callbacks"."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic_core import to_json

from connector_sinch.conversation.simulator_apps import App
from connector_sinch.signature import signed_headers
from connector_sinch.ulid import new_ulid

PAYLOADS = {
    "MESSAGE_DELIVERY": "message_delivery_report",
    "MESSAGE_SUBMIT": "message_submit_notification",
    "MESSAGE_INBOUND": "message",
    "EVENT_DELIVERY": "event_delivery_report",
    "EVENT_INBOUND": "event",
    "CONVERSATION_START": "conversation_start_notification",
    "CONVERSATION_STOP": "conversation_stop_notification",
    "CONVERSATION_DELETE": "conversation_delete_notification",
    "CONTACT_CREATE": "contact_create_notification",
    "CONTACT_UPDATE": "contact_update_notification",
    "CONTACT_DELETE": "contact_delete_notification",
    "CONTACT_MERGE": "contact_merge_notification",
    "CONTACT_IDENTITIES_DUPLICATION": "duplicated_contact_identities_notification",
    "CAPABILITY": "capability_notification",
    "OPT_IN": "opt_in_notification",
    "OPT_OUT": "opt_out_notification",
    "CHANNEL_EVENT": "channel_event_notification",
    "UNSUPPORTED": "unsupported_callback",
    "SMART_CONVERSATION": "smart_conversation_notification",
    "MESSAGE_INBOUND_SMART_CONVERSATION_REDACTION": "message_redaction",
    "RECORD_NOTIFICATION": "record_notification",
    "BATCH_STATUS_UPDATE": "batch_status_update_notification",
}
"""Trigger to the field of a callback's body that tells it."""

Submit = Callable[[str, bytes, Callable[[bytes], dict[str, str]]], None]


def stamp(moment: datetime) -> str:
    """As the API writes times: UTC."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class Callbacks:
    """Tells an app's webhooks, each by its triggers, or the address that a message names."""

    def __init__(self, submit: Submit, dice: random.Random, project_id: str) -> None:
        self._submit = submit
        self._dice = dice
        self._project_id = project_id

    def tell(
        self,
        app: App,
        trigger: str,
        payload: Any,
        *,
        accepted_at: datetime | None = None,
        callback_url: str | None = None,
        metadata: str = "",
        correlation_id: str = "",
    ) -> None:
        """`callback_url`: in place of the webhooks; `metadata` is the conversation's, as JSON."""
        targets: list[tuple[str, str]]
        if callback_url is not None:
            targets = [(callback_url, app.fields.callback_settings.secret_for_overridden_callback_urls)]
        else:
            targets = [
                (webhook.fields.target, webhook.fields.secret)
                for webhook in app.webhooks.values()
                if webhook.fields.target is not None
                and webhook.fields.target_type == "HTTP"
                and trigger in webhook.fields.triggers
            ]
        if not targets:
            return
        now = datetime.now(UTC)
        body = to_json(
            {
                "app_id": app.id,
                "project_id": self._project_id,
                "accepted_time": stamp(accepted_at or now),
                "event_time": stamp(now),
                "message_metadata": metadata,
                "correlation_id": correlation_id,
                PAYLOADS[trigger]: payload,
            }
        )
        for url, secret in targets:
            self._submit(url, body, partial(self._sign, secret))

    def _sign(self, secret: str, body: bytes) -> dict[str, str]:
        if not secret:
            return {}
        return signed_headers(secret, body, nonce=new_ulid(self._dice), timestamp=str(int(time.time())))
