"""Health, readiness and counts, for those who watch the server."""

import asyncio
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from connector_jsonl import plugin as jsonl
from receiving_kit import ADA, Api, Clock, address, call, connect, receipt, send_to, settings_of, sql

from connector.connector import Connector
from connector.extension.plugins import Plugins
from connector.extension.sink import DeadLetter, Sink
from connector.model.errors import NotFound, SinkStopped, WorkerBusy
from connector.model.event import Event, Status
from connector.server.app import Server
from connector.server.serve import serving

SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?[\d.]+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
UNESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Samples of Prometheus' text format, checked as a scraper does: every line, and a type before each metric."""
    assert text.endswith("\n")
    types: dict[str, str] = {}
    samples = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge")
            types[name] = kind
        elif line.startswith("# HELP "):
            assert line.split(" ", 3)[3]
        else:
            match = SAMPLE.match(line)
            assert match, line
            assert match[1] in types
            labels = {
                name: re.sub(r"\\.", lambda found: UNESCAPED[found[0]], value)
                for name, value in LABEL.findall(match[2] or "")
            }
            at = (match[1], frozenset(labels.items()))
            assert at not in samples
            samples[at] = float(match[3])
    return samples


@pytest.fixture
def web(connector: Connector) -> Iterator[httpx.Client]:
    with serving(connector, with_worker=False) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def test_a_server_that_is_well(web: httpx.Client) -> None:
    assert (web.get("/healthz").status_code, web.get("/readyz").status_code) == (200, 200)
    assert web.get("/healthz?verbose=1").text == "ok\n"


def test_it_is_not_ready_while_the_ledger_can_not_be_used(
    web: httpx.Client, connector: Connector, caplog: pytest.LogCaptureFixture
) -> None:
    send_to(connector, ADA)
    for file in connector.ledger.path.parent.glob("ledger.db*"):
        if file.suffix != ".lock":
            file.write_bytes(b"This was a ledger once. " * 1000)
    for page in ("/readyz", "/metrics"):
        answer = web.get(page)
        assert answer.status_code == 503
        assert answer.text.startswith("The ledger ")
        assert "Traceback" not in answer.text
    assert web.post(address(connector), content=b"{}").status_code == 503
    assert web.get("/healthz").status_code == 200
    assert "can't be used" in caplog.text


def test_a_ledger_that_was_made_by_a_newer_version(tmp_path: Path, api: Api, clock: Clock) -> None:
    with connect(tmp_path, api, clock) as connector:
        connector.prepare()
        with sql(connector) as ledger:
            ledger.execute("UPDATE alembic_version SET version_num = '9999'")
    with connect(tmp_path, api, clock) as connector:
        answer = asyncio.run(call(Server(connector), "/readyz", method="GET"))
        assert answer.status == 503
        assert b"newer connector" in answer.body


def test_counts_are_in_prometheus_text(web: httpx.Client, connector: Connector, api: Api) -> None:
    send_to(connector, ADA)
    path = address(connector)
    for body in (b"?", b"?", receipt(ADA, client_reference="nobody")):
        web.post(path, **({"content": body} if isinstance(body, bytes) else {"json": body}))
    answer = web.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = parsed(answer.text)
    of = {"integration": "sms"}
    assert samples["connector_reports_total", frozenset((of | {"what": "unreadable"}).items())] == 2
    assert samples["connector_reports_total", frozenset((of | {"what": "unmatched"}).items())] == 1
    assert samples["connector_unmatched_reports", frozenset()] == 1
    assert samples["connector_worker_running", frozenset()] == 0


class Picky(Sink):
    """Refuses one status for good, and everything once its credentials are refused."""

    def __init__(self) -> None:
        self.is_locked = False

    def deliver(self, events: Sequence[Event]) -> list[DeadLetter]:
        if self.is_locked:
            raise SinkStopped("Who are you?")
        return [DeadLetter(event, "No.") for event in events if event.status is Status.enqueued]


