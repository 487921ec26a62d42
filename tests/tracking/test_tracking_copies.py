"""Two copies of one batch: which of them counts, and what the other one's reports are."""

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
    nothing_wrong,
    receipt,
    send_to,
    statuses,
    take,
)

from connector.connector import Connector, Dispatch
from connector.ledger.tables import WhyKept
from connector.model.batch import Batch
from connector.model.outcome import Accepted, Found, FoundState, InDoubt

OLD, YOUNG = "01-older", "01-younger"


def both(connector: Connector, api: Api) -> Dispatch:
    """A first attempt in doubt, and a second one that is accepted and scheduled some minutes ahead."""
    api.send = lambda batch: InDoubt("the line broke")
    api.find = lambda batch: Found(FoundState.absent)
    dispatch = send_to(connector, ADA, BO)
    api.send = lambda batch: Accepted(YOUNG)
    dispatch.retry("resend")
    connector.work()
    first, second = api.sent
    assert (first.key, second.attempt.number) == (second.key, 2)
    assert second.attempt.send_at is not None
    return dispatch


def of(
    api: Api, copy: str, person: str = ADA, status: str = "Delivered", code: int = 0, **changes: Any
) -> dict[str, Any]:
    return receipt(person, status, code, client_reference=api.sent[0].key, batch_id=copy, **changes)


def test_the_cancelled_younger_copy_changes_nothing(connector: Connector, api: Api, clock: Clock) -> None:
    """The older copy surfaces before the younger fires; its cancelling is reported, even before it is answered."""
    dispatch = both(connector, api)

    def cancel(copy: str) -> bool:
        # The provider calls back for everybody while it answers.
        for person in (ADA, BO):
            take(connector, of(api, copy, person, "Cancelled", 407))
        assert nothing_wrong(connector)
        return True

    api.cancel = cancel
    api.find = lambda batch: Found(FoundState.accepted, (OLD, YOUNG))
    clock.go(minutes=4.5)
    connector.work()
    assert api.cancelled == [YOUNG]
    for person in (ADA, BO):
        take(connector, of(api, YOUNG, person, "Cancelled", 407))
        take(connector, of(api, YOUNG, person, "Rejected", 407))
    take(connector, batch_report(api.sent[0], {ADA: ("Cancelled", 407)}, batch_id=YOUNG))
    take(connector, batch_report(api.sent[0], {}, batch_id=YOUNG))
    assert (dispatch.report().open, dispatch.report().rejected) == (2, 0)
    assert statuses(connector, ADA) == ["enqueued"]
    take(connector, of(api, OLD))
    assert (dispatch.report().delivered, dispatch.report().double_send) == (1, 0)
    assert connector.counters()["sms"]["cancelled_copy"] == 7
    assert nothing_wrong(connector)


def test_the_older_copy_that_reports_first_is_the_one_that_counts(connector: Connector, api: Api, clock: Clock) -> None:
    dispatch = both(connector, api)
    take(connector, of(api, OLD))
    assert statuses(connector, ADA) == ["enqueued", "delivered"]
    api.find = lambda batch: Found(FoundState.accepted, (OLD, YOUNG))
    connector.work()
    assert api.cancelled == [YOUNG]
    take(connector, of(api, YOUNG, BO, "Cancelled", 407))
    take(connector, of(api, OLD, BO))
    assert (dispatch.report().delivered, dispatch.report().double_send) == (2, 0)
    assert nothing_wrong(connector)


