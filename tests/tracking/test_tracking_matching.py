"""Finding the message that a report speaks of; what belongs to nothing yet is kept, and tried again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from receiving_kit import (
    ADA,
    BO,
    CY,
    DI,
    Api,
    Clock,
    address,
    batch_report,
    id_of,
    nothing_wrong,
    receipt,
    send_to,
    settings_of,
    sql,
    statuses,
    take,
    told,
)

from connector.connector import Connector
from connector.extension.plugins import Plugins
from connector.ledger.tables import WhyKept
from connector.model.batch import Batch
from connector.model.outcome import Accepted, InDoubt


def unmatched(connector: Connector) -> int:
    assert connector.kept(WhyKept.unmatched) == len(connector.kept_reports(WhyKept.unmatched))
    return connector.kept(WhyKept.unmatched)


@pytest.mark.parametrize("plus", ["", "+"], ids=["digits", "with a plus"])
@pytest.mark.parametrize("by", ["client_reference", "address", "batch_id", "everything"])
def test_each_of_the_ways_to_a_message(connector: Connector, api: Api, by: str, plus: str) -> None:
    send_to(connector, ADA, BO)
    (batch,) = api.sent
    body = receipt(
        plus + ADA,
        client_reference=batch.key if by in ("client_reference", "everything") else None,
        batch_id=id_of(batch) if by in ("batch_id", "everything") else None,
    )
    take(connector, body, key=batch.key if by in ("address", "everything") else None)
    assert (statuses(connector, ADA), statuses(connector, BO)) == (["enqueued", "delivered"], ["enqueued"])
    assert unmatched(connector) == 0


def test_the_reference_in_the_body_goes_before_the_one_in_the_address(connector: Connector, api: Api) -> None:
    send_to(connector, ADA, name="first")
    send_to(connector, ADA, name="second")
    first, second = api.sent
    take(connector, receipt(ADA, client_reference=second.key), key=first.key)
    (event,) = [event for event in told(connector) if event.status == "delivered"]
    assert event.campaign_name == "second"


def test_the_key_goes_before_the_providers_id(connector: Connector, api: Api) -> None:
    """What was matched by its key speaks of another copy then, never of the other batch."""
    send_to(connector, ADA, name="first")
    send_to(connector, ADA, name="second")
    first, second = api.sent
    take(connector, receipt(ADA, client_reference=first.key, batch_id=id_of(second)))
    assert [event.status for event in told(connector)] == ["enqueued", "enqueued"]
    assert connector.kept(WhyKept.double_send) == 1


@pytest.fixture
def two(tmp_path: Path, api: Api, clock: Clock) -> Iterator[Connector]:
    """Integrations `sms` and `twin` on one account, `other` on another."""
    settings = settings_of(tmp_path)
    settings["integrations"]["twin"] = {**settings["integrations"]["sms"]}
    settings["integrations"]["other"] = {**settings["integrations"]["sms"], "service_plan_id": "plan-b"}
    settings["defaults"] = {"integration": "sms"}
    with Connector(settings, plugins=Plugins([api], installed=False), secrets=lambda _: "s", clock=clock) as made:
        yield made


@pytest.mark.parametrize("by", ["client_reference", "address", "batch_id"])
def test_a_key_that_is_known_to_another_account_proves_nothing(two: Connector, api: Api, clock: Clock, by: str) -> None:
    api.send = lambda batch: InDoubt("the line broke") if by != "batch_id" else Accepted(id_of(batch))
    dispatch = send_to(two, ADA)
    (batch,) = api.sent
    body = receipt(
        ADA,
        client_reference=batch.key if by == "client_reference" else None,
        batch_id=id_of(batch),
    )
    key = batch.key if by == "address" else None
    take(two, body, key=key, integration="other")
    assert (dispatch.report().delivered, unmatched(two)) == (0, 1)
    assert nothing_wrong(two)
    for _ in range(3):
        clock.go(minutes=1)
        two.work()
    assert two.counters()["other"] == {"unmatched": 1}
    # The same through the address of another integration of the right account counts.
    take(two, body, key=key, integration="twin")
    assert dispatch.report().delivered == 1


def test_every_integration_has_an_address_of_its_own_that_cannot_be_guessed(two: Connector) -> None:
    paths = [address(two, name) for name in ("sms", "twin", "other")]
    assert len(set(paths)) == 3
    assert all(len(path.removeprefix("/webhooks/")) >= 32 for path in paths)


def test_what_came_before_its_batch_is_matched_when_the_answer_is_stored(connector: Connector, api: Api) -> None:
    """A report that has the provider's id alone can't be placed until the answer tells whose id it is."""

    def send(batch: Batch) -> Any:
        take(connector, receipt(ADA, batch_id=id_of(batch)))
        take(connector, receipt(BO, "Failed", 150, batch_id=id_of(batch)))
        assert unmatched(connector) == 2
        return Accepted(id_of(batch))

    api.send = send
    dispatch = send_to(connector, ADA, BO, CY)
    assert unmatched(connector) == 0
    assert (dispatch.report().delivered, dispatch.report().failed, dispatch.report().open) == (1, 1, 1)
    assert nothing_wrong(connector)


def test_what_came_before_is_matched_when_a_receipt_proves_the_batch(connector: Connector, api: Api) -> None:
    api.send = lambda batch: InDoubt("the line broke")
    dispatch = send_to(connector, ADA, BO)
    (batch,) = api.sent
    take(connector, receipt(ADA, batch_id=id_of(batch)))
    assert (unmatched(connector), dispatch.report().in_doubt) == (1, 2)
    take(connector, receipt(BO, batch_id=id_of(batch), client_reference=batch.key))
    assert (unmatched(connector), dispatch.report().delivered) == (0, 2)


def test_the_sweep_matches_what_no_outcome_did(connector: Connector, api: Api, clock: Clock) -> None:
    """A batch that was proved without an id learns it only later."""
    api.send = lambda batch: InDoubt("the line broke")
    dispatch = send_to(connector, ADA, BO)
    (batch,) = api.sent
    take(connector, receipt(ADA, batch_id=id_of(batch)))
    take(connector, receipt(BO, client_reference=batch.key))
    assert (unmatched(connector), dispatch.report().delivered) == (1, 1)
    take(connector, receipt(BO, client_reference=batch.key, batch_id=id_of(batch)))
    clock.go(minutes=1)
    connector.work()
    assert (unmatched(connector), dispatch.report().delivered) == (0, 2)
    assert nothing_wrong(connector)


def test_what_was_kept_is_dated_by_when_it_came(connector: Connector, api: Api, clock: Clock) -> None:
    """A report without a time of its own that waited for its batch past the waiting period came in time."""
    api.send = lambda batch: InDoubt("the line broke")
    api.find = lambda batch: pytest.fail("it is settled")
    dispatch = send_to(connector, ADA)
    (batch,) = api.sent
    clock.go(minutes=1)
    take(connector, receipt(ADA, batch_id=id_of(batch), at=None))
    came_at = clock()
    clock.go(days=9)
    take(connector, batch_report(batch, {}, batch_id=id_of(batch)))
    (event,) = [event for event in dispatch.events() if event.status == "delivered"]
    assert (event.occurred_at, event.recorded_at) == (came_at, clock())


def test_a_recipient_who_is_not_in_the_batch_is_kept_for_a_person(connector: Connector, api: Api, clock: Clock) -> None:
    dispatch = send_to(connector, ADA)
    (batch,) = api.sent
    for _ in range(2):
        take(connector, receipt(DI, client_reference=batch.key, batch_id=id_of(batch)))
        clock.go(minutes=1)
        connector.work()
    (kept,) = connector.kept_reports(WhyKept.unmatched)
    assert kept.problem == "the recipient is not in this batch"
    assert DI not in str(kept)
    assert dispatch.report().open == 1
    assert connector.counters()["sms"]["unmatched"] == 2
    assert nothing_wrong(connector)


def test_a_person_of_another_batch_is_not_in_this_one(tmp_path: Path, clock: Clock) -> None:
    api = Api(batch_recipients=2)
    with connect_with(tmp_path, api, clock) as connector:
        send_to(connector, ADA, BO, CY)
        first, second = sorted(api.sent, key=lambda batch: list(batch.recipients) == [CY])
        assert list(second.recipients) == [CY]
        take(connector, receipt(CY, client_reference=first.key))
        assert unmatched(connector) == 1
        assert nothing_wrong(connector)
        take(connector, receipt(CY, client_reference=second.key))
        assert statuses(connector, CY) == ["enqueued", "delivered"]


def test_a_person_whose_batch_lies_between_the_rows_of_another_is_not_in_it(
    connector: Connector, api: Api, clock: Clock
) -> None:
    """Senders alternate, so that the rows of the two batches do: a report must not rise what was never accepted."""
    rows = [{"to": f"+{person}", "sender": sender} for person, sender in zip((ADA, BO, CY), "ABA", strict=True)]
    api.send = lambda batch: Accepted(id_of(batch)) if batch.sender == "A" else InDoubt("the line broke")
    dispatch = send_to(connector, *rows)
    batch = next(batch for batch in api.sent if batch.sender == "A")
    take(connector, receipt(BO, client_reference=batch.key))
    assert unmatched(connector) == 1
    assert nothing_wrong(connector)
    assert (dispatch.report().in_doubt, dispatch.report().delivered) == (1, 0)


def connect_with(path: Path, api: Api, clock: Clock) -> Connector:
    return Connector(settings_of(path), plugins=Plugins([api], installed=False), secrets=lambda _: "s", clock=clock)


def test_the_same_unmatched_report_is_kept_once(connector: Connector) -> None:
    for _ in range(3):
        take(connector, receipt(ADA, client_reference="nobody-b0-0"))
    take(connector, receipt(ADA, client_reference="nobody-b1-0"))
    assert unmatched(connector) == 2
    assert connector.counters()["sms"]["unmatched"] == 4


def test_what_can_never_match_does_not_keep_the_sweep_from_what_can(
    connector: Connector, api: Api, clock: Clock
) -> None:
    """More reports than a sweep takes name a batch that was refused in part; one names a batch that is known now."""
    send_to(connector, CY, name="refused")
    api.send = lambda batch: InDoubt("the line broke")
    dispatch = send_to(connector, ADA, BO)
    _, batch = api.sent
    take(connector, receipt(ADA, batch_id=id_of(batch)))
    take(connector, receipt(BO, client_reference=batch.key))
    take(connector, receipt(BO, client_reference=batch.key, batch_id=id_of(batch)))
    with sql(connector) as ledger:
        ledger.execute("UPDATE batches SET state = 'split', task = NULL WHERE number = 1")
        ledger.execute("UPDATE attempts SET provider_batch_id = '00-dead' WHERE batch = 1")
        ledger.execute("UPDATE kept_reports SET number = 10000")
        columns = "why, integration, received_at, problem"
        for number in range(1, 600):
            ledger.execute(
                f"INSERT INTO kept_reports (number, provider_batch_id, body, {columns}) "
                f"SELECT ?, '00-dead', replace(body, ?, '00-dead'), {columns} FROM kept_reports WHERE number = 10000",
                (number, id_of(batch)),
            )
    clock.go(minutes=1)
    connector.work()
    assert dispatch.report().delivered == 2
