"""docs/simulator.md lists every setting of the simulated Conversation API."""

import re
import shlex
from pathlib import Path

import pytest
from connector_sinch.conversation.simulator import SIMULATOR
from connector_sinch.sms.simulator import SIMULATOR as SMS

from connector.cli.scenario import read_options

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
SETTINGS = [
    words[words.index("--set") + 1]
    for line in re.findall(r"^connector simulate sinch-conversation .*--set .*$", PAGE, re.MULTILINE)
    if (words := shlex.split(line, comments=True))
]


def test_every_setting_is_listed_with_its_default() -> None:
    section = PAGE.split("\n### Settings of the Conversation API\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \| (.*) \|$", section, re.MULTILINE)
    listed = {name: told for names, told in cells for name in re.findall(r"`([^`]+)`", names)}
    fields = SIMULATOR.Options.model_fields
    shared = list(fields)[: list(fields).index("phases") + 1]
    assert set(shared) <= SMS.Options.model_fields.keys()
    assert listed.keys() == fields.keys() - set(shared)
    for name, told in listed.items():
        default = re.search(r": (\d+)$", told)
        assert default is None or float(default[1]) == fields[name].default, name


@pytest.mark.parametrize("word", [*SETTINGS, "app_channels=SMS,RCS"])
def test_the_settings_that_are_shown_are_taken(word: str) -> None:
    assert read_options(SIMULATOR, words=[word]) != read_options(SIMULATOR)


def test_there_are_settings() -> None:
    assert len(SETTINGS) > 3
