"""Lines of JSON in a file: each event once, whole, on the disk before it counts as taken."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Host, Plan, hosting, people

from connector import Connector


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield from hosting(tmp_path)


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def connected(host: Host, plan: Plan, file: Path | str, **settings: Any) -> Connector:
    return host.connector(plan, sinks={"file": {"sink": "jsonl", "path": str(file), **settings}})


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_each_event_is_a_line(host: Host, plan: Plan, file: Path) -> None:
    connector = connected(host, plan, file)
    connector.send(CAMPAIGN, people(3))
    assert [line["id"] for line in lines(file)] == [event.id for event in connector.events()]
    first = lines(file)[0]
    assert (first["status"], first["customer_id"], first["recipient"]) == ("enqueued", "c-0", people(1)[0]["to"][1:])
    assert None not in first.values()


def test_fields_are_renamed_or_left_out(host: Host, plan: Plan, file: Path) -> None:
    connector = connected(host, plan, file, properties={"status": "what", "recipient": ""})
    connector.send(CAMPAIGN, people(1))
    (line,) = lines(file)
    assert line["what"] == "enqueued"
    assert not line.keys() & {"status", "recipient"}


def test_a_long_file_is_put_aside(host: Host, plan: Plan, file: Path) -> None:
    connector = connected(host, plan, file, max_megabytes=0.0001)
    connector.send(CAMPAIGN, people(1))
    connector.send({**CAMPAIGN, "name": "second"}, people(1))
    aside = sorted(file.parent.glob("events-*.jsonl"))
    assert [lines(each)[0]["campaign_name"] for each in aside] == ["opening", "second"]
    assert not file.exists()


def test_half_a_line_of_a_process_that_died_is_taken_back(host: Host, plan: Plan, file: Path) -> None:
    file.write_text('{"id": "whole"}\n{"id": "ha')
    connector = connected(host, plan, file)
    connector.send(CAMPAIGN, people(1))
    assert [line["id"] for line in lines(file)] == ["whole", connector.events()[0].id]


def test_what_can_not_be_written_waits(host: Host, plan: Plan, tmp_path: Path) -> None:
    connector = connected(host, plan, tmp_path / "missing" / "events.jsonl")
    connector.send(CAMPAIGN, people(1))
    (state,) = connector.sinks()
    assert state.lag == 1 and state.trouble is not None and "can't be written" in state.trouble
    assert [each.result for each in connector.try_sink("file")] == ["wrong", "wrong"]
    (tmp_path / "missing").mkdir()
    connector.resume_sink("file")
    connector.deliver()
    assert len(lines(tmp_path / "missing" / "events.jsonl")) == 1
    assert [each.result for each in connector.try_sink("file")] == ["ok"]


def test_standard_output(host: Host, plan: Plan, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    connector = connected(host, plan, "-")
    connector.send(CAMPAIGN, people(2))
    assert [json.loads(line)["id"] for line in capfdbinary.readouterr().out.splitlines()] == [
        event.id for event in connector.events()
    ]
