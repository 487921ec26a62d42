"""What the provider lists as accepted, compared with the ledger batch by batch."""

import shutil

import pytest
from sending_kit import CAMPAIGN, Host, Plan, batches_of_one, people

from connector import Connector


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


@pytest.fixture
def connector(host: Host, plan: Plan) -> Connector:
    return host.connector(plan)


def wrong(connector: Connector) -> list[str]:
    return [sentence for sentences in connector.verify(with_provider=True).values() for sentence in sentences]


def test_all_that_was_sent_is_there_once(host: Host, plan: Plan, connector: Connector) -> None:
    connector.send(CAMPAIGN, batches_of_one(120))
    host.clock.advance(600)
    assert wrong(connector) == []
    assert sum(asked == "GET batches" for asked in plan.requests) >= 2


def test_a_batch_of_ours_that_the_ledger_does_not_know_is_told(connector: Connector, plan: Plan) -> None:
    connector.send(CAMPAIGN, people(1))
    body = plan.posted[0].content
    key = "00112233445566aa-b0-0"
    plan.http.post(
        f"/xms/v1/{plan.options.service_plan_id}/batches",
        json={**body, "client_reference": key},
        headers={"authorization": f"Bearer {plan.options.api_token}"},
    ).raise_for_status()
    assert wrong(connector) == [f"the provider accepted batch {key}, which this ledger doesn't know"]


def test_what_was_sent_after_a_backup_that_was_put_back_is_told(host: Host, connector: Connector) -> None:
    dispatch = connector.send(CAMPAIGN, people(1), drain=False)
    connector.close()
    backup = host.path.with_suffix(".backup")
    shutil.copy(host.path, backup)
    dispatch.drain()
    connector.close()
    backup.replace(host.path)
    assert wrong(connector) == [f"the provider accepted batch {dispatch.id}-b0-0, which is waiting here"]


def test_what_others_send_on_the_account_is_not_ours(connector: Connector, plan: Plan) -> None:
    connector.send(CAMPAIGN, people(1))
    body = plan.posted[0].content
    plan.http.post(
        f"/xms/v1/{plan.options.service_plan_id}/batches",
        json={**body, "client_reference": "somebody else's"},
        headers={"authorization": f"Bearer {plan.options.api_token}"},
    ).raise_for_status()
    assert wrong(connector) == []


def test_a_second_copy_is_a_double_send(connector: Connector, plan: Plan) -> None:
    connector.send(CAMPAIGN, people(1))
    plan.http.post(
        f"/xms/v1/{plan.options.service_plan_id}/batches",
        json=plan.posted[0].content,
        headers={"authorization": f"Bearer {plan.options.api_token}"},
    ).raise_for_status()
    (sentence,) = wrong(connector)
    assert sentence.startswith("double_send: the provider accepted batch")


def test_what_is_in_doubt_here_and_accepted_there_is_told(host: Host) -> None:
    plan = host.plan(faults={"drop_after": "1x1"})
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(2), drain=False)
    connector.worker().run(until=lambda: bool(dispatch.report().in_doubt))
    (sentence,) = wrong(connector)
    assert sentence.endswith("which is in doubt here")
    host.settle(dispatch)
    assert wrong(connector) == []


def test_what_is_accepted_here_and_not_listed_there_is_told_once_the_list_has_had_time(
    host: Host, plan: Plan, connector: Connector
) -> None:
    connector.send(CAMPAIGN, people(2))
    plan.hidden = {batch["id"] for batch in plan.batches()}
    assert wrong(connector) == []
    host.clock.advance(600)
    (sentence,) = wrong(connector)
    assert sentence.endswith("is accepted here, and not in the provider's list")
