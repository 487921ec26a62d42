"""docs/simulator.md lists every fault, setting and path, and its scenarios work."""

import re
from pathlib import Path

import pytest
from connector_sinch.sms.simulator import SIMULATOR

from connector.cli.scenario import read_options
from connector.simulator import service
from connector.simulator.faults import CHANCES, SECONDS

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
SCENARIOS = re.findall(r"^```toml scenario\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def rows(heading: str) -> dict[str, str]:
    """The first cell of each row of the table under a heading, and the second."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \| (.*) \|$", section, re.MULTILINE)
    return {name: told for names, told in cells for name in re.findall(r"`([^`]+)`", names)}


def test_every_fault_is_listed_in_its_words() -> None:
    seconds = {name: f"{what} (in seconds: {default:g} unless set)" for name, (what, default) in SECONDS.items()}
    assert rows("What goes wrong") == {**CHANCES, **seconds}


def test_every_setting_is_listed_with_its_default() -> None:
    listed = rows("Settings")
    fields = SIMULATOR.Options.model_fields
    assert listed.keys() == fields.keys()
    for name, field in fields.items():
        default = re.search(r": (\d+)$", listed[name])
        assert default is None or float(default[1]) == field.default, name


def test_every_path_of_its_own_is_listed() -> None:
    own = re.findall(r"(GET|POST) +(/_simulator/\w+)", service.__doc__ or "")
    assert set(re.findall(r"^\| `(\w+ /_simulator/\w+)` \|", PAGE, re.MULTILINE)) == {" ".join(path) for path in own}


@pytest.mark.parametrize("text", SCENARIOS)
def test_the_scenarios_that_are_shown_are_right(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rehearsal.toml"
    path.write_text(text)
    assert read_options(SIMULATOR, path).phases


def test_there_is_a_scenario() -> None:
    assert SCENARIOS
