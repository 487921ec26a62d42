"""`connector message`."""

import json
from collections.abc import Callable

import pytest
from cli_kit import Desk

ADA, GRACE, EVE = "+12015550100", "+12025550101", "+12035550102"


def test_every_spelling_finds_every_dispatch(desk: Desk) -> None:
    desk.write("people.csv", f"to,customer_id,name\n{ADA},c-1,Ada\n{GRACE},c-2,Grace\n001 (201) 555-0100,c-3,Ada\n")
    first, second = desk.send("--wait"), desk.send("--again")
    told = [desk.json("message", spelling) for spelling in (ADA, "12015550100", "001 (201) 555-0100")]
    assert told[0] == told[1] == told[2]
    assert told[0]["recipient"] == "12015550100"
    assert [(each["dispatch"], each["customer_id"], each["state"]) for each in told[0]["messages"]][2:] == [
        (first["dispatch"], "c-1", "delivered"),
        (first["dispatch"], "c-3", "skipped"),
    ]
    assert {each["dispatch"] for each in told[0]["messages"]} == {first["dispatch"], second["dispatch"]}
    assert [event["status"] for event in told[0]["messages"][2]["events"]] == ["enqueued", "delivered"]
    assert told[0]["messages"][3]["reason"] == "duplicate"
    text = desk.run("message", ADA).stdout
    assert text.startswith("120***00: 4 messages in 2 dispatches\n")
    assert f"Campaign opening, dispatch {first['dispatch']}: delivered" in text.splitlines()
    assert "the same person stands earlier in the list" in text
    # An id of ours may end alike.
    assert "c-2" not in text.split()
    assert ADA[1:] not in text


def test_the_number_may_come_by_standard_input(desk: Desk) -> None:
    desk.write("people.csv", f"to,name\n{ADA},Ada\n")
    desk.send()
    result = desk.run("message", "-", "--json", input=f"{ADA}\nnever read\n")
    assert (result.exit_code, len(json.loads(result.stdout)["messages"])) == (0, 1)
    empty = desk.run("message", "-", input="")
    assert (empty.exit_code, empty.stdout) == (2, "")
    assert "first line" in empty.stderr


def test_codes_are_in_plain_words(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(endings={"5550100": "Failed:150"})
    desk.write("people.csv", f"to,name\n{ADA},Ada\n")
    desk.send("--wait")
    (message,) = desk.json("message", ADA)["messages"]
    assert (message["state"], message["raw_status"]) == ("failed", "Failed")
    (code,) = message["codes"]
    assert (code["code"], code["source"]) == ("150", "smpp")
    text = desk.run("message", ADA).stdout
    assert f"code 150: {code['meaning'].rstrip('.')}" in text


def test_what_is_in_doubt_shows_its_attempts(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(faults={"drop_before": 1})
    desk.write("people.csv", f"to,name\n{ADA},Ada\n")
    assert desk.run("send", "campaign.toml", "--recipients", "people.csv").exit_code == 1
    (message,) = desk.json("message", ADA)["messages"]
    assert (message["state"], message["events"]) == ("in_doubt", [])
    (attempt,) = message["attempts"]
    assert (attempt["number"], attempt["ended"]) == (1, "in_doubt")
    assert message["look_ups"] >= 3
    assert message["next_look_up"] > attempt["sent_at"]
    text = desk.run("message", ADA).stdout
    assert f"Its batch {message['batch']}, which is in_doubt" in text
    assert "Looked up" in text
    assert f"connector status {message['dispatch']}" in text


def test_what_a_person_wrote_is_shown(desk: Desk) -> None:
    desk.write("people.csv", f"to,name\n{ADA},Ada\n")
    desk.send("--wait")
    desk.ask("inbound", {"from": ADA[1:], "body": "Is it [bold]open[/bold] yet?"})
    desk.json("poll")
    told = desk.json("message", ADA)
    assert [event["text"] for event in told["other_events"]] == ["Is it [bold]open[/bold] yet?"]
    assert '"Is it [bold]open[/bold] yet?"' in desk.run("message", ADA).stdout


def test_nothing_known_is_said_without_the_number(desk: Desk) -> None:
    desk.write("people.csv", f"to,name\n{ADA},Ada\n")
    desk.send()
    result = desk.run("message", EVE)
    assert result.exit_code == 1
    assert "Nothing is known of 120***02" in result.stdout
    assert desk.json("message", EVE, status=1)["messages"] == []


@pytest.mark.parametrize("number", ["0701740605", "call me", ""])
def test_what_is_no_number_is_wrong_usage(desk: Desk, number: str) -> None:
    result = desk.run("message", number)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no phone number that can exist" in result.stderr
    assert not number or number not in result.stderr
