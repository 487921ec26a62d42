"""Events reach the project at least once, whatever it answers; what it never takes is kept with its words."""

import hashlib
import hmac
import logging
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from bloomreach_kit import SECRETS, Project, connected, running_project
from pydantic_core import to_json
from sending_kit import CAMPAIGN, Host, Plan, people

from connector import Connector, NotFound, RecipientsError, SinkState


def state_of(connector: Connector) -> SinkState:
    (state,) = connector.sinks()
    return state


def catch_up(host: Host, connector: Connector) -> SinkState:
    """Hand events over until nothing is left, going to the next try where the sink waits."""
    for _ in range(200):
        connector.deliver()
        state = state_of(connector)
        if state.lag == 0 or state.is_stopped:
            return state
        if state.next_try is not None:
            host.clock.advance_to(state.next_try)
    raise AssertionError("it does not catch up")


def by_id(project: Project) -> Counter[str]:
    return Counter(event["command_id"] for event in project.events)


def told(connector: Connector) -> set[str]:
    return {event.id for event in connector.events(limit=10_000)}


def test_fifty_events_go_in_one_request(host: Host, plan: Plan, project: Project) -> None:
    connector = connected(host, plan, project)
    connector.send(CAMPAIGN, people(120))
    assert project.account["requests"]["200"] == 3
    assert by_id(project) == Counter(told(connector))


@pytest.mark.parametrize("fault", ["throttled", "error_before", "drop_before"])
def test_what_was_not_taken_comes_again_once(host: Host, plan: Plan, project: Project, fault: str) -> None:
    connector = connected(host, plan, project)
    project.faults(**{fault: "0.4x9"})
    connector.send(CAMPAIGN, people(900))
    assert catch_up(host, connector).trouble is None
    assert by_id(project) == Counter(told(connector)), "none is lost, and none comes twice"
    assert connector.refused_events("crm") == []


@pytest.mark.parametrize("fault", ["error_after", "drop_after"])
def test_where_the_answer_is_lost_events_come_again_with_the_same_content(
    host: Host, plan: Plan, project: Project, fault: str
) -> None:
    connector = connected(host, plan, project)
    project.faults(**{fault: "0.4x9"})
    connector.send(CAMPAIGN, people(300))
    catch_up(host, connector)
    assert set(by_id(project)) == told(connector)
    contents: dict[str, set[bytes]] = {}
    for event in project.events:
        contents.setdefault(event["command_id"], set()).add(to_json(event))
    assert {len(each) for each in contents.values()} == {1}


def test_retry_after_is_obeyed(host: Host, plan: Plan) -> None:
    with running_project(retry_after_seconds=77) as project:
        connector = connected(host, plan, project)
        project.faults(throttled="1x1")
        connector.send(CAMPAIGN, people(1))
        state = state_of(connector)
        assert state.next_try is not None and state.lag == 1
        assert state.next_try - host.clock() > timedelta(seconds=60)
        assert "HTTP 429" in (state.trouble or "")
        assert catch_up(host, connector).trouble is None


def test_a_project_that_was_away_is_tried_by_one_request(host: Host, plan: Plan, project: Project) -> None:
    connector = connected(host, plan, project)
    project.faults(error_before=1)
    connector.send(CAMPAIGN, people(900))
    before = project.account["sends"]["503"]
    for _ in range(3):
        next_try = state_of(connector).next_try
        assert next_try is not None
        host.clock.advance_to(next_try)
        connector.deliver()
    assert project.account["sends"]["503"] == before + 3
    project.faults()
    assert catch_up(host, connector).failures == 0
    assert by_id(project) == Counter(told(connector))


REFUSALS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"project_token": "another"}, "project"),
    ({}, {"api_key_id": "another"}, "credentials"),
    ({"api_secret": "changed"}, {}, "credentials"),
    ({"event_types": ("purchase",)}, {}, "event type"),
    ({}, {"base_url": "/elsewhere"}, "address"),
]


