"""Building the body of a batch: one request for up to 1,000 recipients."""

from typing import Any

from pydantic_core import to_json

from connector.model.batch import Batch
from connector_sinch.conversation.settings import ConversationSettings


def batch_body(batch: Batch, settings: ConversationSettings) -> bytes:
    """The JSON body of the Batch API's `POST /messages`."""
    text = "".join(piece if place % 2 == 0 else f"${{{piece}}}" for place, piece in enumerate(batch.template.pieces))
    request: dict[str, Any] = {
        "app_id": settings.app_id,
        "message": {"text_message": {"text": text}},
        "recipient_and_params": [
            {
                "recipient": {"identified_by": {"channel_identities": [{"channel": "SMS", "identity": address}]}},
                "parameters": dict(zip(batch.template.names, values, strict=True)),
                "message_metadata": {"batch": batch.key, "message": message_id},
            }
            for address, values, message_id in zip(batch.recipients, batch.values, batch.message_ids, strict=True)
        ],
        "batch_metadata": {"batch": batch.key},
    }
    if batch.attempt.callback_url is not None:
        request["callback_url"] = batch.attempt.callback_url
    return to_json(request)
