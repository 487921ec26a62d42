"""What a callback is answered, over real HTTP: 2xx only for what is durable, and never a traceback."""

import base64
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic_core import to_json
from receiving_kit import (
    ADA,
    BO,
    SECRETS,
    Api,
    Clock,
    address,
    connect,
    nothing_wrong,
    receipt,
    send_to,
    signed,
    sql,
    statuses,
)

from connector.connector import Connector
from connector.ledger import database
from connector.ledger.tables import WhyKept
from connector.server.serve import serving

LIMIT = 1_000_000


@pytest.fixture
def web(connector: Connector) -> Iterator[httpx.Client]:
    with serving(connector, with_worker=False) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def report(api: Api, person: str = ADA, **changes: Any) -> bytes:
    return to_json(receipt(person, client_reference=api.sent[0].key, **changes))


def counted(connector: Connector) -> dict[str, int]:
    return connector.counters().get("sms", {})


def test_a_report_is_stored_before_it_is_answered(web: httpx.Client, connector: Connector, api: Api) -> None:
    send_to(connector, ADA)
    answer = web.post(address(connector), content=report(api))
    assert (answer.status_code, answer.text) == (200, "Stored.\n")
    assert statuses(connector, ADA) == ["enqueued", "delivered"]


@pytest.mark.parametrize("path", ["{}/", "{}?attempt=2&x=%2F", "{}/{key}", "{}/{key}/", "{}/{key}?a=b"])
def test_ways_to_write_the_address(web: httpx.Client, connector: Connector, api: Api, path: str) -> None:
    send_to(connector, ADA)
    body = to_json(receipt(ADA, batch_id="01-unknown" if "key" not in path else None))
    url = path.format(address(connector), key=api.sent[0].key)
    if "key" not in path:
        body = report(api)
    assert web.post(url, content=body).status_code == 200
    assert statuses(connector, ADA) == ["enqueued", "delivered"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", WhyKept.unreadable),
        (b"not JSON", WhyKept.unreadable),
        (b'{"type": "recipient_delivery_rep', WhyKept.unreadable),
        (b"\xff\xfe\x00", WhyKept.unreadable),
        (b"[]", WhyKept.unreadable),
        (b"null", WhyKept.unreadable),
        (b"{}", WhyKept.unreadable),
        (b"[" * 5000, WhyKept.unreadable),
        (b'{"type": 7}', WhyKept.unreadable),
        (to_json({"type": "a_type_of_next_year", "batch_id": "01"}), WhyKept.unreadable),
        (to_json(receipt(ADA, "Teleported", batch_id="01")), WhyKept.unreadable),
        (to_json(receipt(ADA, batch_id=None)), WhyKept.unreadable),
        (to_json(receipt(ADA, batch_id="01")).replace(b'"code":0', b'"code":' + b"9" * 4000), WhyKept.unmatched),
        (to_json(receipt(ADA, batch_id="01", extra={"deep": [1e308, -0.0, 2**80]})), WhyKept.unmatched),
        (to_json(receipt(ADA, batch_id="01")).replace(b"Delivered", b"\\ud800"), WhyKept.unreadable),
        (to_json(receipt(ADA, batch_id="0\x001", operator="'; DROP TABLE events; --")), WhyKept.unmatched),
        (to_json(receipt(ADA, batch_id="01")), WhyKept.unmatched),
        (to_json(receipt(ADA, client_reference="k" * 5000)), WhyKept.unmatched),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_can_not_be_read_or_placed_is_kept_and_counted(
    web: httpx.Client, connector: Connector, caplog: pytest.LogCaptureFixture, body: bytes, why: WhyKept
) -> None:
    answer = web.post(address(connector), content=body)
    assert (answer.status_code, answer.text) == (200, "Stored.\n")
    assert connector.kept(why) == 1
    assert counted(connector) == {why: 1}
    assert "Traceback" not in caplog.text
    # What is kept can be listed.
    assert len(connector.kept_reports(why)) == 1


def test_every_other_method_and_path(web: httpx.Client, connector: Connector) -> None:
    path = address(connector)
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        assert web.request(method, path).status_code == 405
    for other in ("/", "/webhooks", "/webhooks/", "/webhooks//", "/favicon.ico", f"/x{path}"):
        assert web.post(other, content=b"{}").status_code == 404
    assert connector.kept(WhyKept.unreadable) == 0


def test_an_unknown_address_is_to_be_called_again_later(web: httpx.Client, connector: Connector) -> None:
    """The integration may be known a moment later: a configuration is rolled out, a ledger restored."""
    answer = web.post("/webhooks/nobody-knows-this", content=b"{}")
    assert answer.status_code == 503
    assert "not known" in answer.text
    assert web.post(address(connector)[:-1], content=b"{}").status_code == 503
    assert connector.counters() == {}


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_over_one_megabyte(web: httpx.Client, connector: Connector, api: Api, over: int, chunked: bool) -> None:
    send_to(connector, ADA)
    bare = report(api, filler="")
    body = bare.replace(b'"filler":""', b'"filler":"' + b"x" * (LIMIT - len(bare) + over) + b'"')
    assert len(body) == LIMIT + over

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    answer = web.post(address(connector), content=pieces() if chunked else body)
    assert answer.status_code == (413 if over else 200)
    assert statuses(connector, ADA) == ["enqueued"] + (["delivered"] if not over else [])
    assert counted(connector).get("too_large", 0) == over


def test_a_body_that_is_declared_too_large_is_not_waited_for(web: httpx.Client, connector: Connector) -> None:
    """The answer comes before the body does."""
    where = urlsplit(str(web.base_url))
    with socket.create_connection((where.hostname, where.port), timeout=120) as line:
        line.sendall(f"POST {address(connector)} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000000\r\n\r\n".encode())
        assert line.recv(64).startswith(b"HTTP/1.1 413")
    assert counted(connector) == {"too_large": 1}
    assert web.post("/webhooks/made-up", content=b"x" * (LIMIT + 1)).status_code == 413
    assert connector.counters() == {"sms": {"too_large": 1}}


def test_a_huge_body_is_answered_to_a_client_that_writes_all_of_it_first(
    web: httpx.Client, connector: Connector
) -> None:
    # The connection may be closed on a client that doesn't look while it writes.
    with suppress(httpx.WriteError, httpx.ReadError):
        assert web.post(address(connector), content=b"x" * 20_000_000).status_code == 413
    assert web.post(address(connector), content=b"{}").status_code == 200
    assert counted(connector)["too_large"] == 1


def test_half_a_report_is_none(web: httpx.Client, connector: Connector, api: Api) -> None:
    send_to(connector, ADA)
    body = report(api)
    where = urlsplit(str(web.base_url))
    head = f"POST {address(connector)} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection((where.hostname, where.port), timeout=120) as line:
        line.sendall(head + body[:-20])
    # The next one on the same server shows that the torn one was dealt with.
    assert web.post(address(connector), content=body).status_code == 200
    assert statuses(connector, ADA) == ["enqueued", "delivered"]
    assert counted(connector) == {}


def test_what_can_not_be_stored_is_to_be_sent_again(
    tmp_path: Path, api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program holds the ledger for too long."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.05)
    with connect(tmp_path, api, clock) as connector, serving(connector, with_worker=False) as url:
        send_to(connector, ADA)
        with sql(connector) as ledger:
            ledger.execute("BEGIN IMMEDIATE")
            answer = httpx.post(url + address(connector), content=report(api), timeout=30)
            assert (answer.status_code, "again" in answer.text) == (503, True)
        assert statuses(connector, ADA) == ["enqueued"]
        assert httpx.post(url + address(connector), content=report(api), timeout=30).status_code == 200
        assert statuses(connector, ADA) == ["enqueued", "delivered"]
        assert nothing_wrong(connector)


def test_a_full_disk(web: httpx.Client, connector: Connector, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    send_to(connector, ADA, BO)
    assert web.post(address(connector), content=report(api, BO)).status_code == 200
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file of this process may grow past its first bytes: as when the disk is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        answers = [web.post(address(connector), content=report(api)).status_code for _ in range(2)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert answers == [503, 503]
    assert ADA not in caplog.text
    assert web.post(address(connector), content=report(api)).status_code == 200
    assert statuses(connector, ADA) == ["enqueued", "delivered"]
    assert nothing_wrong(connector)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def guarded(tmp_path: Path, api: Api, clock: Clock) -> Iterator[tuple[Connector, str]]:
    """An integration with two signing secrets."""
    made = connect(tmp_path, api, clock, callback_secret=["env:OLD", "env:NEW"])
    with made, serving(made, with_worker=False) as url:
        send_to(made, ADA)
        yield made, url + address(made)


@pytest.mark.parametrize("secret", ["env:OLD", "env:NEW"])
def test_each_of_several_secrets_signs(guarded: tuple[Connector, str], api: Api, clock: Clock, secret: str) -> None:
    connector, url = guarded
    body = report(api)
    assert httpx.post(url, content=body, headers=signed(body, SECRETS[secret], clock())).status_code == 200
    assert statuses(connector, ADA) == ["enqueued", "delivered"]
    assert counted(connector) == {}


def test_a_right_but_old_signature_counts_and_is_counted(
    guarded: tuple[Connector, str], api: Api, clock: Clock
) -> None:
    connector, url = guarded
    body = report(api)
    headers = signed(body, SECRETS["env:NEW"], clock())
    clock.go(hours=20)
    assert httpx.post(url, content=body, headers=headers).status_code == 200
    assert statuses(connector, ADA) == ["enqueued", "delivered"]
    assert counted(connector) == {"stale": 1}
    # A replay of it is harmless.
    assert httpx.post(url, content=body, headers=headers).status_code == 200
    assert statuses(connector, ADA) == ["enqueued", "delivered"]
    assert counted(connector) == {"stale": 2, "repeated": 1}


@pytest.mark.parametrize("fault", ["missing", "wrong secret", "other body", "other nonce", "half", "wrong algorithm"])
def test_only_a_wrong_or_missing_signature_is_forged(
    guarded: tuple[Connector, str], api: Api, clock: Clock, fault: str
) -> None:
    connector, url = guarded
    body = report(api)
    headers = signed(body, "a-guess" if fault == "wrong secret" else SECRETS["env:NEW"], clock())
    if fault == "missing":
        headers = {}
    elif fault == "other body":
        body = report(api, "12015550199")
    elif fault == "other nonce":
        headers["x-sinch-webhook-signature-nonce"] = "01OTHER"
    elif fault == "half":
        del headers["x-sinch-webhook-signature-timestamp"]
    elif fault == "wrong algorithm":
        headers["x-sinch-webhook-signature-algorithm"] = "none"
    answer = httpx.post(url, content=body, headers=headers)
    assert answer.status_code == 401
    assert statuses(connector, ADA) == ["enqueued"]
    assert counted(connector) == {"forged": 1}
    assert connector.kept(WhyKept.unreadable) == 0


def test_basic_authentication(tmp_path: Path, api: Api, clock: Clock) -> None:
    made = connect(tmp_path, api, clock, callback_username="hooks", callback_password="env:PASSWORD")
    with made, serving(made, with_worker=False) as url:
        send_to(made, ADA)
        for headers in ({}, basic("hooks", "wrong"), basic("other", SECRETS["env:PASSWORD"]), {"Authorization": "x"}):
            assert httpx.post(url + address(made), content=report(api), headers=headers).status_code == 401
        assert statuses(made, ADA) == ["enqueued"]
        right = basic("hooks", SECRETS["env:PASSWORD"])
        assert httpx.post(url + address(made), content=report(api), headers=right).status_code == 200
        assert statuses(made, ADA) == ["enqueued", "delivered"]
        assert counted(made) == {"forged": 4}


def test_without_a_secret_a_signature_is_not_looked_at(
    web: httpx.Client, connector: Connector, api: Api, clock: Clock
) -> None:
    send_to(connector, ADA)
    body = report(api)
    assert web.post(address(connector), content=body, headers=signed(body, "any", clock())).status_code == 200
    assert counted(connector) == {}


def test_a_secret_that_can_not_be_read_just_now_loses_nothing(
    tmp_path: Path, api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = connect(tmp_path, api, clock, callback_secret="env:NEW")
    with made, serving(made, with_worker=False) as url:
        send_to(made, ADA)
        body = report(api)
        headers = signed(body, SECRETS["env:NEW"], clock())
        with monkeypatch.context() as gone:
            gone.delitem(SECRETS, "env:NEW")
            assert httpx.post(url + address(made), content=body, headers=headers).status_code == 503
        assert httpx.post(url + address(made), content=body, headers=headers).status_code == 200
        assert statuses(made, ADA) == ["enqueued", "delivered"]


def test_many_connections_at_once(web: httpx.Client, connector: Connector, api: Api) -> None:
    send_to(connector, ADA, BO)
    answers: list[int] = []

    def post(person: str) -> None:
        for _ in range(20):
            answers.append(web.post(address(connector), content=report(api, person)).status_code)

    threads = [threading.Thread(target=post, args=(person,)) for person in (ADA, BO) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 160
    assert (statuses(connector, ADA), statuses(connector, BO)) == (["enqueued", "delivered"],) * 2
    assert counted(connector) == {"repeated": 158}
