"""Reading what the SMS API says later: delivery reports and inbound messages, called back or listed.

A body carries its `type`; lists (`GET /delivery_reports`, `GET /inbounds`) hold the same bodies. Source: the
SMS API's pages "Delivery reports", "Inbounds" and "Webhooks".
"""

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from connector.model.event import Status, StatusCodeSource
from connector.model.report import Receipt, ReceiptKind, Report
from connector_sinch.sms.codes import EXPIRED_INSIDE, source_of
from connector_sinch.values import integer, moment, phone_number, quoted, string

# Status as the API writes it, without regard to case: (event, final). None: no event.
_STATUSES: dict[str, tuple[Status | None, bool]] = {
    "queued": (None, False),
    "dispatched": (None, False),
    "delivered": (Status.delivered, True),
    "rejected": (Status.rejected, True),
    "aborted": (Status.rejected, True),
    "cancelled": (Status.rejected, True),
    "canceled": (Status.rejected, True),
    "failed": (Status.failed, True),
    "expired": (Status.failed, True),
    "deleted": (Status.failed, True),
    # Handed to the network without a readable answer: nothing more will be said, and nothing is known.
    "unknown": (None, True),
}
_RECIPIENT_REPORTS = {"recipient_delivery_report_sms": "sms", "recipient_delivery_report_mms": "mms"}
_BATCH_REPORTS = {"delivery_report_sms": "sms", "delivery_report_mms": "mms"}
_INBOUNDS = {"mo_text": "sms", "mo_binary": "sms", "mo_media": "mms"}
_LISTS = ("delivery_reports", "inbounds")


def read(report: Report) -> list[Receipt]:
    """The receipts of a body; never raises, what isn't understood becomes a receipt of kind `unknown`."""
    try:
        body: Any = from_json(report.body, allow_inf_nan=False)
    except ValueError:
        return [_not_understood("the body is not JSON", {})]
    if not isinstance(body, dict):
        return [_not_understood("the body is not a JSON object", {})]
    if "type" not in body:
        for name in _LISTS:
            entries = body.get(name)
            if isinstance(entries, list):
                # An entry of a list speaks for its own batch, whichever was asked for.
                return [receipt for entry in entries for receipt in _read_one(entry, None)]
    return list(_read_one(body, report.batch_key))


def _read_one(body: Any, batch_key: str | None) -> Iterator[Receipt]:
    if not isinstance(body, dict):
        yield _not_understood("an entry of the list is not a JSON object", {})
        return
    kind = body.get("type")
    if not isinstance(kind, str):
        yield _not_understood("the body names no type", body)
    elif kind in _RECIPIENT_REPORTS:
        yield _recipient_report(body, _RECIPIENT_REPORTS[kind], batch_key)
    elif kind in _BATCH_REPORTS:
        yield from _batch_report(body, _BATCH_REPORTS[kind], batch_key)
    elif kind in _INBOUNDS:
        yield _inbound(body, _INBOUNDS[kind])
    else:
        yield _not_understood(f"the type {quoted(kind)} is not known", body)


def _recipient_report(body: dict[str, Any], channel: str, batch_key: str | None) -> Receipt:
    key = string(body.get("client_reference")) or batch_key
    provider_batch_id = string(body.get("batch_id"))
    recipient = phone_number(body.get("recipient"))
    code = integer(body.get("code"))
    raw_status, status, final, problem = _status(body.get("status"), code)
    if problem is None and recipient is None:
        problem = "the report names no recipient"
    if problem is None and key is None and provider_batch_id is None:
        problem = "the report names no batch"
    return Receipt(
        kind=ReceiptKind.message if problem is None else ReceiptKind.unknown,
        status=status if problem is None else None,
        final=final and problem is None,
        batch_key=key,
        provider_batch_id=provider_batch_id,
        recipient=recipient,
        sender=string(body.get("applied_originator")),
        # When the operator says that it happened; else when Sinch noted it.
        occurred_at=moment(body.get("operator_status_at")) or moment(body.get("at")),
        status_code=code,
        status_code_source=_source(code),
        comment=string(body.get("status_message")),
        raw_status=raw_status,
        number_of_message_parts=integer(body.get("number_of_message_parts")),
        operator=string(body.get("operator")),
        encoding=string(body.get("encoding")),
        channel=channel,
        problem=problem,
        payload=body,
    )


