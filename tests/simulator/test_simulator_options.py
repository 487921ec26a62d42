from typing import Any

import pytest
from pydantic import ValidationError

from connector.simulator import Options, Phase

MIX = {"Delivered:0": 1}


def test_phases_stand_in_for_settings_while_they_last_and_later_ones_go_first() -> None:
    options = Options(
        outcomes=MIX,
        messages_per_second=50,
        phases=(
            Phase(from_second=10, to_second=20, messages_per_second=1, faults={"throttled": 1}),
            Phase(from_second=15, countries={"SE": "Failed:150"}, faults={"throttled": 0.5, "slow": 1}),
        ),
    )
    paces = {second: options.at(second)["messages_per_second"] for second in (0, 9.9, 10, 19.9, 20)}
    assert paces == {0: 50, 9.9: 50, 10: 1, 19.9: 1, 20: 50}
    assert [options.at(second)["faults"] for second in (0, 10, 15, 20)] == [
        {},
        {"throttled": 1},
        {"throttled": 0.5, "slow": 1},
        {"throttled": 0.5, "slow": 1},
    ]
    assert (options.at(12)["countries"], options.at(15)["countries"]) == ({}, {"SE": "Failed:150"})
    assert options.turns() == [10, 15, 20]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"faults": {"thrott1ed": 1}}, "no fault 'thrott1ed'"),
        ({"faults": {"throttled": 2}}, "throttled is '2.0'"),
        ({"outcomes": {"Delivered": 1}}, "'Delivered' is no outcome"),
        ({"outcomes": {"Delivered:0": -1}}, "from 0 up"),
        ({"countries": {"Sweden": "Failed:150"}}, "'Sweden' is no country"),
        ({"endings": {"12a": "Failed:150"}}, "'12a'"),
        ({"phases": [{"from_second": 5, "to_second": 5}]}, "ends at 5 and begins at 5"),
        ({"phases": [{"faults": {"thunder": 1}}]}, "no fault 'thunder'"),
        ({"messages_per_second": 0}, "messages_per_second"),
        ({"sed": 1}, "sed"),
    ],
)
def test_what_makes_no_sense_is_refused_in_plain_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Options.model_validate({"outcomes": MIX, **given})


def test_every_setting_has_a_description() -> None:
    for model in (Options, Phase):
        assert all(field.description for field in model.model_fields.values())
