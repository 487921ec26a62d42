"""Track calls in a Segment workspace: each event once by its id, nothing that would be dropped there without a word."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from connector_segment.simulator import SIMULATOR, WRITE_KEY, SegmentOptions
from connector_segment.sink import Segment
from pydantic_core import to_json
from sending_kit import CAMPAIGN, Host, Plan, hosting, people

from connector import ConfigurationError, Connector, RecipientsError
from connector.http import Client
from connector.simulator import running
from connector.testing.sink_contract import SinkContract

SECRETS = {WRITE_KEY: SegmentOptions().write_key, "HASH_KEY": "sesame"}


class Workspace:
    """What a test sees of the simulated workspace."""

    def __init__(self, base_url: str) -> None:
        self.settings = SIMULATOR.settings(base_url, SegmentOptions())
        self.client = Client(base_url)

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/_simulator/batches").json()["batches"]
        return found

    @property
    def account(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/_simulator/account").json()
        return found

    def faults(self, **faults: str | float) -> None:
        self.client.post_repeatable("/_simulator/faults", to_json(faults))


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with running(SIMULATOR, SegmentOptions()) as base_url:
        made = Workspace(base_url)
        yield made
        made.client.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield from hosting(tmp_path)


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


def connected(host: Host, plan: Plan, workspace: Workspace, **settings: Any) -> Connector:
    return host.connector(plan, more_secrets=SECRETS, sinks={"cdp": {**workspace.settings, **settings}})


def test_each_event_is_a_track_call(host: Host, plan: Plan, workspace: Workspace) -> None:
    connector = connected(host, plan, workspace, properties={"status": "what", "recipient": ""})
    connector.send(CAMPAIGN, people(2))
    first, second = workspace.events
    assert {first["messageId"], second["messageId"]} == {event.id for event in connector.events()}
    assert (first["type"], first["event"], first["userId"]) == ("track", "SMS Enqueued", "c-0")
    assert (first["properties"]["what"], "recipient" in first["properties"]) == ("enqueued", False)


def test_where_an_answer_is_lost_the_id_keeps_it_single(host: Host, plan: Plan, workspace: Workspace) -> None:
    connector = connected(host, plan, workspace, events={"enqueued": "Message Sent"})
    workspace.faults(error_after="1x1")
    connector.send(CAMPAIGN, people(3))
    connector.resume_sink("cdp")
    connector.deliver()
    assert workspace.account["accepted_once"] == 0, "all came twice"
    assert [event["event"] for event in workspace.events] == ["Message Sent"] * 3
    assert connector.sinks()[0].lag == 0


def test_what_would_be_dropped_is_kept_as_refused(host: Host, plan: Plan, workspace: Workspace) -> None:
    rows = people(3)
    connector = connected(host, plan, workspace)
    connector.send(CAMPAIGN, [rows[0], {**rows[1], "metadata": {"note": "x" * 40_000}}, rows[2]])
    (refused,) = connector.refused_events("cdp")
    assert "32 KB" in refused.reason
    assert len(workspace.events) == 2


def test_long_calls_go_in_several_requests(host: Host, plan: Plan, workspace: Workspace) -> None:
    connector = connected(host, plan, workspace)
    connector.send({**CAMPAIGN, "metadata": {"note": "x" * 20_000}}, people(60))
    assert len(workspace.events) == 60
    assert workspace.account["requests"] == {"200": 3}


def test_recipients_without_an_id(host: Host, plan: Plan, workspace: Workspace) -> None:
    (row,) = people(1)
    nameless = [{**row, "customer_id": ""}]
    with pytest.raises(RecipientsError):
        connected(host, plan, workspace).send(CAMPAIGN, nameless)
    connected(host, plan, workspace, without_id="leave_out").send(CAMPAIGN, nameless)
    assert workspace.events == []
    hashed = {"recipient": "hashed", "recipient_key": "env:HASH_KEY"}
    connector = connected(host, plan, workspace, without_id="anonymous", **hashed)
    connector.send({**CAMPAIGN, "name": "second"}, nameless)
    (event,) = workspace.events
    assert len(event["anonymousId"]) == 64 and "userId" not in event
    with pytest.raises(ConfigurationError):
        connected(host, plan, workspace, without_id="anonymous", recipient="left_out")


class TestContract(SinkContract):
    offered = Segment

    @pytest.fixture(autouse=True)
    def _beside(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @property
    def settings(self) -> dict[str, Any]:
        return {name: value for name, value in self.workspace.settings.items() if name != "sink"}

    @property
    def secrets(self) -> dict[str, str]:
        return {f"env:{WRITE_KEY}": SECRETS[WRITE_KEY]}

    def received(self) -> Sequence[str]:
        return [event["messageId"] for event in self.workspace.events]

    @contextmanager
    def away(self) -> Iterator[None]:
        self.workspace.faults(throttled=1)
        yield
        self.workspace.faults()
