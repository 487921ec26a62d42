"""Refusals: whom they concern, and how a dispatch goes on after the mend."""

import pytest
from sending_kit import CAMPAIGN, Host, Plan, Posted, agrees, batches_of_one, closes, people, refusal

from connector.http import Answer
from connector.model.event import StatusCodeSource


def pointing_at(*places: int) -> Answer:
    pointers = " and ".join(f"'to[{place}]'" for place in places)
    return refusal(400, "syntax_invalid_parameter_format", f"The format of {pointers} is invalid.")


def test_a_pointer_to_a_recipient_fails_that_one_alone(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    plan.answers.append(pointing_at(1, 4))
    rows = people(6)
    dispatch = connector.send(CAMPAIGN, rows)
    report = dispatch.report()
    assert (report.enqueue_failed, report.enqueued, report.state) == (2, 4, "finished")
    assert closes(report) and agrees(connector)
    assert host.states() == ["split", "accepted"]
    parent, child = host.batches()
    assert (child["parent"], child["size"]) == (parent["number"], 4)
    assert child["key"] != parent["key"]
    # The rest, in their order, under a key of its own.
    first, second = (posted.content for posted in plan.posted)
    assert second["to"] == [to for place, to in enumerate(first["to"]) if place not in (1, 4)]
    assert (first["client_reference"], second["client_reference"]) == (parent["key"], child["key"])

    failed = [event for event in dispatch.all_events() if event.status == "enqueue_failed"]
    assert [event.customer_id for event in failed] == ["c-1", "c-4"]
    assert {event.status_code for event in failed} == {400}
    assert {event.status_code_source for event in failed} == {StatusCodeSource.http}
    assert {event.error for event in failed} == {"syntax_invalid_parameter_format"}
    (error,) = report.errors
    assert (error.status, error.status_code, error.count) == ("enqueue_failed", 400, 2)
    assert error.error == "syntax_invalid_parameter_format"


def test_a_batch_whose_every_recipient_is_pointed_at_is_refused(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    plan.answers.append(pointing_at(0, 1))
    report = connector.send(CAMPAIGN, people(2)).report()
    assert (report.enqueue_failed, report.state) == (2, "finished")
    assert host.states() == ["refused"]
    assert closes(report) and agrees(connector)


def test_refusals_of_the_rest_are_taken_in_turn(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    plan.answers.extend([pointing_at(0), pointing_at(0), pointing_at(1)])
    dispatch = connector.send(CAMPAIGN, people(5))
    report = dispatch.report()
    assert (report.enqueue_failed, report.enqueued) == (3, 2)
    failed = [event.customer_id for event in dispatch.all_events() if event.status == "enqueue_failed"]
    assert failed == ["c-0", "c-1", "c-3"]
    assert len({row["key"] for row in host.batches()}) == 4
    assert closes(report) and agrees(connector)


def test_the_simulated_api_refuses_one_number_and_takes_the_others(host: Host) -> None:
    """A number that the numbering plan knows and the API does not take."""
    plan = host.plan()
    connector = host.connector(plan)
    bad = people(5)[2]["to"].removeprefix("+")

    def strict(posted: Posted) -> Answer | None:
        to = posted.content["to"]
        return pointing_at(to.index(bad)) if bad in to else None

    plan.answers.extend([strict] * 3)
    report = connector.send(CAMPAIGN, people(5)).report()
    assert (report.enqueue_failed, report.enqueued) == (1, 4)
    assert plan.account()["numbers"] == 4


CAUSES = {
    "no pointer": (refusal(400, "syntax_constraint_violation", "Something is wrong."), "syntax_constraint_violation"),
    "no words": (refusal(400), "HTTP 400"),
    "token": (refusal(401), "HTTP 401"),
    "plan": (refusal(404), "HTTP 404"),
    "credit": (refusal(402), "credit"),
    "account": (refusal(403, "blocked_account", "The account is blocked."), "blocked"),
    "sender": (refusal(400, "syntax_invalid_parameter_format", "The 'from' parameter is not allowed."), "sender"),
    "text": (refusal(400, "syntax_constraint_violation", "The 'body' parameter is too long."), "text"),
    "too far": (pointing_at(99), "HTTP 400"),
}

UNSAID = ("no pointer", "no words", "too far")
"""It takes trying to find out that these concern everybody."""


@pytest.mark.parametrize("cause", CAUSES)
def test_a_refusal_of_all_stops_the_dispatch_and_it_completes_after_the_mend(host: Host, cause: str) -> None:
    answer, word = CAUSES[cause]
    plan = host.plan()
    connector = host.connector(plan)
    plan.answers.extend([answer] * 8)
    dispatch = connector.send(CAMPAIGN, people(3))
    report = dispatch.report()
    assert report.state == "stopped"
    assert word in (report.cause or "")
    assert (report.waiting, report.enqueue_failed, report.in_doubt) == (3, 0, 0)
    assert len(plan.posted) == (5 if cause in UNSAID else 1)
    assert list(dispatch.all_events()) == []
    assert closes(report) and agrees(connector)

    plan.answers.clear()
    dispatch.resume()
    dispatch.drain()
    report = dispatch.report()
    assert (report.state, report.cause, report.enqueued) == ("finished", None, 3)
    assert closes(report) and agrees(connector)


def test_a_wrong_token_stops_everything_with_one_sentence(host: Host) -> None:
    plan = host.plan(faults={"unauthorized": 1})
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, batches_of_one(30))
    report = dispatch.report()
    assert (report.state, report.waiting, report.enqueue_failed) == ("stopped", 30, 0)
    assert "api_token" in (report.cause or "")
    assert len(plan.posted) <= 8
    plan.faults()
    dispatch.resume()
    dispatch.drain()
    assert plan.account()["accepted_once"] == 30
    assert closes(dispatch.report()) and agrees(connector)


def test_a_refusal_of_a_resend_fails_nobody(host: Host) -> None:
    plan: Plan = host.plan()
    connector = host.connector(plan, tracking={"doubt_window_seconds": 0, "resend_lead_seconds": 60})
    first = connector.send(CAMPAIGN, people(1, after=10), drain=False)
    host.settle(first, when=lambda report: report.is_final)
    plan.faults(drop_before="1x1")
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    connector.work()
    plan.answers.append(refusal(401))
    report = host.settle(dispatch, when=lambda report: report.state == "stopped")
    assert (report.waiting, report.enqueue_failed) == (3, 0)
    dispatch.resume()
    assert host.settle(dispatch).enqueued == 3
    assert closes(dispatch.report()) and agrees(connector)
