"""Who goes into which request, and what it says: batches, senders, texts, long values, schedules."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Clock, Host, Plan, Posted, agrees, closes, people

from connector import Connector
from connector.model.errors import CampaignError, RecipientsError

SWEDEN, AUSTRALIA = "+46701740605", "+61491570156"


@pytest.fixture
def still(host: Host) -> Clock:
    """A clock that only the test moves."""
    now = datetime.now(UTC)
    host.clock = Clock(lambda: now)
    return host.clock


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


@pytest.fixture
def connector(host: Host, plan: Plan) -> Connector:
    return host.connector(plan)


def texts(posted: Posted) -> dict[str, str]:
    """What each recipient of a request gets, as the API puts it together."""
    content = posted.content
    parameters = content.get("parameters", {})
    found = {}
    for number in content["to"]:
        text = content["body"]
        for name, values in parameters.items():
            text = text.replace(f"${{{name}}}", values.get(number, values.get("default", "")))
        found[number] = text
    return found


def test_a_thousand_personal_texts_are_one_request(plan: Plan, connector: Connector) -> None:
    report = connector.send(CAMPAIGN, people(2050)).report()
    assert sorted(len(posted.content["to"]) for posted in plan.posted) == [50, 1000, 1000]
    sent = {number: text for posted in plan.posted for number, text in texts(posted).items()}
    assert sent == {row["to"].removeprefix("+"): f"Hi {row['name']}, we open on Monday." for row in people(2050)}
    assert report.enqueued == 2050
    assert closes(report) and agrees(connector)


def test_each_sender_has_requests_of_its_own(plan: Plan, connector: Connector, host: Host) -> None:
    senders = ("Bakery", "Cafe", "")
    rows = [{**row, "sender": senders[n % 3]} for n, row in enumerate(people(30))]
    report = connector.send(CAMPAIGN, rows).report()
    by_sender = {posted.content["from"]: posted.content["to"] for posted in plan.posted}
    assert set(by_sender) == {"Bakery", "Cafe", "Bookshop"}
    assert by_sender["Cafe"] == [row["to"].removeprefix("+") for row in rows if row["sender"] == "Cafe"]
    events = list(connector.dispatch(report.dispatch).all_events())
    assert {event.customer_id: event.sender for event in events} == {
        row["customer_id"]: row["sender"] or "Bookshop" for row in rows
    }
    assert closes(report) and agrees(connector)


def test_a_sender_may_be_one_that_the_configuration_names(host: Host, plan: Plan) -> None:
    connector = host.connector(plan, senders={"shop": {"value": "Corner Shop"}})
    connector.send({**CAMPAIGN, "sender": "shop"}, people(1))
    connector.send(CAMPAIGN, [{**people(1)[0], "sender": "shop"}], key="row")
    assert [posted.content["from"] for posted in plan.posted] == ["Corner Shop", "Corner Shop"]


def test_texts_of_the_host_go_out_as_they_are(plan: Plan, connector: Connector) -> None:
    """A thousand different texts are still one request; nothing in them is expanded."""
    rows = [
        {"to": row["to"], "text": f"Dear reader {n}, ${{name}} costs $5 {{now}}."} for n, row in enumerate(people(40))
    ]
    report = connector.send({"name": "host", "sender": "Bookshop", "message": {}}, rows).report()
    (posted,) = plan.posted
    assert texts(posted) == {row["to"].removeprefix("+"): row["text"] for row in rows}
    assert report.enqueued == 40


def test_a_text_of_the_host_stands_beside_the_campaigns_own(plan: Plan, connector: Connector) -> None:
    rows = people(4)
    rows[1]["text"] = "For you alone."
    connector.send(CAMPAIGN, rows)
    sent = {number: text for posted in plan.posted for number, text in texts(posted).items()}
    assert sent[rows[1]["to"].removeprefix("+")] == "For you alone."
    assert sent[rows[0]["to"].removeprefix("+")] == "Hi Reader 0, we open on Monday."
    assert len(plan.posted) == 2


def test_long_values_travel_in_pieces_and_short_ones_apart(plan: Plan, connector: Connector) -> None:
    """No piece is empty or over the API's limit, and everybody gets the whole value."""
    lengths = [1, 5, 160, 161, 320, 321, 480, 700, 3, 1000]
    rows = [
        {**row, "name": "".join(chr(97 + (n + place) % 26) for place in range(length))}
        for n, (row, length) in enumerate(zip(people(len(lengths)), lengths, strict=True))
    ]
    report = connector.send(CAMPAIGN, rows).report()
    sent = {number: text for posted in plan.posted for number, text in texts(posted).items()}
    assert sent == {row["to"].removeprefix("+"): f"Hi {row['name']}, we open on Monday." for row in rows}
    for posted in plan.posted:
        for values in posted.content["parameters"].values():
            assert all(1 <= len(value) <= 160 for value in values.values())
    assert len(plan.posted) == 2
    assert (report.enqueued, report.skipped.total) == (10, 0)
    assert closes(report) and agrees(connector)


