"""What hands events over ends when it is told to, and leaves nothing behind."""

import threading
from pathlib import Path

import pytest
from api_kit import Store, build
from receiving_kit import Api, Clock


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
