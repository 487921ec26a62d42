"""A batch that was sent twice after all: the younger copy is cancelled before it fires, or it is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Clock, Host, Plan, agrees, callback, closes, people, warm_up

from connector import Connector
from connector.connector import Dispatch

LEAD = 120
TRACKING = {"doubt_window_seconds": 0, "resend_lead_seconds": LEAD}


@pytest.fixture
def still(host: Host) -> Clock:
    """A clock that only the test moves."""
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    return host.clock


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan(callback_secret=None)


@pytest.fixture
def connector(host: Host, still: Clock, plan: Plan) -> Connector:
    made = host.connector(plan, tracking=TRACKING)
    warm_up(host, made)
    return made


def first_copy_hidden(host: Host, connector: Connector, plan: Plan, **campaign: Any) -> Dispatch:
    """A dispatch whose one batch was accepted, without an answer, and doesn't show in the list."""
    plan.faults(drop_after="1x1")
    dispatch = connector.send({**CAMPAIGN, **campaign}, people(3), drain=False)
    connector.work()
    plan.hidden.add(plan.batches()[-1]["id"])
    return dispatch


def sent_again(host: Host, connector: Connector, plan: Plan) -> Dispatch:
    """The same, sent a second time."""
    dispatch = first_copy_hidden(host, connector, plan)
    host.settle(dispatch, when=lambda report: len(plan.posted) == 3)
    return dispatch


def copies(plan: Plan) -> list[dict[str, Any]]:
    """The copies of the last dispatch's batch, the oldest first."""
    return [batch for batch in plan.batches() if batch["client_reference"] == plan.batches()[-1]["client_reference"]]


def only_the_first_stands(host: Host, connector: Connector, plan: Plan, dispatch: Dispatch) -> bool:
    first, second = copies(plan)
    assert (first["canceled"], second["canceled"]) == (False, True)
    assert host.batches()[-1]["provider_batch_id"] == first["id"]
    assert plan.account()["accepted_more"] == 0
    report = dispatch.report()
    assert (report.enqueued, report.double_send) == (3, 0)
    return closes(report) and agrees(connector)


def test_a_resend_is_the_same_but_for_its_time(host: Host, still: Clock, plan: Plan, connector: Connector) -> None:
    """One key, one body, byte for byte; it is to fire some time ahead."""
    dispatch = sent_again(host, connector, plan)
    first, second = plan.posted[-2:]
    ahead = second.content["send_at"]
    assert second.body == first.body[:-1] + f',"send_at":"{ahead}"}}'.encode()
    fires_in = datetime.fromisoformat(ahead) - still()
    assert timedelta(seconds=LEAD - 1) <= fires_in <= timedelta(seconds=LEAD)
    assert first.content["client_reference"] == second.content["client_reference"] == host.batches()[-1]["key"]
    assert dispatch.report().enqueued == 3


def test_a_resend_is_looked_up_once_more_before_it_fires(
    host: Host, still: Clock, plan: Plan, connector: Connector
) -> None:
    dispatch = sent_again(host, connector, plan)
    sent_at = still()
    plan.requests.clear()
    due = host.next_due()
    assert due is not None
    assert sent_at + timedelta(seconds=LEAD / 2) <= due < sent_at + timedelta(seconds=LEAD)
    still.advance_to(due)
    connector.work()
    assert [each for each in plan.requests if each != "GET inbounds"] == ["GET batches"]
    assert dispatch.report().enqueued == 3


def test_when_the_first_copy_surfaces_the_younger_is_cancelled(
    host: Host, still: Clock, plan: Plan, connector: Connector
) -> None:
    dispatch = sent_again(host, connector, plan)
    plan.hidden.clear()
    due = host.next_due()
    assert due is not None
    still.advance_to(due)
    connector.work()
    assert only_the_first_stands(host, connector, plan, dispatch)
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert (report.delivered, report.double_send) == (3, 0)


def test_when_a_report_tells_of_the_first_copy_the_younger_is_cancelled(
    host: Host, still: Clock, plan: Plan, connector: Connector
) -> None:
    dispatch = sent_again(host, connector, plan)
    first, second = copies(plan)
    number = people(1)[0]["to"].removeprefix("+")
    callback(connector, first, number, "Delivered", 0)
    assert dispatch.report().delivered == 1
    plan.hidden.clear()
    connector.work()
    assert only_the_first_stands(host, connector, plan, dispatch)
    # What the cancelled copy says changes nothing.
    callback(connector, second, number, "Cancelled", 407)
    assert only_the_first_stands(host, connector, plan, dispatch)
    assert connector.counters()["sms"]["cancelled_copy"] == 1


def test_the_report_of_a_copy_that_is_being_cancelled_changes_nothing(
    host: Host, still: Clock, plan: Plan, connector: Connector
) -> None:
    """It may come before the answer to the cancelling does."""
    dispatch = sent_again(host, connector, plan)
    second = copies(plan)[1]
    plan.hidden.clear()

    def report_at_once(method: str, path: str) -> None:
        if method == "DELETE":
            callback(connector, second, people(1)[0]["to"].removeprefix("+"), "Cancelled", 407)

    plan.when_asked = report_at_once
    due = host.next_due()
    assert due is not None
    still.advance_to(due)
    connector.work()
    assert only_the_first_stands(host, connector, plan, dispatch)
    assert dispatch.report().rejected == 0


