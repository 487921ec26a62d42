"""How the messages of an open dispatch share batches, and how what is reported finds the right one of a person's."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic_core import to_json
from sending_kit import Clock, Host, Plan, Posted, agrees, callback, closes, people, refusal

from connector import Connector, KeyConflict, OpenDispatch, RecipientsError
from connector.http import Answer
from connector.model.callback import Request
from connector.model.event import Status

CONFIRMED: dict[str, Any] = {
    "name": "confirmed",
    "sender": "Bookshop",
    "message": {"text": "Hi ${name}, your order ${order} is on its way."},
}
ADA = people(1)[0]
SWEDES = [f"+46701740{number}" for number in range(605, 615)]


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
def connector(host: Host, plan: Plan, still: Clock) -> Connector:
    return host.connector(plan)


@pytest.fixture
def opened(connector: Connector) -> OpenDispatch:
    return connector.open(CONFIRMED, key="confirmed")


def add(opened: OpenDispatch, row: Mapping[str, Any], *orders: str) -> list[str]:
    """Add orders of one person; returns the ids of their messages."""
    added = [opened.add({**row, "order": order}, key=order) for order in orders]
    assert [each.reason for each in added] == [None] * len(orders)
    return [each.message_id for each in added]


def texts(posted: Posted) -> dict[str, str]:
    """What each person would read."""
    body, parameters = posted.content["body"], posted.content.get("parameters", {})
    found = {}
    for number in posted.content["to"]:
        text = body
        for name, values in parameters.items():
            text = text.replace(f"${{{name}}}", values.get(number, values.get("default", "")))
        found[number] = text
    return found


def people_of(plan: Plan) -> list[list[str]]:
    return [posted.content["to"] for posted in plan.posted]


def digits(*rows: Mapping[str, str]) -> list[str]:
    return [row["to"].removeprefix("+") for row in rows]


# Who travels with whom


def test_what_comes_within_a_moment_travels_together(plan: Plan, still: Clock, opened: OpenDispatch) -> None:
    connector = opened._connector
    first, second, third = people(3)
    add(opened, first, "1")
    connector.work()
    still.advance(0.2)
    add(opened, second, "2")
    connector.work()
    assert plan.posted == []
    still.advance(0.05)
    connector.work()
    assert people_of(plan) == [digits(first, second)]
    # That batch has left: this is another one.
    add(opened, third, "3")
    connector.work()
    still.advance(0.25)
    connector.work()
    assert people_of(plan) == [digits(first, second), digits(third)]
    assert agrees(connector)


def test_a_clock_that_is_set_back_keeps_nobody_waiting(host: Host, plan: Plan, opened: OpenDispatch) -> None:
    connector = opened._connector
    first, second = people(2)
    host.clock.advance(3600)
    add(opened, first, "1")
    host.clock.advance(-3600)
    add(opened, second, "2")
    host.clock.advance(0.25)
    connector.work()
    assert people_of(plan) == [digits(first, second)]


def test_a_full_batch_waits_for_nobody(plan: Plan, opened: OpenDispatch) -> None:
    connector = opened._connector
    rows = people(1003)
    with ThreadPoolExecutor(40) as pool:
        added = list(pool.map(lambda row: opened.add({**row, "order": "1"}, key=row["customer_id"]), rows))
    assert len({each.message_id for each in added}) == 1003
    connector.work()
    assert [len(people) for people in people_of(plan)] == [1000]
    report = opened.report()
    assert (report.recipients, report.enqueued, report.waiting) == (1003, 1000, 3)
    assert closes(report) and agrees(connector)
    ids = {event.customer_id: event.message_id for event in opened.all_events()}
    told = {row["customer_id"]: each.message_id for row, each in zip(rows, added, strict=True)}
    assert ids.items() <= told.items() and len(ids) == 1000


def test_nobody_is_twice_in_one_batch(plan: Plan, still: Clock, opened: OpenDispatch) -> None:
    """Another message to a person begins another batch, which others join."""
    connector = opened._connector
    ada, bo, cy = people(3)
    for row, order in ((ada, "1"), (bo, "2"), (ada, "3"), (cy, "4"), (bo, "5"), (ada, "6")):
        add(opened, row, order)
    still.advance(0.25)
    connector.work()
    assert sorted(people_of(plan)) == sorted([digits(ada, bo), digits(ada, cy, bo), digits(ada)])
    assert agrees(connector)


def test_senders_and_texts_travel_apart(plan: Plan, still: Clock, opened: OpenDispatch) -> None:
    connector = opened._connector
    rows = people(6)
    for place, row in enumerate(rows):
        own = [{}, {"sender": "Library"}, {"text": f"Only for you, {place}"}][place % 3]
        add(opened, {**row, **own}, str(place))
    still.advance(0.25)
    connector.work()
    assert sorted(people_of(plan)) == sorted([digits(*rows[place::3]) for place in range(3)])
    sent = {number: text for posted in plan.posted for number, text in texts(posted).items()}
    assert [sent[number] for number in digits(*rows[:3])] == [
        "Hi Reader 0, your order 0 is on its way.",
        "Hi Reader 1, your order 1 is on its way.",
        "Only for you, 2",
    ]
    assert agrees(connector)


def test_long_texts_of_the_host_travel_together(plan: Plan, still: Clock, opened: OpenDispatch) -> None:
    """And not with short ones, which can't be cut into as many pieces."""
    connector = opened._connector
    rows = [{**row, "text": "word " * (1 + 20 * place)} for place, row in enumerate(people(10))]
    rows[9]["text"] = "x"
    for place, row in enumerate(rows):
        add(opened, row, str(place))
    still.advance(0.25)
    connector.work()
    sent = {number: text for posted in plan.posted for number, text in texts(posted).items()}
    assert sent == {row["to"].removeprefix("+"): row["text"] for row in rows}
    assert sorted(map(len, people_of(plan))) == [3, 7]
    assert agrees(connector)


