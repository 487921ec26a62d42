"""A batch that was sent twice, as the first copy was hidden for too long: told, though no report can be asked for."""

from collections.abc import Callable
from datetime import timedelta

from conversation_stage import Stage
from sending_kit import Clock, closes

from connector.connector import Dispatch
from connector.ledger.tables import WhyKept
from connector.tracking.policy import Policy

ADA, BO, CY = "12015550101", "12015550102", "12015550103"
HOURS = 36_000.0


def sent_twice(on: Stage, clock: Clock) -> Dispatch:
    """A batch whose answer was lost, which the list hides, and which was sent again; no callback has come."""
    on.send(CY, text="Hello")
    while on.connector.accounts()[0].look_up_proven_at is None:
        clock.advance(5)
        on.connector.work()
    on.own("hold", {"at": "callbacks"})
    on.own("faults", {"drop_after": "1x1", "listing_lag": HOURS})
    dispatch = on.connector.send(
        {"name": "spring", "message": {"text": "Hello"}, "integration": "conv"},
        [{"to": f"+{ADA}"}, {"to": f"+{BO}"}],
        drain=False,
    )
    while not dispatch.report().enqueued:
        on.connector.work()
        clock.advance(60)
    on.own("faults", {})
    return dispatch


def test_a_first_copy_that_shows_late_is_told_though_every_callback_is_lost(stage: Callable[..., Stage]) -> None:
    clock = Clock()
    # Behind the provider's clock, so that what is to be sent now is sent now.
    clock.advance(-3600)
    on = stage(clock=clock, tracking={"doubt_window_seconds": 0, "resend_lead_seconds": 0})
    dispatch = sent_twice(on, clock)
    assert on.posted() == 3
    assert dispatch.report().double_send == 0
    clock.advance((Policy().first_poll + timedelta(seconds=1)).total_seconds())
    on.connector.work()
    report = dispatch.report()
    assert (report.enqueued, report.double_send) == (2, 2)
    assert closes(report)
    told = on.connector.verify()[dispatch.id]
    assert "double_send: 2 messages were accepted twice by the provider" in told
    # It is told once, whoever tells it again.
    on.own("release", {})
    on.until(lambda: dispatch.report().delivered == 2)
    on.until(lambda: on.connector.counters()["conv"].get(WhyKept.double_send, 0) >= 4)
    clock.advance(86_400)
    on.connector.work()
    report = dispatch.report()
    assert (report.delivered, report.double_send) == (2, 2)
    assert on.posted() == 3
