"""Events come to a host's function and sinks at least once, in order, whatever fails on the way."""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from api_kit import Platform, Store, build, forked
from receiving_kit import ADA, BO, CY, Api, Clock, inbound, receipt, send_to, sql, take, told
from sending_kit import wait_until

from connector import ConfigurationError, Connector, Event, NotFound, Sink, WorkerBusy
from connector.simulator.numbers import fictional_numbers

forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def connector(tmp_path: Path, api: Api, clock: Clock, platform: Platform) -> Iterator[Connector]:
    with build(tmp_path, api, clock, on_event=platform) as made:
        yield made


def delivered(connector: Connector, api: Api, *people: str) -> None:
    for person in people:
        take(connector, receipt(person, client_reference=api.sent[-1].key))


@contextmanager
def beside(step: Any) -> Iterator[threading.Thread]:
    """Run something in a thread beside the block, and wait for its end."""
    thread = threading.Thread(target=step)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(60)
    assert not thread.is_alive()


def test_every_event_comes_once_and_in_order(connector: Connector, api: Api, platform: Platform) -> None:
    send_to(connector, ADA, "12", BO)
    assert platform.told == told(connector)
    assert {status for _, status in platform.seen} == {"skipped", "enqueued"}
    delivered(connector, api, BO, ADA)
    assert len(platform.told) == 3, "nothing is handed over while a callback is taken"
    connector.work()
    assert platform.told == told(connector)
    assert platform.seen[-2:] == [(BO, "delivered"), (ADA, "delivered")]
    connector.work()
    assert len(platform.told) == 5


def test_an_event_of_the_log_is_as_one_that_is_made_field_by_field(connector: Connector, api: Api) -> None:
    send_to(connector, ADA, "12", BO)
    delivered(connector, api, BO)
    found = connector.events()
    assert {event.status for event in found} == {"skipped", "enqueued", "delivered"}
    for event in found:
        assert list(vars(event)) == [field.name for field in fields(Event)]
        assert event == replace(event)
        with pytest.raises(FrozenInstanceError):
            event.status = "read"  # type: ignore[assignment,misc]
    first, second = [event for event in found if event.status == "enqueued"]
    first.metadata["loyalty"] = "gold"
    first.payload["raw"] = "words"
    assert (second.metadata, second.payload) == ({}, {}), "what a host does to one is not done to others"


def test_waiting_for_a_dispatch_hands_its_events_over(connector: Connector, api: Api, platform: Platform) -> None:
    dispatch = connector.send({"name": "spring", "message": {"text": "Hello"}, "sender": "Shop"}, [{"to": f"+{ADA}"}])
    assert platform.seen == [(ADA, "enqueued")]
    delivered(connector, api, ADA)
    assert dispatch.wait().delivered == 1
    assert platform.seen == [(ADA, "enqueued"), (ADA, "delivered")]


def test_where_another_process_works_events_alone_are_handed_over(
    tmp_path: Path, api: Api, clock: Clock, platform: Platform, connector: Connector
) -> None:
    connector.prepare()
    with build(tmp_path, api, clock) as other:
        send_to(other, ADA)
        with other.ledger.hold("worker"):
            connector.deliver()
            assert platform.seen == [(ADA, "enqueued")]
            # It takes longer than finding out that another one is at it.
            pause = threading.Event()
            platform.before = lambda event: pause.wait(0.02)
            for number in range(30):
                take(other, inbound(ADA, f"01REPLY{number}"))
            with pytest.raises(WorkerBusy):
                connector.work()
            assert len(platform.told) == 31


def test_a_new_reader_starts_now_or_at_the_beginning(tmp_path: Path, api: Api, clock: Clock) -> None:
    with build(tmp_path, api, clock) as connector:
        send_to(connector, ADA)
    platform, archive, feed = Platform(), Store(start="beginning"), Store()
    given = {"on_event": platform, "sinks": {"archive": archive, "feed": feed}}
    with build(tmp_path, api, clock, **given) as connector:
        connector.work()
        send_to(connector, BO, name="summer")
        assert platform.seen == [(BO, "enqueued")]
        assert feed.told == platform.told
        assert archive.told == told(connector)
    with build(tmp_path, api, clock, **given) as connector:
        connector.work()
        assert len(platform.told) == 1
        assert archive.told == told(connector)


