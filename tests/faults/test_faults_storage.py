"""A ledger that can't be written: its disk is full, or another program holds it for longer than anybody waits."""

import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sending_kit import (
    CAMPAIGN,
    Host,
    Posted,
    agrees,
    batches_of_one,
    callback,
    closes,
    people,
    time_passing,
    wait_until,
)

from connector.ledger import database
from connector.model.errors import LedgerError
from connector.simulator import find
from connector.testing.course import LOG
from connector.testing.sweep import at_any_time, at_the_end, end_of, staged, start

NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def test_a_disk_that_is_full_in_the_midst_of_sending_loses_nobody_and_sends_nobody_twice() -> None:
    """From some moment on the files of the process can't grow; then there is room again."""
    with staged(find("sinch-sms")) as (stage, course):
        process = start(course, None)
        wait_until(lambda: bool(stage.posts))
        assert process.pid is not None
        written = (course.folder / "ledger.db-wal").stat().st_size
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (written, resource.RLIM_INFINITY))
        log = course.folder / LOG
        wait_until(lambda: not process.is_alive() or (log.exists() and "can't be used" in log.read_text()))
        assert at_any_time(stage, course) == []
        if process.is_alive():
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, NO_LIMIT)
        # It may have ended by an error that says why: whoever sends again goes on.
        end_of(process)
        assert "Make room" in log.read_text()
        assert end_of(start(course, None)) == 0
        assert at_the_end(stage, course) == []


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program writes to the ledger all the while, without taking turns with anybody."""
    program = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None);"
        "connection.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.stdin.close()


def test_a_ledger_that_is_locked_for_too_long_says_so_and_all_goes_on_when_it_is_free(
    host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Locked while an answer is awaited: it can't be written down, and is found by a look-up."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 1)
    plan = host.plan(callback_secret=None)
    connector = host.connector(plan)
    posted, locked = threading.Event(), threading.Event()

    def wait_for_the_lock(_: Posted) -> None:
        posted.set()
        assert locked.wait(60)

    plan.when_posted = wait_for_the_lock
    dispatch = connector.plan(CAMPAIGN, batches_of_one(3))
    opened = connector.open(CAMPAIGN, key="orders")
    stop = threading.Event()
    working = threading.Thread(target=connector.run, args=(stop,))
    working.start()
    try:
        assert posted.wait(60)
        with held(host.path):
            locked.set()
            wait_until(lambda: "another program has been writing to it for too long" in caplog.text)
            with pytest.raises(LedgerError, match="end that one"):
                connector.plan(CAMPAIGN, people(2, after=100))
            (row,) = people(1, after=200)
            with pytest.raises(LedgerError, match="end that one"):
                opened.add(row, key="order 1")
            wait_until(lambda: bool(plan.batches()))
            number = batches_of_one(1)[0]["to"].removeprefix("+")
            assert callback(connector, plan.batches()[0], number, "Delivered", 0).status == 503
            assert dispatch.report().recipients == 3
        first = opened.add(row, key="order 1")
        assert opened.add(row, key="order 1") == first
        opened.close()
        with time_passing(host):
            wait_until(lambda: dispatch.report().is_final and opened.report().is_final)
    finally:
        locked.set()
        stop.set()
        working.join()
    assert [each.report().delivered for each in (dispatch, opened)] == [3, 1]
    account = plan.account()
    assert (account["numbers"], account["accepted_more"]) == (4, 0)
    assert closes(dispatch.report()) and agrees(connector)
    assert not any(connector.verify(with_provider=True).values())
