"""The same start again, and keys: nothing is sent twice by mistake."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Host, Plan, agrees, batches_of_one, closes, people, refusal, wait_until

from connector import Campaign, Connector, Recipient
from connector.model.errors import KeyConflict, RecipientsError


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


@pytest.fixture
def connector(host: Host, plan: Plan) -> Connector:
    return host.connector(plan)


def a_file(folder: Path, rows: list[dict[str, str]], name: str = "people.csv") -> Path:
    path = folder / name
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_batch_keys_are_unique_for_ever_and_say_nothing(host: Host, plan: Plan, connector: Connector) -> None:
    rows = batches_of_one(12)
    for key in ("anna-secret-key", None):
        connector.send(CAMPAIGN, rows, key=key)
    connector.send(CAMPAIGN, rows, again=True)
    keys = [posted.content["client_reference"] for posted in plan.posted]
    assert len(keys) == len(set(keys)) == 36
    assert max(map(len, keys)) <= 128
    everything = " ".join(keys)
    assert "anna" not in everything and "opening" not in everything
    assert not any(row["to"].removeprefix("+") in everything for row in rows)


def test_an_unfinished_dispatch_goes_on(host: Host, plan: Plan, connector: Connector) -> None:
    first = connector.send(CAMPAIGN, people(3), drain=False)
    again = connector.send(CAMPAIGN, people(3))
    assert again.id == first.id
    assert (first.report().enqueued, plan.account()["accepted_once"]) == (3, 3)


@pytest.mark.parametrize("key", [None, "mine"])
def test_a_stopped_dispatch_is_not_started_anew(host: Host, plan: Plan, connector: Connector, key: str | None) -> None:
    plan.answers.append(refusal(401))
    first = connector.send(CAMPAIGN, people(3), key=key)
    again = connector.send(CAMPAIGN, people(3), key=key)
    assert again.id == first.id
    assert (again.report().state, again.report().waiting) == ("stopped", 3)
    assert len(plan.posted) == 1


def test_a_finished_dispatch_under_a_key_of_ones_own_is_returned(host: Host, plan: Plan, connector: Connector) -> None:
    first = connector.send(CAMPAIGN, people(3), key="monday")
    again = connector.send(CAMPAIGN, people(3), key="monday")
    assert again.id == first.id
    assert again.report().enqueued == 3
    assert len(plan.posted) == 1


def test_a_finished_dispatch_under_the_default_key_is_refused(host: Host, plan: Plan, connector: Connector) -> None:
    first = connector.send(CAMPAIGN, people(3))
    with pytest.raises(KeyConflict, match=f"{first.id}.*--again"):
        connector.send(CAMPAIGN, people(3))
    assert len(plan.posted) == 1
    assert len(connector.dispatches()) == 1


def test_sending_again_is_asked_for_by_name(host: Host, plan: Plan, connector: Connector) -> None:
    first = connector.send(CAMPAIGN, people(3))
    second = connector.send(CAMPAIGN, people(3), again=True)
    third = connector.send(CAMPAIGN, people(3), again=True)
    assert len({first.id, second.id, third.id}) == 3
    assert plan.account()["more_than_once"] == {row["to"].removeprefix("+"): 3 for row in people(3)}
    assert [line.key for line in connector.dispatches()] == [
        f"{connector.dispatches()[-1].key}{tail}" for tail in ("-3", "-2", "")
    ]
    assert agrees(connector)


@pytest.mark.parametrize(
    ("campaign", "rows"),
    [
        ({**CAMPAIGN, "message": {"text": "Another text, ${name}."}}, people(3)),
        (CAMPAIGN, people(4)),
        (CAMPAIGN, [{**row, "name": "Somebody"} for row in people(3)]),
        ({**CAMPAIGN, "metadata": {"season": "autumn"}}, people(3)),
    ],
    ids=["text", "people", "values", "metadata"],
)
def test_the_same_key_for_something_else_is_refused(
    host: Host, plan: Plan, connector: Connector, campaign: dict[str, Any], rows: list[dict[str, str]]
) -> None:
    connector.send(CAMPAIGN, people(3), key="monday")
    with pytest.raises(KeyConflict, match="monday"):
        connector.send(campaign, rows, key="monday")
    # Without a key it is simply another dispatch.
    connector.send(campaign, rows)
    assert len(connector.dispatches()) == 2


def test_iterators_are_known_again_once_they_are_read(host: Host, plan: Plan, connector: Connector) -> None:
    first = connector.send(CAMPAIGN, iter(people(3)), drain=False)
    again = connector.send(CAMPAIGN, iter(people(3)))
    assert again.id == first.id
    with pytest.raises(KeyConflict, match=first.id):
        connector.send(CAMPAIGN, iter(people(3)))
    assert connector.send(CAMPAIGN, iter(people(3)), again=True).id != first.id
    assert len(connector.dispatches()) == 2
    assert agrees(connector)


def test_people_are_the_same_however_they_are_given(host: Host, plan: Plan, connector: Connector) -> None:
    first = connector.send(CAMPAIGN, people(3), drain=False)
    recipients = [
        Recipient(row["to"], customer_id=row["customer_id"], parameters={"name": row["name"]}) for row in people(3)
    ]
    assert connector.send(Campaign.model_validate(CAMPAIGN), recipients).id == first.id


def test_a_file_is_known_again_by_its_content(host: Host, plan: Plan, connector: Connector, tmp_path: Path) -> None:
    first = connector.send(CAMPAIGN, a_file(tmp_path, people(3)))
    with pytest.raises(KeyConflict):
        connector.send(CAMPAIGN, a_file(tmp_path, people(3), "copy.csv"))
    assert connector.send(CAMPAIGN, a_file(tmp_path, people(3), "copy.csv"), again=True).id != first.id


def broken(count: int) -> Any:
    yield from people(count)
    raise OSError("the disk is gone")


def test_what_can_not_be_read_to_its_end_leaves_nothing(host: Host, plan: Plan, connector: Connector) -> None:
    with pytest.raises(OSError, match="disk"):
        connector.send(CAMPAIGN, broken(2500), key="monday")
    with pytest.raises(RecipientsError):
        connector.send(CAMPAIGN, [*people(1500), {"name": "no number"}], key="monday")
    assert connector.dispatches() == []
    for table in ("messages", "addresses", "shapes", "totals", "batches"):
        assert host.rows(f"SELECT count(*) AS n FROM {table}") == [{"n": 0}]
    assert plan.posted == []
    assert not list(host.path.parent.glob("*planning*"))
    assert connector.send(CAMPAIGN, people(3), key="monday").report().enqueued == 3


def test_sums_close_at_every_moment_of_planning_and_pruning(host: Host, plan: Plan, connector: Connector) -> None:
    beside = host.connector(plan)
    beside.prepare()
    found: list[str] = []
    seen = set()
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            for line in beside.dispatches():
                seen.add(line.recipients)
            found.extend(difference for differences in beside.verify().values() for difference in differences)

    counting = threading.Thread(target=count)
    counting.start()
    try:
        with pytest.raises(OSError, match="disk"):
            connector.plan(CAMPAIGN, broken(12_000))
        connector.plan(CAMPAIGN, [*people(3000), *people(2000), {"to": "none"}])
    finally:
        done.set()
        counting.join()
    assert found == []
    assert len(seen) > 5


READER = """
import json, sys, threading
from connector import Connector

