"""The Sinch Conversation API as a provider: campaigns by the Batch API, single messages by messages:send."""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from connector.extension import CheckResult, Integration, Provider, Secret
from connector.http import AnswerLost, Http
from connector.model.batch import Batch
from connector.model.callback import Request, Verdict
from connector.model.limits import Limits
from connector.model.outcome import Accepted, Found, FoundState, InDoubt, Outcome, Refused, Scope
from connector.model.report import Receipt, Report
from connector_sinch.conversation import callbacks, reports
from connector_sinch.conversation.codes import CODES
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.request import batch_body
from connector_sinch.conversation.settings import ConversationSettings


class SinchConversation(Provider):
    """The Conversation API: one message over the channels of an app, to up to 1,000 recipients a request."""

    name: ClassVar[str] = "sinch-conversation"
    title: ClassVar[str] = "Sinch Conversation"
    Settings = ConversationSettings
    limits = Limits(batch_recipients=1000, schedules=True)
    codes = CODES
    declines: ClassVar[dict[str, str]] = {
        "poll": "the API has no delivery status to ask for: reports come by callback only",
        "inbound": "not asked for",
        "cancel": "not written",
    }

    def __init__(self, integration: Integration, http: Http) -> None:
        self._settings: ConversationSettings = integration.settings
        self._connection = Connection(integration, http)

    @property
    def account(self) -> str:
        return f"{self.name}:{self._settings.app_id}"

    def send(self, batch: Batch) -> Outcome:
        connection = self._connection
        try:
            answer = connection.batches.post_once(
                connection.path("messages"),
                batch_body(batch, self._settings),
                before_write=batch.attempt.deadline.check,
            )
        except AnswerLost as error:
            return InDoubt(str(error))
        said = answer.json()
        if answer.status == 200 and isinstance(said, dict) and isinstance(said.get("batch_id"), str):
            return Accepted(said["batch_id"])
        if 400 <= answer.status < 500:
            return Refused(Scope.unknown, answer.status)
        return InDoubt(f"The API answered HTTP {answer.status}.")

    def find(self, batch: Batch) -> Found:
        return Found(FoundState.cannot_tell, cause="no look-up yet")

    def verify(self, request: Request, *, now_seconds: float) -> Verdict:
        """By the signature; a secret may have been changed a moment ago, and what is answered 401 may never come again.

        Raises `ConfigurationError` when a secret can't be read.
        """
        verdict = self._verdict(request, now_seconds, Secret.recent)
        return self._verdict(request, now_seconds, Secret.value) if verdict is Verdict.forged else verdict

    def _verdict(self, request: Request, now_seconds: float, value_of: Callable[[Secret], str]) -> Verdict:
        held = [value_of(secret) for secret in self._settings.webhook_secrets]
        return callbacks.verify(request, held, now_seconds=now_seconds)

    def rehearse(self, batch_key: str, now: datetime) -> Request:
        """Raises `ConfigurationError` when a secret can't be read."""
        return callbacks.rehearse(self._settings, batch_key, now)

    def parse(self, report: Report) -> list[Receipt]:
        return reports.parse(report)

    def check(self) -> list[CheckResult]:
        return []
