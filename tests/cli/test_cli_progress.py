"""How far it is: on a terminal with rate and time left, on a pipe not at all."""

from datetime import timedelta

import pytest
from cli_kit import Desk
from setup_kit import Terminal
from sqlalchemy import update

from connector import Connector
from connector.ledger.tables import accounts
from connector.model.batch import utc_now

SEND = ("send", "campaign.toml", "--recipients", "people.csv", "--yes")


def test_sending_and_waiting_are_shown_on_a_terminal(desk: Desk) -> None:
    desk.people(20, senders=True)
    desk.ask("hold", {"at": "after"})
    with Terminal(desk.folder, *SEND, "--wait", **desk.environment, TERM="xterm", COLUMNS="120") as sending:
        sending.wait_for("Reading the recipients")
        sending.wait_for("rows")
        desk.ask("held?count=4")
        sending.wait_for("Sent")
        sending.wait_for("0 of 20")
        sending.wait_for("Reported")
        desk.ask("release", {})
        assert sending.end() == 0
    assert "/s" in sending.shown
    assert "-:--:--" in sending.shown or "0:00:0" in sending.shown


def test_what_is_waited_for_while_nothing_is_sent_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    with Connector.from_config("connector.toml") as connector:
        dispatch = connector.send("campaign.toml", desk.people(2), drain=False)
        with connector.ledger.write() as connection:
            later = utc_now() + timedelta(hours=1)
            connection.execute(update(accounts).values(failures=9, probe_at=later, trouble="The line is dead."))
    with Terminal(desk.folder, "resume", dispatch.id, **desk.environment) as resuming:
        resuming.wait_for(f"Nothing is sent while the account {dispatch.account}")
        resuming.wait_for("The line is dead.")
        resuming.interrupt()
        assert resuming.end() == 1


def test_on_a_pipe_there_is_nothing(desk: Desk) -> None:
    desk.people(20)
    with desk.start(*SEND, "--wait", "--json") as sending:
        status, out, err = sending.end()
    assert (status, err) == (0, "")
    assert out.startswith("{") and out.count("\n") == 1
