"""Anything that hosts, people, a provider and its callbacks may do, in any order: nobody is lost, nobody twice.

A short form, always the same, runs with every run of the tests. `COURSES=2000` in the environment takes as many
courses, others every time.
"""

import os
import shutil
import tempfile
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clocked_plan import NUMBERS, PEOPLE, ClockedPlan, Fault
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from receiving_kit import Api, Clock, inbound, request, settings_of, sql

from connector.connector import Connector, Dispatch, OpenDispatch
from connector.engine import worker
from connector.extension.plugins import Plugins
from connector.model.errors import DispatchClosed, KeyConflict, NotFound
from connector.model.event import RANK, Event, EventKind, Status
from connector.model.outcome import Refused, Scope
from connector.report import Report

SECRETS = {"env:TOKEN": "token-of-tests"}
WINDOW_SECONDS, LEAD_SECONDS = 900, 300
BATCH = 3
OPEN_CAMPAIGN = {"name": "orders", "sender": "Shop", "message": {"text": "Hello ${name}"}}
STATUS_OF = {
    "Delivered": Status.delivered,
    "Failed": Status.failed,
    "Expired": Status.failed,
    "Rejected": Status.rejected,
    "Aborted": Status.rejected,
}

dispatches = st.integers(0, 5)
"""Which of the dispatches that there are; it goes round."""
turns = st.sampled_from([0, 0, 1, 2, 6])
"""How many slices of work follow, each at the time when something is due next."""


