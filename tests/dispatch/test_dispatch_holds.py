"""What a delivery report says of more than its message pauses the dispatch, or a country; and missed schedules."""

from datetime import timedelta
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Host, Plan, agrees, batches_of_one, closes, people

from connector import Connector, Dispatch

SLOWLY = {"messages_per_second": 0.01}
"""A batch is reported on before the next one may leave."""
SWEDES = [f"+46701740{number}" for number in range(605, 625)]


def digits(number: str) -> str:
    return number.removeprefix("+")


def rows(*numbers: str, sender: str = "Bookshop") -> list[dict[str, str]]:
    return [{"to": to, "customer_id": to[-4:], "name": "Ada", "sender": sender} for to in numbers]


def americans(count: int) -> list[str]:
    return [row["to"] for row in people(count)]


def posted_to(plan: Plan) -> list[str]:
    return [number for posted in plan.posted for number in posted.content["to"]]


@pytest.mark.parametrize("code", [413, 60])
def test_a_code_of_the_whole_account_pauses_the_dispatch(host: Host, code: int) -> None:
    first, *others = americans(6)
    plan = host.plan(endings={digits(first): f"Rejected:{code}"})
    connector = host.connector(plan, integration=SLOWLY)
    dispatch = connector.send(CAMPAIGN, [*rows(first, sender="First"), *rows(*others, sender="Later")], drain=False)
    report = host.settle(dispatch, when=lambda report: report.state == "paused")
    assert (report.waiting, report.rejected) == (5, 1)
    assert str(code) in (report.cause or "")
    assert "everybody" in (report.cause or "")
    assert posted_to(plan) == [digits(first)]
    dispatch.resume()
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert (report.state, report.delivered, report.rejected) == ("finished", 5, 1)
    assert closes(report) and agrees(connector)


def test_a_code_of_one_message_pauses_nothing(host: Host) -> None:
    first, *others = americans(6)
    plan = host.plan(endings={digits(first): "Failed:150"})
    connector = host.connector(plan, integration=SLOWLY)
    dispatch = connector.send(CAMPAIGN, [*rows(first, sender="First"), *rows(*others, sender="Later")], drain=False)
    assert host.settle(dispatch, when=lambda report: report.is_final).delivered == 5


def test_of_two_countries_that_are_paused_one_after_the_other_nobody_is_in_two_batches(host: Host) -> None:
    """People of both stand between each other in one batch, which is parted twice."""
    british = [f"+4479111234{number}" for number in range(50, 53)]
    (american,) = americans(1)
    plan = host.plan(endings={digits(SWEDES[0]): "Aborted:412", digits(british[0]): "Aborted:412"})
    connector = host.connector(plan, integration=SLOWLY)
    between = rows(SWEDES[1], british[1], SWEDES[2], british[2], american)
    first, last = rows(SWEDES[0], sender="First"), rows(british[0], sender="Third")
    dispatch = connector.send(CAMPAIGN, [*first, *between, *last], drain=False)
    report = host.settle(dispatch, when=lambda report: (report.delivered, report.rejected) == (1, 2))
    assert report.waiting == 4
    assert closes(report) and agrees(connector)
    dispatch.resume()
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert sorted(posted_to(plan)) == sorted(digits(row["to"]) for row in (*first, *between, *last))
    assert plan.account()["accepted_more"] == 0
    assert closes(report) and agrees(connector)


