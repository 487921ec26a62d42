from collections import Counter
from typing import Any

import pytest

from connector.model.errors import InputError
from connector.simulator.numbers import fictional_numbers
from connector.simulator.outcomes import Fate, Outcomes

MIX = {"Delivered:0": 90, "Failed:150": 10}


def first_numbers(count: int) -> list[str]:
    numbers = fictional_numbers()
    return [next(numbers) for _ in range(count)]


def test_a_number_ends_the_same_way_for_the_same_seed() -> None:
    numbers = first_numbers(200)
    once, again = Outcomes(MIX, {}, seed=7, read=Fate.read), Outcomes(MIX, {}, seed=7, read=Fate.read)
    assert [once.of(number) for number in numbers] == [again.of(number) for number in reversed(numbers)][::-1]


def test_another_seed_fails_other_numbers() -> None:
    numbers = first_numbers(500)
    one, other = Outcomes(MIX, {}, seed=1, read=Fate.read), Outcomes(MIX, {}, seed=2, read=Fate.read)
    assert [one.of(number) for number in numbers] != [other.of(number) for number in numbers]


def test_weights_are_shares() -> None:
    outcomes = Outcomes(MIX, {}, seed=1, read=Fate.read)
    counts = Counter(outcomes.of(number).status for number in first_numbers(5000))
    assert 400 < counts["Failed"] < 600
    assert counts.total() == 5000


def test_an_outcome_without_weight_never_comes() -> None:
    outcomes = Outcomes({"Failed:1": 0, "Delivered:0": 1, "Failed:2": 0}, {}, seed=1, read=Fate.read)
    assert {outcomes.of(number) for number in first_numbers(300)} == {Fate("Delivered", 0)}


def test_the_longest_ending_decides() -> None:
    outcomes = Outcomes({"Delivered:0": 1}, {"23": "Failed:153", "0123": "Rejected:61"}, seed=1, read=Fate.read)
    assert outcomes.of("12015550123") == Fate("Rejected", 61)
    assert outcomes.of("12015550823") == Fate("Failed", 153)
    assert outcomes.of("12015550124") == Fate("Delivered", 0)


def test_a_country_has_an_outcome_or_a_mix_of_its_own() -> None:
    outcomes = Outcomes(
        {"Delivered:0": 1},
        {},
        seed=1,
        read=Fate.read,
        countries={"SE": "Failed:150", "GB": {"Expired:202": 1, "Rejected:61": 3}},
    )
    assert outcomes.of("46701740605") == Fate("Failed", 150)
    britons = Counter(outcomes.of(str(447700900000 + place)).status for place in range(400))
    assert 70 < britons["Expired"] < 130
    assert britons.total() == britons["Expired"] + britons["Rejected"]
    assert {outcomes.of(number) for number in first_numbers(50)} == {Fate("Delivered", 0)}


def test_a_country_is_told_by_the_whole_number_where_countries_share_a_code() -> None:
    outcomes = Outcomes({"Delivered:0": 1}, {}, seed=1, read=Fate.read, countries={"CA": "Failed:150"})
    assert outcomes.of("14165550123") == Fate("Failed", 150)
    assert outcomes.of("12015550123") == Fate("Delivered", 0)


def test_endings_go_before_beginnings_and_these_before_countries() -> None:
    outcomes = Outcomes(
        {"Delivered:0": 1},
        {"0123": "Rejected:61"},
        seed=1,
        read=Fate.read,
        beginnings={"1201": "Failed:151", "1201555": "Failed:153"},
        countries={"US": "Failed:150"},
    )
    numbers = ("12015550123", "12015550124", "12014560124", "12125550124", "46701740605")
    assert [outcomes.of(number).code for number in numbers] == [61, 153, 151, 150, 0]


@pytest.mark.parametrize("rule", [{"46": "Failed"}, {"+46": "Failed:150"}, {"": "Failed:150"}, {"46": {}}])
def test_a_wrong_beginning_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Outcomes({"Delivered:0": 1}, {}, seed=1, read=Fate.read, beginnings=rule)


@pytest.mark.parametrize("rule", [{"XX": "Failed:150"}, {"se": "Failed:150"}, {"SE": {"Failed:150": -1}}])
def test_a_wrong_country_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Outcomes({"Delivered:0": 1}, {}, seed=1, read=Fate.read, countries=rule)


@pytest.mark.parametrize(
    ("mix", "endings"),
    [
        ({}, {}),
        ({"Delivered:0": 0}, {}),
        ({"Delivered:0": 2, "Failed:1": -1}, {}),
        ({"Delivered": 1}, {}),
        ({"Failed:x": 1}, {}),
        ({"Delivered:0": 1}, {"12a": "Failed:1"}),
        ({"Delivered:0": 1}, {"12": "Failed"}),
    ],
)
def test_what_makes_no_sense_is_refused(mix: dict[str, float], endings: dict[str, str]) -> None:
    with pytest.raises(InputError):
        Outcomes(mix, endings, seed=1, read=Fate.read)
