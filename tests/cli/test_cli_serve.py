"""`connector serve`, `worker`, `simulate` and `demo`: what runs all the time, and what shows it."""

import json
import signal
import socket
from contextlib import closing

import httpx
from cli_kit import Desk


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def test_send_beside_a_server_and_reports_come_by_callback(desk: Desk) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    desk.configure(server={"public_url": url, "port": port})
    desk.people(40)
    with desk.start("serve", "--json") as server:
        told = json.loads(server.line())
        assert (told["url"], told["public_url"], told["worker"]) == (url, url, True)
        assert told["callbacks"]["simulated"].startswith(f"{url}/webhooks/")
        assert httpx.get(f"{url}/healthz").status_code == 200
        with desk.start("send", "campaign.toml", "--recipients", "people.csv", "--wait", "--json") as sending:
            status, out, err = sending.end()
        assert (status, err) == (0, "")
        assert json.loads(out)["delivered"] == 40
        desk.ask("idle")
        callbacks = desk.account()["callbacks"]
        assert (callbacks["answered"], callbacks["retried"]) == (40, 0)
        server.signal(signal.SIGTERM)
        assert server.end()[0] == 0
    assert desk.json("verify")["ok"] is True


def test_for_people_the_server_says_where_it_listens(desk: Desk) -> None:
    with desk.start("serve", "--port", "0", "--no-worker") as server:
        assert server.line().startswith("Listening on http://127.0.0.1:")
        assert "no [server] public_url" in server.line()
        assert server.line().startswith("Callbacks of simulated: http://127.0.0.1:")
        server.signal(signal.SIGINT)
        assert server.end()[0] == 0


def test_a_port_that_is_taken(desk: Desk) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        for command in (("serve",), ("simulate", "sinch-sms")):
            result = desk.run(*command, "--port", str(port))
            assert (result.exit_code, result.stdout) == (2, "")
            assert f"port {port}" in result.stderr
            assert "--port" in result.stderr


def test_a_server_without_its_secret_does_not_start(desk: Desk) -> None:
    desk.environment["SIMULATED_API_TOKEN"] = ""
    for command in (("serve", "--port", "0"), ("worker",)):
        result = desk.run(*command)
        assert result.exit_code == 2
        assert "SIMULATED_API_TOKEN" in result.stderr


def test_a_second_worker_waits_to_take_over(desk: Desk) -> None:
    desk.people(3)
    with desk.start("serve", "--port", "0") as server:
        server.line()
        with desk.start("worker") as worker:
            assert "takes over when that ends" in worker.line_of_errors()
            server.signal(signal.SIGTERM)
            assert server.end()[0] == 0
            # Nobody else is left to send it.
            assert desk.send()["enqueued"] == 3
            worker.signal(signal.SIGTERM)
            status, out, err = worker.end()
        assert (status, out, err.startswith("Stopping")) == (0, "", True)


def test_the_simulator_says_what_to_put_into_the_configuration(desk: Desk) -> None:
    options = ("--fault", "throttled=0.5", "--set", "callback_secret=", "--set", "endings.0199=Failed:150")
    with desk.start("simulate", "sinch-sms", "--json", *options) as simulator:
        told = json.loads(simulator.line())
        assert told["settings"]["base_url"] == told["url"]
        assert "callback_secret" not in told["settings"]
        assert httpx.get(f"{told['url']}/_simulator/account").json()["numbers"] == 0
        simulator.signal(signal.SIGTERM)
        assert simulator.end()[0] == 0
    with desk.start("simulate", "sinch-sms") as simulator:
        assert simulator.line().startswith("The simulator of Sinch SMS answers on http://127.0.0.1:")
        simulator.signal(signal.SIGINT)
        status, out, _ = simulator.end()
        assert status == 0
        assert "[integrations.simulated]" in out.splitlines()


def test_the_demo_shows_it_all(desk: Desk) -> None:
    result = desk.run("demo", "--recipients", "120", "--json")
    shown = json.loads(result.stdout)
    assert (result.exit_code, shown["ok"], shown["verify"]) == (0, True, [])
    assert shown["report"]["enqueued"] == shown["account"]["accepted_once"] == 120
    assert shown["account"]["callbacks"]["answered"] == 120
    assert shown["report"]["skipped"]["total"] == 2


def test_the_demo_tells_people_step_by_step(desk: Desk) -> None:
    result = desk.run("demo", "--recipients", "20")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line[0] for line in result.stdout.splitlines()[:6]] == list("123456")
    assert "20 accepted once, 0 more than once" in result.stdout
    assert "connector simulate sinch-sms" in result.stdout
