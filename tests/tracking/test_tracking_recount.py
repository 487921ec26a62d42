"""`verify` finds what does not add up: a ledger that anybody changed behind the connector's back."""

from typing import Any

import pytest
from receiving_kit import (
    ADA,
    BO,
    CY,
    DI,
    EM,
    Api,
    id_of,
    nothing_wrong,
    receipt,
    replayed,
    reported,
    send_to,
    sql,
    take,
)

from connector.connector import Connector, Dispatch
from connector.model.batch import Batch
from connector.model.outcome import Accepted, InDoubt, Refused, Scope
from connector.simulator.numbers import fictional_numbers


@pytest.fixture
def dispatch(connector: Connector, api: Api) -> Dispatch:
    """A dispatch that has some of everything, by senders that make batches of their own."""

    def send(batch: Batch) -> Any:
        if batch.sender == "doubt":
            return InDoubt("the line broke")
        if batch.sender == "gone":
            return InDoubt("the line broke for good")
        if batch.sender == "refuse":
            return Refused(Scope.recipient, 400, error="syntax_invalid", recipients=(0,))
        return Accepted(id_of(batch))

    api.send = send
    rows: list[dict[str, Any]] = [{"to": f"+{person}"} for person in (ADA, BO, CY, DI, EM)]
    rows += [{"to": "nobody"}, {"to": f"+{ADA}"}]
    rows += [
        {"to": f"+{number}", "sender": sender}
        for number, sender in zip(fictional_numbers(), ["doubt", "gone", "refuse"], strict=False)
    ]
    made = send_to(connector, *rows)
    accepted = next(batch.key for batch in api.sent if ADA in batch.recipients)
    for person, status, code in ((ADA, "Delivered", 0), (BO, "Failed", 150), (CY, "Aborted", 402), (DI, "Failed", 153)):
        take(connector, receipt(person, status, code, client_reference=accepted))
    gone = next(batch.key for batch in api.sent if batch.sender == "gone")
    made.retry("give_up", batch_key=gone)
    assert nothing_wrong(connector)
    return made


def test_a_dispatch_with_some_of_everything(dispatch: Dispatch) -> None:
    report = dispatch.report()
    funnel = reported(report)
    assert funnel == {
        "enqueue_failed": 1,
        "unknown": 1,
        "unconfirmed": 0,
        "rejected": 1,
        "failed": 2,
        "read": 0,
        "skipped": 2,
        "open": 1,
        "delivered": 1,
        "enqueued": 5,
    }
    assert (report.recipients, report.in_doubt, report.waiting) == (10, 1, 0)
    assert replayed(dispatch.all_events()) == funnel


