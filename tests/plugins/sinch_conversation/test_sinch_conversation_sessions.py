"""Sessions on WhatsApp: kept from what people write, and asked before a campaign is sent that needs one."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from answering_api import Api
from connector_sinch.conversation import plugin
from connector_sinch.conversation.sessions import LENGTHS, rule_of
from pydantic_core import to_json
from sinch_conversation_kit import APPS, KEY_SECRET, MESSAGES, NOW, SEND, settings
from sqlalchemy import func, select

from connector.connector import Connector
from connector.engine.upkeep import upkeep
from connector.extension.plugins import Plugins
from connector.ledger.tables import sessions
from connector.model.callback import Request
from connector.model.campaign import Message
from connector.model.errors import CampaignError

ADA, BO, CY, DI = "12015550101", "12015550102", "46701740605", "46701740606"
ON_WHATSAPP = {"text": "Hello ${name}", "channel_priority_order": ["WHATSAPP"]}
TEMPLATE = {
    "channel_template": {
        "WHATSAPP": {"template_id": "spring", "language_code": "en_US", "parameters": {"body[1]text": "${name}"}}
    }
}


class Desk(NamedTuple):
    connector: Connector
    api: Api
    times: list[datetime]

    def go(self, **by: float) -> None:
        self.times.append(self.times[-1] + timedelta(**by))

    def writes(self, person: str, *, channel: str = "WHATSAPP", ago: timedelta = timedelta()) -> None:
        """A person writes, which is called back."""
        at = self.times[-1] - ago
        message = {
            "id": f"01{len(self.connector.events(limit=1000)):024}",
            "direction": "TO_APP",
            "contact_message": {"text_message": {"text": "Hello there"}},
            "channel_identity": {"channel": channel, "identity": f"+{person}", "app_id": ""},
            "accept_time": at.isoformat(),
        }
        path = urlsplit(self.connector.callback_addresses()["conv"]).path
        body = to_json({"app_id": "", "project_id": "", "event_time": at.isoformat(), "message": message})
        assert self.connector.receive(Request("POST", path, {}, body)).status == 200

    def send(self, message: dict[str, Any], *people: str | dict[str, str], **campaign: Any) -> Any:
        rows = [{"to": f"+{each}", "name": "X"} if isinstance(each, str) else each for each in people]
        given = {"name": "spring", "message": message, "integration": "conv", **campaign}
        dispatch = self.connector.send(given, rows, again=True, drain=False)
        self.connector.work()
        return dispatch

    def work(self) -> None:
        """As far as it goes; the account's pace lets one batch after the other leave."""
        for _ in range(4):
            self.go(seconds=1)
            self.connector.work()

    def skipped(self, dispatch: Any) -> dict[str, int]:
        return dict(dispatch.report().skipped.by_reason)


@pytest.fixture
def desk(api: Api, tmp_path: Path) -> Iterator[Desk]:
    # What people wrote is asked for under the same path: there is none of it.
    api.at(MESSAGES).will(200, {"batch_id": "01BATCH", "messages": [], "next_page_token": ""})
    api.at(APPS).will(200, {"id": "01APP", "processing_mode": "DISPATCH"})
    api.at(SEND).will(200, {"message_id": "01MESSAGE", "accepted_time": NOW.isoformat()})
    times = [NOW]
    configuration = {
        "integrations": {"conv": settings(api)},
        "storage": {"url": f"sqlite:///{tmp_path / 'ledger.db'}"},
        "server": {"public_url": "https://hooks.example.com"},
    }
    with Connector(
        configuration,
        plugins=Plugins([plugin], installed=False),
        secrets=lambda name: KEY_SECRET,
        clock=lambda: times[-1],
    ) as connector:
        yield Desk(connector, api, times)


def test_who_has_not_written_is_skipped_before_anything_is_paid_for(desk: Desk) -> None:
    desk.writes(ADA)
    dispatch = desk.send(ON_WHATSAPP, ADA, BO, CY)
    assert desk.skipped(dispatch) == {"outside_session": 2}
    assert dispatch.report().enqueued == 1
    assert desk.connector.verify() == {dispatch.id: []}


