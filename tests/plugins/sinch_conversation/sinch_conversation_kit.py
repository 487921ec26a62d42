"""What the tests of the Conversation plugin's sending side share."""

from datetime import UTC, datetime, timedelta
from typing import Any

from answering_api import Api

from connector.extension import Secret
from connector.model.batch import Attempt, Batch, Deadline
from connector.model.campaign import Message
from connector.model.text import Template

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PROJECT, APP = "project-of-tests", "01JTESTAPP0000000000000000"
KEY, KEY_SECRET = "key-of-tests", "key-secret-of-tests"
TOKENS = "/oauth2/token"
ROOT = f"/v1/projects/{PROJECT}"
MESSAGES = f"{ROOT}/messages"
SEND = f"{ROOT}/messages:send"
TRANSCODE = f"{ROOT}/messages:transcode"
APPS = f"{ROOT}/apps/{APP}"
WEBHOOKS = f"{APPS}/webhooks"
NUMBERS = ["12015550101", "12015550102", "61491570156", "46701740605"]
TOKEN = {"access_token": "token-of-tests", "expires_in": 3599, "token_type": "bearer"}


def secret(value: str) -> Secret:
    return Secret("env:OF_TESTS", lambda reference: value)


def settings(api: Api, **more: Any) -> dict[str, Any]:
    """An integration's table, with names for its secrets."""
    return {
        "provider": "sinch-conversation",
        "project_id": PROJECT,
        "app_id": APP,
        "region": "eu",
        "key_id": KEY,
        "key_secret": "key-secret",
        "base_url": api.url,
        "auth_url": api.url,
        **more,
    }


def make_batch(
    message: dict[str, Any] | None = None,
    rows: list[dict[str, str]] | None = None,
    *,
    recipients: list[str] | None = None,
    identities: list[tuple[str, ...]] | None = None,
    sender: str | None = "Shop",
    key: str = "d1-0-0",
    own_texts: bool = False,
    transactional: bool = False,
    prompt: bool = False,
    **attempt: Any,
) -> Batch:
    given = Message.model_validate(message or {"text": "Hello"})
    recipients = recipients or NUMBERS[: len(rows) if rows else 2]
    text = "${text}" if own_texts else given.text or ""
    template = Template.read(text, given.parameters_beside(text))
    deadline = Deadline(NOW + timedelta(seconds=30), 30.0, clock=lambda: NOW, monotonic=lambda: 0.0)
    return Batch(
        key=key,
        sender=sender,
        template=template,
        defaults=given.defaults,
        max_parts=3,
        recipients=recipients,
        values=[[row.get(name) for name in template.names] for row in rows or [{}] * len(recipients)],
        attempt=Attempt(1, deadline, **attempt),
        first_sent_at=NOW,
        message=given.model_dump(exclude_none=True),
        own_texts=own_texts,
        transactional=transactional,
        prompt=prompt,
        identities=identities or (),
        message_ids=[f"d1-{place}" for place in range(len(recipients))],
    )