OF_ADA = "ordinal = 0"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        # A message
        ("DELETE FROM messages WHERE ordinal = 4", ["rows: the totals say 10, the messages 9", "open", "astray"]),
        ("DELETE FROM messages WHERE ordinal = 5", ["rows", "skipped:invalid_number"]),
        (f"UPDATE messages SET state = 'read' WHERE {OF_ADA}", ["delivered", "read"]),
        (f"UPDATE messages SET state = NULL WHERE {OF_ADA}", ["delivered", "open"]),
        (f"UPDATE messages SET state = 'unconfirmed' WHERE {OF_ADA}", ["unconfirmed", "delivered"]),
        (
            f"UPDATE messages SET state = 'skipped', reason = 'duplicate' WHERE {OF_ADA}",
            ["skipped:duplicate", "astray"],
        ),
        ("UPDATE messages SET reason = 'too_long' WHERE ordinal = 5", ["skipped:invalid_number", "skipped:too_long"]),
        ("UPDATE messages SET state = NULL WHERE ordinal = 5", ["skipped:invalid_number", "astray"]),
        ("UPDATE messages SET state = NULL WHERE state = 'enqueue_failed'", ["enqueue_failed", "astray"]),
        ("UPDATE messages SET status_code = 151 WHERE ordinal = 1", ["code:failed|smpp|150|", "code:failed|smpp|151|"]),
        ("UPDATE messages SET status_code_source = 'report' WHERE ordinal = 1", ["code:failed|report|150|"]),
        ("UPDATE messages SET status_code = 401 WHERE state = 'enqueue_failed'", ["code:enqueue_failed|http|401|"]),
        ("UPDATE messages SET parts = 7 WHERE ordinal = 4", ["parts: the totals say 5, the messages 11"]),
        ("UPDATE messages SET parts = 3 WHERE ordinal = 0", ["parts: the totals say 5, the messages 7"]),
        ("INSERT INTO messages (dispatch, ordinal, shape, address) VALUES (1, 99, 0, '1')", ["rows", "astray"]),
        # A batch
        ("UPDATE batches SET state = 'waiting' WHERE state = 'accepted'", ["waiting", "enqueued", "open"]),
        ("UPDATE batches SET state = 'sending' WHERE state = 'in_doubt'", ["in_doubt", "sending"]),
        ("UPDATE batches SET state = 'in_doubt' WHERE state = 'given_up'", ["in_doubt", "unknown"]),
        ("UPDATE batches SET state = 'given_up' WHERE state = 'in_doubt'", ["in_doubt", "unknown"]),
        ("UPDATE batches SET state = 'accepted' WHERE state = 'in_doubt'", ["in_doubt", "enqueued", "open"]),
        ("UPDATE batches SET state = 'cancelled' WHERE state = 'in_doubt'", ["in_doubt", "astray"]),
        ("DELETE FROM batches WHERE state = 'in_doubt'", ["in_doubt", "astray"]),
        ("UPDATE batches SET last = last - 1 WHERE state = 'accepted'", ["open", "astray"]),
        ("UPDATE batches SET size = size + 1 WHERE state = 'accepted'", ["astray"]),
        # The totals
        *(
            (f"INSERT INTO totals (dispatch, name, delta) VALUES (1, '{name}', 1)", [name])
            for name in (
                "rows",
                "skipped:too_long",
                "waiting",
                "sending",
                "in_doubt",
                "enqueue_failed",
                "unknown",
                "enqueued",
                "open",
                "unconfirmed",
                "rejected",
                "failed",
                "delivered",
                "read",
                "parts",
                "code:failed|smpp|150|",
                "double_send",
            )
        ),
        ("DELETE FROM totals WHERE name = 'delivered'", ["delivered: the totals say 0, the messages 1"]),
        # The log
        ("DELETE FROM events WHERE status = 'delivered'", ["delivered: the totals say 1, the events 0", "open"]),
        ("DELETE FROM events WHERE status = 'enqueued'", ["enqueued: the totals say 5, the events 0"]),
        ("DELETE FROM events WHERE status = 'skipped'", ["skipped: the totals say 2, the events 0"]),
        ("DELETE FROM events WHERE status = 'enqueue_failed'", ["enqueue_failed: the totals say 1, the events 0"]),
        ("UPDATE events SET status = 'failed' WHERE status = 'rejected'", ["rejected", "failed"]),
        ("UPDATE events SET status = 'read' WHERE status = 'delivered'", ["delivered", "read"]),
        ("UPDATE events SET size = size - 1 WHERE status = 'enqueued'", ["enqueued: the totals say 5, the events 4"]),
        ("UPDATE events SET ordinal = 4 WHERE status = 'delivered'", ["1 message has another state"]),
        # Attempts
        (
            "INSERT INTO attempts (batch, number, sent_at, deadline, ended, provider_batch_id) "
            "SELECT number, 2, 0, 0, 'accepted', 'x' FROM batches WHERE state = 'accepted'",
            ["1 batch has two accepted copies"],
        ),
    ],
)
def test_every_sum_is_recounted(connector: Connector, dispatch: Dispatch, change: str, words: list[str]) -> None:
    with sql(connector) as ledger:
        assert ledger.execute(change).rowcount
    found = connector.verify()[dispatch.id]
    for word in words:
        assert any(line.startswith(word) for line in found), (word, found)


def test_a_dispatch_that_is_right_beside_one_that_is_not(connector: Connector, dispatch: Dispatch) -> None:
    other = send_to(connector, ADA, name="second")
    with sql(connector) as ledger:
        ledger.execute("UPDATE messages SET state = 'read' WHERE dispatch = 1 AND ordinal = 0")
    found = connector.verify()
    assert found[dispatch.id] and not found[other.id]
