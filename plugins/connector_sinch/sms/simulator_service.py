"""The simulated SMS API: batches, delivery reports, groups, inbound messages, for a service plan and a project.

Source: the SMS API's pages "Authentication", "Batches", "Delivery reports", "Groups", "Inbounds", "Webhooks" and
"Status codes".
"""

import asyncio
import base64
import random
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from connector.http import Answer
from connector.model.parts import encoding
from connector.simulator.oauth import Bucket, TokenIssuer, TokenState
from connector.simulator.outcomes import Fate
from connector.simulator.service import Call, Service, json_answer
from connector_sinch.signature import ALGORITHM, HMAC_SHA256, NONCE, SIGNATURE, TIMESTAMP
from connector_sinch.signature import sign as signature_of
from connector_sinch.sms.simulator_batch import (
    CANCELLED,
    DISPATCHED,
    EXPIRED_INSIDE,
    NO_ORIGINATOR,
    NO_VALUE,
    QUEUED,
    TOO_MANY_PARTS,
    Batch,
    State,
    stamp,
)
from connector_sinch.sms.simulator_groups import Groups
from connector_sinch.sms.simulator_inbounds import Inbounds, read_inbound
from connector_sinch.sms.simulator_listing import LISTING, Listed, page, read_query
from connector_sinch.sms.simulator_options import SmsOptions
from connector_sinch.sms.simulator_request import (
    CONSTRAINT,
    MAX_RECIPIENTS,
    BatchRequest,
    Problem,
    read_batch,
    read_fields,
    read_number,
    read_numbers,
    read_object,
    read_update,
)
from connector_sinch.ulid import new_ulid

RETENTION = timedelta(days=14)
"""Batches are listed this long."""
RETRY_WAITS = tuple(2.0**n for n in range(15))
"""A callback's tries are 5, 10, 20 ... 81,920 seconds apart."""
TOKENS_AT_ONCE, TOKENS_PER_SECOND = 30, 10.0
"""The limit on asking for access tokens."""


class _Due(NamedTuple):
    """A message that was sent, and its end."""

    number: str
    fate: Fate
    parts: int | None


