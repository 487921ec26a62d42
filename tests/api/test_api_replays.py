"""What goes to a sink again: how it does meanwhile, and that it is well once it has taken it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from api_kit import Store, build
from receiving_kit import ADA, BO, CY, Api, Clock, send_to

from connector import Connector, DeadLetter, Event, InputError, NotFound, NotTaken, PluginError, SinkState, SinkStopped


class Moody(Store):
    """Fails, or refuses what is of somebody, as it is told."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.error: Exception | None = None
        self.refuses: set[str] = set()

    def deliver(self, events: Sequence[Event]) -> list[DeadLetter]:  # type: ignore[override]
        if self.error is not None:
            raise self.error
        super().deliver(events)
        return [DeadLetter(event, "Nobody knows them.") for event in events if event.recipient in self.refuses]


def state_of(connector: Connector) -> SinkState:
    (state,) = connector.sinks()
    return state


AWAY = NotTaken("The platform answered HTTP 503.")
LOCKED = SinkStopped("Who are you?")


@pytest.mark.parametrize("error", [AWAY, LOCKED], ids=["away", "locked"])
def test_a_sink_is_well_again_once_it_has_taken_a_replay(
    tmp_path: Path, api: Api, clock: Clock, error: Exception
) -> None:
    sink = Moody()
    with build(tmp_path, api, clock, sinks={"crm": sink}) as connector:
        send_to(connector, ADA, BO)
        sink.error = error
        connector.replay("crm")
        for _ in range(3):
            connector.resume_sink("crm")
            connector.work()
        failing = state_of(connector)
        assert (failing.lag, failing.failures, failing.trouble) == (0, 3, str(error))
        sink.error = None
        connector.resume_sink("crm")
        connector.work()
        assert [event.recipient for event in sink.told] == [ADA, BO] * 2
        well = state_of(connector)
        assert (well.failures, well.trouble, well.next_try, well.is_stopped) == (0, None, None, False)
        assert well.position == failing.position


def test_a_sink_is_well_again_once_it_has_taken_what_it_refused(tmp_path: Path, api: Api, clock: Clock) -> None:
    sink = Moody()
    sink.refuses = {ADA}
    with build(tmp_path, api, clock, sinks={"crm": sink}) as connector:
        send_to(connector, ADA, BO)
        sink.refuses, sink.error = set(), AWAY
        assert connector.replay_refused("crm") == 1
        connector.work()
        assert state_of(connector).failures == 1
        sink.error = None
        clock.go(seconds=1)
        connector.work()
        well = state_of(connector)
        assert (well.dead_letters, well.failures, well.trouble) == (0, 0, None)


def test_a_sink_is_in_no_trouble_where_nothing_is_left_for_it(tmp_path: Path, api: Api, clock: Clock) -> None:
    sink = Moody()
    sink.refuses = {ADA}
    with build(tmp_path, api, clock, sinks={"crm": sink}) as connector:
        send_to(connector, ADA)
        sink.error = AWAY
        connector.replay_refused("crm")
        connector.work()
        assert state_of(connector).trouble == str(AWAY)
        connector.discard_refused("crm")
        connector.work()
        assert state_of(connector).trouble == str(AWAY), "it is not due yet"
        clock.go(seconds=1)
        connector.work()
        assert (state_of(connector).failures, state_of(connector).trouble) == (0, None)


