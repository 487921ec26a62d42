"""Webhooks: signed as the specification says, kept from private addresses, and one bad event holds up no other."""

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from connector_webhook.settings import WebhookSettings
from connector_webhook.sink import WebhookSink
from sending_kit import CAMPAIGN, Host, Plan, hosting, people
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from connector import ConfigurationError, Connector
from connector.extension.plugins import Plugins
from connector.extension.secret import Secret
from connector.http import Http
from connector.testing.sink_contract import SinkContract

OLD = "whsec_" + base64.b64encode(b"0" * 24).decode()
NEW = "whsec_" + base64.b64encode(b"1" * 24).decode()
NO_NAMES = [".".join(["a" * 60] * 5), f"{'a' * 64}.example"]
"""What no machine can be called, and nobody on the network need be asked: too long, as a whole and in a part."""


@dataclass
class Receiver:
    """An address that remembers what was posted to it, and answers as a test says."""

    url: str = ""
    posted: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    """Message id to what is answered; anything else is taken."""
    away: bool = False
    taken: list[str] = field(default_factory=list)
    """The ids of what was answered with success."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.posted.append(({name.lower(): value for name, value in self.headers.items()}, body))
            message_id = json.loads(body)["data"].get("message_id", "")
            status = 503 if made.away else made.answers.get(message_id[-1:], 204)
            if status == 204:
                made.taken.append(self.headers["webhook-id"])
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/events?from=connector"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield from hosting(tmp_path)


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


def connected(host: Host, plan: Plan, url: str, **settings: Any) -> Connector:
    table = {"sink": "webhook", "url": url, "secret": "env:NEW", "allow_private_addresses": True, **settings}
    return host.connector(plan, more_secrets={"NEW": NEW, "OLD": OLD}, sinks={"hook": table})


def test_the_signature_is_that_of_the_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    signed = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), '{"test": 2432232314}'
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_event_is_posted_signed_under_its_id(host: Host, plan: Plan, receiver: Receiver) -> None:
    connector = connected(host, plan, receiver.url)
    connector.send(CAMPAIGN, people(3))
    assert {headers["webhook-id"] for headers, _ in receiver.posted} == {event.id for event in connector.events()}
    for headers, body in receiver.posted:
        told = Webhook(NEW).verify(body, headers)
        assert told["type"] == "campaign.message.enqueued"
        assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None
        assert told["data"]["id"] == headers["webhook-id"]
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(body, headers)


def test_during_a_change_both_secrets_sign(host: Host, plan: Plan, receiver: Receiver) -> None:
    connected(host, plan, receiver.url, secret=["env:NEW", "env:OLD"]).send(CAMPAIGN, people(1))
    ((headers, body),) = receiver.posted
    for secret in (OLD, NEW):
        Webhook(secret).verify(body, headers)


def test_a_body_may_be_a_cloud_event(host: Host, plan: Plan, receiver: Receiver) -> None:
    connector = connected(host, plan, receiver.url, body="cloudevent", source="/shops/7")
    connector.send(CAMPAIGN, people(1))
    ((headers, body),) = receiver.posted
    Webhook(NEW).verify(body, headers)
    assert headers["content-type"].startswith("application/cloudevents+json")
    read = from_structured_event(HTTPMessage(headers, body))
    (event,) = connector.events()
    assert (read.get_id(), read.get_source(), read.get_type()) == (event.id, "/shops/7", "campaign.message.enqueued")
    assert (read.get_subject(), read.get_extension("partitionkey")) == (event.message_id, event.message_id)
    assert read.get_time() == event.occurred_at


def test_what_is_refused_holds_up_nothing(host: Host, plan: Plan, receiver: Receiver) -> None:
    receiver.answers["1"] = 422
    connector = connected(host, plan, receiver.url)
    connector.send(CAMPAIGN, people(3))
    (refused,) = connector.refused_events("hook")
    assert refused.reason == "The receiver refused it (HTTP 422)."
    assert len(receiver.posted) == 3


def test_who_is_gone_gets_nothing_more(host: Host, plan: Plan, receiver: Receiver) -> None:
    receiver.answers["0"] = 410
    connector = connected(host, plan, receiver.url)
    connector.send(CAMPAIGN, people(1))
    (state,) = connector.sinks()
    assert (state.is_stopped, state.lag) == (True, 1)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_anything_else_is_tried_again_after_the_waits_of_the_specification(
    host: Host, plan: Plan, receiver: Receiver, status: int
) -> None:
    receiver.answers["0"] = status
    connector = connected(host, plan, receiver.url)
    connector.send(CAMPAIGN, people(1))
    for longest in (5, 300, 1800):
        (state,) = connector.sinks()
        assert state.next_try is not None and state.trouble is not None
        waits = state.next_try - host.clock()
        assert timedelta(seconds=longest / 2 - 60) <= waits <= timedelta(seconds=longest)
        host.clock.advance_to(state.next_try)
        connector.deliver()
    receiver.answers.clear()
    connector.resume_sink("hook")
    connector.deliver()
    assert {headers["webhook-id"] for headers, _ in receiver.posted} == {connector.events()[0].id}
    assert connector.sinks()[0].lag == 0


@pytest.mark.parametrize(
    "host_name",
    [
        "127.0.0.1",
        "localhost",
        "10.1.2.3",
        "[::1]",
        "169.254.169.254",
        "0.0.0.0",
        # 10.0.0.1 within an IPv6 address: translated, by 6to4, compatible, mapped.
        "[64:ff9b::a00:1]",
        "[2002:a00:1::]",
        "[::a00:1]",
        "[::ffff:10.0.0.1]",
        "[fec0::1]",
    ],
)
def test_private_addresses_are_not_posted_to(host: Host, plan: Plan, host_name: str) -> None:
    connector = connected(host, plan, f"https://{host_name}:9/events", allow_private_addresses=False)
    connector.send(CAMPAIGN, people(1))
    (state,) = connector.sinks()
    assert state.trouble is not None and "private network" in state.trouble
    assert "allow_private_addresses" in state.trouble
    assert (state.is_stopped, state.lag) == (True, 1), "a person has to mend the address"


def checked(url: str, *, private: bool) -> dict[str, tuple[bool | None, str]]:
    settings = WebhookSettings(
        url=url, secret=Secret("env:NEW", lambda reference: NEW), properties={}, allow_private_addresses=private
    )
    http = Http()
    try:
        found = Plugins().sink("webhook", "hook", settings, http).check()
    finally:
        http.close()
    return {each.name: (each.ok, each.message) for each in found}


@pytest.mark.parametrize("host_name", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "10.1.2.3:9"])
def test_an_address_that_is_not_allowed_is_seen_without_a_post(host_name: str) -> None:
    ok, message = checked(f"https://{host_name}/events", private=False)["address"]
    assert ok is False
    assert "private network" in message and "allow_private_addresses" in message


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("host_name", NO_NAMES)
def test_a_name_that_no_machine_has_is_seen_without_a_post(host_name: str, private: bool) -> None:
    ok, message = checked(f"https://{host_name}/events", private=private)["address"]
    assert ok is False
    assert "no machine is known by this name" in message and "private" not in message


@pytest.mark.parametrize("host_name", NO_NAMES)
def test_a_name_that_cannot_be_looked_up_for_now_is_tried_again(host: Host, plan: Plan, host_name: str) -> None:
    connector = connected(host, plan, f"https://{host_name}/events", allow_private_addresses=False)
    connector.send(CAMPAIGN, people(1))
    (state,) = connector.sinks()
    assert state.trouble is not None and "can't be reached" in state.trouble
    assert (state.is_stopped, state.next_try is not None) == (False, True)


def test_what_a_proxy_looks_up_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert checked(f"https://{NO_NAMES[0]}/events", private=True)["address"][0] is None
    assert checked(f"https://{NO_NAMES[0]}/events", private=False)["address"][0] is False


@pytest.mark.parametrize(("url", "private"), [("https://1.1.1.1/events", False), ("http://127.0.0.1:9/events", True)])
def test_whether_an_address_takes_events_is_not_proved(url: str, private: bool) -> None:
    assert checked(url, private=private)["address"][0] is None


@pytest.mark.parametrize("url", ["http://crm.example.com/events", "ftp://crm.example.com", "https://user@example.com/"])
def test_what_is_no_address_for_it_is_refused(host: Host, plan: Plan, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connected(host, plan, url, allow_private_addresses=False)
    assert "sinks.hook" in str(caught.value)


@pytest.mark.parametrize(("value", "ok"), [(NEW, True), ("whsec_", False), ("whsec_ä", False)])
def test_the_secret_is_looked_at(value: str, ok: bool) -> None:
    secret = Secret("env:NEW", lambda reference: value)
    settings = WebhookSettings(url="https://1.1.1.1", secret=secret, properties={})
    http = Http()
    results = {each.name: each.ok for each in Plugins().sink("webhook", "hook", settings, http).check()}
    http.close()
    assert results == ({"secret": True, "address": None} if ok else {"secret": False})


class TestContract(SinkContract):
    offered = WebhookSink
    body = "event"

    @pytest.fixture(autouse=True)
    def _beside(self, receiver: Receiver) -> None:
        self.receiver = receiver

    @property
    def settings(self) -> dict[str, Any]:
        allowed = {"allow_private_addresses": True}
        return {"url": self.receiver.url, "secret": ["env:NEW", "env:OLD"], "body": self.body, **allowed}

    @property
    def secrets(self) -> dict[str, str]:
        return {"env:NEW": NEW, "env:OLD": OLD}

    def received(self) -> Sequence[str]:
        return self.receiver.taken

    @contextmanager
    def away(self) -> Iterator[None]:
        self.receiver.away = True
        yield
        self.receiver.away = False


class TestContractOfCloudEvents(TestContract):
    body = "cloudevent"