class Courses(RuleBasedStateMachine):
    """One course of events, and what must hold after each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.closing = ExitStack()
        self.closing.callback(shutil.rmtree, self.folder)

    @initialize(
        on_absent=st.sampled_from(["resend", "resend", "hold"]),
        schedules=st.sampled_from([True, True, False]),
        public=st.booleans(),
        proven=st.sampled_from([True, True, False]),
    )
    def begin(self, on_absent: str, schedules: bool, public: bool, proven: bool) -> None:
        self.clock = Clock()
        self.plan = ClockedPlan(self.clock, timedelta(seconds=WINDOW_SECONDS))
        api = Api(batch_recipients=BATCH)
        api.provider.limits = replace(api.provider.limits, schedules=schedules)
        api.send, api.find, api.poll, api.cancel = self.plan.send, self.plan.find, self.plan.poll, self.plan.cancel
        self.settings = settings_of(self.folder)
        self.settings["tracking"] = {
            "doubt_window_seconds": WINDOW_SECONDS,
            "resend_lead_seconds": LEAD_SECONDS,
            "on_absent": on_absent,
        }
        if not public:
            del self.settings["server"]
        self.api = api
        self.dispatches: list[Dispatch] = []
        self.added: dict[tuple[int, str], tuple[Any, Any]] = {}
        self.by_word: set[str] = set()
        self.log: list[Event] = []
        self.ids: set[str] = set()
        self.courses: dict[str, list[str]] = {}
        self.connector = self.closing.enter_context(self.connect())
        self.connector.prepare()
        if proven:
            # The look-up is seen to work on this account.
            self.send([NUMBERS[0]], "Shop", None, None, 3)

    def connect(self) -> Connector:
        return Connector(
            self.settings, plugins=Plugins([self.api], installed=False), secrets=SECRETS.__getitem__, clock=self.clock
        )

    def the(self, number: int) -> Dispatch:
        return self.dispatches[number % len(self.dispatches)]

    has_dispatches = precondition(lambda self: self.dispatches)
    has_copies = precondition(lambda self: self.plan.copies)

    # What hosts and people do

    @precondition(lambda self: len(self.dispatches) < 4)
    @rule(
        people=st.lists(st.sampled_from([*NUMBERS, "12"]), min_size=1, max_size=7),
        senders=st.sampled_from(["Shop", "Shop", "Shop Desk"]),
        ahead_minutes=st.sampled_from([None, None, None, 10, 120]),
        expires_minutes=st.sampled_from([None, None, None, 130, 200]),
        then=turns,
    )
    def send(
        self, people: list[str], senders: str, ahead_minutes: int | None, expires_minutes: int | None, then: int
    ) -> None:
        between = senders.split()
        rows = [{"to": f"+{each}", "sender": between[place % len(between)]} for place, each in enumerate(people)]
        campaign: dict[str, Any] = {"name": "spring", "message": {"text": "Hello"}, "sender": "Shop"}
        if ahead_minutes is not None:
            campaign["send_at"] = self.clock() + timedelta(minutes=ahead_minutes)
        if expires_minutes is not None:
            campaign["expire_at"] = self.clock() + timedelta(minutes=expires_minutes)
        self.dispatches.append(self.connector.send(campaign, rows, again=True, drain=False))
        self.go_on(then)

    @precondition(lambda self: len(self.dispatches) < 4)
    @rule(key=st.sampled_from(["orders", "others"]))
    def open(self, key: str) -> None:
        opened = self.connector.open(OPEN_CAMPAIGN, key=key)
        if all(known.number != opened.number for known in self.dispatches):
            self.dispatches.append(opened)

    @precondition(lambda self: any(isinstance(each, OpenDispatch) for each in self.dispatches))
    @rule(
        number=dispatches,
        messages=st.lists(
            st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(NUMBERS[:8]), st.sampled_from(["Ada", "Ada", "Bo"])),
            min_size=1,
            max_size=5,
        ),
        then=turns,
    )
    def add(self, number: int, messages: list[tuple[str, str, str]], then: int) -> None:
        opened = [each for each in self.dispatches if isinstance(each, OpenDispatch)]
        dispatch = opened[number % len(opened)]
        for key, person, name in messages:
            known = self.added.get((dispatch.number, key))
            body = (person, name)
            try:
                added = dispatch.add({"to": f"+{person}", "name": name}, key=key)
            except KeyConflict:
                assert known is not None and known[0] != body
            except DispatchClosed:
                assert known is None and not dispatch.is_open
            else:
                assert known is None or known == (body, added)
                self.added[dispatch.number, key] = body, added
        self.go_on(then)

    @has_dispatches
    @rule(number=dispatches, what=st.sampled_from(["pause", "resume", "resume", "cancel", "close"]), then=turns)
    def steer(self, number: int, what: str, then: int) -> None:
        dispatch = self.the(number)
        if what != "close":
            getattr(dispatch, what)()
        elif isinstance(dispatch, OpenDispatch):
            dispatch.close()
        self.go_on(then)

    @has_dispatches
    @rule(number=dispatches, verdict=st.sampled_from(["accepted", "resend", "give_up"]), then=turns)
    def retry(self, number: int, verdict: str, then: int) -> None:
        dispatch = self.the(number)
        doubtful = dispatch.in_doubt()
        try:
            dispatch.retry(verdict)
        except NotFound:
            assert not doubtful or (verdict == "resend" and dispatch.report().state == "cancelled")
        else:
            assert doubtful
            self.by_word.update(batch.key for batch in doubtful)
        self.go_on(then)

    @has_dispatches
    @rule(messages_per_second=st.sampled_from([None, 0.01, 1, 100]))
    def rate(self, messages_per_second: float | None) -> None:
        self.connector.set_rate(self.connector.accounts()[0].name, messages_per_second)

    @has_dispatches
    @rule()
    def restart(self) -> None:
        self.connector.close()

    # What time and the worker do

    @has_dispatches
    @rule(times=st.integers(1, 8))
    def go_on(self, times: int) -> None:
        """Some slices of work, each at the time when something is due next."""
        for _ in range(times):
            self.connector.work()
            if (due := self.next_due()) is not None:
                self.clock.now = max(self.clock.now, due + timedelta(milliseconds=1))

    @has_dispatches
    @rule(seconds=st.sampled_from([1, 10, 60, 400, 1000, 20_000, 300_000]), then=turns)
    def advance(self, seconds: int, then: int) -> None:
        self.clock.go(seconds=seconds)
        self.go_on(then)

    @has_dispatches
    @rule()
    def poll(self) -> None:
        self.connector.poll()

    # What the provider does

    @rule(
        faults=st.lists(
            st.tuples(st.integers(0, 2), st.lists(st.sampled_from(Fault), min_size=1, max_size=4)),
            min_size=1,
            max_size=3,
        ),
        then=turns,
    )
    def fail(self, faults: list[tuple[int, list[Fault]]], then: int) -> None:
        self.plan.faults = {place: deque(some) for place, some in faults}
        self.go_on(then)

    @precondition(lambda self: len(self.dispatches) < 4)
    @rule(
        people=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=2),
        fault=st.sampled_from([Fault.lost_after, Fault.killed_after, Fault.lost_before]),
        lag_seconds=st.sampled_from([60, 800, 1100]),
        then=st.integers(10, 20),
    )
    def lose(self, people: list[str], fault: Fault, lag_seconds: int, then: int) -> None:
        """An answer, as the list lags behind: it takes many slices until that is settled."""
        self.plan.mend()
        self.plan.faults = {0: deque([fault])}
        self.plan.listing_lag = timedelta(seconds=lag_seconds)
        self.send(people, "Shop", None, None, then)

    @rule(
        lag_seconds=st.sampled_from([0, 0, 60, 2000]),
        unreadable=st.booleans(),
        cancel_is_lost=st.booleans(),
        then=turns,
    )
    def look(self, lag_seconds: int, unreadable: bool, cancel_is_lost: bool, then: int) -> None:
        self.plan.listing_lag = timedelta(seconds=lag_seconds)
        self.plan.unreadable, self.plan.cancel_is_lost = unreadable, cancel_is_lost
        self.go_on(then)

    @rule(
        pointed_at=st.lists(st.sampled_from(NUMBERS), max_size=2),
        unsaid=st.lists(st.sampled_from(NUMBERS), max_size=4),
        everybody=st.sampled_from([None, None, Scope.campaign, Scope.account, Scope.unknown]),
        then=turns,
    )
    def refuse(self, pointed_at: list[str], unsaid: list[str], everybody: Scope | None, then: int) -> None:
        self.plan.pointed_at, self.plan.unsaid = set(pointed_at), set(unsaid)
        self.plan.refuses_all = None if everybody is None else Refused(everybody, 400, "constraint", "It is invalid.")
        if everybody is Scope.unknown:
            self.plan.ever_refused.update(NUMBERS)
        self.go_on(then)

    @has_copies
    @rule(which=st.lists(st.integers(0, 60), min_size=1, max_size=12), with_key=st.booleans(), then=turns)
    def callbacks(self, which: list[int], with_key: bool, then: int) -> None:
        """Some of those that there is reason for: in any order, any number of times, however late."""
        bodies = self.plan.callbacks()
        for place in which:
            body = dict(bodies[place % len(bodies)])
            key = body["client_reference"]
            if not with_key:
                del body["client_reference"]
            response = self.connector.receive(request(self.connector, body, key=key if with_key else None))
            assert response.status == 200
        self.go_on(then)

    @has_copies
    @rule(which=st.integers(0, 20), person=st.sampled_from(NUMBERS), identity=st.sampled_from(["01A", "01B"]))
    def reply(self, which: int, person: str, identity: str) -> None:
        """To something that has left."""
        copy = self.plan.copies[which % len(self.plan.copies)]
        if copy.has_left(self.clock()) and person in copy.people:
            body = inbound(person, identity + person, client_reference=copy.key)
            assert self.connector.receive(request(self.connector, body)).status == 200

    # What always holds

    @invariant()
    def everything_holds(self) -> None:
        if self.dispatches:
            for dispatch in self.dispatches:
                closes(dispatch.report())
            self.agrees()
            self.told()
            self.nobody_twice()

    def agrees(self) -> None:
        """Messages, events and totals; a second copy is named where there may be one, and nowhere else."""
        several = {key for key, times in self.plan.standing_keys().items() if times > 1} | self.by_word
        dispatches = {key.partition("-")[0] for key in several}
        for dispatch, found in self.connector.verify().items():
            of_copies = [each for each in found if "double_send" in each or "accepted" in each]
            assert found == (of_copies if dispatch in dispatches else []), found

    def told(self) -> None:
        """Events are told once, under ids of their own, and a message only rises."""
        after = self.log[-1].position if self.log else -1
        for event in self.connector.events(after=after, limit=100_000):
            self.log.append(event)
            assert event.id not in self.ids
            self.ids.add(event.id)
            if event.kind is not EventKind.message:
                continue
            assert event.message_id is not None
            course = self.courses.setdefault(event.message_id, [])
            if not course:
                assert event.status in ("skipped", "enqueue_failed", "unknown", "enqueued"), event.status
            elif course[-1] == "unknown":
                assert event.status == "enqueued", (course, event.status)
            else:
                assert course[-1] in RANK and RANK[event.status] > RANK[Status(course[-1])], (course, event.status)
            course.append(event.status)

    def nobody_twice(self) -> None:
        """But for a list that hid a copy for longer than the doubt window, and for a person's word."""
        for name, keys in self.plan.left_by_message().items():
            assert len(keys) == 1 or any(key in self.plan.hidden or key in self.by_word for key in keys), name

    def next_due(self) -> datetime | None:
        with sql(self.connector) as connection:
            (at,) = connection.execute(
                "SELECT min(at) FROM ("
                " SELECT due_at AS at FROM batches WHERE task NOT IN ('send', 'trial', 'country')"
                " UNION ALL SELECT max(due_at, free_at, coalesce(probe_at, 0))"
                "   FROM batches JOIN accounts ON name = batches.account JOIN dispatches d ON d.number = dispatch"
                "   WHERE task = 'send' AND d.state = 'running'"
                " UNION ALL SELECT probe_at FROM accounts"
                # Who was refused alone in an open dispatch waits a day for others to be added.
                " UNION ALL SELECT due_at + 86400000000 FROM batches JOIN trials USING (dispatch, shape)"
                "   JOIN dispatches d ON d.number = dispatch WHERE task = 'trial' AND probe IS NULL AND d.open)"
            ).fetchone()
        return None if at is None else datetime.fromtimestamp(at / 1_000_000, UTC)

    # How it ends

    def teardown(self) -> None:
        try:
            if getattr(self, "dispatches", None):
                self.bring_to_the_end()
        finally:
            self.closing.close()

    def bring_to_the_end(self) -> None:
        self.plan.mend()
        self.connector.set_rate(self.connector.accounts()[0].name, None)
        for turn in range(200):
            for dispatch in self.dispatches:
                if dispatch.report().cause and dispatch.report().state != "cancelled":
                    dispatch.resume()
            self.connector.work()
            reports = [dispatch.report() for dispatch in self.dispatches]
            if all(report.is_final for report in reports):
                break
            if all(report.is_settled for report in reports):
                self.clock.go(days=5)
            elif (due := self.next_due()) is not None and turn % 50 < 49:
                # What is asked for again and again must not keep the rest from its turn.
                self.clock.now = max(self.clock.now + timedelta(seconds=turn**2), due + timedelta(milliseconds=1))
            else:
                self.settle_by_word()
        for dispatch in self.dispatches:
            report = dispatch.report()
            assert report.is_final, report
        self.everything_holds()
        self.truth()

    def settle_by_word(self) -> None:
        """Of what no look-up can tell: it is held, older than the list, or no look-up has been seen to work."""
        proven = self.connector.accounts()[0].look_up_proven_at is not None
        for dispatch in self.dispatches:
            for batch in dispatch.in_doubt():
                old = self.clock() - batch.since > timedelta(days=14)
                assert batch.held or old or not proven, batch
                arrived = self.plan.standing_keys()[batch.key]
                # The list may have hidden it for longer than the doubt window: then it is held, too.
                assert not arrived or old or batch.held, batch
                if arrived or dispatch.report().state == "cancelled":
                    self.by_word.add(batch.key)
                    dispatch.retry("accepted" if arrived else "give_up", batch_key=batch.key)
                else:
                    dispatch.retry("resend", batch_key=batch.key)

    def truth(self) -> None:
        """Everybody's state is what the provider's own account tells."""
        copies: dict[str, list[Any]] = {}
        for copy in self.plan.copies:
            for person, name in copy.people.items():
                copies.setdefault(name, []).append((copy, person))
        known = {h.message_id: h for n in NUMBERS for h in self.connector.messages_of(f"+{n}").messages}
        again = self.connector.events(limit=100_000)
        assert again == self.log
        for name, history in known.items():
            of = copies.get(name, [])
            left = [(copy, person) for copy, person in of if copy.has_left(self.clock())]
            worded = any(copy.key in self.by_word for copy, _ in of) or history.batch in self.by_word
            assert [event.status for event in history.events if event.kind is EventKind.message] == self.courses[name]
            if left:
                person = left[0][1]
                story = [STATUS_OF.get(status) for status, _ in PEOPLE[person]]
                # Whose message failed is not asked about again: a better word may come or not.
                allowed = {status for status in story if status}
                if not allowed:
                    allowed = {Status.unconfirmed}
                if worded:
                    allowed |= {Status.unknown}
                if any(copy.key in self.plan.unread for copy, _ in left):
                    allowed |= {Status.unconfirmed}
                assert history.state in allowed, (history, of)
            elif of:
                assert history.state in {"rejected", "unconfirmed", "unknown", "skipped"}, (history, of)
            else:
                assert history.state in {"skipped", "enqueue_failed"} or worded, (history, of)


def closes(report: Report) -> None:
    """Whether the sums of a report close."""
    before = report.skipped.total + report.waiting + report.sending + report.in_doubt
    assert report.recipients == before + report.enqueue_failed + report.unknown + report.enqueued, report
    ended = report.unconfirmed + report.rejected + report.failed + report.delivered
    assert report.enqueued == report.open + ended, report


def test_whatever_happens_nobody_is_lost_and_nobody_is_messaged_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.01)
    courses = int(os.environ.get("COURSES", "0"))
    run_state_machine_as_test(
        Courses,
        settings=settings(
            max_examples=courses or 10,
            stateful_step_count=40 if courses else 12,
            derandomize=not courses,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