class Halting(Moody):
    """Takes so many calls, and is away then."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.calls_left = 1_000_000

    def deliver(self, events: Sequence[Event]) -> list[DeadLetter]:  # type: ignore[override]
        if self.calls_left == 0:
            raise AWAY
        self.calls_left -= 1
        return super().deliver(events)


def test_what_of_a_replay_is_still_to_come_is_counted(tmp_path: Path, api: Api, clock: Clock) -> None:
    sink = Halting(batch_events=2)
    sink.refuses = {CY}
    with build(tmp_path, api, clock, sinks={"crm": sink}) as connector:
        first = send_to(connector, ADA, BO, CY, "12")
        second = send_to(connector, BO, CY, name="summer")

        def counted() -> tuple[int, int, int]:
            state = state_of(connector)
            return state.lag, state.replaying, state.again

        assert counted() == (0, 0, 0)
        connector.replay("crm", dispatch=second.id)
        assert counted() == (0, 2, 0)
        connector.replay("crm", dispatch=first.id)
        assert counted() == (0, 6, 0)
        connector.replay("crm", until=clock())
        assert counted() == (0, 6, 0), "there is nothing before"
        connector.replay("crm", since=clock())
        assert counted() == (0, 12, 0)
        connector.replay_refused("crm", [connector.refused_events("crm")[0].number])
        assert counted() == (0, 12, 1)
        sink.refuses, sink.calls_left = set(), 4
        connector.work()
        lag, replaying, again = counted()
        assert (lag, again) == (0, 0)
        assert 0 < replaying < 12 and replaying == 6 + 12 - len(sink.told) + 1

        sink.calls_left = 1_000_000
        clock.go(seconds=1)
        connector.work()
        assert counted() == (0, 0, 0)
        assert len(sink.told) == 6 + 12 + 1


@pytest.mark.parametrize("what", ["replay_refused", "discard_refused"])
def test_of_numbers_that_are_not_all_known_nothing_is_done(tmp_path: Path, api: Api, clock: Clock, what: str) -> None:
    sink = Moody()
    sink.refuses = {ADA}
    with build(tmp_path, api, clock, sinks={"crm": sink}) as connector:
        send_to(connector, ADA)
        (refused,) = connector.refused_events("crm")
        for unknown in ([999], [refused.number, 999], [-1], [2**70]):
            with pytest.raises(NotFound, match=f"no event with the number {unknown[-1]}:"):
                getattr(connector, what)("crm", unknown)
        with pytest.raises(NotFound, match="no events with the numbers 998, 999:"):
            getattr(connector, what)("crm", [999, refused.number, 998, 999])
        assert connector.refused_events("crm") == [refused]
        assert getattr(connector, what)("crm", [refused.number, refused.number]) == 1
        assert getattr(connector, what)("crm", []) == 0


def test_a_time_without_an_offset_is_refused_by_its_name(tmp_path: Path, api: Api, clock: Clock) -> None:
    naive = clock().replace(tzinfo=None)
    with build(tmp_path, api, clock, sinks={"crm": Moody()}) as connector:
        send_to(connector, ADA)
        with pytest.raises(InputError) as refused:
            connector.replay("crm", since=naive, until=naive)
        assert [fault.place for fault in refused.value.faults] == ["since", "until"]
        with pytest.raises(InputError, match="offset"):
            connector.position_before(naive)
        assert state_of(connector).replaying == 0


def test_a_dead_letter_without_words_is_a_failure_of_the_sink(tmp_path: Path, api: Api, clock: Clock) -> None:
    class Wordless(Store):
        def deliver(self, events: Sequence[Event]) -> list[DeadLetter]:  # type: ignore[override]
            super().deliver(events)
            return [DeadLetter(event, ValueError("No.")) for event in events]  # type: ignore[arg-type]

    with build(tmp_path, api, clock, sinks={"crm": Wordless()}) as connector:
        send_to(connector, ADA)
        state = state_of(connector)
        assert (state.lag, state.failures, state.dead_letters) == (1, 1, 0)
        assert "is text, not ValueError" in (state.trouble or "")


def test_a_sink_that_fails_to_say_what_is_lacking_is_named_and_nothing_is_sent(
    tmp_path: Path, api: Api, clock: Clock
) -> None:
    class Asked(Store):
        def lacks(self, *recipient: object) -> str | None:
            raise KeyError("customer_id")

    with build(tmp_path, api, clock, sinks={"crm": Asked()}) as connector:
        with pytest.raises(PluginError, match=r"The sink crm failed .*: KeyError"):
            send_to(connector, ADA)
        assert (api.sent, connector.dispatches()) == ([], [])
