"""`connector poll`."""

from collections.abc import Callable

from cli_kit import Desk

ADA, GRACE = "+12015550100", "+12025550101"


def test_what_came_is_printed(desk: Desk) -> None:
    desk.write("people.csv", f"to,name\n{ADA},Ada\n{GRACE},Grace\n")
    dispatch = desk.send()["dispatch"]
    desk.ask("inbound", {"from": ADA[1:], "body": "STOP"})
    polled = desk.json("poll", dispatch)
    assert polled["trouble"] == []
    assert (polled["inbound"], polled["events"]) == (1, 3)
    assert polled["receipts"] >= 2
    assert desk.json("report", dispatch)["delivered"] == 2
    again = desk.run("poll")
    assert (again.exit_code, again.stderr) == (0, "")
    assert "News: 0 events; the rest was known already." in again.stdout.splitlines()


def test_what_could_not_be_asked_is_said(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    desk.write("people.csv", f"to,name\n{ADA},Ada\n")
    dispatch = desk.send()["dispatch"]
    desk.environment["SIMULATED_API_TOKEN"] = "not-the-token"
    result = desk.run("poll", dispatch)
    assert result.exit_code == 1
    assert "401" in result.stderr
    assert "not-the-token" not in result.output
    assert desk.json("poll", status=1)["trouble"] != []


def test_a_dispatch_that_is_not_there(desk: Desk) -> None:
    result = desk.run("poll", "nothing-of-this-id")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "connector dispatches" in result.stderr
