"""Sinks that take several calls at once: together where they may, each message in order, alone after a failure."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from api_kit import Store, build
from receiving_kit import Api, Clock, receipt, send_to, take, told

from connector import DeadLetter, Event, NotFound, NotTaken, SinkStopped
from connector.extension import CheckResult
from connector.simulator.numbers import fictional_numbers

numbers = fictional_numbers()
PEOPLE = [next(numbers) for _ in range(16)]


class Wide(Store):
    """Takes up to four calls at once, two events each, and watches who is in at the same time."""

    parallel: ClassVar[int] = 4

    def __init__(self) -> None:
        super().__init__(batch_events=2)
        self.guard = threading.Lock()
        self.inside: list[Sequence[Event]] = []
        self.most = 0
        self.together: list[set[str | None]] = []
        self.meet: threading.Barrier | None = None
        self.fails = 0
        self.tried = 0

    def deliver(self, events: Sequence[Event]) -> Any:
        with self.guard:
            self.tried += 1
            mine = {event.message_id for event in events}
            for others in self.inside:
                assert mine.isdisjoint(event.message_id for event in others), "two calls with one message"
            self.inside.append(events)
            self.most = max(self.most, len(self.inside))
        try:
            if self.meet is not None:
                self.meet.wait(120)
            if self.fails:
                self.fails -= 1
                # Long enough for others to come in, if they were let.
                threading.Event().wait(0.05)
                raise NotTaken("Not now.")
            with self.guard:
                super().deliver(events)
        finally:
            with self.guard:
                self.inside.remove(events)
        return None


@pytest.fixture
def sink() -> Wide:
    return Wide()


def test_calls_are_made_at_the_same_time(tmp_path: Path, api: Api, clock: Clock, sink: Wide) -> None:
    sink.meet = threading.Barrier(4)
    with build(tmp_path, api, clock, sinks={"wide": sink}) as connector:
        send_to(connector, *PEOPLE)
        assert sorted(event.position for event in sink.told) == [event.position for event in told(connector)]
    assert sink.most == 4


def test_the_events_of_one_message_come_in_order(tmp_path: Path, api: Api, clock: Clock, sink: Wide) -> None:
    with build(tmp_path, api, clock) as connector:
        connector.prepare()
    with build(tmp_path, api, clock, sinks={"wide": Wide()}) as connector:
        connector.prepare()
    with build(tmp_path, api, clock) as connector:
        send_to(connector, *PEOPLE)
        for person in PEOPLE:
            take(connector, receipt(person, client_reference=api.sent[-1].key))
    with build(tmp_path, api, clock, sinks={"wide": sink}) as connector:
        connector.deliver()
        of_message: dict[str | None, list[str]] = {}
        for event in sink.told:
            of_message.setdefault(event.message_id, []).append(event.status)
        assert list(of_message.values()) == [["enqueued", "delivered"]] * len(PEOPLE)
        assert connector.sinks()[0].lag == 0


def test_after_a_failure_one_call_tries_alone_and_nothing_comes_twice(
    tmp_path: Path, api: Api, clock: Clock, sink: Wide
) -> None:
    with build(tmp_path, api, clock, sinks={"wide": sink}) as connector:
        sink.fails = 3
        send_to(connector, *PEOPLE)
        assert connector.sinks()[0].failures == 1
        while sink.fails:
            before = sink.tried
            clock.go(seconds=600)
            connector.deliver()
            assert sink.tried == before + 1 or not sink.fails
        clock.go(seconds=600)
        connector.deliver()
        assert sorted(event.position for event in sink.told) == [event.position for event in told(connector)]


def test_only_dead_letters_of_these_events_are_taken_for_an_answer(tmp_path: Path, api: Api, clock: Clock) -> None:
    class Wrong(Store):
        def deliver(self, events: Sequence[Event]) -> Any:
            return ["no"]

    with build(tmp_path, api, clock, sinks={"wrong": Wrong()}) as connector:
        send_to(connector, PEOPLE[0])
        (state,) = connector.sinks()
        assert (state.lag, state.dead_letters) == (1, 0)
        assert state.trouble is not None and "dead letters" in state.trouble


def test_a_hosts_own_sink_has_dead_letters_and_may_stop(tmp_path: Path, api: Api, clock: Clock) -> None:
    class Strict(Store):
        def deliver(self, events: Sequence[Event]) -> Any:
            if any(event.recipient == PEOPLE[1] for event in events):
                raise SinkStopped("The table is gone.")
            return [DeadLetter(event, "Not this one.") for event in events if event.recipient == PEOPLE[0]]

    with build(tmp_path, api, clock, sinks={"strict": Strict(batch_events=1)}) as connector:
        send_to(connector, PEOPLE[0], PEOPLE[1])
        (state,) = connector.sinks()
        assert (state.lag, state.dead_letters, state.is_stopped, state.trouble) == (1, 1, True, "The table is gone.")
        assert [each.reason for each in connector.refused_events("strict")] == ["Not this one."]


def test_a_hosts_own_sink_is_tried_as_one_of_the_configuration(tmp_path: Path, api: Api, clock: Clock) -> None:
    class Tried(Store):
        def deliver(self, events: Sequence[Event]) -> Any:
            raise NotTaken("The table is locked.")

        def check(self) -> list[CheckResult]:
            return [CheckResult("table", True, "It is there.")]

    class Crashing(Store):
        def check(self) -> list[CheckResult]:
            raise RuntimeError

    with build(tmp_path, api, clock, sinks={"tried": Tried(), "crashing": Crashing()}) as connector:
        send_to(connector, PEOPLE[0])
        found = [(each.name, each.result) for each in connector.check() if each.sink == "tried"]
        assert found == [("table", "ok"), ("events", "wrong")]
        (crashed,) = connector.try_sink("crashing")
        assert (crashed.result, "(RuntimeError)" in crashed.message) == ("not_proved", True)
        with pytest.raises(NotFound, match="known: "):
            connector.try_sink("other")
    with build(tmp_path, api, clock) as connector:
        # What hands it over is another program: of its platform nothing can be asked here.
        assert [each.name for each in connector.try_sink("tried")] == ["events"]


def test_who_made_a_sink_closes_it(tmp_path: Path, api: Api, clock: Clock) -> None:
    class Open(Store):
        closed = False

        def close(self) -> None:
            self.closed = True

    sink = Open()
    with build(tmp_path, api, clock, sinks={"own": sink}) as connector:
        send_to(connector, PEOPLE[0])
    assert (len(sink.told), sink.closed) == (1, False)


def test_one_that_was_forgotten_meanwhile_is_a_finding(tmp_path: Path, api: Api, clock: Clock) -> None:
    with build(tmp_path, api, clock, sinks={"tried": Store()}) as connector:
        send_to(connector, PEOPLE[0])
        with build(tmp_path, api, clock) as other:
            other.forget_sink("tried")
        (found,) = [each for each in connector.check() if each.sink == "tried"]
        assert (found.result, "forgotten" in found.message) == ("wrong", True)


class Failing(Store):
    """Two calls at once, which fail together."""

    parallel: ClassVar[int] = 2

    def __init__(self, *errors: Exception) -> None:
        super().__init__(batch_events=1)
        self.meet = threading.Barrier(2)
        self.errors = dict(enumerate(errors))

    def deliver(self, events: Sequence[Event]) -> Any:
        place = self.meet.wait(120)
        raise self.errors[place]


@pytest.mark.parametrize("first", [NotTaken("Too many.", retry_after_seconds=600), SinkStopped("Gone for good.")])
def test_of_calls_that_fail_together_the_one_counts_that_asks_for_most(
    tmp_path: Path, api: Api, clock: Clock, first: Exception
) -> None:
    for errors in ((first, NotTaken("It broke off.")), (NotTaken("It broke off."), first)):
        name = f"both-{len(list(tmp_path.iterdir()))}"
        with build(tmp_path, api, clock, sinks={name: Failing(*errors)}) as connector:
            send_to(connector, *PEOPLE[:2])
            (state,) = [each for each in connector.sinks() if each.name == name]
            assert state.trouble == str(first)
            assert state.is_stopped is isinstance(first, SinkStopped)
            assert state.is_stopped or (state.next_try - clock()).total_seconds() >= 600
