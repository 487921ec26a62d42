"""What a receipt proves of its batch: before the answer, in doubt, given up; and late answers."""

from datetime import timedelta
from typing import Any

import pytest
from receiving_kit import (
    ADA,
    BO,
    Api,
    Clock,
    batch_report,
    id_of,
    inbound,
    nothing_wrong,
    receipt,
    request,
    send_to,
    sql,
    statuses,
    take,
)

from connector.connector import Connector, Dispatch
from connector.model.batch import Batch
from connector.model.errors import NotReached, Throttled
from connector.model.outcome import Accepted, Found, FoundState, InDoubt, Refused, Scope

BROKEN = InDoubt("the line broke")


def delivered(batch: Batch, person: str = ADA, **changes: Any) -> dict[str, Any]:
    return receipt(person, **{"client_reference": batch.key, "batch_id": id_of(batch), **changes})


def doubtful(connector: Connector, api: Api, *people: str) -> Dispatch:
    """A dispatch whose only batch is in doubt."""
    api.send = lambda batch: BROKEN
    dispatch = send_to(connector, *people)
    assert dispatch.report().in_doubt == len(people)
    return dispatch


OUTCOMES = {
    "accepted": lambda batch: Accepted(id_of(batch)),
    "in doubt": lambda batch: BROKEN,
    "not reached": lambda batch: NotReached(),
    "throttled": lambda batch: Throttled(),
    "refused": lambda batch: Refused(Scope.account, 401),
    "one refused": lambda batch: Refused(Scope.recipient, 400, recipients=(1,)),
    "crashed": lambda batch: RuntimeError("a bug of the plugin"),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_callback_that_overtakes_the_answer_to_its_batch(connector: Connector, api: Api, outcome: str) -> None:
    """The provider calls back from within the send: whatever is answered then, the batch was accepted."""

    def send(batch: Batch) -> Any:
        take(connector, delivered(batch))
        assert nothing_wrong(connector)
        assert connector.dispatches()[0].enqueued == 2
        answer = OUTCOMES[outcome](batch)
        if isinstance(answer, Exception):
            raise answer
        return answer

    api.send = send
    dispatch = send_to(connector, ADA, BO)
    report = dispatch.report()
    assert (report.enqueued, report.delivered, report.open) == (2, 1, 1)
    assert (report.waiting, report.sending, report.in_doubt, report.enqueue_failed) == (0, 0, 0, 0)
    assert statuses(connector, ADA) == ["enqueued", "delivered"]
    assert statuses(connector, BO) == ["enqueued"]
    assert nothing_wrong(connector)
    assert len(api.sent) == 1


def test_a_refusal_of_a_batch_that_was_proved_accepted_does_not_stop_what_is_sent(
    connector: Connector, api: Api, clock: Clock
) -> None:
    """Nobody is messaged twice when the refused copy would go again."""

    def send(batch: Batch) -> Any:
        take(connector, delivered(batch))
        return Refused(Scope.recipient, 400, recipients=(0,))

    api.send = send
    send_to(connector, ADA, BO)
    clock.go(hours=1)
    connector.work()
    assert len(api.sent) == 1


@pytest.mark.parametrize("kind", ["delivered", "failed", "dispatched", "unknown", "empty batch report", "reply"])
def test_anything_that_carries_our_key_proves_a_batch_in_doubt_accepted(
    connector: Connector, api: Api, clock: Clock, kind: str
) -> None:
    dispatch = doubtful(connector, api, ADA, BO)
    (batch,) = api.sent
    body = {
        "delivered": delivered(batch),
        "failed": delivered(batch, status="Failed", code=150),
        "dispatched": delivered(batch, status="Dispatched", code=401),
        "unknown": delivered(batch, status="Unknown", code=155),
        "empty batch report": batch_report(batch, {}),
        "reply": inbound(ADA, client_reference=batch.key),
    }[kind]
    take(connector, body)
    report = dispatch.report()
    assert (report.in_doubt, report.enqueued) == (0, 2)
    assert statuses(connector, BO) == ["enqueued"]
    assert statuses(connector, ADA)[0] == "enqueued"
    assert nothing_wrong(connector)
    clock.go(days=1)
    api.find = lambda batch: Found(FoundState.absent)
    connector.work()
    assert len(api.sent) == 1


def test_a_batch_that_was_given_up_is_known_again_by_a_receipt(connector: Connector, api: Api) -> None:
    dispatch = doubtful(connector, api, ADA, BO)
    dispatch.retry("give_up")
    assert dispatch.report().unknown == 2
    assert nothing_wrong(connector)
    take(connector, delivered(api.sent[0]))
    report = dispatch.report()
    assert (report.unknown, report.enqueued, report.delivered, report.open) == (0, 2, 1, 1)
    assert statuses(connector, ADA) == ["unknown", "enqueued", "delivered"]
    assert statuses(connector, BO) == ["unknown", "enqueued"]
    assert nothing_wrong(connector)


def test_a_late_answer_after_the_proof_changes_nothing(connector: Connector, api: Api, clock: Clock) -> None:
    """The send hangs past its deadline, a receipt comes, and then the 201."""
    seen: list[Any] = []

    def send(batch: Batch) -> Any:
        clock.go(seconds=31)
        take(connector, delivered(batch))
        seen.append((connector.events(), connector.dispatches()))
        clock.go(seconds=5)
        return Accepted(id_of(batch))

    api.send = send
    dispatch = send_to(connector, ADA, BO)
    assert seen == [(connector.events(), connector.dispatches())]
    assert dispatch.report().double_send == 0
    assert nothing_wrong(connector)


def test_a_late_answer_to_a_batch_given_up_proves_it(connector: Connector, api: Api) -> None:
    def send(batch: Batch) -> Any:
        # Another process found the batch overdue, and a person gave it up, while the answer was on its way.
        with sql(connector) as ledger:
            ledger.execute("UPDATE batches SET state = 'in_doubt', task = NULL, due_at = NULL")
            ledger.execute(
                "INSERT INTO totals (dispatch, name, delta) VALUES (1, 'sending', -2), (1, 'in_doubt', 2)",
            )
        connector.dispatch(batch.key.partition("-")[0]).retry("give_up")
        assert nothing_wrong(connector)
        return Accepted(id_of(batch))

    api.send = send
    dispatch = send_to(connector, ADA, BO)
    report = dispatch.report()
    assert (report.unknown, report.enqueued, report.open) == (0, 2, 2)
    assert nothing_wrong(connector)


def test_a_callback_of_a_second_attempt_that_overtakes_its_answer_is_one_copy(
    connector: Connector, api: Api, clock: Clock
) -> None:
    """The first attempt never arrived. The report of the second one comes before its 201, and is no double send."""
    dispatch = doubtful(connector, api, ADA, BO)

    def send(batch: Batch) -> Any:
        assert batch.attempt.number == 2
        take(connector, delivered(batch, batch_id="01-second"))
        return Accepted("01-second")

    api.send = send
    dispatch.retry("resend")
    connector.work()
    assert [batch.attempt.number for batch in api.sent] == [1, 2]
    assert nothing_wrong(connector)
    take(connector, delivered(api.sent[0], BO, batch_id="01-second"))
    report = dispatch.report()
    assert (report.delivered, report.double_send) == (2, 0)
    assert nothing_wrong(connector)


def test_a_batch_that_a_person_says_was_accepted_learns_its_id_from_a_receipt(connector: Connector, api: Api) -> None:
    dispatch = doubtful(connector, api, ADA, BO)
    dispatch.retry("accepted")
    assert nothing_wrong(connector)
    take(connector, delivered(api.sent[0]))
    # This one has nothing else to be known by.
    take(connector, delivered(api.sent[0], BO, client_reference=None))
    assert dispatch.report().delivered == 2
    assert nothing_wrong(connector)


def test_enqueued_is_logged_before_what_follows_and_dated_no_later_than_it_is_recorded(
    connector: Connector, api: Api, clock: Clock
) -> None:
    doubtful(connector, api, ADA)
    clock.go(minutes=2)
    take(connector, delivered(api.sent[0]))
    first, second = connector.events()
    assert (first.status, second.status) == ("enqueued", "delivered")
    assert first.position < second.position
    assert first.recorded_at == second.recorded_at == clock()
    assert second.occurred_at == clock() - timedelta(minutes=1)


def test_a_receipt_for_a_batch_that_waits_to_go_again_keeps_it_from_going(
    connector: Connector, api: Api, clock: Clock
) -> None:
    """The answer said that nothing was taken, and a receipt proves otherwise before the next attempt."""

    def send(batch: Batch) -> Any:
        raise Throttled(retry_after_seconds=60)

    api.send = send
    dispatch = send_to(connector, ADA, BO)
    assert dispatch.report().waiting == 2
    take(connector, delivered(api.sent[0]))
    assert (dispatch.report().enqueued, dispatch.report().waiting) == (2, 0)
    clock.go(minutes=10)
    connector.work()
    assert len(api.sent) == 1
    assert nothing_wrong(connector)


def test_a_receipt_for_the_whole_of_a_split_batch_is_kept(connector: Connector, api: Api, clock: Clock) -> None:
    """A refused batch can't have been accepted: what claims so waits for a person, once, whatever is swept."""
    api.send = lambda batch: (
        Refused(Scope.recipient, 400, recipients=(0,)) if len(batch.recipients) == 2 else Accepted(id_of(batch))
    )
    dispatch = send_to(connector, ADA, BO)
    parent, child = api.sent
    take(connector, delivered(parent, BO))
    assert (dispatch.report().delivered, dispatch.report().enqueued) == (0, 1)
    assert connector.receive(request(connector, delivered(child, BO))).status == 200
    assert (dispatch.report().delivered, dispatch.report().enqueue_failed) == (1, 1)
    assert nothing_wrong(connector)
    for _ in range(3):
        clock.go(minutes=1)
        connector.work()
    assert connector.counters()["sms"]["unmatched"] == 1
