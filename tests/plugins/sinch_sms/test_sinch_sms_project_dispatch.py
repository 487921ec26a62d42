"""Whole dispatches of a project: nobody twice, nobody in doubt and nobody failed for want of a token."""

import pytest
from sending_kit import CAMPAIGN, Host, Plan, Posted, agrees, closes, people

from connector.http import Answer

TOKEN = "POST /oauth2/token"


def answer_until_tried(host: Host, plan: Plan, answer: Answer) -> None:
    """Answer so, whoever asks, until an attempt to send has ended."""

    def choose(posted: Posted) -> Answer | None:
        return None if any(row["ended"] for row in host.attempts()) else answer

    plan.answers.extend([choose] * 20)


def test_one_token_serves_a_dispatch_and_is_renewed_when_it_expires(host: Host) -> None:
    plan = host.plan(authentication="project", faults={"token_expired": "1x1"})
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(3_000), drain=False)
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert (report.enqueued, report.delivered, report.double_send) == (3_000, 3_000, 0)
    assert plan.account()["accepted_once"] == 3_000
    assert plan.requests.count(TOKEN) == 2
    assert {row["ended"] for row in host.attempts()} == {"accepted"}
    assert agrees(connector)


@pytest.mark.parametrize("answer", [Answer(429, {"retry-after": "3"}, b""), Answer(503, {}, b"")], ids=["429", "503"])
def test_without_a_token_a_dispatch_waits_and_nobody_is_in_doubt(host: Host, answer: Answer) -> None:
    plan = host.plan(authentication="project")
    connector = host.connector(plan)
    answer_until_tried(host, plan, answer)
    dispatch = connector.send(CAMPAIGN, people(2), drain=False)
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert (report.delivered, report.in_doubt, report.enqueue_failed) == (2, 0, 0)
    first, *_, last = host.attempts()
    assert first["ended"] in ("throttled", "not_sent")
    assert last["ended"] == "accepted"
    assert len(plan.batches()) == 1


def test_a_wrong_access_key_stops_the_dispatch_and_the_right_one_goes_on(host: Host) -> None:
    plan = host.plan(authentication="project")
    connector = host.connector(plan)
    answer_until_tried(host, plan, Answer(401, {}, b'{"error": "invalid_client"}'))
    dispatch = connector.send(CAMPAIGN, people(2), drain=False)
    connector.work()
    report = dispatch.report()
    assert (report.state, report.waiting, report.enqueue_failed) == ("stopped", 2, 0)
    assert "invalid_client" in report.cause
    assert "key_secret" in report.cause
    assert closes(report)
    dispatch.resume()
    assert host.settle(dispatch, when=lambda report: report.is_final).delivered == 2


def test_a_project_made_after_the_end_of_sale_is_stopped_with_what_to_do(host: Host) -> None:
    plan = host.plan(authentication="project", after_end_of_sale=True)
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(2), drain=False)
    connector.work()
    report = dispatch.report()
    assert (report.state, report.waiting, report.enqueue_failed) == ("stopped", 2, 0)
    for words in ("15 April 2026", "service_plan_id", "sinch-conversation"):
        assert words in report.cause
