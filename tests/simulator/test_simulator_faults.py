import pytest

from connector.model.errors import InputError
from connector.simulator.faults import Faults, parse


def test_words_of_a_command_line_become_faults() -> None:
    assert parse(["throttled=0.1", "drop_after=1x2", "listing_lag=5"]) == {
        "throttled": "0.1",
        "drop_after": "1x2",
        "listing_lag": "5",
    }


@pytest.mark.parametrize("word", ["throttled", "thrott1ed=1", "throttled=2", "throttled=-1", "slow=often", "slow=1xno"])
def test_a_wrong_word_is_refused(word: str) -> None:
    with pytest.raises(InputError, match=word.partition("=")[0]):
        parse([word])


def test_chance_follows_the_probability_and_repeats() -> None:
    one, again = (Faults({"throttled": 0.25}, seed=3) for _ in range(2))
    thrown = [one.happens("throttled") for _ in range(2000)]
    assert thrown == [again.happens("throttled") for _ in range(2000)]
    assert 400 < sum(thrown) < 600


def test_one_fault_does_not_disturb_the_dice_of_another() -> None:
    alone, beside = Faults({"throttled": 0.5}, seed=3), Faults({"throttled": 0.5, "slow": 0.5}, seed=3)
    for _ in range(100):
        beside.happens("slow")
        assert alone.happens("throttled") == beside.happens("throttled")


def test_a_fault_can_be_limited_to_some_times() -> None:
    faults = Faults({"drop_after": "1x2"}, seed=1)
    assert [faults.happens("drop_after") for _ in range(4)] == [True, True, False, False]


def test_wrong_faults_leave_the_old_ones() -> None:
    faults = Faults({"throttled": 1}, seed=1)
    with pytest.raises(InputError):
        faults.set({"throttled": 0, "nonsense": 1})
    assert faults.happens("throttled")


def test_lengths_of_time_have_defaults() -> None:
    faults = Faults({"listing_lag": 4.5}, seed=1)
    assert faults.seconds("listing_lag") == 4.5
    assert faults.seconds("slow_seconds") == 2.0


def test_the_faults_of_a_phase_come_on_top_for_their_time() -> None:
    faults = Faults({"throttled": 1, "slow_seconds": 5}, seed=1)
    faults.during({"throttled": 0, "error_before": 1, "slow_seconds": 7})
    assert [faults.happens(name) for name in ("throttled", "error_before")] == [False, True]
    assert faults.seconds("slow_seconds") == 7
    faults.during({})
    assert [faults.happens(name) for name in ("throttled", "error_before")] == [True, False]
    assert faults.seconds("slow_seconds") == 5


def test_what_goes_on_in_the_next_phase_is_counted_on() -> None:
    faults = Faults({"drop_after": "1x3"}, seed=1)
    assert faults.happens("drop_after")
    faults.during({"throttled": "1x2", "slow": 1})
    assert faults.happens("throttled")
    faults.during({"throttled": "1x2"})
    assert [faults.happens("throttled") for _ in range(2)] == [True, False]
    assert [faults.happens("drop_after") for _ in range(3)] == [True, True, False]
