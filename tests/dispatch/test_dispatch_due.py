"""What is sent next, beside dispatches and accounts of which nothing may leave."""

from datetime import UTC, datetime

import pytest
from sending_kit import CAMPAIGN, Clock, Host, Plan, agrees, batches_of_one, people

from connector import Connector

ONE_A_SECOND = {"sinch-sms:simulated-plan": {"messages_per_second": 1}}


@pytest.fixture
def still(host: Host) -> Clock:
    """A clock that only the test moves."""
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    return host.clock


def senders(plan: Plan) -> list[str]:
    return [posted.content["from"] for posted in plan.posted]


def one_at_a_time(connector: Connector, clock: Clock, times: int) -> None:
    """Work at a pace that lets one message leave a second."""
    for _ in range(times):
        connector.work()
        clock.advance(1)


def test_what_was_due_first_leaves_first_and_a_paused_dispatch_keeps_nobody_waiting(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, clock=still, accounts=ONE_A_SECOND)
    paused = connector.send(CAMPAIGN, batches_of_one(3), drain=False)
    still.advance(0.1)
    connector.send(CAMPAIGN, [{**row, "sender": "Second"} for row in people(1, after=10)], drain=False)
    still.advance(0.1)
    connector.send(CAMPAIGN, [{**row, "sender": "Third"} for row in people(1, after=20)], drain=False)
    one_at_a_time(connector, still, 1)
    paused.pause()
    one_at_a_time(connector, still, 1)
    paused.resume()
    one_at_a_time(connector, still, 3)
    assert senders(plan) == ["Shop 00", "Second", "Shop 01", "Shop 02", "Third"]
    assert agrees(connector)


def test_an_account_that_has_to_wait_keeps_no_other_waiting(host: Host, still: Clock) -> None:
    plan, other = host.plan(), host.plan(service_plan_id="other-plan")
    connector = host.connector(plan, other, clock=still, accounts=ONE_A_SECOND)
    dispatch = connector.send(CAMPAIGN, batches_of_one(3), drain=False)
    connector.send({**CAMPAIGN, "integration": "sms2"}, batches_of_one(3), drain=False)
    connector.work()
    assert senders(plan) == ["Shop 00"]
    assert sorted(senders(other)) == ["Shop 00", "Shop 01", "Shop 02"]
    one_at_a_time(connector, still, 3)
    assert senders(plan) == ["Shop 00", "Shop 01", "Shop 02"]
    assert dispatch.report().is_settled


def test_what_is_added_to_an_open_dispatch_leaves_before_a_list(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, clock=still, accounts=ONE_A_SECOND)
    connector.send(CAMPAIGN, batches_of_one(3), drain=False)
    still.advance(60)
    opened = connector.open({**CAMPAIGN, "sender": "Prompt"}, key="orders")
    opened.add(people(1, after=10)[0], key="order-1")
    still.advance(1)
    one_at_a_time(connector, still, 4)
    assert senders(plan) == ["Prompt", "Shop 00", "Shop 01", "Shop 02"]


def test_what_is_scheduled_leaves_at_its_time_and_keeps_nobody_waiting(host: Host, still: Clock) -> None:
    plan = host.plan()
    connector = host.connector(plan, clock=still)
    at = datetime.fromtimestamp(still().timestamp() + 24 * 3600, UTC)
    scheduled = connector.send({**CAMPAIGN, "send_at": at}, batches_of_one(2), drain=False)
    now = connector.send(CAMPAIGN, people(1, after=10), drain=False)
    connector.work()
    assert (now.report().enqueued, scheduled.report().waiting) == (1, 2)
    still.advance(24 * 3600)
    connector.work()
    assert scheduled.report().enqueued == 2
