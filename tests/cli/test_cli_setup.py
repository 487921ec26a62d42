"""`connector setup --set ... --yes`: an integration without questions."""

import json
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from cli_kit import SIMULATOR, Desk
from setup_kit import TOKEN, findings, free_port, words


@pytest.fixture
def fresh(open_desk: Callable[..., Desk]) -> Desk:
    """A folder without a configuration, beside a simulator."""
    desk = open_desk()
    (desk.folder / "connector.toml").unlink()
    return desk


def config(desk: Desk) -> str:
    return (desk.folder / "connector.toml").read_text()


def test_from_a_simulator_to_a_delivered_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = SIMULATOR.Options()
    desk = Desk(tmp_path, "", options, httpx.Client(), SIMULATOR.secrets(options))
    with desk.start("simulate", "sinch-sms", "--port", "0", "--set", "outcomes.Delivered:0=1", "--json") as simulator:
        desk.base_url = json.loads(simulator.line())["url"]
        port = free_port()
        server = {"server__public_url": f"http://127.0.0.1:{port}", "server__port": port}
        sender = {"senders__shop__value": "Bookshop", "defaults__sender": "shop"}
        set_up = desk.json(
            "setup", "sinch-sms", *words(desk, **server, **sender), "--test-number", "+12015550123", "--yes"
        )
        assert (set_up["saved"], set_up["test_message"]["status"]) == (True, "delivered")
        assert set_up["test_message"]["told_by"] == "callback"
        checked = desk.json("check")
        assert checked["ok"] is True
        assert findings(checked)["callback path"][0] == "ok"
        desk.write("campaign.toml", 'name = "opening"\nmessage.text = "Hi ${name}, we open on Monday."\n')
        desk.people(5)
        assert desk.send("--wait")["delivered"] == 5
        assert desk.json("verify")["ok"] is True
        simulator.signal(signal.SIGTERM)
        assert simulator.end()[0] == 0


def test_what_is_written_is_shown_and_no_secret_is_in_it(fresh: Desk) -> None:
    result = fresh.run("setup", "sinch-sms", *words(fresh, messages_per_second=20), "--yes")
    assert result.exit_code == 0, result.output
    written = config(fresh)
    assert written.endswith(
        "[integrations.sms-eu]\n"
        'provider = "sinch-sms"\n'
        f'service_plan_id = "{fresh.options.service_plan_id}"\n'
        'api_token = "env:SIMULATED_API_TOKEN"\n'
        'region = "eu"\n'
        f'base_url = "{fresh.base_url}"\n'
        'callback_secret = "env:SIMULATED_CALLBACK_SECRET"\n'
        "messages_per_second = 20\n"
    )
    assert all(f"+ {line}".strip() in result.stdout for line in written.splitlines())
    assert "connector.toml is saved." in result.stdout
    assert TOKEN not in result.output + written


def test_the_rest_of_the_file_stays_as_it_is(fresh: Desk) -> None:
    kept = f"""# Our settings; ask Ada before you change them.

[server]   # behind the proxy
port = 8123  # not 8080, which is the shop's

[integrations.first]  # the old account
provider = "sinch-sms"
# From the dashboard:
service_plan_id = "{fresh.options.service_plan_id}"
api_token = "env:SIMULATED_API_TOKEN"
region = "eu"
base_url = "{fresh.base_url}"

# People see this:
[senders.shop]
value = 'Shop'
"""
    fresh.write("connector.toml", kept)
    told = fresh.json("setup", "sinch-sms", *words(fresh, name="second", callback_secret=None, region="us"), "--yes")
    assert told["saved"] is True
    assert config(fresh).startswith(kept)
    assert config(fresh)[len(kept) :].startswith("\n[integrations.second]\n")
    told = fresh.json(
        "setup", "sinch-sms", "--set", "name=first", "--set", "region=us", "--set", "server.host=localhost", "--yes"
    )
    changed = kept.replace('region = "eu"', 'region = "us"').replace(
        "the shop's\n", 'the shop\'s\nhost = "localhost"\n'
    )
    assert config(fresh).startswith(changed)
    assert [line for line in told["changes"] if line[0] in "+-"] == [
        '+host = "localhost"',
        '-region = "eu"',
        '+region = "us"',
    ]
    told = fresh.json("setup", "sinch-sms", "--set", "name=first", "--set", "region=us", "--yes")
    assert (told["saved"], told["changes"]) == (True, [])
    result = fresh.run("setup", "sinch-sms", "--set", "region=us", "--yes")
    assert (result.exit_code, "there are first, second" in result.stderr) == (2, True)