def _batch_report(body: dict[str, Any], channel: str, batch_key: str | None) -> Iterator[Receipt]:
    key = string(body.get("client_reference")) or batch_key
    provider_batch_id = string(body.get("batch_id"))
    groups = body.get("statuses")
    if not isinstance(groups, list) or (key is None and provider_batch_id is None):
        lacks = "the batch report has no statuses" if key or provider_batch_id else "the report names no batch"
        yield _not_understood(lacks, body, batch_key=key, provider_batch_id=provider_batch_id)
        return
    named_someone = False
    for group in groups:
        recipients = group.get("recipients") if isinstance(group, dict) else None
        if not isinstance(recipients, list):
            continue
        code = integer(group.get("code"))
        raw_status, status, final, problem = _status(group.get("status"), code)
        source = _source(code)
        for given in recipients:
            recipient = phone_number(given)
            if recipient is None:
                continue
            named_someone = True
            yield Receipt(
                kind=ReceiptKind.message if problem is None else ReceiptKind.unknown,
                status=status,
                final=final,
                batch_key=key,
                provider_batch_id=provider_batch_id,
                recipient=recipient,
                status_code=code,
                status_code_source=source,
                raw_status=raw_status,
                channel=channel,
                problem=problem,
                # This recipient's line of the report: the whole, once a recipient, would be a million lines.
                payload={
                    "type": body["type"],
                    "batch_id": body.get("batch_id"),
                    "client_reference": body.get("client_reference"),
                    "code": group.get("code"),
                    "status": group.get("status"),
                    "recipient": given,
                },
            )
    if not named_someone:
        yield Receipt(
            kind=ReceiptKind.batch,
            batch_key=key,
            provider_batch_id=provider_batch_id,
            channel=channel,
            payload=body,
        )


def _inbound(body: dict[str, Any], channel: str) -> Receipt:
    key = string(body.get("client_reference"))
    person = phone_number(body.get("from"))
    provider_id = string(body.get("id"))
    if person is None or provider_id is None:
        problem = "the inbound message has no id" if provider_id is None else "the inbound message names no sender"
        return _not_understood(problem, body, batch_key=key)
    content = body.get("body")
    if body["type"] == "mo_media":
        text = string(content.get("message")) if isinstance(content, dict) else None
    else:
        # The body of a binary message is no text.
        text = content if body["type"] == "mo_text" and isinstance(content, str) else None
    return Receipt(
        kind=ReceiptKind.person,
        status=Status.replied,
        final=True,
        batch_key=key,
        recipient=person,
        sender=phone_number(body.get("to")) or string(body.get("to")),
        occurred_at=moment(body.get("received_at")) or moment(body.get("sent_at")),
        operator=string(body.get("operator_id")),
        channel=channel,
        provider_id=provider_id,
        text=text,
        payload=body,
    )


def _status(value: Any, code: int | None) -> tuple[str | None, Status | None, bool, str | None]:
    """The status as it came, its event, whether it is final, and what was not understood."""
    if not isinstance(value, str):
        return None, None, False, "the report has no status"
    known = _STATUSES.get(value.lower())
    if known is None:
        return value, None, False, f"the status {quoted(value)} is not known"
    status, final = known
    if code == EXPIRED_INSIDE and final:
        status = Status.failed
    return value, status, final, None


def _source(code: int | None) -> StatusCodeSource | None:
    return None if code is None else source_of(code)


def _not_understood(
    problem: str, body: dict[str, Any], *, batch_key: str | None = None, provider_batch_id: str | None = None
) -> Receipt:
    return Receipt(
        kind=ReceiptKind.unknown,
        batch_key=batch_key,
        provider_batch_id=provider_batch_id,
        problem=problem,
        payload=body,
    )