def test_what_is_planned_before_the_first_work_is_not_missed(
    connector: Connector, api: Api, platform: Platform
) -> None:
    campaign = {"name": "spring", "message": {"text": "Hello"}, "sender": "Shop"}
    connector.send(campaign, [{"to": "12", "customer_id": "c-1"}], drain=False)
    connector.close()
    connector.work()
    assert [(event.customer_id, event.status) for event in platform.told] == [("c-1", "skipped")]


def test_a_function_that_fails_gets_the_event_again_and_later_ones_wait(
    tmp_path: Path, api: Api, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    platform, feed = Platform(), Store()
    with build(tmp_path, api, clock, on_event=platform, sinks={"feed": feed}) as connector:

        def fail(event: Event) -> None:
            if event.recipient == BO:
                raise ValueError(f"no customer with the number {event.recipient}")

        platform.before = fail
        send_to(connector, ADA, BO, CY)
        assert platform.seen == [(ADA, "enqueued")]
        assert [event.recipient for event in feed.told] == [ADA, BO, CY]

        of_feed, of_function = connector.sinks()
        assert (of_feed.name, of_feed.lag, of_feed.failures, of_feed.trouble) == ("feed", 0, 0, None)
        assert (of_function.name, of_function.lag, of_function.failures) == ("on_event", 2, 1)
        assert of_function.position == told(connector)[0].position
        assert of_function.trouble == "It raised ValueError."
        assert of_function.next_try is not None
        assert timedelta(seconds=0.5) <= of_function.next_try - clock() <= timedelta(seconds=1)
        assert "ValueError" in caplog.text and "The sink on_event" in caplog.text
        assert "test_api_events.py" in caplog.text, "where it was raised helps"
        assert BO not in caplog.text
        assert all(record.name.startswith("connector.") for record in caplog.records)

        connector.work()
        assert connector.sinks()[1].failures == 1, "it is not due yet"
        platform.before = lambda event: None
        clock.go(seconds=1)
        connector.work()
        assert [person for person, _ in platform.seen] == [ADA, BO, CY]
        after = connector.sinks()[1]
        assert (after.lag, after.failures, after.trouble, after.next_try) == (0, 0, None, None)


def test_the_pauses_grow_and_have_an_end(connector: Connector, clock: Clock, platform: Platform) -> None:
    def fail(event: Event) -> None:
        raise OSError

    platform.before = fail
    send_to(connector, ADA)
    pauses = []
    for _ in range(11):
        (state,) = connector.sinks()
        assert state.next_try is not None
        pauses.append((state.next_try - clock()).total_seconds())
        clock.now = state.next_try
        connector.deliver()
    for pause, longest in zip(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300], strict=True):
        assert longest / 2 <= pause <= longest
    assert len({pause / 300 for pause in pauses}) == len(pauses), "sinks that fail together don't come back together"


def test_a_success_in_between_starts_the_pauses_anew(connector: Connector, clock: Clock, platform: Platform) -> None:
    wrong = {ADA: 3, BO: 1}

    def fail(event: Event) -> None:
        if wrong.get(event.recipient or "", 0):
            wrong[event.recipient or ""] -= 1
            raise OSError

    platform.before = fail
    send_to(connector, ADA, BO)
    failures = []
    while connector.sinks()[0].lag:
        failures.append(connector.sinks()[0].failures)
        clock.go(seconds=60)
        connector.deliver()
    assert failures == [1, 2, 3, 1]
    assert [person for person, _ in platform.seen] == [ADA, BO]


def test_whatever_fails_and_whenever_nothing_is_lost_or_overtaken(
    tmp_path: Path, api: Api, clock: Clock, platform: Platform
) -> None:
    dice = random.Random(7)

    def fail(event: Event) -> None:
        if dice.random() < 0.3:
            raise dice.choice([RuntimeError, SystemExit, KeyboardInterrupt])()

    platform.before = fail
    numbers = fictional_numbers()
    for turn in range(6):
        with build(tmp_path, api, clock, on_event=platform) as connector:
            people = [next(numbers) for _ in range(4)]
            send_to(connector, *people, name=f"turn {turn}")
            delivered(connector, api, *people[:2])
            clock.go(seconds=600)
            connector.work()
    platform.before = lambda event: None
    with build(tmp_path, api, clock, on_event=platform) as connector:
        clock.go(seconds=600)
        connector.work()
        assert platform.told == told(connector), "none twice either, as nobody was killed"
        assert len(platform.told) == 6 * 6


