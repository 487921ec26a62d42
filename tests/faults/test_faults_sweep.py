"""The sweep in its short form: a few of the moments at which a process may be killed or frozen, of every kind.

All of them: `python -m connector.testing sweep sinch-sms`, also with `--open` and `--freeze`.
"""

import signal
from collections import Counter

from connector.simulator import find
from connector.testing.course import Fate
from connector.testing.moments import AFTER_COMMIT, BEFORE_COMMIT
from connector.testing.sweep import spread, sweep

FATES = [
    *(Fate(BEFORE_COMMIT, times) for times in (3, 10, 18, 27, 40)),
    *(Fate(AFTER_COMMIT, times) for times in (6, 16, 24, 33)),
    Fate("POST: connected, deadline not checked", 2),
    Fate("POST: half written", 3),
    Fate("POST: written", 4),
    # Something was accepted by then: what is lost of an account of which nothing was waits for a person.
    Fate("POST: answered, nothing recorded", 4),
    Fate("GET: answered, nothing recorded", 2),
    Fate("DELETE: written", 1),
    Fate("callback: taken", 2),
    Fate("callback: stored, not answered", 3),
    Fate("callback: answered", 5),
]

WHILE_ADDING = [
    *(Fate(BEFORE_COMMIT, times) for times in (4, 9)),
    *(Fate(AFTER_COMMIT, times) for times in (7, 12)),
    Fate("POST: written", 3),
    Fate("callback: stored, not answered", 4),
]
FROZEN = [
    Fate(BEFORE_COMMIT, 20, signal.SIGSTOP),
    Fate("POST: written", 2, signal.SIGSTOP),
    Fate("callback: taken", 3, signal.SIGSTOP),
]


def test_whenever_a_process_is_killed_nobody_is_lost_and_nobody_is_messaged_twice() -> None:
    results = list(sweep(find("sinch-sms"), FATES, lanes=6))
    assert [(result.fate, result.wrong) for result in results if result.wrong] == []
    assert [result.fate for result in results if not result.reached] == []


def test_whenever_a_process_is_killed_that_adds_to_an_open_dispatch_each_key_is_sent_once() -> None:
    results = list(sweep(find("sinch-sms"), WHILE_ADDING, lanes=6, opens=True))
    assert [(result.fate, result.wrong) for result in results if result.wrong] == []
    assert [result.fate for result in results if not result.reached] == []


def test_a_process_that_is_frozen_past_its_deadlines_goes_on_and_nobody_is_lost_or_messaged_twice() -> None:
    results = list(sweep(find("sinch-sms"), FROZEN, lanes=3))
    assert [(result.fate, result.wrong) for result in results if result.wrong] == []
    assert [result.fate for result in results if not result.reached] == []


def test_moments_are_chosen_from_every_kind_and_all_along() -> None:
    moments = Counter({"a": 100, "b": 5, "c": 1})
    assert len(spread(moments, None)) == 106
    chosen = spread(moments, 7)
    assert Counter(fate.moment for fate in chosen) == {"a": 3, "b": 3, "c": 1}
    assert [fate.times for fate in chosen if fate.moment == "a"] == [17, 51, 84]
    assert len(set(spread(moments, 60))) == 60
