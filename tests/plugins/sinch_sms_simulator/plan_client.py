"""Talking to a simulated service plan as any client of the SMS API would."""

from dataclasses import dataclass
from typing import Any

import httpx

ANNA, BERT, CARA = "12015550123", "12015550124", "12015550125"


def a_batch(**fields: Any) -> dict[str, Any]:
    """A batch that is accepted, with some fields changed; None leaves one out."""
    batch = {"type": "mt_text", "to": [ANNA, BERT], "from": "Bookshop", "body": "Your order has left.", **fields}
    return {name: value for name, value in batch.items() if value is not None}


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

    def idle(self) -> None:
        assert self.http.get("/_simulator/idle").status_code == 200

    def hold(self, point: str) -> None:
        assert self.http.post("/_simulator/hold", json={"at": point}).status_code == 200

    def release(self) -> None:
        assert self.http.post("/_simulator/release").status_code == 200

    def account(self) -> dict[str, Any]:
        return self.http.get("/_simulator/account").json()
