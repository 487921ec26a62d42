"""Talking to a simulated project as any client of the Conversation API would."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from callback_receiver import Receiver

ANNA, BERT, CARA = "12015550123", "12015550124", "12015550125"
TEXT = {"text_message": {"text": "Your order has left."}}
TEMPLATE = {
    "template_message": {"channel_template": {"WHATSAPP": {"template_id": "order_left", "language_code": "en_US"}}}
}


def on(identity: str, *channels: str) -> dict[str, Any]:
    """A recipient with an identity on these channels."""
    return {"identified_by": {"channel_identities": [{"channel": each, "identity": identity} for each in channels]}}


def later(**ahead: float) -> str:
    """A time in the future, as a request has it."""
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """The status and the word of an answer that must be a refusal with a message."""
    error = answer.json()["error"]
    assert (error["code"], error["details"]) == (answer.status_code, [])
    assert error["message"]
    return answer.status_code, error["status"]


def told(receiver: Receiver, payload: str) -> list[dict[str, Any]]:
    """The payloads of this name that were called back."""
    bodies = [json.loads(received.body) for received in receiver.received]
    return [body[payload] for body in bodies if payload in body]


def course(receiver: Receiver) -> list[tuple[str, ...]]:
    """Channel, status and reason of each report on messages."""
    reports = told(receiver, "message_delivery_report")
    return [
        (each["channel_identity"]["channel"], each["status"], *([each["reason"]["code"]] if "reason" in each else []))
        for each in reports
    ]


@dataclass
class Project:
    http: httpx.Client
    options: Any

    @property
    def app_id(self) -> str:
        return self.options.app_id

    def call(self, method: str, path: str, content: Any = None, *, version: int = 1, **query: Any) -> httpx.Response:
        path = f"/v{version}/projects/{self.options.project_id}/{path}"
        return self.http.request(method, path, json=content, params=query)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.call("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def made(self, path: str, content: dict[str, Any], **more: Any) -> Any:
        """Make something that must be taken; gives the answer."""
        answer = self.call("POST", path, content, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def a_message(self, **fields: Any) -> dict[str, Any]:
        """A request to send that is accepted, with some fields changed; None leaves one out."""
        request = {"app_id": self.app_id, "recipient": on(ANNA, "SMS"), "message": TEXT, **fields}
        return {name: value for name, value in request.items() if value is not None}

    def send(self, **fields: Any) -> str:
        """Send a message that must be accepted, and wait for its end; gives its ID."""
        message_id = self.made("messages:send", self.a_message(**fields))["message_id"]
        self.idle()
        return str(message_id)

    def a_batch(self, **fields: Any) -> dict[str, Any]:
        request = {
            "app_id": self.app_id,
            "message": TEXT,
            "recipient_and_params": [{"recipient": on(each, "SMS")} for each in (ANNA, BERT)],
            **fields,
        }
        return {name: value for name, value in request.items() if value is not None}

    def send_batch(self, **fields: Any) -> dict[str, Any]:
        return self.made("messages", self.a_batch(**fields))

    def found(self, key: str, value: str) -> list[dict[str, Any]]:
        """The batches that carry this in their metadata."""
        return self.get("messages", metadataKey=key, metadataValue=value)

    def written(self, **fields: Any) -> dict[str, Any]:
        """Let a person write, and wait until it is called back."""
        answer = self.http.post("/_simulator/inbound", json=fields)
        assert answer.status_code == 201, answer.text
        self.idle()
        return answer.json()

    def idle(self) -> None:
        assert self.http.get("/_simulator/idle").status_code == 200

    def hold(self, point: str) -> None:
        assert self.http.post("/_simulator/hold", json={"at": point}).status_code == 200

    def release(self) -> None:
        assert self.http.post("/_simulator/release").status_code == 200

    def account(self) -> dict[str, Any]:
        return self.http.get("/_simulator/account").json()
