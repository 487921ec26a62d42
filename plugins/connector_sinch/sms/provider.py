"""The Sinch SMS API (XMS) as a provider, by service plan and API token or by project and access key."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic_core import to_json

from connector.extension import CheckResult, Integration, Provider
from connector.http import AnswerLost, Http, NoToken
from connector.model.batch import Batch, utc_now
from connector.model.callback import Request, Verdict
from connector.model.errors import ConfigurationError, ReadFailed, ReadRefused, Stopped
from connector.model.event import StatusCodeSource
from connector.model.limits import Limits
from connector.model.outcome import DryRun, Found, FoundState, InDoubt, Listed, Outcome, Refused
from connector.model.report import Receipt, Report, ReportSource
from connector.model.text import Template
from connector_sinch import senders
from connector_sinch.errors import read_error
from connector_sinch.sms import callbacks, checking, guidance, refusals, reports
from connector_sinch.sms.codes import CANCELLED, CODES
from connector_sinch.sms.connection import Connection
from connector_sinch.sms.listing import Page, pages
from connector_sinch.sms.request import MAX_VALUE_CHARACTERS, api_time, batch_body
from connector_sinch.sms.settings import SmsSettings

MAX_TEXT_CHARACTERS = 2000
LISTING_DAYS = 14
EXPIRY_DAYS = 3
BATCH_PAGES = 100
"""The most pages that are read of what belongs to one batch."""
ALL_PAGES = 10_000
"""The most pages that are read of what belongs to an account."""
LOOK_BACK = timedelta(hours=1)
"""How long before the first attempt a look-up starts: the API's clock may not be ours."""