@pytest.mark.parametrize(("hours", "open_"), [(0, True), (23.9, True), (24.1, False), (500, False)])
def test_a_session_is_open_for_24_hours(desk: Desk, hours: float, open_: bool) -> None:
    desk.writes(ADA)
    desk.go(hours=hours)
    assert desk.skipped(desk.send(ON_WHATSAPP, ADA)) == ({} if open_ else {"outside_session": 1})


def test_every_message_of_a_person_begins_it_anew_and_a_late_callback_shortens_nothing(desk: Desk) -> None:
    desk.writes(ADA)
    desk.go(hours=20)
    desk.writes(ADA)
    desk.writes(ADA, ago=timedelta(hours=30))
    desk.go(hours=20)
    assert desk.skipped(desk.send(ON_WHATSAPP, ADA)) == {}


def test_a_session_is_forgotten_when_it_has_ended(desk: Desk) -> None:
    desk.writes(ADA)
    desk.go(hours=12)
    desk.writes(BO)

    def kept() -> int | None:
        with desk.connector.ledger.read() as connection:
            return connection.scalar(select(func.count()).select_from(sessions))

    upkeep(desk.connector.desk)
    assert kept() == 2
    desk.go(hours=13)
    upkeep(desk.connector.desk)
    assert kept() == 1


def test_what_counts_is_the_time_that_it_is_sent_at(desk: Desk) -> None:
    desk.writes(ADA)
    tomorrow = (NOW + timedelta(hours=25)).isoformat()
    assert desk.skipped(desk.send(ON_WHATSAPP, ADA, send_at=tomorrow)) == {"outside_session": 1}


def test_a_message_on_another_channel_opens_none(desk: Desk) -> None:
    desk.writes(ADA, channel="SMS")
    assert desk.skipped(desk.send(ON_WHATSAPP, ADA)) == {"outside_session": 1}


@pytest.mark.parametrize(
    "message",
    [
        {"text": "Hello"},
        {"text": "Hello", "channel_priority_order": ["SMS"]},
        {"text": "Hello", "channel_priority_order": ["RCS", "WHATSAPP"]},
        # Who has no session is reached by the next channel.
        {"text": "Hello", "channel_priority_order": ["WHATSAPP", "SMS"]},
        {"template_message": TEMPLATE, "channel_priority_order": ["WHATSAPP"]},
        {"text": "Hello", "explicit_channel_message": {"WHATSAPP": "{}"}, "channel_priority_order": ["WHATSAPP"]},
    ],
    ids=["no channel", "SMS", "RCS first", "fallback to SMS", "template", "raw"],
)
def test_nobody_is_skipped_where_no_session_is_needed(desk: Desk, message: dict[str, Any]) -> None:
    assert desk.skipped(desk.send(message, ADA)) == {}


def requests(desk: Desk) -> list[dict[str, Any]]:
    """What was sent, in order, without what was asked for."""
    seen = [*desk.api.at(MESSAGES).seen, *desk.api.at(SEND).seen]
    return [request.json for request in seen if request.method == "POST"]


def test_a_campaign_may_have_a_template_for_those_outside(desk: Desk) -> None:
    desk.writes(ADA)
    desk.writes(BO)
    message = {**ON_WHATSAPP, "outside_session": {"template_message": TEMPLATE}}
    dispatch = desk.send(message, ADA, BO, CY, DI)
    desk.work()
    assert desk.skipped(dispatch) == {}
    assert dispatch.report().enqueued == 4
    free, template = sorted(requests(desk), key=lambda body: "template_message" in body["message"])
    to = [
        [
            entry["recipient"]["identified_by"]["channel_identities"][0]["identity"]
            for entry in each["recipient_and_params"]
        ]
        for each in (free, template)
    ]
    assert to == [[f"+{ADA}", f"+{BO}"], [f"+{CY}", f"+{DI}"]]
    assert free["message"] == {"text_message": {"text": "Hello ${name}"}}
    assert template["message"] == {"template_message": TEMPLATE}
    assert template["recipient_and_params"][0]["parameters"] == {"name": "X"}
    assert desk.connector.verify() == {dispatch.id: []}


