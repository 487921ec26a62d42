"""Sessions on WhatsApp: kept from what people write, and asked before a campaign is sent that needs one."""

from collections.abc import Generator, Iterator
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
from connector.extension import hookimpl
from connector.extension.plugins import Plugins
from connector.ledger.tables import sessions
from connector.model.callback import Request
from connector.model.campaign import Message
from connector.model.errors import CampaignError, Stopped
from connector.model.event import Status

ADA, BO, CY, DI = "12015550101", "12015550102", "46701740605", "46701740606"
ON_WHATSAPP = {"text": "Hello ${name}", "channel_priority_order": ["WHATSAPP"]}
CONTACT, OTHER_CONTACT = "01EKA07N79THJ20ZSN6AS30TMW", "01EKA07N79THJ20ZSN6AS30TMX"
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

    def writes(
        self, person: str, *, channel: str = "WHATSAPP", ago: timedelta = timedelta(), contact: str = ""
    ) -> None:
        """A person writes, which is called back."""
        at = self.times[-1] - ago
        message = {
            "id": f"01{len(self.connector.events(limit=1000)):024}",
            "direction": "TO_APP",
            "contact_message": {"text_message": {"text": "Hello there"}},
            "channel_identity": {"channel": channel, "identity": f"+{person}", "app_id": ""},
            "contact_id": contact,
            "accept_time": at.isoformat(),
        }
        path = urlsplit(self.connector.callback_addresses()["conv"]).path
        body = to_json({"app_id": "", "project_id": "", "event_time": at.isoformat(), "message": message})
        assert self.connector.receive(Request("POST", path, {}, body)).status == 200

    def plan(self, message: dict[str, Any], *people: str | dict[str, str], **campaign: Any) -> Any:
        rows = [{"to": f"+{each}", "name": "X"} if isinstance(each, str) else each for each in people]
        given = {"name": "spring", "message": message, "integration": "conv", **campaign}
        return self.connector.send(given, rows, again=True, drain=False)

    def send(self, message: dict[str, Any], *people: str | dict[str, str], **campaign: Any) -> Any:
        dispatch = self.plan(message, *people, **campaign)
        self.connector.work()
        return dispatch

    def work(self) -> None:
        """As far as it goes; the account's pace lets one batch after the other leave."""
        for _ in range(4):
            self.go(seconds=1)
            self.connector.work()

    def skipped(self, dispatch: Any) -> dict[str, int]:
        return dict(dispatch.report().skipped.by_reason)


class Stopping:
    """Pauses a dispatch instead of a certain request."""

    at: int | None = None
    seen = 0

    @hookimpl(wrapper=True)
    def connector_dispatch(self) -> Generator[None, Any, Any]:
        self.seen += 1
        if self.at is not None and self.seen >= self.at:
            raise Stopped("The test wants it so.")
        return (yield)


@pytest.fixture
def stopping() -> Stopping:
    return Stopping()


@pytest.fixture
def desk(api: Api, stopping: Stopping, tmp_path: Path) -> Iterator[Desk]:
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
        plugins=Plugins([plugin, stopping], installed=False),
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


@pytest.mark.parametrize(
    ("order", "skipped"),
    [(["WHATSAPP"], {"outside_session": 1}), (["WHATSAPP", "SMS"], {}), (["SMS", "WHATSAPP"], {}), (None, {})],
    ids=str,
)
def test_a_contact_is_known_by_what_they_wrote(desk: Desk, order: list[str] | None, skipped: dict[str, int]) -> None:
    desk.writes(ADA, contact=CONTACT)
    message = {"text": "Hello"} if order is None else {"text": "Hello", "channel_priority_order": order}
    dispatch = desk.send(message, {"to": CONTACT}, {"to": f"contact:{OTHER_CONTACT}"})
    assert desk.skipped(dispatch) == skipped


def lapsing(desk: Desk, message: dict[str, Any]) -> Any:
    """A dispatch to four, of whom two have no session any more when it is their turn."""
    for person in (ADA, CY):
        desk.writes(person, ago=timedelta(hours=23))
    for person in (BO, DI):
        desk.writes(person)
    dispatch = desk.plan(message, ADA, BO, CY, DI)
    assert desk.skipped(dispatch) == {}
    desk.go(hours=2)
    return dispatch


def sent_to(body: dict[str, Any]) -> list[str]:
    """The numbers of a request."""
    entries = [entry["recipient"]["identified_by"] for entry in body["recipient_and_params"]]
    return [entry["channel_identities"][0]["identity"].removeprefix("+") for entry in entries]


def test_a_session_that_ended_since_planning_is_seen_before_sending(desk: Desk) -> None:
    dispatch = lapsing(desk, ON_WHATSAPP)
    desk.work()
    (body,) = requests(desk)
    assert sent_to(body) == [BO, DI]
    report = dispatch.report()
    assert (report.state, report.enqueued, dict(report.skipped.by_reason)) == ("finished", 2, {"outside_session": 2})
    told = [event.comment for event in desk.connector.events(limit=100) if event.status is Status.skipped]
    assert told == ["outside_session"] * 2
    assert desk.connector.verify() == {dispatch.id: []}


def test_where_all_sessions_have_ended_nothing_is_sent(desk: Desk) -> None:
    for person in (ADA, BO):
        desk.writes(person, ago=timedelta(hours=23))
    dispatch = desk.plan(ON_WHATSAPP, ADA, BO)
    desk.go(hours=2)
    desk.work()
    assert requests(desk) == []
    assert dispatch.report().state == "finished"
    assert desk.skipped(dispatch) == {"outside_session": 2}
    assert desk.connector.verify() == {dispatch.id: []}


