"""The report of a dispatch: its keys, its sums, and its errors in plain words."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from connector_sinch.sms.codes import CODES
from receiving_kit import (
    ADA,
    BO,
    CY,
    DI,
    EM,
    NOW,
    Api,
    Clock,
    connect,
    id_of,
    inbound,
    nothing_wrong,
    receipt,
    replayed,
    reported,
    send_to,
    take,
)

from connector.connector import Connector
from connector.extension import hookimpl
from connector.ledger.tables import DispatchState, MessageState
from connector.model.batch import Batch
from connector.model.codes import Turn
from connector.model.errors import Throttled
from connector.model.event import SkipReason, Status, StatusCodeSource
from connector.model.outcome import Accepted, InDoubt, Refused, Scope
from connector.model.report import Receipt, ReceiptKind
from connector.model.words import REASONS, STATES
from connector.report import WORST_FIRST, Skips, funnel, share, together

KEYS = {
    "dispatch",
    "campaign",
    "state",
    "recipients",
    "skipped",
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
    "report_not_expected",
    "double_send",
    "number_of_message_parts",
    "errors",
}
GERMAN, BERLIN = "491713920001", "493023125001"
"""Kept for drama, in a country without reports."""


class Desk(NamedTuple):
    connector: Connector
    api: Api
    clock: Clock


class Reading:
    """A channel that tells when a message is read: `read`, and nothing else, is this hook's."""

    @hookimpl
    def connector_map_events(self, report: Any) -> list[Receipt] | None:
        if not report.body.startswith(b"read "):
            return None
        person = report.body.removeprefix(b"read ").decode()
        return [Receipt(ReceiptKind.message, Status.read, True, batch_key=report.batch_key, recipient=person)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    api, clock = Api(), Clock()
    with connect(tmp_path, api, clock, Reading()) as connector:
        yield Desk(connector, api, clock)


def report_on(desk: Desk, person: str, status: str = "Delivered", code: int = 0, **changes: Any) -> None:
    key = next(batch.key for batch in desk.api.sent if person in batch.recipients)
    take(desk.connector, receipt(person, status, code, client_reference=key, **changes))


def test_it_has_at_least_these_keys(desk: Desk) -> None:
    told = send_to(desk.connector, ADA, "nobody").report().as_dict()
    assert set(told) >= KEYS
    assert told["skipped"] == {"total": 1, "by_reason": {"invalid_number": 1}}
    assert (told["campaign"], told["state"], told["recipients"]) == ("spring", "finished", 2)
    assert all(isinstance(told[key], int) for key in KEYS - {"dispatch", "campaign", "state", "skipped", "errors"})


def test_errors_in_plain_words(desk: Desk) -> None:
    desk.api.send = lambda batch: (
        Refused(Scope.recipient, 400, error="syntax_invalid_parameter_format", recipients=(4,))
        if len(batch.recipients) == 5
        else Accepted(id_of(batch))
    )
    dispatch = send_to(desk.connector, ADA, BO, CY, DI, EM)
    key = desk.api.sent[-1].key
    for person, status, code in (
        (ADA, "Failed", 150),
        (BO, "Failed", 150),
        (CY, "Aborted", 402),
        (DI, "Rejected", 99_999),
    ):
        take(desk.connector, receipt(person, status, code, client_reference=key))
    rows = dispatch.report().as_dict()["errors"]
    assert all(set(row) >= {"status", "status_code", "status_code_source", "count", "meaning"} for row in rows)
    assert [(row["status"], row["status_code"], row["status_code_source"], row["count"]) for row in rows] == [
        ("failed", 150, "smpp", 2),
        ("enqueue_failed", 400, "http", 1),
        ("rejected", 402, "report", 1),
        ("rejected", 99_999, "smpp", 1),
    ]
    assert [row["meaning"] for row in rows] == [
        CODES[StatusCodeSource.smpp, "150"].meaning,
        CODES[StatusCodeSource.http, "syntax_invalid_parameter_format"].meaning,
        CODES[StatusCodeSource.report, "402"].meaning,
        None,
    ]


def test_the_same_number_of_two_catalogues_is_two_errors(desk: Desk) -> None:
    """A report's 402 is no HTTP 402."""
    desk.api.send = lambda batch: (
        Refused(Scope.recipient, 402, recipients=(0,)) if ADA in batch.recipients else Accepted(id_of(batch))
    )
    dispatch = send_to(desk.connector, ADA, BO)
    take(desk.connector, receipt(BO, "Aborted", 402, client_reference=desk.api.sent[-1].key))
    errors = dispatch.report().errors
    assert {(row.status_code, row.status_code_source, row.count) for row in errors} == {
        (402, "http", 1),
        (402, "report", 1),
    }
    assert len({row.meaning for row in errors}) == 2


def test_a_failure_without_a_code_is_counted_too(desk: Desk) -> None:
    dispatch = send_to(desk.connector, ADA)
    report_on(desk, ADA, "Failed", None)  # type: ignore[arg-type]
    (row,) = dispatch.report().errors
    assert (row.status, row.status_code, row.status_code_source, row.count, row.meaning) == (
        "failed",
        None,
        None,
        1,
        None,
    )


def test_read_is_delivered_as_well(desk: Desk) -> None:
    dispatch = send_to(desk.connector, ADA, BO, CY)
    report_on(desk, ADA)
    report_on(desk, BO)
    for person in (BO, CY):
        take(desk.connector, f"read {person}".encode(), key=desk.api.sent[0].key)
    report = dispatch.report()
    assert (report.delivered, report.read, report.open, report.enqueued) == (3, 2, 0, 3)
    assert reported(report) == replayed(dispatch.all_events())
    assert nothing_wrong(desk.connector)
    # Delivered after it was read is nothing new.
    report_on(desk, CY)
    assert dispatch.report() == report


def test_no_report_is_expected_from_some_countries(desk: Desk) -> None:
    dispatch = send_to(desk.connector, ADA, GERMAN, BERLIN)
    assert dispatch.report().enqueued == 3
    assert (dispatch.report().open, dispatch.report().report_not_expected) == (3, 2)
    # One that comes all the same is used.
    report_on(desk, BERLIN)
    assert (dispatch.report().delivered, dispatch.report().report_not_expected) == (1, 1)
    desk.clock.go(days=5)
    desk.connector.work()
    report = dispatch.report()
    assert (report.open, report.unconfirmed, report.report_not_expected) == (0, 2, 1)
    assert nothing_wrong(desk.connector)


def test_what_was_not_accepted_expects_nothing(desk: Desk) -> None:
    desk.api.send = lambda batch: InDoubt("the line broke")
    assert send_to(desk.connector, GERMAN).report().report_not_expected == 0


def test_parts_are_those_of_what_was_accepted(desk: Desk) -> None:
    desk.api.send = lambda batch: (
        Accepted(id_of(batch)) if len(batch.recipients) == 1 else Refused(Scope.recipient, 400, recipients=(0,))
    )
    dispatch = send_to(desk.connector, ADA, BO, message={"text": "x" * 161})
    assert (dispatch.report().enqueue_failed, dispatch.report().number_of_message_parts) == (1, 2)


@pytest.mark.parametrize(
    ("answer", "state", "bucket"),
    [
        (lambda batch: Accepted(id_of(batch)), "finished", "open"),
        (lambda batch: InDoubt("the line broke"), "running", "in_doubt"),
        (lambda batch: Refused(Scope.account, 401, advice="Copy the token anew."), "stopped", "waiting"),
        (lambda batch: Refused(Scope.recipient, 400, recipients=(0,)), "finished", "enqueue_failed"),
        (lambda batch: (_ for _ in ()).throw(Throttled(retry_after_seconds=60)), "running", "waiting"),
    ],
    ids=["accepted", "in doubt", "refused", "one refused", "throttled"],
)
def test_its_state_and_where_the_message_is(desk: Desk, answer: Any, state: str, bucket: str) -> None:
    desk.api.send = answer
    report = send_to(desk.connector, ADA).report()
    assert (report.state, report.as_dict()[bucket]) == (state, 1)
    assert report.is_settled is (state == "finished")
    assert report.is_final is (bucket == "enqueue_failed")
    assert ("Copy the token anew." in (report.cause or "")) is (state == "stopped")
    others = ("waiting", "in_doubt", "enqueue_failed", "open", "unknown", "sending")
    assert sum(report.as_dict()[name] for name in others) == 1
    assert nothing_wrong(desk.connector)


def test_while_a_batch_is_on_its_way(desk: Desk) -> None:
    seen = []

    def send(batch: Batch) -> Accepted:
        line = desk.connector.dispatches()[0]
        seen.append((desk.connector.dispatch(line.id).report(), line))
        return Accepted(id_of(batch))

    desk.api.send = send
    send_to(desk.connector, ADA, BO)
    ((report, line),) = seen
    assert (report.sending, report.waiting, report.enqueued, report.state) == (2, 0, 0, "running")
    assert (line.recipients, line.enqueued, line.in_doubt) == (2, 0, 0)


def test_a_paused_one_says_so(desk: Desk) -> None:
    dispatch = desk.connector.send(
        {"name": "spring", "sender": "Shop", "message": {"text": "Hi"}}, [{"to": f"+{ADA}"}], drain=False
    )
    dispatch.pause()
    report = dispatch.report()
    assert (report.state, report.waiting, report.is_settled) == ("paused", 1, False)
    assert report.cause


def test_replies_and_late_reports_are_beside_the_sums(desk: Desk) -> None:
    dispatch = send_to(desk.connector, ADA)
    take(desk.connector, inbound(ADA, client_reference=desk.api.sent[0].key))
    report_on(desk, ADA, at=(NOW + timedelta(days=5)).isoformat())
    report = dispatch.report()
    assert (report.late, report.open, report.enqueued) == (1, 1, 1)
    assert reported(report) == replayed(dispatch.all_events())


def test_two_dispatches_do_not_count_each_others(desk: Desk) -> None:
    first = send_to(desk.connector, ADA, BO, name="first")
    second = send_to(desk.connector, ADA, "nobody", name="second")
    take(desk.connector, receipt(ADA, client_reference=desk.api.sent[1].key))
    assert (first.report().recipients, first.report().delivered) == (2, 0)
    assert (second.report().recipients, second.report().delivered, second.report().skipped.total) == (2, 1, 1)


def test_several_reports_add_up_and_the_worst_state_shows(desk: Desk) -> None:
    first = send_to(desk.connector, ADA, BO, "nobody")
    for person in (ADA, BO):
        report_on(desk, person, "Failed", 150)
    second = send_to(desk.connector, CY, DI, CY)
    take(desk.connector, receipt(CY, "Failed", 150, client_reference=desk.api.sent[-1].key))
    desk.api.send = lambda batch: Refused(Scope.account, 401, advice="Copy the token anew.")
    third = send_to(desk.connector, EM)
    reports = [each.report() for each in (first, second, third)]
    whole = together(reports)
    assert (whole.recipients, whole.enqueued, whole.failed, whole.open, whole.waiting) == (7, 4, 3, 1, 1)
    assert whole.skipped == Skips(2, {"duplicate": 1, "invalid_number": 1})
    assert [(error.code, error.count, error.turn) for error in whole.errors] == [("150", 3, Turn.recipient)]
    assert (whole.state, whole.cause) == ("stopped", reports[2].cause)
    assert whole.dispatch == ", ".join((first.id, second.id, third.id))
    assert together(reports[:1]) == reports[0]


def test_there_are_words_for_everything_that_a_report_can_say(desk: Desk) -> None:
    assert set(WORST_FIRST) == set(DispatchState)
    assert set(REASONS) == set(SkipReason)
    assert {line.name for line in funnel(send_to(desk.connector, ADA).report())} >= set(STATES)
    assert set(STATES) >= set(MessageState) - {MessageState.withdrawn}


def test_a_rate_is_all_or_nothing_only_where_it_is() -> None:
    assert [share(part, 3000) for part in (0, 1, 1500, 2999, 3000)] == [
        "0.0 %",
        "<0.1 %",
        "50.0 %",
        ">99.9 %",
        "100.0 %",
    ]
    assert share(0, 0) == "-"
