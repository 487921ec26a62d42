"""Asking in turns: how often an account is asked, when it is left alone, and that nobody who leaves waits for it."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from receiving_kit import ADA, BO, NOW, Api, Clock, batch_report, connect, id_of, receipt, send_to, told

from connector.connector import Connector
from connector.model.batch import Batch
from connector.model.errors import NotReached, ReadFailed
from connector.model.outcome import Accepted, Outcome
from connector.tracking.asking import (
    FAILURES_BEFORE_REST,
    FIRST_REST_SECONDS,
    LONGEST_REST_SECONDS,
    PROOF_EVERY_SECONDS,
    REQUESTS_AT_ONCE,
    REQUESTS_PER_SECOND,
    Turns,
)


class Leaving(threading.Event):
    """Notes how long is waited, and doesn't."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        return self.is_set()


class Monotonic:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_requests_go_at_once_and_then_so_many_a_second() -> None:
    leaving, monotonic = Leaving(), Monotonic()
    turns = Turns(leaving, monotonic)
    for _ in range(REQUESTS_AT_ONCE + 50):
        assert turns.wait()
    assert max(leaving.waited[:REQUESTS_AT_ONCE]) == 0
    assert leaving.waited[-1] == pytest.approx(50 / REQUESTS_PER_SECOND)
    # The time that nothing was asked in counts, but not for more than the first ones.
    monotonic.now += 3600
    leaving.waited.clear()
    for _ in range(REQUESTS_AT_ONCE + 25):
        assert turns.wait()
    assert leaving.waited[-1] == pytest.approx(25 / REQUESTS_PER_SECOND)


def test_whether_looking_up_works_is_not_tried_anew_for_every_batch() -> None:
    monotonic = Monotonic()
    turns = Turns(Leaving(), monotonic)
    assert turns.proves()
    assert not turns.proves()
    monotonic.now += PROOF_EVERY_SECONDS
    assert turns.proves()


def test_who_leaves_has_no_turn() -> None:
    leaving = Leaving()
    turns = Turns(leaving, Monotonic())
    leaving.set()
    assert not turns.wait()


def test_an_account_rests_after_failures_in_a_row() -> None:
    monotonic = Monotonic()
    turns = Turns(Leaving(), monotonic)
    for _ in range(FAILURES_BEFORE_REST - 1):
        turns.failed()
    turns.answered()
    for _ in range(FAILURES_BEFORE_REST - 1):
        turns.failed()
    assert not turns.rests()
    turns.failed()
    assert turns.rests()
    monotonic.now += FIRST_REST_SECONDS
    assert not turns.rests()
    for _ in range(20):
        turns.failed()
    monotonic.now += LONGEST_REST_SECONDS - 1
    assert turns.rests()
    turns.answered()
    assert not turns.rests()


def fails(batch: Batch) -> list[dict[str, Any]]:
    raise ReadFailed("The list is out of order.")


def many(connector: Connector, count: int) -> None:
    """Batches of one, each with a sender of its own."""
    rows = [{"to": f"+1201555{number:04}", "sender": f"Shop {number}"} for number in range(100, 100 + count)]
    send_to(connector, *rows)


def test_a_provider_that_fails_is_not_asked_about_every_batch(connector: Connector, api: Api, clock: Clock) -> None:
    many(connector, 40)
    api.poll = fails
    clock.go(hours=1)
    connector.work()
    # Those that were under way together fail together.
    assert FAILURES_BEFORE_REST <= api.polled <= FAILURES_BEFORE_REST + 3
    api.poll = lambda batch: [batch_report(batch, {batch.recipients[0]: ("Delivered", 0)})]
    clock.go(hours=1)
    connector.work()
    assert sum(event.status == "delivered" for event in told(connector)) == 40


def test_who_asks_now_is_told_what_was_not_asked(connector: Connector, api: Api) -> None:
    many(connector, 40)
    api.poll = fails
    told_of = connector.poll()
    failed, left = told_of.trouble
    assert failed.startswith("scripted-sms:plan-a: Reports can't be asked for. The list is out of order. (")
    assert left.startswith("scripted-sms:plan-a: It failed so often in a row that nothing more was asked. (")
    assert api.polled <= FAILURES_BEFORE_REST + 3


def test_one_batch_without_a_report_does_not_keep_the_others_from_theirs(connector: Connector, api: Api) -> None:
    """It was listed before its own report failed: the account answers."""

    def poll(batch: Batch) -> Iterator[dict[str, Any]]:
        yield {"delivery_reports": []}
        raise ReadFailed("There is no report of the batch yet.")

    many(connector, 20)
    api.poll = poll
    assert connector.poll().trouble == [
        "scripted-sms:plan-a: Reports can't be asked for. There is no report of the batch yet. (20 times)"
    ]
    assert api.polled == 20