class SmsService(Service):
    """One service plan of the SMS API, which a project's access key opens too."""

    def __init__(self, options: SmsOptions) -> None:
        super().__init__(options, RETRY_WAITS)
        self._options = options
        self._dice = random.Random(f"{options.seed}:ids")
        self._tokens = TokenIssuer(
            options.key_id,
            options.key_secret,
            life_seconds=options.token_life_seconds,
            bucket=Bucket(TOKENS_AT_ONCE, TOKENS_PER_SECOND),
            seed=options.seed,
        )
        self._basic: dict[str, str] = {}
        if options.callback_username is not None:
            login = f"{options.callback_username}:{options.callback_password}".encode()
            self._basic = {"authorization": f"Basic {base64.b64encode(login).decode()}"}
        self.forget()

    def forget(self) -> None:
        self._batches: dict[str, Batch] = {}
        self._by_reference: dict[str, list[Batch]] = {}
        self._finished: list[tuple[Batch, str]] = []
        self._groups = Groups(self._dice)
        self._inbounds = Inbounds(self._dice)
        self.reports_due = 0

    def batches(self) -> list[dict[str, Any]]:
        return [
            {
                "id": batch.id,
                "client_reference": batch.request.client_reference,
                "canceled": batch.canceled,
                "size": len(batch.recipients),
                "finished": batch.finished,
                "confirmed": len(batch.confirmed),
            }
            for batch in self._batches.values()
        ]

    # Requests

    async def answer(self, call: Call) -> Answer:
        if call.path == "/oauth2/token":
            return self._tokens.answer(call) if call.method == "POST" else Answer(405, {}, b"")
        account, refusal = self._account_of(call)
        if refusal is not None:
            return refusal
        match call.path.strip("/").split("/"):
            case ["xms", "v1", named, *rest] if named == account:
                try:
                    return await self._answer(call, rest)
                except Problem as problem:
                    return problem.answer()
        return Answer(404, {}, b"")

    def _account_of(self, call: Call) -> tuple[str | None, Answer | None]:
        """What the credentials open, the service plan or the project; or why they open nothing."""
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        if kind != "Bearer":
            return None, Answer(401, {}, b"")
        if token == self._options.api_token:
            return self._options.service_plan_id, None
        state = self._tokens.state_of(token)
        if state is TokenState.unknown or self._options.after_end_of_sale:
            return None, Answer(401, {"www-authenticate": 'Bearer error="invalid_token"'}, b"")
        if state is TokenState.expired or self.faults.happens("token_expired"):
            described = 'Bearer error="invalid_token", error_description="The access token expired"'
            return None, Answer(401, {"www-authenticate": described}, b"")
        return self._options.project_id, None

    async def _answer(self, call: Call, path: list[str]) -> Answer:
        match path:
            case ["batches", *rest]:
                return await self._about_batches(call, rest)
            case ["groups", *rest]:
                return self._about_groups(call, rest)
        match call.method, path:
            case "GET", ["delivery_reports"]:
                return self.listing_fault() or self._list_reports(call)
            case "GET", ["inbounds"]:
                return self.listing_fault() or self._list_inbounds(call)
            case "GET", ["inbounds", inbound_id]:
                return json_answer(200, self._inbounds.by_id(inbound_id))
            case _, ["delivery_reports"] | ["inbounds"] | ["inbounds", _]:
                return Answer(405, {}, b"")
        return Answer(404, {}, b"")

    async def _about_batches(self, call: Call, path: list[str]) -> Answer:
        match call.method, path:
            case "POST", []:
                return await self.accepting(lambda: self._send(call))
            case "GET", []:
                return self.listing_fault() or self._list_batches(call)
            case "POST", ["dry_run"]:
                return self._dry_run(call)
            case "GET", [batch_id]:
                return json_answer(200, self._batch(batch_id).as_answered())
            case "POST", [batch_id]:
                return self._update(call, self._batch(batch_id))
            case "PUT", [batch_id]:
                return self._replace(call, self._batch(batch_id))
            case "DELETE", [batch_id]:
                return self._cancel(self._batch(batch_id))
            case "POST", [batch_id, "delivery_feedback"]:
                return self._take_feedback(call, self._batch(batch_id))
            case "GET", [batch_id, "delivery_report"]:
                return self.listing_fault() or self._batch_report(call, self._batch(batch_id))
            case "GET", [batch_id, "delivery_report", number]:
                return self.listing_fault() or self._recipient_report(self._batch(batch_id), number)
            case _, [] | [_] | [_, "delivery_feedback" | "delivery_report"] | [_, "delivery_report", _]:
                return Answer(405, {}, b"")
        return Answer(404, {}, b"")

    def _about_groups(self, call: Call, path: list[str]) -> Answer:
        now = datetime.now(UTC)
        match call.method, path:
            case "POST", []:
                return json_answer(201, self._groups.create(_content(call), now).as_answered())
            case "GET", []:
                return self.listing_fault() or self._list_groups(call)
            case "GET", [group_id]:
                return json_answer(200, self._groups.by_id(group_id).as_answered())
            case "GET", [group_id, "members"]:
                return json_answer(200, list(self._groups.by_id(group_id).members))
            case "POST" | "PUT", [group_id]:
                group = self._groups.by_id(group_id)
                change = self._groups.update if call.method == "POST" else self._groups.replace
                change(group, _content(call), now)
                return json_answer(200, group.as_answered())
            case "DELETE", [group_id]:
                self._groups.delete(self._groups.by_id(group_id))
                return Answer(200, {}, b"")
            case _, [] | [_] | [_, "members"]:
                return Answer(405, {}, b"")
        return Answer(404, {}, b"")

    # Batches

    def _batch(self, batch_id: str) -> Batch:
        batch = self._batches.get(batch_id)
        if batch is None:
            raise Problem(404, "unknown_batch", "There is no such batch.")
        return batch

    def _check(self, request: BatchRequest) -> None:
        """What can be wrong with a request beside its form."""
        self._groups.check(request.groups)
        if request.delivery_report != "none" and request.callback_url is None and self._options.callback_url is None:
            raise Problem(403, "missing_callback_url", "Requesting delivery report without any callback URL.")

    def _send(self, call: Call) -> Answer:
        now = datetime.now(UTC)
        try:
            request = read_batch(_content(call), now)
            self._check(request)
        except Problem as problem:
            return problem.answer()
        batch = Batch(new_ulid(self._dice), request, now)
        self._batches[batch.id] = batch
        self._enter(batch)
        return json_answer(201, batch.as_answered())

    def _enter(self, batch: Batch) -> None:
        """Let a batch wait for its time, and for its turn in the queue."""
        request = batch.request
        if request.client_reference is not None:
            self._by_reference.setdefault(request.client_reference, []).append(batch)
        self._expect(batch, request.numbers)
        size = partial(self._resolve, batch) if request.groups else len(request.numbers)
        self.queue.put(batch, size, request.send_at)

    def _resolve(self, batch: Batch) -> int:
        """Add the members of its groups to a batch whose time has come; how many messages it is."""
        known = set(batch.recipients)
        added = [number for number in self._groups.numbers(batch.request.groups) if number not in known]
        # A number may be in several groups.
        added = list(dict.fromkeys(added))
        batch.recipients = [*batch.recipients, *added]
        self._expect(batch, added)
        return len(batch.recipients)

    def _expect(self, batch: Batch, numbers: list[str]) -> None:
        self.tally.accept(numbers)
        if batch.request.delivery_report == "per_recipient":
            state = State(QUEUED, batch.modified_at, None, final=False)
            for number in numbers:
                self._call_back(batch, batch.recipient_report(number, state))

    def _update(self, call: Call, batch: Batch) -> Answer:
        content = _content(call)
        self._check_waiting(batch)
        now = datetime.now(UTC)
        return self._change(batch, read_update(content, batch.request, now), now)

    def _replace(self, call: Call, batch: Batch) -> Answer:
        """The same as cancelling the batch and sending another, under its ID."""
        now = datetime.now(UTC)
        request = read_batch(_content(call), now)
        self._check_waiting(batch)
        return self._change(batch, request, now)

    def _check_waiting(self, batch: Batch) -> None:
        if self.queue.left(batch) != 0:
            raise Problem(403, "batch_already_dispatched", "The batch has been dispatched already.")

    def _change(self, batch: Batch, request: BatchRequest, now: datetime) -> Answer:
        self._check(request)
        self.queue.drop(batch)
        self.tally.take_back(batch.recipients)
        if batch.request.client_reference is not None:
            self._by_reference[batch.request.client_reference].remove(batch)
        batch.change(request, now)
        self._enter(batch)
        return json_answer(200, batch.as_answered())

    def _cancel(self, batch: Batch) -> Answer:
        """What is still in the queue is cancelled; of a batch before its time the report stays empty."""
        request = batch.request
        sent = self.queue.drop(batch)
        if sent is not None:
            now = batch.modified_at = datetime.now(UTC)
            batch.canceled = True
            rest = batch.recipients[sent:]
            self.tally.take_back(rest)
            if request.send_at is not None and request.send_at > now:
                if request.delivery_report.startswith("per_recipient"):
                    for number in rest:
                        self._call_back(batch, batch.recipient_report(number, State(CANCELLED, now, None, final=True)))
            else:
                self._end(batch, [_Due(number, CANCELLED, None) for number in rest], now)
        return json_answer(200, batch.as_answered())

    def _dry_run(self, call: Call) -> Answer:
        query = read_query(call.query, {"per_recipient": "boolean", "number_of_recipients": "number"})
        shown = query.get("number_of_recipients", 100)
        if not 0 <= shown <= MAX_RECIPIENTS:
            raise Problem(400, CONSTRAINT, f"The parameter 'number_of_recipients' must be 0 to {MAX_RECIPIENTS}.")
        request = read_batch(_content(call), datetime.now(UTC))
        self._groups.check(request.groups)
        numbers = dict.fromkeys([*request.numbers, *self._groups.numbers(request.groups)])
        texts = [(number, request.render(number)[0]) for number in numbers]
        parts = [request.parts(text) for _, text in texts]
        answer: dict[str, Any] = {"number_of_recipients": len(texts), "number_of_messages": sum(parts)}
        if query.get("per_recipient", False):
            answer["per_recipient"] = [
                {
                    "recipient": number,
                    "body": text,
                    "number_of_parts": count,
                    "encoding": "text" if encoding(text) == "GSM" else "unicode",
                }
                for (number, text), count in islice(zip(texts, parts, strict=True), shown)
            ]
        return json_answer(200, answer)

    def _take_feedback(self, call: Call, batch: Batch) -> Answer:
        """Which recipients surely got their message; none named stands for all, unless groups were targets."""
        fields = read_object(_content(call))
        read = read_fields(
            fields,
            {"recipients": lambda name, value: read_numbers(name, value, least=0, most=MAX_RECIPIENTS)},
            ("recipients",),
        )
        numbers: list[str] = read["recipients"]
        if not batch.request.feedback_enabled:
            raise Problem(403, "feedback_not_enabled", "The batch was sent without 'feedback_enabled'.")
        if not numbers and batch.request.groups:
            raise Problem(400, CONSTRAINT, "The field 'recipients' must name at least one: the batch went to a group.")
        if strangers := set(numbers) - set(batch.recipients):
            raise Problem(400, CONSTRAINT, f"The batch has no recipient '{min(strangers)}'.")
        batch.confirmed.update(numbers or batch.recipients)
        return Answer(202, {}, b"")

    # Listings

    def _page(self, key: str, found: list[Listed], query: dict[str, Any]) -> Answer:
        return page(key, found, query, self.shown)

    def _list_batches(self, call: Call) -> Answer:
        query = read_query(call.query, {**LISTING, "from": "words"})
        now = datetime.now(UTC)
        start = max(query.get("start_date", now - timedelta(days=1)), now - RETENTION)
        end = min(query.get("end_date", now), now - timedelta(seconds=self.faults.seconds("listing_lag")))
        reference = query.get("client_reference")
        candidates = self._batches.values() if reference is None else self._by_reference.get(reference, [])
        senders = query.get("from")
        return self._page(
            "batches",
            [
                batch.as_answered
                for batch in reversed(list(candidates))
                if start <= batch.created_at <= end
                and (senders is None or (batch.request.sender or "").lower() in senders)
            ],
            query,
        )

    def _list_reports(self, call: Call) -> Answer:
        query = read_query(call.query, {**LISTING, "status": "words", "code": "numbers"})
        now = datetime.now(UTC)
        start, end = query.get("start_date", now - timedelta(days=1)), query.get("end_date", now)
        statuses, codes, reference = query.get("status"), query.get("code"), query.get("client_reference")
        found: list[Listed] = []
        for batch, number in reversed(self._finished_with(reference)):
            state = batch.states[number]
            if (
                start <= state.at <= end
                and (statuses is None or state.fate.status.lower() in statuses)
                and (codes is None or state.fate.code in codes)
            ):
                found.append(partial(batch.recipient_report, number, state))
        return self._page("delivery_reports", found, query)

    def _finished_with(self, reference: str | None) -> list[tuple[Batch, str]]:
        if reference is None:
            return self._finished
        return [
            (batch, number)
            for batch in self._by_reference.get(reference, [])
            for number, state in batch.states.items()
            if state.final
        ]

    def _batch_report(self, call: Call, batch: Batch) -> Answer:
        # The official SDK repeats the batch's id in the query.
        kinds = {"type": "text", "status": "words", "code": "numbers", "client_reference": "text", "batch_id": "text"}
        query = read_query(call.query, kinds)
        kind = query.get("type", "summary")
        if kind not in ("summary", "full"):
            return Answer(404, {}, b"")
        return json_answer(200, batch.batch_report(kind == "full", query.get("status"), query.get("code")))

    def _recipient_report(self, batch: Batch, number: str) -> Answer:
        digits = read_number(number)
        state = None if digits is None else batch.state_of(digits)
        if digits is None or state is None:
            return Answer(404, {}, b"")
        return json_answer(200, batch.recipient_report(digits, state))

    def _list_inbounds(self, call: Call) -> Answer:
        query = read_query(call.query, {**LISTING, "to": "words"})
        now = datetime.now(UTC)
        start, end = stamp(query.get("start_date", now - timedelta(days=1))), stamp(query.get("end_date", now))
        numbers, reference = query.get("to"), query.get("client_reference")
        return self._page(
            "inbounds",
            [
                inbound.copy
                for inbound in self._inbounds.newest_first()
                if start <= inbound["received_at"] <= end
                and (numbers is None or inbound["to"] in numbers)
                and (reference is None or inbound.get("client_reference") == reference)
            ],
            query,
        )

    def _list_groups(self, call: Call) -> Answer:
        query = read_query(call.query, {"page": "number", "page_size": "number"})
        return self._page("groups", [group.as_answered for group in self._groups.newest_first()], query)

    # What becomes of messages

    def leave(self, batch: Batch, start: int, stop: int) -> None:
        now = datetime.now(UTC)
        ended: list[_Due] = []
        underway: list[_Due] = []
        for number in batch.recipients[start:stop]:
            due = self._fate_of(batch.request, number, now)
            (ended if due.fate.code >= 400 else underway).append(due)
        self._end(batch, ended, now)
        delay_seconds, steps = self._options.report_delay_seconds, batch.request.delivery_report == "per_recipient"
        if delay_seconds or steps:
            for due in underway:
                state = batch.states[due.number] = State(DISPATCHED, now, due.parts, final=False)
                if steps:
                    self._call_back(batch, batch.recipient_report(due.number, state))
        if not delay_seconds:
            self._end(batch, underway, now)
        elif underway:
            self.reports_due += len(underway)
            asyncio.get_running_loop().call_later(delay_seconds, self._report_later, batch, underway)

    def _report_later(self, batch: Batch, underway: list[_Due]) -> None:
        if self._batches.get(batch.id) is batch:
            self.reports_due -= len(underway)
            self._end(batch, underway, datetime.now(UTC))

    def _fate_of(self, request: BatchRequest, number: str, now: datetime) -> _Due:
        text, whole = request.render(number)
        if not whole:
            return _Due(number, NO_VALUE, None)
        parts = request.parts(text)
        if request.sender is None:
            return _Due(number, NO_ORIGINATOR, parts)
        if request.max_parts is not None and parts > request.max_parts:
            return _Due(number, TOO_MANY_PARTS, parts)
        if request.expire_at <= now:
            return _Due(number, EXPIRED_INSIDE, parts)
        return _Due(number, self.outcomes.of(number), parts)

    def _end(self, batch: Batch, ended: list[_Due], now: datetime) -> None:
        if not ended:
            return
        wants = batch.request.delivery_report
        each = wants.startswith("per_recipient")
        for number, fate, parts in ended:
            state = batch.states[number] = State(fate, now, parts, True)
            self._finished.append((batch, number))
            if each:
                self._call_back(batch, batch.recipient_report(number, state))
        batch.finished += len(ended)
        if batch.finished == len(batch.recipients) and wants in ("summary", "full"):
            self._call_back(batch, batch.batch_report(wants == "full"))

    # Callbacks

    def _call_back(self, batch: Batch, content: dict[str, Any]) -> None:
        url = batch.request.callback_url or self._options.callback_url
        if url is not None:
            self.callbacks.submit(url, to_json(content))

    def sign(self, body: bytes) -> dict[str, str]:
        """Signature and Basic authentication, where they are enabled (SMS API, "Webhooks")."""
        secret = self._options.callback_secret
        if secret is None:
            return self._basic
        nonce = new_ulid(self._dice)
        timestamp = str(int(time.time()))
        return {
            **self._basic,
            SIGNATURE: signature_of(secret, body, nonce, timestamp),
            TIMESTAMP: timestamp,
            NONCE: nonce,
            ALGORITHM: HMAC_SHA256,
        }

    def inbound(self, content: dict[str, Any]) -> Answer:
        """Let a person write. Groups whose words they write take them in, or let them go.

        The message is listed, and called back where the plan or the request has an address.
        """
        try:
            written = read_inbound(content)
        except Problem as problem:
            return json_answer(problem.status, {"error": problem.text})
        sender, now = written["from"], datetime.now(UTC)
        answered = next((batch for batch in reversed(self._batches.values()) if sender in batch.states), None)
        request = None if answered is None else answered.request
        originator = None if request is None or request.sender is None else request.sender
        inbound = self._inbounds.receive(
            written,
            now,
            to=originator if originator and originator.isdecimal() else None,
            client_reference=request.client_reference if request and self._options.reply_references else None,
        )
        if inbound["type"] == "mo_text":
            self._groups.written(sender, inbound["to"], inbound["body"], now)
        url = written.get("callback_url", self._options.callback_url)
        if url is not None:
            self.callbacks.submit(url, to_json(inbound))
        return json_answer(201, inbound)


def _content(call: Call) -> Any:
    """The JSON that a request carries. Raises `Problem`."""
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "unsupported_media_type", "The body must be application/json.")
    try:
        return from_json(call.body)
    except ValueError:
        raise Problem(400, "syntax_invalid_json", "The body is not valid JSON.") from None
