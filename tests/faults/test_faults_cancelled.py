"""A dispatch that was cancelled beside one that is in doubt: neither keeps the other from coming to its end."""

from datetime import UTC, datetime, timedelta

import pytest
from sending_kit import CAMPAIGN, Clock, Host, agrees, closes, people, warm_up

LEAD = 120
TRACKING = {"doubt_window_seconds": 0, "resend_lead_seconds": LEAD}


@pytest.fixture
def still(host: Host) -> Clock:
    """A clock that only the test moves."""
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    return host.clock


def later(clock: Clock) -> dict[str, object]:
    """A campaign that the provider keeps for ten minutes."""
    return {**CAMPAIGN, "name": "later", "send_at": clock() + timedelta(minutes=10)}


def test_what_was_called_back_is_no_witness_of_the_list(host: Host, still: Clock) -> None:
    """The list shows a cancelled batch as cancelled for ever: nothing that is in doubt may wait for it."""
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING)
    warm_up(host, connector)
    plan.faults(drop_before="1x1")
    lost = connector.send(CAMPAIGN, people(3), drain=False)
    connector.work()
    still.advance(0.5)
    called_off = connector.send(later(still), people(2, after=10), drain=False)
    connector.work()
    assert called_off.cancel()
    report = host.settle(lost)
    assert (report.enqueued, plan.account()["accepted_more"]) == (3, 0)
    assert [batch["canceled"] for batch in plan.batches()] == [False, True, False]
    assert closes(report) and agrees(connector)


def test_what_was_called_back_is_not_asked_for_proof_of_looking_up(host: Host, still: Clock) -> None:
    """The first batch that an account ever accepted may be one that was called back at once."""
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING)
    called_off = connector.send(later(still), people(2, after=10), drain=False)
    connector.work()
    assert called_off.cancel()
    connector.work()
    assert connector.accounts()[0].look_up_proven_at is None
    warm_up(host, connector)
    assert connector.accounts()[0].look_up_proven_at is not None


def test_a_copy_that_was_sent_again_is_called_back_at_once(host: Host, still: Clock) -> None:
    """It needn't wait for the last look before its time: who cancels may not be there then."""
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING)
    warm_up(host, connector)
    plan.faults(drop_before="1x1")
    called_off = connector.send(later(still), people(3), drain=False)
    host.settle(called_off)
    assert len(plan.posted) == 3
    assert called_off.cancel()
    connector.work()
    (_, copy) = plan.batches()
    assert copy["canceled"]
    assert closes(called_off.report()) and agrees(connector)