def test_who_leaves_does_not_wait_for_the_last_page(connector: Connector, api: Api, clock: Clock) -> None:
    """What was read counts; the batch is due as before."""
    dispatch = send_to(connector, ADA, BO)
    pages, enough, stop = 0, threading.Event(), threading.Event()

    def endless(batch: Batch) -> Iterator[dict[str, Any]]:
        nonlocal pages
        while True:
            pages += 1
            if pages > 3:
                enough.set()
            yield {"delivery_reports": [receipt(ADA, client_reference=batch.key, batch_id=id_of(batch))]}

    api.poll = endless
    clock.go(hours=1)
    thread = threading.Thread(target=lambda: connector.worker().run(stop=stop))
    thread.start()
    assert enough.wait(120)
    stop.set()
    thread.join(120)
    assert not thread.is_alive()
    assert dispatch.report().delivered == 1
    api.poll = lambda batch: [batch_report(batch, {BO: ("Delivered", 0)})]
    connector.work()
    assert dispatch.report().delivered == 2


def test_who_sends_does_not_wait_for_reports(connector: Connector, api: Api, clock: Clock) -> None:
    """Not even for those that are asked for while the last batch is on its way."""
    first = send_to(connector, ADA)
    pages, enough = 0, threading.Event()

    def endless(batch: Batch) -> Iterator[dict[str, Any]]:
        nonlocal pages
        while True:
            pages += 1
            if pages > 3:
                enough.set()
            yield {"delivery_reports": []}

    def slow(batch: Batch) -> Outcome:
        assert enough.wait(120)
        return Accepted(id_of(batch))

    api.poll, api.send = endless, slow
    clock.go(hours=1)
    campaign = {"name": "summer", "message": {"text": "Hello"}, "sender": "Shop"}
    assert connector.send(campaign, [{"to": f"+{BO}"}]).report().enqueued == 1
    assert first.report().open == 1


def test_an_answer_from_before_the_end_closes_nothing(connector: Connector, api: Api, clock: Clock) -> None:
    """What came between the asking and the end of the waiting period isn't in it."""
    dispatch = send_to(connector, ADA)
    clock.now = NOW + timedelta(days=4, seconds=-1)

    def slow(batch: Batch) -> Iterator[dict[str, Any]]:
        yield batch_report(batch, {})
        clock.go(seconds=5)

    api.poll = slow
    connector.work()
    assert dispatch.report().unconfirmed == 0
    clock.go(seconds=2)
    api.poll = lambda batch: [batch_report(batch, {})]
    connector.work()
    assert dispatch.report().unconfirmed == 1


def test_reports_of_an_account_out_of_reach_wait(connector: Connector, api: Api, clock: Clock) -> None:
    """Neither is it asked, nor does it keep a call that works from coming back."""
    send_to(connector, ADA)
    accepts, polls = api.send, api.polled

    def refuse(batch: Batch) -> Any:
        raise NotReached("Nobody answers.")

    api.send = refuse
    send_to(connector, BO, name="summer")
    while connector.accounts()[0].probe_at is None:
        clock.go(seconds=5)
        connector.work()
    api.polled = polls
    with_probe = connector.accounts()[0].probe_at
    assert with_probe is not None
    (sentence,) = connector.poll().trouble
    assert sentence.startswith("scripted-sms:plan-a: Nobody answers. It is tried again at ")
    assert api.polled == polls
    api.send = accepts
    clock.now = with_probe
    connector.work()
    assert connector.accounts()[0].probe_at is None


def test_what_isnt_configured_any_more_is_named(tmp_path: Path, connector: Connector, api: Api, clock: Clock) -> None:
    send_to(connector, ADA)
    with connect(tmp_path, api, clock, service_plan_id="plan-b") as other:
        assert other.poll().trouble == [
            "scripted-sms:plan-a: The integration sms isn't configured for this account (any more)."
        ]
        clock.go(minutes=30)
        polls = api.polled
        other.work()
        assert api.polled == polls
    clock.go(hours=2)
    connector.work()
    assert api.polled == polls + 1


def test_a_provider_that_declines_polls_says_so(
    connector: Connector, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.provider, "declines", {"poll": "reports are pushed"})
    send_to(connector, ADA)
    assert connector.poll().trouble == ["scripted-sms:plan-a: Reports can't be asked for: reports are pushed."]
