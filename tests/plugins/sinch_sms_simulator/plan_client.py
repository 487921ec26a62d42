"""Talking to a simulated service plan as any client of the SMS API would."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

ANNA, BERT, CARA = "12015550123", "12015550124", "12015550125"


def a_batch(**fields: Any) -> dict[str, Any]:
    """A batch that is accepted, with some fields changed; None leaves one out."""
    batch = {"type": "mt_text", "to": [ANNA, BERT], "from": "Bookshop", "body": "Your order has left.", **fields}
    return {name: value for name, value in batch.items() if value is not None}


def later(**ahead: float) -> str:
    """A time in the future, as a request has it."""
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of an answer that must be a refusal with a text."""
    told = answer.json()
    assert set(told) == {"code", "text"}
    assert told["text"]
    return answer.status_code, told["code"]


@dataclass
class Plan:
    http: httpx.Client
    path: str

    def post(self, batch: dict[str, Any]) -> httpx.Response:
        return self.http.post(f"{self.path}/batches", json=batch)

    def send(self, **fields: Any) -> dict[str, Any]:
        """Send a batch that must be accepted; gives it as answered."""
        answer = self.post(a_batch(**fields))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def get(self, path: str, **query: Any) -> Any:
        answer = self.http.get(f"{self.path}/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, method: str, path: str, content: Any = None, **query: Any) -> httpx.Response:
        return self.http.request(method, f"{self.path}/{path}", json=content, params=query)

    def group(self, **fields: Any) -> dict[str, Any]:
        """Make a group that must be taken; gives it as answered."""
        answer = self.call("POST", "groups", fields)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def written(self, **fields: Any) -> dict[str, Any]:
        """Let a person write; gives the message."""
        answer = self.http.post("/_simulator/inbound", json=fields)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def idle(self) -> None:
        assert self.http.get("/_simulator/idle").status_code == 200

    def hold(self, point: str) -> None:
        assert self.http.post("/_simulator/hold", json={"at": point}).status_code == 200

    def release(self) -> None:
        assert self.http.post("/_simulator/release").status_code == 200

    def account(self) -> dict[str, Any]:
        return self.http.get("/_simulator/account").json()
