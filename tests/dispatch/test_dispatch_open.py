"""Dispatches that stay open: opened once under a key, added to once under each message's, ended by close or cancel."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Clock, Host, Plan, agrees, batches_of_one, closes, people, refusal

from connector import (
    Added,
    CampaignError,
    Connector,
    DispatchClosed,
    InputError,
    KeyConflict,
    OpenDispatch,
    Recipient,
    RecipientsError,
)
from connector.connector import Dispatch
from connector.report import Report

CONFIRMED: dict[str, Any] = {
    "id": "cmp-7",
    "name": "confirmed",
    "sender": "Bookshop",
    "message": {"text": "Hi ${name}, your order ${order} is on its way."},
}


def orders(count: int) -> list[dict[str, str]]:
    """A row for each order, of different people."""
    return [{**row, "order": f"order-{place}"} for place, row in enumerate(people(count))]


def is_final(report: Report) -> bool:
    return report.is_final


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


@pytest.fixture
def still(host: Host) -> Clock:
    """A clock that only the test moves."""
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    return host.clock


@pytest.fixture
def connector(host: Host, plan: Plan) -> Connector:
    return host.connector(plan)


@pytest.fixture
def opened(connector: Connector) -> OpenDispatch:
    return connector.open(CONFIRMED, key="confirmed")


def add(opened: OpenDispatch, *rows: dict[str, Any]) -> list[Added]:
    """Add orders under their own numbers."""
    return [opened.add(row, key=row["order"]) for row in rows]


def test_what_is_added_is_sent_and_the_dispatch_stays_open(host: Host, plan: Plan, opened: OpenDispatch) -> None:
    connector = opened._connector
    assert opened.report().state == "running"
    assert connector.dispatches()[0].is_open
    added = add(opened, *orders(3))
    assert [(each.message_id, each.reason) for each in added] == [(f"{opened.id}-{n}", None) for n in range(3)]
    report = opened.report()
    assert (report.state, report.recipients, report.waiting) == ("running", 3, 3)
    assert closes(report) and agrees(connector)
    report = host.settle(opened, when=is_final)
    assert (report.state, report.delivered) == ("running", 3)
    assert [event.message_id for event in opened.all_events() if event.status == "enqueued"] == [
        each.message_id for each in added
    ]
    assert {event.campaign_id for event in opened.all_events()} == {"cmp-7"}
    assert closes(report) and agrees(connector)

    assert opened.is_open and opened.close() and not opened.is_open
    assert opened.report().state == "finished"
    assert not connector.dispatches()[0].is_open
    assert plan.account()["accepted_once"] == 3


def test_an_open_dispatch_may_be_drained_and_waited_for(plan: Plan, opened: OpenDispatch) -> None:
    add(opened, *orders(5))
    opened.drain()
    assert opened.report().enqueued == 5
    assert opened.wait().delivered == 5
    assert len(plan.posted) == 1


def test_the_same_key_finds_the_same_dispatch(host: Host, plan: Plan, opened: OpenDispatch) -> None:
    (first,) = add(opened, *orders(1))
    beside = host.connector(plan)
    again = beside.open(CONFIRMED, key="confirmed")
    assert (again.id, again.number) == (opened.id, opened.number)
    assert add(again, *orders(1)) == [first]
    found = beside.dispatch("confirmed")
    assert isinstance(found, OpenDispatch) and isinstance(beside.of_campaign("confirmed")[0], OpenDispatch)
    assert add(found, *orders(2))[1].message_id == f"{opened.id}-1"
    assert beside.open(CONFIRMED, key="another").id != opened.id


def test_a_key_belongs_to_one_campaign(host: Host, plan: Plan, opened: OpenDispatch) -> None:
    connector = host.connector(plan, plan)
    with pytest.raises(KeyConflict, match="another campaign"):
        connector.open({**CONFIRMED, "message": {"text": "Bye ${name} ${order}."}}, key="confirmed")
    with pytest.raises(KeyConflict, match="another integration"):
        connector.open({**CONFIRMED, "integration": "sms2"}, key="confirmed")
    connector.send(CAMPAIGN, people(1), key="list", drain=False)
    with pytest.raises(KeyConflict, match="from a list"):
        connector.open(CAMPAIGN, key="list")
    with pytest.raises(KeyConflict, match=f"{opened.id}.*one at a time"):
        connector.send(CONFIRMED, orders(1), key="confirmed")
    assert len(connector.dispatches()) == 2


def test_an_integration_may_get_another_name_meanwhile(host: Host, plan: Plan, connector: Connector) -> None:
    opened = connector.open({**CONFIRMED, "integration": "sms"}, key="confirmed")
    (first,) = add(opened, *orders(1))
    settings = host.settings({"renamed": plan})
    with Connector(settings, secrets=lambda reference: plan.options.api_token, clock=host.clock) as later:
        again = later.open({**CONFIRMED, "integration": "renamed"}, key="confirmed")
        assert (again.id, again.integration) == (opened.id, "renamed")
        assert add(again, *orders(2))[0] == first
        again.drain()
        assert again.report().enqueued == 2


def test_of_many_who_open_at_once_all_get_the_same(host: Host, plan: Plan) -> None:
    connectors = [host.connector(plan) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda one: one.open(CONFIRMED, key="confirmed").id, connectors * 4))
    assert len(set(opened)) == 1


# Keys of messages


def test_a_message_is_added_once_under_its_key(host: Host, plan: Plan, opened: OpenDispatch) -> None:
    row = {**orders(1)[0], "metadata": {"b": [1], "a": 2}}
    (first,) = add(opened, row)
    # However it is written, before and after it was sent.
    spelt = {"order": "order-0", "metadata.a": 2, "metadata": {"b": [1]}, "customer_id": "c-0", "name": "Reader 0"}
    assert add(opened, {**spelt, "to": f"00{row['to'][1:]}"}) == [first]
    recipient = Recipient(
        row["to"], "c-0", {"name": "Reader 0", "order": "order-0"}, metadata={"a": 2, "b": [1]}, language="sv"
    )
    host.settle(opened, when=is_final)
    assert opened.add(recipient, key="order-0") == first
    opened.close()
    assert opened.add(recipient, key="order-0") == first
    assert (opened.report().recipients, len(plan.posted)) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"to": "+12015550199"},
        {"name": "Ada"},
        {"customer_id": "c-1"},
        {"customer_id": ""},
        {"metadata.source": "shop"},
        {"text": "Hi Reader 0, your order order-0 is on its way."},
        {"sender": "Library"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_message_under_the_same_key_is_refused(opened: OpenDispatch, other: dict[str, str]) -> None:
    row = orders(1)[0]
    (first,) = add(opened, row)
    with pytest.raises(KeyConflict, match=f"'order-0' belongs to another message, {first.message_id}"):
        opened.add({**row, **other}, key="order-0")
    assert opened.report().recipients == 1
    assert opened.add({**row, **other}, key="order-1").message_id == f"{opened.id}-1"


def test_of_many_threads_with_one_key_one_adds(connector: Connector, opened: OpenDispatch) -> None:
    rows = orders(20)
    with ThreadPoolExecutor(16) as pool:
        added = list(pool.map(lambda row: opened.add(row, key=row["order"]), rows * 12))
    assert len({each.message_id for each in added}) == 20
    assert {added[place] == added[place % 20] for place in range(len(added))} == {True}
    assert opened.report().recipients == 20
    assert agrees(connector)


def test_what_one_thread_does_wrong_is_its_own(connector: Connector, opened: OpenDispatch) -> None:
    """Those who share a transaction each get their own answer."""
    other = connector.open(CAMPAIGN, key="other")
    closed = connector.open({**CAMPAIGN, "name": "closed"}, key="closed")
    closed.close()
    rows = orders(6)
    add(opened, rows[0])

    def tried(what: Callable[[], Added]) -> object:
        try:
            return what()
        except (KeyConflict, DispatchClosed, InputError) as error:
            return type(error)

    tries: list[tuple[Callable[[], Added], object]] = [
        (lambda: opened.add({**rows[0], "name": "x"}, key="order-0"), KeyConflict),
        (lambda: closed.add(people(1)[0], key="1"), DispatchClosed),
        (lambda: opened.add({"name": "x"}, key="order-9"), RecipientsError),
        *((lambda place=place: other.add(people(6)[place], key=f"{place}"), Added) for place in range(6)),  # type: ignore[misc]
    ] * 6
    with ThreadPoolExecutor(len(tries)) as pool:
        answers = list(pool.map(lambda one: tried(one[0]), tries))
    for answer, (_, wanted) in zip(answers, tries, strict=True):
        assert answer is wanted or type(answer) is wanted
    assert (opened.report().recipients, other.report().recipients, closed.report().recipients) == (1, 6, 0)
    assert agrees(connector)


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "line\nline", "\ud800"], ids=repr)
def test_a_key_that_cannot_be_kept_is_refused(connector: Connector, opened: OpenDispatch, key: str) -> None:
    with pytest.raises(InputError, match="200 printable"):
        opened.add(orders(1)[0], key=key)
    with pytest.raises(InputError, match="200 printable"):
        connector.open(CONFIRMED, key=key)
    assert opened.report().recipients == 0


# Screening


def test_who_is_not_messaged_is_told_with_the_reason(host: Host, plan: Plan) -> None:
    connector = host.connector(plan, senders={"uk": {"value": "Shop", "countries": ["GB", "US"]}})
    opened = connector.open({**CONFIRMED, "sender": "uk", "max_parts": 1}, key="confirmed")
    good = orders(1)[0]
    tried = {
        "invalid_number": {**good, "to": "12"},
        "missing_parameter": {**good, "name": ""},
        "too_long": {**good, "name": "x" * 160},
        "country": {**good, "to": "+46701740605"},
    }
    for reason, row in tried.items():
        added = opened.add(row, key=reason)
        assert added.reason == reason
        assert opened.add(row, key=reason) == added
        assert opened.report().skipped.by_reason[reason] == 1
    assert opened.add(good, key="good").reason is None
    report = host.settle(opened, when=is_final)
    assert (report.recipients, report.skipped.total, report.delivered) == (5, 4, 1)
    told = [(event.message_id, event.comment) for event in opened.all_events() if event.status == "skipped"]
    assert told == [(f"{opened.id}-{place}", reason) for place, reason in enumerate(tried)]
    assert closes(report) and agrees(connector)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "x", "order": "1"}, "no `to`"),
        ({"to": "+12015550100", "name": ["x"], "order": "1"}, "'name' is no text"),
        ({"to": "+12015550100", "sender": "much too long a sender", "name": "x", "order": "1"}, "can't be used"),
    ],
)
def test_what_cannot_be_read_is_refused(opened: OpenDispatch, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipientsError, match=said):
        opened.add(wrong, key="1")
    assert opened.report().recipients == 0


def test_a_campaign_that_cannot_be_sent_is_not_opened(connector: Connector) -> None:
    now = datetime.now(UTC)
    for wrong, said in (
        ({"send_at": now + timedelta(hours=1)}, "send_at.*goes out at once"),
        ({"expire_at": now - timedelta(hours=1)}, "expire_at"),
        ({"integration": "nowhere"}, "nowhere"),
        ({"sender": "much too long a sender"}, "sender"),
    ):
        with pytest.raises(CampaignError, match=said):
            connector.open({**CONFIRMED, **wrong}, key="confirmed")
    assert connector.dispatches() == []


def test_what_has_expired_is_skipped(host: Host, plan: Plan, connector: Connector) -> None:
    campaign = {**CONFIRMED, "expire_at": host.clock() + timedelta(hours=1)}
    opened = connector.open(campaign, key="confirmed")
    first, second = orders(2)
    assert add(opened, first)[0].reason is None
    host.clock.advance(3601)
    assert add(connector.open(campaign, key="confirmed"), second)[0].reason == "expired"
    report = host.settle(opened, when=lambda report: not report.waiting)
    assert report.skipped.by_reason == {"expired": 2}
    assert opened.add(first, key="order-0") == Added(f"{opened.id}-0", "expired")
    assert plan.posted == []
    assert closes(report) and agrees(connector)


# The end, and what comes before it


@pytest.mark.parametrize("state", ["paused", "stopped"])
def test_what_is_added_while_nothing_is_sent_waits(host: Host, plan: Plan, opened: OpenDispatch, state: str) -> None:
    connector = opened._connector
    if state == "paused":
        opened.pause()
    else:
        plan.answers.append(refusal(403, "forbidden", "No."))
        add(opened, {**orders(1)[0], "order": "refused"})
        host.settle(opened, when=lambda report: report.state == "stopped")
    posted = len(plan.posted)
    added = add(opened, *orders(3))
    assert [each.reason for each in added] == [None] * 3
    host.clock.advance(3600)
    connector.work()
    report = opened.report()
    assert (report.state, len(plan.posted)) == (state, posted)
    assert closes(report) and agrees(connector)
    opened.resume()
    report = host.settle(opened, when=is_final)
    assert (report.state, report.delivered) == ("running", report.recipients)


def end(how: str) -> Callable[[OpenDispatch], bool]:
    return Dispatch.cancel if how == "cancelled" else OpenDispatch.close


@pytest.mark.parametrize("how", ["closed", "cancelled"])
def test_an_ended_dispatch_takes_no_more(host: Host, plan: Plan, opened: OpenDispatch, how: str) -> None:
    connector = opened._connector
    first, second = orders(2)
    (added,) = add(opened, first)
    assert end(how)(opened)
    assert not end(how)(opened)
    for again in (opened, connector.open(CONFIRMED, key="confirmed")):
        with pytest.raises(DispatchClosed, match=f"{opened.id} is {how}.*new key"):
            add(again, second)
    report = host.settle(opened, when=is_final)
    assert report.recipients == 1
    if how == "closed":
        assert (report.state, report.delivered) == ("finished", 1)
        assert add(opened, first) == [added]
    else:
        assert (report.state, report.skipped.by_reason, plan.posted) == ("cancelled", {"cancelled": 1}, [])
        assert add(opened, first) == [Added(added.message_id, "cancelled")]
    assert closes(report) and agrees(connector)


def test_one_that_has_nothing_to_send_can_be_cancelled(host: Host, opened: OpenDispatch) -> None:
    add(opened, *orders(1))
    host.settle(opened, when=is_final)
    host.clock.advance(timedelta(days=9).total_seconds())
    opened._connector.work()
    assert opened.cancel()
    report = opened.report()
    assert (report.state, report.delivered) == ("cancelled", 1)
    assert not opened._connector.dispatches()[0].is_open
    with pytest.raises(DispatchClosed):
        add(opened, *orders(2))


def test_the_rate_of_its_account_holds_for_it(host: Host, plan: Plan, still: Clock) -> None:
    connector = host.connector(plan, clock=still)
    opened = connector.open(CONFIRMED, key="confirmed")
    connector.set_rate(opened.account, 1)
    rows = orders(4)
    add(opened, *rows[:2])
    still.advance(1)
    connector.work()
    add(opened, *rows[2:])
    still.advance(1)
    connector.work()
    assert (len(plan.posted), opened.report().waiting) == (1, 2)
    still.advance(1)
    connector.work()
    assert (len(plan.posted), opened.report().waiting) == (2, 0)


def test_it_goes_before_what_waits_of_a_list(host: Host, plan: Plan) -> None:
    connector = host.connector(plan, integration={"messages_per_second": 1})
    earlier = connector.send(CAMPAIGN, batches_of_one(5), drain=False)
    opened = connector.open(CONFIRMED, key="confirmed")
    add(opened, *orders(2))
    host.clock.advance(1)
    host.settle(earlier)
    assert [len(posted.content["to"]) for posted in plan.posted] == [2, 1, 1, 1, 1, 1]


def test_so_do_the_parts_of_its_batches(host: Host, plan: Plan) -> None:
    connector = host.connector(plan, integration={"messages_per_second": 1})
    earlier = connector.send(CAMPAIGN, batches_of_one(5), drain=False)
    opened = connector.open(CONFIRMED, key="confirmed")
    rows = orders(4)
    bad = rows[2]["to"].removeprefix("+")
    plan.answers.extend(
        [lambda posted: refusal(400, "syntax_constraint_violation", "No.") if bad in posted.content["to"] else None] * 9
    )
    add(opened, *rows)
    host.clock.advance(1)
    host.settle(earlier)
    assert (opened.report().enqueued, opened.report().enqueue_failed) == (3, 1)
    of_list = ["parameters" in posted.content and "order" not in posted.content["parameters"] for posted in plan.posted]
    assert of_list == [False] * (len(of_list) - 5) + [True] * 5


def test_it_is_open_for_weeks(host: Host, plan: Plan) -> None:
    """Every other day there is another process, and another order of the same people."""
    for day in range(0, 29, 2):
        connector = host.connector(plan)
        opened = connector.open(CONFIRMED, key="confirmed")
        for row in people(2):
            added = opened.add({**row, "order": f"{day}"}, key=f"{row['customer_id']}/{day}")
            assert added.reason is None
        report = host.settle(opened, when=is_final)
        assert (report.state, report.delivered, report.unconfirmed) == ("running", report.recipients, 0)
        connector.close()
        host.clock.advance(timedelta(days=2).total_seconds())
    opened = connector.open(CONFIRMED, key="confirmed")
    assert opened.add({**people(1)[0], "order": "0"}, key="c-0/0").message_id == f"{opened.id}-0"
    opened.close()
    report = opened.wait()
    assert (report.state, report.recipients, report.delivered) == ("finished", 30, 30)
    assert len(plan.posted) == 15
    assert closes(report) and agrees(connector)


UNSAID = refusal(400, "syntax_constraint_violation", "Something is wrong.")


def test_a_trickle_of_people_who_are_all_refused_alike_stops_it(
    host: Host, plan: Plan, still: Clock, opened: OpenDispatch
) -> None:
    connector = opened._connector
    plan.answers.extend([UNSAID] * 5)
    rows = orders(5)
    for row in rows[:3]:
        add(opened, row)
        still.advance(600)
        connector.work()
    report = opened.report()
    assert (report.state, report.waiting, report.enqueue_failed, len(plan.posted)) == ("stopped", 3, 0, 3)
    assert "syntax_constraint_violation" in (report.cause or "")
    assert closes(report) and agrees(connector)
    add(opened, *rows[3:])
    still.advance(1)
    connector.work()
    assert len(plan.posted) == 3

    plan.answers.clear()
    opened.resume()
    assert host.settle(opened).enqueued == 5
    assert plan.account()["accepted_once"] == 5
    assert closes(opened.report()) and agrees(connector)


def test_who_is_refused_alone_waits_for_what_becomes_of_the_next(
    host: Host, plan: Plan, still: Clock, opened: OpenDispatch
) -> None:
    connector = opened._connector
    plan.answers.extend([UNSAID, UNSAID])
    rows = orders(4)
    for row in rows[:2]:
        add(opened, row)
        still.advance(1)
        connector.work()
        assert opened.report().enqueue_failed == 0
    # Nobody draws out a wait for those who may never be added.
    opened.drain()
    add(opened, *rows[2:])
    report = host.settle(opened)
    assert (report.state, report.enqueued, report.enqueue_failed) == ("running", 2, 2)
    assert [event.customer_id for event in opened.all_events() if event.status == "enqueue_failed"] == ["c-0", "c-1"]
    assert closes(report) and agrees(connector)


@pytest.mark.parametrize("ends", ["closed", "a day later"])
def test_who_is_refused_alone_has_failed_when_nobody_follows(
    plan: Plan, still: Clock, opened: OpenDispatch, ends: str
) -> None:
    connector = opened._connector
    plan.answers.append(UNSAID)
    add(opened, *orders(1))
    still.advance(1)
    connector.work()
    assert (opened.report().waiting, len(plan.posted)) == (1, 1)
    if ends == "closed":
        opened.close()
    else:
        still.advance(23 * 3600)
        connector.work()
        assert opened.report().waiting == 1
        still.advance(3600)
        connector.work()
    report = opened.report()
    assert (report.enqueue_failed, report.waiting, len(plan.posted)) == (1, 0, 1)
    assert report.state == ("finished" if ends == "closed" else "running")
    assert closes(report) and agrees(connector)
