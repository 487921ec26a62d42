"""`connector send`."""

import json
import re
from collections.abc import Callable

import pytest
from cli_kit import CAMPAIGN, Desk

KEYS = {
    "dispatch",
    "campaign",
    "state",
    "recipients",
    "skipped",
    "waiting",
    "sending",
    "in_doubt",
    "enqueue_failed",
    "unknown",
    "enqueued",
    "open",
    "unconfirmed",
    "rejected",
    "failed",
    "delivered",
    "read",
    "report_not_expected",
    "double_send",
    "number_of_message_parts",
    "errors",
}


def test_a_dry_run_shows_everything_and_leaves_nothing(desk: Desk) -> None:
    desk.write(
        "people.csv",
        "to,customer_id,name\n"
        "+12015550123,c-1,Ada\n"
        "001 (201) 555-0123,c-2,Ada again\n"
        "+61491570156,c-3,\n"
        "not a number,c-4,Nobody\n"
        "+46701740605,c-5,Łukasz\n",
    )
    shown = desk.send("--dry-run")
    assert (shown["recipients"], shown["skipped"], shown["to_send"]) == (5, 3, 2)
    assert shown["by_reason"] == {"duplicate": 1, "invalid_number": 1, "missing_parameter": 1}
    assert (shown["number_of_message_parts"], shown["requests"]) == (2, 1)
    assert [sample["text"] for sample in shown["samples"]] == [
        "Hi Ada, we open on Monday.",
        "Hi Łukasz, we open on Monday.",
    ]
    assert [skip["missing"] for skip in shown["skips"]] == [[], ["name"], []]
    text = desk.run("send", "campaign.toml", "--recipients", "people.csv", "--dry-run")
    assert text.exit_code == 0
    assert "  3  c-3          missing_parameter: name" in text.stdout.splitlines()
    assert "Campaign opening through simulated; nothing is sent yet" in text.stdout.splitlines()
    assert "the same person stands earlier in the list" in text.stdout
    assert "Hi Ada, we open on Monday." in text.stdout
    assert "The provider was asked, without sending" in text.stdout
    assert desk.account()["sends"] == {}
    assert not list(desk.folder.glob("connector.db*"))
    assert desk.json("dispatches") == {"dispatches": []}


def test_everybody_who_would_be_skipped_is_written_into_a_new_file(desk: Desk) -> None:
    rows = "".join(f"{place},c-{place},\n" for place in range(50))
    desk.write("people.csv", f"to,customer_id,name\n{rows}+12015550123,c-50,\n")
    send = ("send", "campaign.toml", "--recipients", "people.csv")
    shown = desk.run(*send, "--dry-run").stdout
    assert "the first 20 of 51 (--dry-run --skipped FILE writes all into a file)" in shown
    assert desk.run(*send, "--dry-run", "--skipped", "skipped.csv").exit_code == 0
    lines = (desk.folder / "skipped.csv").read_text().splitlines()
    assert lines[:2] == ["row,customer_id,reason,missing", "1,c-0,invalid_number,"]
    assert lines[51:] == ["51,c-50,missing_parameter,name"]
    before = (desk.folder / "people.csv").read_bytes()
    for name in ("people.csv", "no-folder/skipped.csv"):
        refused = desk.run(*send, "--dry-run", "--skipped", name)
        assert (refused.exit_code, refused.stdout, f"--skipped: {name}" in refused.stderr) == (2, "", True)
    assert (desk.folder / "people.csv").read_bytes() == before
    assert desk.run(*send, "--skipped", "more.csv").exit_code == 2
    desk.write("people.csv", "to,name\n+12015550123,Ada,Eve\n")
    assert desk.run(*send, "--dry-run", "--skipped", "more.csv").exit_code == 2
    assert not (desk.folder / "more.csv").exists()


def test_a_campaign_goes_out(desk: Desk) -> None:
    desk.people(30)
    report = desk.send()
    assert report.keys() >= KEYS
    assert (report["state"], report["recipients"], report["enqueued"]) == ("finished", 30, 30)
    account = desk.account()
    assert (account["accepted_once"], account["accepted_more"]) == (30, 0)
    assert desk.json("report", report["dispatch"])["enqueued"] == 30


