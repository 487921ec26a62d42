"""`connector sinks`, `replay` and `discard`, and sinks beside `worker` and `check`."""

import re
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from cli_kit import Desk
from connector_bloomreach.simulator import SIMULATOR
from connector_bloomreach.simulator_options import BloomreachOptions
from sending_kit import wait_until

from connector import ConfigurationError, Connector, DeadLetter, Event, Sink
from connector.simulator import running


class Crm:
    """A simulated project that the desk's configuration names as its sink."""

    def __init__(self, desk: Desk, base_url: str) -> None:
        self.desk = desk
        self.http = httpx.Client(base_url=base_url)
        self._settings = SIMULATOR.settings(base_url, BloomreachOptions())
        desk.environment |= SIMULATOR.secrets(BloomreachOptions())
        self.configure()

    def configure(self, **settings: Any) -> None:
        self.desk.configure(**{"sinks.crm": {**self._settings, **settings}})

    @property
    def ids(self) -> Counter[str]:
        found = self.http.get("/_simulator/batches").json()["batches"]
        return Counter(event["command_id"] for event in found)

    def faults(self, **faults: str | float) -> None:
        self.http.post("/_simulator/faults", json=faults)


@pytest.fixture
def crm(desk: Desk) -> Iterator[Crm]:
    with running(SIMULATOR, BloomreachOptions()) as base_url:
        made = Crm(desk, base_url)
        with made.http:
            yield made


def test_lag_pace_and_state_are_shown(desk: Desk, crm: Crm) -> None:
    desk.people(3)
    desk.send("--wait")
    (state,) = desk.json("sinks")["sinks"]
    assert (state["name"], state["lag"], state["dead_letters"], state["is_stopped"]) == ("crm", 0, 0, False)
    assert state["events_per_second"] > 0
    lines = desk.run("sinks").stdout.splitlines()
    assert lines[0].split() == ["sink", "waiting", "again", "events/s", "refused", "left", "out", "state"]
    assert lines[1].startswith("crm") and lines[1].endswith("up to date")


def test_a_replay_that_is_under_way_is_shown(desk: Desk, crm: Crm) -> None:
    desk.people(3)
    desk.send("--wait")
    recorded = len(desk.json("events"))
    desk.run("replay", "crm", "--since", "2020-01-01")
    (state,) = desk.json("sinks")["sinks"]
    assert (state["lag"], state["replaying"]) == (0, recorded)
    shown = desk.run("sinks").stdout.splitlines()[1].split()
    assert shown[:3] == ["crm", "0", str(recorded)]
    assert shown[-1] == "`worker`"
    crm.configure(api_key_id="another")
    desk.people(1)
    desk.send("--key", "another")
    assert f"{recorded + 1} events wait for it: " in desk.run("check").stdout


def test_a_replay_brings_what_was_before_the_sink_was_added(desk: Desk, crm: Crm) -> None:
    desk.configure()
    desk.people(2)
    desk.send("--wait")
    crm.configure()
    assert desk.json("sinks")["sinks"][0]["lag"] == 0, "it begins now"
    told = desk.run("replay", "crm", "--since", "2020-01-01").stdout
    assert "before it was added" in told and "configured to get" in told
    desk.write("more.csv", "to,customer_id,name\n+12035550100,c-3,Cy\n")
    desk.json("send", "campaign.toml", "--recipients", "more.csv")
    assert crm.ids == Counter(event["id"] for event in desk.json("events"))
    assert "before it was added" in " ".join(desk.run("replay", "--help").stdout.replace("│", " ").split())


