"""A server that is killed while callbacks stream in loses none that it answered with success."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from receiving_kit import Api, address, connect, nothing_wrong, receipt, send_to

from connector.model.batch import utc_now
from connector.simulator.numbers import fictional_numbers

SERVER = """
import sys
from pathlib import Path
from receiving_kit import Api, connect
from connector.model.batch import utc_now
from connector.server.serve import listen, serve

listening = listen("127.0.0.1", 0)
connector = connect(Path(sys.argv[1]), Api(), utc_now)
serve(connector, listening, ready=lambda: print(listening.getsockname()[1], flush=True))
connector.close()
"""


class Served:
    """A server in a process of its own."""

    def __init__(self, path: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(path)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def end(self, by: int) -> None:
        self.process.send_signal(by)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def stream(
    url: str, people: list[str], key: str, stop_after: int
) -> tuple[set[str], threading.Event, list[threading.Thread]]:
    """Call back for people, one after the other on each of some connections, until the server is gone."""
    answered: set[str] = set()
    enough = threading.Event()
    left = iter(people)
    guard = threading.Lock()

    def post() -> None:
        with httpx.Client(timeout=30) as client:
            while True:
                with guard:
                    person = next(left, None)
                if person is None:
                    enough.set()
                    return
                try:
                    status = client.post(url, json=receipt(person, client_reference=key)).status_code
                except httpx.HTTPError:
                    return
                if status == 200:
                    answered.add(person)
                    if len(answered) >= stop_after:
                        enough.set()

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    return answered, enough, threads


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to stop"])
def test_what_was_answered_is_stored(tmp_path: Path, by: int) -> None:
    api = Api()
    numbers = fictional_numbers()
    with connect(tmp_path, api, utc_now) as connector:
        dispatch = send_to(connector, *(next(numbers) for _ in range(900)))
        path = address(connector)
    (batch,) = api.sent
    known: set[str] = set()
    for stop_after in (60, 230):
        served = Served(tmp_path)
        left = [person for person in batch.recipients if person not in known]
        answered, enough, threads = stream(served.url + path, left, batch.key, stop_after)
        assert enough.wait(60)
        served.end(by)
        for thread in threads:
            thread.join()
        known |= answered
        with connect(tmp_path, api, utc_now) as connector:
            delivered = {event.recipient for event in connector.events(limit=10_000) if event.status == "delivered"}
            assert known <= delivered
            # What was stored and not answered is told again, and counts once.
            assert connector.dispatch(dispatch.id).report().delivered == len(delivered) < 900
            assert nothing_wrong(connector)
