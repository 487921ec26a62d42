"""`connector dispatches`, `status`, `pause`, `resume`, `cancel` and `retry`."""

import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime, timedelta

import pytest
from cli_kit import CAMPAIGN, Desk

from connector import Connector
from connector.model.batch import utc_now


def planned(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a dispatch of which nothing is sent yet."""
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    with Connector.from_config("connector.toml") as connector:
        return connector.send("campaign.toml", desk.people(4), drain=False).id


def test_dispatches_are_listed_the_newest_first(desk: Desk) -> None:
    desk.people(3)
    first, second = desk.send(), desk.send("--again")
    listed = desk.json("dispatches")["dispatches"]
    assert [line["id"] for line in listed] == [second["dispatch"], first["dispatch"]]
    assert (listed[0]["campaign"], listed[0]["state"], listed[0]["enqueued"]) == ("opening", "finished", 3)
    text = desk.run("dispatches").stdout.splitlines()
    assert text[0].split()[:4] == ["id", "campaign", "state", "created"]
    assert text[1].split()[:3] == [second["dispatch"], "opening", "finished"]
    assert text[1].split()[3].endswith("Z")


def test_without_a_dispatch_the_list_says_what_to_do(desk: Desk) -> None:
    assert "connector send" in desk.run("dispatches").stdout


def test_pause_holds_until_resume(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch = planned(desk, monkeypatch)
    assert desk.json("pause", dispatch)["state"] == "paused"
    shown = desk.json("status", dispatch)
    assert (shown["state"], shown["waiting"], shown["worker_running"]) == ("paused", 4, False)
    assert f"connector resume {dispatch}" in desk.run("status", dispatch).stdout

    same = desk.run("send", "campaign.toml", "--recipients", "people.csv")
    assert same.exit_code == 1
    assert f"connector resume {dispatch}" in same.stderr
    assert desk.account()["requests"] == {}

    assert desk.json("resume", dispatch)["enqueued"] == 4
    assert "nothing to pause" in desk.run("pause", dispatch).stdout


def test_nobody_is_said_to_work_on_what_nobody_works_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch = planned(desk, monkeypatch)
    assert "waits for a worker" in desk.run("dispatches").stdout
    assert "waits for a worker" in desk.run("status", dispatch).stdout
    assert (line := desk.json("dispatches")["dispatches"][0])["state"] == "running"
    assert (line["left"], line["send_at"]) == (4, None)
    at = (utc_now() + timedelta(days=2)).replace(microsecond=0)
    desk.write("campaign.toml", CAMPAIGN.replace("[message]", f"send_at = {at}\n[message]"))
    scheduled = planned(desk, monkeypatch)
    told = f"scheduled for {at.isoformat().replace('+00:00', 'Z')}"
    assert told in desk.run("dispatches").stdout
    shown = desk.run("status", scheduled).stdout
    assert (told in shown, "before its time: one of them sends it" in shown) == (True, True)
    assert "connector resume" not in shown


def test_resume_waits_for_the_end_where_one_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch = planned(desk, monkeypatch)
    desk.run("pause", dispatch)
    report = desk.json("resume", dispatch, "--wait")
    assert (report["delivered"], report["open"]) == (4, 0)


def test_what_goes_out_beside_what_is_sent_is_named_before(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch = planned(desk, monkeypatch)
    assert f"dispatch {dispatch}: waits for a worker" in desk.run("report", dispatch).stdout
    desk.write("one.csv", "to,name\n+46701740605,Ada\n")
    sent = desk.run("send", "campaign.toml", "--recipients", "one.csv", "--yes")
    told = " ".join(sent.stderr.split())
    assert f"4 messages of opening ({dispatch}) wait from before, and go out now, too." in told
    assert f"connector pause {dispatch}" in told
    assert desk.account()["accepted_once"] == 5
    again = desk.run("send", "campaign.toml", "--recipients", "one.csv", "--yes", "--again")
    assert "wait from before" not in again.stderr


def test_who_serves_says_what_goes_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch = planned(desk, monkeypatch)
    with desk.start("worker") as worker:
        assert f"4 messages of opening ({dispatch}) wait from before" in worker.line_of_errors()
        worker.signal(signal.SIGTERM)
        worker.end()


def test_after_a_backup_was_put_back_what_waits_is_looked_up_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch = planned(desk, monkeypatch)
    with (
        closing(sqlite3.connect(desk.folder / "connector.db")) as ledger,
        closing(sqlite3.connect(desk.folder / "copy.db")) as copy,
    ):
        ledger.backup(copy)
    assert desk.json("resume", dispatch)["enqueued"] == 4
    for path in desk.folder.glob("connector.db*"):
        path.unlink()
    (desk.folder / "copy.db").rename(desk.folder / "connector.db")

    resumed = desk.run("resume", dispatch, "--recheck")
    assert resumed.exit_code == 0, resumed.output
    assert "Of 1 batch that waited, the provider has 1 already; 0 are looked up" in " ".join(resumed.stderr.split())
    assert desk.json("report", dispatch)["enqueued"] == 4
    account = desk.account()
    assert (account["accepted_once"], account["accepted_more"]) == (4, 0)


def test_what_is_cancelled_is_never_sent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch = planned(desk, monkeypatch)
    told = desk.json("cancel", dispatch)
    assert (told["dispatch"], told["skipped"]) == (dispatch, 4)
    assert "was cancelled before" in desk.run("cancel", dispatch).stdout
    report = desk.json("report", dispatch)
    assert report["skipped"]["by_reason"] == {"cancelled": 4}
    assert "cancelled before it was this person's turn" in desk.run("report", dispatch).stdout
    resumed = desk.run("resume", dispatch)
    assert (resumed.exit_code, "can't be taken up again" in resumed.stderr) == (1, True)
    assert desk.account()["sends"] == {}


def test_what_the_provider_has_is_called_back_by_cancel_itself(desk: Desk) -> None:
    desk.people(3)
    desk.write(
        "campaign.toml", CAMPAIGN.replace("[message]", f"send_at = {utc_now() + timedelta(minutes=10)}\n[message]")
    )
    with desk.start("worker") as worker:
        planned = desk.run("send", "campaign.toml", "--recipients", "people.csv")
        assert planned.exit_code == 0, planned.output
        (line,) = desk.json("dispatches")["dispatches"]
        while not desk.json("report", line["id"])["enqueued"]:
            worker.signal(0)
        worker.signal(signal.SIGTERM)
        worker.end()
    told = desk.run("cancel", line["id"])
    assert "3 messages were with the provider already" in told.stdout
    assert {batch["canceled"] for batch in desk.http.get("/_simulator/batches").json()["batches"]} == {True}
    desk.run("poll", line["id"])
    assert desk.json("report", line["id"])["rejected"] == 3


def test_a_country_that_is_paused_is_told_with_the_way_on(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(countries={"SE": "Aborted:412"})
    desk.write("campaign.toml", CAMPAIGN)
    rows = ["to,name,sender", "+46701740605,Ada,First", "+46701740606,Bo,Later", "+12015550123,Cy,Later"]
    desk.write("people.csv", "\n".join(rows) + "\n")
    account = "sinch-sms:simulated-plan"
    desk.configure(**{f'accounts."{account}"': {"messages_per_second": 0.001}})
    with desk.start("send", "campaign.toml", "--recipients", "people.csv") as sending:
        while not desk.json("dispatches")["dispatches"] or not desk.account()["numbers"]:
            sending.signal(0)
        (line,) = desk.json("dispatches")["dispatches"]
        while not desk.json("report", line["id"])["rejected"]:
            desk.run("poll", line["id"])
        # The one in the other country may go now; who is left in this one waits.
        desk.run("rate", account, "1000")
        status, _, errors = sending.end()
    assert status == 1
    assert "1 of its messages is not sent. Nobody else is sent to in these countries" in errors
    assert "SE:" in errors
    assert f"connector resume {line['id']}" in errors
    assert desk.account()["numbers"] == 2


def test_the_accounts_health_is_in_plain_words(desk: Desk) -> None:
    desk.people(1)
    dispatch = desk.send()["dispatch"]
    assert ["provider", "reached", "yes"] in [line.split() for line in desk.run("status", dispatch).stdout.splitlines()]
    with closing(sqlite3.connect("connector.db")) as ledger, ledger:
        ledger.execute("UPDATE accounts SET probe_at = 1795426531878859, trouble = 'It is down.'")
    text = desk.run("status", dispatch).stdout
    assert "no: nothing is sent until it answers; it is asked next at 2026-11-23T" in text
    assert "circuit" not in text


def test_send_goes_on_with_what_was_only_planned(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch = planned(desk, monkeypatch)
    assert "Nothing is sent just now" in desk.run("status", dispatch).stdout
    assert desk.send()["dispatch"] == dispatch
    assert desk.account()["accepted_once"] == 4


def test_what_was_not_read_to_its_end_is_not_resumed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch = planned(desk, monkeypatch)
    with closing(sqlite3.connect("connector.db")) as ledger, ledger:
        ledger.execute("UPDATE dispatches SET state = 'planning'")
    result = desk.run("resume", dispatch)
    assert result.exit_code == 1
    assert "not read to their end" in result.stderr
    assert desk.run("dispatches").stdout.count("planning, abandoned") == 1
    assert desk.account()["requests"] == {}


def test_what_is_in_doubt_is_shown_and_settled_by_a_person(open_desk: Callable[..., Desk]) -> None:
    # Nothing arrives, and no accepted batch ever showed that looking up works: a person must know.
    desk = open_desk(faults={"drop_before": 1})
    desk.people(4, senders=True)
    result = desk.run("send", "campaign.toml", "--recipients", "people.csv")
    assert result.exit_code == 1
    assert "4 messages are in doubt" in result.stderr
    assert "555" not in result.stderr
    (dispatch,) = (line["id"] for line in desk.json("dispatches")["dispatches"])

    shown = desk.json("status", dispatch)
    assert shown["in_doubt"] == 4
    assert shown["account"]["look_up_proven_at"] is None
    first, second, *rest = shown["batches_in_doubt"]
    assert first["messages"] == 1
    assert first["look_ups"] >= 3
    assert first["since"].endswith("Z")
    assert first["cause"]
    assert first["last_look_up"].startswith("can't tell")
    assert first["next_look_up"] > first["since"]
    text = desk.run("status", dispatch).stdout
    assert "not yet seen to work on this account" in text
    assert f"connector retry {dispatch} --give-up" in text

    assert desk.json("retry", dispatch, "--accepted", "--batch", first["key"])["batches"] == 1
    assert desk.json("retry", dispatch, "--resend", "--batch", second["key"])["batches"] == 1
    assert desk.json("retry", dispatch, "--give-up")["batches"] == len(rest)
    report = desk.json("report", dispatch)
    assert (report["enqueued"], report["waiting"], report["unknown"], report["in_doubt"]) == (1, 1, 2, 0)
    assert desk.json("verify")["ok"] is True
    settled = desk.run("retry", dispatch, "--resend")
    assert settled.exit_code == 2
    assert "in doubt" in settled.stderr


def at_terminal(desk: Desk, columns: int, *arguments: str) -> list[str]:
    """The lines that a command shows to a person, at a terminal of so many columns."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", "from connector.cli.main import main; main()", *arguments],
        cwd=desk.folder,
        env={**os.environ, **desk.environment, "COLUMNS": str(columns), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
    ):
        os.close(theirs)
        shown = b""
        # Linux says by an error that the other end of a terminal is closed.
        with suppress(OSError):
            while chunk := os.read(ours, 65536):
                shown += chunk
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()