settings, campaign, rows = json.load(sys.stdin)

def reading():
    yield from rows
    print("read", flush=True)
    threading.Event().wait()

with Connector(settings, secrets=lambda reference: "simulated") as connector:
    connector.plan(campaign, reading(), key="monday")
"""


def reader(host: Host, plan: Plan) -> "subprocess.Popen[bytes]":
    """A process that has read and stored 3,000 people, and waits for more."""
    process = subprocess.Popen([sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps([host.settings({"sms": plan}), CAMPAIGN, people(3000)]).encode())
    process.stdin.close()
    assert process.stdout.readline() == b"read\n"
    return process


def test_a_dispatch_that_died_while_it_was_read_is_shown_and_pruned(
    host: Host, plan: Plan, connector: Connector
) -> None:
    process = reader(host, plan)
    try:
        # While it is read: nobody else may use its key, nothing is sent, and the sums close.
        (line,) = connector.dispatches()
        assert (line.state, line.abandoned) == ("planning", False)
        assert agrees(connector)
        with pytest.raises(KeyConflict, match="being read"):
            connector.send(CAMPAIGN, people(3), key="monday")
        connector.work()
        assert plan.posted == []
        # Another dispatch leaves it alone.
        connector.send(CAMPAIGN, people(1, after=5000))
        assert len(connector.dispatches()) == 2
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: any(line.abandoned for line in connector.dispatches()))
        assert agrees(connector)
        dispatch = connector.send(CAMPAIGN, people(3), key="monday")
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
    report = dispatch.report()
    assert (report.recipients, report.enqueued) == (3, 3)
    assert closes(report) and agrees(connector)
    assert len(connector.dispatches()) == 2
    assert host.rows("SELECT count(*) AS n FROM messages") == [{"n": 4}]


CUTTER = """
import json, sqlite3, sys, threading
from contextlib import closing
from datetime import UTC, datetime
from connector import Connector