def test_long_texts_of_the_host_travel_in_pieces(plan: Plan, connector: Connector) -> None:
    rows = [{"to": row["to"], "text": f"{n} " + "word " * (60 + n)} for n, row in enumerate(people(30))]
    connector.send({"name": "host", "sender": "Bookshop", "message": {}}, rows)
    (posted,) = plan.posted
    assert texts(posted) == {row["to"].removeprefix("+"): row["text"] for row in rows}


def test_nobody_to_send_to_is_a_finished_dispatch(plan: Plan, connector: Connector) -> None:
    report = connector.send(CAMPAIGN, []).report()
    assert (report.state, report.recipients, report.enqueued) == ("finished", 0, 0)
    assert closes(report) and agrees(connector)
    assert plan.posted == []


def test_everybody_skipped_is_a_finished_dispatch(plan: Plan, connector: Connector) -> None:
    rows = [{"to": "12", "name": "A"}, {"to": "none", "name": "B"}, {"to": SWEDEN}]
    dispatch = connector.send(CAMPAIGN, rows)
    report = dispatch.report()
    assert (report.state, report.recipients) == ("finished", 3)
    assert report.skipped.by_reason == {"invalid_number": 2, "missing_parameter": 1}
    assert [(event.status, event.comment) for event in dispatch.all_events()] == [
        ("skipped", "invalid_number"),
        ("skipped", "invalid_number"),
        ("skipped", "missing_parameter"),
    ]
    assert closes(report) and agrees(connector)
    assert plan.posted == []


def test_screening_names_the_first_reason_in_its_order(plan: Plan, connector: Connector) -> None:
    """Number, repeat, parameter, length: of repeated people the first row counts, whatever becomes of it."""
    long = "x" * 3000
    rows = [
        {"to": "nobody", "name": ""},
        {"to": SWEDEN, "name": ""},
        {"to": "0046 70-174 06 05", "name": "Björn"},
        {"to": "(+46) 701740605", "name": long},
        {"to": AUSTRALIA, "name": long},
        {"to": "+61 491 570 156", "name": ""},
        {"to": "+61491570157", "name": "Ada"},
        {"to": "61491570157", "name": "Ada"},
    ]
    dispatch = connector.send(CAMPAIGN, rows)
    report = dispatch.report()
    assert report.skipped.by_reason == {
        "invalid_number": 1,
        "missing_parameter": 1,
        "duplicate": 4,
        "too_long": 1,
    }
    assert [posted.content["to"] for posted in plan.posted] == [["61491570157"]]
    assert closes(report) and agrees(connector)


def test_more_parts_than_the_campaign_allows_are_skipped(plan: Plan, connector: Connector) -> None:
    rows = people(3)
    rows[1]["name"] = "x" * 200
    report = connector.send({**CAMPAIGN, "max_parts": 1}, rows).report()
    assert (report.enqueued, report.skipped.by_reason) == (2, {"too_long": 1})
    assert plan.posted[0].content["max_number_of_message_parts"] == 1
    assert report.number_of_message_parts == 2


def test_a_missing_column_is_refused_before_anything_is_stored(plan: Plan, connector: Connector, host: Host) -> None:
    path = host.path.parent / "people.csv"
    path.write_text("to,nane\n+12015550123,Ada\n")
    with pytest.raises(CampaignError, match=r"name.*nane"):
        connector.send(CAMPAIGN, path)
    assert connector.dispatches() == [] and plan.posted == []


def test_a_file_that_breaks_half_way_sends_nothing(plan: Plan, connector: Connector, host: Host) -> None:
    path = host.path.parent / "people.csv"
    rows = "".join(f"{row['to']},{row['name']}\n" for row in people(2500))
    path.write_text("to,name\n" + rows + '+12015550123,"Ada\n')
    with pytest.raises(RecipientsError, match="line 2502"):
        connector.send(CAMPAIGN, path)
    assert connector.dispatches() == [] and plan.posted == []


