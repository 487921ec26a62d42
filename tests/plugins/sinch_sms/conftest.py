"""A ready provider, and an API on loopback that only answers."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import stamina
from connector_sinch.sms.provider import SinchSms
from connector_sinch.sms.settings import SmsSettings
from sinch_sms_kit import PLAN, TOKEN, Api, Seen, secret

from connector.extension import Integration
from connector.http import Http


@pytest.fixture
def api() -> Iterator[Api]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One write an answer: two would wait for each other over loopback.
        wbufsize = -1

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            told.seen.append(Seen(self.command, address.path, query, headers, body))
            status, content, extra = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            if status == 0:
                self.close_connection = True
                return
            self.send_response_only(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told = Api(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def http() -> Iterator[Http]:
    made = Http()
    yield made
    made.close()


@pytest.fixture
def make_provider(http: Http) -> Callable[..., SinchSms]:
    def make(base_url: str | None = None, **settings: Any) -> SinchSms:
        given = {"service_plan_id": PLAN, "api_token": secret(TOKEN), "region": "eu", "base_url": base_url, **settings}
        return SinchSms(Integration("sms-eu", SmsSettings(**given)), http)

    return make


@pytest.fixture
def provider(make_provider: Callable[..., SinchSms], api: Api) -> SinchSms:
    """A provider that talks to `api`."""
    return make_provider(api.url)


@pytest.fixture(autouse=True)
def _reads_are_not_waited_for() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield
