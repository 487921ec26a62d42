"""The Sinch SMS API (XMS) as a provider, by service plan and API token."""

import base64
import email.utils
import hmac
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from connector.extension import CheckResult, Integration, Provider
from connector.http import Answer, AnswerLost, Client, Http
from connector.model.batch import Batch, utc_now
from connector.model.callback import Request, Verdict
from connector.model.errors import ConfigurationError, ReadFailed, ReadRefused, Stopped
from connector.model.limits import Limits
from connector.model.outcome import Found, FoundState, InDoubt, Outcome
from connector.model.report import Receipt, Report, ReportSource
from connector.model.text import Template
from connector_sinch.signature import verify_signature
from connector_sinch.sms import reports
from connector_sinch.sms.codes import CODES
from connector_sinch.sms.refusals import outcome_of
from connector_sinch.sms.request import MAX_VALUE_CHARACTERS, api_time, batch_body
from connector_sinch.sms.settings import SmsSettings

MAX_TEXT_CHARACTERS = 2000
LISTING_DAYS = 14
EXPIRY_DAYS = 3
PAGE_SIZE = 100
MAX_PAGES = 100
LOOK_BACK = timedelta(hours=1)
"""How long before the first attempt a look-up starts: the API's clock may not be ours."""
MAX_CLOCK_DIFFERENCE_SECONDS = 60.0


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

    def __init__(self, integration: Integration, http: Http) -> None:
        self._settings: SmsSettings = integration.settings
        self._http = http
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._token: str | None = None
        self._base_path = f"/xms/v1/{quote(self._settings.service_plan_id, safe='')}"

    @property
    def account(self) -> str:
        return f"{self.name}:{self._settings.service_plan_id}"

    # Sending

    def send(self, batch: Batch) -> Outcome:
        """Post one batch, once.

        Raises `NotReached` when the request did not leave, `Throttled` for 429, `Stopped` when the API token
        can't be read.
        """
        try:
            client = self._connection()
        except ConfigurationError as error:
            raise Stopped(str(error)) from error
        try:
            answer = client.post_once(
                f"{self._base_path}/batches", batch_body(batch), before_write=batch.attempt.deadline.check
            )
        except AnswerLost as error:
            return InDoubt(str(error))
        return outcome_of(answer, batch, now=batch.attempt.deadline.clock())

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
        query = {"client_reference": batch.key, "start_date": api_time(since), "page_size": str(PAGE_SIZE)}
        try:
            pages = list(self._pages("batches", query))
        except ReadFailed as error:
            return _cannot_tell(str(error))
        entries = [entry for page in pages for entry in page.entries]
        if len(entries) < pages[-1].count:
            return _cannot_tell(f"The API lists {len(entries)} of {pages[-1].count} batches.")
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

    def poll(self, batch: Batch) -> Iterator[Report]:
        """The finished recipient reports by client reference, then the batch's own report, which closes.

        The list has times, operators and parts, the batch's report has everyone. Raises `ReadFailed`.
        """
        if batch.provider_batch_id is None:
            raise ReadFailed("The batch has no id of the API yet, so its report can't be asked for.")
        query = {
            "client_reference": batch.key,
            "start_date": api_time(batch.first_sent_at - LOOK_BACK),
            "page_size": str(PAGE_SIZE),
        }
        clock = batch.attempt.deadline.clock
        for page in self._pages("delivery_reports", query):
            yield Report(ReportSource.poll, page.body, clock(), batch_key=batch.key)
        answer = self._reader().get(
            f"{self._base_path}/batches/{quote(batch.provider_batch_id, safe='')}/delivery_report", {"type": "full"}
        )
        if answer.status == 404:
            raise ReadFailed("The API has no report of the batch yet.")
        parsed = answer.json()
        if not isinstance(parsed, dict) or not isinstance(parsed.get("statuses"), list):
            raise ReadFailed("The API's report of the batch can't be read.")
        yield Report(ReportSource.poll, answer.body, clock(), batch_key=batch.key, closes=True)

    def inbound(self, since: datetime) -> Iterator[Report]:
        """The list of messages that people sent to the plan's numbers since a time. Raises `ReadFailed`."""
        query = {"start_date": api_time(since), "page_size": str(PAGE_SIZE)}
        for page in self._pages("inbounds", query):
            yield Report(ReportSource.poll, page.body, utc_now())

    def cancel(self, provider_batch_id: str) -> bool:
        """Cancel a batch; True when the API shows it as cancelled.

        What is on its way may still be delivered. Raises `ReadFailed`.
        """
        try:
            answer = self._reader().delete(f"{self._base_path}/batches/{quote(provider_batch_id, safe='')}")
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

    # Receiving

    def verify(self, request: Request, *, now_seconds: float) -> Verdict:
        """By signature or Basic authentication, whichever is set; where both are, either suffices."""
        settings = self._settings
        verdicts = []
        if settings.callback_secrets:
            secrets = [secret.value() for secret in settings.callback_secrets]
            verdicts.append(verify_signature(request.headers, request.body, secrets, now_seconds=now_seconds))
        if settings.callback_username is not None and settings.callback_password is not None:
            credentials = f"{settings.callback_username}:{settings.callback_password.value()}"
            verdicts.append(_basic(request.headers, credentials))
        if not verdicts:
            return Verdict.not_checked
        return next(verdict for verdict in (Verdict.genuine, Verdict.stale, Verdict.forged) if verdict in verdicts)

    def parse(self, report: Report) -> list[Receipt]:
        return reports.read(report)

    # Trying the settings

    def check(self) -> list[CheckResult]:
        """List one batch, which needs plan, token and region to be right; say what that can't prove."""
        settings = self._settings
        where = f"service plan {settings.service_plan_id}, region {settings.region}, {settings.url}"
        try:
            answer = self._connection().get(f"{self._base_path}/batches", {"page_size": "1"})
        except ConfigurationError as error:
            return [CheckResult("credentials", False, str(error))]
        except ReadRefused as error:
            return [
                CheckResult(
                    "credentials",
                    False,
                    f"The SMS API refused the API token (HTTP {error.http_status}; {where}). Copy api_token and "
                    "service_plan_id anew from the Sinch dashboard, and check that region is the plan's own: a token "
                    "works with its own plan in its own region only.",
                )
            ]
        except ReadFailed as error:
            return [
                CheckResult(
                    "credentials", False, f"{error} Check region, base_url and the network ({where}).", reached=False
                )
            ]
        if answer.status == 404:
            return [
                CheckResult(
                    "credentials",
                    False,
                    f"The SMS API knows no such service plan ({where}). Check service_plan_id and region.",
                )
            ]
        if not isinstance(answer.json(), dict):
            return [
                CheckResult(
                    "credentials",
                    False,
                    f"What answers there is not the SMS API ({where}). Check region and base_url.",
                )
            ]
        results = [CheckResult("credentials", True, f"The SMS API accepts the API token ({where}).")]
        clock = _clock(answer.headers)
        if clock is not None:
            results.append(clock)
        return [*results, *self._unproved()]

    def _unproved(self) -> list[CheckResult]:
        if self._settings.callback_secret is not None or self._settings.callback_username is not None:
            callbacks = "Whether Sinch signs or authenticates callbacks as set here shows with the first one."
        else:
            callbacks = "No callback_secret is set: the unguessable address alone protects callbacks."
        return [
            CheckResult(
                "sending",
                None,
                "Credit, allowed senders and countries show only when a message is sent; try one to a number of yours.",
            ),
            CheckResult("callbacks", None, callbacks),
            CheckResult(
                "replies",
                None,
                "The address for replies can't be read or set by the API: it stands in the Sinch dashboard, "
                "with the service plan.",
            ),
        ]

    # The connection

    def _connection(self) -> Client:
        """The client for the token as it is now, so that a changed token needs no new start."""
        token = self._settings.api_token.value()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigurationError(
                "The api_token is empty or has characters that no token has (a line end, a space?): copy it anew."
            )
        with self._lock:
            if self._client is None or token != self._token:
                self._token = token
                self._client = self._http.client(
                    self._settings.url,
                    headers={"authorization": f"Bearer {token}"},
                    timeout_seconds=self._settings.request_timeout_seconds,
                )
            return self._client

    def _reader(self) -> Client:
        try:
            return self._connection()
        except ConfigurationError as error:
            raise ReadFailed(str(error)) from error

    def _pages(self, name: str, query: Mapping[str, str]) -> Iterator["_Page"]:
        """The pages of a list, at least one, until as many entries were seen as the list says it has."""
        seen = 0
        for number in range(MAX_PAGES):
            answer = self._reader().get(f"{self._base_path}/{name}", {**query, "page": str(number)})
            page = _page(answer, name)
            yield page
            seen += len(page.entries)
            if seen >= page.count or not page.entries:
                return


