"""What the tests of receiving share: a provider that does what a test says, and bodies as the SMS API writes them.

The provider sends, is looked up, polled and cancelled as the test tells it to; what it reports and how it signs is
the Sinch SMS plugin's own reading.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from connector_sinch.signature import ALGORITHM, HMAC_SHA256, NONCE, SIGNATURE, TIMESTAMP, sign
from connector_sinch.sms.provider import SinchSms
from connector_sinch.sms.settings import SmsSettings
from pydantic_core import to_json

from connector.connector import Connector, Dispatch
from connector.extension import CheckResult, Provider, hookimpl
from connector.extension.plugins import Plugins
from connector.model.batch import Batch
from connector.model.callback import Request, Response
from connector.model.event import RANK, Event, EventKind, Status
from connector.model.limits import Limits
from connector.model.outcome import Accepted, Found, FoundState, Outcome
from connector.model.report import Report as Reported
from connector.model.report import ReportSource
from connector.report import Report

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ADA, BO, CY, DI, EM = "12015550101", "12015550102", "46701740605", "46701740606", "61491570156"
SECRETS = {"env:TOKEN": "token-of-tests", "env:OLD": "old-signing-secret", "env:NEW": "new-signing-secret"}
SECRETS["env:PASSWORD"] = "password:of-tests"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def go(self, **by: float) -> None:
        self.now += timedelta(**by)


class OwnSettings(SmsSettings):
    """Settings of the provider of these tests."""


def id_of(batch: Batch) -> str:
    """The id that the provider gives a batch's first copy."""
    return f"01-{batch.key}"


class Api:
    """A plugin whose provider does what a test says."""

    def __init__(self, *, batch_recipients: int = 1000) -> None:
        self.sent: list[Batch] = []
        self.polled = 0
        self.cancelled: list[str] = []
        self.wrong: list[BaseException] = []
        """What a test found wrong from within these calls, whose errors are taken for those of a plugin."""
        self.send: Callable[[Batch], Any] = lambda batch: Accepted(id_of(batch))
        self.find: Callable[[Batch], Found] = lambda batch: Found(FoundState.accepted, (id_of(batch),))
        self.poll: Callable[[Batch], Iterable[dict[str, Any]]] = lambda batch: [batch_report(batch, {})]
        self.inbound: Callable[[datetime], Iterable[dict[str, Any]]] = lambda since: []
        """The pages of what people wrote since a time, as the API writes them."""
        self.cancel: Callable[[str], bool] = lambda provider_batch_id: True
        api = self

        class Scripted(SinchSms):
            name = "scripted-sms"
            title = "SMS as a test says"
            Settings = OwnSettings
            limits: Limits = replace(SinchSms.limits, batch_recipients=batch_recipients)

            def check(self) -> list[CheckResult]:
                return [CheckResult("credentials", True, "They are right.")]

            def send(self, batch: Batch) -> Outcome:
                api.sent.append(batch)
                with api.minding():
                    outcome: Outcome = api.send(batch)
                return outcome

            def find(self, batch: Batch) -> Found:
                with api.minding():
                    return api.find(batch)

            def poll(self, batch: Batch) -> Iterator[Reported]:
                api.polled += 1
                clock = batch.attempt.deadline.clock
                with api.minding():
                    for body in api.poll(batch):
                        closes = body.get("type") == "delivery_report_sms"
                        yield Reported(ReportSource.poll, to_json(body), clock(), batch_key=batch.key, closes=closes)

            def inbound(self, since: datetime) -> Iterator[Reported]:
                for body in api.inbound(since):
                    yield Reported(ReportSource.poll, to_json(body), NOW)

            def cancel(self, provider_batch_id: str) -> bool:
                api.cancelled.append(provider_batch_id)
                with api.minding():
                    return api.cancel(provider_batch_id)

        self.provider: type[Provider] = Scripted

    @contextmanager
    def minding(self) -> Iterator[None]:
        try:
            yield
        except (AssertionError, pytest.fail.Exception) as error:
            self.wrong.append(error)
            raise

    @hookimpl
    def connector_provider(self) -> type[Provider]:
        return self.provider


def settings_of(path: Path, **integration: Any) -> dict[str, Any]:
    """A configuration with the integration `sms` of the scripted provider."""
    given = {"provider": "scripted-sms", "service_plan_id": "plan-a", "api_token": "env:TOKEN", "region": "eu"}
    return {
        "integrations": {"sms": {**given, **integration}},
        "storage": {"url": f"sqlite:///{path / 'ledger.db'}"},
        "server": {"public_url": "https://hooks.example.com"},
    }


def connect(path: Path, api: Api, clock: Callable[[], datetime], *more: object, **integration: Any) -> Connector:
    """A connector on a ledger in `path`; the secrets are `SECRETS`."""
    return Connector(
        settings_of(path, **integration),
        plugins=Plugins([api, *more], installed=False),
        secrets=SECRETS.__getitem__,
        clock=clock,
    )


def send_to(connector: Connector, *people: str | Mapping[str, Any], name: str = "spring", **campaign: Any) -> Dispatch:
    """Send a campaign to people, each a number or a row, as far as it goes without the clock moving."""
    rows = [{"to": f"+{person}"} if isinstance(person, str) else person for person in people]
    given = {"name": name, "message": {"text": "Hello"}, "sender": "Shop", **campaign}
    dispatch = connector.send(given, rows, again=True, drain=False)
    connector.work()
    return dispatch


