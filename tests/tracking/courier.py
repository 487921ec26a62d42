"""A provider whose reports are receipts, word for word, and which can't be polled."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import TypeAdapter
from pydantic_core import to_json

from connector.connector import Connector
from connector.extension import CheckResult, IntegrationSettings, Provider, hookimpl
from connector.extension.plugins import Plugins
from connector.model.batch import Batch
from connector.model.callback import Request
from connector.model.codes import Catalogue, ErrorCode
from connector.model.event import Event, StatusCodeSource
from connector.model.limits import Limits
from connector.model.outcome import Accepted, Outcome, Scope
from connector.model.report import Receipt, Report

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ADA, BO, CY = "12015550101", "12015550102", "46701740605"
_RECEIPTS = TypeAdapter(list[Receipt])
_CONVERSATION = StatusCodeSource.conversation
CODES: Catalogue = {
    (_CONVERSATION, code): ErrorCode(code, _CONVERSATION, f"It is {code.lower()}.", scope=scope)
    for code, scope in {"NOT_WANTED": Scope.recipient, "NO_CHANNEL": Scope.account}.items()
}


class CourierSettings(IntegrationSettings):
    """Settings of the provider of these tests."""

    house: str = "own"


class Courier:
    """The provider's side, and its plugin."""

    def __init__(self, *, batch_recipients: int = 3) -> None:
        self.sent: list[Batch] = []
        self.now = NOW
        self.send: Callable[[Batch], Outcome] = lambda batch: Accepted(f"01-{batch.key}")
        courier = self

        class Couriers(Provider):
            name = "courier"
            title = "Courier"
            Settings = CourierSettings
            limits = Limits(batch_recipients=batch_recipients, schedules=True)
            codes = CODES
            declines: ClassVar[dict[str, str]] = {
                "verify": "not signed",
                "find": "no look-up",
                "poll": "no list",
                "inbound": "no list",
            }

            def __init__(self, integration: Any, http: Any) -> None:
                self._house = integration.settings.house

            @property
            def account(self) -> str:
                return f"courier:{self._house}"

            def check(self) -> list[CheckResult]:
                return []

            def send(self, batch: Batch) -> Outcome:
                courier.sent.append(batch)
                return courier.send(batch)

            def cancel(self, provider_batch_id: str) -> bool:
                return True

            def parse(self, report: Report) -> list[Receipt]:
                return _RECEIPTS.validate_json(report.body)

        self.provider = Couriers

    @hookimpl
    def connector_provider(self) -> type[Provider]:
        return self.provider

    def connect(self, folder: Any, *names: str, **more: str) -> Connector:
        """A connector with integrations of these names, all of one account; those of `more` name their own."""
        settings = {
            "integrations": {name: {"provider": "courier"} for name in names or ("house",)}
            | {name: {"provider": "courier", "house": house} for name, house in more.items()},
            "defaults": {"integration": (names or ("house",))[0]},
            "storage": {"url": f"sqlite:///{folder / 'ledger.db'}"},
            "server": {"public_url": "https://hooks.example.com"},
        }
        plugins = Plugins([self], installed=False)
        return Connector(settings, plugins=plugins, secrets={}.__getitem__, clock=lambda: self.now)

    def go(self, **by: float) -> None:
        self.now += timedelta(**by)

    def message_of(self, person: str) -> str:
        """Our id of the last message to a person, as it travelled."""
        batch = next(batch for batch in reversed(self.sent) if person in batch.recipients)
        return batch.message_ids[list(batch.recipients).index(person)]

    def key_of(self, person: str) -> str:
        return next(batch.key for batch in reversed(self.sent) if person in batch.recipients)


def send_to(connector: Connector, *people: str, **campaign: Any) -> Any:
    given = {"name": "spring", "message": {"text": "Hello"}, **campaign}
    dispatch = connector.send(given, [{"to": f"+{person}"} for person in people], again=True, drain=False)
    connector.work()
    return dispatch


def take(connector: Connector, *receipts: Receipt, integration: str = "house") -> None:
    path = urlsplit(connector.callback_addresses()[integration]).path
    response = connector.receive(Request("POST", path, {}, to_json(list(receipts))))
    assert response.status == 200, response


def told(connector: Connector, person: str | None = None) -> list[Event]:
    events = connector.events(limit=10_000)
    return [event for event in events if person is None or event.recipient == person]
