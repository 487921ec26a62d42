"""A simulated project of Bloomreach, and connectors that tell it of what they send."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connector_bloomreach.simulator import API_SECRET, API_TOKEN, SIMULATOR
from connector_bloomreach.simulator_options import BloomreachOptions
from pydantic_core import to_json
from sending_kit import Host, Plan

from connector import Connector
from connector.http import Client
from connector.model.event import RANK
from connector.report import Report
from connector.simulator import running

SECRETS = {API_SECRET: BloomreachOptions().api_secret, API_TOKEN: BloomreachOptions().api_token}


class Project:
    """What a test sees of the simulated project."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.client = Client(base_url)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event that was tracked, in the order that they came."""
        found: list[dict[str, Any]] = self.client.get("/_simulator/batches").json()["batches"]
        return found

    @property
    def statuses(self) -> list[str]:
        return [event["properties"]["status"] for event in self.events]

    @property
    def account(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/_simulator/account").json()
        return found

    def faults(self, **faults: str | float) -> None:
        self.client.post_repeatable("/_simulator/faults", to_json(faults))

    def settings(self, **settings: Any) -> dict[str, Any]:
        """A sink's table for it."""
        return {**SIMULATOR.settings(self.base_url, BloomreachOptions()), **settings}


@contextmanager
def running_project(**options: Any) -> Iterator[Project]:
    with running(SIMULATOR, BloomreachOptions(**options)) as base_url:
        project = Project(base_url)
        try:
            yield project
        finally:
            project.client.close()


def connected(host: Host, plan: Plan, project: Project, **settings: Any) -> Connector:
    """A connector whose sink `crm` is the project."""
    return host.connector(plan, more_secrets=SECRETS, sinks={"crm": project.settings(**settings)})


def funnel(events: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """What became of each message, counted from what was tracked: of each the highest that it came to."""
    ranks = {status.value: rank for status, rank in RANK.items()} | {"enqueue_failed": 0}
    reached: dict[str, str] = {}
    for event in events:
        message, status = event["properties"]["message_id"], event["properties"]["status"]
        if status in ranks and ranks[status] >= ranks.get(reached.get(message, ""), -1):
            reached[message] = status
    return Counter(reached.values())


def expected(report: Report) -> Counter[str]:
    """The same by the connector's report."""
    counts = {
        "enqueue_failed": report.enqueue_failed,
        "enqueued": report.open + report.unconfirmed,
        "rejected": report.rejected,
        "failed": report.failed,
        "delivered": report.delivered,
    }
    return Counter({status: count for status, count in counts.items() if count})