def test_at_a_narrow_terminal_ids_states_and_times_stay_whole(desk: Desk) -> None:
    desk.people(3)
    first, second = desk.send("--key", "opening-of-the-shop-in-spring")["dispatch"], desk.send("--again")["dispatch"]
    cause = "The provider refuses the sender, [Bookshop]: it is not known to it, see its pages or ask its support."
    with closing(sqlite3.connect("connector.db")) as ledger, ledger:
        ledger.execute("UPDATE dispatches SET cause = ? WHERE id = ?", (cause, first))
        ledger.execute("UPDATE dispatches SET open = 1, campaign_name = ? WHERE id = ?", ("summer" * 5, second))
    created = [
        datetime.fromisoformat(line["created_at"]).astimezone().isoformat(sep=" ", timespec="seconds")
        for line in desk.json("dispatches")["dispatches"]
    ]

    narrow = at_terminal(desk, 80, "dispatches")
    assert max(len(line) for line in narrow) <= 80
    assert narrow[0].split() == ["id", "campaign", "state", "created"]
    text = "\n".join(narrow)
    (newest,) = (line for line in narrow if second in line)
    assert "running, open" in newest
    assert created[0] in newest
    (stopped,) = (line for line in narrow if first in line)
    assert stopped.split()[:2] == [first, "opening"]
    assert created[1] in stopped
    assert text.count("recipients 3, enqueued 3, in doubt 0") == 2
    assert cause in " ".join(text.split())
    assert "opening-of" not in text
    assert "".join(line[18:].split("  ")[0] for line in narrow[1:4]).startswith("summersummer")

    tight = "\n".join(at_terminal(desk, 40, "dispatches"))
    assert all(word in tight for word in (first, second, "running, open", *created))

    wide = at_terminal(desk, 300, "dispatches")
    assert len(wide) == 3
    assert wide[0].split()[-2:] == ["key", "cause"]
    assert cause in wide[2]
    assert "opening-of-the-shop-in-spring" in wide[2]
    piped = desk.run("dispatches").stdout.splitlines()
    assert len(piped) == 3
    assert cause in piped[2]
    assert "opening-of-the-shop-in-spring" in piped[2]


def test_a_dispatch_is_named_by_the_beginning_of_its_id(desk: Desk) -> None:
    desk.people(3)
    first, second, third = (desk.send("--key", key)["dispatch"] for key in ("one", "two", "e50c4"))
    with closing(sqlite3.connect("connector.db")) as ledger, ledger:
        for old, new in ((first, "e50c41aa00000001"), (second, "e50c42bb00000002"), (third, "77_c000000000003")):
            ledger.execute("UPDATE dispatches SET id = ? WHERE id = ?", (new, old))
    assert desk.json("status", "e50c41")["dispatch"] == "e50c41aa00000001"
    assert desk.json("status", "e50c42bb00000002")["dispatch"] == "e50c42bb00000002"
    # A key that somebody gave goes before the beginning of an id.
    assert desk.json("status", "e50c4")["dispatch"] == "77_c000000000003"
    several = desk.run("status", "e50c")
    assert several.exit_code == 2
    assert "e50c41aa00000001" in several.stderr
    assert "e50c42bb00000002" in several.stderr
    assert "77_c" not in several.stderr
    for unknown in ("e50", "77_", "e5_c", "%50c", "e50c43", ""):
        assert "There is no dispatch" in desk.run("status", unknown).stderr, unknown