def test_how_sinks_do(tmp_path: Path, api: Api, clock: Clock) -> None:
    picky = Picky()
    plugins = Plugins([api], installed=False)
    with Connector(
        settings_of(tmp_path), plugins=plugins, secrets=lambda _: "s", clock=clock, sinks={"crm": picky}
    ) as connector:

        def told() -> dict[str, float]:
            text = asyncio.run(call(Server(connector), "/metrics", method="GET")).body.decode()
            of = frozenset({("sink", "crm")})
            return {
                name.removeprefix("connector_sink_"): value for (name, by), value in parsed(text).items() if by == of
            }

        well = {"waiting_events": 0, "replaying_events": 0, "refused_events": 0, "failures": 0, "stopped": 0}
        assert told() == well
        send_to(connector, ADA)
        assert told() == well | {"refused_events": 1}
        picky.is_locked = True
        send_to(connector, ADA)
        assert told() == well | {"waiting_events": 1, "refused_events": 1, "failures": 1, "stopped": 1}
        connector.replay("crm")
        connector.replay_refused("crm")
        assert told()["replaying_events"] == 2, "what was refused, too"


def test_only_sinks_that_are_configured_are_named(tmp_path: Path, api: Api, clock: Clock) -> None:
    given: dict[str, Any] = {
        "plugins": Plugins([api, jsonl], installed=False),
        "secrets": lambda _: "s",
        "clock": clock,
    }
    settings = settings_of(tmp_path)
    log = {"log": {"sink": "jsonl", "path": str(tmp_path / "events.jsonl")}}

    def named(connector: Connector) -> set[str]:
        text = asyncio.run(call(Server(connector), "/metrics", method="GET")).body.decode()
        return {value for _, labels in parsed(text) for label, value in labels if label == "sink"}

    with Connector({**settings, "sinks": log}, sinks={"crm": Picky()}, **given) as program:
        send_to(program, ADA)
        assert named(program) == {"log", "crm"}
    with Connector(settings, **given) as server:
        assert named(server) == {"crm"}, "a program hands it over, whose sinks no configuration names"
        assert server.forget_sink("crm") == 1
        assert named(server) == set()
        with pytest.raises(NotFound):
            server.forget_sink("crm")


def test_a_sink_that_is_forgotten_gets_nothing_from_a_process_that_still_has_it(
    tmp_path: Path, api: Api, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    given: dict[str, Any] = {"plugins": Plugins([api], installed=False), "secrets": lambda _: "s", "clock": clock}
    with (
        Connector(settings_of(tmp_path), sinks={"crm": Picky()}, **given) as program,
        Connector(settings_of(tmp_path), **given) as other,
    ):
        send_to(program, ADA)
        with other.ledger.hold("sink-crm"), pytest.raises(WorkerBusy, match="just now"):
            other.forget_sink("crm")
        other.forget_sink("crm")
        send_to(program, ADA)
        assert program.sinks() == []
    assert "The sink crm was forgotten" in caplog.text and "Traceback" not in caplog.text
    with Connector(settings_of(tmp_path), sinks={"crm": Picky()}, **given) as program:
        assert program.sinks()[0].lag == 0, "it begins anew"


def test_names_that_need_care(tmp_path: Path, api: Api, clock: Clock) -> None:
    settings = settings_of(tmp_path)
    name = 'shop "Ü"\\\n2'
    settings["integrations"] = {name: settings["integrations"]["sms"]}
    with Connector(settings, plugins=Plugins([api], installed=False), secrets=lambda _: "s", clock=clock) as made:
        asyncio.run(call(Server(made), address(made, name), b"?"))
        samples = parsed(asyncio.run(call(Server(made), "/metrics", method="GET")).body.decode())
        assert samples["connector_reports_total", frozenset({"integration": name, "what": "unreadable"}.items())] == 1


def test_a_worker_beside_the_server_shows(connector: Connector) -> None:
    pause = threading.Event()
    with serving(connector) as url:
        looks = (pause.wait(0.02) or httpx.get(f"{url}/metrics").text for _ in range(1000))
        assert any("connector_worker_running 1" in text for text in looks)
    assert not connector.worker_is_running()


@pytest.mark.parametrize("keeps", [True, False], ids=["prefix in the path", "prefix taken off"])
@pytest.mark.parametrize("page", ["/healthz", "/readyz", "/metrics"])
def test_pages_under_a_prefix(connector: Connector, page: str, keeps: bool) -> None:
    path = f"/hooks{page}" if keeps else page
    assert asyncio.run(call(Server(connector), path, method="GET", prefix="/hooks")).status == 200
    assert asyncio.run(call(Server(connector), f"/other{page}", method="GET", prefix="/hooks")).status == 404


def test_the_mounted_callbacks_alone_have_no_pages(connector: Connector) -> None:
    """A host that mounts `connector.asgi` has its own."""
    assert asyncio.run(call(connector.asgi, "/healthz", method="GET")).status == 404