def test_credentials_that_are_wrong_are_not_saved(fresh: Desk) -> None:
    fresh.environment["SIMULATED_API_TOKEN"] = "another-token"
    told = fresh.json("setup", "sinch-sms", *words(fresh), "--yes", status=1)
    result, message = findings(told)["credentials"]
    assert (result, told["saved"]) == ("wrong", False)
    assert "Copy api_token and service_plan_id anew" in message
    assert list(fresh.folder.glob("connector*")) == []
    result_for_people = fresh.run("setup", "sinch-sms", *words(fresh), "--yes")
    assert "Nothing was saved." in result_for_people.stdout
    assert "another-token" not in result_for_people.output
    told = fresh.json("setup", "sinch-sms", *words(fresh), "--yes", "--save-anyway")
    assert (told["saved"], findings(told)["credentials"][0]) == (True, "wrong")
    assert "another-token" not in config(fresh)


def test_a_secret_that_is_not_there_yet(fresh: Desk) -> None:
    fresh.environment = {"SIMULATED_API_TOKEN": "", "SIMULATED_CALLBACK_SECRET": ""}
    told = fresh.json("setup", "sinch-sms", *words(fresh), "--yes", status=1)
    assert findings(told)["secrets"][0] == "wrong"
    assert {each["message"].split()[0] for each in told["findings"] if each["name"] == "secrets"} == {
        "api_token",
        "callback_secret",
    }
    told = fresh.json("setup", "sinch-sms", *words(fresh), "--yes", "--save-anyway")
    assert any("export SIMULATED_API_TOKEN='...'" in sentence for sentence in told["to_do"])


GIVEN_WRONG = [
    ("regoin=eu", 'there is no such setting; did you mean "region"?'),
    ("server.pubic_url=http://x", 'did you mean "server.public_url"?'),
    ("servr.port=1", 'did you mean "server"?'),
    ("server=1", "server is a table: name a setting in it, such as server.public_url."),
    ("region.eu=1", "region is one setting; nothing stands inside it."),
    ("a b=1", "names no setting"),
    ("region", "write KEY=VALUE"),
    ("api_token=s3cr3t-token", "api_token=env:NAME, file:PATH or keyring:NAME"),
    ("region=mars", 'connector.toml: integrations.sms-eu.region: Found "mars"; give one of "us", "eu"'),
    ("messages_per_second=many", 'Found "many"; give a number above 0'),
    ("server.port=high", "give a whole number from 0 to 65535"),
    ("defaults.sender=shop", "there is no such sender"),
    ("service_plan_id=", "connector.toml: integrations.sms-eu.service_plan_id: This is missing"),
    ("project_id=p", "don't go together"),
]


def test_what_is_given_wrong_is_named_with_what_would_be_right(fresh: Desk) -> None:
    for given, sentence in GIVEN_WRONG:
        key = given.partition("=")[0]
        result = fresh.run("setup", "sinch-sms", *words(fresh, **{key: None}), "--set", given, "--yes")
        assert (result.exit_code, result.stdout) == (2, "")
        assert sentence in result.stderr
        assert "s3cr3t" not in result.output
    assert not (fresh.folder / "connector.toml").exists()


PASTED = [
    "0123456789abcdef0123456789abcdef",
    "0123456789012345",
    "DEADBEEFDEADBEEF",
    "550e8400-e29b-41d4-a716-446655440000",
    "Zk3+pq/9sLw7xYbN2c==",
    "sk_live_4f9aQ7pLx2ZrT8",
]


def test_a_secret_in_the_place_of_a_variable_s_name_is_refused_and_not_shown(fresh: Desk) -> None:
    for pasted in PASTED:
        result = fresh.run("setup", "sinch-sms", *words(fresh, api_token=f"env:{pasted}"), "--yes", "--save-anyway")
        assert (result.exit_code, result.stdout) == (2, "")
        shown = " ".join(result.stderr.split())
        assert "looks like the secret itself" in shown
        assert "api_token=env:SMS_EU_API_TOKEN" in shown
        assert pasted not in result.output
    assert not (fresh.folder / "connector.toml").exists()