def test_the_reports_of_a_second_copy_that_was_sent_are_a_double_send_once_a_message(
    connector: Connector, api: Api, clock: Clock
) -> None:
    dispatch = both(connector, api)
    clock.go(minutes=10)
    connector.work()
    # The younger copy has fired, and then the first one surfaces.
    take(connector, of(api, YOUNG))
    take(connector, of(api, YOUNG, BO))
    assert (dispatch.report().delivered, dispatch.report().double_send) == (2, 0)
    before = [event for event in connector.events() if event.status == "delivered"]
    for status, code in (("Dispatched", 401), ("Delivered", 0), ("Delivered", 0), ("Failed", 150)):
        take(connector, of(api, OLD, ADA, status, code))
    assert dispatch.report().double_send == 1
    take(connector, of(api, OLD, BO, "Failed", 150))
    take(connector, {"delivery_reports": [of(api, OLD, BO), of(api, OLD, ADA)]})
    assert dispatch.report().double_send == connector.kept(WhyKept.double_send) == 2
    assert [event for event in connector.events() if event.status in ("delivered", "failed")] == before
    found = connector.verify()[dispatch.id]
    assert any(line.startswith("double_send: 2 messages") for line in found)


def test_what_a_cancelled_copy_delivers_all_the_same_is_a_double_send(
    connector: Connector, api: Api, clock: Clock
) -> None:
    dispatch = both(connector, api)
    api.find = lambda batch: Found(FoundState.accepted, (OLD, YOUNG))
    clock.go(minutes=4.5)
    connector.work()
    assert api.cancelled == [YOUNG]
    take(connector, of(api, OLD))
    take(connector, of(api, YOUNG))
    assert (dispatch.report().delivered, dispatch.report().double_send) == (1, 1)


def test_a_report_on_the_whole_of_another_copy_counts_no_messages(connector: Connector, api: Api, clock: Clock) -> None:
    """A summary names nobody: that two copies stand is found by their attempts."""
    dispatch = both(connector, api)
    clock.go(minutes=10)
    connector.work()
    take(connector, batch_report(api.sent[0], {}, batch_id=OLD))
    assert dispatch.report().double_send == 0
    assert any("two accepted copies" in line for line in connector.verify()[dispatch.id])


def test_the_scheduled_copy_that_is_the_only_one_fires_and_counts(connector: Connector, api: Api, clock: Clock) -> None:
    dispatch = both(connector, api)
    clock.go(minutes=4.5)
    api.find = lambda batch: Found(FoundState.accepted, (YOUNG,))
    connector.work()
    clock.go(minutes=2)
    take(connector, of(api, YOUNG))
    assert (api.cancelled, dispatch.report().delivered, dispatch.report().double_send) == ([], 1, 0)
    assert nothing_wrong(connector)


@pytest.mark.parametrize("sent", [1, 2])
def test_the_cancelling_of_the_only_copy_is_a_rejection(
    connector: Connector, api: Api, clock: Clock, sent: int
) -> None:
    """Cancelled by a person at the provider: nobody else's copy delivers."""
    if sent == 2:
        dispatch = both(connector, api)
        copy = YOUNG
    else:
        dispatch = send_to(connector, ADA, BO, send_at=clock() + timedelta(minutes=10))
        copy = id_of(api.sent[0])
    take(connector, of(api, copy, ADA, "Cancelled", 407))
    assert dispatch.report().rejected == 1
    assert statuses(connector, ADA) == ["enqueued", "rejected"]
    assert nothing_wrong(connector)


def test_attempts_keep_whose_copy_is_whose(connector: Connector, api: Api, clock: Clock) -> None:
    """Answers in any order: the first attempt's answer comes after the second one's."""
    answers: list[Any] = []

    def send(batch: Batch) -> Any:
        if batch.attempt.number == 1:
            return InDoubt("the line broke")
        take(connector, of(api, OLD, BO))
        answers.append(batch)
        return Accepted(YOUNG)

    api.send = send
    api.find = lambda batch: Found(FoundState.absent)
    dispatch = send_to(connector, ADA, BO)
    dispatch.retry("resend")
    connector.work()
    assert answers
    take(connector, of(api, OLD, ADA))
    report = dispatch.report()
    assert (report.delivered, report.double_send) == (2, 0)
    api.find = lambda batch: Found(FoundState.accepted, (OLD, YOUNG))
    clock.go(seconds=5)
    connector.work()
    assert api.cancelled == [YOUNG]
    take(connector, of(api, YOUNG, ADA, "Cancelled", 407))
    assert dispatch.report().double_send == 0
    assert nothing_wrong(connector)