class SinchSms(Provider):
    """The SMS API: batches of up to 1,000 recipients, delivery reports, replies."""

    name: ClassVar[str] = "sinch-sms"
    title: ClassVar[str] = "Sinch SMS"
    Settings = SmsSettings
    limits = Limits(
        batch_recipients=1000,
        text_characters=MAX_TEXT_CHARACTERS,
        value_characters=MAX_VALUE_CHARACTERS,
        schedules=True,
        expiry_days=EXPIRY_DAYS,
        listing_days=LISTING_DAYS,
    )
    codes = CODES
    cancelled = (StatusCodeSource.report, CANCELLED)
    guidance = guidance.GUIDANCE

    def __init__(self, integration: Integration, http: Http) -> None:
        self._settings: SmsSettings = integration.settings
        self._connection = Connection(self._settings, http)

    @property
    def account(self) -> str:
        return f"{self.name}:{self._settings.account_id}"

    @property
    def _by_project(self) -> bool:
        return self._settings.project_id is not None

    # Sending

    def send(self, batch: Batch) -> Outcome:
        """Post one batch, once.

        Raises `NotReached` when the request did not leave, `Throttled` for 429, also from the host that gives
        projects their tokens, and `Stopped` when a secret can't be read.
        """
        try:
            client = self._connection.sender()
        except ConfigurationError as error:
            raise Stopped(str(error)) from error
        try:
            answer = client.post_once(
                self._connection.path("batches"), self._body(batch), before_write=batch.attempt.deadline.check
            )
        except NoToken as error:
            if error.http_status is None:
                raise
            return refusals.without_token(error)
        except AnswerLost as error:
            return InDoubt(str(error))
        return refusals.outcome_of(answer, batch, by_project=self._by_project, now=batch.attempt.deadline.clock())

    def dry_run(self, batch: Batch) -> DryRun | Refused:
        """Let the API count recipients and parts of a batch, and refuse what it would refuse. Raises `ReadFailed`."""
        answer = self._connection.reader().post_repeatable(
            self._connection.path("batches", "dry_run"), self._body(batch)
        )
        if answer.status >= 300:
            return refusals.refusal_of(answer, batch, by_project=self._by_project)
        said = answer.json()
        counts = (
            [said.get(name) for name in ("number_of_recipients", "number_of_messages")]
            if isinstance(said, dict)
            else []
        )
        match counts:
            case [int(messages), int(parts)]:
                return DryRun(messages, parts)
        raise ReadFailed(f"The API's answer to the dry run can't be read (HTTP {answer.status}).")

    def _body(self, batch: Batch) -> bytes:
        return batch_body(batch, feedback=self._settings.delivery_feedback)

    def screen_sender(self, sender: str) -> str | None:
        return senders.what_is_wrong(sender)

    def screen_template(self, template: Template) -> str | None:
        """The body is limited before parameters are put in, too."""
        written = sum(map(len, template.literals)) + sum(len(name) + len("${}") for name in template.uses)
        if written > MAX_TEXT_CHARACTERS:
            return f"The text has {written:,} characters as it is written; the SMS API takes {MAX_TEXT_CHARACTERS:,}."
        return None

    # Looking up

    def find(self, batch: Batch) -> Found:
        """Look for batches under this client reference, in the list of batches.

        A statement is made only from a complete list that shows our own references; copies that are
        cancelled alone don't count as absent, as some of their messages may have left before.
        """
        since = batch.first_sent_at - LOOK_BACK
        if since < batch.attempt.deadline.clock() - timedelta(days=LISTING_DAYS):
            return _cannot_tell(f"The batch was first sent too long ago: the API lists {LISTING_DAYS} days.")
        query = {"client_reference": batch.key, "start_date": api_time(since)}
        try:
            listed = list(self._pages("batches", query))
        except ReadFailed as error:
            return _cannot_tell(str(error))
        entries = [entry for page in listed for entry in page.entries]
        if len(entries) < listed[-1].count:
            return _cannot_tell(f"The API lists {len(entries)} of {listed[-1].count} batches.")
        ours = [entry for entry in entries if entry.get("client_reference") == batch.key]
        standing = sorted((entry for entry in ours if entry.get("canceled") is not True), key=_age)
        ids = tuple(entry["id"] for entry in standing if isinstance(entry.get("id"), str) and entry["id"])
        if len(ids) != len(standing):
            return _cannot_tell("The API lists the batch without an id.")
        if ids:
            return Found(FoundState.accepted, ids)
        if ours:
            return _cannot_tell("The API lists the batch as cancelled; some of its messages may have left before.")
        if entries:
            return _cannot_tell("The API lists batches under other references than the one that was asked for.")
        return Found(FoundState.absent)

    def accepted(self, since: datetime) -> Iterator[Listed]:
        """The list of batches since a time, whole. Raises `ReadFailed`."""
        seen: set[str] = set()
        entries = 0
        for page in self._pages("batches", {"start_date": api_time(since)}, most=ALL_PAGES):
            entries += len(page.entries)
            for entry in page.entries:
                # One that is accepted while the list is read moves the others on.
                if isinstance(entry.get("id"), str) and entry["id"] not in seen:
                    seen.add(entry["id"])
                    reference = entry.get("client_reference")
                    yield Listed(
                        entry["id"], reference if isinstance(reference, str) else None, entry.get("canceled") is True
                    )
        if entries < page.count:
            raise ReadFailed(f"The API lists {entries:,} of {page.count:,} batches.")

    def poll(self, batch: Batch) -> Iterator[Report]:
        """The finished recipient reports by client reference, then the batch's own report, which closes.

        The list has times, operators and parts, the batch's report has everyone. Raises `ReadFailed`.
        """
        if batch.provider_batch_id is None:
            raise ReadFailed("The batch has no id of the API yet, so its report can't be asked for.")
        query = {"client_reference": batch.key, "start_date": api_time(batch.first_sent_at - LOOK_BACK)}
        clock = batch.attempt.deadline.clock
        for page in self._pages("delivery_reports", query):
            yield Report(ReportSource.poll, page.body, clock(), batch_key=batch.key)
        answer = self._connection.reader().get(
            self._connection.path("batches", batch.provider_batch_id, "delivery_report"), {"type": "full"}
        )
        if answer.status == 404:
            raise ReadFailed("The API has no report of the batch yet.")
        parsed = answer.json()
        if not isinstance(parsed, dict) or not isinstance(parsed.get("statuses"), list):
            raise ReadFailed("The API's report of the batch can't be read.")
        yield Report(ReportSource.poll, answer.body, clock(), batch_key=batch.key, closes=True)

    def inbound(self, since: datetime) -> Iterator[Report]:
        """The list of messages that people sent to the account's numbers since a time, newest first.

        How long the API keeps them is not documented; more than it keeps batches is not asked for. One that comes
        in while the list is read moves the others on, so some come twice. Raises `ReadFailed`.
        """
        start = max(since, utc_now() - timedelta(days=LISTING_DAYS))
        seen = 0
        for page in self._pages("inbounds", {"start_date": api_time(start)}, most=ALL_PAGES):
            seen += len(page.entries)
            yield Report(ReportSource.poll, page.body, utc_now())
        if seen < page.count:
            raise ReadFailed(f"The API lists {seen:,} of {page.count:,} inbound messages.")

    def cancel(self, provider_batch_id: str) -> bool:
        """Cancel a batch; True when the API shows it as cancelled.

        What is on its way may still be delivered. Raises `ReadFailed`.
        """
        try:
            answer = self._connection.reader().delete(self._connection.path("batches", provider_batch_id))
        except ReadRefused as error:
            # Sent already: which status goes with it is not documented.
            if error.http_status in (400, 409):
                return False
            raise
        parsed = answer.json()
        if answer.status != 200 or not isinstance(parsed, dict):
            # A batch that isn't there (yet) was not sent either: nothing can be said of it.
            raise ReadFailed(f"The API did not say whether it cancelled the batch (HTTP {answer.status}).")
        return parsed.get("canceled") is True

    def feedback(self, provider_batch_id: str, recipients: Sequence[str]) -> None:
        """Tell the API that these recipients did what the message was for. Raises `ReadFailed`."""
        if not recipients:
            # To the API an empty list means everybody.
            return
        answer = self._connection.reader().post_repeatable(
            self._connection.path("batches", provider_batch_id, "delivery_feedback"),
            to_json({"recipients": list(recipients)}),
        )
        if answer.status >= 300:
            code = read_error(answer.body).code
            said = f" {code}" if code else ""
            raise ReadRefused(
                f"The API did not take the feedback (HTTP {answer.status}{said}). It takes it on batches that were "
                "sent while delivery_feedback was set for the integration.",
                http_status=answer.status,
            )

    def _pages(self, name: str, query: Mapping[str, str], *, most: int = BATCH_PAGES) -> Iterator[Page]:
        return pages(self._connection, name, query, most=most)

    # Receiving

    def verify(self, request: Request, *, now_seconds: float) -> Verdict:
        return callbacks.verify(self._settings, request, now_seconds=now_seconds)

    def rehearse(self, batch_key: str, now: datetime) -> Request:
        """Raises `ConfigurationError` when a secret can't be read."""
        return callbacks.rehearse(self._settings, batch_key, now)

    def parse(self, report: Report) -> list[Receipt]:
        return reports.read(report)

    # Setting up

    def check(self) -> list[CheckResult]:
        return checking.check(self._settings, self._connection)

    def reply_guidance(self, address: str) -> str | None:
        return guidance.replies(address, self._settings.service_plan_id)


def _age(entry: Mapping[str, Any]) -> str:
    """ISO times of one API in UTC sort as text."""
    created = entry.get("created_at")
    return created if isinstance(created, str) else ""


def _cannot_tell(cause: str) -> Found:
    return Found(FoundState.cannot_tell, cause=cause)