def test_sinks_get_batches_of_the_size_that_they_take(tmp_path: Path, api: Api, clock: Clock) -> None:
    small, large = Store(batch_events=400), Store()
    with build(tmp_path, api, clock, sinks={"small": small, "large": large}) as connector:
        numbers = fictional_numbers()
        send_to(connector, *(next(numbers) for _ in range(2500)))
        assert small.told == large.told == told(connector)
        assert len(small.told) == 2500
    assert max(map(len, small.batches)) == 400
    assert sorted(map(len, large.batches), reverse=True)[:2] == [1000, 1000]


def test_a_sink_that_fails_gets_the_whole_batch_again(tmp_path: Path, api: Api, clock: Clock) -> None:
    class Fragile(Store):
        def deliver(self, events: Any) -> None:
            super().deliver(events)
            if len(self.batches) == 2:
                raise NotFound("There is no such table.")

    sink = Fragile(batch_events=2)
    with build(tmp_path, api, clock, sinks={"crm": sink}) as connector:
        send_to(connector, ADA, BO, CY)
        (state,) = connector.sinks()
        assert (state.lag, state.trouble) == (1, "There is no such table.")
        clock.go(seconds=1)
        connector.work()
        assert [[event.recipient for event in batch] for batch in sink.batches] == [[ADA, BO], [CY], [CY]]


def test_one_reader_at_a_time(tmp_path: Path, api: Api, clock: Clock, platform: Platform, connector: Connector) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hold(event: Event) -> None:
        inside.set()
        assert go_on.wait(60)

    platform.before = hold
    other_platform = Platform()
    connector.prepare()
    with build(tmp_path, api, clock, on_event=other_platform) as other:
        with beside(lambda: send_to(connector, ADA, BO)):
            assert inside.wait(60)
            other.deliver()
            assert other_platform.told == []
            go_on.set()
        assert [person for person, _ in platform.seen] == [ADA, BO]
        other.deliver()
        assert other_platform.told == []
        send_to(other, CY, name="summer")
        assert [person for person, _ in other_platform.seen] == [CY]
        connector.deliver()
        assert len(platform.told) == 2


def test_a_slow_function_slows_neither_sending_nor_receiving(
    connector: Connector, api: Api, platform: Platform
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hold(event: Event) -> None:
        inside.set()
        assert go_on.wait(60)

    platform.before = hold
    people = [{"to": f"+{ADA}", "sender": "One"}, {"to": f"+{BO}", "sender": "Two"}]
    campaign = {"name": "spring", "message": {"text": "Hello"}}
    dispatch = connector.send(campaign, people, drain=False)
    with beside(dispatch.drain) as thread:
        assert inside.wait(60)
        wait_until(lambda: dispatch.report().enqueued == 2)
        delivered(connector, api, ADA if ADA in api.sent[-1].recipients else BO)
        assert thread.is_alive()
        assert platform.told == []
        go_on.set()
    assert len(platform.told) == 3


def test_time_that_is_up_leaves_the_rest_for_later(connector: Connector, platform: Platform) -> None:
    pause = threading.Event()
    platform.before = lambda event: pause.wait(0.02)
    numbers = fictional_numbers()
    campaign = {"name": "spring", "message": {"text": "Hello"}, "sender": "Shop"}
    dispatch = connector.send(campaign, [{"to": f"+{next(numbers)}"} for _ in range(500)], drain=False)
    connector.work(max_seconds=0.5)
    assert dispatch.report().enqueued == 500
    assert len(platform.told) < 400
    platform.before = lambda event: None
    connector.deliver()
    assert platform.told == told(connector)


def test_a_stop_ends_it_after_the_call_that_is_under_way(connector: Connector, platform: Platform) -> None:
    stop = threading.Event()
    platform.before = lambda event: stop.set()
    campaign = {"name": "spring", "message": {"text": "Hello"}, "sender": "Shop"}
    dispatch = connector.send(campaign, [{"to": f"+{ADA}"}, {"to": f"+{BO}"}], drain=False)
    dispatch.wait(stop=stop)
    assert platform.seen == [(ADA, "enqueued")]
    connector.deliver()
    assert platform.seen == [(ADA, "enqueued"), (BO, "enqueued")]


def test_a_block_that_raises_ends_the_readers(connector: Connector, platform: Platform, api: Api) -> None:
    send_to(connector, ADA)
    delivered(connector, api, ADA)
    with pytest.raises(ZeroDivisionError), connector._handing_over():
        raise ZeroDivisionError
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("connector-sink")]


