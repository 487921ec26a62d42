"""`connector simulate`: scenario files, replies from the command line, and what it says about itself."""

import json
import shlex
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli_kit import SIMULATOR, Desk
from jsonschema import Draft202012Validator

from connector.cli.scenario import read_options, scenario_schema
from connector.model.errors import InputError
from connector.simulator.faults import CHANCES, SECONDS, TO_PLATFORMS

SCENARIO = """
messages_per_second = 500
callback_secret = "of the file"

[faults]
throttled = 0.5
drop_after = "1x2"

[outcomes]
"Delivered:0" = 3
"Failed:150" = 1

[countries]
SE = "Failed:150"
GB = { "Delivered:0" = 1, "Rejected:61" = 1 }

[[phases]]
to_second = 10
faults = { overloaded = 1 }
"""


def written(folder: Path, text: str, name: str = "rehearsal.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_says_all_that_options_can(tmp_path: Path) -> None:
    options = read_options(SIMULATOR, written(tmp_path, SCENARIO))
    assert (options.messages_per_second, options.callback_secret) == (500, "of the file")
    assert options.faults == {"throttled": 0.5, "drop_after": "1x2"}
    assert options.countries == {"SE": "Failed:150", "GB": {"Delivered:0": 1, "Rejected:61": 1}}
    assert options.phases[0].faults == {"overloaded": 1}


def test_words_win_over_the_file(tmp_path: Path) -> None:
    words = ["messages_per_second=7", "callback_secret=", "countries.SE.Expired:202=1", "outcomes.Failed:150=0"]
    with pytest.raises(InputError, match="given as a whole"):
        read_options(SIMULATOR, written(tmp_path, SCENARIO), words)
    words[2] = "countries.NO.Expired:202=1"
    options = read_options(SIMULATOR, written(tmp_path, SCENARIO), words, ["throttled=1x1", "slow=1"])
    assert (options.messages_per_second, options.callback_secret) == (7, None)
    assert options.countries["SE"] == "Failed:150"
    assert options.countries["NO"] == {"Expired:202": 1}
    assert options.outcomes == {"Delivered:0": 3, "Failed:150": 0}
    assert options.faults == {"throttled": "1x1", "drop_after": "1x2", "slow": "1"}


def test_a_file_may_be_json(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"faults": {"slow": 1}}), "rehearsal.json")
    assert read_options(SIMULATOR, path).faults == {"slow": 1}


WRONG = [
    ("sed = 3", "sed", "did you mean seed?"),
    ("seed = 'three'", "seed", "whole number"),
    ("messages_per_second = 0", "messages_per_second", "above 0"),
    ("[faults]\nthrott1ed = 1", "faults.thrott1ed", "did you mean throttled?"),
    ("[faults]\nthrottled = 1.5", "faults.throttled", "from 0 to 1"),
    ("[faults]\nthrottled = '1xno'", "faults.throttled", "1x2"),
    ("[faults]\nslow_seconds = -1", "faults.slow_seconds", "at least 0"),
    ("[outcomes]\nDelivered = 1", "outcomes.Delivered", "Failed:150"),
    ("[countries]\nSE = 'Failed'", "countries.SE", "Failed:150"),
    ("[countries]\nSweden = 'Failed:150'", "countries", "'Sweden' is no country"),
    ("[endings]\n0199 = {}", "endings.0199", ""),
    ("[beginnings]\n'+46' = 'Failed:150'", "beginnings", "digits alone"),
    ("[[phases]]\nfrom = 3", "phases[0].from", "known here"),
    ("[[phases]]\nfrom_second = 5\nto_second = 4", "phases[0]", "ends at 4 and begins at 5"),
    ("[[phases]]\nfaults = { thunder = 1 }", "phases[0].faults.thunder", "no such key"),
    ("authentication = 'oauth'", "authentication", '"project"'),
    ("callback_username = 'me'", "", "given together"),
    ("[faults", "", "TOML"),
]


@pytest.mark.parametrize(("text", "place", "said"), WRONG)
def test_what_is_wrong_in_a_file_is_told_with_file_and_field(text: str, place: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_options(SIMULATOR, path)
    (fault,) = caught.value.faults
    assert fault.source == str(path)
    assert fault.place.startswith(place)
    assert said in fault.message


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "sed = 1\n[faults]\nthrottled = 2\n[countries]\nSweden = 'Failed:150'\n")
    with pytest.raises(InputError) as caught:
        read_options(SIMULATOR, path)
    assert [fault.place for fault in caught.value.faults] == ["countries", "faults.throttled", "sed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["countries.Sweden=Failed:150"], "'Sweden' is no country"),
        (["seed=1", "seed.a=1"], "given as a whole"),
        (["messages_per_second=fast"], "messages_per_second"),
        (["callback_username=me"], "given together"),
    ],
)
def test_what_is_wrong_in_words_is_told(words: list[str], said: str) -> None:
    with pytest.raises(InputError, match=f"^--set .*{said}"):
        read_options(SIMULATOR, words=words)