def test_a_long_value_beside_a_short_one_travels_alone(plan: Plan, still: Clock, opened: OpenDispatch) -> None:
    """Also where others follow whose values may all be cut."""
    connector = opened._connector
    long, numbered = "Long name " * 20, "order number {} of this year"
    rows = people(6)
    given = [
        (long, "0"),
        ("Ada", "1"),
        (long, "2"),
        ("Bo", "3"),
        (long, numbered.format(4)),
        (long, numbered.format(5)),
    ]
    for row, (name, order) in zip(rows, given, strict=True):
        add(opened, {**row, "name": name}, order)
    still.advance(0.25)
    connector.work()
    sent = {number: text for posted in plan.posted for number, text in texts(posted).items()}
    assert sent == {
        number: f"Hi {name}, your order {order} is on its way."
        for number, (name, order) in zip(digits(*rows), given, strict=True)
    }
    alone, together = [digits(rows[0]), digits(rows[2])], [digits(rows[1], rows[3]), digits(*rows[4:])]
    assert sorted(people_of(plan)) == sorted([*alone, *together])
    assert agrees(connector)


@pytest.mark.parametrize("answer", [refusal(429), refusal(503), refusal(401, "unauthorized", "Who is it?")])
def test_what_may_have_been_sent_is_not_added_to(
    host: Host, plan: Plan, still: Clock, opened: OpenDispatch, answer: Answer
) -> None:
    """Whatever became of the first try, the same key goes out with the same people."""
    connector = opened._connector
    first, second = people(2)
    plan.answers.append(answer)
    add(opened, first, "1")
    still.advance(0.25)
    connector.work()
    assert people_of(plan) == [digits(first)]
    add(opened, second, "2")
    if opened.report().state == "stopped":
        opened.resume()
    report = host.settle(opened)
    assert (report.enqueued, report.state) == (2, "running")
    by_key: dict[str, set[str]] = {}
    for posted in plan.posted:
        by_key.setdefault(posted.content["client_reference"], set()).update(posted.content["to"])
    assert sorted(by_key.values(), key=sorted) == [set(digits(first)), set(digits(second))]
    assert plan.account()["accepted_once"] == 2
    assert agrees(connector)


# Refusals and countries


def test_one_bad_number_fails_alone_and_what_is_added_meanwhile_waits_its_turn(
    host: Host, plan: Plan, still: Clock, opened: OpenDispatch
) -> None:
    """A provider that refuses every request with one number, and doesn't say why."""
    connector = opened._connector
    rows = people(12)
    (bad,) = digits(rows[0])
    tasks: list[str] = []

    def answer(posted: Posted) -> Answer | None:
        if 1 < len(plan.posted) < 5:
            # While it is being found out about, more are added.
            add(opened, rows[8 + len(tasks)], f"later-{len(tasks)}")
            tasks.append(host.batches()[-1]["task"])
        return (
            refusal(400, "syntax_constraint_violation", "Something is wrong.") if bad in posted.content["to"] else None
        )

    plan.answers.extend([answer] * 50)
    for place, row in enumerate(rows[:8]):
        add(opened, row, str(place))
    report = host.settle(opened)
    assert (report.enqueued, report.enqueue_failed, report.state) == (10, 1, "running")
    assert len(plan.posted) <= 10
    assert tasks == ["trial"] * 3
    (failed,) = (event for event in opened.all_events() if event.status is Status.enqueue_failed)
    assert failed.customer_id == "c-0"
    assert closes(report) and agrees(connector)
    # Its parts have keys of their own, and it goes on as before.
    assert len({batch["client_reference"] for batch in plan.batches()}) == len(plan.batches())
    add(opened, rows[11], "last")
    assert host.settle(opened).enqueued == 11


