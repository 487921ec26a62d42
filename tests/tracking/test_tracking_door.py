"""`receive`, for any web framework, answers as the ASGI application does, and that one may stand under any prefix."""

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic_core import to_json
from receiving_kit import (
    ADA,
    BO,
    SECRETS,
    Api,
    Clock,
    address,
    call,
    connect,
    receipt,
    send_to,
    settings_of,
    signed,
    statuses,
)

from connector.connector import Connector
from connector.extension import hookimpl
from connector.extension.plugins import Plugins
from connector.model.callback import Request

LARGE = b"x" * 1_000_001


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "{}", b"{}", 200),
        ("POST", "{}/some-key", b"{}", 200),
        ("POST", "{}", LARGE[:-1], 200),
        ("POST", "{}", LARGE, 413),
        ("GET", "{}", b"", 405),
        ("POST", "{}x", b"{}", 503),
        ("POST", "{}x", LARGE, 413),
        ("POST", "/webhooks/", b"{}", 404),
        ("POST", "/", b"{}", 404),
        ("POST", "", b"{}", 404),
    ],
)
def test_both_doors_answer_alike(connector: Connector, method: str, path: str, body: bytes, status: int) -> None:
    where = path.format(address(connector))
    direct = connector.receive(Request(method, where, {}, body))
    counted = connector.counters()
    served = asyncio.run(call(connector.asgi, where, body, method=method))
    assert direct == served
    assert direct.status == status
    after = connector.counters()
    assert {name: 2 * times for name, times in counted.get("sms", {}).items()} == after.get("sms", {})
    assert set(after) <= {"sms"}


def test_both_doors_check_the_signature(tmp_path, api: Api, clock: Clock) -> None:
    with connect(tmp_path, api, clock, callback_secret="env:NEW") as connector:
        send_to(connector, ADA, BO)
        path = address(connector)
        for person, app in ((ADA, False), (BO, True)):
            body = to_json(receipt(person, client_reference=api.sent[0].key))

            def answered(headers: Mapping[str, str], body: bytes = body, app: bool = app) -> int:
                if app:
                    return asyncio.run(call(connector.asgi, path, body, headers=headers)).status
                return connector.receive(Request("POST", path, headers, body)).status

            assert answered({}) == 401
            assert answered(signed(body, SECRETS["env:OLD"], clock())) == 401
            assert answered(signed(body, SECRETS["env:NEW"], clock())) == 200
        assert connector.counters()["sms"] == {"forged": 4}


@pytest.mark.parametrize(
    ("prefix", "keeps"),
    [("", True), ("/", True), ("/hooks", True), ("/hooks", False), ("/hooks/", True), ("/web", False), ("/a/b", True)],
)
def test_under_a_prefix_that_the_server_leaves_in_the_path_or_takes_off(
    connector: Connector, api: Api, prefix: str, keeps: bool
) -> None:
    send_to(connector, ADA)
    path = (prefix.rstrip("/") if keeps else "") + address(connector)
    body = to_json(receipt(ADA, client_reference=api.sent[0].key))
    assert asyncio.run(call(connector.asgi, path, body, prefix=prefix)).status == 200
    assert statuses(connector, ADA) == ["enqueued", "delivered"]


def test_a_body_in_pieces(connector: Connector, api: Api) -> None:
    send_to(connector, ADA)
    body = to_json(receipt(ADA, client_reference=api.sent[0].key))
    pieces = [body[place : place + 1] for place in range(len(body))]
    assert asyncio.run(call(connector.asgi, address(connector), *pieces)).status == 200
    assert statuses(connector, ADA) == ["enqueued", "delivered"]


@pytest.mark.parametrize("declared", ["5000000", "1000001"])
def test_a_body_that_is_too_large_is_not_asked_for(connector: Connector, declared: str) -> None:
    async def receive() -> dict[str, object]:
        pytest.fail("the body was read")

    async def scenario() -> list[dict[str, object]]:
        sent = []

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        headers = [(b"Content-Length", declared.encode())]
        scope = {"type": "http", "method": "POST", "path": address(connector), "headers": headers}
        await connector.asgi(scope, receive, send)  # type: ignore[arg-type]
        return sent

    assert asyncio.run(scenario())[0]["status"] == 413
    assert connector.counters() == {"sms": {"too_large": 1}}


