"""A connector beside a simulated service plan, for tests of sending: real HTTP, a real ledger, a clock to advance."""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx
from connector_sinch.sms.simulator import SmsSimulator
from connector_sinch.sms.simulator_service import SmsService
from pydantic_core import from_json, to_json

from connector import Connector
from connector.connector import Dispatch
from connector.http import Answer
from connector.model.callback import Request, Response
from connector.report import Report
from connector.simulator import running
from connector.simulator.numbers import fictional_numbers
from connector.simulator.service import Call

CAMPAIGN = {"name": "opening", "sender": "Bookshop", "message": {"text": "Hi ${name}, we open on Monday."}}


def people(count: int, *, after: int = 0) -> list[dict[str, str]]:
    """Rows for `CAMPAIGN`: different valid numbers, always the same for the same arguments."""
    numbers = fictional_numbers()
    for _ in range(after):
        next(numbers)
    return [{"to": f"+{next(numbers)}", "customer_id": f"c-{after + n}", "name": f"Reader {n}"} for n in range(count)]


def batches_of_one(count: int) -> list[dict[str, str]]:
    """Rows that each make a batch of their own, in this order: their senders differ."""
    return [{**row, "sender": f"Shop {n:02}"} for n, row in enumerate(people(count))]


class Clock:
    """The time of day, which a test moves ahead."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._ahead = timedelta()
        self._guard = threading.Lock()

    def __call__(self) -> datetime:
        with self._guard:
            return self._now() + self._ahead

    def advance(self, seconds: float) -> None:
        with self._guard:
            self._ahead += timedelta(seconds=seconds)

    def advance_to(self, moment: datetime) -> None:
        self.advance(max(0.0, (moment - self()).total_seconds() + 0.001))


@dataclass(frozen=True)
class Posted:
    """One request to send that reached the provider."""

    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        return from_json(self.body)


class _WatchedService(SmsService):
    """Notes what is posted, and may answer in the place of the API."""

    def __init__(self, options: Any, plan: "Plan") -> None:
        super().__init__(options)
        self._plan = plan

    async def answer(self, call: Call) -> Answer:
        plan = self._plan
        path = call.path.removeprefix(f"/xms/v1/{plan.options.service_plan_id}/")
        plan.requests.append(f"{call.method} {path}")
        await asyncio.to_thread(plan.when_asked, call.method, path)
        if plan.refuse.get(call.method):
            plan.refuse[call.method] -= 1
            return Answer(401, {}, b"")
        if call.method == "POST":
            posted = Posted(call.body)
            plan.posted.append(posted)
            await asyncio.to_thread(plan.when_posted, posted)
            if plan.answers:
                answer = plan.answers.popleft()
                if callable(answer):
                    answer = answer(posted)
                if answer is not None:
                    return answer
        answer = await super().answer(call)
        if call.method == "GET" and path in ("batches", "delivery_reports") and plan.hidden and answer.status == 200:
            listed = from_json(answer.body)
            listed[path] = [each for each in listed[path] if each.get("batch_id", each.get("id")) not in plan.hidden]
            listed["count"] = len(listed[path])
            return Answer(200, answer.headers, to_json(listed))
        return answer


class _WatchedSimulator(SmsSimulator):
    def __init__(self, plan: "Plan") -> None:
        self._plan = plan

    def service(self, options: Any) -> SmsService:
        return _WatchedService(options, self._plan)


@dataclass
class Plan:
    """A simulated service plan that is running, as a test sees and steers it."""

    options: Any
    posted: list[Posted] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    answers: deque[Any] = field(default_factory=deque)
    """What to answer to the next requests to send: an `Answer`, a function of what was posted, or None: as the API."""
    hidden: set[str] = field(default_factory=set)
    """Ids of batches that the lists of batches and of reports don't show."""
    refuse: dict[str, int] = field(default_factory=dict)
    """Method to how many of its requests are answered 401, nothing being done."""
    when_posted: Callable[[Posted], None] = lambda posted: None
    when_asked: Callable[[str, str], None] = lambda method, path: None
    """Both are called while the connector waits for its answer."""
    base_url: str = ""
    _serving: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Serve on a free port."""
        self.base_url = self._serving.enter_context(running(_WatchedSimulator(self), self.options))
        self.http = self._serving.enter_context(httpx.Client(base_url=self.base_url, timeout=40))

    def stop(self) -> None:
        """Refuse connections."""
        self._serving.close()

    def _own(self, method: str, path: str, **content: Any) -> Any:
        answer = self.http.request(method, f"/_simulator/{path}", json=content or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def faults(self, **values: str | float) -> None:
        """Replace all faults."""
        answer = self.http.post("/_simulator/faults", json=values)
        assert answer.status_code == 200, answer.text

    def hold(self, point: str) -> None:
        self._own("POST", "hold", at=point)

    def held(self, count: int = 1) -> None:
        """Wait until as many sends are held."""
        self._own("GET", f"held?count={count}")

    def release(self) -> None:
        self._own("POST", "release")

    def idle(self) -> None:
        self._own("GET", "idle")

    def account(self) -> dict[str, Any]:
        return self._own("GET", "account")

    def batches(self) -> list[dict[str, Any]]:
        return self._own("GET", "batches")["batches"]

    def standing(self) -> list[dict[str, Any]]:
        """The accepted batches that are not cancelled."""
        return [batch for batch in self.batches() if not batch["canceled"]]

    def cancel(self, batch_id: str) -> None:
        headers = {"authorization": f"Bearer {self.options.api_token}"}
        path = f"/xms/v1/{self.options.service_plan_id}/batches/{batch_id}"
        assert self.http.delete(path, headers=headers).status_code == 200


def refusal(status: int, code: str = "", text: str = "", **headers: str) -> Answer:
    """An answer that takes nothing, as the API words it."""
    body = f'{{"code": "{code}", "text": "{text}"}}'.encode() if code else b""
    return Answer(status, headers, body)


class Host:
    """Starts simulated plans, and connectors on one ledger in a folder; stops them all at the end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.clock = Clock()
        self._stack = ExitStack()

    def close(self) -> None:
        self._stack.close()

    def plan(self, **options: Any) -> Plan:
        """A running service plan."""
        options.setdefault("outcomes", {"Delivered:0": 1})
        plan = Plan(SmsSimulator.Options(**options))
        self._stack.callback(plan.stop)
        plan.start()
        return plan

    def settings(self, plans: Mapping[str, Plan], **tables: Any) -> dict[str, Any]:
        integration = tables.pop("integration", {})
        integrations = {
            name: {**SmsSimulator().settings(plan.base_url, plan.options), **integration}
            for name, plan in plans.items()
        }
        return {
            "integrations": integrations,
            "defaults": {"integration": next(iter(integrations))},
            "storage": {"url": f"sqlite:///{self.path}"},
            **tables,
        }

    def connector(
        self,
        *plans: Plan,
        plugins: Iterable[object] = (),
        clock: Callable[[], datetime] | None = None,
        more_secrets: Mapping[str, str] = MappingProxyType({}),
        **tables: Any,
    ) -> Connector:
        """A connector with an integration `sms` (and `sms2` ...) for each plan; `integration={...}` adds settings."""
        named = {"sms" if not place else f"sms{place + 1}": plan for place, plan in enumerate(plans)}
        secrets: dict[str, str] = {**more_secrets}
        for plan in plans:
            secrets |= SmsSimulator().secrets(plan.options)
        made = Connector(
            self.settings(named, **tables),
            secrets=lambda reference: secrets[reference.removeprefix("env:")],
            plugins=plugins,
            clock=clock or self.clock,
        )
        return self._stack.enter_context(made)

    # The ledger file, as anybody may read it

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def batches(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM batches ORDER BY number")

    def attempts(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM attempts ORDER BY batch, number")

    def states(self) -> list[str]:
        return [row["state"] for row in self.batches()]

    # Working through what is due

    def next_due(self) -> datetime | None:
        """When something is due, at the earliest: to send it, its account must be free and well."""
        at = self.rows(
            "SELECT min(at) AS at FROM ("
            " SELECT due_at AS at FROM batches WHERE task NOT IN ('send', 'trial', 'country')"
            " UNION ALL SELECT max(due_at, free_at, coalesce(probe_at, 0))"
            "   FROM batches JOIN accounts ON name = account WHERE task = 'send'"
            " UNION ALL SELECT probe_at FROM accounts)"
        )[0]["at"]
        return None if at is None else datetime.fromtimestamp(at / 1_000_000, UTC)

    def settle(self, dispatch: Dispatch, *, steps: int = 400, when: Callable[[Report], bool] | None = None) -> Report:
        """Work, moving the clock from one due time to the next, until the dispatch is settled (or `when` says so)."""
        done = when or (lambda report: report.is_settled)
        for _ in range(steps):
            dispatch._connector.work()
            report = dispatch.report()
            if done(report):
                return report
            due = self.next_due()
            assert due is not None, f"nothing is due any more: {report}"
            self.clock.advance_to(due)
        raise AssertionError(f"not settled after {steps} steps: {report}")


def agrees(connector: Connector) -> bool:
    """Whether verify finds nothing."""
    found = connector.verify()
    assert found and not any(found.values()), found
    return True


def warm_up(host: Host, connector: Connector) -> None:
    """Get one batch accepted, and so look-up proved on the account."""
    dispatch = connector.send(CAMPAIGN, people(1, after=30_000), again=True, drain=False)
    host.settle(dispatch, when=lambda report: report.is_final)
    assert connector.accounts()[0].look_up_proven_at is not None


def callback(connector: Connector, batch: Mapping[str, Any], number: str, status: str, code: int) -> Response:
    """Hand in a delivery report on one recipient of a batch, as the plan lists the batch."""
    body = {
        "type": "recipient_delivery_report_sms",
        "batch_id": batch["id"],
        "client_reference": batch["client_reference"],
        "recipient": number,
        "status": status,
        "code": code,
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
    }
    path = urlsplit(connector.callback_addresses()["sms"]).path
    return connector.receive(Request("POST", path, {}, to_json(body)))


def closes(report: Report) -> bool:
    """Whether the sums of a report close."""
    told = report.skipped.total + report.waiting + report.sending + report.in_doubt + report.enqueue_failed
    assert report.recipients == told + report.unknown + report.enqueued, report
    ended = report.unconfirmed + report.rejected + report.failed + report.delivered
    assert report.enqueued == report.open + ended, report
    return True


def wait_until(happened: Callable[[], bool], *, seconds: float = 120.0) -> None:
    """Wait for something that only the ledger or a process shows."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if happened():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen in time")


def hosting(folder: Path) -> Iterator[Host]:
    """A host that is closed at the end."""
    host = Host(folder)
    try:
        yield host
    finally:
        host.close()


@contextmanager
def time_passing(host: Host) -> Iterator[None]:
    """Move the clock to whatever is due next, again and again."""
    ended = threading.Event()

    def pass_time() -> None:
        while not ended.wait(0.02):
            due = host.next_due()
            # What is on its way takes time by the real clock alone: it must not seem held up.
            if due is not None and "sending" not in host.states():
                host.clock.advance_to(due)

    thread = threading.Thread(target=pass_time)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
