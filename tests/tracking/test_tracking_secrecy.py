"""Nothing of a person and no secret is ever in a log, whatever goes well or wrong, at any level."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from connector_sinch.sms.simulator import SmsSimulator
from pydantic_core import to_json
from receiving_kit import (
    ADA,
    BO,
    CY,
    SECRETS,
    Api,
    Clock,
    address,
    call,
    connect,
    id_of,
    inbound,
    nothing_wrong,
    receipt,
    request,
    send_to,
    signed,
    sql,
    take,
)

from connector.connector import Connector
from connector.extension import hookimpl
from connector.ledger import database
from connector.model.batch import Batch
from connector.model.outcome import Accepted, InDoubt, Refused, Scope
from connector.server.serve import serving
from connector.simulator import running

NAME = "Grace of Testing"


def people_of(*numbers: str) -> list[str]:
    """Numbers as they may be written, and the last digits, which are as good."""
    return [form for number in numbers for form in (number, number[1:], number[-8:])]


class Watched:
    """Everything that is logged, with its arguments and the whole of what was raised."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog = caplog
        caplog.set_level(logging.DEBUG, "connector")

    @property
    def text(self) -> str:
        formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
        records = [record for record in self.caplog.records if record.name.split(".")[0] == "connector"]
        return "\n".join(f"{formatter.format(record)} {record.args}" for record in records)

    def holds_none_of(self, *words: str) -> None:
        for word in words:
            assert word not in self.text, word


@pytest.fixture
def watched(caplog: pytest.LogCaptureFixture) -> Watched:
    return Watched(caplog)


def test_a_whole_campaign_against_the_simulated_api(tmp_path: Path, watched: Watched) -> None:
    simulator = SmsSimulator()
    options = simulator.Options(
        outcomes={"Delivered:0": 2, "Failed:150": 1, "Aborted:402": 1, "Unknown:155": 1},
        faults={"throttled": "1x1", "error_after": "1x1", "callback_doubled": "0.3", "listing_error": "1x1"},
        retry_seconds=0.01,
    )
    secrets = simulator.secrets(options)
    rows = [
        {"to": row["to"], "customer_id": row["customer_id"], "first_name": NAME, "code": "ABC"}
        for row, _ in zip(simulator.recipients(60), range(60), strict=False)
    ]
    numbers = [row["to"].lstrip("+") for row in rows]
    with running(simulator, options) as api:
        settings: dict[str, Any] = {
            "integrations": {"sms": simulator.settings(api, options)},
            "storage": {"url": f"sqlite:///{tmp_path / 'ledger.db'}"},
            "tracking": {"doubt_window_seconds": 0, "resend_lead_seconds": 0},
        }
        ready, done = threading.Event(), threading.Event()
        listening: list[str] = []

        def receive() -> None:
            made = Connector(settings, secrets=lambda reference: secrets[reference.removeprefix("env:")])
            with made, serving(made, with_worker=False) as url:
                listening.append(url)
                ready.set()
                done.wait(60)

        thread = threading.Thread(target=receive)
        thread.start()
        try:
            assert ready.wait(120)
            told = {**settings, "server": {"public_url": listening[0]}}
            with Connector(told, secrets=lambda reference: secrets[reference.removeprefix("env:")]) as sending:
                dispatch = sending.send({**simulator.campaign(), "max_parts": 9}, rows)
                httpx.get(f"{api}/_simulator/idle", timeout=40)
                report = dispatch.report()
                assert report.enqueued + report.skipped.total == 60
                assert report.delivered and report.failed and report.rejected
                assert nothing_wrong(sending)
        finally:
            done.set()
            thread.join()
    watched.holds_none_of(*secrets.values(), *people_of(*numbers), NAME)
    assert watched.text


@pytest.fixture
def exposed(tmp_path: Path, api: Api, clock: Clock) -> Iterator[Connector]:
    with connect(
        tmp_path,
        api,
        clock,
        callback_secret="env:NEW",
        callback_username="hooks",
        callback_password="env:PASSWORD",
    ) as made:
        yield made