def test_a_country_that_is_paused_waits_and_the_others_go_on(host: Host, still: Clock) -> None:
    plan = host.plan(endings={SWEDES[0][1:]: "Aborted:412"})
    connector = host.connector(plan)
    opened = connector.open(CONFIRMED, key="confirmed")

    def swede(place: int) -> dict[str, str]:
        return {"to": SWEDES[place], "name": "Astrid"}

    add(opened, swede(0), "0")
    host.settle(opened, when=lambda report: report.rejected == 1)
    add(opened, swede(1), "1")
    add(opened, ADA, "2")
    report = host.settle(opened, when=lambda report: report.delivered == 1)
    assert (report.waiting, report.state) == (1, "running")
    add(opened, swede(2), "3")
    still.advance(1)
    connector.work()
    # Now there is a batch of nobody else, which is kept back; others are not to wait with it.
    add(opened, people(2)[1], "4")
    report = host.settle(opened, when=lambda report: report.delivered == 2)
    assert report.waiting == 2
    assert closes(report) and agrees(connector)
    opened.resume()
    report = host.settle(opened, when=lambda report: report.is_final)
    assert (report.delivered, report.rejected, report.waiting) == (4, 1, 0)
    assert plan.account()["accepted_once"] == 5
    assert closes(report) and agrees(connector)


# Several messages to one person


def order_of(plan: Plan, batch: Mapping[str, Any], number: str) -> str:
    """The order that a batch tells a person of."""
    (posted,) = (each for each in plan.posted if each.content["client_reference"] == batch["client_reference"])
    return str(posted.content["parameters"]["order"][number])


