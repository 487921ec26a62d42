"""`connector check`: what works, what doesn't and why, and what can't be proved."""

import re
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from cli_kit import SIMULATOR, Desk
from sending_kit import wait_until
from setup_kit import answering, findings, free_port

from connector import Connector
from connector.http import NoAnswer, Unanswered, knock
from connector.server.serve import serving
from connector.simulator.asking import have_somebody_write
from connector.tracking import callbacks

NUMBER = "+12015550123"
SENDER = {"senders.shop": {"value": "Bookshop"}, "defaults": {"sender": "shop"}}


def called_back_at(desk: Desk, public_url: str, port: int | None = None) -> None:
    """Configure a public address, and a port that `connector serve` listens on."""
    desk.configure(server={"public_url": public_url, "port": port or free_port()}, **SENDER)


def traces(desk: Desk) -> tuple[Any, Any]:
    """What a rehearsed report could leave."""
    with Connector.from_config(desk.folder / "connector.toml") as connector:
        return desk.json("unmatched")["reports"], connector.counters()


def path(desk: Desk, *, status: int) -> tuple[str, str]:
    """What is found of the callback path."""
    return findings(desk.json("check", status=status))["callback path"]


def test_everything_is_right_and_what_isn_t_proved_is_said(desk: Desk) -> None:
    port = free_port()
    called_back_at(desk, f"http://127.0.0.1:{port}", port)
    result = desk.run("check")
    assert result.exit_code == 0, result.output
    proved, _, left = result.stdout.partition("\nNot proved\n")
    for words in ("simulated (Sinch SMS)", "This connector", "The SMS API accepts the API token", "clock agrees"):
        assert words in proved
    assert f"A rehearsed report went to http://127.0.0.1:{port} and was in the ledger" in proved
    assert f"No `connector serve` runs, so one was started on 127.0.0.1:{port} for this alone." in proved
    for words in (
        "Credit, allowed senders",
        "right for a simulator",
        "Incoming URL",
        "No `connector serve` runs",
    ):
        assert words in left
    assert left.endswith("\nNothing is wrong.\n")
    assert traces(desk) == ([], {})


def test_through_a_server_that_runs_and_nothing_is_left_of_it(desk: Desk) -> None:
    port = free_port()
    called_back_at(desk, f"http://127.0.0.1:{port}", port)
    with desk.start("serve") as server:
        server.line()
        # It listens first, and begins to work then.
        with Connector.from_config(desk.folder / "connector.toml") as connector:
            wait_until(connector.worker_is_running)
        told = findings(desk.json("check"))
        assert told["callback path"][0] == told["server"][0] == told["worker"][0] == "ok"
        assert "was started" not in told["callback path"][1]
        assert traces(desk) == ([], {})
        # The server was started with another secret.
        desk.environment["SIMULATED_CALLBACK_SECRET"] = "another-secret"
        result, message = path(desk, status=1)
        assert (result, "took the report for forged" in message) == ("wrong", True)
        assert "another-secret" not in message
        assert traces(desk) == ([], {})
        server.signal(signal.SIGTERM)
        assert server.end()[0] == 0


def test_without_a_public_address_everything_is_polled(desk: Desk) -> None:
    told = desk.json("check")
    result, message = findings(told)["callback path"]
    assert (told["ok"], result, told["callbacks"]) == (True, "not_proved", {})
    assert "everything is polled" in message


def test_a_program_that_takes_callbacks_is_thought_of(desk: Desk) -> None:
    called_back_at(desk, f"http://127.0.0.1:{free_port()}")
    told = findings(desk.json("check", status=1))
    assert "your program" in told["callback path"][1] and "no program of yours" in told["server"][1]
    with Connector.from_config(secrets=lambda reference: desk.environment[reference.removeprefix("env:")]) as connector:
        connector.recorder.start()
        told = findings(desk.json("check", status=1))
    assert told["server"] == ("ok", "`connector serve`, or a program of yours, takes callbacks just now.")


