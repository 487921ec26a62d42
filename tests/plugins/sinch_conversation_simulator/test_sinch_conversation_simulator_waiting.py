"""What becomes of messages after a while: the clock is the test's."""

import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connector_sinch.conversation.simulator import SIMULATOR
from connector_sinch.conversation.simulator_apps import Apps
from connector_sinch.conversation.simulator_callbacks import Callbacks
from connector_sinch.conversation.simulator_delivery import Delivery
from connector_sinch.conversation.simulator_messages import DISPATCH, Message
from connector_sinch.conversation.simulator_options import Outcome
from connector_sinch.conversation.simulator_request import SendRequest, read_object
from connector_sinch.conversation.simulator_sessions import Sessions
from connector_sinch.conversation.simulator_templates import Templates
from project_client import ANNA, TEXT, on

BEGIN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class World:
    """A delivery whose clock stands until it is moved; nothing is heard on RCS."""

    def __init__(self, **app: Any) -> None:
        options = SIMULATOR.Options(webhook_url="http://127.0.0.1:1/x")
        dice = random.Random(1)
        self.now = BEGIN
        self.told: list[tuple[str, str]] = []
        self.waiting: list[tuple[float, Callable[[], None]]] = []
        self._apps = Apps(dice, options)
        (self.app,) = self._apps.all()
        self.app.fields = self.app.fields.model_validate({**self.app.fields.model_dump(exclude_none=True), **app})
        templates = Templates(dice)
        self._delivery = Delivery(
            self._apps,
            Callbacks(self._take, dice, options.project_id),
            None,
            templates,
            Sessions(0),
            outcome=lambda channel, number: Outcome("QUEUED_ON_CHANNEL" if channel == "RCS" else "DELIVERED"),
            later=lambda seconds, do: self.waiting.append((seconds, do)),
            report_delay_seconds=0.0,
            clock=lambda: self.now,
        )

    def _take(self, url: str, body: bytes, sign: Callable[[bytes], Mapping[str, str]]) -> None:
        report = json.loads(body).get("message_delivery_report")
        if report is not None:
            self.told.append((report["channel_identity"]["channel"], report["status"]))

    def send(self, **fields: Any) -> None:
        content = {"app_id": self.app.id, "recipient": on(ANNA, "RCS", "SMS"), "message": TEXT, **fields}
        request = read_object(SendRequest, content)
        assert request.recipient.identified_by is not None
        message = Message(
            id="m",
            app=self.app,
            request=request,
            content=request.message,
            missing=frozenset(),
            identities=request.recipient.identified_by.channel_identities,
            contact_id="",
            conversation_id="",
            mode=DISPATCH,
            metadata="",
            conversation_metadata="",
            correlation_id="",
            content_type="CONTENT_UNKNOWN",
            accepted_at=BEGIN,
        )
        self._delivery.take([message])

    def wait(self) -> float:
        """Let the time come for what waits; how many seconds it was."""
        ((seconds, do),) = self.waiting
        self.waiting.clear()
        self.now += timedelta(seconds=seconds)
        do()
        return seconds


FALLBACK = {"delivery_report_based_fallback": {"enabled": True, "delivery_report_waiting_time": 60}}


def test_an_app_falls_back_where_no_report_comes() -> None:
    world = World(**FALLBACK)
    world.send()
    assert world.told == [("RCS", "QUEUED_ON_CHANNEL")]
    assert world.wait() == 60
    assert world.told[1:] == [("RCS", "SWITCHING_CHANNEL"), ("SMS", "QUEUED_ON_CHANNEL"), ("SMS", "DELIVERED")]


def test_an_app_that_did_not_ask_for_it_waits_for_ever() -> None:
    world = World()
    world.send()
    assert world.waiting == []


def test_nothing_is_sent_on_after_its_time_to_live() -> None:
    world = World(**FALLBACK)
    world.send(ttl="60s")
    world.wait()
    assert world.told[1:] == [("RCS", "FAILED")]


def test_a_message_that_waited_longer_than_its_time_to_live_is_not_sent_at_all() -> None:
    world = World()
    world.now += timedelta(seconds=3)
    world.send(ttl="3s")
    assert world.told == [("RCS", "FAILED")]
