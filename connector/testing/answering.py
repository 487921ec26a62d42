"""An API on loopback that only answers what it was told, and remembers what it was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic_core import from_json, to_json


@dataclass
class Seen:
    """A request that the API got."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case; one that stands there more than once has all values, with commas."""
    body: bytes
    asked: str = ""
    """The whole query, as it came."""

    @property
    def json(self) -> Any:
        return from_json(self.body)


@dataclass
class Api:
    """Gives the answers it was told, in order, and the last one for ever."""

    url: str
    seen: list[Seen] = field(default_factory=list)
    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)
    by_path: dict[str, "Api"] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def will(self, status: int, body: Any = b"", **headers: str) -> "Api":
        """Answer so the next time; status 0: break the connection off."""
        content = body if isinstance(body, bytes) else to_json(body)
        self.answers.append((status, content, {name.replace("_", "-"): value for name, value in headers.items()}))
        return self

    def at(self, path: str) -> "Api":
        """The same for one path alone, which has its own answers and its own memory."""
        return self.by_path.setdefault(path, Api(self.url))

    def take(self, seen: Seen) -> tuple[int, bytes, dict[str, str]]:
        with self.guard:
            self.seen.append(seen)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def answering() -> Iterator[Api]:
    """An API while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One write an answer: two would wait for each other over loopback.
        wbufsize = -1

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
            headers = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
            seen = Seen(self.command, address.path, query, headers, body, address.query)
            status, content, extra = told.by_path.get(address.path, told).take(seen)
            if status == 0:
                self.close_connection = True
                return
            self.send_response_only(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = answer

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told = Api(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
