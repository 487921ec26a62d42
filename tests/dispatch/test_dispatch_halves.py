"""Refusals that don't say whom they concern: found out by halves, for the recipient or for the campaign."""

from collections.abc import Callable, Collection
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sending_kit import CAMPAIGN, Host, Plan, Posted, agrees, closes, hosting, people, refusal, warm_up

from connector.http import Answer
from connector.model.event import StatusCodeSource

SOMETHING = refusal(400, "syntax_constraint_violation", "Something is wrong.")


def digits(rows: Collection[dict[str, str]]) -> list[str]:
    return [row["to"].removeprefix("+") for row in rows]


def refuses(*numbers: str, answer: Answer = SOMETHING) -> Callable[[Posted], Answer | None]:
    """A provider that refuses every request with one of these numbers, and doesn't say why."""
    return lambda posted: answer if set(numbers) & set(posted.content["to"]) else None


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


def test_one_bad_number_in_a_thousand_fails_alone(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    rows = people(1000)
    bad = digits(rows)[707]
    plan.answers.extend([refuses(bad)] * 100)
    dispatch = connector.send(CAMPAIGN, rows)
    report = dispatch.report()
    assert (report.enqueued, report.enqueue_failed, report.state) == (999, 1, "finished")
    assert len(plan.posted) <= 25
    assert closes(report) and agrees(connector)
    (failed,) = (event for event in dispatch.all_events() if event.status == "enqueue_failed")
    assert (failed.customer_id, failed.status_code, failed.status_code_source, failed.error, failed.comment) == (
        "c-707",
        400,
        StatusCodeSource.http,
        "syntax_constraint_violation",
        "Something is wrong.",
    )
    account = plan.account()
    assert (account["numbers"], account["accepted_once"]) == (999, 999)


def test_one_bad_number_in_each_of_many_batches(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    rows = people(12_000)
    bad = digits(rows)[37::1000]
    plan.answers.extend([refuses(*bad)] * 2000)
    report = connector.send(CAMPAIGN, rows).report()
    assert (report.enqueued, report.enqueue_failed) == (11_988, 12)
    requests = host.rows(
        "SELECT count(*) AS n FROM attempts JOIN batches ON batches.number = batch GROUP BY batches.ordinal"
    )
    # Itself, and two halves ten times over: what was refused beside another's trial isn't sent once more as it was.
    assert [row["n"] <= 21 for row in requests] == [True] * 12
    assert closes(report) and agrees(connector)


def test_two_bad_numbers_in_one_batch_are_not_the_campaign(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    rows = people(1000)
    plan.answers.extend([refuses(digits(rows)[1], digits(rows)[998])] * 200)
    report = connector.send(CAMPAIGN, rows).report()
    assert (report.enqueued, report.enqueue_failed, report.state) == (998, 2, "finished")
    assert closes(report) and agrees(connector)


def test_a_bad_sender_stops_the_dispatch_with_nobody_failed(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    rows = people(20_000)
    plan.answers.extend([SOMETHING] * 1000)
    dispatch = connector.send(CAMPAIGN, rows)
    report = dispatch.report()
    assert (report.state, report.waiting, report.enqueue_failed, report.enqueued) == ("stopped", 20_000, 0, 0)
    assert "syntax_constraint_violation" in (report.cause or "")
    assert len(plan.posted) <= 60
    assert list(dispatch.all_events()) == []
    assert closes(report) and agrees(connector)

    plan.answers.clear()
    dispatch.resume()
    dispatch.drain()
    report = dispatch.report()
    assert (report.state, report.enqueued) == ("finished", 20_000)
    assert plan.account()["accepted_once"] == 20_000
    assert closes(report) and agrees(connector)


def test_a_sender_that_turns_bad_half_way_stops_it_too(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    taken = 0

    def some(posted: Posted) -> Answer | None:
        nonlocal taken
        taken += 1
        return None if taken <= 20 else SOMETHING

    plan.answers.extend([some] * 1000)
    report = connector.send(CAMPAIGN, people(40_000)).report()
    assert (report.state, report.enqueue_failed, report.enqueued) == ("stopped", 0, 20_000)
    assert len(plan.posted) <= 20 + 60
    assert closes(report) and agrees(connector)


@pytest.mark.parametrize("count", [1, 2])
def test_few_who_are_refused_alone_have_failed(host: Host, plan: Plan, count: int) -> None:
    connector = host.connector(plan)
    plan.answers.extend([SOMETHING] * 20)
    report = connector.send(CAMPAIGN, people(count)).report()
    assert (report.enqueue_failed, report.state) == (count, "finished")
    assert closes(report) and agrees(connector)


def test_one_sender_that_is_refused_does_not_hold_up_another(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    rows = [{**row, "sender": ("Bakery", "Cafe")[place % 2]} for place, row in enumerate(people(40))]
    bad = digits(rows)[8]
    plan.answers.extend([refuses(bad)] * 200)
    report = connector.send(CAMPAIGN, rows).report()
    assert (report.enqueued, report.enqueue_failed) == (39, 1)
    assert closes(report) and agrees(connector)


def test_a_trial_survives_the_process(host: Host, plan: Plan) -> None:
    """What is found out is durable: another connector goes on with it, at any point."""
    rows = people(64)
    bad = digits(rows)[21]
    plan.answers.extend([refuses(bad)] * 400)
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, rows, drain=False)
    while dispatch.progress()[1].get("waiting"):
        with host.connector(plan) as another:
            before = len(plan.posted)
            another.worker().run(until=lambda before=before: len(plan.posted) > before)
    report = dispatch.report()
    assert (report.enqueued, report.enqueue_failed) == (63, 1)
    assert closes(report) and agrees(connector)


def lose_the_first_half(plan: Plan) -> None:
    """After a first dispatch, and the refusal of the whole batch of this one."""

    def lose(posted: Posted) -> None:
        if len(plan.posted) == 3:
            plan.faults(drop_before="1x1")

    plan.when_posted = lose


def test_a_half_that_waits_for_a_persons_word_does_not_hold_up_the_others(host: Host, plan: Plan) -> None:
    connector = host.connector(plan, tracking={"doubt_window_seconds": 0, "on_absent": "hold"})
    warm_up(host, connector)

    plan.answers.append(SOMETHING)
    lose_the_first_half(plan)
    dispatch = connector.send(CAMPAIGN, people(4), drain=False)
    report = host.settle(dispatch, when=lambda report: report.enqueued == 2)
    assert (report.in_doubt, report.waiting) == (2, 0)
    assert dispatch.retry("resend") == 1
    assert host.settle(dispatch).enqueued == 4
    assert closes(dispatch.report()) and agrees(connector)


def test_a_half_that_expired_in_doubt_does_not_hold_up_the_others(host: Host, plan: Plan) -> None:
    connector = host.connector(plan, tracking={"doubt_window_seconds": 0, "resend_lead_seconds": 600})
    warm_up(host, connector)

    plan.answers.append(SOMETHING)
    lose_the_first_half(plan)
    campaign = {**CAMPAIGN, "expire_at": host.clock() + timedelta(minutes=9)}
    dispatch = connector.send(campaign, people(4), drain=False)
    report = host.settle(dispatch, when=lambda report: report.waiting == 0 and not report.sending)
    assert (report.in_doubt, report.enqueued) == (2, 2)
    assert closes(report) and agrees(connector)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 40),
    bad=st.sets(st.integers(0, 39), max_size=4),
    batch=st.integers(1, 12),
)
def test_whoever_is_bad_nobody_is_lost_or_sent_twice(
    tmp_path_factory: pytest.TempPathFactory, count: int, bad: set[int], batch: int
) -> None:
    for host in hosting(tmp_path_factory.mktemp("halves")):
        plan = host.plan()
        connector = host.connector(plan)
        rows = people(count)
        # Senders make the batches: `batch` of them, each with its own text to prove.
        rows = [{**row, "sender": f"Shop {place % batch:02}"} for place, row in enumerate(rows)]
        refused = {number for place, number in enumerate(digits(rows)) if place in bad}
        plan.answers.extend([refuses(*refused)] * 2000)
        dispatch = connector.send(CAMPAIGN, rows)
        report = dispatch.report()
        assert closes(report) and agrees(connector)
        account = plan.account()
        assert account["numbers"] == account["accepted_once"] == report.enqueued
        if report.state == "stopped":
            assert report.enqueue_failed <= len(refused)
            assert len(refused) >= 3
        else:
            assert (report.enqueued, report.enqueue_failed) == (count - len(refused), len(refused))
