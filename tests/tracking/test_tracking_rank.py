"""The state of a message only rises: any order, number and delay of receipts gives the same end."""

import random
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from receiving_kit import (
    ADA,
    BO,
    CY,
    DI,
    NOW,
    Api,
    Clock,
    batch_report,
    connect,
    id_of,
    nothing_wrong,
    receipt,
    replayed,
    reported,
    send_to,
    statuses,
    take,
    told,
)

from connector.connector import Connector
from connector.model.batch import Batch
from connector.model.outcome import Accepted, InDoubt

CODES = {
    "Queued": 400,
    "Dispatched": 401,
    "Delivered": 0,
    "Rejected": 408,
    "Aborted": 402,
    "Failed": 150,
    "Expired": 202,
    "Unknown": 155,
}
ENDS = {
    "Queued": "open",
    "Dispatched": "open",
    "Unknown": "open",
    "Rejected": "rejected",
    "Aborted": "rejected",
    "Failed": "failed",
    "Expired": "failed",
    "Delivered": "delivered",
}
ORDER = ("open", "rejected", "failed", "delivered")
AUDIENCES = ((ADA, BO, CY), (ADA, DI))


class Arrival(NamedTuple):
    """A report of one message, and how it finds its way."""

    dispatch: int
    person: str
    status: str
    by: str
    """`reference`, `address` or `id`."""
    minute: int
    """Its own time."""


ARRIVALS = st.builds(
    Arrival,
    dispatch=st.just(0),
    person=st.sampled_from(AUDIENCES[0]),
    status=st.sampled_from(list(CODES)),
    by=st.sampled_from(["reference", "address", "id"]),
    minute=st.integers(0, 5000),
) | st.builds(
    Arrival,
    dispatch=st.just(1),
    person=st.sampled_from(AUDIENCES[1]),
    status=st.sampled_from(list(CODES)),
    by=st.sampled_from(["reference", "address", "id"]),
    minute=st.integers(0, 5000),
)


def deliver(connector: Connector, batch: Batch, arrival: Arrival) -> None:
    at = NOW + timedelta(minutes=arrival.minute)
    take(
        connector,
        receipt(
            arrival.person,
            arrival.status,
            CODES[arrival.status],
            at=at.isoformat(),
            client_reference=batch.key if arrival.by == "reference" else None,
            batch_id=id_of(batch),
        ),
        key=batch.key if arrival.by == "address" else None,
    )


class Run(NamedTuple):
    ends: list[dict[str, int]]
    """The funnel of each dispatch."""
    people: list[tuple[str, str]]
    """Who came to what end."""
    events: list[tuple[str, str]]
    """Each event: whose, and its status."""


def run(arrivals: Sequence[Arrival], doubtful: bool, shuffle: random.Random, *, early: int, work_at: int) -> Run:
    """Send two campaigns and let the reports in: the first `early` of each batch before the answer to its send."""
    with tempfile.TemporaryDirectory() as folder:
        api, clock = Api(batch_recipients=2), Clock()
        connector = connect(Path(folder), api, clock)
        batch_of: dict[tuple[int, str], Batch] = {}
        left = list(arrivals)

        def send(batch: Batch) -> Any:
            place = int(connector.dispatch(batch.key.partition("-")[0]).number) - 1
            batch_of.update({(place, person): batch for person in batch.recipients})
            mine = [each for each in left if (each.dispatch, each.person) in batch_of and each.by != "id"]
            for each in mine[:early]:
                if batch_of[each.dispatch, each.person] is batch:
                    left.remove(each)
                    deliver(connector, batch, each)
                    assert nothing_wrong(connector)
            return InDoubt("the line broke") if doubtful else Accepted(id_of(batch))

        api.send = send
        api.poll = lambda batch: []
        with connector:
            dispatches = [send_to(connector, *people, name=f"c{n}") for n, people in enumerate(AUDIENCES)]
            assert nothing_wrong(connector)
            shuffle.shuffle(left)
            for place, arrival in enumerate(left):
                if place == work_at:
                    clock.go(seconds=30)
                    connector.work()
                    assert nothing_wrong(connector)
                deliver(connector, batch_of[arrival.dispatch, arrival.person], arrival)
                assert nothing_wrong(connector)
            # What is in doubt still is found by its look-up.
            clock.go(minutes=5)
            connector.work()
            assert nothing_wrong(connector)
            assert api.wrong == []
            log = told(connector)
            assert len({event.id for event in log}) == len(log)
            ends = [reported(dispatch.report()) for dispatch in dispatches]
            assert ends == [replayed(dispatch.all_events()) for dispatch in dispatches]
            best: dict[tuple[str, str], str] = {}
            for event in log:
                # The log is in the order of rising ranks for each message.
                best[str(event.campaign_name), str(event.recipient)] = event.status
            for (campaign, person), end in best.items():
                mine = [event.status for event in log if (event.campaign_name, event.recipient) == (campaign, person)]
                assert mine[0] == "enqueued" and mine[-1] == end and len(set(mine)) == len(mine)
            people = sorted((f"{campaign} {person}", end) for (campaign, person), end in best.items())
            return Run(ends, people, sorted((f"{e.campaign_name} {e.recipient}", e.status.value) for e in log))


