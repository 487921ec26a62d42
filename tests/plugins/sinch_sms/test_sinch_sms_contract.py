"""The SMS plugin keeps the contract of a provider, by service plan and by project."""

from typing import ClassVar

from connector_sinch.sms.provider import SinchSms
from pydantic_core import to_json

from connector.testing import ProviderContract


def delivered(key: str, number: str) -> bytes:
    return to_json(
        {
            "type": "recipient_delivery_report_sms",
            "batch_id": "B",
            "client_reference": key,
            "recipient": number,
            "code": 0,
            "status": "Delivered",
            "at": "2026-11-23T09:31:00Z",
        }
    )


class TestByPlan(ProviderContract):
    provider = SinchSms
    settings: ClassVar = {"service_plan_id": "plan", "api_token": "env:T", "region": "eu", "callback_secret": "env:S"}
    accepted = (201, {"id": "B1"})
    refused = (403, {"code": "unknown_campaign", "text": "no campaign for 12015550101"})
    delivered = staticmethod(delivered)


class TestByProject(ProviderContract):
    provider = SinchSms
    settings: ClassVar = {"project_id": "project", "key_id": "key", "key_secret": "env:K", "region": "eu"}
    addresses = ("base_url", "auth_url")
    always: ClassVar = {"/oauth2/token": (200, {"access_token": "a-token", "expires_in": 3600})}
    accepted = (201, {"id": "B1"})
    delivered = staticmethod(delivered)
