"""What is made of a refusal: whether the events are to blame, or what a person must mend."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from answering_api import Api
from bloomreach_kit import connected, running_project
from connector_bloomreach.pace import Pace
from connector_bloomreach.settings import BloomreachSettings
from connector_bloomreach.sink import Bloomreach
from sending_kit import CAMPAIGN, Host, Plan, people

from connector.extension.secret import Secret
from connector.http import Http
from connector.model.errors import NotTaken, SinkStopped
from connector.model.event import Status
from connector.testing.sink_contract import NUMBER, sample_events

TRIES = 600
WRONG = {"success": False, "errors": ["timestamp: a number is expected."]}


@pytest.fixture
def sink(api: Api, http: Http) -> Bloomreach:
    return sink_at(api, http)


def sink_at(api: Api, http: Http, **settings: Any) -> Bloomreach:
    token = Secret("env:TOKEN", lambda reference: "token")
    return Bloomreach(
        BloomreachSettings(base_url=api.url, project_token="project", api_token=token, **settings),
        http,
    )


def taken(count: int) -> dict[str, Any]:
    return {"success": True, "results": [{"success": True}] * count}


def commands(api: Api) -> list[list[dict[str, Any]]]:
    return [seen.json["commands"] for seen in api.seen]


def asked(api: Api) -> list[list[str]]:
    """The ids of the events in each request."""
    return [[command["command_id"] for command in request] for request in commands(api)]


@pytest.mark.parametrize("status", [402, 405, 407, 409, 415, 423, 431, 451])
def test_what_a_proxy_or_the_service_refuses_stops_the_sink_with_its_status(
    api: Api, sink: Bloomreach, status: int
) -> None:
    api.will(status, b"<html>No.</html>")
    with pytest.raises(SinkStopped, match=f"HTTP {status}"):
        sink.deliver(sample_events(4))
    assert len(api.seen) == 1


@pytest.mark.parametrize("body", [b"<html>Bad Request</html>", b"{}", b"", b'{"success": false}'])
def test_a_bad_request_without_a_reason_stops_the_sink(api: Api, sink: Bloomreach, body: bytes) -> None:
    api.will(400, body)
    with pytest.raises(SinkStopped, match="HTTP 400"):
        sink.deliver(sample_events(4))
    assert len(api.seen) == 1


@pytest.mark.parametrize("status", [200, 400])
def test_an_unknown_project_stops_the_sink(api: Api, sink: Bloomreach, status: int) -> None:
    api.will(status, {"success": False, "errors": ["Invalid project id"]})
    with pytest.raises(SinkStopped, match="project_token"):
        sink.deliver(sample_events(4))


@pytest.mark.parametrize(("status", "body"), [(400, WRONG), (413, b"<html>Too large</html>"), (422, WRONG)])
def test_the_event_that_a_request_is_refused_for_is_found(api: Api, sink: Bloomreach, status: int, body: Any) -> None:
    events = sample_events(4)
    api.will(status, body).will(200, taken(2)).will(status, body).will(status, body).will(200, taken(1))
    (dead,) = sink.deliver(events)
    assert dead.event is events[2]
    assert f"HTTP {status}" in dead.reason and ("timestamp" in dead.reason) == (body is WRONG)
    first, second, third, fourth = [event.id for event in events]
    assert asked(api) == [[first, second, third, fourth], [first, second], [third, fourth], [third], [fourth]]


def test_where_every_event_is_refused_alike_it_is_not_the_events(api: Api, sink: Bloomreach) -> None:
    api.will(400, WRONG)
    events = sample_events(4)
    for _ in range(2):
        with pytest.raises(SinkStopped, match="HTTP 400: timestamp"):
            sink.deliver(events)
    api.answers.clear()
    api.will(200, taken(4))
    assert sink.deliver(events) == []
    assert asked(api)[-1] == [event.id for event in events]


def test_one_event_that_is_refused_stops_nothing(api: Api, sink: Bloomreach) -> None:
    (event,) = sample_events(1)
    api.will(400, WRONG)
    (dead,) = sink.deliver([event])
    assert dead.event is event


def test_what_half_of_a_request_brought_there_does_not_come_again(api: Api, sink: Bloomreach) -> None:
    events = sample_events(4)
    api.will(400, WRONG).will(200, taken(2)).will(429).will(200, taken(2)).will(200, taken(4))
    with pytest.raises(NotTaken, match="HTTP 429"):
        sink.deliver(events)
    assert sink.deliver(events) == []
    first, second, third, fourth = [event.id for event in events]
    assert asked(api)[1:] == [[first, second], [third, fourth], [third, fourth]]
    assert sink.deliver(events) == []
    assert len(asked(api)[-1]) == 4, "whoever wants all of them there again gets that"


def test_a_permission_that_is_missing_stops_the_sink_whatever_else_is_wrong(api: Api, sink: Bloomreach) -> None:
    events = sample_events(3)
    results = [
        {"success": True},
        {"success": False, "errors": ["At least one id should be specified."]},
        {"success": False, "errors": ["Not authorized to add event of specified type"]},
    ]
    api.will(200, {"success": True, "results": results}).will(200, taken(2))
    with pytest.raises(SinkStopped, match="event type"):
        sink.deliver(events)
    assert sink.deliver(events) == []
    assert asked(api)[-1] == [event.id for event in events[1:]]


def test_nothing_is_given_up_where_the_permission_is_missing(host: Host, plan: Plan) -> None:
    with running_project(event_types=["other"]) as project:
        connector = connected(host, plan, project)
        connector.send(CAMPAIGN, [*people(3), {**people(1, after=60)[0], "customer_id": "c-é"}])
        (state,) = connector.sinks()
        assert (state.is_stopped, state.lag, state.dead_letters) == (True, 4, 0)


def test_each_request_waits_for_its_turn_until_the_sink_is_closed(api: Api, http: Http) -> None:
    sink = sink_at(api, http, requests_per_second=0.001)
    came = threading.Event()
    raised: list[BaseException] = []
    api.will(400, WRONG)

    def hand() -> None:
        try:
            sink.deliver(sample_events(4))
        except BaseException as error:
            raised.append(error)
        came.set()

    thread = threading.Thread(target=hand, daemon=True)
    thread.start()
    for _ in range(TRIES):
        if came.wait(0.1):
            break
        # Whether the answer to the first request has come by now is not known.
        if api.seen:
            sink.close()
    (error,) = raised
    assert isinstance(error, NotTaken) and not isinstance(error, SinkStopped)
    assert len(api.seen) == 1


def test_turns_follow_each_other_at_the_pace() -> None:
    now = 100.0

    class Ended(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal now
            now += timeout or 0.0
            return False

    ended = Ended()
    pace = Pace(monotonic=lambda: now)
    began = []
    for _ in range(4):
        assert pace.wait(5, ended)
        began.append(now)
    assert began == pytest.approx([100.0, 100.2, 100.4, 100.6])
    now = 200.0
    assert pace.wait(5, ended)
    assert now == 200.0, "nothing is saved up, and nothing is owed"
    pace.wait(5, ended)
    assert now == pytest.approx(200.2)


PEOPLE = [
    (NUMBER, f"+{NUMBER}"),
    ("447700900123", "+447700900123"),
    ("MESSENGER:7746490198930851", None),
    ("contact:01EKA07N79THJ20ZSN6AS30TMW", None),
    ("7746490198930851", None),
    ("123456", None),
    ("١٢٠١٥٥٥٠١٢٣", None),
]


@pytest.mark.parametrize(("recipient", "phone"), PEOPLE)
def test_only_a_phone_number_is_a_phone_id(api: Api, http: Http, recipient: str, phone: str | None) -> None:
    ids = {"registered": "customer_id", "phone": "recipient_with_plus", "digits": "recipient"}
    sink = sink_at(api, http, customer_ids=ids)
    api.will(200, taken(1))
    (event,) = sample_events(1)
    assert sink.deliver([replace(event, recipient=recipient)]) == []
    found = commands(api)[0][0]["data"]
    phones = {} if phone is None else {"phone": phone, "digits": phone[1:]}
    assert found["customer_ids"] == {"registered": "c-0", **phones}
    assert found["properties"]["recipient"] == recipient
    assert (sink.lacks(recipient, None, {}) is None) == (phone is not None)


def test_who_writes_by_another_address_is_nobody_s_customer(api: Api, http: Http) -> None:
    sink = sink_at(api, http, customer_ids={"registered": "customer_id", "phone": "recipient_with_plus"})
    (event,) = sample_events(1)
    reply = replace(
        event, status=Status.replied, message_id=None, customer_id=None, recipient="MESSENGER:7746490198930851"
    )
    (dead,) = sink.deliver([reply])
    assert dead.left_out and api.seen == []


def test_a_hashed_number_may_be_an_id(api: Api, http: Http) -> None:
    key = Secret("env:KEY", lambda reference: "sesame")
    ids = {"phone_hash": "recipient"}
    sink = sink_at(api, http, customer_ids=ids, recipient="hashed", recipient_key=key)
    api.will(200, taken(1))
    (event,) = sample_events(1)
    hashed = "0a" * 32
    assert sink.deliver([replace(event, recipient=hashed)]) == []
    assert commands(api)[0][0]["data"]["customer_ids"] == {"phone_hash": hashed}
    assert sink.lacks(NUMBER, None, {}) is None
    assert sink.lacks("contact:01EKA07N79THJ20ZSN6AS30TMW", None, {}) is not None
