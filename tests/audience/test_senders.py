"""The sender of a message is chosen by the recipient's country; who none may write to is skipped."""

import pytest
from sending_kit import CAMPAIGN, Host, agrees, closes

from connector import Connector
from connector.model.errors import CampaignError, RecipientsError

SWEDEN, AUSTRALIA, CANADA, AMERICA = "+46701740605", "+61491570156", "+14165550123", "+12015550123"
EVERYBODY = (SWEDEN, AUSTRALIA, CANADA, AMERICA)
SENDERS = {
    "north": {"value": "NorthShop", "countries": ["SE", "NO"]},
    "us": {"value": "+12015550100", "countries": ["US"]},
    "rest": {"value": "Shop"},
}


def people(*numbers: str) -> list[dict[str, str]]:
    return [{"to": number, "customer_id": f"c-{place}", "name": "Ada"} for place, number in enumerate(numbers)]


@pytest.mark.parametrize("order", [["north", "us", "rest"], ["rest", "us", "north"]])
def test_who_names_the_country_comes_before_who_serves_everywhere(host: Host, order: list[str]) -> None:
    plan = host.plan()
    connector = host.connector(plan, senders=SENDERS)
    report = connector.send({**CAMPAIGN, "sender": order}, people(*EVERYBODY)).report()
    assert report.enqueued == 4
    assert {number: posted.content["from"] for posted in plan.posted for number in posted.content["to"]} == {
        "46701740605": "NorthShop",
        "61491570156": "Shop",
        "14165550123": "Shop",
        "12015550123": "+12015550100",
    }


def test_who_is_in_a_country_that_no_sender_serves_is_skipped(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan, senders=SENDERS)
    dispatch = connector.send({**CAMPAIGN, "sender": ["north", "us"]}, people(*EVERYBODY))
    report = dispatch.report()
    closes(report)
    agrees(connector)
    assert (report.enqueued, report.skipped.by_reason) == (2, {"country": 2})
    assert {event.customer_id: event.comment for event in dispatch.all_events() if event.status == "skipped"} == {
        "c-1": "country",
        "c-2": "country",
    }
    assert sum(len(posted.content["to"]) for posted in plan.posted) == 2


def test_one_sender_with_countries_serves_these_alone(host: Host) -> None:
    report = host.connector(host.plan(), senders=SENDERS).preview({**CAMPAIGN, "sender": "us"}, people(*EVERYBODY))
    assert (report.to_send, report.by_reason, report.by_sender) == (1, {"country": 3}, {"+12015550100": 1})


def test_the_default_sender_is_held_to_its_countries(host: Host) -> None:
    connector = host.connector(host.plan(), senders=SENDERS, defaults={"sender": "north"})
    campaign = {name: value for name, value in CAMPAIGN.items() if name != "sender"}
    assert connector.preview(campaign, people(*EVERYBODY)).by_reason == {"country": 3}


def test_a_row_s_own_sender_comes_first_and_keeps_to_its_countries(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan, senders=SENDERS)
    rows = [
        {**row, "sender": sender}
        for row, sender in zip(people(*EVERYBODY), ("rest", "north", "Literal", ""), strict=True)
    ]
    report = connector.send({**CAMPAIGN, "sender": ["north", "us"]}, rows).report()
    assert report.skipped.by_reason == {"country": 1}
    assert {number: posted.content["from"] for posted in plan.posted for number in posted.content["to"]} == {
        "46701740605": "Shop",
        "14165550123": "Literal",
        "12015550123": "+12015550100",
    }


def test_a_text_of_the_host_s_own_goes_from_the_country_s_sender_too(host: Host) -> None:
    plan = host.plan()
    connector = host.connector(plan, senders=SENDERS)
    rows = [{"to": SWEDEN, "text": "Hej"}, {"to": AMERICA, "text": "Hello"}, {"to": CANADA, "text": "Hullo"}]
    connector.send({"name": "host", "sender": ["north", "us"], "message": {}}, rows)
    assert {posted.content["from"] for posted in plan.posted} == {"NorthShop", "+12015550100"}


def test_a_number_of_no_country_is_served_only_from_everywhere(host: Host) -> None:
    connector = host.connector(host.plan(), senders=SENDERS)
    universal = people("+80012345678")
    for sender, skipped in (("north", {"country": 1}), (["north", "rest"], {})):
        assert connector.preview({**CAMPAIGN, "sender": sender}, universal).by_reason == skipped


def test_every_sender_of_a_campaign_is_checked(host: Host) -> None:
    connector = host.connector(host.plan(), senders=SENDERS)
    with pytest.raises(CampaignError, match="no such sender") as raised:
        connector.preview({**CAMPAIGN, "sender": ["north", "the rest of all"]}, people(SWEDEN))
    assert "sender" in str(raised.value)
    with pytest.raises(CampaignError, match="sender"):
        connector.preview({**CAMPAIGN, "sender": []}, people(SWEDEN))


def test_the_same_senders_are_the_same_campaign(host: Host) -> None:
    connector = host.connector(host.plan(), senders=SENDERS)
    campaign = {**CAMPAIGN, "sender": ["north", "us"]}
    connector.send(campaign, people(*EVERYBODY), key="spring")
    assert connector.send(campaign, people(*EVERYBODY), key="spring").report().enqueued == 2


class TestSendersThatTheProviderCannotShow:
    @pytest.fixture
    def connector(self, host: Host) -> Connector:
        return host.connector(host.plan(), senders={"digits": {"value": "+123"}, "shop": {"value": "Shop"}})

    @pytest.mark.parametrize("sender", ["Ünlü", "+12", ["Shop", "Ünlü"]])
    def test_of_the_campaign_are_refused_before_anything_is_stored(
        self, host: Host, connector: Connector, sender: str | list[str]
    ) -> None:
        with pytest.raises(CampaignError, match="sender"):
            connector.send({**CAMPAIGN, "sender": sender}, people(SWEDEN))
        assert host.rows("SELECT * FROM dispatches") == []

    def test_of_a_row_are_refused_naming_the_row(self, host: Host, connector: Connector) -> None:
        rows = [*people(AUSTRALIA), {**people(SWEDEN)[0], "sender": "Ünlü"}]
        with pytest.raises(RecipientsError, match="row 2: The sender 'Ünlü' can't be used"):
            connector.send(CAMPAIGN, rows)
        assert host.rows("SELECT * FROM dispatches") == []