def test_events_that_nobody_hands_over_wait_for_a_server(desk: Desk, crm: Crm) -> None:
    desk.configure()
    desk.people(3)
    desk.send("--wait")
    crm.configure(start="beginning")
    desk.json("sinks")

    def shown() -> str:
        return desk.run("sinks").stdout.splitlines()[1]

    assert shown().endswith("waits for `connector serve` or `worker`")
    with desk.start("serve", "--port", "0", "--no-worker") as server:
        assert server.line().startswith("Listening on")
        assert shown().endswith("waits for `connector serve` or `worker`"), "this one only takes callbacks"
        server.signal(signal.SIGKILL)
    assert shown().endswith("waits for `connector serve` or `worker`"), "it was seen a moment ago"

    crm.http.post("/_simulator/hold", json={"at": "before"})
    with (
        ThreadPoolExecutor(1) as pool,
        Connector.from_config(secrets=lambda name: desk.environment[name.removeprefix("env:")]) as program,
    ):
        delivering = pool.submit(program.deliver)
        crm.http.get("/_simulator/held", params={"count": 1}, timeout=60)
        assert shown().endswith("taking events"), "by whoever it may be"
        crm.http.post("/_simulator/release")
        delivering.result(60)
    assert shown().endswith("up to date")


def test_without_sinks_it_says_how_to_make_one(desk: Desk) -> None:
    assert "[sinks.NAME]" in desk.run("sinks").stdout


def test_a_platform_that_is_away_is_shown_with_its_next_try(desk: Desk, crm: Crm) -> None:
    crm.faults(error_before=1)
    desk.people(3)
    sent = desk.run("send", "campaign.toml", "--recipients", "people.csv")
    assert sent.exit_code == 0
    assert "3 events wait for the sink crm, and nothing of it is lost: `connector serve` or" in sent.stderr
    (state,) = desk.json("sinks")["sinks"]
    assert state["lag"] == 3
    with Connector.from_config() as connector, connector.ledger.hold("worker"):
        assert re.search("tried again at [^,]*: .*503", desk.run("sinks").stdout)
        assert re.search("tried again now; before: .*503", desk.run("sinks", "crm", "--resume").stdout)
    assert re.search("tried again once `connector serve` or `worker` runs; before: .*503", desk.run("sinks").stdout)
    desk.people(1)
    desk.send("--key", "in vain")
    assert re.search("tried again at .*, once `connector serve` or `worker` runs: .*503", desk.run("sinks").stdout)
    crm.faults()
    desk.json("sinks", "crm", "--resume")
    desk.people(1)
    desk.send("--key", "another", "--wait")
    assert desk.json("sinks")["sinks"][0]["lag"] == 0
    assert crm.ids == Counter(event["id"] for event in desk.json("events"))


def test_a_stopped_sink_is_a_matter_for_a_person(desk: Desk, crm: Crm) -> None:
    crm.configure(api_key_id="another")
    desk.people(2)
    assert desk.send()["enqueued"] == 2
    result = desk.run("sinks")
    assert result.exit_code == 1
    assert "STOPPED: Bloomreach refused the credentials (HTTP 401" in result.stdout
    checked = desk.run("check")
    assert checked.exit_code == 1
    assert "sink crm (Bloomreach Engagement)" in checked.stdout
    assert "2 events wait for it" in checked.stdout


def test_what_is_refused_is_listed_replayed_and_given_up(desk: Desk, crm: Crm) -> None:
    crm.configure(without_id="leave_out")
    numbers = desk.write("people.csv", "to,customer_id,name,metadata.note\n+12015550100,c-1,Ada,\n+12025550100,,Bo,\n")
    assert numbers == "people.csv"
    assert desk.send()["enqueued"] == 2
    crm.configure()
    told = desk.json("replay", "crm", "--since", "2026-01-01")
    assert told == {"sink": "crm", "refused": None, "recorded": len(desk.json("events"))}
    for times in (
        ["--until", "2020-01-01"],
        ["--since", "2100-01-01"],
        ["--since", "2026-01-02", "--until", "2026-01-01"],
    ):
        assert desk.run("replay", "crm", *times).stdout.startswith("Nothing was recorded there")
    assert (
        f"{told['recorded']} events were recorded there." in desk.run("replay", "crm", "--until", "2100-01-01").stdout
    )
    desk.write("more.csv", "to,customer_id,name\n+12035550100,c-3,Cy\n")
    desk.json("send", "campaign.toml", "--recipients", "more.csv")
    (refused,) = desk.json("sinks", "crm")["refused"]
    assert (refused["status"], refused["again"]) == ("enqueued", False)
    assert "no customer_id" in desk.run("sinks", "crm").stdout
    assert "sent to crm once more" in desk.run("replay", "crm", str(refused["number"])).stdout
    assert "goes again" in desk.run("sinks", "crm").stdout
    for command in ("replay", "discard"):
        unknown = desk.run(command, "crm", str(refused["number"]), "999")
        assert (unknown.exit_code, unknown.stdout) == (2, "")
        assert "crm has refused no event with the number 999" in unknown.stderr
    assert desk.run("discard", "crm", "--refused").stdout == "1 event given up.\n"
    assert desk.json("sinks", "crm")["refused"] == []


