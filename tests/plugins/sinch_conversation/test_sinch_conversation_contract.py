"""The Conversation plugin keeps the contract of a provider."""

from typing import ClassVar

from connector_sinch.conversation.provider import SinchConversation
from pydantic_core import to_json

from connector.testing import ProviderContract


class TestConversation(ProviderContract):
    provider = SinchConversation
    settings: ClassVar = {
        "project_id": "project",
        "app_id": "01J00000000000000000000APP",
        "region": "eu",
        "key_id": "key",
        "key_secret": "env:K",
        "webhook_secret": "env:S",
    }
    addresses = ("base_url", "auth_url")
    always: ClassVar = {"/oauth2/token": (200, {"access_token": "a-token", "expires_in": 3600})}
    accepted = (200, {"batch_id": "B1"})
    refused = (403, {"error": {"code": 403, "message": "not for 12015550101", "status": "PERMISSION_DENIED"}})

    @staticmethod
    def delivered(key: str, number: str) -> bytes:
        return to_json(
            {
                "app_id": "01J00000000000000000000APP",
                "project_id": "project",
                "event_time": "2026-11-23T09:31:00Z",
                "message_delivery_report": {
                    "message_id": "M1",
                    "status": "DELIVERED",
                    "channel_identity": {"channel": "SMS", "identity": number, "app_id": ""},
                    "metadata": to_json({"batch": key}).decode(),
                },
            }
        )
