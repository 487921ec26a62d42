"""Who may call back: the signature over the body as it came."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from connector_sinch.conversation import callbacks, reports
from connector_sinch.signature import ALGORITHM, NONCE, SIGNATURE, TIMESTAMP
from sinch_conversation_kit import secret

from connector.model.callback import Request, Verdict
from connector.model.report import Report, ReportSource

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
VECTORS: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("sinch_conversation_vectors.json").read_text(encoding="utf-8")
)
"""Signed bodies as the official SDKs of Sinch test them: compact ones, and one over several lines."""


def callback(vector: dict[str, Any], **changes: str | None) -> Request:
    headers = {
        SIGNATURE: vector["signature"],
        NONCE: vector["nonce"],
        TIMESTAMP: vector["timestamp"],
        ALGORITHM: vector["algorithm"],
    }
    for name, value in changes.items():
        header = {"signature": SIGNATURE, "nonce": NONCE, "timestamp": TIMESTAMP, "algorithm": ALGORITHM}[name]
        headers.pop(header)
        if value is not None:
            headers[header] = value
    return Request("POST", "/webhooks/x", headers, vector["body"].encode())


def verdict(vector: dict[str, Any], *secrets: str, age: float = 0, **changes: str | None) -> Verdict:
    now_seconds = float(vector["timestamp"]) + age
    return callbacks.verify(callback(vector, **changes), secrets or [vector["secret"]], now_seconds=now_seconds)


by_name = pytest.mark.parametrize("vector", VECTORS, ids=[each["name"] for each in VECTORS])


@by_name
def test_the_known_answers_of_the_api_are_genuine(vector):
    assert verdict(vector) is Verdict.genuine


@by_name
def test_what_was_signed_is_what_came_byte_for_byte(vector):
    rewritten = {**vector, "body": json.dumps(json.loads(vector["body"]), indent=1)}
    assert verdict(rewritten) is Verdict.forged


@by_name
def test_old_and_new_secrets_hold_side_by_side(vector):
    assert verdict(vector, "another", vector["secret"]) is Verdict.genuine
    assert verdict(vector, vector["secret"], "another") is Verdict.genuine
    assert verdict(vector, "another") is Verdict.forged


def test_without_a_secret_nothing_is_checked():
    assert callbacks.verify(callback(VECTORS[0]), [], now_seconds=0.0) is Verdict.not_checked


@pytest.mark.parametrize("age", [3600, 90_000, -3600])
def test_a_valid_signature_of_another_time_is_stale_and_not_forged(age):
    assert verdict(VECTORS[1], age=age) is Verdict.stale


@pytest.mark.parametrize("name", ["signature", "nonce", "timestamp", "algorithm"])
def test_every_header_is_needed(name):
    assert verdict(VECTORS[0], **{name: None}) is Verdict.forged


@pytest.mark.parametrize("algorithm", ["HmacSHA1", "none", "HMACSHA256", ""])
def test_another_algorithm_is_refused(algorithm):
    assert verdict(VECTORS[0], algorithm=algorithm) is Verdict.forged


@by_name
def test_signed_bodies_can_be_read(vector):
    report = Report(ReportSource.callback, vector["body"].encode(), NOW)
    assert all(receipt.problem is None for receipt in reports.parse(report))


def test_a_rehearsed_report_is_signed_and_names_its_batch(make_provider):
    provider = make_provider(webhook_secret=[secret("new secret"), secret("old secret")])
    request = provider.rehearse("callback-path-1", NOW)
    assert provider.verify(request, now_seconds=NOW.timestamp()) is Verdict.genuine
    (receipt,) = provider.parse(Report(ReportSource.callback, request.body, NOW))
    assert (receipt.batch_key, receipt.message_id, receipt.problem) == ("callback-path-1", None, None)
    assert make_provider().rehearse("callback-path-1", NOW).headers == {"content-type": "application/json"}