ANSWERS: list[tuple[dict[str, Any], str]] = [
    (
        {"status": 200, "body": b"Welcome"},
        "is not this connector (HTTP 200 OK), and the report is not in the ledger",
    ),
    (
        {"status": 301, "location": "https://www.example.com/hooks/webhooks/x"},
        "on to https://www.example.com/hooks (",
    ),
    ({"status": 302, "location": "/login"}, "on to another address (HTTP 302 Found)"),
    ({"status": 401, "body": b"Who are you?"}, "lets nobody in (HTTP 401 Unauthorized)"),
    ({"status": 404}, "It must pass /webhooks/ on to 127.0.0.1:"),
    ({"status": 502}, "reaches no connector (HTTP 502 Bad Gateway)"),
    ({"status": 599}, "is not this connector (HTTP 599)"),
    ({"status": 200, "body": callbacks.STORED.body}, "keeps another ledger"),
    ({"status": 503, "body": callbacks.NOT_KNOWN.body}, "doesn't know this integration"),
    ({"status": 503, "body": callbacks.NOT_STORED.body}, "could not store the report"),
    ({"status": 404, "body": callbacks.NOT_HERE.body}, "requests arrive there with another path"),
    ({"status": 401, "body": callbacks.FORGED.body}, "started with another callback secret or password"),
]


def test_what_answers_at_the_public_address(desk: Desk) -> None:
    for answer, words in ANSWERS:
        with answering(**answer) as url:
            called_back_at(desk, url)
            result, message = path(desk, status=1)
        assert result == "wrong"
        assert words in message
    assert traces(desk) == ([], {})


def test_a_server_that_knows_nothing_of_this_integration(desk: Desk, tmp_path: Path) -> None:
    settings = SIMULATOR.settings(desk.base_url, desk.options)
    other = {"integrations": {"other": settings}, "storage": {"url": f"sqlite:///{tmp_path / 'other.db'}"}}
    with Connector(other, secrets=lambda reference: "x") as connector, serving(connector, with_worker=False) as url:
        called_back_at(desk, url)
        result, message = path(desk, status=1)
    assert (result, "Restart `connector serve` with these settings." in message) == ("wrong", True)


def test_nothing_answers_at_the_public_address(desk: Desk) -> None:
    for url, words in [
        (f"http://127.0.0.1:{free_port()}", "Nothing listens at http://127.0.0.1:"),
        ("https://hooks.shop.invalid", "The internet knows no machine named hooks.shop.invalid."),
    ]:
        called_back_at(desk, url)
        result, message = path(desk, status=1)
        assert (result, words in message) == ("wrong", True)


@contextmanager
def speaking(what: bytes | None, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Something that listens: says something that isn't HTTP, or nothing; with TLS where a context is given."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        over = threading.Event()

        def speak() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) if context else connection as talking:
                        talking.recv(65536)
                        if what is None:
                            over.wait(120)
                        else:
                            talking.sendall(what)
                except OSError:
                    # Whom it isn't trusted by leaves.
                    return

        thread = threading.Thread(target=speak)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            thread.join()


