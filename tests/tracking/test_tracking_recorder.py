"""Callbacks that come together are written together, and each is answered for itself."""

import asyncio
import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_json
from receiving_kit import (
    ADA,
    BO,
    CY,
    Api,
    Clock,
    address,
    batch_report,
    call,
    connect,
    inbound,
    nothing_wrong,
    receipt,
    send_to,
    sql,
    told,
)
from sqlalchemy import Engine, event

from connector.connector import Connector
from connector.ledger import database
from connector.simulator.numbers import fictional_numbers


class Ticking(Clock):
    """A clock of which no two looks are the same: every transaction has a time of its own."""

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now


def reports(api: Api, **changes: Any) -> list[bytes]:
    """A report for everybody in the first batch."""
    (batch,) = api.sent
    return [to_json(receipt(person, client_reference=batch.key, **changes)) for person in batch.recipients]


def test_callbacks_that_come_together_share_their_transactions(tmp_path: Path, api: Api) -> None:
    with connect(tmp_path, api, Ticking()) as connector:
        numbers = fictional_numbers()
        dispatch = send_to(connector, *(next(numbers) for _ in range(300)))
        path = address(connector)

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*(call(connector.asgi, path, body) for body in reports(api)))

        assert {answer.status for answer in asyncio.run(all_at_once())} == {200}
        assert dispatch.report().delivered == 300
        delivered = [event for event in told(connector) if event.status == "delivered"]
        assert len({event.recorded_at for event in delivered}) <= 10
        assert nothing_wrong(connector)


def test_reports_of_whole_batches_do_not_make_one_long_transaction(tmp_path: Path, api: Api) -> None:
    with connect(tmp_path, api, Ticking()) as connector:
        numbers = fictional_numbers()
        dispatch = send_to(connector, *(next(numbers) for _ in range(1000)))
        path = address(connector)
        (batch,) = api.sent
        bodies = [
            to_json(batch_report(batch, dict.fromkeys(batch.recipients[start : start + 200], ("Delivered", 0))))
            for start in range(0, 1000, 200)
        ]

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*(call(connector.asgi, path, body) for body in [*bodies, *bodies]))

        assert {answer.status for answer in asyncio.run(all_at_once())} == {200}
        assert dispatch.report().delivered == 1000
        together = Counter(event.recorded_at for event in told(connector) if event.status == "delivered")
        assert max(together.values()) <= 500
        assert nothing_wrong(connector)


def test_what_a_callback_costs_does_not_grow_with_the_dispatch(connector: Connector, api: Api) -> None:
    """Everything is looked up by a key that names a message, batch or report: nothing goes through a list of them."""
    dispatch = send_to(connector, ADA, BO, CY, {"to": "+12015550104", "sender": "Other"})
    path = address(connector)
    asked: dict[str, Any] = {}

    def note(connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            asked[statement] = values[0] if many else values

    bodies = [to_json(receipt(person, client_reference=batch.key)) for batch in api.sent for person in batch.recipients]
    # Of an unknown batch, late, unreadable, and from a person.
    bodies.append(to_json(receipt(ADA, batch_id="01-unknown")))
    bodies.append(to_json(receipt(BO, client_reference=api.sent[0].key, at="2027-11-23T09:31:00.000Z")))
    bodies += [b"?", to_json(inbound(ADA, client_reference=api.sent[0].key))]

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(call(connector.asgi, path, body) for body in bodies))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert {answer.status for answer in asyncio.run(all_at_once())} == {200}
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert dispatch.report().delivered == 4
    with sql(connector) as ledger:
        steps = [
            (step, statement)
            for statement, values in asked.items()
            for *_, step in ledger.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    few = ("SCAN integrations", "SCAN receivers", "SCAN CONSTANT ROW", "SCALAR SUBQUERY")
    found = [step for step, _ in steps if step.startswith(("SCAN", "SEARCH")) and not step.startswith(few)]
    assert any(step.startswith("SEARCH addresses") for step in found)
    assert [step for step in found if step.startswith("SCAN")] == []
    through_a_list = re.compile(r"SEARCH (messages|batches|events) .*[<>]")
    assert [step for step in found if through_a_list.match(step)] == []


def test_one_that_can_not_be_written_does_not_keep_the_others_out(connector: Connector, api: Api) -> None:
    dispatch = send_to(connector, ADA, BO, CY)
    path = address(connector)
    bodies = reports(api)
    bodies[1] = to_json(receipt(BO, client_reference=api.sent[0].key, status_message="poison"))
    with sql(connector) as ledger:
        ledger.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON events WHEN new.comment = 'poison' "
            "BEGIN SELECT RAISE(ABORT, 'a fault of this row'); END"
        )

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(call(connector.asgi, path, body) for body in bodies))

    assert [answer.status for answer in asyncio.run(all_at_once())] == [200, 503, 200]
    assert dispatch.report().delivered == 2
    assert nothing_wrong(connector)
    with sql(connector) as ledger:
        ledger.execute("DROP TRIGGER poison")
    assert asyncio.run(call(connector.asgi, path, bodies[1])).status == 200
    assert dispatch.report().delivered == 3
    assert nothing_wrong(connector)


def test_a_ledger_that_is_held_is_asked_once_for_all_of_them(
    tmp_path: Path, api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Waiting for it once for each of five hundred would answer nobody."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.05)
    with connect(tmp_path, api, clock) as connector:
        numbers = fictional_numbers()
        send_to(connector, *(next(numbers) for _ in range(50)))
        path = address(connector)
        connector.recorder.start()

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*(call(connector.asgi, path, body) for body in reports(api)))

        with sql(connector) as ledger:
            ledger.execute("BEGIN IMMEDIATE")
            assert {answer.status for answer in asyncio.run(all_at_once())} == {503}
        refusals = [record for record in caplog.records if record.message.startswith("Receipts could not be written")]
        assert 1 <= len(refusals) <= 5
        assert {answer.status for answer in asyncio.run(all_at_once())} == {200}


def test_who_stops_waiting_does_not_keep_others_from_their_answers(connector: Connector, api: Api) -> None:
    """A web server cancels what handles a request whose sender went away."""
    dispatch = send_to(connector, ADA, BO)
    path = address(connector)
    first, second = reports(api)

    async def scenario() -> int:
        with sql(connector) as ledger:
            # Nothing can be written until this ends.
            ledger.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(call(connector.asgi, path, first))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            ledger.execute("COMMIT")
        return (await asyncio.wait_for(call(connector.asgi, path, second), 20)).status

    assert asyncio.run(scenario()) == 200
    assert dispatch.report().delivered == 2


def test_a_receiver_that_can_not_show_itself_takes_callbacks_all_the_same(connector: Connector, api: Api) -> None:
    dispatch = send_to(connector, ADA)
    with sql(connector) as ledger:
        ledger.execute("DROP TABLE receivers")
    assert asyncio.run(call(connector.asgi, address(connector), *reports(api))).status == 200
    assert dispatch.report().delivered == 1


def test_closing_writes_what_was_handed_over_and_a_new_use_starts_anew(connector: Connector, api: Api) -> None:
    dispatch = send_to(connector, ADA, BO)
    path = address(connector)
    first, second = reports(api)

    async def scenario() -> int:
        taken = asyncio.create_task(call(connector.asgi, path, first))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.to_thread(connector.close)
        return (await taken).status

    assert asyncio.run(scenario()) == 200
    assert dispatch.report().delivered == 1
    assert asyncio.run(call(connector.asgi, path, second)).status == 200
    assert dispatch.report().delivered == 2
