"""How far it is: on a terminal with rate and time left, on a pipe not at all."""

from cli_kit import Desk
from setup_kit import Terminal

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


def test_on_a_pipe_there_is_nothing(desk: Desk) -> None:
    desk.people(20)
    with desk.start(*SEND, "--wait", "--json") as sending:
        status, out, err = sending.end()
    assert (status, err) == (0, "")
    assert out.startswith("{") and out.count("\n") == 1
