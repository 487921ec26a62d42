"""Lines of JSON in a file: each event once, whole, on the disk before it counts as taken."""

import json
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from connector_jsonl.settings import JsonLinesSettings
from connector_jsonl.sink import JsonLines
from sending_kit import CAMPAIGN, Host, Plan, hosting, people

from connector import Connector, SinkState
from connector.http import Http
from connector.model.errors import NotTaken
from connector.testing.sink_contract import sample_events


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


def state_of(connector: Connector) -> SinkState:
    (state,) = connector.sinks()
    return state


def sink_of(file: Path, **settings: Any) -> JsonLines:
    return JsonLines(JsonLinesSettings(path=str(file), **settings), Http())


def test_a_disk_that_was_full_for_a_moment_is_written_again(host: Host, plan: Plan, file: Path) -> None:
    file.symlink_to("/dev/full")
    connector = connected(host, plan, file)
    connector.send(CAMPAIGN, people(2))
    full = state_of(connector)
    assert full.lag == 2 and full.next_try is not None
    assert full.trouble is not None and "No space left" in full.trouble
    file.unlink()
    host.clock.advance_to(full.next_try)
    connector.deliver()
    assert (state_of(connector).lag, state_of(connector).trouble) == (0, None)
    assert [line["id"] for line in lines(file)] == [event.id for event in connector.events()]


def test_of_what_did_not_fit_nothing_stays_in_the_file(file: Path) -> None:
    first, second, third = sample_events(3)
    sink = sink_of(file)
    sink.deliver([first])
    longest, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Room for one line more and half of the next.
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size * 5 // 2, most))
    try:
        with pytest.raises(NotTaken):
            sink.deliver([second, third])
        full = file.read_bytes()
        with pytest.raises(NotTaken):
            sink.deliver([second, third])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (longest, most))
    assert full.count(b"\n") == 1 and full.endswith(b"\n"), "who reads it sees whole events alone"
    sink.deliver([second, third])
    sink.close()
    assert [line["id"] for line in lines(file)] == [first.id, second.id, third.id]


def test_after_the_file_was_taken_away_a_new_one_is_begun(host: Host, plan: Plan, file: Path, tmp_path: Path) -> None:
    connector = connected(host, plan, file)
    picked = tmp_path / "picked.jsonl"
    connector.send(CAMPAIGN, people(1))
    file.rename(picked)
    connector.send({**CAMPAIGN, "name": "second"}, people(1))
    assert [[line["campaign_name"] for line in lines(each)] for each in (picked, file)] == [["opening"], ["second"]]
    file.unlink()
    connector.send({**CAMPAIGN, "name": "third"}, people(1))
    assert [line["campaign_name"] for line in lines(file)] == ["third"]
    assert state_of(connector).lag == 0


def test_what_was_written_while_the_file_was_taken_away_comes_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sample_events(2)
    sink = sink_of(file)
    sink.deliver([first])
    with monkeypatch.context() as during:
        during.setattr(os, "fsync", lambda descriptor: file.unlink())
        with pytest.raises(NotTaken, match="taken away"):
            sink.deliver([second])
    sink.deliver([second])
    sink.close()
    assert [line["id"] for line in lines(file)] == [second.id]


def test_a_long_file_that_can_not_be_renamed_is_written_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    events = sample_events(2)
    sink = sink_of(file, max_megabytes=0.0001)
    with monkeypatch.context() as during:
        during.setattr(Path, "rename", refuse)
        for event in events:
            sink.deliver([event])
    sink.close()
    assert [line["id"] for line in lines(file)] == [event.id for event in events]


def test_what_can_not_be_written_is_told_beforehand(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder,) = sink_of(file.parent).check()
    assert folder.ok is False
    assert [result.ok for result in sink_of(file).check()] == [True]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=1_000_000, used=1_000_000, free=0))
    (full,) = sink_of(file).check()
    assert full.ok is False and "full" in full.message
    assert not file.exists()


def test_standard_output(host: Host, plan: Plan, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    connector = connected(host, plan, "-")
    connector.send(CAMPAIGN, people(2))
    assert [json.loads(line)["id"] for line in capfdbinary.readouterr().out.splitlines()] == [
        event.id for event in connector.events()
    ]
