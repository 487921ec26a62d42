"""A campaign through both doubles: every recipient has the events in the project, by their exact names and values."""

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bloomreach_kit import Project, connected, expected, funnel
from sending_kit import Host, Posted, refusal

from connector.http import Answer
from connector.simulator.numbers import fictional_numbers

GOLDEN = Path(__file__).with_name("bloomreach_campaign.json")

CAMPAIGN = {
    "id": "cmp-42",
    "name": "spring-sale",
    "sender": "Bookshop",
    "metadata": {"season": "spring"},
    "message": {"text": "Hi ${name}, the spring sale is on."},
}
ADA, BO, CY, DEE, EVE = islice(fictional_numbers(), 5)
COURSES = {ADA: "Delivered:0", BO: "Failed:150", CY: "Rejected:61", DEE: "Expired:202", EVE: "Delivered:0"}
FORMAT = "The format of a field value is invalid. For example if a MSISDN is not correctly formatted."


def rows(*numbers: str) -> list[dict[str, str]]:
    return [
        {"to": f"+{number}", "customer_id": f"customer-{place}", "name": "Ada"} for place, number in enumerate(numbers)
    ]


def by_customer(events: Sequence[dict[str, Any]], dispatch: str) -> dict[str, list[dict[str, Any]]]:
    """Events without what differs from run to run: times, and the dispatch in ids."""
    told: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        assert 1_700_000_000 < event["timestamp"] < 5_000_000_000, "seconds since 1970"
        assert len(event["command_id"]) == 36
        kept = {name: value for name, value in event.items() if name not in ("timestamp", "command_id")}
        told.setdefault(event["customer_ids"]["registered"], []).append(
            json.loads(json.dumps(kept).replace(dispatch, "DISPATCH"))
        )
    # What comes by different ways, a reply and a report, may come in any order.
    return {customer: sorted(each, key=lambda event: event["properties"]["status"]) for customer, each in told.items()}


def test_each_recipient_has_the_events_by_their_exact_names_and_values(host: Host, project: Project) -> None:
    def refuses_eve(posted: Posted) -> Answer | None:
        return refusal(400, "syntax_invalid_parameter_format", FORMAT) if EVE in posted.content["to"] else None

    plan = host.plan(reply_references=True, beginnings={number[:4]: course for number, course in COURSES.items()})
    plan.answers.extend([refuses_eve] * 20)
    connector = connected(host, plan, project)
    dispatch = connector.send(CAMPAIGN, [*rows(ADA, BO, CY, DEE, EVE), {"to": "12", "customer_id": "nobody"}])
    plan.http.post("/_simulator/inbound", json={"from": ADA, "to": "Bookshop", "body": "Thank you"})
    connector.poll()
    connector.deliver()
    report = dispatch.report()
    assert (report.recipients, report.skipped.total, report.enqueue_failed) == (6, 1, 1)
    assert funnel(project.events) == expected(report)
    assert by_customer(project.events, dispatch.id) == json.loads(GOLDEN.read_text())
