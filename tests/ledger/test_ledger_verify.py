"""What `verify` notices: every way in which messages, batches, totals and events can come to disagree."""

import shutil
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sending_kit import CAMPAIGN, Host, agrees, hosting, people, refusal

from connector import Connector

POINTING = refusal(400, "syntax_invalid_parameter_format", "The format of 'to[2]' is invalid.")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a dispatch that has delivered, open, failed, refused and skipped messages."""
    with contextmanager(hosting)(tmp_path_factory.mktemp("sound")) as host:
        plan = host.plan(outcomes={"Delivered:0": 6, "Failed:150": 2, "Unknown:155": 2})
        plan.answers.append(POINTING)
        with host.connector(plan) as made:
            rows = [*people(30), people(30)[0], {"to": "none", "name": "x"}]
            dispatch = made.send(CAMPAIGN, rows, drain=False)
            report = host.settle(dispatch, when=lambda report: report.delivered > 0)
            assert (report.skipped.total, report.enqueue_failed) == (2, 1)
            assert report.delivered and report.failed and report.open
            assert agrees(made)
        return host.path


@pytest.fixture
def connector(host: Host, ledger: Path) -> Connector:
    """On a copy of that ledger."""
    shutil.copy(ledger, host.path)
    made = host.connector(host.plan())
    assert agrees(made)
    return made


TAMPERING: dict[str, tuple[str, str]] = {
    "a total": ("UPDATE totals SET delta = delta + 1 WHERE name = 'delivered'", "delivered"),
    "a message's state": (
        "UPDATE messages SET state = 'delivered', status_code = 0 WHERE ordinal = (SELECT min(ordinal) FROM messages"
        " WHERE state = 'failed')",
        "failed",
    ),
    "a lost event": (
        "DELETE FROM events WHERE number = (SELECT max(number) FROM events WHERE status = 'delivered')",
        "delivered",
    ),
    "a lost event of failing": ("DELETE FROM events WHERE status = 'enqueue_failed'", "enqueue_failed"),
    "a lost skip": ("UPDATE events SET size = size - 1 WHERE status = 'skipped'", "skipped"),
    "a lost message": ("DELETE FROM messages WHERE ordinal = 5", "rows"),
    "a batch's state": ("UPDATE batches SET state = 'waiting' WHERE state = 'accepted'", "waiting"),
    "a batch's size": ("UPDATE batches SET size = size + 1 WHERE state = 'accepted'", "astray"),
    "a batch that is gone": ("DELETE FROM batches WHERE state = 'accepted'", "astray"),
    "a second copy": (
        "INSERT INTO attempts (batch, number, sent_at, deadline, ended, provider_batch_id)"
        " SELECT batch, 9, sent_at, deadline, 'accepted', 'second' FROM attempts WHERE ended = 'accepted'",
        "two accepted copies",
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_verify_notices(host: Host, connector: Connector, what: str) -> None:
    statement, word = TAMPERING[what]
    with closing(sqlite3.connect(host.path)) as ledger:
        assert ledger.execute(statement).rowcount > 0
        ledger.commit()
    (found,) = connector.verify().values()
    assert any(word in line for line in found), found


def test_verify_counts_every_dispatch(host: Host, connector: Connector) -> None:
    second = connector.send(CAMPAIGN, people(3, after=100))
    assert set(connector.verify()) == {line.id for line in connector.dispatches()}
    with closing(sqlite3.connect(host.path)) as ledger:
        ledger.execute("DELETE FROM events WHERE dispatch = ?", [second.number])
        ledger.commit()
    assert [bool(found) for found in connector.verify().values()] == [False, True]