def test_every_way_of_not_answering_is_told_apart() -> None:
    def why(url: str) -> Unanswered:
        with pytest.raises(NoAnswer) as caught:
            knock(url, b"{}", {}, timeout_seconds=0.5)
        return caught.value.why

    untrusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(untrusted)
    with speaking(b"", untrusted) as port:
        assert why(f"https://127.0.0.1:{port}/") is Unanswered.certificate
    with speaking(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert why(f"https://127.0.0.1:{port}/") is Unanswered.encryption
    with speaking(b"220 mail.example.com\r\n") as port:
        assert why(f"http://127.0.0.1:{port}/") is Unanswered.broken_off
    with speaking(None) as port:
        assert why(f"http://127.0.0.1:{port}/") is Unanswered.too_slow


def test_wrong_credentials_and_a_secret_that_is_missing(desk: Desk) -> None:
    desk.environment["SIMULATED_API_TOKEN"] = "wrong-token"
    result = desk.run("check")
    assert (result.exit_code, "wrong-token" in result.output) == (1, False)
    assert "WRONG  credentials" in result.stdout
    assert "Copy api_token and service_plan_id anew" in result.stdout
    assert result.stdout.endswith("\n1 thing is wrong.\n")
    desk.environment["SIMULATED_API_TOKEN"] = ""
    told = desk.json("check", "--test-number", NUMBER, "--yes", status=1)
    result_of_secrets, message = findings(told)["secrets"]
    assert (result_of_secrets, "SIMULATED_API_TOKEN is empty" in message) == ("wrong", True)
    assert findings(told)["test message"] == (
        "not_proved",
        "It was not sent. First mend what is wrong above (secrets).",
    )
    assert desk.account()["accepted_once"] == 0


def test_a_ledger_that_can_t_be_opened(desk: Desk) -> None:
    desk.configure(
        storage={"url": "sqlite:///no-such-folder/connector.db"}, server={"public_url": "http://127.0.0.1:9"}
    )
    told = desk.json("check", status=1)
    assert findings(told)["ledger"][0] == "wrong"
    assert findings(told)["credentials"][0] == "ok"


def test_nothing_is_configured_or_it_can_t_be_read(desk: Desk) -> None:
    desk.write("connector.toml", "[tracking]\n")
    told = desk.json("check", status=1)
    assert "connector setup" in findings(told)["integrations"][1]
    for text in ("[tracking]\nx = 1\n", "[tracking\n"):
        desk.write("connector.toml", text)
        result = desk.run("check", "--json")
        assert (result.exit_code, result.stdout, result.stderr.startswith("Error: connector.toml")) == (2, "", True)


def test_sinks_are_tried_whatever_else_is_wrong(desk: Desk) -> None:
    table = '[sinks.file]\nsink = "jsonl"\npath = "missing/events.jsonl"\n'
    desk.write("connector.toml", table)
    told = desk.json("check", status=1)
    assert "connector setup" in findings(told)["integrations"][1]
    assert [each["result"] for each in told["findings"] if each["sink"] == "file"] == ["wrong"]
    desk.write("connector.toml", table + '[storage]\nurl = "sqlite:///no-such-folder/connector.db"\n')
    told = desk.json("check", status=1)
    assert findings(told)["ledger"][0] == "wrong"
    assert [each["result"] for each in told["findings"] if each["sink"] == "file"] == ["wrong"]


def test_a_sender_that_no_network_takes(desk: Desk) -> None:
    desk.configure(**{"senders.shop": {"value": "Café"}, "senders.short": {"value": "12"}})
    told = findings(desk.json("check", status=1))
    assert told["sender"][0] == "not_proved"
    listed = [each for each in desk.json("check", status=1)["findings"] if each["name"] == "sender"]
    assert [each["result"] for each in listed if each["result"] == "wrong"]


def test_whether_anybody_ever_wrote_is_told(desk: Desk) -> None:
    called_back_at(desk, "http://127.0.0.1:9")
    told = desk.json("check", status=1)
    assert findings(told)["replies"][0] == "not_proved"
    assert told["callbacks"]["simulated"] in told["reply_guidance"]["simulated"]
    shown = desk.run("check").stdout
    assert any(told["callbacks"]["simulated"] in line for line in shown.splitlines())
    have_somebody_write(desk.base_url, NUMBER, "When do you open?")
    result, message = findings(desk.json("check", status=1))["replies"]
    assert (result, "People have written to this account" in message) == ("ok", True)
    desk.json("poll")
    result, message = findings(desk.json("check", status=1))["replies"]
    assert (result, message.startswith("Messages from people arrive; the last one is of 20")) == ("ok", True)
    assert "To have replies" not in desk.run("check").stdout


def test_a_test_message_by_callback_and_by_poll(desk: Desk) -> None:
    desk.configure(**SENDER)
    told = desk.json("check", "--test-number", NUMBER, "--yes")
    result, message = findings(told)["test message"]
    assert (result, told["test_message"]["told_by"]) == ("ok", "poll")
    assert findings(told)["look-up"][0] == "ok"
    assert "sending" not in findings(told)
    assert re.fullmatch(r"Accepted after [0-9.]+ s, delivered after [0-9.]+ s, told by poll\.", message)
    port = free_port()
    called_back_at(desk, f"http://127.0.0.1:{port}", port)
    told = desk.json("check", "--test-number", "+12015550124", "--yes")
    assert (told["ok"], told["test_message"]["told_by"]) == (True, "callback")
    assert findings(told)["callbacks from outside"] == (
        "ok",
        "The provider called back with the test message's report.",
    )
    assert desk.account()["accepted_more"] == 0
    lines = desk.json("dispatches")["dispatches"]
    assert [(line["campaign"], line["enqueued"]) for line in lines] == [("connector-check", 1)] * 2


def test_a_test_message_while_a_server_does_the_work(desk: Desk) -> None:
    port = free_port()
    called_back_at(desk, f"http://127.0.0.1:{port}", port)
    with desk.start("serve") as server:
        server.line()
        told = desk.json("check", "--test-number", NUMBER, "--yes")
        server.signal(signal.SIGTERM)
        assert server.end()[0] == 0
    assert (told["test_message"]["status"], told["test_message"]["told_by"]) == ("delivered", "callback")


def test_callbacks_that_get_lost_on_their_way_here(desk: Desk) -> None:
    # The address is right for this machine, and the provider doesn't reach it.
    desk.ask("faults", {"callback_lost": 1})
    port = free_port()
    called_back_at(desk, f"http://127.0.0.1:{port}", port)
    with (
        Connector.from_config(desk.folder / "connector.toml", secrets=lambda r: desk.environment[r[4:]]) as connector,
        serving(connector, with_worker=False),
    ):
        # Longer than it takes until the first batch of an account is polled.
        trial = connector.try_number(NUMBER, wait_seconds=3.0)
    assert (trial.status, trial.told_by) == ("delivered", "poll")
    told = {each.name: (each.result, each.message) for each in trial.findings()}
    assert told["test message"][0] == "ok"
    assert told["callbacks from outside"][0] == "wrong"
    assert "can't reach [server] public_url" in told["callbacks from outside"][1]


def test_a_test_message_is_never_sent_unasked_nor_with_others(desk: Desk) -> None:
    result = desk.run("check", "--test-number", NUMBER)
    assert (result.exit_code, "--yes" in result.stderr) == (2, True)
    desk.configure(**SENDER)
    desk.people(1)
    with Connector.from_config(desk.folder / "connector.toml") as connector:
        connector.plan("campaign.toml", "people.csv")
    told = desk.json("check", "--test-number", NUMBER, "--yes", status=1)
    assert told["test_message"]["dispatch"] is None
    assert "are not finished" in findings(told)["test message"][1]
    assert desk.account()["accepted_once"] == 0


@pytest.mark.parametrize(
    ("number", "words"),
    [("+46 12", "No phone has this number."), ("not a number", "No phone has this number.")],
)
def test_a_number_that_nobody_has_is_not_shown(desk: Desk, number: str, words: str) -> None:
    result = desk.run("check", "--test-number", number, "--yes")
    assert (result.exit_code, words in result.stdout) == (1, True)
    assert number not in result.output


def test_a_test_message_that_is_refused(desk: Desk) -> None:
    told = desk.json("check", "--test-number", NUMBER, "--yes", status=1)
    result, message = findings(told)["test message"]
    assert (result, "rejected after" in message) == ("wrong", True)
    assert NUMBER[1:] not in message