def expected(arrivals: Sequence[Arrival]) -> list[tuple[str, str]]:
    found = []
    for dispatch, audience in enumerate(AUDIENCES):
        for person in audience:
            ends = [ENDS[a.status] for a in arrivals if (a.dispatch, a.person) == (dispatch, person)]
            end = max(ends, key=ORDER.index, default="open")
            found.append((f"c{dispatch} {person}", "enqueued" if end == "open" else end))
    return sorted(found)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    arrivals=st.lists(ARRIVALS, min_size=1, max_size=9),
    repeated=st.lists(st.integers(0, 8), max_size=4),
    doubtful=st.booleans(),
    early=st.integers(0, 2),
    work_at=st.integers(0, 8),
    seed=st.integers(0, 2**16),
)
@example(
    arrivals=[Arrival(0, ADA, "Delivered", "id", 1), Arrival(0, ADA, "Failed", "reference", 2)],
    repeated=[0, 0],
    doubtful=True,
    early=1,
    work_at=0,
    seed=1,
)
def test_any_order_number_and_delay_of_receipts_gives_the_same_end(
    arrivals: list[Arrival], repeated: list[int], doubtful: bool, early: int, work_at: int, seed: int
) -> None:
    again = [arrivals[place] for place in repeated if place < len(arrivals)]
    first = run([*arrivals, *again], doubtful, random.Random(seed), early=early, work_at=work_at)
    assert first.people == expected(arrivals)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    ends=st.lists(st.sampled_from(sorted(CODES)), min_size=5, max_size=5),
    seed=st.integers(0, 2**16),
    early=st.integers(0, 2),
)
def test_where_every_message_has_one_end_the_same_events_come_of_any_order(
    ends: list[str], seed: int, early: int
) -> None:
    people = [(dispatch, person) for dispatch, audience in enumerate(AUDIENCES) for person in audience]
    arrivals = [
        Arrival(*whose, status, "reference", 3)
        for whose, end in zip(people, ends, strict=True)
        for status in ("Queued", "Dispatched", end, end)
    ]
    shuffled = list(arrivals)
    random.Random(seed).shuffle(shuffled)
    straight = run(arrivals, False, random.Random(0), early=0, work_at=99)
    crooked = run(shuffled, True, random.Random(seed), early=early, work_at=seed % 9)
    assert crooked.ends == straight.ends
    assert crooked.events == straight.events


@pytest.mark.parametrize("order", list(permutations(["Rejected", "Failed", "Delivered"])))
def test_contradicting_reports_end_at_the_highest_and_every_rise_is_an_event(
    connector: Connector, api: Api, order: tuple[str, ...]
) -> None:
    send_to(connector, ADA)
    for status in order:
        take(connector, receipt(ADA, status, CODES[status], client_reference=api.sent[0].key))
        assert nothing_wrong(connector)
    risen: list[str] = ["enqueued"]
    for status in order:
        if ORDER.index(ENDS[status]) > ORDER.index("open" if risen[-1] == "enqueued" else risen[-1]):
            risen.append(ENDS[status])
    assert statuses(connector, ADA) == risen
    assert risen[-1] == "delivered"


def test_many_people_in_one_report_rise_together(connector: Connector, api: Api) -> None:
    dispatch = send_to(connector, ADA, BO, CY, DI)
    (batch,) = api.sent
    ends = {ADA: ("Delivered", 0), BO: ("Failed", 150), CY: ("Aborted", 402), DI: ("Unknown", 155)}
    take(connector, batch_report(batch, ends))
    take(connector, batch_report(batch, ends))
    assert nothing_wrong(connector)
    report = dispatch.report()
    assert (report.delivered, report.failed, report.rejected, report.open) == (1, 1, 1, 1)
    assert connector.counters()["sms"]["repeated"] == 3


def test_the_end_moves_the_count_of_codes_along(connector: Connector, api: Api) -> None:
    """A message that failed and then is delivered after all leaves nothing among the errors."""
    dispatch = send_to(connector, ADA, BO)
    key = api.sent[0].key
    take(connector, receipt(ADA, "Aborted", 402, client_reference=key))
    take(connector, receipt(ADA, "Failed", 150, client_reference=key))
    assert [(e.status, e.status_code, e.count) for e in dispatch.report().errors] == [("failed", 150, 1)]
    take(connector, receipt(ADA, "Delivered", 0, client_reference=key))
    assert dispatch.report().errors == []
    assert nothing_wrong(connector)