@dataclass(frozen=True, slots=True)
class _Page:
    body: bytes
    entries: list[dict[str, Any]]
    count: int
    """Of the whole list, as this page tells it."""


def _page(answer: Answer, name: str) -> _Page:
    """Read a page of a list; raises `ReadFailed` when it is none."""
    parsed = answer.json()
    if answer.status == 200 and isinstance(parsed, dict):
        entries, count = parsed.get(name), parsed.get("count")
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries) and isinstance(count, int):
            return _Page(answer.body, entries, count)
    raise ReadFailed(f"The API's list of {name.replace('_', ' ')} can't be read (HTTP {answer.status}).")


def _age(entry: Mapping[str, Any]) -> str:
    """ISO times of one API in UTC sort as text."""
    created = entry.get("created_at")
    return created if isinstance(created, str) else ""


def _cannot_tell(cause: str) -> Found:
    return Found(FoundState.cannot_tell, cause=cause)


def _basic(headers: Mapping[str, str], credentials: str) -> Verdict:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    expected = base64.b64encode(credentials.encode())
    matches = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), expected)
    return Verdict.genuine if matches and scheme.lower() == "basic" else Verdict.forged


def _clock(headers: Mapping[str, str]) -> CheckResult | None:
    try:
        theirs = email.utils.parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    difference_seconds = abs((utc_now() - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds())
    if difference_seconds <= MAX_CLOCK_DIFFERENCE_SECONDS:
        return CheckResult("clock", True, "This machine's clock agrees with the API's.")
    return CheckResult(
        "clock",
        False,
        f"This machine's clock is {difference_seconds:.0f} seconds off the API's: set it, as schedules and "
        "look-ups depend on it.",
    )