class TestACountry:
    @pytest.fixture
    def plan(self, host: Host) -> Plan:
        return host.plan(endings={digits(SWEDES[0]): "Aborted:412"})

    @pytest.fixture
    def connector(self, host: Host, plan: Plan) -> Connector:
        return host.connector(plan, integration=SLOWLY)

    def test_is_paused_and_the_others_go_on(self, host: Host, plan: Plan, connector: Connector) -> None:
        mixed = [number for pair in zip(SWEDES[1:], americans(19), strict=True) for number in pair]
        dispatch = connector.send(CAMPAIGN, [*rows(SWEDES[0], sender="First"), *rows(*mixed)], drain=False)
        report = host.settle(dispatch, when=lambda report: report.delivered == 19)
        assert (report.state, report.waiting, report.rejected) == ("running", 19, 1)
        assert "SE" in (report.cause or "") and "412" in (report.cause or "")
        assert set(posted_to(plan)) == {digits(number) for number in [SWEDES[0], *americans(19)]}
        assert closes(report) and agrees(connector)
        # A call that sends comes back: what is left waits for a person.
        dispatch.drain()
        assert dispatch.report().waiting == 19

        dispatch.resume()
        report = host.settle(dispatch, when=lambda report: report.is_final)
        assert (report.state, report.cause, report.delivered, report.rejected) == ("finished", None, 38, 1)
        assert plan.account()["accepted_once"] == 39
        assert closes(report) and agrees(connector)

    def test_whose_people_alone_are_left_waits_as_it_is(self, host: Host, plan: Plan, connector: Connector) -> None:
        people_there = [*rows(SWEDES[0], sender="First"), *rows(*SWEDES[1:])]
        dispatch = connector.send(CAMPAIGN, people_there, drain=False)
        report = host.settle(dispatch, when=lambda report: report.rejected == 1)
        host.clock.advance(3600)
        connector.work()
        assert (dispatch.report().waiting, len(plan.posted)) == (19, 1)
        dispatch.resume()
        report = host.settle(dispatch, when=lambda report: report.is_final)
        assert report.delivered == 19
        assert len(plan.posted) == 2

    def test_can_be_cancelled(self, host: Host, connector: Connector) -> None:
        dispatch = connector.send(CAMPAIGN, [*rows(SWEDES[0], sender="First"), *rows(*SWEDES[1:])], drain=False)
        host.settle(dispatch, when=lambda report: report.rejected == 1)
        dispatch.cancel()
        report = host.settle(dispatch, when=lambda report: report.is_final)
        assert (report.skipped.by_reason, report.rejected) == ({"cancelled": 19}, 1)
        assert closes(report) and agrees(connector)

    def test_is_not_paused_again_by_what_left_before_the_mend(self, host: Host) -> None:
        plan = host.plan(endings={digits(number): "Aborted:412" for number in SWEDES[:2]})
        connector = host.connector(plan, integration=SLOWLY)
        dispatch = connector.send(CAMPAIGN, [*rows(*SWEDES[:2], sender="First"), *rows(*SWEDES[2:])], drain=False)
        plan.when_asked = lambda method, path: dispatch.resume() if path.endswith("delivery_report") else None
        report = host.settle(dispatch, when=lambda report: report.is_final)
        assert (report.state, report.delivered, report.rejected) == ("finished", 18, 2)


class TestAMissedSchedule:
    def planned(self, host: Host, plan: Plan, **tables: object) -> tuple[Connector, object]:
        connector = host.connector(plan, **tables)
        at = host.clock() + timedelta(hours=2)
        return connector, connector.send({**CAMPAIGN, "send_at": at}, people(3), drain=False)

    def test_waits_for_a_person_who_may_still_send_it(self, host: Host) -> None:
        plan = host.plan()
        connector, dispatch = self.planned(host, plan)
        host.clock.advance(2 * 3600 + 61 * 60)
        connector.work()
        report = dispatch.report()
        assert (report.state, report.waiting, plan.posted) == ("paused", 3, [])
        assert "passed while nothing was at work" in report.cause
        dispatch.resume()
        assert host.settle(dispatch).enqueued == 3

    def test_is_sent_where_it_is_only_a_little_late(self, host: Host) -> None:
        plan = host.plan()
        connector, dispatch = self.planned(host, plan, limits={"missed_schedule_minutes": 90})
        host.clock.advance(2 * 3600 + 61 * 60)
        connector.work()
        assert dispatch.report().enqueued == 3

    def test_is_none_where_it_began_in_time_and_takes_long(self, host: Host) -> None:
        plan = host.plan()
        connector = host.connector(plan, integration={"messages_per_second": 0.0002})
        at = host.clock() + timedelta(hours=2)
        several = [*rows(americans(1)[0], sender="First"), *rows(*SWEDES[:1], sender="Later")]
        dispatch = connector.send({**CAMPAIGN, "send_at": at}, several, drain=False)
        host.clock.advance(2 * 3600)
        connector.work()
        host.clock.advance(3 * 3600)
        connector.work()
        assert dispatch.report().enqueued == 2

    def test_is_none_where_the_time_was_over_at_the_start(self, host: Host) -> None:
        connector = host.connector(host.plan())
        at = host.clock() - timedelta(hours=5)
        assert connector.send({**CAMPAIGN, "send_at": at}, people(3)).report().enqueued == 3


