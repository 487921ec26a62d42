"""Telling the provider who did what a message was for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from api_kit import build
from receiving_kit import ADA, BO, CY, DI, EM, Api, Clock, send_to, settings_of, sql
from sending_kit import CAMPAIGN, Host, people

from connector import Connector, Dispatch, NotFound, ReadFailed, ReadRefused, RecipientsError
from connector.extension import Provider
from connector.extension.plugins import Plugins
from connector.model.outcome import InDoubt
from connector.simulator.numbers import fictional_numbers


class Told:
    """What the provider was told: the id of a batch, and the numbers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.fails_after: int | None = None


@pytest.fixture
def told(api: Api) -> Told:
    kept = Told()

    class Listening(api.provider):  # type: ignore[misc, name-defined]
        name = "scripted-sms"

        def feedback(self, provider_batch_id: str, recipients: Sequence[str]) -> None:
            if len(kept.calls) == kept.fails_after:
                raise ReadFailed("The provider does not answer.")
            kept.calls.append((provider_batch_id, list(recipients)))

    api.provider = Listening
    return kept


@pytest.fixture
def connector(tmp_path: Path, told: Told, api: Api, clock: Clock) -> Iterator[Connector]:
    with build(tmp_path, api, clock) as made:
        yield made


def faults(dispatch: Dispatch, *people: str) -> list[tuple[str, str]]:
    with pytest.raises(RecipientsError) as refused:
        dispatch.feedback(people)
    for person in people:
        assert person[-6:] not in str(refused.value)
    return [(fault.place, fault.message) for fault in refused.value.faults]


def test_numbers_in_any_spelling_are_told_once_and_by_batch(connector: Connector, told: Told, api: Api) -> None:
    rows = [{"to": f"+{person}", "sender": "One" if person == DI else "Two"} for person in (ADA, BO, CY, DI)]
    dispatch = send_to(connector, *rows)
    ids = {person: f"01-{batch.key}" for batch in api.sent for person in batch.recipients}
    assert dispatch.feedback(["+1 (201) 555-0101", f"00{DI}", f"+{ADA}", CY]) == 3
    assert dict(told.calls) == {ids[ADA]: [ADA, CY], ids[DI]: [DI]}
    assert dispatch.feedback(f"+{BO}") == 1
    assert told.calls[-1] == (ids[BO], [BO])
    assert dispatch.feedback([]) == 0


def test_thousands_find_their_batches(connector: Connector, told: Told, api: Api) -> None:
    numbers = fictional_numbers()
    people = [next(numbers) for _ in range(3500)]
    dispatch = send_to(connector, *people)
    assert dispatch.feedback(iter(people[::2])) == 1750
    of = {f"01-{batch.key}": set(batch.recipients) for batch in api.sent}
    assert len(told.calls) == 4
    assert all(set(given) <= of[batch] for batch, given in told.calls)
    assert {person for _, given in told.calls for person in given} == set(people[::2])


def test_who_got_no_message_is_named_by_place_and_nobody_is_told(connector: Connector, told: Told, api: Api) -> None:
    default = Api().send
    api.send = lambda batch: InDoubt("lost") if batch.sender == "Lost" else default(batch)
    dispatch = send_to(
        connector,
        {"to": f"+{ADA}", "name": "Ada"},
        {"to": f"+{BO}"},
        {"to": f"+{DI}", "name": "Di"},
        {"to": f"+{CY}", "name": "Cy", "sender": "Lost"},
        message={"text": "Hi ${name}"},
    )
    assert faults(dispatch, f"+{ADA}", "12", f"+{EM}", f"+{BO}", f"+{CY}") == [
        ("recipient 2", "This can't be a phone number."),
        ("recipient 3", "Nobody with this number is in the dispatch."),
        ("recipient 4", "The provider has not accepted a message to this number."),
        ("recipient 5", "The provider has not accepted a message to this number."),
    ]
    assert told.calls == []


def test_a_batch_whose_id_is_not_known(connector: Connector, told: Told, api: Api) -> None:
    """As after a person's word that it was accepted."""
    api.send = lambda batch: InDoubt("lost")
    dispatch = send_to(connector, ADA)
    dispatch.retry("accepted")
    with sql(connector) as ledger:
        assert ledger.execute("SELECT provider_batch_id FROM batches").fetchall() == [(None,)]
    assert faults(dispatch, ADA) == [("recipient 1", "The provider's id of this message's batch is not known yet.")]


def test_a_failure_on_the_way_says_so_and_all_may_be_told_again(connector: Connector, told: Told) -> None:
    rows = [{"to": f"+{person}", "sender": person[:5]} for person in (ADA, CY)]
    dispatch = send_to(connector, *rows)
    told.fails_after = 1
    with pytest.raises(ReadFailed):
        dispatch.feedback([ADA, CY])
    told.fails_after = None
    assert dispatch.feedback([ADA, CY]) == 2
    assert len(told.calls) == 3


def test_a_provider_that_takes_none(tmp_path: Path, api: Api, clock: Clock) -> None:
    api.provider = type("Mute", (api.provider,), {"feedback": Provider.feedback})
    with build(tmp_path, api, clock) as connector:
        dispatch = send_to(connector, ADA)
        with pytest.raises(NotFound, match="SMS as a test says takes no feedback"):
            dispatch.feedback([ADA])


def test_an_integration_that_is_gone_or_moved(tmp_path: Path, told: Told, api: Api, clock: Clock) -> None:
    with build(tmp_path, api, clock) as connector:
        number = send_to(connector, ADA).id
    for settings in (settings_of(tmp_path, service_plan_id="plan-b"), settings_of(tmp_path)):
        integrations = settings["integrations"]
        if integrations["sms"]["service_plan_id"] == "plan-a":
            integrations["other"] = {**integrations.pop("sms"), "service_plan_id": "plan-c"}
        with (
            Connector(settings, plugins=Plugins([api], installed=False), secrets=lambda _: "s", clock=clock) as other,
            pytest.raises(NotFound, match="is not in the configuration"),
        ):
            other.dispatch(number).feedback([ADA])
    assert told.calls == []


def test_over_http(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan, integration={"delivery_feedback": True})
    rows = people(3)
    dispatch = connector.send(CAMPAIGN, rows)
    assert dispatch.feedback(row["to"] for row in rows[:2]) == 2
    (batch,) = plan.batches()
    assert f"POST batches/{batch['id']}/delivery_feedback" in plan.requests


def test_over_http_where_it_was_not_announced(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan)
    rows = people(1)
    with pytest.raises(ReadRefused, match="while delivery_feedback was set"):
        connector.send(CAMPAIGN, rows).feedback(rows[0]["to"])
