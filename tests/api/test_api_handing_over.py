"""What hands events over ends when it is told to, and leaves nothing behind."""

import threading
from pathlib import Path
from typing import ClassVar

import pytest
from api_kit import Store, build
from receiving_kit import Api, Clock, send_to

from connector.simulator.numbers import fictional_numbers

PATIENCE_SECONDS = 60


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("can't start new thread")])
def test_a_thread_that_can_not_be_started_ends_the_others(
    tmp_path: Path, api: Api, clock: Clock, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def start_but_one(thread: threading.Thread) -> None:
        if thread.name == "connector-sink-two":
            raise error
        start(thread)

    def readers() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("connector-sink")]

    monkeypatch.setattr(threading.Thread, "start", start_but_one)
    with build(tmp_path, api, clock, sinks={"one": Store(), "two": Store(), "three": Store()}) as connector:
        with pytest.raises(type(error)):
            connector.work(max_seconds=30)
        assert readers() == []


class Slow(Store):
    """Takes an event every minute and a half, of several that wait for their turns together."""

    parallel: ClassVar[int] = 4
    calls_per_second = 1 / 90

    def __init__(self) -> None:
        super().__init__(start="beginning", batch_events=1)


def test_calls_that_wait_for_their_turn_end_when_the_time_is_up(tmp_path: Path, api: Api, clock: Clock) -> None:
    numbers = fictional_numbers()
    with build(tmp_path, api, clock) as connector:
        send_to(connector, *(next(numbers) for _ in range(4)))
    slow = Slow()
    with build(tmp_path, api, clock, sinks={"slow": slow}) as connector:
        delivering = threading.Thread(target=connector.deliver, kwargs={"max_seconds": 0.5}, daemon=True)
        delivering.start()
        delivering.join(PATIENCE_SECONDS)
        assert not delivering.is_alive()
        assert (slow.told, connector.sinks()[0].lag) == ([], 4)
