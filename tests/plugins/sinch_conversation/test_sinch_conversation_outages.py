"""Channels that turn FAILING: what would go over them is paused, with Sinch's words, before it is sent."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from connector_sinch.conversation.provider import SinchConversation
from conversation_stage import Stage
from pydantic_core import to_json
from sending_kit import Clock
from sinch_conversation_kit import NOW, make_batch
from sqlalchemy import select

from connector.connector import Dispatch
from connector.ledger.tables import accounts
from connector.model.event import Event, EventKind, Status
from connector.model.outcome import Scope
from connector.model.report import Report, ReportSource
from connector.tracking.channels import ASK_EVERY, TOLD_STANDS

ADA, BO = "12015550101", "12015550102"
REVOKED = "Permission was revoked at Meta."
TEMPLATE = {"channel_template": {"WHATSAPP": {"template_id": "spring", "language_code": "en_US"}}}
ON_WHATSAPP = {"template_message": TEMPLATE, "channel_priority_order": ["WHATSAPP"]}
BANNED = {"channel_event": {"channel": "WHATSAPP", "event_type": "WHATS_APP_ACCOUNT_BANNED"}}


def plan(on: Stage, message: dict[str, Any], *people: Any, **campaign: Any) -> Dispatch:
    rows = [{"to": f"+{each}"} if isinstance(each, str) else each for each in people or (ADA,)]
    # Each in a batch of their own.
    rows = [{**row, "sender": f"Shop {place}"} for place, row in enumerate(rows)]
    given = {"name": "spring", "message": message, "integration": "conv", **campaign}
    return on.connector.send(given, rows, again=True, drain=False)


def where(dispatch: Dispatch) -> tuple[str, int, int]:
    report = dispatch.report()
    return (report.state, report.waiting, report.enqueued)


def asked_at(on: Stage) -> datetime | None:
    """When the app was last asked about its channels."""
    with on.connector.ledger.read() as connection:
        at: datetime | None = connection.scalar(select(accounts.c.channels_asked_at))
    return at


def events_of_channels(on: Stage) -> list[Event]:
    return [event for event in on.events() if event.raw_status == "CHANNEL_EVENT"]


def test_a_dispatch_is_paused_before_its_first_request_in_sinchs_words(stage: Callable[..., Stage]) -> None:
    on = stage(failing={"WHATSAPP": REVOKED})
    dispatch = plan(on, ON_WHATSAPP, ADA, BO)
    on.connector.work()
    assert where(dispatch) == ("paused", 2, 0)
    cause = dispatch.report().cause
    assert cause is not None
    assert cause.startswith("The channel WHATSAPP lets nothing through.")
    assert "FAILING: Permission was revoked at Meta. Mend that, then resume." in cause
    assert on.posted() == 0
    assert on.is_whole()


def test_a_person_resumes_in_spite_of_it_and_is_not_paused_for_the_same_again(stage: Callable[..., Stage]) -> None:
    clock = Clock()
    on = stage(clock=clock, failing={"WHATSAPP": REVOKED})
    dispatch = plan(on, ON_WHATSAPP)
    on.connector.work()
    dispatch.resume()
    clock.advance(ASK_EVERY.total_seconds() + 1)
    before = asked_at(on)
    on.connector.work()
    assert asked_at(on) != before
    assert where(dispatch)[1:] == (0, 1)
    # Another dispatch hasn't been seen by anybody.
    other = plan(on, ON_WHATSAPP, BO)
    on.connector.work()
    assert where(other) == ("paused", 1, 0)


def test_after_it_was_well_it_pauses_anew(stage: Callable[..., Stage]) -> None:
    clock = Clock()
    on = stage(clock=clock, failing={"WHATSAPP": REVOKED})
    dispatch = on.connector.open({"name": "orders", "message": ON_WHATSAPP, "integration": "conv"}, key="orders")

    def next_one(key: str) -> tuple[str, int, int]:
        dispatch.add({"to": f"+{ADA}"}, key=key)
        clock.advance(ASK_EVERY.total_seconds() + 1)
        on.connector.work()
        return where(dispatch)

    assert next_one("1") == ("paused", 1, 0)
    on.fails()
    dispatch.resume()
    assert next_one("2")[1:] == (0, 2)
    on.fails(WHATSAPP="The number was taken away.")
    assert next_one("3") == ("paused", 1, 2)
    assert "The number was taken away" in (dispatch.report().cause or "")


def test_it_is_asked_again_while_a_dispatch_is_under_way(stage: Callable[..., Stage]) -> None:
    clock = Clock()
    on = stage(clock=clock)
    dispatch = on.connector.open({"name": "orders", "message": ON_WHATSAPP, "integration": "conv"}, key="orders")
    for key in ("1", "2", "3"):
        dispatch.add({"to": f"+{ADA}"}, key=key)
        clock.advance(2)
        on.connector.work()
    assert where(dispatch)[1:] == (0, 3)
    before = asked_at(on)
    assert before is not None
    assert clock() - before > timedelta(seconds=4)
    on.fails(WHATSAPP=REVOKED)
    clock.advance(ASK_EVERY.total_seconds())
    dispatch.add({"to": f"+{ADA}"}, key="4")
    clock.advance(2)
    on.connector.work()
    assert where(dispatch) == ("paused", 1, 3)
    assert asked_at(on) != before


def test_a_clock_that_is_set_back_after_resuming_keeps_nothing_back(stage: Callable[..., Stage]) -> None:
    clock = Clock()
    on = stage(clock=clock)
    dispatch = plan(on, ON_WHATSAPP)
    dispatch.pause()
    clock.advance(1800)
    dispatch.resume()
    clock.advance(-600)
    on.connector.worker(replies=False).run(max_seconds=60, until=lambda: dispatch.report().enqueued == 1)
    assert where(dispatch)[1:] == (0, 1)


def test_an_answer_from_before_a_dispatch_does_not_serve_for_it(stage: Callable[..., Stage]) -> None:
    clock = Clock()
    on = stage(clock=clock)
    plan(on, ON_WHATSAPP)
    on.connector.work()
    before = asked_at(on)
    clock.advance(60)
    on.fails(WHATSAPP=REVOKED)
    dispatch = plan(on, ON_WHATSAPP, BO)
    on.connector.work()
    assert asked_at(on) != before
    assert where(dispatch) == ("paused", 1, 0)


@pytest.mark.parametrize(
    ("message", "row", "paused"),
    [
        ({"text": "Hi"}, {"to": f"+{ADA}"}, False),
        ({"text": "Hi", "channel_priority_order": ["RCS", "SMS"]}, {"to": f"+{ADA}"}, False),
        ({**ON_WHATSAPP, "channel_priority_order": ["SMS", "WHATSAPP"]}, {"to": f"+{ADA}"}, True),
        ({"template_message": TEMPLATE}, {"to": "", "identities": f"SMS:+{ADA} WHATSAPP:+{ADA}"}, True),
        ({"text": "Hi"}, {"to": "", "identities": f"SMS:+{ADA} RCS:+{ADA}"}, False),
        ({"template_message": TEMPLATE}, {"to": f"WHATSAPP:+{ADA}"}, True),
    ],
    ids=[
        "numbers go by SMS",
        "other channels",
        "one of several",
        "a person's own",
        "not a person's own",
        "an identity",
    ],
)
def test_only_what_would_go_over_the_channel_is_paused(
    stage: Callable[..., Stage], message: dict[str, Any], row: dict[str, str], paused: bool
) -> None:
    on = stage(failing={"WHATSAPP": REVOKED})
    dispatch = plan(on, message, row)
    on.connector.work()
    assert where(dispatch)[1:] == ((1, 0) if paused else (0, 1))


def test_a_contact_is_reached_over_any_channel() -> None:
    contact = ["contact:01JTESTCONTACT000000000000"]
    uses = SinchConversation.channels_of
    provider = object.__new__(SinchConversation)
    assert uses(provider, make_batch(recipients=contact)) is None
    named = {"text": "Hi", "channel_priority_order": ["RCS", "SMS"]}
    assert uses(provider, make_batch(named, recipients=contact)) == {"RCS", "SMS"}


def test_the_callback_alone_pauses_what_is_sent_after_it(stage: Callable[..., Stage]) -> None:
    """Though the app itself still shows the channel as ACTIVE."""
    clock = Clock()
    on = stage(clock=clock)
    first = plan(on, ON_WHATSAPP)
    on.connector.work()
    assert where(first)[1:] == (0, 1)
    waiting, by_sms = plan(on, ON_WHATSAPP, BO), plan(on, {"text": "Hi"}, BO)
    on.happens(trigger="CHANNEL_EVENT", payload=BANNED)
    on.until(lambda: events_of_channels(on))
    clock.advance(60)
    on.connector.work()
    assert where(waiting) == ("paused", 1, 0)
    assert "In the provider's words: WHATS_APP_ACCOUNT_BANNED. Mend that" in (waiting.report().cause or "")
    assert where(by_sms)[1:] == (0, 1)
    (noted,) = events_of_channels(on)
    assert (noted.kind, noted.status) == (EventKind.channel, Status.noted)
    assert (noted.channel, noted.comment) == ("WHATSAPP", "WHATS_APP_ACCOUNT_BANNED")
    # After a while the app's own list is believed again.
    clock.advance(TOLD_STANDS.total_seconds())
    later = plan(on, ON_WHATSAPP, ADA)
    on.connector.work()
    assert where(later)[1:] == (0, 1)
    assert on.is_whole()


@pytest.mark.parametrize("answer", [500, 404], ids=str)
def test_an_app_that_can_not_be_read_keeps_nothing_back(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    on = stage(failing={"WHATSAPP": REVOKED})
    on.answers("GET", "apps", status=answer)
    dispatch = plan(on, ON_WHATSAPP)
    on.connector.work()
    assert where(dispatch)[1:] == (0, 1)


@pytest.mark.parametrize(
    ("event", "out_of_use", "words"),
    [
        ({"event_type": "WHATS_APP_QUALITY_RATING_CHANGED", "additional_data": {"quality_rating": "RED"}}, False, ""),
        ({"event_type": "CHANNEL_FAILING"}, True, "CHANNEL_FAILING"),
        (
            {"event_type": "PHONE_NUMBER_STATUS_CHANGED", "additional_data": {"status": "BANNED", "reason": "spam"}},
            True,
            "PHONE_NUMBER_STATUS_CHANGED: status BANNED, reason spam",
        ),
        (
            {"event_type": "STATUS_CHANGED", "additional_data": {"state": {"status": "disconnected"}}},
            True,
            "STATUS_CHANGED: status disconnected",
        ),
        (
            {
                "event_type": "STATUS_CHANGED",
                "additional_data": {"previous_status": "BANNED", "status": "CONNECTED"},
            },
            False,
            "",
        ),
        ({"event_type": "TEMPLATE_STATUS_CHANGED", "additional_data": {"status": "DISABLED"}}, False, ""),
        ({"additional_data": {"status": "REVOKED"}}, True, "CHANNEL_EVENT: status REVOKED"),
        ({"event_type": "STATUS_CHANGED", "additional_data": {"note": "was BANNED once"}}, False, ""),
        ({"event_type": "BANNED", "additional_data": {"number": "12015550101"}}, True, "BANNED: number (number)"),
        ({"event_type": 7, "additional_data": ["x", None, {"state": 3}]}, False, ""),
    ],
)
def test_what_an_event_of_a_channel_says_of_it(
    provider: SinchConversation, event: dict[str, Any], out_of_use: bool, words: str
) -> None:
    body = to_json({"channel_event_notification": {"channel_event": {"channel": "WHATSAPP", **event}}})
    (receipt,) = provider.parse(Report(ReportSource.callback, body, NOW + timedelta()))
    assert receipt.scope is (Scope.account if out_of_use else Scope.recipient)
    if out_of_use:
        assert receipt.comment == words
