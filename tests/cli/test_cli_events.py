"""`connector events`."""

import csv
import json
import signal
from dataclasses import fields

from cli_kit import Desk

from connector.model.event import Event


def lines(desk: Desk, *arguments: str) -> list[dict[str, object]]:
    result = desk.run("events", *arguments)
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_event_is_a_line_with_all_its_fields(desk: Desk) -> None:
    desk.write("people.csv", "to,customer_id,name\n+12015550123,c-1,Ada\n,c-2,Nobody\n")
    dispatch = desk.send()["dispatch"]
    found = lines(desk)
    assert {event["status"] for event in found} == {"skipped", "enqueued"}
    for event in found:
        assert list(event) == [field.name for field in fields(Event)]
        assert str(event["occurred_at"]).endswith("Z")
    (enqueued,) = [event for event in found if event["status"] == "enqueued"]
    assert (enqueued["recipient"], enqueued["customer_id"]) == ("12015550123", "c-1")
    assert (enqueued["campaign_id"], enqueued["dispatch"]) == ("cmp-7", dispatch)


def test_a_part_of_the_log(desk: Desk) -> None:
    desk.people(3)
    first = desk.send()
    second = desk.send("--again")
    whole = lines(desk)
    assert len(whole) == 6
    assert lines(desk, "--after", str(whole[3]["position"])) == whole[4:]
    assert lines(desk, "--dispatch", first["dispatch"]) == whole[:3]
    since = str(min(str(event["recorded_at"]) for event in whole if event["dispatch"] == second["dispatch"]))
    assert lines(desk, "--since", since) == whole[3:]
    assert lines(desk, "--since", "2026-01-01") == whole
    assert lines(desk, "--since", "2999-01-01T00:00+02:00") == []
    assert lines(desk, "--since", "now") == []


def test_as_one_document_and_as_csv(desk: Desk) -> None:
    assert desk.json("events") == []
    desk.people(3)
    desk.send()
    whole = lines(desk)
    assert desk.json("events") == whole
    rows = list(csv.DictReader(desk.run("events", "--format", "csv").stdout.splitlines()))
    assert [row["id"] for row in rows] == [event["id"] for event in whole]
    assert list(rows[0]) == [field.name for field in fields(Event)]
    assert rows[0]["status_code"] == ""


def test_following_shows_events_as_they_come(desk: Desk) -> None:
    desk.people(2)
    desk.send()
    with desk.start("events", "--follow") as following:
        assert {json.loads(following.line())["customer_id"] for _ in range(2)} == {"c-0", "c-1"}
        again = desk.send("--again")
        # A report on the first ones may have come meanwhile.
        while json.loads(following.line())["dispatch"] != again["dispatch"]:
            continue
        following.signal(signal.SIGINT)
        status, _, err = following.end()
        assert (status, err) == (0, "")


def test_a_reader_that_goes_away_is_no_error(desk: Desk) -> None:
    desk.people(2000)
    desk.send()
    with desk.start("events") as printing:
        assert json.loads(printing.line())["status"] == "enqueued"
        assert printing.hang_up() == ""
