"""A provider in memory that takes, refuses, loses and hides batches as it is told; its clock is the test's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic_core import from_json, to_json

from connector.extension import CheckResult, IntegrationSettings, Provider, hookimpl
from connector.extension.plugins import Plugins
from connector.model.batch import Batch
from connector.model.errors import NotReached, ReadFailed, Throttled
from connector.model.event import Status
from connector.model.limits import Limits
from connector.model.outcome import Accepted, Found, FoundState, InDoubt, Outcome, Refused, Scope
from connector.model.report import Receipt, ReceiptKind, Report, ReportSource

FATES = (
    "taken",
    "answer lost",
    "never arrived",
    "died before",
    "died after",
    "throttled",
    "not reached",
    "refuses one",
    "refuses all",
)


@dataclass
class Copy:
    """One accepted copy of a batch."""

    id: str
    key: str
    numbers: list[str]
    fires_at: datetime
    shows_at: datetime
    """From when on the list shows it."""
    cancelled: bool = False


@dataclass
class PostOffice:
    """The provider's side, and its plugin."""

    clock: Callable[[], datetime]
    fates: dict[tuple[str, int], list[tuple[str, float]]] = field(default_factory=dict)
    """Sender and place of the batch to what becomes of its attempts, each with the lag of the list in seconds."""
    copies: list[Copy] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """Numbers that were refused, by batch key's dispatch."""
    list_fails: bool = False

    def standing(self, key: str) -> list[Copy]:
        """The copies of a batch that are not cancelled."""
        return [copy for copy in self.copies if copy.key == key and not copy.cancelled]

    def take(self, batch: Batch, lag_seconds: float) -> Copy:
        now = self.clock()
        fires_at = max(now, batch.attempt.send_at or now)
        shows_at = now + timedelta(seconds=lag_seconds)
        copy = Copy(f"{batch.key}/{batch.attempt.number}", batch.key, list(batch.recipients), fires_at, shows_at)
        self.copies.append(copy)
        return copy

    @hookimpl
    def connector_provider(self) -> type[Provider]:
        office = self

        class Letters(Provider):
            name = "letters"
            title = "Letters"
            Settings = IntegrationSettings
            limits = Limits(batch_recipients=3, schedules=True, listing_days=1000)
            codes: ClassVar[dict[Any, Any]] = {}
            declines: ClassVar[dict[str, str]] = {
                "verify": "letters are not signed",
                "inbound": "nobody writes back",
            }
            account = "letters:office"

            def __init__(self, integration: Any, http: Any) -> None:
                pass

            def check(self) -> list[CheckResult]:
                return []

            def send(self, batch: Batch) -> Outcome:
                batch.attempt.deadline.check()
                place = int(batch.key.split("-")[1].removeprefix("b"))
                planned = office.fates.get((batch.sender or "", place), [])
                fate, lag_seconds = planned.pop(0) if planned else ("taken", 0.0)
                return office.act(batch, fate, lag_seconds)

            def find(self, batch: Batch) -> Found:
                if office.list_fails:
                    raise ReadFailed("The post office is closed.")
                shown = [copy.id for copy in office.standing(batch.key) if copy.shows_at <= office.clock()]
                return Found(FoundState.accepted, tuple(shown)) if shown else Found(FoundState.absent)

            def poll(self, batch: Batch) -> Iterator[Report]:
                if office.list_fails:
                    raise ReadFailed("The post office is closed.")
                for copy in office.standing(batch.key):
                    if max(copy.fires_at, copy.shows_at) <= office.clock():
                        for number in copy.numbers:
                            yield Report(ReportSource.poll, report(copy, number), office.clock(), batch_key=batch.key)
                yield Report(ReportSource.poll, b"{}", office.clock(), batch_key=batch.key, closes=True)

            def cancel(self, provider_batch_id: str) -> bool:
                (copy,) = [copy for copy in office.copies if copy.id == provider_batch_id]
                if copy.fires_at <= office.clock():
                    return False
                copy.cancelled = True
                return True

            def parse(self, report: Report) -> list[Receipt]:
                said = from_json(report.body)
                if not said:
                    return []
                return [
                    Receipt(
                        ReceiptKind.message,
                        status=Status(said["status"]),
                        final=True,
                        batch_key=said["key"],
                        provider_batch_id=said["copy"],
                        recipient=said["number"],
                    )
                ]

        return Letters

    def act(self, batch: Batch, fate: str, lag_seconds: float) -> Outcome:
        if fate in ("taken", "answer lost", "died after"):
            copy = self.take(batch, lag_seconds)
            if fate == "taken":
                return Accepted(copy.id)
        if fate in ("died before", "died after"):
            raise SystemExit
        if fate == "throttled":
            raise Throttled("Too many letters.", retry_after_seconds=min(lag_seconds, 20.0))
        if fate == "not reached":
            raise NotReached("The road is closed.")
        if fate == "refuses one":
            self.refused.add(f"{batch.key.split('-')[0]}:{batch.recipients[0]}")
            return Refused(Scope.recipient, 400, error="no_such_house", recipients=(0,))
        if fate == "refuses all":
            return Refused(Scope.account, 401, error="no_stamps")
        return InDoubt("The messenger did not come back.")


def report(copy: Copy, number: str) -> bytes:
    """What the provider says of a letter."""
    status = Status.rejected if copy.cancelled else Status.delivered
    return to_json({"key": copy.key, "copy": copy.id, "number": number, "status": status})


def plugins(office: PostOffice) -> Plugins:
    return Plugins([office], installed=False)