def test_for_people_there_is_a_table_and_nothing_on_standard_error(desk: Desk) -> None:
    desk.people(3)
    result = desk.run("send", "campaign.toml", "--recipients", "people.csv")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0][:4] == ["Campaign", "opening,", "dispatch", lines[0][3]]
    assert ["enqueued", "3", "100.0", "%", "enqueued", "/", "(recipients", "-", "skipped)"] in lines


def test_waiting_goes_on_until_every_message_has_its_end(open_desk: Callable[..., Desk]) -> None:
    # The second person's network gives no clear end, which must not be waited for.
    desk = open_desk(endings={"5550100": "Failed:150"}, outcomes={"Unknown:155": 1})
    desk.write("people.csv", "to,name\n+12015550100,Ada\n+12025550101,Grace\n")
    report = desk.send("--wait")
    assert (report["failed"], report["open"], report["delivered"]) == (1, 1, 0)
    (error,) = report["errors"]
    assert (error["status"], error["count"]) == ("failed", 1)
    assert error["meaning"]


def test_columns_can_be_renamed_and_files_have_their_own_encoding(desk: Desk) -> None:
    desk.write("people.csv", "Mobile;Prénom\n+46701740605;Zoë\n".encode("cp1252"))
    shown = desk.send("--dry-run", "--map", "to=Mobile", "--map", "name=Prénom", "--encoding", "cp1252")
    assert [sample["text"] for sample in shown["samples"]] == ["Hi Zoë, we open on Monday."]


def test_recipients_come_by_standard_input_too(desk: Desk) -> None:
    rows = '{"to": "+12015550123", "name": "Ada"}\n{"to": "+12025550124", "name": "Grace"}\n'
    result = desk.run("send", "campaign.toml", "--recipients", "-", "--json", input=rows)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["enqueued"] == 2


def test_the_same_command_twice_sends_once(desk: Desk) -> None:
    desk.people(5)
    first = desk.send()
    again = desk.run("send", "campaign.toml", "--recipients", "people.csv", "--json")
    assert (again.exit_code, again.stdout) == (2, "")
    assert first["dispatch"] in again.stderr
    assert "--again" in again.stderr
    assert desk.account()["sends"] == {"201": 1}


def test_again_sends_again(desk: Desk) -> None:
    desk.people(5)
    first = desk.send()
    second = desk.send("--again")
    assert second["dispatch"] != first["dispatch"]
    assert desk.account()["accepted_more"] == 5


def test_a_finished_dispatch_under_its_key_prints_its_report(desk: Desk) -> None:
    desk.people(5)
    first = desk.send("--key", "opening-2026")
    assert desk.send("--key", "opening-2026") == first
    assert desk.account()["sends"] == {"201": 1}


def test_a_key_of_something_else_is_refused(desk: Desk) -> None:
    desk.people(5)
    first = desk.send("--key", "opening-2026")
    desk.people(6)
    result = desk.run("send", "campaign.toml", "--recipients", "people.csv", "--key", "opening-2026")
    assert result.exit_code == 2
    assert "'opening-2026'" in result.stderr
    assert first["dispatch"] in result.stderr


