"""Whoever sends stays until a copy that was sent again has been looked up once more, without waiting for reports."""

from datetime import UTC, datetime

from sending_kit import CAMPAIGN, Clock, Host, agrees, closes, people, time_passing, warm_up

TRACKING = {"doubt_window_seconds": 0, "resend_lead_seconds": 120}


def test_who_sends_stays_for_the_last_look_at_a_copy(host: Host) -> None:
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    plan = host.plan()
    connector = host.connector(plan, tracking=TRACKING)
    warm_up(host, connector)
    plan.faults(drop_before="1x1")
    plan.requests.clear()
    with time_passing(host):
        dispatch = connector.send(CAMPAIGN, people(3))
    # It was lost, sent again for later, and looked up in between: who sends left after that.
    first, *_, last = (number for number, each in enumerate(plan.requests) if each == "POST batches")
    assert first < last < max(number for number, each in enumerate(plan.requests) if each == "GET batches")
    assert host.batches()[-1]["task"] == "poll"
    report = dispatch.report()
    assert (report.enqueued, report.open) == (3, 3)
    assert plan.account()["accepted_more"] == 0
    assert closes(report) and agrees(connector)
