"""A ledger that was put back from a backup: what waits in it is looked up before any of it is sent."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sending_kit import CAMPAIGN, Clock, Host, Plan, agrees, batches_of_one, closes, people, refusal, warm_up

from connector import Connector, WorkerBusy
from connector.connector import Dispatch
from connector.model.errors import DispatchClosed, ReadFailed

WINDOW = 600
TRACKING = {"doubt_window_seconds": WINDOW, "resend_lead_seconds": 120}


class Backup:
    """A copy of the ledger, taken while it is in use, as `sqlite3 .backup` takes it."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self._path = folder / "backup.db"
        self._copy(host.path, self._path)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)

    def put_back(self, connector: Connector) -> None:
        connector.close()
        for path in self._host.path.parent.glob(f"{self._host.path.name}*"):
            path.unlink()
        self._copy(self._path, self._host.path)


class Restored:
    """A plan, a connector and its ledger, from before and after."""

    def __init__(self, host: Host, folder: Path) -> None:
        now = datetime.now(UTC)
        host.clock = Clock(lambda: now)
        self.host = host
        self.folder = folder
        self.plan: Plan = host.plan()
        self.connector = host.connector(self.plan, tracking=TRACKING)
        warm_up(host, self.connector)

    def dispatch(self, name: str, rows: list[dict[str, str]]) -> Dispatch:
        return self.connector.send({**CAMPAIGN, "name": name}, rows, drain=False)

    def send_all(self, dispatch: Dispatch) -> None:
        report = self.host.settle(dispatch, when=lambda report: report.is_settled)
        assert report.enqueued == report.recipients

    def backup(self) -> Backup:
        return Backup(self.host, self.folder)

    def each_once(self) -> bool:
        account = self.plan.account()
        return account["accepted_more"] == 0

    def agrees(self, dispatch: Dispatch) -> bool:
        return closes(dispatch.report()) and agrees(self.connector)


@pytest.fixture
def restored(host: Host, tmp_path: Path) -> Iterator[Restored]:
    yield Restored(host, tmp_path)


def test_what_was_sent_since_counts_as_accepted_and_the_rest_is_sent(restored: Restored) -> None:
    sent = restored.dispatch("sent", batches_of_one(4))
    waits = restored.dispatch("waits", people(3, after=500))
    waits.pause()
    backup = restored.backup()
    restored.send_all(sent)
    posted = len(restored.plan.posted)
    backup.put_back(restored.connector)

    found = restored.connector.recheck()
    assert (found.waited, found.accepted, found.held, found.closed, found.unknown) == (5, 4, 0, (), ())
    report = sent.report()
    assert (report.enqueued, report.waiting, report.in_doubt) == (4, 0, 0)
    assert (waits.report().state, waits.report().in_doubt) == ("paused", 3)

    waits.resume()
    began = restored.host.clock()
    restored.send_all(waits)
    assert restored.host.clock() - began >= timedelta(seconds=WINDOW)
    assert len(restored.plan.posted) == posted + 1
    assert restored.each_once()
    assert restored.agrees(sent)
    assert restored.agrees(waits)
    statuses = [event.status for event in sent.all_events()]
    assert statuses.count("enqueued") == 4


def test_a_list_that_lags_is_asked_again(restored: Restored) -> None:
    sent = restored.dispatch("sent", people(3))
    backup = restored.backup()
    restored.send_all(sent)
    posted = len(restored.plan.posted)
    backup.put_back(restored.connector)
    (newest,) = [batch["id"] for batch in restored.plan.standing() if batch["client_reference"].startswith(sent.id)]
    restored.plan.hidden.add(newest)
    found = restored.connector.recheck()
    assert (found.waited, found.accepted) == (1, 0)
    restored.connector.work()
    assert sent.report().in_doubt == 3
    restored.plan.hidden.clear()
    restored.send_all(sent)
    assert len(restored.plan.posted) == posted
    assert restored.each_once()
    assert restored.agrees(sent)