@pytest.mark.parametrize("name", ["API_TOKEN", "SINCH_API_TOKEN_2", "MYTOKEN1", "token", "MYSINCHSERVICETOKEN"])
def test_usual_names_of_variables_are_taken(fresh: Desk, name: str) -> None:
    assert (
        fresh.json("setup", "sinch-sms", *words(fresh, api_token=f"env:{name}"), "--yes", "--save-anyway")["saved"]
        is True
    )
    assert f'api_token = "env:{name}"' in config(fresh)


def test_a_variable_that_is_set_may_have_any_name(fresh: Desk) -> None:
    fresh.environment["theTokenOfTheAccount1"] = TOKEN
    told = fresh.json("setup", "sinch-sms", *words(fresh, api_token="env:theTokenOfTheAccount1"), "--yes")
    assert (told["saved"], findings(told)["credentials"][0]) == (True, "ok")


def test_what_is_asked_for_in_vain(fresh: Desk) -> None:
    for arguments, sentence in [
        (("sinch-smss", "--yes"), 'no such provider or sink; did you mean "sinch-sms"?'),
        (("blomreach", "--yes"), 'did you mean "bloomreach"?'),
        ((), "setup asks on a terminal"),
        (("--yes",), "Say what to set up: a provider (sinch-conversation, sinch-sms), or a sink (bloomreach, "),
        (("sinch-sms", "--set", "region=eu", "--set", "region=us", "--yes"), "region is given twice"),
    ]:
        result = fresh.run("setup", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert sentence in result.stderr
    result = fresh.run("--config", "connector.json", "setup", "sinch-sms", "--yes")
    assert (result.exit_code, "ends in .toml" in result.stderr) == (2, True)


def test_what_is_wrong_elsewhere_in_the_file_is_said_first(fresh: Desk) -> None:
    fresh.write("connector.toml", '[server]\nprot = 8080\n[integrations.sms-eu]\nprovider = "sinch-sms"\n')
    result = fresh.run("setup", "sinch-sms", *words(fresh), "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "connector.toml: server.prot: There is no such key; did you mean port?" in result.stderr
    assert "api_token" not in result.stderr


def test_a_port_that_something_else_has(fresh: Desk) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        # Nothing listens where the public address leads.
        address = {"server__public_url": f"http://127.0.0.1:{free_port()}", "server__port": port}
        told = fresh.json("setup", "sinch-sms", *words(fresh, **address), "--yes", status=1)
    result, message = findings(told)["callback path"]
    assert (result, told["saved"]) == ("wrong", False)
    assert "Nothing listens at" in message
    assert f"On this machine nothing could be started at 127.0.0.1:{port}" in message


def test_the_test_message_needs_a_word_and_comes_after_saving(fresh: Desk) -> None:
    told = fresh.json("setup", "sinch-sms", *words(fresh), "--test-number", "+4612", "--yes", status=1)
    assert told["saved"] is True
    assert findings(told)["test message"] == (
        "wrong",
        "It was not accepted. No phone has this number. Give it with its country code, as in +46 70 174 06 05.",
    )


def test_beside_a_server_with_the_old_settings(desk: Desk) -> None:
    port = free_port()
    address = {"server__public_url": f"http://127.0.0.1:{port}", "server__port": port}
    with desk.start("serve", "--port", str(port)) as server:
        server.line()
        told = desk.json(
            "setup", "sinch-sms", *words(desk, **address), "--test-number", "+12015550123", "--yes", status=1
        )
        assert told["saved"] is True
        result, message = findings(told)["callback path"]
        assert (result, "Restart it once they are saved" in message) == ("not_proved", True)
        assert any(sentence.startswith("Restart `connector serve`") for sentence in told["to_do"])
        assert findings(told)["test message"][0] == "not_proved"
        server.signal(signal.SIGTERM)
        assert server.end()[0] == 0
    assert desk.account()["accepted_once"] == 0


def test_killed_while_it_tries_the_old_file_stands(fresh: Desk) -> None:
    old = "# Nothing yet.\n"
    fresh.write("connector.toml", old)
    with closing(socket.create_server(("127.0.0.1", 0))) as never_answers:
        url = f"http://127.0.0.1:{never_answers.getsockname()[1]}"
        with fresh.start("setup", "sinch-sms", *words(fresh, base_url=url), "--yes") as trying:
            never_answers.accept()[0].close()
            trying.signal(signal.SIGKILL)
            trying.end()
    assert config(fresh) == old