def test_a_sink_that_is_no_longer_configured_is_told_and_may_be_forgotten(desk: Desk, crm: Crm) -> None:
    crm.configure(without_id="leave_out")
    desk.write("people.csv", "to,customer_id,name\n+12015550100,c-1,Ada\n+12025550100,,Bo\n")
    assert desk.send()["enqueued"] == 2
    crm.configure()
    desk.json("replay", "crm", "--since", "2026-01-01")
    desk.people(1)
    desk.send("--key", "another")
    refused = desk.run("discard", "crm", "--forget")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "[sinks.crm] out of the configuration" in refused.stderr

    desk.configure()
    (state,) = desk.json("sinks")["sinks"]
    assert (state["name"], state["is_configured"], state["of_program"], state["dead_letters"]) == (
        ("crm", False, False, 1)
    )
    shown = desk.run("sinks", "crm")
    assert (shown.exit_code, "no longer configured" in shown.stdout, "no customer_id" in shown.stdout) == (
        0,
        True,
        True,
    )
    assert "connector discard crm --forget" in shown.stderr
    for words in (
        ["replay", "crm", "--refused"],
        ["replay", "crm", "--since", "2026-01-01"],
        ["sinks", "crm", "--resume"],
    ):
        result = desk.run(*words)
        assert (result.exit_code, result.stdout) == (2, "") and "no longer configured" in result.stderr

    assert desk.json("discard", "crm", "--forget") == {"sink": "crm", "discarded": 1, "forgotten": True}
    assert desk.json("sinks")["sinks"] == []
    assert desk.run("discard", "crm", "--forget").exit_code == 2, "nobody knows it any more"
    crm.configure()
    (anew,) = desk.json("sinks")["sinks"]
    assert (anew["is_configured"], anew["lag"], anew["dead_letters"], anew["taken_at"]) == (True, 0, 0, None)


def test_a_stopped_sink_that_is_no_longer_configured_alarms_nobody(desk: Desk, crm: Crm) -> None:
    crm.configure(api_key_id="another")
    desk.people(1)
    desk.send()
    assert desk.run("sinks").exit_code == 1
    desk.configure()
    result = desk.run("sinks")
    assert (result.exit_code, "STOPPED" in result.stdout) == (0, False)


def test_a_sink_of_a_program_counts_as_configured(desk: Desk) -> None:
    happened: list[Event] = []

    def program() -> Connector:
        return Connector.from_config(
            secrets=lambda reference: desk.environment[reference.removeprefix("env:")], on_event=happened.append
        )

    desk.people(1)
    with program() as connector:
        connector.deliver()
        (own,) = connector.sinks()
    desk.send("--wait")
    (seen,) = desk.json("sinks")["sinks"]
    assert (seen["name"], seen["is_configured"], seen["of_program"]) == ("on_event", True, True)
    assert (own.is_configured, own.of_program) == (True, True)
    assert "taken while your program works" in desk.run("sinks").stdout
    refused = desk.run("discard", "on_event", "--forget")
    assert (refused.exit_code, refused.stdout) == (2, "") and "--yes" in refused.stderr
    with program() as connector:
        with pytest.raises(ConfigurationError):
            connector.forget_sink("on_event")
        connector.deliver()
    assert [event.id for event in happened] == [event["id"] for event in desk.json("events")], "it has lost nothing"
    assert "on_event is forgotten" in desk.run("discard", "on_event", "--forget", "--yes").stdout
    assert desk.json("sinks")["sinks"] == []