def taken(connector: Connector, body: Any, clock: Clock) -> int:
    content = body if isinstance(body, bytes) else to_json(body)
    headers = signed(content, SECRETS["env:NEW"], clock())
    return asyncio.run(call(connector.asgi, address(connector), content, headers=headers)).status


def test_everything_that_can_go_wrong_with_a_report(
    exposed: Connector, api: Api, clock: Clock, watched: Watched
) -> None:
    api.send = lambda batch: InDoubt("the line broke")
    send_to(exposed, {"to": f"+{ADA}", "customer_id": "c-1"}, {"to": f"+{BO}"})
    (batch,) = api.sent
    key = {"client_reference": batch.key}
    for body in (
        b"\xff?",
        {"type": "nothing known", "number": ADA},
        receipt(ADA, "Strange status", **key),
        receipt(CY, **key),
        receipt(ADA, batch_id="01-x"),
        receipt(ADA, "Failed", 150, **key),
        receipt(ADA, at="2030-01-01T00:00:00Z", **key),
        receipt(BO, batch_id="01-another", **key),
        receipt(BO, batch_id=id_of(batch), **key),
        inbound(ADA, body=f"call me at +{CY}, {NAME}"),
    ):
        assert taken(exposed, body, clock) == 200
    headers = signed(b"{}", "a-wrong-guess", clock())
    assert asyncio.run(call(exposed.asgi, address(exposed), b"{}", headers=headers)).status == 401
    clock.go(days=6)
    exposed.work()
    watched.holds_none_of(*people_of(ADA, BO, CY), *SECRETS.values(), NAME, "a-wrong-guess")


@pytest.mark.parametrize("fault", ["constraint", "no table", "locked"])
def test_a_ledger_that_can_not_be_written(
    tmp_path: Path, api: Api, clock: Clock, watched: Watched, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.05)
    with connect(tmp_path, api, clock) as connector:
        send_to(connector, ADA)
        body = receipt(ADA, client_reference=api.sent[0].key, status_message=f"to +{BO}")
        with sql(connector) as ledger:
            if fault == "constraint":
                ledger.execute("CREATE TRIGGER t BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
            elif fault == "no table":
                ledger.execute("ALTER TABLE events RENAME TO elsewhere")
            else:
                ledger.execute("BEGIN IMMEDIATE")
            assert connector.receive(request(connector, body)).status == 503
            assert asyncio.run(call(connector.asgi, address(connector), to_json(body))).status == 503
    watched.holds_none_of(*people_of(ADA, BO), *SECRETS.values())
    assert "could not be written" in watched.text
    assert "could not be stored" in watched.text


class Careless:
    """A plugin of a host's that puts what it got into what it raises."""

    @hookimpl
    def connector_map_events(self, provider: Any, report: Any) -> Any:
        raise ValueError(f"can't read {report.body!r}")


def test_a_plugin_that_puts_people_into_its_errors(tmp_path: Path, api: Api, clock: Clock, watched: Watched) -> None:
    def send(batch: Batch) -> Any:
        raise KeyError(f"no template for {batch.recipients[0]}, token {SECRETS['env:TOKEN']}")

    api.send = send
    with connect(tmp_path, api, clock, Careless()) as connector:
        send_to(connector, ADA)
        take(connector, receipt(ADA, client_reference=api.sent[0].key))
        api.poll = lambda batch: [receipt(ADA)]
        api.find = lambda batch: send(batch)
        for _ in range(3):
            clock.go(minutes=1)
            connector.work()
    # What failed and where is told, and nothing of what it says.
    assert "KeyError" in watched.text and "ValueError" in watched.text
    assert "in connector_map_events" in watched.text
    watched.holds_none_of(*people_of(ADA), *SECRETS.values())


@pytest.mark.parametrize("scope", [Scope.recipient, Scope.campaign, Scope.account])
def test_refusals(connector: Connector, api: Api, watched: Watched, scope: Scope) -> None:
    api.send = lambda batch: Refused(scope, 400, error="syntax", comment="(number) is none", recipients=(0,))
    send_to(connector, ADA)
    api.send = lambda batch: Accepted(id_of(batch))
    watched.holds_none_of(*people_of(ADA), *SECRETS.values())