@pytest.mark.parametrize("declared", ["", "many", "\xb2", "-1", "9" * 5000])
def test_a_length_that_is_none_is_not_believed(connector: Connector, declared: str) -> None:
    headers = {"content-length": declared}
    assert asyncio.run(call(connector.asgi, address(connector), b"{}", headers=headers)).status == 200


def test_who_goes_away_in_the_middle_leaves_nothing(connector: Connector) -> None:
    async def scenario() -> list[object]:
        arriving = [{"type": "http.request", "body": b'{"type', "more_body": True}, {"type": "http.disconnect"}]
        sent: list[object] = []

        async def receive() -> dict[str, object]:
            return arriving.pop(0)

        async def send(message: object) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": address(connector), "headers": []}
        await connector.asgi(scope, receive, send)  # type: ignore[arg-type]
        return sent

    assert asyncio.run(scenario()) == []
    assert connector.counters() == {}


def test_what_was_never_opened_is_opened_beside_the_event_loop(tmp_path: Path, api: Api, clock: Clock) -> None:
    """A host that mounts it has others to serve while a ledger is made."""
    opened_in: list[threading.Thread] = []

    class Watching:
        @hookimpl(tryfirst=True)
        def connector_setup(self) -> None:
            opened_in.append(threading.current_thread())

    with connect(tmp_path, api, clock) as before:
        path = address(before)
    with connect(tmp_path, api, clock, Watching()) as connector:

        async def scenario() -> list[int]:
            answers = await asyncio.gather(*(call(connector.asgi, path, b"{}") for _ in range(5)))
            return [answer.status for answer in answers]

        assert asyncio.run(scenario()) == [200] * 5
    assert len(opened_in) == 1
    assert opened_in[0] is not threading.current_thread()


def test_what_can_not_be_opened_is_to_be_sent_again(tmp_path: Path, api: Api, clock: Clock) -> None:
    with connect(tmp_path / "not-there", api, clock) as connector:
        assert asyncio.run(call(connector.asgi, "/webhooks/any", b"{}")).status == 503
        (tmp_path / "not-there").mkdir()
        assert asyncio.run(call(connector.asgi, address(connector), b"{}")).status == 200


def test_secrets_are_not_read_for_every_callback(tmp_path: Path, api: Api, clock: Clock) -> None:
    """They may be in a keyring or with a host that takes its time; but one that was changed counts at once."""
    read: list[str] = []
    held = dict(SECRETS)

    def secrets(reference: str) -> str:
        read.append(reference)
        return held[reference]

    settings = settings_of(tmp_path, callback_secret="env:NEW")
    with Connector(settings, plugins=Plugins([api], installed=False), secrets=secrets, clock=clock) as connector:
        path = address(connector)

        def answered(secret: str) -> int:
            headers = signed(b"{}", secret, clock())
            return asyncio.run(call(connector.asgi, path, b"{}", headers=headers)).status

        assert [answered(held["env:NEW"]) for _ in range(20)] == [200] * 20
        assert read.count("env:NEW") == 1
        held["env:NEW"] = "changed-a-moment-ago"
        assert answered("changed-a-moment-ago") == 200
        assert answered("a-guess") == 401


def test_other_protocols_are_none_of_ours(connector: Connector) -> None:
    async def scenario() -> list[str]:
        arriving = ["lifespan.startup", "lifespan.shutdown"]
        sent: list[str] = []

        async def receive() -> dict[str, object]:
            return {"type": arriving.pop(0)}

        async def send(message: dict[str, object]) -> None:
            sent.append(str(message["type"]))

        await connector.asgi({"type": "lifespan"}, receive, send)  # type: ignore[arg-type]
        await connector.asgi({"type": "websocket"}, receive, send)  # type: ignore[arg-type]
        return sent

    assert asyncio.run(scenario()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
