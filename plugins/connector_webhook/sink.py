"""The sink: one signed post for each event."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlsplit

from cloudevents.core.bindings.http import to_structured
from pydantic_core import to_json
from standardwebhooks.webhooks import Webhook

from connector.extension import CheckResult, DeadLetter, Sink, SinkSettings
from connector.extension.cloud_event import CloudEventJson, cloud_event, type_of
from connector.extension.neutral import told
from connector.http import Http
from connector.model.errors import ConfigurationError, NotTaken, SinkStopped
from connector.model.event import Event
from connector_webhook.settings import WebhookSettings

GONE = 410
REFUSED = (400, 413, 415, 422)
"""What a receiver answers to an event that it will never take."""

SECRET = "whsec_"
SHORTEST_KEY_BYTES = 24
LONGEST_KEY_BYTES = 64

MEND = "Mend the url, or say allow_private_addresses = true."

WAITS_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""The specification's waits between the tries."""


class WebhookSink(Sink):
    """Posts each event to an address, signed by the Standard Webhooks specification.

    A 2xx takes the event; 410 stops the sink, as an address does that leads to where it may not; 400, 413, 415 and 422
    refuse the event; anything else, redirects too, is tried again. Source: the Standard Webhooks specification 1.0, and
    the CloudEvents specification 1.0 (JSON format, structured mode).
    """

    name = "webhook"
    title = "Webhook"
    Settings: ClassVar[type[SinkSettings]] = WebhookSettings
    batch_events: ClassVar[int] = 1
    parallel: ClassVar[int] = 10
    waits_seconds: ClassVar[Sequence[float] | None] = WAITS_SECONDS
    guidance = (
        "You need an address that answers 2xx to what it has stored, and a secret that both sides know: whsec_ and 24 "
        "to 64 random bytes in base64. Libraries of Standard Webhooks check the signature."
    )

    def __init__(self, settings: WebhookSettings, http: Http) -> None:
        self._settings = settings
        parts = urlsplit(settings.url)
        self._path = settings.url.removeprefix(f"{parts.scheme}://{parts.netloc}") or "/"
        self._client = http.client(
            f"{parts.scheme}://{parts.netloc}",
            timeout_seconds=settings.request_timeout_seconds,
            only_public=not settings.allow_private_addresses,
        )

    def deliver(self, events: Sequence[Event]) -> list[DeadLetter]:
        dead = []
        for event in events:
            reason = self._post(event)
            if reason is not None:
                dead.append(DeadLetter(event, reason))
        return dead

    def _post(self, event: Event) -> str | None:
        """Post one event; why the receiver will never take it, or None."""
        headers, body = self._written(event)
        headers = {**headers, **self._signed(event.id, body)}
        try:
            answer = self._client.post_events(self._path, body, headers)
        except SinkStopped as error:
            raise SinkStopped(f"{error} {MEND}") from error
        if 200 <= answer.status < 300:
            return None
        if answer.status == GONE:
            raise SinkStopped("The receiver wants no more events (HTTP 410).")
        if answer.status in REFUSED:
            return f"The receiver refused it (HTTP {answer.status})."
        raise NotTaken(f"The receiver answered HTTP {answer.status}.")

    def _written(self, event: Event) -> tuple[dict[str, str], bytes]:
        settings = self._settings
        if settings.body == "event":
            data = told(event, settings.properties)
            return {}, to_json({"type": type_of(event), "timestamp": event.occurred_at, "data": data})
        message = to_structured(cloud_event(event, settings.properties, settings.source), CloudEventJson())
        return message.headers, message.body

    def _signed(self, event_id: str, body: bytes) -> dict[str, str]:
        """The headers of one attempt, signed with every secret."""
        at = datetime.now(UTC)
        try:
            secrets = [Webhook(_key(secret.recent())) for secret in self._settings.secrets]
        except ConfigurationError as error:
            raise SinkStopped(str(error)) from error
        return {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(secret.sign(event_id, at, body.decode()) for secret in secrets),
        }

    def check(self) -> list[CheckResult]:
        """Nothing can be asked without posting something: the secrets are looked at, and where the address leads."""
        try:
            self._signed("check", b"{}")
        except SinkStopped as error:
            return [CheckResult("secret", False, str(error))]
        return [CheckResult("secret", True, "It can sign."), self._address()]

    def _address(self) -> CheckResult:
        try:
            self._client.look_up()
        except SinkStopped as error:
            return CheckResult("address", False, f"{error} {MEND}")
        except NotTaken as error:
            return CheckResult("address", False, f"{error} Check the url.", reached=False)
        return CheckResult("address", None, "Whether the address takes events can't be tried without posting one.")


def _key(secret: str) -> bytes:
    """What a secret signs with. Raises `SinkStopped` where it isn't as the specification has it."""
    written = secret.removeprefix(SECRET).rstrip("=")
    try:
        key = base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
    except ValueError:
        # What is wrong with it would show some of it.
        raise _wrong("is not in base64") from None
    if not SHORTEST_KEY_BYTES <= len(key) <= LONGEST_KEY_BYTES:
        raise _wrong("is too short" if len(key) < SHORTEST_KEY_BYTES else "is too long")
    return key


def _wrong(what: str) -> SinkStopped:
    return SinkStopped(
        f"A secret of the webhook {what}: Standard Webhooks wants {SHORTEST_KEY_BYTES} to {LONGEST_KEY_BYTES} random "
        f"bytes. Take {SECRET} and what `openssl rand -base64 32` prints, and give it to the receiver as well."
    )
