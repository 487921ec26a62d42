"""What is wrong is named, with its place and its remedy, before anything is stored or sent."""

import pytest
from cli_kit import Desk

SEND = ("send", "campaign.toml", "--recipients", "people.csv")


def refused(desk: Desk, *arguments: str) -> list[str]:
    """The lines of standard error of a command that is refused."""
    result = desk.run(*(arguments or SEND))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert desk.account()["requests"] == {}
    return result.stderr.splitlines()


@pytest.fixture(autouse=True)
def people(desk: Desk) -> None:
    desk.people(2)


def test_the_configuration_after_the_command_is_told_its_place(desk: Desk) -> None:
    told = desk.run("check", "--config", "connector.toml")
    assert told.exit_code == 2
    assert "connector --config FILE check" in " ".join(told.stderr.replace("│", " ").split())


def test_no_configuration(desk: Desk) -> None:
    (desk.folder / "connector.toml").unlink()
    (line,) = refused(desk)
    assert line.startswith("Error: connector.toml: ")
    assert "$CONNECTOR_CONFIG" in line


def test_the_configuration_is_named_by_the_environment(desk: Desk) -> None:
    (desk.folder / "connector.toml").rename(desk.folder / "other.toml")
    desk.environment["CONNECTOR_CONFIG"] = "other.toml"
    assert desk.send("--dry-run")["to_send"] == 2


def test_wrong_settings_all_at_once_with_the_nearest_names(desk: Desk) -> None:
    desk.configure(tracking={"waiting_period_days": -1}, sender={"shop": "Shop"})
    text = (desk.folder / "connector.toml").read_text()
    desk.write("connector.toml", text.replace('region = "eu"', 'regoin = "eu"'))
    lines = refused(desk)
    assert all(line.startswith("Error: connector.toml: ") for line in lines)
    for place, hint in (
        ("integrations.simulated.regoin", "did you mean region?"),
        ("sender", "did you mean senders?"),
        ("tracking.waiting_period_days", "-1"),
    ):
        assert any(place in line and hint in line for line in lines), place


def test_a_secret_itself_is_never_repeated(desk: Desk) -> None:
    text = (desk.folder / "connector.toml").read_text()
    desk.write("connector.toml", text.replace("env:SIMULATED_API_TOKEN", "hunter2hunter2"))
    (line,) = refused(desk)
    assert "integrations.simulated.api_token" in line
    assert "hunter2" not in line


def test_a_secret_that_is_not_set(desk: Desk) -> None:
    desk.environment["SIMULATED_API_TOKEN"] = ""
    (line,) = refused(desk)
    assert "SIMULATED_API_TOKEN" in line


@pytest.mark.parametrize(
    ("written", "place", "hint"),
    [
        ('name = "a"\nsendr = "Shop"\n[message]\ntext = "Hi"', "sendr", "did you mean sender?"),
        ('sender = "Shop"\n[message]\ntext = "Hi"', "name", "missing"),
        ('name = "a"\nmax_parts = "three"\n[message]\ntext = "Hi"', "max_parts", "whole number"),
        ('name = "a"\nintegration = "simulatd"\n[message]\ntext = "Hi"', "integration", '"simulated"'),
        ('name = "a"\ncategory = "newsletter"\n[message]\ntext = "Hi"', "category", '"newsletter"'),
        ('name = "a"\n[message]\ntext = "Hi ${nmae}"', "message.text", "${name}"),
        ('name = "a"\n[message', "the end of the file", "TOML"),
    ],
)
def test_a_wrong_campaign(desk: Desk, written: str, place: str, hint: str) -> None:
    desk.write("campaign.toml", written)
    (line,) = refused(desk)
    assert line.startswith(f"Error: campaign.toml: {place}")
    assert hint in line


@pytest.mark.parametrize(
    ("content", "place", "hint"),
    [
        (b"Mobile,name\n+12015550123,Ada\n", "line 1", "--map to=Mobile"),
        (b"to,name,name\n+12015550123,Ada,Eve\n", "line 1", "'name'"),
        (b"", "", "it is empty"),
        (b"to,name\n+12015550123,Ada\n+12025550124,Zo\xeb\n", "line 3", "--encoding cp1252"),
        (b'to,name\n+12015550123,Ada\n+12025550124,"Eve\n', "line 3", "quote"),
        (b"to,name\n+12015550123,Ada,Eve\n", "line 2", "3 cells"),
        (b'{"to": "+12015550123", "name": "Ada"}\n{"to": \n', "line 2", "not JSON"),
    ],
)
def test_recipients_that_cannot_be_read(desk: Desk, content: bytes, place: str, hint: str) -> None:
    desk.write("people.csv", content)
    (line,) = refused(desk)
    assert line.startswith("Error: people.csv: " + (f"{place}: " if place else ""))
    assert hint in line
    assert desk.json("dispatches") == {"dispatches": []}


def test_recipients_that_are_not_there(desk: Desk) -> None:
    (line,) = refused(desk, "send", "campaign.toml", "--recipients", "nobody.csv")
    assert line.startswith("Error: nobody.csv: ")


def test_numbers_that_are_none_are_skipped_and_the_rest_goes_on(desk: Desk) -> None:
    desk.write(
        "people.csv",
        "to,name\n"
        "call me,Letters\n12345,Short\n+12015550123012345,Long\n0701740605,National\n+9991234567,No country\n,Blank\n"
        "+12015550123,Ada\n+1 201 555 0123,Ada again\n",
    )
    report = desk.send()
    assert report["skipped"]["by_reason"] == {"duplicate": 1, "invalid_number": 6}
    assert report["enqueued"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "campaign.toml"),
        (*SEND, "--map", "Mobile"),
        (*SEND, "--map", "to=A", "--map", "to=B"),
        (*SEND, "--encoding", "klingon"),
        (*SEND, "--map", "to=Mobile"),
        ("report",),
        ("report", "one", "--campaign", "two"),
        ("report", "nothing-of-this-id"),
        ("report", "--campaign", "nothing of this name"),
        ("report", "nothing-of-this-id", "--json", "--html", "-"),
        ("message",),
        ("message", "no number"),
        ("explain", "nowhere:402"),
        ("poll", "nothing-of-this-id"),
        ("cancel", "nothing-of-this-id"),
        ("completion", "tcsh"),
        ("storage", "downgrade"),
        ("status", "nothing-of-this-id"),
        ("pause", "nothing-of-this-id"),
        ("retry", "nothing-of-this-id"),
        ("retry", "nothing-of-this-id", "--resend", "--give-up"),
        ("retry", "nothing-of-this-id", "--resend"),
        ("events", "--since", "yesterday"),
        ("events", "--json", "--follow"),
        ("events", "--dispatch", "nothing-of-this-id"),
        ("simulate", "no-such-provider"),
        ("simulate", "sinch-sms", "--fault", "thunder=1"),
        ("simulate", "sinch-sms", "--fault", "throttled=2"),
        ("simulate", "sinch-sms", "--set", "sed=1"),
        ("simulate", "sinch-sms", "--set", "seed"),
        ("simulate", "sinch-sms", "--set", "seed=one"),
        ("demo", "--recipients", "0"),
        ("no-such-command",),
        ("--no-such-option",),
    ],
    ids=" ".join,
)
def test_wrong_usage(desk: Desk, arguments: tuple[str, ...]) -> None:
    assert refused(desk, *arguments)
