"""Cancelling a dispatch: what waits is never sent, what the provider has is called back where it can be."""

from datetime import timedelta

import pytest
from sending_kit import CAMPAIGN, Host, Plan, Posted, agrees, batches_of_one, closes, people, refusal, warm_up

from connector.model.errors import NotFound


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


def test_what_waits_is_skipped_and_never_sent(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(2500), drain=False)
    assert dispatch.cancel()
    report = dispatch.report()
    assert (report.state, report.skipped.by_reason, report.waiting) == ("cancelled", {"cancelled": 2500}, 0)
    assert closes(report) and agrees(connector)
    dispatch.drain()
    connector.work()
    assert plan.posted == []
    events = list(dispatch.all_events())
    assert {(event.status, event.comment) for event in events} == {("skipped", "cancelled")}
    assert len({event.id for event in events}) == 2500
    assert not dispatch.cancel()


def test_it_stays_cancelled(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(3), drain=False, key="spring")
    dispatch.cancel()
    dispatch.resume()
    dispatch.pause()
    assert connector.send(CAMPAIGN, people(3), key="spring").report().state == "cancelled"
    assert plan.posted == []


def test_what_is_on_its_way_is_called_back_as_soon_as_it_is_accepted(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, batches_of_one(20), drain=False)
    plan.when_posted = lambda posted: dispatch.cancel() and None
    dispatch.drain()
    report = dispatch.report()
    assert report.state == "cancelled"
    assert 1 <= len(plan.posted) <= 8
    assert report.skipped.total == 20 - len(plan.posted)
    assert sum(asked.startswith("DELETE") for asked in plan.requests) == len(plan.posted)
    assert closes(report) and agrees(connector)


def test_what_has_come_to_its_end_stays_finished(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(5))
    host.settle(dispatch, when=lambda report: report.is_final)
    assert not dispatch.cancel()
    assert dispatch.report().state == "finished"


def test_what_left_already_is_told_by_its_reports(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(5))
    dispatch.cancel()
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert (report.state, report.delivered) == ("cancelled", 5)
    assert closes(report) and agrees(connector)


def test_what_surfaces_from_doubt_is_called_back_and_never_sent_again(host: Host) -> None:
    plan = host.plan(faults={"drop_after": "1x1"})
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    plan.when_posted = lambda posted: dispatch.cancel() and None
    connector.work()
    assert dispatch.report().in_doubt == 3
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert any(asked.startswith("DELETE") for asked in plan.requests)
    assert len(plan.posted) == 1
    assert (report.state, report.enqueued) == ("cancelled", 3)
    assert closes(report) and agrees(connector)


def test_what_was_in_doubt_and_never_arrived_is_skipped(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan, tracking={"doubt_window_seconds": 0, "resend_lead_seconds": 60})
    first = connector.send(CAMPAIGN, people(1, after=10), drain=False)
    host.settle(first, when=lambda report: report.is_final)
    plan.faults(drop_before="1x1")
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    plan.when_posted = lambda posted: dispatch.cancel() and None
    report = host.settle(dispatch, when=lambda report: report.is_settled)
    assert (report.skipped.by_reason, report.in_doubt, report.enqueued) == ({"cancelled": 3}, 0, 0)
    assert plan.account()["numbers"] == 1
    assert closes(report) and agrees(connector)


def test_nobody_can_have_it_sent_again(host: Host) -> None:
    plan = host.plan(faults={"drop_after": "1x1"})
    plan.hidden = {"everything"}
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(2), drain=False)
    plan.when_posted = lambda posted: dispatch.cancel() and None
    connector.worker().run(until=lambda: bool(dispatch.report().in_doubt))
    with pytest.raises(NotFound, match="cancelled"):
        dispatch.retry("resend")


def test_a_refusal_during_a_trial_of_a_cancelled_dispatch_fails_nobody(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    asked = 0

    def refuse(posted: Posted) -> object:
        nonlocal asked
        asked += 1
        if asked == 3:
            dispatch.cancel()
        return refusal(400)

    plan.answers.extend([refuse] * 50)
    dispatch = connector.send(CAMPAIGN, people(1000), drain=False)
    dispatch.drain()
    report = dispatch.report()
    assert (report.state, report.skipped.by_reason, report.enqueue_failed) == ("cancelled", {"cancelled": 1000}, 0)
    assert asked == 3
    assert closes(report) and agrees(connector)


def test_what_the_provider_keeps_for_later_is_called_back_and_rejected(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    later = host.clock() + timedelta(minutes=10)
    dispatch = connector.send({**CAMPAIGN, "send_at": later}, people(5), drain=False)
    connector.work()
    assert dispatch.report().enqueued == 5
    dispatch.cancel()
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert (report.state, report.rejected, report.delivered) == ("cancelled", 5, 0)
    assert [(error.status, error.status_code, error.count) for error in report.errors] == [("rejected", 407, 5)]
    assert closes(report) and agrees(connector)


def test_a_cancel_that_the_provider_does_not_answer_is_asked_again(host: Host, plan: Plan) -> None:
    connector = host.connector(plan)
    later = host.clock() + timedelta(minutes=10)
    dispatch = connector.send({**CAMPAIGN, "send_at": later}, people(2), drain=False)
    connector.work()
    plan.refuse["DELETE"] = 2
    dispatch.cancel()
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert report.rejected == 2
    assert sum(asked.startswith("DELETE") for asked in plan.requests) == 3


def test_what_waited_for_a_persons_word_is_found_out_about_and_skipped(host: Host, plan: Plan) -> None:
    """It surely never arrived, and was held; cancelled, there is nothing left to decide."""
    connector = host.connector(plan, tracking={"doubt_window_seconds": 0, "on_absent": "hold"})
    warm_up(host, connector)
    plan.faults(drop_before="1x1")
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    host.settle(dispatch, when=lambda _: any(batch.held for batch in dispatch.in_doubt()))
    assert dispatch.cancel()
    report = host.settle(dispatch)
    assert (report.state, report.skipped.by_reason, len(plan.posted)) == ("cancelled", {"cancelled": 3}, 2)
    assert closes(report) and agrees(connector)


def test_who_is_skipped_late_is_logged_at_that_time(host: Host, plan: Plan) -> None:
    """The log is searched by the time that things were recorded at."""
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    dispatch.pause()
    host.clock.advance(3600)
    dispatch.resume()
    cancelled_at = host.clock()
    plan.answers.append(refusal(429))
    plan.when_posted = lambda posted: dispatch.cancel() and None
    connector.work()
    events = dispatch.events()
    assert [event.status for event in events] == ["skipped"] * 3
    assert all(cancelled_at <= event.recorded_at <= host.clock() for event in events)
    assert dispatch.events(after=connector.position_before(cancelled_at)) == events
