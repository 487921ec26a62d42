"""What a client keeps to itself, and how much it takes of an answer."""

import gzip
import logging
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx
import pytest
from answering_api import answering

from connector.http import MOST_WORDS_BYTES, AnswerLost, Http, NoAnswer, Unanswered, knock
from connector.model.errors import NotReached, NotTaken

PIECES = 600
PIECE_SECONDS = 0.1


def test_no_address_is_written_into_the_log_of_a_host(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    http = Http()
    with answering() as api:
        api.will(200, b"{}")
        client = http.client(api.url)
        client.get("/contacts", {"identity": "12015550123"})
        client.post_once("/batches", b"{}")
        client.post_events("/hook?token=of-somebody", b"{}", {})
        http.close()
        assert caplog.records == []
        # What the host asks itself is told as ever.
        httpx.get(f"{api.url}/of-the-host")
    assert "of-the-host" in caplog.text


@pytest.mark.parametrize("encoded", [False, True])
def test_of_what_a_platform_says_no_more_is_read_than_words_need(encoded: bool) -> None:
    http = Http()
    words = b"x" * (3 * MOST_WORDS_BYTES)
    with answering() as api:
        if encoded:
            api.will(200, gzip.compress(words), content_encoding="gzip")
        else:
            api.will(200, words)
        answer = http.client(api.url).post_events("/hook", b"{}", {})
        http.close()
    assert (answer.status, len(answer.body)) == (200, MOST_WORDS_BYTES)


@pytest.mark.parametrize("post", ["post_once", "post_events"])
def test_what_is_posted_goes_through_the_proxy_of_the_environment(post: str, monkeypatch: pytest.MonkeyPatch) -> None:
    http = Http()
    with answering() as api:
        api.will(200, b"{}")
        monkeypatch.setenv("http_proxy", api.url)
        monkeypatch.setenv("no_proxy", "inside.example")
        client = http.client("http://platform.example/track")
        asked = {
            "post_once": lambda: client.post_once("/a", b"{}"),
            "post_events": lambda: client.post_events("/a", b"{}", {}),
        }
        assert asked[post]().status == 200
        http.close()
        (seen,) = api.seen
    assert (seen.headers["host"], seen.path) == ("platform.example", "/track/a")


@pytest.mark.parametrize("later", ["http://127.0.0.1:9", "no://proxy"])
def test_a_proxy_that_the_environment_gets_later_is_none_of_a_client_that_is_there(
    later: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = Http()
    with answering() as api:
        api.will(200, b"{}")
        client = http.client(api.url)
        monkeypatch.setenv("http_proxy", later)
        assert client.post_once("/batches", b"{}").status == 200
        http.close()


@pytest.mark.parametrize("status", [200, 407, 502])
def test_what_a_proxy_lets_nowhere_did_not_leave(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses the way there, or gives one on which nobody answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            self.send_response_only(status)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    http = Http()
    written: list[None] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        serving = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.server_port}")
        client = http.client("https://platform.example")
        with pytest.raises(NotReached):
            client.post_once("/batches", b"{}", before_write=lambda: written.append(None))
        http.close()
        proxy.shutdown()
        serving.join()
    assert written == []


def test_a_header_that_is_given_stands_in_place_of_the_usual_one() -> None:
    http = Http()
    with answering() as api:
        api.will(200, b"{}")
        http.client(api.url).post_events("/hook", b"{}", {"content-type": "application/cloudevents+json"})
        http.close()
        (seen,) = api.seen
    assert seen.headers["content-type"] == "application/cloudevents+json"


def test_a_client_that_is_closed_posts_nothing() -> None:
    http = Http()
    with answering() as api:
        client = http.client(api.url)
        http.close()
        with pytest.raises(NotReached):
            client.post_once("/batches", b"{}")
        with pytest.raises(NotTaken):
            client.post_events("/hook", b"{}", {})
        assert api.seen == []


class Counting(BaseHTTPRequestHandler):
    """Notes on which connection each request comes, and which connections end."""

    protocol_version = "HTTP/1.1"
    together = threading.Barrier(2)
    asked: ClassVar[list[int]] = []
    ended: ClassVar["queue.Queue[int]"] = queue.Queue()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.asked.append(self.client_address[1])
        if self.path == "/together":
            self.together.wait(60)
        self.send_response_only(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def finish(self) -> None:
        super().finish()
        self.ended.put(self.client_address[1])

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_post_has_a_connection_to_itself_and_what_nobody_uses_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ended = Counting.asked, Counting.ended
    http = Http()
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server, ThreadPoolExecutor(2) as pool:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        client = http.client(f"http://127.0.0.1:{server.server_port}")

        def post(path: str) -> None:
            client.post_events(path, b"{}", {})

        post("/alone")
        list(pool.map(post, ["/together"] * 2))
        first, *both = asked
        assert first in both and len(set(both)) == 2
        assert ended.empty()
        # The one that was used last is taken, and the other isn't needed any more.
        monkeypatch.setattr("connector.http.KEPT_SECONDS", 0.0)
        post("/alone")
        assert {ended.get(timeout=60), asked[-1]} == set(both)
        http.close()
        assert ended.get(timeout=60) == asked[-1]
        server.shutdown()
        serving.join()


@pytest.fixture(params=["head", "body"])
def dripping(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server whose first answer comes for a minute, piece by piece, and every other one at once."""
    ended = threading.Event()
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            asked.append(self.path)
            pieces = PIECES if len(asked) == 1 else 1
            with suppress(OSError):
                self.send_response_only(200)
                if request.param == "head":
                    self.flush_headers()
                    self.drip(b"x-a: b\r\n", pieces)
                    pieces = 1
                self.send_header("content-length", str(pieces))
                self.end_headers()
                self.drip(b"a", pieces)

        def drip(self, piece: bytes, pieces: int) -> None:
            for number in range(pieces):
                self.wfile.write(piece)
                if number < pieces - 1:
                    ended.wait(PIECE_SECONDS)

        do_GET = do_POST = answer

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_that_drips_is_asked_for_again(dripping: str) -> None:
    http = Http()
    assert http.client(dripping, timeout_seconds=1.0).get("/batches").body == b"a"
    http.close()


def test_an_answer_to_a_post_that_drips_is_lost(dripping: str) -> None:
    http = Http()
    with pytest.raises(AnswerLost, match="did not answer in time"):
        http.client(dripping, timeout_seconds=1.0).post_once("/batches", b"{}")
    http.close()


def test_an_answer_to_events_that_drips_takes_none(dripping: str) -> None:
    http = Http()
    with pytest.raises(NotTaken, match="did not answer in time"):
        http.client(dripping, timeout_seconds=1.0).post_events("/hook", b"{}", {})
    http.close()


def test_an_answer_that_drips_is_none(dripping: str) -> None:
    with pytest.raises(NoAnswer) as error:
        knock(f"{dripping}/callbacks", b"{}", {}, timeout_seconds=1.0)
    assert error.value.why is Unanswered.too_slow
