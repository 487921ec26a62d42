"""`connector report`, `verify` and `unmatched`."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

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


def test_a_link_to_a_page_stays_one(desk: Desk) -> None:
    desk.people(1)
    dispatch = desk.send()["dispatch"]
    (desk.folder / "public").mkdir()
    target = desk.folder / "public" / "page.html"
    link = desk.folder / "report.html"
    link.symlink_to("public/page.html")
    for before in (None, "an older one"):
        if before is not None:
            target.write_text(before)
            target.chmod(0o640)
        assert desk.run("report", dispatch, "--html", "report.html").exit_code == 0
        assert link.is_symlink()
        assert target.read_text().startswith("<!doctype")
    assert target.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in target.parent.iterdir()] == ["page.html"]


def test_a_page_goes_through_a_pipe(desk: Desk) -> None:
    desk.people(1)
    dispatch = desk.send()["dispatch"]
    pipe = desk.folder / "pipe"
    os.mkfifo(pipe)
    # The page fits into what a pipe holds, so nobody needs to read meanwhile.
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8") as reader:
        result = desk.run("report", dispatch, "--html", "pipe")
        assert (result.exit_code, result.stdout) == (0, "The report is in pipe.\n")
        text = reader.read()
    assert text.startswith("<!doctype") and text.endswith("</html>\n")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_write_protected_page_is_kept(desk: Desk) -> None:
    desk.people(1)
    dispatch = desk.send()["dispatch"]
    kept = desk.folder / "kept.html"
    kept.write_text("the one of last year")
    kept.chmod(0o444)
    result = desk.run("report", dispatch, "--html", "kept.html")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "kept.html: The report can't be written there (the file is write-protected)." in result.stderr
    assert kept.read_text() == "the one of last year"
    assert not list(desk.folder.glob(".*"))


def test_no_space_for_a_page_is_said(desk: Desk) -> None:
    desk.people(1)
    dispatch = desk.send()["dispatch"]
    full = desk.folder / "full"
    full.symlink_to("/dev/full")
    result = desk.run("report", dispatch, "--html", "full")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: full: No space is left there")
    with Path("/dev/full").open("wb") as nowhere:
        printed = subprocess.run(
            [sys.executable, "-c", "from connector.cli.main import main; main()", "report", dispatch, "--html", "-"],
            cwd=desk.folder,
            env={**os.environ, **desk.environment},
            stdout=nowhere,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert printed.returncode == 1
    assert printed.stderr.startswith("Error: standard output: No space is left there")
    assert len(printed.stderr.splitlines()) == 1


def test_standard_output_by_its_path_is_the_same_as_a_dash(desk: Desk) -> None:
    desk.people(1)
    dispatch = desk.send()["dispatch"]
    # By a link, so that nothing in /dev is at stake.
    (desk.folder / "printed").symlink_to("/dev/stdout")
    with desk.start("report", dispatch, "--html", "printed") as process:
        status, out, err = process.end()
    assert (status, err) == (0, "")
    assert out.startswith("<!doctype") and out.endswith("</html>\n")
    assert desk.run("report", dispatch, "--html", "printed", "--json").exit_code == 2


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
    assert "1 of 1 dispatch: messages" in desk.run("verify").stdout
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