def test_events_come_as_they_happen_while_it_runs(connector: Connector, api: Api, platform: Platform) -> None:
    stop = threading.Event()
    with beside(lambda: connector.run(stop)):
        campaign = {"name": "spring", "message": {"text": "Hello"}, "sender": "Shop"}
        connector.send(campaign, [{"to": f"+{ADA}"}], drain=False)
        wait_until(lambda: platform.seen == [(ADA, "enqueued")])
        delivered(connector, api, ADA)
        wait_until(lambda: len(platform.told) == 2)
        stop.set()
    assert platform.seen == [(ADA, "enqueued"), (ADA, "delivered")]


def test_who_stands_by_hands_over_all_the_same(
    tmp_path: Path, api: Api, clock: Clock, platform: Platform, connector: Connector
) -> None:
    connector.prepare()
    stop = threading.Event()
    with build(tmp_path, api, clock) as other, other.ledger.hold("worker"), beside(lambda: connector.run(stop)):
        campaign = {"name": "spring", "message": {"text": "Hello"}, "sender": "Shop"}
        other.send(campaign, [{"to": "12"}], drain=False)
        wait_until(lambda: len(platform.told) == 1)
        stop.set()


def test_a_function_may_use_the_connector(connector: Connector, api: Api, clock: Clock, platform: Platform) -> None:
    def answer(event: Event) -> None:
        if event.status == "delivered":
            thanks = {"name": "thanks", "message": {"text": "Thank you"}, "sender": "Shop"}
            connector.send(thanks, [{"to": f"+{event.recipient}"}], key=f"thanks/{event.message_id}")

    platform.before = answer
    send_to(connector, ADA)
    delivered(connector, api, ADA)
    connector.work()
    connector.work()
    assert platform.seen == [(ADA, "enqueued"), (ADA, "delivered"), (ADA, "enqueued")]


KILLED = """
import os, sys
from pathlib import Path
from api_kit import build
from receiving_kit import Api, Clock

told = open(sys.argv[2], "a")

def on_event(event):
    print(event.position, event.id, file=told, flush=True)
    print("told", flush=True)

with build(Path(sys.argv[1]), Api(), Clock(), on_event=on_event) as connector:
    connector.deliver()
print("done", flush=True)
"""


def test_nothing_is_lost_by_kills(tmp_path: Path, api: Api, clock: Clock) -> None:
    """Each life of the host is killed in the midst; the next takes over at once, and misses nothing."""
    numbers = fictional_numbers()
    with build(tmp_path, api, clock, on_event=Platform()) as connector:
        connector.prepare()
    with build(tmp_path, api, clock) as connector:
        send_to(connector, *(next(numbers) for _ in range(1500)))
        log = [f"{event.position} {event.id}" for event in told(connector)]
    record = tmp_path / "told.txt"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(record)]
    for lines in (1, 700):
        life = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert life.stdout is not None
        for _ in range(lines):
            assert life.stdout.readline() == b"told\n"
        life.send_signal(signal.SIGKILL)
        life.wait()
        life.stdout.close()
    subprocess.run(command, check=True, env=environment, capture_output=True)
    lines = record.read_text().splitlines()
    assert list(dict.fromkeys(lines)) == log
    assert len(lines) > len(log), "what was told just before a kill is told again"


@forks
def test_parent_and_forked_children_hand_over_in_turn(
    tmp_path: Path, api: Api, clock: Clock, connector: Connector, platform: Platform
) -> None:
    """A connector that its parent has used works in children; together they tell everything once, and in order."""
    record = tmp_path / "told.txt"

    def write(event: Event) -> None:
        with record.open("a") as file:
            print(event.position, event.recipient, event.status.value, file=file)

    platform.before = write
    send_to(connector, ADA)

    def child() -> None:
        campaign = {"name": f"of {os.getpid()}", "message": {"text": "Hello"}, "sender": "Shop"}
        dispatch = connector.send(campaign, [{"to": f"+{BO}"}, {"to": f"+{CY}"}])
        with sql(connector) as ledger:
            ((key,),) = ledger.execute("SELECT key FROM batches WHERE dispatch = ?", [dispatch.number])
        for person in (BO, CY):
            take(connector, receipt(person, client_reference=key))
        assert dispatch.wait().delivered == 2
        connector.close()

    with forked(child), forked(child):
        pass
    connector.deliver()
    lines = record.read_text().splitlines()
    assert lines == [f"{event.position} {event.recipient} {event.status.value}" for event in told(connector)]
    assert len(lines) == 9


