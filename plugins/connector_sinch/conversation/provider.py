"""The Sinch Conversation API as a provider: campaigns by the Batch API, single messages by messages:send."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from connector.extension import CheckResult, Integration, Offer, Provider
from connector.http import AnswerLost, Http, NoToken
from connector.model.batch import Batch
from connector.model.callback import Request, Verdict
from connector.model.campaign import Message as CampaignMessage
from connector.model.errors import ReadFailed, Stopped
from connector.model.limits import Limits
from connector.model.outcome import DryRun, Found, FoundState, InDoubt, Outcome, Refused
from connector.model.report import Receipt, Report
from connector.model.session import SessionRule
from connector_sinch import senders
from connector_sinch.conversation import (
    addresses,
    callbacks,
    checking,
    guidance,
    looking,
    offering,
    outages,
    refusals,
    reports,
    screening,
    sessions,
)
from connector_sinch.conversation.calling_back import CallingBack
from connector_sinch.conversation.codes import CODES
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.messages import ConversationMessage, counted_text
from connector_sinch.conversation.request import (
    batch_body,
    by_single_request,
    channels_used,
    goes_alone,
    single_body,
    transcode_body,
)
from connector_sinch.conversation.resources import Project
from connector_sinch.conversation.settings import ConversationSettings
from connector_sinch.signature import with_secrets

PROJECT_REQUESTS_PER_SECOND = 800.0


class SinchConversation(Provider):
    """The Conversation API: one message over the channels of an app, to up to 1,000 recipients a request."""

    name: ClassVar[str] = "sinch-conversation"
    title: ClassVar[str] = "Sinch Conversation"
    Settings = ConversationSettings
    Message = ConversationMessage
    limits = Limits(batch_recipients=1000, schedules=True, requests_per_second=PROJECT_REQUESTS_PER_SECOND)
    codes = CODES
    guidance = guidance.GUIDANCE
    offers: ClassVar[tuple[str, ...]] = (offering.APP,)
    declines: ClassVar[dict[str, str]] = {
        "poll": "the API has no delivery status to ask for: reports come by callback alone",
    }

    def __init__(self, integration: Integration, http: Http) -> None:
        self._settings: ConversationSettings = integration.settings
        self._connection = Connection(integration, http)

    @property
    def account(self) -> str:
        return f"{self.name}:{self._settings.app_id}"

    # Campaigns

    def limits_of(self, message: CampaignMessage) -> Limits:
        """A message that the Batch API doesn't take goes in a request of its own, without a time to send at."""
        if goes_alone(message.model_extra or {}, self._settings):
            return replace(self.limits, batch_recipients=1, schedules=False)
        return self.limits

    def text_of(self, message: CampaignMessage) -> str | None:
        return counted_text(message)

    def address_of(self, written: str) -> str | None:
        return addresses.address_of(written)

    def identities_of(self, written: str) -> Sequence[str]:
        return addresses.identities_of(written, self._settings.app_id)

    def session_of(self, message: CampaignMessage) -> SessionRule | None:
        return sessions.rule_of(message)

    def channels_of(self, batch: Batch) -> Collection[str] | None:
        return channels_used(batch)

    def failing(self) -> dict[str, str]:
        """The app's channels that are FAILING, with Sinch's description. Raises `ReadFailed`."""
        return outages.failing(Project(self._connection).apps.get(self._settings.app_id))

    def screen_recipients(
        self, message: CampaignMessage
    ) -> Callable[[str, Sequence[str], Mapping[str, str]], str | None] | None:
        """Who is on no channel that the campaign names, and values that make a field too long."""
        return screening.unfit(message)

    def screen_sender(self, sender: str) -> str | None:
        """As SMS has it: other channels have their sender in the app."""
        return senders.what_is_wrong(sender)

    # Sending

    def send(self, batch: Batch) -> Outcome:
        """Post one batch, once: to the Batch API, or a single message to messages:send.

        Raises `NotReached` when the request did not leave, `Throttled` for 429, also from the host that gives the
        tokens, and `Stopped` when a secret can't be read.
        """
        connection, alone = self._connection, by_single_request(batch, self._settings)
        if alone and batch.size > 1:
            raise Stopped(
                "The campaign was planned before consent_management was set for this integration, in batches that "
                "can't say what kind of message they are. Take the setting back, then resume."
            )
        client = connection.api if alone else connection.batches
        path = connection.path("messages:send" if alone else "messages")
        body = single_body(batch, self._settings) if alone else batch_body(batch, self._settings)
        try:
            answer = client.post_once(path, body, before_write=batch.attempt.deadline.check)
        except NoToken as error:
            if error.http_status is None:
                raise
            return refusals.without_token(error)
        except AnswerLost as error:
            return InDoubt(str(error))
        return refusals.outcome_of(answer, batch, alone=alone, now=batch.attempt.deadline.clock())

    def dry_run(self, batch: Batch) -> DryRun | Refused:
        """Let the API translate the first message for each channel. It counts no parts. Raises `ReadFailed`."""
        answer = self._connection.api.post_repeatable(
            self._connection.path("messages:transcode"), transcode_body(batch, self._settings)
        )
        if answer.status >= 300:
            return refusals.refusal_of(answer, batch, alone=True)
        said = answer.json()
        transcoded = said.get("transcoded_message") if isinstance(said, dict) else None
        if not isinstance(transcoded, dict):
            raise ReadFailed(f"The API's answer to the dry run can't be read (HTTP {answer.status}).")
        return DryRun(batch.size, None, {str(channel): str(message) for channel, message in transcoded.items()})

    # Looking up

    def find(self, batch: Batch) -> Found:
        """Look for batches that carry our key; what may have been sent alone can't be said to be absent."""
        try:
            return looking.find(self._connection, batch, alone=by_single_request(batch, self._settings))
        except ReadFailed as error:
            return Found(FoundState.cannot_tell, cause=str(error))

    def lists(self, batch: Batch) -> bool:
        """What messages:send carries is in no list."""
        return not by_single_request(batch, self._settings)

    def cancel(self, provider_batch_id: str) -> bool:
        """Only what waits for its time can be cancelled. Raises `ReadFailed`."""
        return looking.cancel(self._connection, provider_batch_id)

    def inbound(self, since: datetime) -> Iterator[Report]:
        """What people wrote to the app, as far as the app's retention keeps it. Raises `ReadFailed`."""
        return looking.inbound(self._connection, since)

    # Receiving

    def verify(self, request: Request, *, now_seconds: float) -> Verdict:
        """By the signature. Raises `ConfigurationError` when a secret can't be read."""
        secrets = self._settings.webhook_secrets
        return with_secrets(
            lambda value_of: callbacks.verify(
                request, [value_of(secret) for secret in secrets], now_seconds=now_seconds
            )
        )

    def rehearse(self, batch_key: str, now: datetime) -> Request:
        """Raises `ConfigurationError` when a secret can't be read."""
        return callbacks.rehearse(self._settings, batch_key, now)

    def parse(self, report: Report) -> list[Receipt]:
        return reports.parse(report)

    # Setting up

    @staticmethod
    def offer(key: str, settings: Mapping[str, Any], http: Http) -> Offer:
        """The project's apps."""
        return offering.offer(settings, http)

    @staticmethod
    def make(key: str, answers: Mapping[str, str], settings: Mapping[str, Any], http: Http) -> str:
        """A new app, with the channels that were chosen."""
        return offering.make(answers, settings, http)

    def pace(self) -> float | None:
        """What the app sends on in a second, by its rate limits. Raises any `ConnectorError`."""
        return Project(self._connection).apps.get(self._settings.app_id).rate_limits.outbound

    def call_back(self, address: str, *, mend: bool) -> list[CheckResult]:
        """The app's webhook for this address, and what signs the callbacks of messages."""
        secrets = self._settings.webhook_secrets
        # During a change the new one stands first.
        secret = secrets[0].value() if secrets else None
        return CallingBack(Project(self._connection), self._settings.app_id, address, secret).check(mend=mend)

    def check(self) -> list[CheckResult]:
        return checking.check(self._connection)
