"""Sessions that end between planning and sending, of one batch one after the other."""

from collections import Counter
from datetime import timedelta

from test_sinch_conversation_sessions import (
    ADA,
    BO,
    CY,
    DI,
    ON_WHATSAPP,
    TEMPLATE,
    Desk,
    Stopping,
    desk,
    requests,
    sent_to,
    stopping,
)

__all__ = ["desk", "stopping"]

EVE = "12015550103"


def test_nobody_is_in_two_batches(desk: Desk, stopping: Stopping) -> None:
    """Those whose sessions end stand between each other."""
    for person, hours in ((ADA, 23), (BO, 20), (CY, 23), (DI, 0), (EVE, 0)):
        desk.writes(person, ago=timedelta(hours=hours))
    dispatch = desk.plan({**ON_WHATSAPP, "outside_session": {"template_message": TEMPLATE}}, ADA, BO, CY, DI, EVE)
    desk.go(hours=2)
    stopping.at = 1
    desk.connector.work()
    stopping.at = None
    assert dispatch.report().waiting == 5
    desk.go(hours=3)
    dispatch.resume()
    desk.work()
    desk.work()
    assert Counter(person for body in requests(desk) for person in sent_to(body)) == Counter([ADA, BO, CY, DI, EVE])
    template = {person for body in requests(desk) for person in sent_to(body) if "template_message" in body["message"]}
    assert template == {ADA, BO, CY}
    assert dispatch.report().enqueued == 5
    assert not any(desk.connector.verify().values())
    assert max(Counter(event.id for event in dispatch.all_events()).values()) == 1
