"""What the tests of the Sinch SMS plugin share."""

from datetime import UTC, datetime, timedelta
from typing import Any

from connector.extension import Secret
from connector.model.batch import Attempt, Batch, Deadline
from connector.model.text import Template

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PLAN = "plan-of-tests"
TOKEN = "token-of-tests"
PROJECT = "project-of-tests"
KEY = "key-of-tests"
KEY_SECRET = "key-secret-of-tests"
TOKENS = "/oauth2/token"
NUMBERS = ["12015550101", "12015550102", "447700900123", "46701740605"]


def secret(value: str) -> Secret:
    return Secret("env:OF_TESTS", lambda reference: value)


OF_PROJECT: dict[str, Any] = {
    "service_plan_id": None,
    "api_token": None,
    "project_id": PROJECT,
    "key_id": KEY,
    "key_secret": secret(KEY_SECRET),
}
"""Settings that sign in by an access key."""


def make_batch(
    text: str = "Hello",
    rows: list[tuple[str | None, ...]] | None = None,
    *,
    recipients: list[str] | None = None,
    defaults: dict[str, str] | None = None,
    sender: str | None = "Shop",
    key: str = "d1-0-0",
    provider_batch_id: str | None = None,
    now: datetime = NOW,
    **attempt: Any,
) -> Batch:
    recipients = recipients or NUMBERS[: len(rows) if rows else 2]
    deadline = Deadline(now + timedelta(seconds=30), 30.0, clock=lambda: now, monotonic=lambda: 0.0)
    return Batch(
        key=key,
        sender=sender,
        template=Template.read(text),
        defaults=defaults or {},
        max_parts=3,
        recipients=recipients,
        values=rows or [()] * len(recipients),
        attempt=Attempt(1, deadline, **attempt),
        first_sent_at=now,
        provider_batch_id=provider_batch_id,
    )
