"""What hooks may do to a dispatch and to a report, and what the connector makes of hooks that misbehave."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from receiving_kit import (
    ADA,
    BO,
    Api,
    Clock,
    connect,
    id_of,
    nothing_wrong,
    receipt,
    send_to,
    statuses,
    take,
)

from connector.extension import hookimpl
from connector.ledger.tables import WhyKept
from connector.model.batch import Batch
from connector.model.errors import Stopped
from connector.model.event import Status
from connector.model.outcome import Accepted
from connector.model.report import Receipt, ReceiptKind


class Watching:
    """A host's own wrapper around every dispatch."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @hookimpl(wrapper=True)
    def connector_dispatch(self, batch: Batch) -> Iterator[None]:
        self.seen.append(list(batch.recipients))
        outcome = yield
        self.seen.append(outcome)
        return outcome


def test_a_wrapper_watches_every_dispatch(tmp_path: Path, api: Api, clock: Clock) -> None:
    watching = Watching()
    with connect(tmp_path, api, clock, watching) as connector:
        dispatch = send_to(connector, ADA, BO)
        assert dispatch.report().enqueued == 2
    assert watching.seen == [[ADA, BO], Accepted(id_of(api.sent[0]))]


def test_a_wrapper_stops_a_dispatch_before_anything_leaves(tmp_path: Path, api: Api, clock: Clock) -> None:
    class Stopping:
        @hookimpl(wrapper=True)
        def connector_dispatch(self, batch: Batch) -> Iterator[None]:
            if allowed:
                return (yield)
            raise Stopped("The budget of this month is spent.")

    allowed: list[bool] = []
    with connect(tmp_path, api, clock, Stopping()) as connector:
        dispatch = send_to(connector, ADA)
        report = dispatch.report()
        assert (report.state, report.cause, report.waiting) == ("paused", "The budget of this month is spent.", 1)
        assert api.sent == []
        allowed.append(True)
        dispatch.resume()
        connector.work()
        assert dispatch.report().enqueued == 1
        assert nothing_wrong(connector)


@pytest.mark.parametrize("answer", ["accepted", {"id": "01"}, True, 7])
def test_an_answer_that_is_no_outcome_is_in_doubt_and_names_the_plugin(
    tmp_path: Path, api: Api, clock: Clock, answer: Any
) -> None:
    api.send = lambda batch: answer
    with connect(tmp_path, api, clock) as connector:
        dispatch = send_to(connector, ADA)
        (doubtful,) = dispatch.in_doubt()
        assert "scripted-sms" in str(doubtful.cause) and "which is no outcome" in str(doubtful.cause)
        assert nothing_wrong(connector)


class Mapping:
    """A host's own reading of reports."""

    def __init__(self, mapped: Any) -> None:
        self.mapped = mapped

    @hookimpl
    def connector_map_events(self, provider: Any, report: Any) -> Any:
        if isinstance(self.mapped, Exception):
            raise self.mapped
        return self.mapped(report) if callable(self.mapped) else self.mapped


def of(key: str, **changes: Any) -> Receipt:
    given = {"kind": ReceiptKind.message, "status": Status.delivered, "final": True, "batch_key": key}
    return Receipt(**{**given, "recipient": ADA, **changes})


def test_a_generator_of_receipts_is_as_good_as_a_list(tmp_path: Path, api: Api, clock: Clock) -> None:
    mapping = Mapping(lambda report: (of(report.batch_key) for _ in range(1)))
    with connect(tmp_path, api, clock, mapping) as connector:
        send_to(connector, ADA)
        take(connector, b"in the host's own words", key=api.sent[0].key)
        assert statuses(connector, ADA) == ["enqueued", "delivered"]


def test_a_hook_that_leaves_a_report_to_others(tmp_path: Path, api: Api, clock: Clock) -> None:
    with connect(tmp_path, api, clock, Mapping(lambda report: None)) as connector:
        send_to(connector, ADA)
        take(connector, receipt(ADA, client_reference=api.sent[0].key))
        assert statuses(connector, ADA) == ["enqueued", "delivered"]


def test_a_hook_that_finds_nothing_in_a_report(tmp_path: Path, api: Api, clock: Clock) -> None:
    with connect(tmp_path, api, clock, Mapping(lambda report: [])) as connector:
        send_to(connector, ADA)
        take(connector, receipt(ADA, client_reference=api.sent[0].key))
        assert statuses(connector, ADA) == ["enqueued"]
        assert connector.counters() == {}


RUBBISH: dict[str, Any] = {
    "raises": RuntimeError("a bug"),
    "a number": 7,
    "text": "delivered",
    "a receipt alone": lambda report: of(report.batch_key),
    "dictionaries": [{"status": "delivered"}],
    "one bad among good": lambda report: [of(report.batch_key), None],
    "a generator that breaks": lambda report: (of(report.batch_key) if n == 0 else 1 / 0 for n in (0, 1)),
    "a time without a zone": lambda report: [of(report.batch_key, occurred_at=datetime(2026, 11, 23))],  # noqa: DTZ001
    "a time that is none": lambda report: [of(report.batch_key, occurred_at="2026-11-23")],
    "a payload that is no JSON": lambda report: [of(report.batch_key, payload={"at": {1, 2}})],
}


@pytest.mark.parametrize("kind", RUBBISH)
def test_a_report_that_a_hook_makes_nothing_of_is_kept_whole(tmp_path: Path, api: Api, clock: Clock, kind: str) -> None:
    with connect(tmp_path, api, clock, Mapping(RUBBISH[kind])) as connector:
        dispatch = send_to(connector, ADA)
        take(connector, b'{"words": "as they came"}', key=api.sent[0].key)
        (kept,) = connector.kept_reports(WhyKept.unreadable)
        assert kept.batch == api.sent[0].key
        assert (kept.problem or "").startswith("the plugin failed: ")
        with connector.ledger.read() as connection:
            assert "as they came" in connection.exec_driver_sql("SELECT body FROM kept_reports").scalar_one()
        assert connector.counters()["sms"] == {"unreadable": 1}
        assert dispatch.report().open == 1
        assert nothing_wrong(connector)


def test_a_poll_that_a_hook_can_not_read_closes_nothing(tmp_path: Path, api: Api, clock: Clock) -> None:
    with connect(tmp_path, api, clock, Mapping(RuntimeError("a bug"))) as connector:
        dispatch = send_to(connector, ADA)
        for _ in range(3):
            clock.go(days=3)
            connector.work()
        assert api.polled
        assert dispatch.report().open == 1