settings, campaign, rows, path = json.load(sys.stdin)

def clock():
    with closing(sqlite3.connect(path)) as ledger:
        (cut,) = ledger.execute("SELECT count(*) FROM batches").fetchone()
    if cut:
        print("cut", flush=True)
        threading.Event().wait()
    return datetime.now(UTC)

with Connector(settings, secrets=lambda reference: "simulated", clock=clock) as connector:
    connector.plan(campaign, rows, key="monday")
"""


def test_a_dispatch_that_died_while_its_batches_were_made_sends_nothing_and_is_pruned(
    host: Host, plan: Plan, connector: Connector
) -> None:
    connector.prepare()
    rows = batches_of_one(1500)
    process = subprocess.Popen([sys.executable, "-c", CUTTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    with process:
        try:
            process.stdin.write(json.dumps([host.settings({"sms": plan}), CAMPAIGN, rows, str(host.path)]).encode())
            process.stdin.close()
            assert process.stdout.readline() == b"cut\n"
            # Batches are there, and due; nothing is sent of a dispatch that isn't whole.
            assert 0 < len(host.batches()) < 1500
            (line,) = connector.dispatches()
            assert (line.state, line.recipients) == ("planning", 1500)
            assert closes(connector.dispatch("monday").report())
            connector.work()
            assert (plan.posted, agrees(connector)) == ([], True)
        finally:
            process.kill()
    wait_until(lambda: any(line.abandoned for line in connector.dispatches()))
    connector.work()
    assert plan.posted == []
    dispatch = connector.plan(CAMPAIGN, people(3), key="monday")
    assert [batch["size"] for batch in host.batches()] == [3]
    dispatch.drain()
    report = dispatch.report()
    assert (report.recipients, report.enqueued) == (3, 3)
    assert closes(report) and agrees(connector)
    assert len(connector.dispatches()) == 1


def test_what_was_sent_before_and_is_known_only_in_the_end_leaves_nothing(host: Host, connector: Connector) -> None:
    first = connector.plan(CAMPAIGN, iter(batches_of_one(1200)))
    made = host.batches()
    assert [batch["ordinal"] for batch in made] == list(range(1200))
    assert connector.plan(CAMPAIGN, iter(batches_of_one(1200))).id == first.id
    assert host.batches() == made
    for table in ("messages", "addresses"):
        assert host.rows(f"SELECT count(*) AS n FROM {table}") == [{"n": 1200}]
    assert agrees(connector)


def test_a_dispatch_is_found_by_its_id_and_by_its_key(connector: Connector) -> None:
    dispatch = connector.send(CAMPAIGN, people(3), key="monday")
    assert connector.dispatch("monday").id == connector.dispatch(dispatch.id).id == dispatch.id


def test_a_repeat_that_was_interrupted_is_gone_on_with(connector: Connector) -> None:
    """Whoever starts `--again` once more after an interruption messages nobody a third time."""
    connector.send(CAMPAIGN, people(3))
    repeat = connector.plan(CAMPAIGN, people(3), again=True)
    assert connector.plan(CAMPAIGN, people(3), again=True).id == repeat.id
    assert connector.plan(CAMPAIGN, people(3)).id == repeat.id
    repeat.drain()
    with pytest.raises(KeyConflict):
        connector.plan(CAMPAIGN, people(3))