def test_it_must_be_said_what_is_meant(desk: Desk, crm: Crm) -> None:
    for words in (
        ["replay", "crm"],
        ["replay", "crm", "1", "--refused"],
        ["discard", "crm"],
        ["discard", "crm", "--refused", "--forget"],
        ["discard", "erp", "--forget"],
        ["sinks", "--resume"],
        ["replay", "erp", "--refused"],
        ["discard", "erp", "--refused"],
        ["replay", "crm", "--since", "yesterday"],
    ):
        result = desk.run(*words)
        assert (result.exit_code, result.stdout) == (2, ""), words


def test_what_can_be_proved_without_writing_is_checked(desk: Desk, crm: Crm) -> None:
    found = [each for each in desk.json("check")["findings"] if each["sink"] == "crm"]
    assert [(each["name"], each["result"]) for each in found] == [("address", "ok"), ("permission", "not_proved")]
    assert not crm.ids, "nothing is written"
    desk.environment.pop("SIMULATED_BLOOMREACH_SECRET")
    (unread,) = [each for each in desk.json("check", status=1)["findings"] if each["sink"] == "crm"]
    assert "api_secret" in unread["message"]


def test_sinks_are_listed_with_the_plugins(desk: Desk) -> None:
    assert {"name": "bloomreach", "title": "Bloomreach Engagement"} in desk.json("plugins")["sinks"]
    assert "sink bloomreach (Bloomreach Engagement)" in desk.run("plugins").stdout


def test_workers_that_are_killed_lose_nothing(desk: Desk, crm: Crm) -> None:
    desk.people(1500)
    crm.configure(requests_per_second=40)
    crm.http.post("/_simulator/hold", json={"at": "before"})
    with desk.start("send", "campaign.toml", "--recipients", "people.csv") as sending:
        crm.http.get("/_simulator/held", params={"count": 10}, timeout=60)
        sending.signal(signal.SIGKILL)
    for place in ("after", "before"):
        crm.http.post("/_simulator/release")
        crm.http.post("/_simulator/hold", json={"at": place})
        with desk.start("worker") as worker:
            crm.http.get("/_simulator/held", params={"count": 10}, timeout=60)
            worker.signal(signal.SIGKILL)
    crm.http.post("/_simulator/release")
    crm.configure()
    with desk.start("worker") as worker:
        wait_until(lambda: desk.json("sinks")["sinks"][0]["lag"] == 0)
        worker.signal(signal.SIGINT)
    found = {event["id"] for event in desk.json("events")}
    assert len(found) >= 1500
    assert set(crm.ids) == found
    repeated = sum(times - 1 for times in crm.ids.values())
    assert repeated <= 3 * 10 * 50, "of each process that was killed, what ten calls carried"


def test_what_of_the_refused_is_not_listed_is_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.cli.sinks.SHOWN", 2)

    class Refusing(Sink):
        def deliver(self, events: Sequence[Event]) -> list[DeadLetter]:
            return [DeadLetter(event, "No.") for event in events]

    secrets = desk.environment
    desk.people(3)
    with Connector.from_config(
        secrets=lambda reference: secrets[reference.removeprefix("env:")], sinks={"ours": Refusing()}
    ) as connector:
        connector.deliver()
    desk.send("--wait")
    with Connector.from_config(
        secrets=lambda reference: secrets[reference.removeprefix("env:")], sinks={"ours": Refusing()}
    ) as connector:
        connector.deliver()
        refused = connector.sinks()[0].dead_letters
    shown = desk.run("sinks", "ours")
    assert shown.stdout.count("No.") == 2
    assert f"Shown are the latest 2; {refused - 2} more were refused before." in shown.stderr
    connector.discard_refused("ours", [each.number for each in connector.refused_events("ours")[2:]])
    assert "more were refused" not in desk.run("sinks", "ours").stderr


def test_a_failing_sink_of_a_program_is_not_said_to_wait_for_it(desk: Desk) -> None:
    def failing(event: Event) -> None:
        raise ValueError

    def program() -> Connector:
        return Connector.from_config(
            secrets=lambda reference: desk.environment[reference.removeprefix("env:")], on_event=failing
        )

    desk.people(1)
    with program() as connector:
        connector.deliver()
    desk.send("--wait")
    with program() as connector:
        connector.deliver()
        shown = desk.run("sinks").stdout
    assert ", while your program works: It raised ValueError." in shown