STOP = {"stop_at_error_rate": 0.2, "stop_after_messages": 10}


class TestTooManyErrors:
    def dispatch(self, host: Host, bad: int, **tables: Any) -> tuple[Plan, Connector, Dispatch]:
        numbers = americans(30)
        plan = host.plan(endings={digits(number): "Failed:150" for number in numbers[:bad]})
        connector = host.connector(plan, integration=SLOWLY, **tables)
        several = [*rows(*numbers[:10], sender="First"), *rows(*numbers[10:], sender="Later")]
        return plan, connector, connector.send(CAMPAIGN, several, drain=False)

    def test_pause_the_dispatch_until_a_person_resumes_it(self, host: Host) -> None:
        plan, connector, dispatch = self.dispatch(host, 3, limits=STOP)
        report = host.settle(dispatch, when=lambda report: report.state == "paused")
        assert (report.failed, report.delivered, report.waiting) == (3, 7, 20)
        assert "3 of the first 10 messages failed, more than 20%" in (report.cause or "")
        dispatch.resume()
        assert host.settle(dispatch, when=lambda report: report.is_final).delivered == 27
        assert len(plan.posted) == 2
        assert agrees(connector)

    @pytest.mark.parametrize("limits", [{}, {**STOP, "stop_at_error_rate": 0.3}, {**STOP, "stop_after_messages": 11}])
    def test_are_not_too_many_below_the_limit(self, host: Host, limits: dict[str, Any]) -> None:
        _, _, dispatch = self.dispatch(host, 3, limits=limits)
        assert host.settle(dispatch, when=lambda report: report.is_final).delivered == 27


def test_a_budget_of_messages_pauses_what_would_go_over_it(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan, limits={"messages_per_day": 12})
    assert connector.send(CAMPAIGN, people(10)).report().enqueued == 10
    dispatch = connector.send(CAMPAIGN, people(5, after=50))
    report = dispatch.report()
    assert (report.state, report.waiting, len(plan.posted)) == ("paused", 5, 1)
    assert "messages_per_day allows 12" in (report.cause or "")
    dispatch.resume()
    dispatch.drain()
    assert dispatch.report().state == "paused"
    host.clock.advance(24 * 3600)
    dispatch.resume()
    assert host.settle(dispatch).enqueued == 5
    assert agrees(connector)


def test_a_budget_is_used_up_to_the_last_message_whatever_was_put_off(host: Host) -> None:
    plan = host.plan(faults={"throttled": "1x1"})
    connector = host.connector(plan, limits={"messages_per_day": 12})
    # One worker all along: what was put off was claimed twice, and is counted once.
    report = connector.send(CAMPAIGN, batches_of_one(15)).report()
    assert (report.state, report.enqueued, report.waiting) == ("paused", 12, 3)
    assert plan.account()["sends"] == {"429": 1, "201": 12}
    assert "12 messages went out within 24 hours" in (report.cause or "")
    assert agrees(connector)


def test_a_budget_counts_what_another_worker_sent_meanwhile(host: Host) -> None:
    plan = host.plan()
    connector, other = (host.connector(plan, limits={"messages_per_day": 12}) for _ in range(2))
    worker = connector.worker()
    first = connector.send(CAMPAIGN, batches_of_one(4), drain=False)
    worker.run(until=worker.nothing_is_due)
    assert first.report().enqueued == 4
    assert other.send(CAMPAIGN, people(6, after=50)).report().enqueued == 6
    last = connector.send(CAMPAIGN, [{**row, "sender": row["customer_id"]} for row in people(5, after=90)], drain=False)
    worker.run(until=worker.nothing_is_due)
    report = last.report()
    assert (report.state, report.enqueued, report.waiting) == ("paused", 2, 3)
    assert "12 messages went out within 24 hours" in (report.cause or "")
