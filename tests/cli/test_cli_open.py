"""What the command line does with a dispatch that stays open: as with any, and it says that it is open."""

import pytest
from cli_kit import Desk

from connector import Connector, DispatchClosed, OpenDispatch


@pytest.fixture
def opened(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of an open dispatch, of which one message was sent."""
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    with Connector.from_config("connector.toml") as connector:
        opened = connector.open("campaign.toml", key="welcome")
        opened.add({"to": "+12015550123", "name": "Ada"}, key="1")
        opened.drain()
        return opened.id


def add(order: str) -> str | None:
    with Connector.from_config("connector.toml") as connector:
        opened = connector.dispatch("welcome")
        assert isinstance(opened, OpenDispatch)
        return opened.add({"to": "+12015550123", "name": "Ada"}, key=order).reason


def test_it_is_shown_as_open(desk: Desk, opened: str) -> None:
    assert desk.json("dispatches")["dispatches"][0]["is_open"]
    assert "running, open" in desk.run("dispatches").stdout
    shown = desk.json("status", "welcome")
    assert (shown["dispatch"], shown["state"], shown["is_open"], shown["enqueued"]) == (opened, "running", True, 1)
    assert "running, open" in desk.run("status", opened).stdout


def test_it_is_paused_and_resumed(desk: Desk, opened: str) -> None:
    assert desk.json("pause", opened)["state"] == "paused"
    assert "paused, open" in desk.run("status", opened).stdout
    assert add("2") is None
    assert desk.json("status", opened)["waiting"] == 1
    assert desk.json("resume", opened)["enqueued"] == 2
    assert desk.json("status", opened)["state"] == "running"


def test_it_is_cancelled(desk: Desk, opened: str) -> None:
    assert desk.json("cancel", opened, "--yes")["state"] == "cancelled"
    assert not desk.json("status", opened)["is_open"]
    with pytest.raises(DispatchClosed):
        add("2")


def test_its_key_is_not_for_a_list(desk: Desk, opened: str) -> None:
    desk.people(3)
    refused = desk.run("send", "campaign.toml", "--recipients", "people.csv", "--key", "welcome")
    assert refused.exit_code == 2
    assert f"belongs to the dispatch {opened}" in refused.stderr
    assert desk.json("verify")