def test_a_batch_whose_parts_were_sent_waits_for_a_person(restored: Restored) -> None:
    dispatch = restored.dispatch("parts", people(4))
    dispatch.pause()
    backup = restored.backup()
    restored.plan.answers.append(refusal(400, "syntax_constraint_violation", "Something is wrong."))
    dispatch.resume()
    restored.send_all(dispatch)
    posted = len(restored.plan.posted)
    backup.put_back(restored.connector)
    found = restored.connector.recheck()
    assert (found.waited, found.accepted, found.held) == (1, 0, 1)
    dispatch.resume()
    for _ in range(5):
        restored.connector.work()
        restored.host.clock.advance(WINDOW)
    assert len(restored.plan.posted) == posted
    (batch,) = dispatch.in_doubt()
    assert "parts of it" in (batch.last_look_up or "")
    assert restored.agrees(dispatch)


def test_dispatches_that_were_made_since_are_named(restored: Restored) -> None:
    waits = restored.dispatch("waits", people(2))
    waits.pause()
    backup = restored.backup()
    since = restored.dispatch("since", people(2, after=100))
    restored.send_all(since)
    backup.put_back(restored.connector)
    assert restored.connector.recheck().unknown == (since.id,)


def test_an_open_dispatch_takes_no_more(restored: Restored) -> None:
    opened = restored.connector.open({**CAMPAIGN, "name": "orders"}, key="orders")
    opened.add(people(1)[0], key="order-1")
    backup = restored.backup()
    opened.add(people(1, after=1)[0], key="order-2")
    restored.send_all(opened)
    backup.put_back(restored.connector)
    found = restored.connector.recheck()
    assert found.closed == (opened.id,)
    with pytest.raises(DispatchClosed):
        opened.add(people(1, after=2)[0], key="order-3")


def test_what_is_not_due_yet_stays_as_it_is(restored: Restored) -> None:
    later = restored.host.clock() + timedelta(days=1)
    dispatch = restored.connector.send({**CAMPAIGN, "send_at": later}, people(2), drain=False)
    restored.backup().put_back(restored.connector)
    assert restored.connector.recheck().waited == 0
    assert dispatch.report().waiting == 2


def test_who_cannot_be_asked_changes_nothing(restored: Restored) -> None:
    dispatch = restored.dispatch("waits", people(2))
    restored.plan.stop()
    with pytest.raises(ReadFailed):
        restored.connector.recheck()
    assert dispatch.report().waiting == 2
    assert restored.host.attempts()[1:] == []


def test_nobody_may_send_meanwhile(restored: Restored) -> None:
    restored.dispatch("waits", people(2))
    worker = restored.connector.worker()
    asked = []

    def other() -> bool:
        with pytest.raises(WorkerBusy, match="Stop"):
            restored.host.connector(restored.plan, tracking=TRACKING).recheck()
        asked.append(True)
        return True

    worker.run(until=other)
    assert asked


def test_parts_of_what_was_on_its_way_at_the_backup_are_known_too(restored: Restored) -> None:
    made: list[Backup] = []
    dispatch = restored.dispatch("parts", people(4))
    restored.plan.when_posted = lambda posted: made or made.append(restored.backup())
    restored.plan.answers.append(refusal(400, "syntax_constraint_violation", "Something is wrong."))
    restored.send_all(dispatch)
    made[0].put_back(restored.connector)
    assert restored.host.states()[-1] == "sending"
    found = restored.connector.recheck()
    assert (found.waited, found.accepted, found.held) == (1, 0, 1)
    posted = len(restored.plan.posted)
    for _ in range(5):
        restored.connector.work()
        restored.host.clock.advance(WINDOW)
    assert len(restored.plan.posted) == posted
    assert restored.each_once()
    assert restored.agrees(dispatch)


def test_who_was_refused_alone_before_is_found_out_about_anew(restored: Restored) -> None:
    opened = restored.connector.open({**CAMPAIGN, "name": "orders"}, key="orders")
    opened.add(people(1)[0], key="order-1")
    restored.host.clock.advance(1)
    nobody = refusal(400, "syntax_constraint_violation", "Something is wrong.")
    restored.plan.answers.append(nobody)
    restored.connector.work()
    assert restored.host.rows("SELECT * FROM refused_alone") != []
    restored.backup().put_back(restored.connector)
    assert restored.connector.recheck().waited == 1
    restored.plan.answers.append(nobody)
    report = restored.host.settle(opened, when=lambda report: report.state == "finished")
    assert (report.enqueue_failed, report.waiting, report.in_doubt) == (1, 0, 0)
    assert restored.agrees(opened)
