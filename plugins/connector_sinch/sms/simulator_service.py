"""The simulated SMS API: service-plan authentication, batches, delivery reports, inbound messages.

Source: the SMS API's pages "Batches", "Delivery reports", "Inbounds", "Webhooks" and "Status codes".
"""

import asyncio
import base64
import hashlib
import hmac
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from connector.http import Answer
from connector.model.parts import count_parts, encoding
from connector.simulator import Options
from connector.simulator.outcomes import Fate
from connector.simulator.service import Call, Service, json_answer
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
    new_id,
    stamp,
)
from connector_sinch.sms.simulator_listing import LISTING, page, read_query
from connector_sinch.sms.simulator_request import (
    CONSTRAINT,
    BatchRequest,
    Problem,
    is_callback_url,
    read_batch,
    read_number,
)

RETENTION = timedelta(days=14)
"""Batches are listed this long."""
RETRY_WAITS = tuple(2.0**n for n in range(15))
"""A callback's tries are 5, 10, 20 ... 81,920 seconds apart."""

OUTCOMES = {
    "Delivered:0": 95.0,
    "Failed:150": 0.5,  # unknown subscriber
    "Failed:153": 0.8,  # absent subscriber
    "Failed:158": 0.4,  # memory full
    "Failed:15": 0.3,  # screening block
    "Rejected:61": 1.0,  # destination blocked
    "Expired:202": 1.0,  # no page response
    "Deleted:257": 0.5,  # on the network's barring list
    "Unknown:155": 0.5,  # the network's own failure
}


@dataclass(frozen=True, kw_only=True)
class SmsOptions(Options):
    """What the simulated SMS API can be told."""

    outcomes: Mapping[str, float] = field(default_factory=lambda: dict(OUTCOMES))
    service_plan_id: str = "simulated-plan"
    api_token: str = "simulated-token"
    callback_secret: str | None = "simulated-callback-secret"
    """Signs callbacks; None: they carry no signature, as on an account where it isn't enabled."""
    callback_url: str | None = None
    """The plan's own: for inbound messages, and for batches that name none."""


class _Due(NamedTuple):
    """A message that was sent, and its end."""

    number: str
    fate: Fate
    parts: int | None