def test_what_is_scheduled_far_ahead_is_held_by_us(host: Host, still: Clock, plan: Plan, connector: Connector) -> None:
    """And handed over some time before, with its time."""
    send_at = still() + timedelta(hours=3)
    dispatch = connector.send({**CAMPAIGN, "send_at": send_at}, people(3), drain=False)
    connector.work()
    assert plan.posted == []
    assert dispatch.report().waiting == 3
    still.advance(2.5 * 3600)
    connector.work()
    assert plan.posted == []
    still.advance(0.5 * 3600 - 60)
    connector.work()
    (posted,) = plan.posted
    assert posted.content["send_at"] == f"{send_at:%Y-%m-%dT%H:%M:%S}.{send_at.microsecond // 1000:03}Z"
    assert dispatch.report().enqueued == 3


def test_what_is_scheduled_for_a_time_that_passed_is_sent_at_once(
    still: Clock, plan: Plan, connector: Connector
) -> None:
    connector.send({**CAMPAIGN, "send_at": still() - timedelta(hours=1)}, people(1))
    assert "send_at" not in plan.posted[0].content


def test_what_could_not_be_sent_before_its_expiry_is_skipped(
    host: Host, still: Clock, plan: Plan, connector: Connector
) -> None:
    expire_at = still() + timedelta(hours=1)
    dispatch = connector.send({**CAMPAIGN, "expire_at": expire_at}, people(3), drain=False)
    still.advance(3601)
    connector.work()
    report = dispatch.report()
    assert (report.state, report.skipped.by_reason) == ("finished", {"expired": 3})
    assert [(event.status, event.comment) for event in dispatch.all_events()] == [("skipped", "expired")] * 3
    assert plan.posted == []
    assert closes(report) and agrees(connector)


def test_the_expiry_goes_to_the_provider(still: Clock, plan: Plan, connector: Connector) -> None:
    expire_at = still() + timedelta(hours=1)
    connector.send({**CAMPAIGN, "expire_at": expire_at}, people(1))
    assert plan.posted[0].content["expire_at"].startswith(f"{expire_at:%Y-%m-%dT%H:%M:%S}")


def test_a_campaign_that_has_expired_is_refused(still: Clock, plan: Plan, connector: Connector) -> None:
    with pytest.raises(CampaignError, match="passed"):
        connector.send({**CAMPAIGN, "expire_at": still() - timedelta(seconds=1)}, people(1))
    assert connector.dispatches() == []


def test_events_carry_what_the_platform_gave(host: Host, plan: Plan, connector: Connector) -> None:
    campaign: dict[str, Any] = {**CAMPAIGN, "id": "cmp-7", "metadata": {"season": "spring", "wave": 1}}
    row = {**people(1)[0], "metadata": {"wave": 2, "tier": "gold"}}
    dispatch = connector.send(campaign, [row])
    (event,) = dispatch.all_events()
    assert (event.status, event.campaign_id, event.campaign_name) == ("enqueued", "cmp-7", "opening")
    assert (event.dispatch, event.message_id) == (dispatch.id, f"{dispatch.id}-0")
    assert event.metadata == {"season": "spring", "wave": 2, "tier": "gold"}
    assert (event.customer_id, event.recipient) == ("c-0", row["to"].removeprefix("+"))
    assert "gold" not in plan.posted[0].body.decode()
    assert (event.integration, event.number_of_message_parts) == ("sms", 1)


def test_callbacks_are_asked_for_where_somebody_takes_them(host: Host, plan: Plan, connector: Connector) -> None:
    connector.send(CAMPAIGN, people(1))
    assert plan.posted[-1].content["delivery_report"] == "none"
    assert "callback_url" not in plan.posted[-1].content
    reached = host.connector(plan, server={"public_url": "https://hooks.example.com"})
    reached.send(CAMPAIGN, people(1), again=True)
    content = plan.posted[-1].content
    assert content["delivery_report"] == "per_recipient_final"
    assert content["callback_url"] == f"{reached.callback_addresses()['sms']}/{content['client_reference']}"


def test_a_preview_stores_and_sends_nothing(host: Host, plan: Plan, connector: Connector) -> None:
    preview = connector.preview(CAMPAIGN, [*people(1200), {"to": "none", "name": "x"}])
    assert (preview.recipients, preview.to_send, preview.skipped, preview.requests) == (1201, 1200, 1, 2)
    assert preview.by_reason == {"invalid_number": 1}
    assert preview.samples[0].text == "Hi Reader 0, we open on Monday."
    assert connector.dispatches() == [] and plan.posted == []
