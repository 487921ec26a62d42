"""Faults of the provider by twos, each of them once; all pairs: `python -m connector.testing pairs sinch-sms`."""

import subprocess
import sys
from itertools import chain

import pytest

from connector.simulator import find
from connector.testing.pairs import FAULTS, Case, run

PAIRS = [
    ("unauthorized", "drop_before"),
    ("token_expired", "overloaded"),
    ("throttled", "error_after"),
    ("error_before", "listing_error"),
    ("drop_after", "listing_truncated"),
    ("slow", "callback_lost"),
    ("callback_doubled", "callback_shuffled"),
    ("listing_lag", "drop_before"),
]
PROJECT = {"authentication": "project"}
"""Access tokens have faults of their own."""


@pytest.mark.parametrize("faults", PAIRS, ids=" and ".join)
def test_under_two_faults_nobody_is_lost_and_nobody_is_messaged_twice(faults: tuple[str, str]) -> None:
    result = run(find("sinch-sms"), PROJECT, Case(faults))
    assert result.wrong == []
    assert (result.twice, result.held) == (0, 0)


def test_no_fault_of_the_simulator_is_left_out() -> None:
    assert set(chain.from_iterable(PAIRS)) == set(FAULTS)


@pytest.mark.parametrize("on_absent", ["resend", "hold"])
def test_where_the_list_lags_for_too_long_whoever_is_messaged_twice_is_told_of(on_absent: str) -> None:
    result = run(find("sinch-sms"), {}, Case(("drop_after",), late=True, on_absent=on_absent))
    assert result.wrong == []
    assert (result.twice, result.held) == ((2, 0) if on_absent == "resend" else (0, 2))


def test_that_is_told_also_where_lost_callbacks_can_not_be_asked_for() -> None:
    result = run(find("sinch-conversation"), {}, Case(("drop_after",), late=True))
    assert result.wrong == []
    assert result.twice == 2


@pytest.mark.parametrize("command", ["sweep", "pairs"])
def test_a_platform_that_sends_nothing_is_refused(command: str) -> None:
    kit = [sys.executable, "-m", "connector.testing", command, "segment"]
    ended = subprocess.run(kit, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "sends nothing" in ended.stderr and "Traceback" not in ended.stderr
