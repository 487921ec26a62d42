import os
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import httpx
import pytest
from letter_simulator import LetterSimulator

from connector.model.errors import InputError, NotFound
from connector.simulator import configuration, find, running, serve, simulators

OPTIONS = LetterSimulator.Options(outcomes={"Delivered:0": 1})


def test_it_answers_when_the_block_begins_and_is_gone_after_it() -> None:
    before = threading.active_count()
    with running(LetterSimulator(), OPTIONS) as base_url:
        assert httpx.get(f"{base_url}/letters").json() == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{base_url}/letters")
    assert threading.active_count() == before


def test_two_run_beside_each_other() -> None:
    with running(LetterSimulator(), OPTIONS) as one, running(LetterSimulator(), OPTIONS) as other:
        httpx.post(f"{one}/letters", json={"to": ["12015550123"]})
        assert [len(httpx.get(f"{base_url}/letters").json()) for base_url in (one, other)] == [1, 0]


def test_an_error_in_the_block_stops_it() -> None:
    with pytest.raises(ZeroDivisionError), running(LetterSimulator(), OPTIONS) as base_url:
        raise ZeroDivisionError
    with pytest.raises(httpx.ConnectError):
        httpx.get(base_url)


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=str(port)):
            serve(LetterSimulator(), OPTIONS, port=port)


SERVE = """
from letter_simulator import LetterSimulator
from connector.simulator import serve
options = LetterSimulator.Options(outcomes={"Delivered:0": 1})
serve(LetterSimulator(), options, ready=lambda port: print(port, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_serving_in_good_order(number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            assert client.post("/letters", json={"to": ["12015550123"]}).status_code == 201
            process.send_signal(number)
            output, errors = process.communicate(timeout=120)
    assert (process.returncode, output, errors) == (0, "stopped\n", "")


def test_what_to_configure_is_toml_that_points_at_it() -> None:
    text = configuration(LetterSimulator(), "http://127.0.0.1:9000", OPTIONS, name="post")
    assert "export LETTER_KEY='open sesame'" in text
    assert tomllib.loads(text)["integrations"]["post"] == {
        "provider": "letters",
        "base_url": "http://127.0.0.1:9000",
        "key": "env:LETTER_KEY",
        "urgent": True,
        "floors": [1, 2],
    }


def test_a_simulator_that_is_not_installed_is_named_beside_those_that_are() -> None:
    with pytest.raises(NotFound, match=r"pigeons.*" + simulators()[0]):
        find("pigeons")
