"""The fault kit on the Conversation plugin; `python -m connector.testing sweep sinch-conversation` takes all of it."""

import pytest
from connector_sinch.conversation.simulator import SIMULATOR

from connector.testing.course import Fate
from connector.testing.moments import AFTER_COMMIT, BEFORE_COMMIT
from connector.testing.pairs import Case, run
from connector.testing.sweep import sweep

FATES = [
    Fate(BEFORE_COMMIT, 20),
    Fate(AFTER_COMMIT, 16),
    Fate("POST: written", 4),
    Fate("GET: answered, nothing recorded", 2),
    Fate("DELETE: written", 1),
    Fate("callback: stored, not answered", 3),
]


def test_whenever_a_process_is_killed_nobody_is_lost_and_nobody_is_messaged_twice() -> None:
    results = list(sweep(SIMULATOR, FATES, lanes=6))
    assert [(result.fate, result.wrong) for result in results if result.wrong] == []
    assert [result.fate for result in results if not result.reached] == []


@pytest.mark.parametrize(
    "faults", [("error_after", "throttled"), ("drop_after", "callback_lost"), ("slow", "listing_lag")]
)
def test_under_two_faults_nobody_is_lost_and_nobody_is_messaged_twice(faults: tuple[str, str]) -> None:
    result = run(SIMULATOR, {"callbacks_per_second": 1000}, Case(faults))
    assert result.wrong == []
    assert (result.twice, result.held) == (0, 0)