@pytest.mark.parametrize(("options", "settings", "word"), REFUSALS)
def test_what_a_person_must_mend_stops_this_sink_alone_and_loudly(
    host: Host,
    plan: Plan,
    project: Project,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
    word: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running_project(**options) as strict:
        wrong = strict.settings(**settings)
        if "base_url" in settings:
            wrong["base_url"] = strict.base_url + settings["base_url"]
        connector = host.connector(plan, more_secrets=SECRETS, sinks={"crm": project.settings(), "wrong": wrong})
        report = connector.send(CAMPAIGN, people(3)).report()
        assert report.enqueued == 3
        well, stopped = connector.sinks()
        assert (well.lag, well.is_stopped) == (0, False)
        assert (stopped.lag, stopped.is_stopped, stopped.next_try) == (3, True, None)
        assert stopped.trouble is not None and word in stopped.trouble
        (loud,) = (record for record in caplog.records if record.levelno == logging.ERROR)
        assert "stopped" in loud.getMessage()
        asked = strict.account["requests"]
        host.clock.advance(3600)
        connector.deliver()
        assert strict.account["requests"] == asked, "it waits for a person"
        connector.resume_sink("wrong")
        connector.deliver()
        assert strict.account["requests"] != asked
        assert connector.refused_events("wrong") == [], "nothing is given up"


def test_a_stopped_sink_is_tried_by_a_process_that_starts(host: Host, plan: Plan, project: Project) -> None:
    connector = connected(host, plan, project, api_key_id="another")
    connector.send(CAMPAIGN, people(2))
    assert state_of(connector).is_stopped
    mended = connected(host, plan, project)
    mended.deliver()
    assert (state_of(mended).lag, state_of(mended).is_stopped, state_of(mended).trouble) == (0, False, None)
    assert len(project.events) == 2


def test_an_event_that_is_refused_is_kept_with_the_words_and_the_rest_goes_on(
    host: Host, plan: Plan, project: Project
) -> None:
    rows = people(60)
    connector = connected(host, plan, project, properties={"metadata.note": "note"})
    dispatch = connector.send(CAMPAIGN, [*rows[:30], {**rows[30], "metadata": {"note": "x" * 16_200}}, *rows[31:]])
    assert state_of(connector).lag == 0
    assert len(project.events) == 59
    (refused,) = connector.refused_events("crm")
    assert (refused.reason, refused.tries, refused.dispatch) == ("A property value is too large.", 1, dispatch.id)
    assert state_of(connector).dead_letters == 1

    assert connector.replay_refused("crm", [refused.number]) == 1
    assert connector.refused_events("crm")[0].again
    connector.deliver()
    (refused,) = connector.refused_events("crm")
    assert (refused.tries, refused.again, len(project.events)) == (2, False, 59)

    mended = connected(host, plan, project)
    assert mended.replay_refused("crm") == 1
    mended.deliver()
    assert mended.refused_events("crm") == []
    assert by_id(project) == Counter(told(connector))


def test_what_was_refused_and_is_left_out_since_is_not_tried_for_ever(host: Host, plan: Plan, project: Project) -> None:
    connector = connected(host, plan, project, properties={"metadata.note": "note"})
    connector.send({**CAMPAIGN, "metadata": {"note": "x" * 16_200}}, people(2))
    assert state_of(connector).dead_letters == 2
    narrowed = connected(host, plan, project, only_statuses=["failed"])
    assert narrowed.replay_refused("crm") == 2
    narrowed.replay("crm")
    narrowed.deliver()
    assert (state_of(narrowed).again, state_of(narrowed).dead_letters) == (0, 2)
    assert "leave it out now" in narrowed.refused_events("crm")[0].reason
    assert host.rows("SELECT * FROM replays") == []
    assert narrowed.discard_refused("crm") == 2


def test_what_is_refused_may_be_given_up(host: Host, plan: Plan, project: Project) -> None:
    connector = connected(host, plan, project, customer_ids={"registered": "metadata.crm"}, without_id="leave_out")
    connector.send(CAMPAIGN, people(2))
    assert connector.refused_events("crm") == [], "they are left out, as the sink says"
    assert state_of(connector).left_out == 2
    strict = connected(host, plan, project, customer_ids={"registered": "metadata.crm"})
    strict.replay("crm")
    strict.deliver()
    first, second = strict.refused_events("crm")
    assert "metadata.crm" in first.reason
    assert strict.discard_refused("crm", [first.number]) == 1
    assert [each.number for each in strict.refused_events("crm")] == [second.number]
    assert strict.discard_refused("crm") == 1
    assert project.events == []


def test_recipients_without_an_id_are_refused_before_anything_goes(host: Host, plan: Plan, project: Project) -> None:
    rows = people(4)
    connector = connected(host, plan, project)
    wanting = [rows[0], {**rows[1], "customer_id": ""}, {**rows[2], "customer_id": "--"}, rows[3]]
    with pytest.raises(RecipientsError) as caught:
        connector.send(CAMPAIGN, wanting)
    assert "row 2: This recipient has no customer_id" in str(caught.value)
    assert "crm" in str(caught.value) and "1 more" in str(caught.value)
    with pytest.raises(RecipientsError):
        connector.preview(CAMPAIGN, wanting)
    assert (plan.posted, connector.dispatches()) == ([], [])
    opened = connector.open({**CAMPAIGN, "message": {"text": "Hi"}}, key="codes")
    with pytest.raises(RecipientsError):
        opened.add({"to": rows[0]["to"]}, key="one")
    opened.add(rows[1], key="two")


@pytest.mark.parametrize("knows_phones", [False, True])
def test_replies_of_people_that_no_campaign_names_are_left_out_and_counted(
    host: Host, project: Project, knows_phones: bool
) -> None:
    plan = host.plan(reply_references=True)
    ids = {"registered": "customer_id", **({"phone_id": "recipient_with_plus"} if knows_phones else {})}
    connector = connected(host, plan, project, customer_ids=ids, only_statuses=["replied"])
    known, stranger = (row["to"] for row in people(2))
    connector.send(CAMPAIGN, people(1))
    for number in (known, stranger):
        plan.http.post("/_simulator/inbound", json={"from": number, "to": "Bookshop", "body": "Hello"})
    connector.poll()
    connector.deliver()
    customers = [event["customer_ids"] for event in project.events]
    assert [each["registered"] for each in customers if "registered" in each] == ["c-0"]
    assert ({"phone_id": stranger} in customers) == knows_phones
    state = state_of(connector)
    assert (state.lag, state.dead_letters, state.left_out) == (0, 0, 0 if knows_phones else 1)
    connector.replay("crm")
    connector.deliver()
    assert state_of(connector).left_out == (0 if knows_phones else 2), "how often"


def test_who_is_skipped_anyway_needs_no_id(host: Host, plan: Plan, project: Project) -> None:
    connector = connected(host, plan, project)
    assert connector.send(CAMPAIGN, [*people(1), {"to": "12"}]).report().enqueued == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"without_id": "leave_out"},
        {"only_campaigns": ["another"]},
        {"only_integrations": ["sms2"]},
        {"customer_ids": {"registered": "customer_id", "phone_id": "recipient"}},
    ],
)
def test_who_has_no_id_is_sent_to_where_the_sink_says_so(
    host: Host, plan: Plan, project: Project, settings: dict[str, Any]
) -> None:
    sinks = {"crm": project.settings(**settings)}
    connector = host.connector(plan, host.plan(), more_secrets=SECRETS, sinks=sinks)
    (row,) = people(1)
    campaign = {**CAMPAIGN, "integration": "sms"}
    assert connector.send(campaign, [{**row, "customer_id": ""}]).report().enqueued == 1
    assert connector.refused_events("crm") == []
    assert [event["customer_ids"] for event in project.events] == (
        [{"phone_id": row["to"].removeprefix("+")}] if "customer_ids" in settings else []
    )


