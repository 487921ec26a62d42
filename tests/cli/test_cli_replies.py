"""What `status` and `check` say of asking for what people write."""

from cli_kit import Desk


def row(desk: Desk, dispatch: str) -> str:
    (line,) = [
        line for line in desk.run("status", dispatch).stdout.splitlines() if line.startswith("what people write")
    ]
    return line


def test_questions_without_an_answer_are_told(desk: Desk) -> None:
    desk.people(1)
    dispatch = desk.send()["dispatch"]
    assert desk.json("poll")["trouble"] == []
    assert "asked for up to 2" in row(desk, dispatch)
    assert "in vain" not in row(desk, dispatch)
    assert "in vain" not in desk.run("check").stdout

    desk.ask("faults", {"listing_error": 1})
    assert len(desk.json("poll", status=1)["trouble"]) == 1
    assert row(desk, dispatch).endswith("; since then once in vain")
    desk.json("poll", status=1)
    assert row(desk, dispatch).endswith("; since then 2 times in a row in vain")
    told = desk.json("status", dispatch)
    assert (told["account"]["inbound_failures"], told["replies_declined"]) == (2, None)
    assert "What people wrote can't be asked for." in told["account"]["trouble"]

    desk.ask("faults", {})
    checked = desk.json("check", status=1)
    (finding,) = [each for each in checked["findings"] if "in vain" in each["message"]]
    assert finding["message"].startswith(f"{told['account']['name']} was asked 2 times in a row in vain")
    assert desk.json("poll")["trouble"] == []
    assert "in vain" not in row(desk, dispatch)