def unfit(**attributes: Any) -> Store:
    return type("Unfit", (Store,), attributes)()


async def later(self: Store, events: Sequence[Event]) -> None:
    self.batches.append(list(events))


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"sinks": {"a b": Store()}}, "sinks.a b"),
        ({"sinks": {"": Store()}}, "sinks."),
        ({"sinks": {"../x": Store()}}, "sinks.../x"),
        ({"sinks": {"crm": object()}}, "sinks.crm"),
        ({"sinks": {"crm": Store}}, "sinks.crm"),
        ({"sinks": {"crm": Store(start="yesterday")}}, "sinks.crm"),
        ({"sinks": {"crm": Store(batch_events=0)}}, "sinks.crm"),
        ({"sinks": {"crm": unfit(parallel=0)}}, "sinks.crm"),
        ({"sinks": {"crm": unfit(calls_per_second=0)}}, "sinks.crm"),
        ({"sinks": {"crm": unfit(waits_seconds=())}}, "sinks.crm"),
        ({"sinks": {"crm": unfit(waits_seconds=(5, 0))}}, "sinks.crm"),
        ({"sinks": {"crm": unfit(deliver=later)}}, "sinks.crm"),
        ({"sinks": {"on_event": Store()}, "on_event": print}, "sinks.on_event"),
        ({"on_event": "print"}, "on_event"),
    ],
)
def test_what_is_no_sink_is_refused(tmp_path: Path, api: Api, clock: Clock, given: Any, place: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        build(tmp_path, api, clock, **given)
    assert [fault.place for fault in refused.value.faults] == [place]


def test_coroutines_are_refused_and_lose_nothing(tmp_path: Path, api: Api, clock: Clock, platform: Platform) -> None:
    async def coroutine(event: Event) -> None:
        platform(event)

    class Called:
        async def __call__(self, event: Event) -> None:
            platform(event)

    for wrong in (coroutine, Called()):
        with pytest.raises(ConfigurationError, match="write it with def"):
            build(tmp_path, api, clock, on_event=wrong)
    with build(tmp_path, api, clock, on_event=lambda event: coroutine(event)) as connector:
        send_to(connector, ADA)
        assert "coroutine" in (connector.sinks()[0].trouble or "")
    clock.go(seconds=60)
    with build(tmp_path, api, clock, on_event=platform) as connector:
        connector.work()
    assert platform.seen == [(ADA, "enqueued")]


def test_a_sink_must_deliver() -> None:
    class Nothing(Sink):
        pass

    with pytest.raises(TypeError, match="deliver"):
        Nothing()  # type: ignore[abstract]


def test_a_ledger_that_fails_is_no_fault_of_a_sink(
    connector: Connector, api: Api, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    send_to(connector, ADA)
    delivered(connector, api, ADA)

    def break_it(event: Event) -> None:
        for file in connector.ledger.path.parent.glob("ledger.db*"):
            if file.suffix != ".lock":
                file.write_bytes(b"This was a ledger once. " * 1000)
        raise RuntimeError

    platform.before = break_it
    with caplog.at_level(logging.ERROR):
        connector.deliver()
    assert "The events of the sink on_event could not be read" in caplog.text
    assert "Traceback" not in caplog.text


class Slow(Store):
    """Takes an event every half second."""

    calls_per_second = 2.0

    def __init__(self) -> None:
        super().__init__(start="beginning", batch_events=1)


def test_a_sink_that_has_much_to_catch_up_with_is_waited_for_no_longer_than_is_said(
    tmp_path: Path, api: Api, clock: Clock
) -> None:
    with build(tmp_path, api, clock) as connector:
        numbers = fictional_numbers()
        dispatch = send_to(connector, *(next(numbers) for _ in range(200)))
    slow = Slow()
    with build(tmp_path, api, clock, sinks={"slow": slow}) as connector:
        connector.dispatch(dispatch.id).drain(hand_over_seconds=0)
        (state,) = connector.sinks()
        assert state.lag == 200 - len(slow.told) > 0