class SmsService(Service):
    """One service plan of the SMS API."""

    def __init__(self, options: SmsOptions) -> None:
        super().__init__(options, RETRY_WAITS)
        self._options = options
        self._dice = random.Random(f"{options.seed}:ids")
        self._batches: dict[str, Batch] = {}
        self._by_reference: dict[str, list[Batch]] = {}
        self._finished: list[tuple[Batch, str]] = []
        self._inbounds: list[dict[str, Any]] = []

    def forget(self) -> None:
        self._batches.clear()
        self._by_reference.clear()
        self._finished.clear()
        self._inbounds.clear()
        self.reports_due = 0

    def batches(self) -> list[dict[str, Any]]:
        return [
            {
                "id": batch.id,
                "client_reference": batch.request.client_reference,
                "canceled": batch.canceled,
                "size": len(batch.request.to),
                "finished": batch.finished,
            }
            for batch in self._batches.values()
        ]

    # Requests

    async def answer(self, call: Call) -> Answer:
        if call.headers.get("authorization") != f"Bearer {self._options.api_token}":
            return Answer(401, {}, b"")
        match call.path.strip("/").split("/"):
            case ["xms", "v1", plan, *rest] if plan == self._options.service_plan_id:
                try:
                    return await self._answer(call, rest)
                except Problem as problem:
                    return problem.answer()
        return Answer(404, {}, b"")

    async def _answer(self, call: Call, path: list[str]) -> Answer:
        match call.method, path:
            case "POST", ["batches"]:
                return await self.accepting(lambda: self._send(call))
            case "POST", ["batches", "dry_run"]:
                return self._dry_run(call)
            case "GET", ["batches"]:
                return self.listing_fault() or self._list_batches(call)
            case "GET", ["batches", batch_id]:
                return json_answer(200, self._batch(batch_id).as_answered())
            case "DELETE", ["batches", batch_id]:
                return self._cancel(self._batch(batch_id))
            case "GET", ["batches", batch_id, "delivery_report"]:
                return self.listing_fault() or self._batch_report(call, self._batch(batch_id))
            case "GET", ["batches", batch_id, "delivery_report", number]:
                return self.listing_fault() or self._recipient_report(self._batch(batch_id), number)
            case "GET", ["delivery_reports"]:
                return self.listing_fault() or self._list_reports(call)
            case "GET", ["inbounds"]:
                return self.listing_fault() or self._list_inbounds(call)
            case "GET", ["inbounds", inbound_id]:
                return self._inbound_by_id(inbound_id)
            case _, ["batches" | "delivery_reports" | "inbounds" | "groups", *_]:
                return json_answer(501, {"error": f"{call.method} of this path is not simulated."})
        return Answer(404, {}, b"")

    def _batch(self, batch_id: str) -> Batch:
        batch = self._batches.get(batch_id)
        if batch is None:
            raise Problem(404, "unknown_batch", "There is no such batch.")
        return batch

    def _read(self, call: Call, now: datetime) -> BatchRequest:
        if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem(415, "unsupported_media_type", "The body must be application/json.")
        try:
            content = from_json(call.body)
        except ValueError:
            raise Problem(400, "syntax_invalid_json", "The body is not valid JSON.") from None
        return read_batch(content, now)

    def _send(self, call: Call) -> Answer:
        now = datetime.now(UTC)
        try:
            request = self._read(call, now)
        except Problem as problem:
            return problem.answer()
        wants = request.delivery_report
        if wants != "none" and request.callback_url is None and self._options.callback_url is None:
            return Problem(403, "missing_callback_url", "Requesting delivery report without any callback URL.").answer()
        batch = Batch(new_id(self._dice), request, now)
        self._batches[batch.id] = batch
        if request.client_reference is not None:
            self._by_reference.setdefault(request.client_reference, []).append(batch)
        self.tally.accept(request.to)
        self.queue.put(batch, len(request.to), request.send_at)
        if wants == "per_recipient":
            for number in request.to:
                self._call_back(batch, batch.recipient_report(number, State(QUEUED, now, None, final=False)))
        return json_answer(201, batch.as_answered())

    def _dry_run(self, call: Call) -> Answer:
        query = read_query(call.query, {"per_recipient": "boolean", "number_of_recipients": "number"})
        shown = query.get("number_of_recipients", 100)
        if not 0 <= shown <= 1000:
            raise Problem(400, CONSTRAINT, "The parameter 'number_of_recipients' must be 0 to 1000.")
        request = self._read(call, datetime.now(UTC))
        texts = [(number, request.render(number)[0]) for number in request.to]
        parts = [1 if request.truncate else count_parts(text) for _, text in texts]
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

    def _cancel(self, batch: Batch) -> Answer:
        """What is still in the queue is cancelled; of a batch before its time the report stays empty."""
        request = batch.request
        sent = self.queue.drop(batch)
        if sent is not None:
            now = batch.modified_at = datetime.now(UTC)
            batch.canceled = True
            rest = request.to[sent:]
            self.tally.take_back(rest)
            if request.send_at is not None and request.send_at > now:
                if request.delivery_report.startswith("per_recipient"):
                    for number in rest:
                        self._call_back(batch, batch.recipient_report(number, State(CANCELLED, now, None, final=True)))
            else:
                self._end(batch, [_Due(number, CANCELLED, None) for number in rest], now)
        return json_answer(200, batch.as_answered())

    # Listings

    def _list_batches(self, call: Call) -> Answer:
        query = read_query(call.query, {**LISTING, "from": "words"})
        now = datetime.now(UTC)
        start = max(query.get("start_date", now - timedelta(days=1)), now - RETENTION)
        end = min(query.get("end_date", now), now - timedelta(seconds=self.faults.seconds("listing_lag")))
        reference = query.get("client_reference")
        candidates = self._batches.values() if reference is None else self._by_reference.get(reference, [])
        senders = query.get("from")
        found = [
            batch
            for batch in reversed(list(candidates))
            if start <= batch.created_at <= end and (senders is None or (batch.request.sender or "").lower() in senders)
        ]
        return page("batches", found, query, Batch.as_answered)

    def _list_reports(self, call: Call) -> Answer:
        query = read_query(call.query, {**LISTING, "status": "words", "code": "numbers"})
        now = datetime.now(UTC)
        start, end = query.get("start_date", now - timedelta(days=1)), query.get("end_date", now)
        statuses, codes, reference = query.get("status"), query.get("code"), query.get("client_reference")
        found = []
        for batch, number in reversed(self._finished_with(reference)):
            state = batch.states[number]
            if (
                start <= state.at <= end
                and (statuses is None or state.fate.status.lower() in statuses)
                and (codes is None or state.fate.code in codes)
            ):
                found.append((batch, number, state))
        return page("delivery_reports", found, query, lambda entry: entry[0].recipient_report(entry[1], entry[2]))

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
        query = read_query(call.query, {"type": "text", "status": "words", "code": "numbers", "batch_id": "text"})
        kind = query.get("type", "summary")
        if kind not in ("summary", "full"):
            raise Problem(400, CONSTRAINT, "The parameter 'type' must be 'summary' or 'full'.")
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
        start, end = (
            stamp(query.get("start_date", now - timedelta(days=1))),
            stamp(query.get("end_date", now)),
        )
        numbers, reference = query.get("to"), query.get("client_reference")
        found = [
            inbound
            for inbound in reversed(self._inbounds)
            if start <= inbound["received_at"] <= end
            and (numbers is None or inbound["to"] in numbers)
            and (reference is None or inbound.get("client_reference") == reference)
        ]
        return page("inbounds", found, query, lambda inbound: inbound)

    def _inbound_by_id(self, inbound_id: str) -> Answer:
        for inbound in self._inbounds:
            if inbound["id"] == inbound_id:
                return json_answer(200, inbound)
        return Answer(404, {}, b"")

    # What becomes of messages

    def leave(self, batch: Batch, start: int, stop: int) -> None:
        now = datetime.now(UTC)
        ended: list[_Due] = []
        underway: list[_Due] = []
        for number in batch.request.to[start:stop]:
            due = self._fate_of(batch.request, number, now)
            (ended if due.fate.code >= 400 else underway).append(due)
        self._end(batch, ended, now)
        for due in underway:
            state = batch.states[due.number] = State(DISPATCHED, now, due.parts, final=False)
            if batch.request.delivery_report == "per_recipient":
                self._call_back(batch, batch.recipient_report(due.number, state))
        if not self._options.report_delay_seconds:
            self._end(batch, underway, now)
        elif underway:
            self.reports_due += len(underway)
            asyncio.get_running_loop().call_later(
                self._options.report_delay_seconds, self._report_later, batch, underway
            )

    def _report_later(self, batch: Batch, underway: list[_Due]) -> None:
        if batch.id in self._batches:
            self.reports_due -= len(underway)
            self._end(batch, underway, datetime.now(UTC))

    def _fate_of(self, request: BatchRequest, number: str, now: datetime) -> _Due:
        text, whole = request.render(number)
        if not whole:
            return _Due(number, NO_VALUE, None)
        parts = 1 if request.truncate else count_parts(text)
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
        for number, fate, parts in ended:
            state = batch.states[number] = State(fate, now, parts, final=True)
            self._finished.append((batch, number))
            if wants.startswith("per_recipient"):
                self._call_back(batch, batch.recipient_report(number, state))
        batch.finished += len(ended)
        if batch.finished == len(batch.request.to) and wants in ("summary", "full"):
            self._call_back(batch, batch.batch_report(wants == "full"))

    # Callbacks

    def _call_back(self, batch: Batch, content: dict[str, Any]) -> None:
        url = batch.request.callback_url or self._options.callback_url
        if url is not None:
            self.callbacks.submit(url, to_json(content))

    def sign(self, body: bytes) -> dict[str, str]:
        """Base64 of the HMAC-SHA256 over body, nonce and time (SMS API, "Webhooks")."""
        if self._options.callback_secret is None:
            return {}
        nonce = new_id(self._dice)
        timestamp = str(int(time.time()))
        signed = b".".join((body, nonce.encode(), timestamp.encode()))
        digest = hmac.digest(self._options.callback_secret.encode(), signed, hashlib.sha256)
        return {
            "x-sinch-webhook-signature": base64.b64encode(digest).decode(),
            "x-sinch-webhook-signature-timestamp": timestamp,
            "x-sinch-webhook-signature-nonce": nonce,
            "x-sinch-webhook-signature-algorithm": "HmacSHA256",
        }

    def inbound(self, content: dict[str, Any]) -> Answer:
        """A text from a person: `from`, `body`; optional `to`, `client_reference`, `callback_url`.

        It is listed, and called back where the plan or the request has an address.
        """
        sender, body = read_number(content.get("from")), content.get("body")
        url = content.get("callback_url", self._options.callback_url)
        if sender is None or not isinstance(body, str) or not (url is None or is_callback_url(url)):
            return json_answer(400, {"error": "An inbound message needs a number in from, a text in body."})
        now = datetime.now(UTC)
        inbound = {
            "type": "mo_text",
            "id": new_id(self._dice),
            "from": sender,
            "to": str(content.get("to", "12015550100")).removeprefix("+"),
            "body": body,
            "operator_id": "310000",
            "received_at": stamp(now),
        }
        if content.get("client_reference") is not None:
            inbound["client_reference"] = str(content["client_reference"])
        self._inbounds.append(inbound)
        if url is not None:
            self.callbacks.submit(url, to_json(inbound))
        return json_answer(201, inbound)
