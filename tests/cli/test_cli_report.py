"""`connector report`, `verify` and `unmatched`."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from cli_kit import Desk

from connector import Connector, Request


def test_the_dispatches_of_a_campaign_are_summed(desk: Desk) -> None:
    desk.write("people.csv", "to,name\n+12015550123,Ada\n,Nobody\n")
    first = desk.send()
    desk.write("people.csv", "to,name\n+12025550124,Grace\n+12025550124,Grace\n")
    second = desk.send()
    together = desk.json("report", "--campaign", "opening")
    assert (together["recipients"], together["enqueued"]) == (4, 2)
    assert together["skipped"] == {"total": 2, "by_reason": {"duplicate": 1, "invalid_number": 1}}
    assert together["dispatch"] is None
    assert [each["dispatch"] for each in together["dispatches"]] == [second["dispatch"], first["dispatch"]]
    heading = desk.run("report", "--campaign", "opening").stdout.splitlines()[0]
    assert heading == f"Campaign opening, dispatches {second['dispatch']}, {first['dispatch']}: finished"


def test_a_dispatch_is_found_by_its_key_too(desk: Desk) -> None:
    desk.people(2)
    report = desk.send("--key", "opening-2026")
    assert desk.json("report", "opening-2026") == report


def test_the_report_as_a_page(desk: Desk) -> None:
    desk.people(3)
    dispatch = desk.send("--wait")["dispatch"]
    result = desk.run("report", dispatch, "--html", "report.html")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "The report is in report.html.\n", "")
    page = (desk.folder / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert f"<code>{dispatch}</code>" in page
    assert "3</span>" in page
    printed = desk.run("report", "--campaign", "opening", "--html", "-")
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout.startswith("<!doctype html>")
    assert printed.stdout.endswith("</html>\n")
    report = desk.json("report", dispatch, "--html", "both.html")
    assert report["delivered"] == 3
    assert (desk.folder / "both.html").exists()


def test_a_page_is_written_whole_or_not_at_all(desk: Desk) -> None:
    desk.people(1)
    dispatch = desk.send()["dispatch"]
    (desk.folder / "taken").mkdir()
    for place in ("nowhere/report.html", "taken/report.html/x.html"):
        result = desk.run("report", dispatch, "--html", place)
        assert (result.exit_code, result.stdout) == (2, "")
        assert place in result.stderr
    (desk.folder / "report.html").write_text("an older one")
    desk.run("report", dispatch, "--html", "report.html")
    assert (desk.folder / "report.html").read_text().startswith("<!doctype")
    assert not list(desk.folder.glob(".*"))


def test_a_report_waits_for_the_end_where_one_says_so(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(outcomes={"Delivered:0": 1}, report_delay_seconds=0.5)
    desk.people(2)
    dispatch = desk.send()["dispatch"]
    report = desk.json("report", dispatch, "--wait")
    assert (report["delivered"], report["open"]) == (2, 0)
    together = desk.json("report", "--campaign", "opening", "--wait")
    assert (together["delivered"], together["state"]) == (2, "finished")


def test_waiting_says_what_is_left(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    with Connector.from_config("connector.toml") as connector:
        dispatch = connector.send("campaign.toml", desk.people(2), drain=False)
        dispatch.pause()
    assert desk.run("report", dispatch.id).exit_code == 0
    waited = desk.run("report", dispatch.id, "--wait")
    assert waited.exit_code == 1
    assert f"connector resume {dispatch.id}" in waited.stderr
    assert desk.account()["sends"] == {}


def test_verify_names_what_disagrees(desk: Desk) -> None:
    desk.people(2)
    dispatch = desk.send()["dispatch"]
    assert "1 of 1 dispatches" in desk.run("verify").stdout
    with closing(sqlite3.connect(desk.folder / "connector.db")) as ledger, ledger:
        ledger.execute("INSERT INTO totals (dispatch, name, delta) VALUES (1, 'enqueued', 1)")
    found = desk.json("verify", status=1)
    assert found["ok"] is False
    (wrong,) = found["dispatches"]
    assert wrong["dispatch"] == dispatch
    assert "enqueued: the totals say 3, the messages 2" in wrong["differences"]
    text = desk.run("verify")
    assert text.exit_code == 1
    assert f"{dispatch}: does not close" in text.stdout


def test_reports_of_nothing_known_are_listed_without_numbers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (desk.folder / "connector.toml").read_text()
    unsigned = [line for line in text.splitlines() if not line.startswith("callback_secret")]
    desk.write("connector.toml", "\n".join(unsigned))
    assert "has found its message" in desk.run("unmatched").stdout
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    body = {
        "type": "recipient_delivery_report_sms",
        "batch_id": "01HZZZZZZZZZZZZZZZZZZZZZZZ",
        "recipient": "12015550123",
        "code": 0,
        "status": "Delivered",
        "at": "2026-03-01T10:00:00Z",
    }
    with Connector.from_config("connector.toml") as connector:
        (address,) = connector.callback_addresses().values()
        path = address[address.index("/webhooks/") :]
        for content in (json.dumps(body).encode(), b"no JSON at all"):
            assert connector.receive(Request("POST", path, {}, content)).status == 200
    reports = desk.json("unmatched")["reports"]
    assert [each["why"] for each in reports] == ["unmatched", "unreadable"]
    assert reports[0]["batch"] == body["batch_id"]
    shown = desk.run("unmatched").stdout
    assert "120***23" in shown
    assert "12015550123" not in shown