def test_what_is_chosen_is_sent_and_no_more(host: Host, plan: Plan, project: Project) -> None:
    sinks = {
        "all": project.settings(only_statuses=["enqueued", "skipped"], event_type="all"),
        "sale": project.settings(only_campaigns=["sale"], event_type="sale"),
        "sms": project.settings(only_integrations=["sms"], event_type="sms", statuses={"enqueued": "queued"}),
        "other": project.settings(only_integrations=["sms2"], event_type="other"),
    }
    connector = host.connector(plan, host.plan(), more_secrets=SECRETS, sinks=sinks)
    campaign = {**CAMPAIGN, "integration": "sms"}
    connector.send(campaign, [*people(1), {"to": "12", "customer_id": "c-9"}])
    connector.send({**campaign, "name": "sale"}, people(1))
    found = Counter((event["event_type"], event["properties"]["status"]) for event in project.events)
    assert found == {("all", "enqueued"): 2, ("all", "skipped"): 1, ("sale", "enqueued"): 1, ("sms", "queued"): 2}


@pytest.mark.parametrize("shown", ["hashed", "left_out"])
def test_numbers_go_as_a_keyed_hash_or_not_at_all(host: Host, plan: Plan, project: Project, shown: str) -> None:
    key = {"recipient_key": "env:HASH_KEY"} if shown == "hashed" else {}
    sinks = {"crm": project.settings(recipient=shown, **key)}
    connector = host.connector(plan, more_secrets={**SECRETS, "HASH_KEY": "sesame"}, sinks=sinks)
    rows = people(2)
    connector.send(CAMPAIGN, rows)
    told = to_json(project.events).decode()
    assert not any(row["to"].removeprefix("+") in told for row in rows)
    hashes = [event["properties"].get("recipient") for event in project.events]
    assert (len(set(hashes)), {hashed and len(hashed) for hashed in hashes}) == (
        (2, {64}) if shown == "hashed" else (1, {None})
    )


ADDRESSES = ["contact:01EKA07N79THJ20ZSN6AS30TMW", "MESSENGER:7746490198930851", "12", "4.67E+10", "0701 740: home"]
"""Whom a campaign may be given to message, and an SMS can't reach."""