def test_a_wrong_token_stops_and_fails_nobody_until_it_is_mended(desk: Desk) -> None:
    desk.people(5)
    right = dict(desk.environment)
    desk.environment["SIMULATED_API_TOKEN"] = "not-the-token"
    result = desk.run("send", "campaign.toml", "--recipients", "people.csv", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (report["state"], report["waiting"], report["enqueue_failed"]) == ("stopped", 5, 0)
    sentence, remedy = result.stderr.splitlines()
    assert "401" in sentence
    assert sentence.startswith(f"The dispatch {report['dispatch']} was stopped. ")
    assert f"connector resume {report['dispatch']}" in remedy
    assert "not-the-token" not in result.output

    same = desk.run("send", "campaign.toml", "--recipients", "people.csv")
    assert same.exit_code == 1
    assert "Nothing was tried now" in same.stderr
    assert f"connector resume {report['dispatch']}" in same.stderr

    desk.environment.update(right)
    resumed = desk.json("resume", report["dispatch"])
    assert (resumed["state"], resumed["enqueued"]) == ("finished", 5)
    assert desk.account()["accepted_once"] == 5


def test_a_token_that_can_be_none_is_said_once(desk: Desk) -> None:
    desk.people(5)
    desk.environment["SIMULATED_API_TOKEN"] = "two words"
    result = desk.run("send", "campaign.toml", "--recipients", "people.csv", "--json")
    assert (result.exit_code, json.loads(result.stdout)["state"]) == (1, "paused")
    assert result.stderr.count("api_token") == 1
    assert desk.account()["requests"] == {}


def test_a_lost_answer_is_looked_up_and_nobody_is_sent_to_twice(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(faults={"drop_after": "1x1"})
    desk.people(5)
    result = desk.run("send", "campaign.toml", "--recipients", "people.csv", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["enqueued"] == 5
    assert "Warning: A batch is in doubt" in result.stderr
    assert desk.account()["accepted_once"] == 5
    assert desk.json("verify")["ok"] is True


def test_what_a_dry_run_warns_of(desk: Desk) -> None:
    desk.people(2)
    text = CAMPAIGN.replace("[message]", "send_at = 2025-12-22T09:00:00+01:00\n[message]").replace("${name}", "${nam}")
    desk.write("campaign.toml", text + '[message.defaults]\nnam = "you"\n')
    told = desk.run("send", "campaign.toml", "--recipients", "people.csv", "--dry-run").output
    assert "No column is called nam: everybody gets the default" in told
    assert "2025-12-22T08:00:00Z, which has passed: it goes out at once" in told


def test_a_campaign_that_was_sent_before_is_told(desk: Desk) -> None:
    desk.people(2)
    first = desk.send()["dispatch"]
    again = desk.write("same.csv", (desk.folder / "people.csv").read_text().replace("\n", "\r\n"))
    before = f"was sent before, on 2[0-9:TZ-]+, to 2 people, by the dispatch {first}"
    assert re.search(before, desk.run("send", "campaign.toml", "--recipients", again, "--dry-run").output)
    assert re.search(before, desk.run("send", "campaign.toml", "--recipients", again, "--yes").stderr)


def test_a_list_of_nobody_was_not_sent_already(desk: Desk) -> None:
    people = desk.write("people.csv", "to,name\n12345,Ada\n")
    result = desk.run("send", "campaign.toml", "--recipients", people, "--yes")
    assert "Nobody in the list can be messaged" in result.stderr
    assert "already" not in result.stderr


def test_numbers_that_need_a_country_are_told_with_the_setting(desk: Desk) -> None:
    people = desk.write("people.csv", "to,name\n070-1740605,Ada\n+46701740606,Bo\n12345,Cy\n")
    told = desk.run("send", "campaign.toml", "--recipients", people, "--dry-run").output
    assert "1 of the invalid numbers begins with a single 0" in told
    assert 'default_region = "SE" under [screening]' in told


def test_what_a_spreadsheet_damaged_is_told(desk: Desk) -> None:
    rows = ["to,name", "4.67017E+10,Ada", '"4,67017E+10",Bo', "4.6E,Cy", "+46701740606,#N/A", "+46701740607,#1 fan"]
    people = desk.write("people.csv", "\n".join(rows) + "\n")
    told = desk.run("send", "campaign.toml", "--recipients", people, "--dry-run").output
    assert "2 of the invalid numbers look like a spreadsheet's short form" in told
    assert "1 row has an error of a spreadsheet (#N/A) in name, which would be sent as it is: row 4" in told
    assert "#1" not in told.partition("an error of a spreadsheet")[2]


@pytest.mark.parametrize(
    ("campaign", "people", "told"),
    [
        ("campaign.toml", "spring.toml", "spring.toml looks like a campaign"),
        ("people.csv", "campaign.csv", "people.csv looks like a list of people"),
    ],
)
def test_files_that_are_swapped_are_told(desk: Desk, campaign: str, people: str, told: str) -> None:
    result = desk.run("send", campaign, "--recipients", people, "--yes")
    assert result.exit_code == 2
    assert f"{told}: are the two files swapped?" in result.stderr


def test_how_reports_come_is_told_at_the_end(desk: Desk) -> None:
    desk.people(2)
    result = desk.run("send", "campaign.toml", "--recipients", "people.csv")
    (line,) = desk.json("dispatches")["dispatches"]
    assert (result.exit_code, f"connector report {line['id']} --wait" in result.stdout) == (0, True)


def test_the_ledger_stands_beside_its_configuration_wherever_a_command_runs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.people(2)
    desk.send()
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = desk.run("--config", "../connector.toml", "send", "../campaign.toml", "--recipients", "../people.csv")
    assert (again.exit_code, "has been sent to these recipients already" in again.stderr) == (2, True)
    assert not list(elsewhere.iterdir())
