import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from callback_receiver import Receiver
from pydantic_core import from_json

Letters = Callable[..., httpx.Client]
NUMBERS = [f"120155501{place:02}" for place in range(100)]


def callbacks_of(client: httpx.Client) -> dict[str, int]:
    assert client.get("/_simulator/idle").status_code == 200
    return client.get("/_simulator/account").json()["callbacks"]


def send(client: httpx.Client, url: str, numbers: list[str] = NUMBERS) -> None:
    assert client.post("/letters", json={"to": numbers, "callback_url": url}).status_code == 201


def arrived(receiver: Receiver) -> list[str]:
    return [from_json(received.body)["to"] for received in receiver.received]


def test_every_callback_arrives_signed_and_in_order(letters: Letters, receiver: Receiver) -> None:
    client = letters(callback_connections=1)
    send(client, f"{receiver.url}?a=b")
    counts = callbacks_of(client)
    assert (counts["sent"], counts["answered"], counts["waiting"]) == (100, 100, 0)
    assert arrived(receiver) == NUMBERS
    first = receiver.received[0]
    assert first.path == "/callbacks/x?a=b"
    assert first.headers["x-length"] == str(len(first.body))
    assert first.headers["content-type"] == "application/json"


def test_refusals_of_a_passing_kind_are_tried_again(letters: Letters, receiver: Receiver) -> None:
    client = letters(callback_connections=1, retry_seconds=0.01)
    receiver.statuses.extend([503, 429])
    send(client, receiver.url, NUMBERS[:1])
    counts = callbacks_of(client)
    assert (counts["sent"], counts["retried"], counts["answered"], counts["given_up"]) == (3, 2, 1, 0)
    assert len({received.body for received in receiver.received}) == 1


def test_a_callback_is_given_up_after_its_last_try(letters: Letters, receiver: Receiver) -> None:
    client = letters(retry_seconds=0.01)
    receiver.statuses.extend([500, 500, 500, 500])
    send(client, receiver.url, NUMBERS[:1])
    counts = callbacks_of(client)
    assert (counts["sent"], counts["retried"], counts["answered"], counts["given_up"]) == (3, 2, 0, 1)


def test_a_callback_to_nobody_is_tried_again(letters: Letters) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client = letters(retry_seconds=0.01)
    send(client, f"http://127.0.0.1:{port}/", NUMBERS[:1])
    assert callbacks_of(client)["given_up"] == 1


def test_other_refusals_drop_a_callback_for_good(letters: Letters, receiver: Receiver) -> None:
    client = letters(retry_seconds=0.01)
    receiver.statuses.extend([401, 302])
    send(client, receiver.url, NUMBERS[:2])
    counts = callbacks_of(client)
    assert (counts["sent"], counts["dropped"], counts["retried"]) == (2, 2, 0)


def test_a_receiver_that_asks_for_less_gets_fewer_at_a_time_until_it_keeps_up(
    letters: Letters, receiver: Receiver
) -> None:
    client = letters(callback_connections=4, retry_seconds=0.01)
    receiver.statuses.extend([429] * 4)
    send(client, receiver.url, NUMBERS[:20])
    assert callbacks_of(client)["at_once"] == 1
    assert len(set(arrived(receiver))) == 20
    for _ in range(3):
        send(client, receiver.url)
    counts = callbacks_of(client)
    assert (counts["at_once"], counts["retried"], counts["waiting"]) == (4, 4, 0)


class Overwhelmed(BaseHTTPRequestHandler):
    """Asks the first four for less, and notes how many come at the same time after them."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    asked = 0
    here = 0
    most = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        kind = type(self)
        with kind.lock:
            kind.asked += 1
            refused = kind.asked <= 4
            kind.here += 1
            if kind.asked > 8:
                kind.most = max(kind.most, kind.here)
        if not refused:
            # Nobody sets it: others have the time to come, too.
            threading.Event().wait(0.005)
        with kind.lock:
            kind.here -= 1
        self.send_response(429 if refused else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_receiver_that_asked_for_less_is_not_overwhelmed(letters: Letters) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Overwhelmed) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        client = letters(callback_connections=4, retry_seconds=0.01)
        send(client, f"http://127.0.0.1:{server.server_address[1]}/", NUMBERS[:40])
        assert callbacks_of(client)["answered"] == 40
        server.shutdown()
        thread.join()
    assert Overwhelmed.most == 1


def test_callbacks_can_be_lost(letters: Letters, receiver: Receiver) -> None:
    client = letters(faults={"callback_lost": 0.5})
    send(client, receiver.url)
    counts = callbacks_of(client)
    assert 0 < counts["lost"] < 100
    assert counts["answered"] == 100 - counts["lost"] == len(set(arrived(receiver)))


def test_callbacks_can_be_doubled(letters: Letters, receiver: Receiver) -> None:
    client = letters(faults={"callback_doubled": 0.5})
    send(client, receiver.url)
    counts = callbacks_of(client)
    assert 0 < counts["doubled"] < 100
    assert len(arrived(receiver)) == 100 + counts["doubled"]
    assert set(arrived(receiver)) == set(NUMBERS)


def test_callbacks_can_be_shuffled(letters: Letters, receiver: Receiver) -> None:
    client = letters(callback_connections=1, faults={"callback_shuffled": 0.5})
    send(client, receiver.url)
    assert callbacks_of(client)["shuffled"] > 0
    assert arrived(receiver) != NUMBERS
    assert sorted(arrived(receiver)) == NUMBERS


def test_callbacks_can_be_held_and_released(letters: Letters, receiver: Receiver) -> None:
    client = letters()
    client.post("/_simulator/hold", json={"at": "callbacks"})
    send(client, receiver.url)
    assert not receiver.received
    assert client.get("/_simulator/account").json()["callbacks"]["sent"] == 0
    client.post("/_simulator/release")
    assert len(receiver.wait(100)) == 100