def receipt(person: str, status: str = "Delivered", code: int = 0, **changes: Any) -> dict[str, Any]:
    """A delivery report for one person; a field that is None is left out."""
    body = {
        "type": "recipient_delivery_report_sms",
        "recipient": person,
        "status": status,
        "code": code,
        "at": "2026-11-23T09:31:00.000Z",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def batch_report(batch: Batch, people: Mapping[str, tuple[str, int]], **changes: Any) -> dict[str, Any]:
    """A batch's own report, which has no times: person to status and code."""
    return {
        "type": "delivery_report_sms",
        "batch_id": batch.provider_batch_id or id_of(batch),
        "client_reference": batch.key,
        "total_message_count": len(batch.recipients),
        "statuses": [
            {"status": status, "code": code, "count": 1, "recipients": [person]}
            for person, (status, code) in people.items()
        ],
        **changes,
    }


def inbound(person: str, identity: str = "01REPLY", **changes: Any) -> dict[str, Any]:
    """A text from a person."""
    return {
        "type": "mo_text",
        "id": identity,
        "from": person,
        "to": "12015550199",
        "body": "Yes please",
        "received_at": "2026-11-23T10:00:00.000Z",
        **changes,
    }


def address(connector: Connector, integration: str = "sms") -> str:
    """The path where an integration's callbacks come in."""
    return urlsplit(connector.callback_addresses()[integration]).path


def request(
    connector: Connector,
    body: Any,
    *,
    key: str | None = None,
    integration: str = "sms",
    headers: Mapping[str, str] | None = None,
) -> Request:
    path = address(connector, integration) + (f"/{key}" if key else "")
    return Request("POST", path, dict(headers or {}), body if isinstance(body, bytes) else to_json(body))


def take(connector: Connector, body: Any, **where: Any) -> Response:
    """Hand a callback over, and see it stored."""
    response = connector.receive(request(connector, body, **where))
    assert response.status == 200, response
    return response


async def call(
    app: Any,
    path: str,
    *chunks: bytes,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    prefix: str = "",
) -> Response:
    """One request to an ASGI application, in its own event loop."""
    arriving: list[dict[str, Any]] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    arriving.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return arriving.pop(0) if arriving else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    given = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": method, "path": path, "root_path": prefix, "headers": given, "query_string": b""}
    await app(scope, receive, send)
    return Response(sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]))


def signed(body: bytes, secret: str, at: datetime, nonce: str = "01NONCE") -> dict[str, str]:
    """The headers of a signed callback."""
    timestamp = str(int(at.timestamp()))
    return {
        SIGNATURE: sign(secret, body, nonce, timestamp),
        NONCE: nonce,
        TIMESTAMP: timestamp,
        ALGORITHM: HMAC_SHA256,
    }


def told(connector: Connector) -> list[Event]:
    """The whole log."""
    return connector.events(limit=1_000_000)


def statuses(connector: Connector, person: str) -> list[str]:
    """What happened to a person, in order."""
    return [event.status.value for event in told(connector) if event.recipient == person]


def nothing_wrong(connector: Connector) -> bool:
    """Whether every sum of every dispatch closes."""
    wrong = {dispatch: found for dispatch, found in connector.verify().items() if found}
    assert wrong == {}
    return True


def replayed(events: Iterable[Event]) -> dict[str, int]:
    """The funnel of a dispatch that its events tell, by nothing else than their statuses."""
    state: dict[str | None, str] = {}
    for event in events:
        if event.kind is EventKind.message:
            before = state.get(event.message_id)
            if before is None or before not in RANK or RANK[Status(before)] < RANK[event.status]:
                state[event.message_id] = event.status
    count = Counter(state.values())
    funnel = {name: count[name] for name in ("enqueue_failed", "unknown", "unconfirmed", "rejected", "failed", "read")}
    funnel |= {"skipped": count["skipped"], "open": count["enqueued"], "delivered": count["delivered"] + count["read"]}
    funnel["enqueued"] = sum(funnel[name] for name in ("open", "unconfirmed", "rejected", "failed", "delivered"))
    return funnel


def reported(report: Report) -> dict[str, int]:
    """The same funnel as a report tells it; its sums close."""
    funnel = {name: report.as_dict()[name] for name in replayed([])} | {"skipped": report.skipped.total}
    before = report.waiting + report.sending + report.in_doubt
    assert report.recipients == before + sum(funnel[n] for n in ("skipped", "enqueue_failed", "unknown", "enqueued"))
    assert funnel["enqueued"] == sum(funnel[n] for n in ("open", "unconfirmed", "rejected", "failed", "delivered"))
    return funnel


@contextmanager
def sql(connector: Connector) -> Iterator[sqlite3.Connection]:
    """The ledger, behind the connector's back."""
    with closing(sqlite3.connect(connector.ledger.path, isolation_level=None)) as connection:
        yield connection


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    assert made.wrong == []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connector(tmp_path: Path, api: Api, clock: Clock) -> Iterator[Connector]:
    with connect(tmp_path, api, clock) as made:
        yield made
