"""Who asks the provider for reports and for what people wrote, when, and that nothing is lost or told twice by it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Clock, Host, Plan, agrees, batches_of_one, closes, people, time_passing, wait_until

from connector import Connector, Event
from connector.model.event import Status
from connector.server.serve import serving

WORKER = """
import json, sys, threading
from connector import Connector

with Connector(json.load(sys.stdin), secrets=lambda reference: "simulated-token") as connector:
    connector.worker().run(stop=threading.Event())
"""
ADA = "12015550101"


@contextmanager
def worker(host: Host, plan: Plan) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that works on the ledger until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps(host.settings({"sms": plan})).encode())
    process.stdin.close()
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def write(plan: Plan, person: str = ADA, text: str = "Yes please") -> str:
    """Let a person write to the plan; gives the message's id."""
    answer = plan.http.post("/_simulator/inbound", json={"from": person, "body": text})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def replies(connector: Connector) -> list[Event]:
    return [event for event in connector.events(limit=10_000) if event.status is Status.replied]


def gets(plan: Plan, what: str) -> int:
    return sum(each.startswith("GET") and what in each for each in plan.requests)


def accounts(host: Host) -> list[dict[str, Any]]:
    return host.rows("SELECT inbound_read_to AS read_to, inbound_failures AS failures FROM accounts")


def test_who_sends_asks_for_reports_meanwhile(host: Host) -> None:
    """They may show that the rest must not be sent. Nobody stays for the last ones."""
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    plan = host.plan()
    connector = host.connector(plan, integration={"messages_per_second": 0.01})
    connector.prepare()
    with time_passing(host):
        dispatch = connector.send(CAMPAIGN, batches_of_one(3))
    report = dispatch.report()
    assert (report.enqueued, report.delivered, report.open) == (3, 2, 1)
    host.clock.advance(3600)
    plan.requests.clear()
    dispatch.drain()
    assert plan.requests == []


def test_who_waits_for_reports_asks_for_those(host: Host) -> None:
    plan = host.plan()
    dispatch = host.connector(plan).send(CAMPAIGN, people(3), drain=False)
    assert dispatch.wait().delivered == 3
    assert gets(plan, "delivery_report") and not gets(plan, "inbounds")


def test_a_worker_asks_for_everything(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(3))
    identity = write(plan)
    with worker(host, plan):
        wait_until(lambda: dispatch.report().is_final and bool(replies(connector)))
    (reply,) = replies(connector)
    assert (reply.payload["id"], reply.text, reply.integration) == (identity, "Yes please", "sms")
    assert closes(dispatch.report()) and agrees(connector)


def test_a_server_without_a_worker_asks_for_nothing_and_tidies(host: Host) -> None:
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    plan = host.plan()
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, batches_of_one(180))
    host.clock.advance(3600)
    before = dispatch.report()
    assert host.rows("SELECT count(*) AS n FROM totals")[0]["n"] > 500
    with serving(connector, with_worker=False):
        wait_until(lambda: bool(host.rows("SELECT count(*) AS n FROM totals")[0]["n"] < 50))
    assert dispatch.report() == before
    assert gets(plan, "inbounds") == gets(plan, "delivery_report") == 0


