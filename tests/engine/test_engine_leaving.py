"""Whoever sends stays for a last look at a copy that was sent again, and not for what waiting can't bring."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime

from sending_kit import CAMPAIGN, Clock, Host, Posted, agrees, closes, people, refusal, time_passing, warm_up

from connector import Dispatch

TRACKING = {"doubt_window_seconds": 0, "resend_lead_seconds": 120}


def drains(dispatch: Dispatch) -> bool:
    """Whether draining ends by itself."""
    stop = threading.Event()
    thread = threading.Thread(target=lambda: dispatch.drain(stop=stop))
    thread.start()
    thread.join(60)
    ended = not thread.is_alive()
    stop.set()
    thread.join()
    return ended


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


def test_who_sends_does_not_stay_for_what_is_added_to_others_meanwhile(host: Host) -> None:
    """Of the open dispatch something is always on its way: each request ends once the next has begun."""
    plan = host.plan()
    connector = host.connector(plan)
    orders = connector.open({"name": "orders", "sender": "Orders", "message": {"text": "Hello"}}, key="orders")
    over = threading.Event()
    begun = [threading.Event()]

    def ordered(posted: Posted) -> None:
        if posted.content["from"] != "Orders":
            return
        begun[-1].set()
        begun.append(following := threading.Event())
        if not over.is_set():
            orders.add({"to": "+12015550199"}, key=str(len(begun)))
            # Nobody begins the last one.
            following.wait(2)

    plan.when_posted = ordered
    orders.add({"to": "+12015550199"}, key="first")
    # It is due, and leaves before what is sent now.
    host.clock.advance(1)
    sender = threading.Thread(target=lambda: connector.send(CAMPAIGN, people(3), key="spring"))
    try:
        sender.start()
        sender.join(60)
        assert not sender.is_alive()
    finally:
        over.set()
        sender.join()
    assert begun[0].is_set()
    report = connector.dispatch("spring").report()
    assert (report.enqueued, report.waiting) == (3, 0)
    assert closes(report) and agrees(connector)


def test_who_sends_does_not_stay_for_a_batch_in_doubt_that_others_are_tried_after(host: Host) -> None:
    """Its half waits for what becomes of it, which nobody can tell: no look-up was ever seen to work here."""
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    plan = host.plan()
    plan.answers.extend([refusal(400, "syntax_constraint_violation", "Something is wrong."), refusal(500)])
    connector = host.connector(plan, tracking=TRACKING)
    dispatch = connector.send(CAMPAIGN, people(2), drain=False)
    for _ in range(8):
        connector.work()
        host.clock.advance(300)
    assert drains(dispatch)
    report = dispatch.report()
    assert (report.in_doubt, report.waiting, report.state) == (1, 1, "running")
    # The next batch shows that looking up works, and so what became of the lost one: the trial goes on.
    warm_up(host, connector)
    assert host.settle(dispatch).enqueued == 2
    assert closes(report) and agrees(connector)


def test_nobody_stays_for_a_dispatch_whose_recipients_were_not_read_to_their_end(host: Host) -> None:
    """As a process leaves it that is killed after it has stored the first batches."""
    plan = host.plan()
    connector = host.connector(plan)
    dispatch = connector.send(CAMPAIGN, people(2), drain=False)
    with closing(sqlite3.connect(host.path)) as ledger, ledger:
        ledger.execute("UPDATE dispatches SET state = 'planning'")
    assert drains(dispatch)
    assert (dispatch.report().state, plan.posted) == ("planning", [])