def report_of(batch: Mapping[str, Any], number: str, status: str, code: int) -> bytes:
    return to_json(
        {
            "type": "recipient_delivery_report_sms",
            "batch_id": batch["id"],
            "client_reference": batch["client_reference"],
            "recipient": number,
            "status": status,
            "code": code,
            "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        }
    )


async def called_back(connector: Connector, bodies: Sequence[bytes]) -> list[int]:
    """The statuses of callbacks that all come at once."""
    path = urlsplit(connector.callback_addresses()["sms"]).path
    transport = httpx.ASGITransport(connector.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answers = await asyncio.gather(*(client.post(path, content=body) for body in bodies))
    return [answer.status_code for answer in answers]


def test_each_report_finds_its_message_among_hundreds_to_one_number(
    host: Host, plan: Plan, still: Clock, opened: OpenDispatch
) -> None:
    connector = opened._connector
    plan.hold("queue")
    others = people(30)[1:]
    orders = [f"{place}" for place in range(200)]

    def add_one(order: str) -> None:
        add(opened, ADA, order)
        if int(order) % 7 == 0:
            add(opened, others[int(order) // 7], f"other-{order}")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(add_one, orders))
    still.advance(0.25)
    connector.work()
    assert opened.report().enqueued == 200 + 29
    batches = plan.batches()
    assert len(batches) == 200
    (number,) = digits(ADA)
    told_of = {batch["id"]: order_of(plan, batch, number) for batch in batches}
    assert sorted(told_of.values()) == sorted(orders)
    # Every third fails; all in any order, some twice.
    failing = {order for order in orders if int(order) % 3 == 0}
    reported = [*batches, *batches[::5]]
    random.Random(7).shuffle(reported)
    outcomes = [("Failed", 150) if told_of[batch["id"]] in failing else ("Delivered", 0) for batch in reported]
    for batch, (status, code) in zip(reported[:60], outcomes, strict=False):
        assert callback(connector, batch, number, status, code).status == 200
    assert agrees(connector)
    # The others at once: they are written together.
    bodies = [
        report_of(batch, number, status, code)
        for batch, (status, code) in zip(reported[60:], outcomes[60:], strict=True)
    ]
    assert set(asyncio.run(called_back(connector, bodies))) == {200}
    report = opened.report()
    assert (report.delivered, report.failed, report.open) == (200 - len(failing), len(failing), 29)
    sent = {order: opened.add({**ADA, "order": order}, key=order).message_id for order in orders}
    told = {event.message_id: event.status for event in opened.all_events() if event.status != "enqueued"}
    assert told == {sent[order]: "failed" if order in failing else "delivered" for order in orders}
    assert closes(report) and agrees(connector)
    # A report on somebody who is not in that batch belongs to nobody.
    lonely = next(batch for batch in batches if batch["size"] == 1)
    callback(connector, lonely, digits(others[0])[0], "Delivered", 0)
    assert opened.report().delivered == report.delivered


def test_a_report_finds_its_message_beside_one_of_another_sender(
    plan: Plan, still: Clock, opened: OpenDispatch
) -> None:
    """Batches of different senders lie across each other."""
    connector = opened._connector
    plan.hold("queue")
    (library,) = add(opened, {**ADA, "sender": "Library"}, "1")
    add(opened, people(2)[1], "2")
    add(opened, {**people(2)[1], "sender": "Library"}, "3")
    (bookshop,) = add(opened, ADA, "4")
    still.advance(0.25)
    connector.work()
    (number,) = digits(ADA)
    by_order = {order_of(plan, batch, number): batch for batch in plan.batches()}
    callback(connector, by_order["4"], number, "Delivered", 0)
    callback(connector, by_order["1"], number, "Failed", 150)
    answered(connector, by_order["4"], number, "01REPLY")
    told = [(event.message_id, event.status) for event in opened.all_events() if event.status != "enqueued"]
    assert told == [(bookshop, "delivered"), (library, "failed"), (bookshop, "replied")]
    assert agrees(connector)


def test_what_is_polled_finds_its_message(host: Host, still: Clock) -> None:
    """Several batches to the same people, whose reports are asked for and not called back."""
    ada, bo = people(2)
    plan = host.plan()
    connector = host.connector(plan)
    opened = connector.open(CONFIRMED, key="confirmed")
    for order in range(4):
        add(opened, ada, f"a{order}")
        add(opened, bo, f"b{order}")
    report = host.settle(opened, when=lambda report: report.is_final)
    assert report.delivered == 8
    assert len(plan.posted) == 4
    assert sorted(event.message_id for event in opened.all_events() if event.status == "delivered") == sorted(
        f"{opened.id}-{place}" for place in range(8)
    )
    assert agrees(connector)


def answered(connector: Connector, batch: Mapping[str, Any], number: str, identity: str) -> None:
    """A person answers to a batch."""
    body = {
        "type": "mo_text",
        "id": identity,
        "from": number,
        "to": "12015550199",
        "body": "Thanks",
        "client_reference": batch["client_reference"],
        "received_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
    }
    path = urlsplit(connector.callback_addresses()["sms"]).path
    assert connector.receive(Request("POST", path, {}, to_json(body))).status == 200


def test_all_of_a_person_is_told_message_by_message(host: Host, plan: Plan, still: Clock, opened: OpenDispatch) -> None:
    connector = opened._connector
    ids = add(opened, ADA, "1", "2", "3")
    opened.add({"to": ADA["to"], "order": "4"}, key="4")
    host.settle(opened, when=lambda report: report.is_final)
    (number,) = digits(ADA)
    batches = {order_of(plan, batch, number): batch for batch in plan.batches()}
    answered(connector, batches["2"], number, "01REPLY")
    histories = connector.messages_of(ADA["to"]).messages
    assert [history.message_id for history in histories] == [f"{opened.id}-3", *reversed(ids)]
    assert [history.state for history in histories] == ["skipped", "delivered", "delivered", "delivered"]
    assert [[event.status for event in history.events] for history in histories] == [
        ["skipped"],
        ["enqueued", "delivered"],
        ["enqueued", "delivered", "replied"],
        ["enqueued", "delivered"],
    ]
    assert [history.batch for history in histories[1:]] == [
        batches[order]["client_reference"] for order in ("3", "2", "1")
    ]


def test_feedback_is_on_the_newest_that_was_taken(host: Host, plan: Plan, still: Clock) -> None:
    connector = host.connector(plan, integration={"delivery_feedback": True})
    opened = connector.open(CONFIRMED, key="confirmed")
    add(opened, ADA, "1", "2")
    still.advance(0.25)
    connector.work()
    add(opened, ADA, "3")
    (number,) = digits(ADA)
    batches = {order_of(plan, batch, number): batch["id"] for batch in plan.batches()}
    assert opened.feedback([ADA["to"]]) == 1
    assert [path for path in plan.requests if "feedback" in path] == [f"POST batches/{batches['2']}/delivery_feedback"]
    with pytest.raises(RecipientsError, match="Nobody with this number"):
        opened.feedback([people(2)[1]["to"]])


def test_a_dispatch_from_a_list_still_takes_a_person_once(host: Host, plan: Plan, connector: Connector) -> None:
    """The other kind is as it was, beside an open one in the same ledger."""
    opened = connector.open(CONFIRMED, key="confirmed")
    add(opened, ADA, "1")
    dispatch = connector.send(CONFIRMED, [{**ADA, "order": "2"}, {**ADA, "order": "3"}], drain=False)
    report = host.settle(dispatch, when=lambda report: report.is_final)
    assert (report.state, report.skipped.by_reason, report.delivered) == ("finished", {"duplicate": 1}, 1)
    assert opened.report().delivered == 1
    with pytest.raises(KeyConflict):
        add(opened, people(2)[1], "1")
    assert agrees(connector)
