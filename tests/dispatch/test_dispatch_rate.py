"""The pace of an account, changed while dispatches are under way."""

import pytest
from sending_kit import CAMPAIGN, Host, batches_of_one

from connector.model.errors import NotFound


def test_a_faster_pace_counts_at_once(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan, integration={"messages_per_second": 0.001})
    dispatch = connector.send(CAMPAIGN, batches_of_one(5), drain=False)
    connector.work()
    assert len(plan.posted) == 1
    connector.set_rate(dispatch.account, 1000)
    dispatch.drain()
    assert len(plan.posted) == 5


def test_a_slower_pace_counts_at_once_and_the_settings_decide_again(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, batches_of_one(5), drain=False)
    connector.set_rate(dispatch.account, 0.001)
    connector.work()
    assert len(plan.posted) == 1
    connector.set_rate(dispatch.account, None)
    dispatch.drain()
    assert len(plan.posted) == 5


def test_a_pause_that_the_provider_asked_for_is_kept(host: Host) -> None:
    plan = host.plan(faults={"throttled": "1x1"})
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, batches_of_one(2), drain=False)
    connector.work()
    before = connector.accounts()[0].free_at
    connector.set_rate(dispatch.account, 1000)
    assert connector.accounts()[0].free_at == before


def test_an_unknown_account_is_told_with_those_that_are_known(host: Host) -> None:
    connector = host.connector(host.plan())
    connector.prepare()
    (account,) = connector.accounts()
    with pytest.raises(NotFound, match=account.name):
        connector.set_rate("letters:nowhere", 5)
