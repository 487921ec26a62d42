"""Any course of sending, losing, looking up, pausing and giving up: sums close, and nobody is messaged twice unseen."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from post_office import FATES, PostOffice, plugins, report
from sending_kit import Clock, closes, people

from connector import Connector
from connector.connector import Dispatch
from connector.model.callback import Request

WINDOW, LEAD = 60, 30
PROMPT = (0.0, 50.0)
"""Lags of the list, in seconds, that lie within the doubt window."""
LATE = (100.0, 200.0, 100_000.0)
PEOPLE = people(40)

DOUBTFUL = ("answer lost", "never arrived", "died after")

attempts = st.lists(
    st.tuples(
        st.sampled_from(DOUBTFUL) | st.sampled_from(FATES), st.sampled_from(PROMPT) | st.sampled_from(PROMPT + LATE)
    ),
    max_size=3,
)


class Sending(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
        self.clock = Clock(lambda: self.now)
        self.office = PostOffice(self.clock)
        self.connector = Connector(
            {
                "integrations": {"post": {"provider": "letters"}},
                "storage": {"url": f"sqlite:///{Path(self.folder.name) / 'ledger.db'}"},
                "tracking": {"doubt_window_seconds": WINDOW, "resend_lead_seconds": LEAD},
                "server": {"public_url": "https://hooks.example.com"},
            },
            plugins=plugins(self.office),
            clock=self.clock,
        )
        self.dispatches: list[Dispatch] = []
        self.late: set[tuple[str, int]] = set()
        """Sender and place of the batches that may show in the list too late."""
        self.words: set[str] = set()
        """Keys of batches that a person said something about."""

    @initialize(proven=st.sampled_from([True, True, False]))
    def first_batch(self, proven: bool) -> None:
        """Most accounts have a batch by which look-up was proved."""
        if proven:
            self.send(2, [])
            self.work_through(2)

    @rule(count=st.integers(1, 8), fates=st.lists(attempts, max_size=3))
    def send(self, count: int, fates: list[list[tuple[str, float]]]) -> None:
        sender = f"Shop {len(self.dispatches)}"
        for place, planned in enumerate(fates):
            self.office.fates[sender, place] = list(planned)
            if any(lag in LATE for _, lag in planned):
                self.late.add((sender, place))
        campaign = {"name": "letters", "sender": sender, "message": {"text": "Dear ${name}"}}
        self.dispatches.append(self.connector.send(campaign, PEOPLE[:count], drain=False))

    @rule(fate=st.sampled_from(DOUBTFUL), lag=st.sampled_from(PROMPT))
    def lose_one(self, fate: str, lag: float) -> None:
        self.send(1, [[(fate, lag)]])
        self.work_through(10)

    @rule()
    def work(self) -> None:
        self.connector.work()

    @rule(seconds=st.sampled_from([1, 10, 40, 120, 1000]))
    def pass_time(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(steps=st.integers(1, 12))
    def work_through(self, steps: int) -> None:
        for _ in range(steps):
            self.connector.work()
            self.clock.advance(15)

    @rule(fails=st.booleans())
    def close_the_list(self, fails: bool) -> None:
        self.office.list_fails = fails

    @precondition(lambda self: self.office.copies)
    @rule(place=st.integers(0, 50))
    def call_back(self, place: int) -> None:
        copy = self.office.copies[place % len(self.office.copies)]
        if copy.cancelled or copy.fires_at <= self.clock():
            path = urlsplit(self.connector.callback_addresses()["post"]).path
            body = report(copy, copy.numbers[place % len(copy.numbers)])
            assert self.connector.receive(Request("POST", path, {}, body)).status == 200

    @precondition(lambda self: self.dispatches)
    @rule(place=st.integers(0, 10), running=st.booleans())
    def pause_or_resume(self, place: int, running: bool) -> None:
        dispatch = self.dispatches[place % len(self.dispatches)]
        dispatch.resume() if running else dispatch.pause()

    @precondition(lambda self: self.dispatches)
    @rule(place=st.integers(0, 10), verdict=st.sampled_from(["resend", "accepted", "give_up"]))
    def say(self, place: int, verdict: str) -> None:
        dispatch = self.dispatches[place % len(self.dispatches)]
        for batch in dispatch.in_doubt()[:1]:
            dispatch.retry(verdict, batch_key=batch.key)
            self.words.add(batch.key)

    # What always holds

    @invariant()
    def sums_close(self) -> None:
        for dispatch in self.dispatches:
            assert closes(dispatch.report())

    @invariant()
    def counts_agree(self) -> None:
        for found in self.connector.verify().values():
            assert [line for line in found if "accepted twice" not in line and "two accepted copies" not in line] == []

    @invariant()
    def nobody_is_messaged_twice_while_the_list_is_prompt(self) -> None:
        for key in {copy.key for copy in self.office.copies} - self.words:
            if self.sender_and_place(key) not in self.late:
                fired = [copy for copy in self.office.standing(key) if copy.fires_at <= self.clock()]
                assert len(fired) <= 1, key

    def sender_and_place(self, key: str) -> tuple[str, int]:
        dispatch_id, place, _ = key.split("-")
        (number,) = [number for number, dispatch in enumerate(self.dispatches) if dispatch.id == dispatch_id]
        return f"Shop {number}", int(place.removeprefix("b"))

    # What holds in the end

    def teardown(self) -> None:
        try:
            self.end()
        finally:
            self.connector.close()
            self.folder.cleanup()

    def end(self) -> None:
        """The provider is well, everything shows, and dispatches are resumed: all comes to an end."""
        if not self.dispatches:
            return
        self.office.list_fails = False
        self.office.fates.clear()
        for copy in self.office.copies:
            copy.shows_at = min(copy.shows_at, self.clock())
        self.send(1, [])
        for _ in range(60):
            for dispatch in self.dispatches:
                dispatch.resume()
            self.connector.work()
            if all(dispatch.report().is_settled for dispatch in self.dispatches):
                break
            self.clock.advance(20)
        else:
            raise AssertionError([dispatch.in_doubt() for dispatch in self.dispatches])
        # The last reports, and the copies that were to fire.
        for _ in range(10):
            self.clock.advance(22_000)
            self.connector.work()
        self.sums_close()
        self.counts_agree()
        self.nobody_is_messaged_twice_while_the_list_is_prompt()
        verified = self.connector.verify()
        for dispatch in self.dispatches:
            told = dispatch.report()
            keys = {copy.key for copy in self.office.copies if copy.key.startswith(f"{dispatch.id}-")}
            twice = [key for key in keys if len(self.office.standing(key)) > 1]
            assert bool(twice) == bool(told.double_send) == bool(verified[dispatch.id]), (twice, told, verified)
            taken = {number for key in keys for copy in self.office.standing(key) for number in copy.numbers}
            refused = {entry.split(":")[1] for entry in self.office.refused if entry.startswith(f"{dispatch.id}:")}
            assert told.enqueue_failed == len(refused)
            assert not taken & refused
            if not any(key.startswith(f"{dispatch.id}-") for key in self.words):
                assert told.enqueued == told.delivered == len(taken) == told.recipients - len(refused)
                assert told.unknown == 0


TestSending = Sending.TestCase
TestSending.settings = settings(
    max_examples=10,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    database=None,
    # Shrinking takes minutes: each step is real work on a real ledger.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