class TestNow:
    def test_everything_is_asked_for_whatever_is_due(self, host: Host) -> None:
        now = datetime.now(UTC)
        host.clock = Clock(lambda: now)
        plan = host.plan()
        connector = host.connector(plan)
        connector.work()
        first = connector.send(CAMPAIGN, people(3))
        connector.send(CAMPAIGN, people(2, after=3))
        write(plan)
        plan.idle()
        polled = connector.poll()
        assert (polled.receipts, polled.inbound, polled.events, polled.trouble) == (10, 1, 6, [])
        assert polled.reports == 4
        assert first.report().is_final
        again = connector.poll()
        assert (again.reports, again.receipts, again.inbound, again.events) == (0, 0, 1, 0)

    def test_of_one_dispatch_and_what_people_wrote(self, host: Host) -> None:
        plan = host.plan()
        connector = host.connector(plan)
        first = connector.send(CAMPAIGN, people(3))
        other = connector.send(CAMPAIGN, people(2, after=3), key="other")
        write(plan)
        plan.idle()
        polled = connector.poll("other")
        assert (polled.reports, polled.inbound, polled.events) == (2, 1, 3)
        assert (first.report().delivered, other.report().delivered) == (0, 2)

    def test_beside_a_worker_in_another_process(self, host: Host) -> None:
        plan = host.plan()
        connector = host.connector(plan)
        dispatch = connector.send(CAMPAIGN, batches_of_one(20))
        written = {write(plan) for _ in range(20)}
        with worker(host, plan):
            wait_until(connector.worker_is_running)
            for _ in range(4):
                assert connector.poll().trouble == []
            assert dispatch.report().is_final
        assert [reply.payload["id"] for reply in sorted(replies(connector), key=lambda each: each.payload["id"])] == (
            sorted(written)
        )
        events = connector.events(limit=10_000)
        assert len({event.id for event in events}) == len(events) == 20 + 20 + 20
        assert closes(dispatch.report()) and agrees(connector)

    def test_what_fails_is_told_by_account(self, host: Host) -> None:
        good, bad = host.plan(), host.plan(service_plan_id="down")
        connector = host.connector(good, bad)
        dispatch = connector.send(CAMPAIGN, people(2))
        connector.send({**CAMPAIGN, "integration": "sms2"}, people(2))
        write(good)
        good.idle()
        bad.faults(listing_error=1)
        polled = connector.poll()
        assert dispatch.report().delivered == 2 and len(replies(connector)) == 1
        people_wrote, reports = sorted(polled.trouble, reverse=True)
        assert people_wrote.startswith("sinch-sms:down: What people wrote can't be asked for. http://127.0.0.1:")
        assert reports.startswith("sinch-sms:down: Reports can't be asked for. http://127.0.0.1:")
        assert [state.inbound_failures for state in connector.accounts()] == [1, 0]
        bad.faults()
        assert connector.poll().trouble == []
        assert [(state.inbound_failures, state.trouble) for state in connector.accounts()] == [(0, None), (0, None)]

    def test_an_account_that_is_to_be_left_alone_is_named(self, host: Host) -> None:
        now = datetime.now(UTC)
        host.clock = Clock(lambda: now)
        plan = host.plan(faults={"throttled": 1})
        connector = host.connector(plan)
        connector.send(CAMPAIGN, people(2), drain=False)
        connector.work()
        plan.requests.clear()
        (sentence,) = connector.poll().trouble
        assert sentence.startswith("sinch-sms:simulated-plan: The provider asked to wait until ")
        assert not plan.requests


def test_two_integrations_on_one_account_are_asked_once(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan, plan)
    connector.prepare()
    write(plan)
    connector.work()
    assert gets(plan, "inbounds") == 1
    assert [event.integration for event in replies(connector)] == ["sms"]


def test_whoever_is_killed_between_pages_loses_nothing(host: Host) -> None:
    """How far everything was read is written down after the last page only; what was read is known again."""
    plan = host.plan()
    connector = host.connector(plan)
    connector.prepare()
    written = [write(plan) for _ in range(150)]
    (before,) = accounts(host)
    killed = threading.Event()

    with worker(host, plan) as process:

        def kill_at_second_page(method: str, path: str) -> None:
            if gets(plan, "inbounds") == 2:
                process.kill()
                process.wait()
                killed.set()

        plan.when_asked = kill_at_second_page
        assert killed.wait(120)
    plan.when_asked = lambda method, path: None
    assert sorted(reply.payload["id"] for reply in replies(connector)) == sorted(written[50:])
    assert accounts(host) == [before]
    connector.work()
    assert sorted(reply.payload["id"] for reply in replies(connector)) == sorted(written)
    assert accounts(host)[0]["read_to"] > before["read_to"]


@pytest.mark.parametrize("fault", ["listing_error", "listing_truncated"])
def test_a_list_that_is_out_of_order_is_asked_for_again_from_where_it_was(host: Host, fault: str) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    connector.prepare()
    (before,) = accounts(host)
    written = [write(plan) for _ in range(4)]
    plan.faults(**{fault: 1})
    connector.work()
    assert accounts(host) == [{**before, "failures": 1}]
    assert "can't be asked for" in (connector.accounts()[0].trouble or "")
    plan.faults()
    host.clock.advance(180)
    connector.work()
    assert sorted(reply.payload["id"] for reply in replies(connector)) == sorted(written)
    assert accounts(host)[0]["failures"] == 0 and connector.accounts()[0].trouble is None