def test_the_schema_of_scenarios_is_printed_and_takes_what_is_right(desk: Desk) -> None:
    schema = json.loads(desk.run("simulate", "sinch-sms", "--schema").stdout)
    assert schema == scenario_schema(SIMULATOR)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    right: dict[str, Any] = {"faults": {"throttled": "1x2"}, "phases": [{"to_second": 3, "countries": {"SE": "A:1"}}]}
    assert validator.is_valid(right)
    assert not validator.is_valid({"faults": {"thunder": 1}})
    assert schema["$id"] == "urn:campaign-connector:schema:scenario.sinch-sms"


def test_a_scenario_is_played(desk: Desk) -> None:
    desk.write("rehearsal.toml", "authentication = 'project'\n[faults]\noverloaded = '1x1'\n")
    with desk.start("simulate", "sinch-sms", "--scenario", "rehearsal.toml", "--json") as simulator:
        told = json.loads(simulator.line())
        assert told["settings"]["project_id"] == "simulated-project"
        assert told["environment"]["SIMULATED_KEY_SECRET"] == "simulated-key-secret"
        login = ("simulated-key", "simulated-key-secret")
        grant = {"grant_type": "client_credentials"}
        asked = [httpx.post(f"{told['url']}/oauth2/token", data=grant, auth=login).status_code for _ in range(2)]
        assert asked == [429, 200]
        simulator.signal(signal.SIGTERM)
        assert simulator.end()[0] == 0


def test_a_wrong_scenario_ends_it_with_the_place(desk: Desk) -> None:
    desk.write("rehearsal.toml", "[faults]\nthrott1ed = 1\n")
    result = desk.run("simulate", "sinch-sms", "--scenario", "rehearsal.toml")
    assert result.exit_code == 2
    assert result.stderr == ("Error: rehearsal.toml: faults.thrott1ed: There is no such key; did you mean throttled?\n")
    assert desk.run("simulate", "sinch-sms", "--scenario", "none.toml").exit_code == 2


def test_a_person_is_made_to_write_from_the_command_line(desk: Desk) -> None:
    port = desk.base_url.rpartition(":")[2]
    told = desk.run("simulate", "sinch-sms", "--port", port, "--inbound", "+12015550123", "STOP it")
    assert (told.exit_code, told.stdout) == (0, "12015550123 has written 'STOP it' to 12015550100.\n")
    message = desk.json("simulate", "sinch-sms", "--port", port, "--inbound", "+12015550123", "START")
    assert (message["from"], message["body"], message["type"]) == ("12015550123", "START", "mo_text")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--inbound", "+12015550123", "STOP"), 2, "--port"),
        (("--port", "{port}", "--inbound", "nobody", "STOP"), 2, "is not a number"),
        (("--port", "{closed}", "--inbound", "+12015550123", "STOP"), 1, "Is a simulator running there?"),
    ],
)
def test_a_person_who_can_not_write_is_told(desk: Desk, arguments: tuple[str, ...], status: int, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        ports = {"port": desk.base_url.rpartition(":")[2], "closed": closed.getsockname()[1]}
    given = [each.format(**ports) for each in arguments]
    result = desk.run("simulate", "sinch-sms", *given)
    assert result.exit_code == status
    assert said in result.stderr


def test_help_explains_every_fault(desk: Desk) -> None:
    shown = desk.run("simulate", "--help").stdout
    assert all(name in shown for name in (*CHANCES, *SECONDS))
    about_platforms = shown.partition("The double of a platform")[2].partition("scenario file")[0]
    assert [name for name in CHANCES if name in about_platforms.split("has only")[1]] == list(TO_PLATFORMS)


def test_it_says_how_people_write(desk: Desk) -> None:
    with desk.start("simulate", "sinch-sms") as simulator:
        url = simulator.line().rpartition(" answers on ")[2].partition(";")[0]
        simulator.signal(signal.SIGTERM)
        assert f"# connector simulate sinch-sms --port {url.rpartition(':')[2]} --inbound +12015550123 STOP" in (
            simulator.end()[1].splitlines()
        )


def test_the_command_that_it_prints_sets_it_up(desk: Desk) -> None:
    (desk.folder / "connector.toml").unlink()
    with desk.start("simulate", "sinch-sms") as simulator:
        line = simulator.line()
        while "connector setup" not in line:
            line = simulator.line()
        words = shlex.split(line.removeprefix("# "))
        result = desk.run(*words[1:])
        assert result.exit_code == 0, result.output
        assert "[integrations.simulated]" in (desk.folder / "connector.toml").read_text()
        simulator.signal(signal.SIGTERM)