def test_only_the_hash_of_a_number_is_a_phone_id(host: Host, plan: Plan, project: Project) -> None:
    hashed = {"recipient": "hashed", "recipient_key": "env:HASH_KEY", "only_statuses": ["enqueued", "skipped"]}
    sinks = {
        "both": project.settings(customer_ids={"registered": "customer_id", "phone_id": "recipient"}, **hashed),
        "phone": project.settings(customer_ids={"phone_id": "recipient"}, event_type="phone", **hashed),
    }
    connector = host.connector(plan, more_secrets={**SECRETS, "HASH_KEY": "sesame"}, sinks=sinks)
    (row,) = people(1)
    others = [{**row, "to": address, "customer_id": f"other-{n}"} for n, address in enumerate(ADDRESSES)]
    connector.send(CAMPAIGN, [row, *others])
    of_number = hmac.new(b"sesame", row["to"].removeprefix("+").encode(), hashlib.sha256).hexdigest()
    shown = {
        event["customer_ids"].get("registered"): event for event in project.events if event["event_type"] != "phone"
    }
    assert shown.pop("c-0")["customer_ids"] == {"registered": "c-0", "phone_id": of_number}
    assert {name: event["customer_ids"] for name, event in shown.items()} == {
        name: {"registered": name} for name in shown
    }
    kinds = ["contact", "MESSENGER", "address", "address", "address"]
    assert {name: event["properties"]["recipient"] for name, event in shown.items()} == {
        one["customer_id"]: f"{kind}:{hmac.new(b'sesame', one['to'].encode(), hashlib.sha256).hexdigest()}"
        for kind, one in zip(kinds, others, strict=True)
    }
    (phone,) = [event for event in project.events if event["event_type"] == "phone"]
    assert phone["customer_ids"] == {"phone_id": of_number}
    assert ["no recipient" in refused.reason for refused in connector.refused_events("phone")] == [True] * len(others)


def test_a_sink_may_begin_with_the_first_event(host: Host, plan: Plan, project: Project) -> None:
    host.connector(plan).send(CAMPAIGN, people(3))
    new = connected(host, plan, project)
    new.deliver()
    assert project.events == []
    sinks = {"crm": project.settings(), "history": project.settings(start="beginning", event_type="history")}
    both = host.connector(plan, more_secrets=SECRETS, sinks=sinks)
    both.deliver()
    assert [event["event_type"] for event in project.events] == ["history"] * 3


def test_a_part_of_the_log_goes_again_under_the_same_ids(host: Host, plan: Plan, project: Project) -> None:
    connector = connected(host, plan, project)
    first = connector.send(CAMPAIGN, people(3))
    host.clock.advance(3600)
    later = host.clock()
    second = connector.send({**CAMPAIGN, "name": "second"}, people(2))
    ids = {
        dispatch.id: [event.id for event in dispatch.events() if event.status == "enqueued"]
        for dispatch in (first, second)
    }
    connector.replay("crm", dispatch=first.id)
    connector.deliver()
    # Reports of the first may have come by now, and go out as well.
    enqueued = {*ids[first.id], *ids[second.id]}

    def taken() -> Counter[str]:
        return Counter({each: times for each, times in by_id(project).items() if each in enqueued})

    assert taken() == Counter([*ids[first.id] * 2, *ids[second.id]])
    connector.replay("crm", since=later)
    connector.replay("crm", until=later)
    connector.deliver()
    assert taken() == Counter([*ids[first.id] * 3, *ids[second.id] * 2])
    with pytest.raises(NotFound):
        connector.replay("erp")


def test_test_messages_are_no_customers(host: Host, plan: Plan, project: Project) -> None:
    connector = host.connector(
        plan,
        more_secrets=SECRETS,
        sinks={"crm": project.settings()},
        senders={"shop": {"value": "Bookshop"}},
        defaults={"integration": "sms", "sender": "shop"},
    )
    assert connector.try_number(people(1)[0]["to"], wait_seconds=5).integration == "sms"
    connector.deliver()
    assert (project.events, connector.refused_events("crm")) == ([], [])


def test_a_slow_pace_holds_nobody_up_whose_time_is_up(host: Host, plan: Plan, project: Project) -> None:
    connector = connected(host, plan, project, requests_per_second=1 / 90)
    connector.prepare()
    connector.send(CAMPAIGN, people(180), drain=False)
    connector.worker().run(until=connector.worker().nothing_is_due)
    delivering = threading.Thread(target=connector.deliver, kwargs={"max_seconds": 0.5}, daemon=True)
    delivering.start()
    delivering.join(60)
    assert not delivering.is_alive()
    assert state_of(connector).lag == 180
