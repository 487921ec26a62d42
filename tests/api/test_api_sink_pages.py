"""A log of several pages, the next read while calls are under way: every event once, each message in order."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest
from api_kit import Store, build
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receiving_kit import Api, Clock, receipt, send_to, take, told

from connector import Connector, DeadLetter, Event, NotTaken, SinkStopped
from connector.delivery import delivering
from connector.simulator.numbers import fictional_numbers

numbers = fictional_numbers()
PEOPLE = [next(numbers) for _ in range(12)]
EVENTS = 4 * len(PEOPLE)
PATIENCE_SECONDS = 60
ERRORS = {"away": NotTaken("Not now."), "stopped": SinkStopped("Mend it."), "broken": ValueError("It is no list.")}


class Table(Store):
    """Fails for events as often as it is told to, while other calls go on, and refuses some for good."""

    def __init__(self, *, parallel: int, batch_events: int) -> None:
        super().__init__(start="beginning", batch_events=batch_events)
        self.parallel = parallel  # type: ignore[misc]
        self.guard = threading.Lock()
        self.fails: dict[int, list[str]] = {}
        """Of positions, the errors that are to come."""
        self.refused: set[int] = set()
        self.inside: set[str | None] = set()
        self.wrong: list[str] = []
        self.latest: dict[str | None, int] = {}
        """Of each message the last position that was taken."""

    def deliver(self, events: Sequence[Event]) -> list[DeadLetter]:  # type: ignore[override]
        mine = {event.message_id for event in events}
        with self.guard:
            if mine & self.inside:
                self.wrong.append("two calls with one message")
            self.inside |= mine
        try:
            errors = next((errors for event in events if (errors := self.fails.get(event.position))), None)
            if errors is not None:
                # The others come first, as far as they get.
                threading.Event().wait(0.002)
                raise ERRORS[errors.pop()]
            with self.guard:
                for event in events:
                    if event.position <= self.latest.get(event.message_id, -1):
                        self.wrong.append(f"{event.status} after a later one, or twice")
                    self.latest[event.message_id] = event.position
                super().deliver(events)
            return [DeadLetter(event, "Not this one.") for event in events if event.position in self.refused]
        finally:
            with self.guard:
                self.inside -= mine


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "PAGE", 8)
    monkeypatch.setattr(delivering, "PAGE_AGAIN", 8)
    monkeypatch.setattr(delivering, "PAGE_BESIDE_OTHERS", 3)


@pytest.fixture
def log(tmp_path: Path, api: Api, clock: Clock) -> list[Event]:
    """What happened in two campaigns."""
    with build(tmp_path, api, clock) as connector:
        for name in ("spring", "summer"):
            send_to(connector, *PEOPLE, name=name)
            for person in PEOPLE:
                take(connector, receipt(person, client_reference=api.sent[-1].key))
        found = told(connector)
    assert len(found) == EVENTS
    return found


def hand_over(connector: Connector, path: Path, clock: Clock, *, beside_a_server: bool) -> None:
    """Hand over once more, as people and time would have it; beside a server, in smaller pages."""
    clock.go(seconds=600)
    connector.resume_sink("table")
    with closing(sqlite3.connect(path / "ledger.db")) as ledger, ledger:
        ledger.execute("DELETE FROM receivers")
        if beside_a_server:
            seen_at = int(clock().timestamp() * 1_000_000)
            ledger.execute("INSERT INTO receivers (id, seen_at, backlog) VALUES ('r', ?, 0)", (seen_at,))
    connector.deliver(max_seconds=PATIENCE_SECONDS)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    parallel=st.integers(1, 4),
    batch_events=st.integers(1, 5),
    fails=st.dictionaries(
        st.integers(0, EVENTS - 1), st.lists(st.sampled_from(sorted(ERRORS)), min_size=1, max_size=2), max_size=5
    ),
    refused=st.sets(st.integers(0, EVENTS - 1), max_size=3),
    beside=st.lists(st.booleans(), min_size=1, max_size=6),
)
def test_whatever_fails_each_event_comes_once_and_each_message_in_order(
    tmp_path: Path,
    api: Api,
    clock: Clock,
    log: list[Event],
    small_pages: None,
    parallel: int,
    batch_events: int,
    fails: dict[int, list[str]],
    refused: set[int],
    beside: list[bool],
) -> None:
    sink = Table(parallel=parallel, batch_events=batch_events)
    sink.fails = {log[place].position: [*errors] for place, errors in fails.items()}
    sink.refused = {log[place].position for place in refused}
    with build(tmp_path, api, clock, sinks={"table": sink}) as connector:
        connector.prepare()
        for turn in range(2 + sum(map(len, fails.values()))):
            hand_over(connector, tmp_path, clock, beside_a_server=beside[turn % len(beside)])
            (state,) = connector.sinks()
            if state.lag == 0:
                break
        assert sink.wrong == []
        assert state.lag == 0
        assert Counter(event.id for event in sink.told) == Counter(event.id for event in log)
        assert {letter.position for letter in connector.refused_events("table")} == sink.refused
    with build(tmp_path, api, clock) as connector:
        connector.forget_sink("table")


class Halting(Store):
    """Takes all of a page but what comes first, which fails when the others are through."""

    parallel: ClassVar[int] = 4

    def __init__(self) -> None:
        super().__init__(start="beginning", batch_events=2)
        self.others = threading.Semaphore(0)
        self.has_failed = False
        self.first: str | None = None

    def deliver(self, events: Sequence[Event]) -> None:
        if events[0].message_id == self.first and not self.has_failed:
            for _ in range(self.parallel - 1):
                assert self.others.acquire(timeout=PATIENCE_SECONDS)
            self.has_failed = True
            raise NotTaken("Not now.")
        super().deliver(events)
        self.others.release()


def test_what_a_large_page_left_behind_is_passed_by_smaller_ones(
    tmp_path: Path, api: Api, clock: Clock, log: list[Event], small_pages: None
) -> None:
    sink = Halting()
    sink.first = log[0].message_id
    with build(tmp_path, api, clock, sinks={"table": sink}) as connector:
        connector.deliver()
        assert (sink.has_failed, len(sink.told), connector.sinks()[0].lag) == (True, 6, EVENTS - 6)
        hand_over(connector, tmp_path, clock, beside_a_server=True)
        assert connector.sinks()[0].lag == 0
        assert Counter(event.id for event in sink.told) == Counter(event.id for event in log)


def test_where_no_thread_is_to_be_had_any_more_one_call_after_the_other_is_made(
    tmp_path: Path, api: Api, clock: Clock, log: list[Event], small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Store(start="beginning", batch_events=2)
    with build(tmp_path, api, clock, sinks={"table": sink}) as connector:
        # As when the main thread of a program has ended, and another one goes on.
        monkeypatch.setattr("concurrent.futures.thread._shutdown", True)
        connector.deliver()
        assert [event.id for event in sink.told] == [event.id for event in log]


@pytest.mark.parametrize(("page", "calls"), [(1000, [False]), (500, [True, True])])
def test_nothing_is_read_on_where_the_log_ended(
    tmp_path: Path, api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch, page: int, calls: list[bool]
) -> None:
    """What comes until the next turn would be read twice; a page that ends before has the next one read meanwhile."""

    class Watching(Store):
        def deliver(self, events: Sequence[Event]) -> None:
            begun = set(threading.enumerate()) - before
            reads_on.append(any("sink-call" in thread.name for thread in begun))
            super().deliver(events)

    before = set(threading.enumerate())
    reads_on: list[bool] = []
    sink = Watching(start="beginning")
    monkeypatch.setattr(delivering, "PAGE", page)
    with build(tmp_path, api, clock) as connector:
        send_to(connector, *[next(numbers) for _ in range(1000)])
    with build(tmp_path, api, clock, sinks={"table": sink}) as connector:
        connector.deliver()
    assert (len(sink.told), reads_on) == (1000, calls)


def test_what_is_new_does_not_wait_until_all_went_there_again(
    tmp_path: Path, api: Api, clock: Clock, log: list[Event], small_pages: None
) -> None:
    class Watching(Store):
        """While it is told the old events again, new ones come, more than once."""

        def deliver(self, events: Sequence[Event]) -> None:
            super().deliver(events)
            if len(self.batches) in news:
                send_to(other, *PEOPLE[:2], name=news.pop(len(self.batches)))

    sink = Watching(start="beginning", batch_events=8)
    news: dict[int, str] = {}
    with build(tmp_path, api, clock) as other, build(tmp_path, api, clock, sinks={"table": sink}) as connector:
        connector.deliver()
        pages = len(sink.batches)
        connector.replay("table")
        news |= {pages + 1: "autumn", pages + 3: "winter"}
        connector.deliver()
        expected = [*log, *told(other)]
        assert Counter(event.id for event in sink.told) == Counter(event.id for event in expected)
        again = [batch[0].campaign_name for batch in sink.batches[pages:]]
        assert again == ["spring", "autumn", "spring", "winter", "spring", "summer", "summer", "summer"]