def test_other_channels_keep_the_usual_message(desk: Desk) -> None:
    message = {
        "text": "Hello",
        "channel_priority_order": ["WHATSAPP", "RCS", "SMS"],
        "explicit_channel_omni_message": {
            "RCS": {"text_message": {"text": "Rich"}},
            "WHATSAPP": {"text_message": {"text": "W"}},
        },
        "outside_session": {"template_message": TEMPLATE},
        "agent": {"display_name": "Ann"},
    }
    desk.send({**message, "defaults": {"name": "friend"}}, ADA)
    (body,) = requests(desk)
    assert body["message"] == {
        "template_message": TEMPLATE,
        "explicit_channel_omni_message": {
            "RCS": {"text_message": {"text": "Rich"}},
            "SMS": {"text_message": {"text": "Hello"}},
        },
        "agent": {"display_name": "Ann"},
    }


@pytest.mark.parametrize(
    ("person", "skipped"),
    [
        ({"identities": f"WHATSAPP:+{ADA}"}, {}),
        ({"identities": f"WHATSAPP:+{BO}"}, {"outside_session": 1}),
        ({"identities": f"WHATSAPP:+{BO} SMS:+{BO}"}, {}),
        ({"identities": f"SMS:+{BO} WHATSAPP:+{BO}"}, {}),
        ({"to": f"WHATSAPP:+{BO}"}, {"outside_session": 1}),
        ({"to": f"+{BO}", "identities": f"WHATSAPP:+{ADA}"}, {}),
        ({"to": "contact:01JTESTCONTACT000000000000"}, {}),
    ],
    ids=["inside", "outside", "outside, SMS next", "SMS first", "one identity", "identity over number", "contact"],
)
def test_identities_are_asked_each_by_their_own_channels(
    desk: Desk, person: dict[str, str], skipped: dict[str, int]
) -> None:
    desk.writes(ADA)
    assert desk.skipped(desk.send({"text": "Hello"}, {"to": "", **person})) == skipped


def test_what_is_added_to_an_open_dispatch_is_asked_when_it_is_added(desk: Desk) -> None:
    campaign = {"name": "orders", "integration": "conv", "message": ON_WHATSAPP}
    dispatch = desk.connector.open(campaign, key="orders")
    assert dispatch.add({"to": f"+{ADA}", "name": "X"}, key="1").reason == "outside_session"
    desk.writes(ADA)
    assert dispatch.add({"to": f"+{ADA}", "name": "X"}, key="2").reason is None
    switched = desk.connector.open(
        {**campaign, "message": {**ON_WHATSAPP, "outside_session": {"template_message": TEMPLATE}}}, key="switched"
    )
    assert [switched.add({"to": f"+{each}", "name": "X"}, key=each).reason for each in (ADA, BO)] == [None, None]
    desk.work()
    kinds = sorted(str([*body["message"]]) for body in requests(desk))
    assert kinds == ["['template_message']", "['text_message']", "['text_message']"]
    assert all(wrong == [] for wrong in desk.connector.verify().values())


def test_a_dry_run_tells_whom_it_leaves_out(desk: Desk) -> None:
    desk.writes(ADA)
    campaign = {"name": "spring", "integration": "conv", "message": ON_WHATSAPP}
    told = desk.connector.preview(campaign, [{"to": f"+{each}", "name": "X"} for each in (ADA, BO)])
    assert (told.to_send, told.by_reason) == (1, {"outside_session": 1})


@pytest.mark.parametrize(
    "message",
    [
        {"template_message": TEMPLATE, "outside_session": {"template_message": TEMPLATE}},
        {"text": "Hello", "outside_session": {"text_message": {"text": "Hello"}}},
        {
            "text": "Hello",
            "outside_session": {"template_message": {"omni_template": {"template_id": "1", "version": "1"}}},
        },
    ],
    ids=["beside a template", "no template", "not for WhatsApp"],
)
def test_what_makes_no_sense_outside_of_a_session_is_refused(desk: Desk, message: dict[str, Any]) -> None:
    with pytest.raises(CampaignError):
        desk.send({**message, "channel_priority_order": ["WHATSAPP"]}, ADA)


def test_only_whatsapp_has_sessions() -> None:
    assert {"WHATSAPP": timedelta(hours=24)} == LENGTHS
    rule = rule_of(Message.model_validate(ON_WHATSAPP))
    assert rule is not None
    assert (rule.channel, rule.otherwise) == ("WHATSAPP", False)
