"""`work`: a slice of what is due, for hosts that call it from a schedule of their own."""

import threading
from datetime import timedelta

from sending_kit import CAMPAIGN, Host, people, refusal

from connector import Connector


def finishes(connector: Connector) -> bool:
    """Whether `work` comes back by itself."""
    stop = threading.Event()

    def work() -> None:
        connector.work()
        stop.set()

    threading.Thread(target=work, daemon=True).start()
    return stop.wait(120)


def test_work_returns_when_what_is_left_is_paused(host: Host) -> None:
    connector = host.connector(host.plan())
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    dispatch.pause()
    assert finishes(connector)
    assert dispatch.report().waiting == 3


def test_work_returns_when_the_account_has_to_be_left_alone(host: Host) -> None:
    plan = host.plan()
    plan.answers.append(refusal(429, **{"retry-after": "60"}))
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    assert finishes(connector)
    assert dispatch.report().waiting == 3
    host.clock.advance(61)
    assert finishes(connector)
    assert dispatch.report().enqueued == 3


def test_work_stops_when_its_time_is_up(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan, accounts={"sinch-sms:simulated-plan": {"messages_per_second": 1}})
    dispatch = connector.send(
        CAMPAIGN, [{**row, "sender": f"Shop {n}"} for n, row in enumerate(people(5))], drain=False
    )
    connector.work(max_seconds=0)
    assert dispatch.report().waiting == 5
    assert not plan.posted


def test_what_is_scheduled_for_later_is_planned_and_left(host: Host) -> None:
    """`send` doesn't wait nine days; whoever works at that time sends."""
    connector = host.connector(host.plan())
    at = (host.clock() + timedelta(days=9)).isoformat()
    dispatch = connector.send({**CAMPAIGN, "send_at": at}, people(2))
    assert dispatch.is_held_for_later()
    assert (dispatch.report().waiting, dispatch.report().enqueued) == (2, 0)
    host.clock.advance(timedelta(days=9).total_seconds())
    connector.work(max_seconds=60)
    assert dispatch.report().enqueued == 2