def test_the_younger_is_cancelled_though_its_answer_was_lost_too(
    host: Host, still: Clock, plan: Plan, connector: Connector
) -> None:
    """Two attempts in doubt, and one copy in the list: whichever it is, the other may surface."""
    dispatch = first_copy_hidden(host, connector, plan)
    plan.faults(drop_after="1x1")
    host.settle(dispatch, when=lambda report: len(plan.posted) == 3)
    assert dispatch.report().in_doubt == 3
    report = host.settle(dispatch)
    assert report.enqueued == 3
    plan.hidden.clear()
    host.settle(dispatch, when=lambda report: any(copy["canceled"] for copy in copies(plan)))
    assert only_the_first_stands(host, connector, plan, dispatch)


def test_cancelling_is_tried_until_the_copy_fires(host: Host, still: Clock, plan: Plan, connector: Connector) -> None:
    dispatch = sent_again(host, connector, plan)
    plan.hidden.clear()
    plan.refuse["DELETE"] = 1
    due = host.next_due()
    assert due is not None
    still.advance_to(due)
    connector.work()
    assert not any(copy["canceled"] for copy in copies(plan))
    found = connector.verify()[dispatch.id]
    assert found == ["1 batch has two accepted copies that are not cancelled"]
    still.advance(1)
    connector.work()
    assert only_the_first_stands(host, connector, plan, dispatch)


def test_a_look_up_that_fails_before_the_copy_fires_is_repeated(
    host: Host, still: Clock, plan: Plan, connector: Connector
) -> None:
    dispatch = sent_again(host, connector, plan)
    plan.hidden.clear()
    plan.faults(unauthorized=1)
    due = host.next_due()
    assert due is not None
    still.advance_to(due)
    connector.work()
    assert not any(copy["canceled"] for copy in copies(plan))
    plan.faults()
    still.advance(1)
    connector.work()
    assert only_the_first_stands(host, connector, plan, dispatch)


def test_a_first_copy_that_surfaces_too_late_is_told(host: Host, still: Clock, plan: Plan) -> None:
    """Without a lead both were sent: the report says so, and verify fails."""
    # Behind the provider's clock, so that what is to be sent now is sent now.
    still.advance(-600)
    connector = host.connector(plan, tracking={**TRACKING, "resend_lead_seconds": 0})
    warm_up(host, connector)
    dispatch = sent_again(host, connector, plan)
    plan.hidden.clear()
    plan.idle()
    report = host.settle(dispatch, when=lambda report: report.is_final and bool(report.double_send))
    assert (report.enqueued, report.delivered, report.double_send) == (3, 3, 3)
    assert plan.account()["accepted_more"] == 3
    assert closes(report)
    assert any("accepted twice" in line for line in connector.verify()[dispatch.id])


def test_an_integration_that_is_gone_does_not_keep_the_worker_busy(
    host: Host, still: Clock, plan: Plan, connector: Connector
) -> None:
    dispatch = sent_again(host, connector, plan)
    other = host.plan(service_plan_id="other-plan")
    settings = host.settings({"elsewhere": other}, tracking=TRACKING)
    changed = Connector(settings, secrets=lambda reference: "simulated-token", clock=still)
    with changed:
        for _ in range(4):
            due = host.next_due()
            assert due is not None
            still.advance_to(due)
            changed.work()
        due = host.next_due()
    assert due is None or due > still()
    assert dispatch.report().enqueued == 3


def test_a_first_copy_that_surfaces_when_all_seems_done_is_told(host: Host, still: Clock, plan: Plan) -> None:
    """Everybody's report of the second copy came, and nobody calls back: reports are asked for all the same."""
    connector = host.connector(plan, tracking={**TRACKING, "resend_lead_seconds": 0})
    still.advance(-600)
    warm_up(host, connector)
    dispatch = sent_again(host, connector, plan)
    plan.idle()
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert (report.delivered, report.double_send) == (3, 0)
    plan.hidden.clear()
    report = host.settle(dispatch, when=lambda report: bool(report.double_send))
    assert (report.delivered, report.double_send) == (3, 3)
    assert closes(report)
    assert connector.verify()[dispatch.id]


def test_reports_are_not_asked_for_for_ever(host: Host, still: Clock, plan: Plan) -> None:
    """A first copy that never was is given up with the waiting period."""
    connector = host.connector(plan, tracking={**TRACKING, "resend_lead_seconds": 0, "waiting_period_days": 0.05})
    still.advance(-600)
    warm_up(host, connector)
    plan.faults(drop_before="1x1")
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    report = host.settle(dispatch, when=lambda report: host.next_due() is None)
    assert (report.delivered, report.double_send) == (3, 0)
    assert closes(report) and agrees(connector)