def test_who_wrote_again_meanwhile_is_reached(desk: Desk) -> None:
    dispatch = lapsing(desk, ON_WHATSAPP)
    desk.writes(ADA)
    desk.work()
    (body,) = requests(desk)
    assert sent_to(body) == [ADA, BO, DI]
    assert desk.skipped(dispatch) == {"outside_session": 1}


def test_whose_session_ended_since_planning_gets_the_template(desk: Desk) -> None:
    dispatch = lapsing(desk, {**ON_WHATSAPP, "outside_session": {"template_message": TEMPLATE}})
    desk.work()
    free, template = requests(desk)
    assert (sent_to(free), sent_to(template)) == ([BO, DI], [ADA, CY])
    assert (free["message"], template["message"]) == (
        {"text_message": {"text": "Hello ${name}"}},
        {"template_message": TEMPLATE},
    )
    assert template["recipient_and_params"][0]["parameters"] == {"name": "X"}
    assert (dispatch.report().enqueued, desk.skipped(dispatch)) == (4, {})
    assert desk.connector.verify() == {dispatch.id: []}


@pytest.mark.parametrize("otherwise", [{}, {"outside_session": {"template_message": TEMPLATE}}], ids=["", "template"])
@pytest.mark.parametrize("lapsed", [(ADA,), (ADA, BO)], ids=["one of the first half", "all of it"])
def test_sessions_that_end_while_it_is_found_out_who_is_refused(
    desk: Desk, stopping: Stopping, lapsed: tuple[str, ...], otherwise: dict[str, Any]
) -> None:
    """A refusal of all four is found out about by halves; sessions of the first one end before its turn."""
    for person in (ADA, BO, CY, DI):
        desk.writes(person, ago=timedelta(hours=23 if person in lapsed else 0))
    dispatch = desk.plan({**ON_WHATSAPP, **otherwise}, ADA, BO, CY, DI)
    taken = desk.api.at(MESSAGES).answers.copy()
    desk.api.at(MESSAGES).answers.clear()
    desk.api.at(MESSAGES).will(400, {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}})
    stopping.at = 2
    desk.work()
    assert [len(sent_to(body)) for body in requests(desk)] == [4]
    dispatch.resume()
    stopping.at = None
    desk.api.at(MESSAGES).answers[:] = taken
    desk.go(hours=2)
    desk.work()
    report = dispatch.report()
    gone = 0 if otherwise else len(lapsed)
    assert (report.state, report.enqueued, report.skipped.total) == ("finished", 4 - gone, gone)
    assert desk.connector.verify() == {dispatch.id: []}


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


RCS_TEMPLATE = {"channel_template": {"RCS": {"template_id": "spring"}}}
OMNI_TEMPLATE = {"omni_template": {"template_id": "01", "version": "1"}}


def on_whatsapp(**instead: Any) -> dict[str, Any]:
    return {"template_message": RCS_TEMPLATE, "explicit_channel_omni_message": {"WHATSAPP": instead}}


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ({"template_message": TEMPLATE}, False),
        ({"template_message": OMNI_TEMPLATE}, False),
        ({"template_message": RCS_TEMPLATE}, True),
        ({"template_message": {**RCS_TEMPLATE, **OMNI_TEMPLATE}}, False),
        (on_whatsapp(text_message={"text": "Hi"}), True),
        (on_whatsapp(template_message=OMNI_TEMPLATE), False),
        ({"text": "Hi", "explicit_channel_omni_message": {"WHATSAPP": {"template_message": OMNI_TEMPLATE}}}, False),
        ({"template_message": TEMPLATE, "explicit_channel_omni_message": {"WHATSAPP": {"text_message": {}}}}, True),
        ({"template_message": RCS_TEMPLATE, "explicit_channel_message": {"WHATSAPP": "{}"}}, False),
        ({"text": "Hi", "explicit_channel_message": {"RCS": "{}"}}, True),
        (
            {
                "template_message": TEMPLATE,
                "channel_specific_message": {"WHATSAPP": {"message_type": "FLOWS", "message": {}}},
            },
            True,
        ),
    ],
)
def test_a_session_is_asked_for_by_what_whatsapp_gets(message: dict[str, Any], asked: bool) -> None:
    given = Message.model_validate({**message, "channel_priority_order": ["WHATSAPP"]})
    assert (rule_of(given) is not None) is asked


def test_the_template_for_those_outside_stands_beside_those_of_other_channels(desk: Desk) -> None:
    message = {
        **on_whatsapp(text_message={"text": "Hello"}),
        "channel_priority_order": ["WHATSAPP", "RCS"],
        "outside_session": {"template_message": TEMPLATE},
        "defaults": {"name": "friend"},
    }
    desk.writes(ADA)
    desk.send(message, ADA, BO)
    desk.work()
    inside, outside = sorted((body["message"] for body in requests(desk)), key=len, reverse=True)
    assert inside == on_whatsapp(text_message={"text": "Hello"})
    both = {**RCS_TEMPLATE["channel_template"], **TEMPLATE["channel_template"]}
    assert outside == {"template_message": {"channel_template": both}}


def test_only_whatsapp_has_sessions() -> None:
    assert {"WHATSAPP": timedelta(hours=24)} == LENGTHS
    rule = rule_of(Message.model_validate(ON_WHATSAPP))
    assert rule is not None
    assert (rule.channel, rule.otherwise) == ("WHATSAPP", False)
