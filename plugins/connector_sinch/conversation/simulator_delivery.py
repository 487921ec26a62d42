"""What becomes of messages in the simulated Conversation API: channels, fallback, reports.

Source: the Conversation API's pages "Message status", "Fallback" and "Delivery report", and its schema `ReasonCode`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from connector.model.parts import count_parts
from connector_sinch.conversation.simulator_apps import Apps
from connector_sinch.conversation.simulator_callbacks import Callbacks
from connector_sinch.conversation.simulator_consents import Consents
from connector_sinch.conversation.simulator_messages import Message
from connector_sinch.conversation.simulator_options import DELIVERED, FAILED, QUEUED, READ, Outcome
from connector_sinch.conversation.simulator_request import BY_NUMBER, Identity
from connector_sinch.conversation.simulator_sessions import Sessions
from connector_sinch.conversation.simulator_templates import Template, Templates
from connector_sinch.conversation.simulator_transcoding import text_lines

SWITCHING = "SWITCHING_CHANNEL"
WITHOUT_READ = ("SMS", "MMS")
"""Channels that never say that a message was read."""

_NUMBER = re.compile(r"\+?[1-9]\d{6,14}")


class Reason(NamedTuple):
    """Why a message failed on a channel."""

    code: str
    description: str


class Delivery:
    """Takes messages over their channels, and reports on them.

    `outcome` says what becomes of a message by channel and number; `later` does something in so many seconds.
    """

    def __init__(
        self,
        apps: Apps,
        callbacks: Callbacks,
        consents: Consents | None,
        templates: Templates,
        sessions: Sessions,
        *,
        outcome: Callable[[str, str], Outcome],
        later: Callable[[float, Callable[[], None]], None],
        report_delay_seconds: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._apps = apps
        self._callbacks = callbacks
        self._consents = consents
        self._templates = templates
        self._sessions = sessions
        self._outcome = outcome
        self._later = later
        self._report_delay_seconds = report_delay_seconds
        self._clock = clock

    def take(self, messages: list[Message]) -> None:
        """Messages whose turn has come."""
        self._settle([message for message in messages if self._start(message, 0)], 0)

    def _settle(self, messages: list[Message], place: int) -> None:
        """Let those on the channel at this place of their order come to an end there."""
        if not messages:
            return
        if self._report_delay_seconds:
            self._later(self._report_delay_seconds, partial(self._finish_all, messages, place))
        else:
            self._finish_all(messages, place)

    def _finish_all(self, messages: list[Message], place: int) -> None:
        for message in messages:
            self._finish(message, place)

    def _start(self, message: Message, place: int) -> bool:
        """Hand a message to a channel; False: it didn't get that far, and has come to another one or to its end."""
        now = self._clock()
        if not message.identities:
            self._report_nowhere(message)
            return False
        identity = message.identities[place]
        reason = self._expired(message, now) or self._obstacle(message, identity, now)
        if reason is not None:
            self._fail(message, place, reason)
            return False
        self._sessions.sent(message, identity)
        self._submit(message, identity)
        self._report(message, identity, QUEUED)
        return True

    def _finish(self, message: Message, place: int) -> None:
        identity = message.identities[place]
        outcome = self._outcome(identity.channel, identity.identity.removeprefix("+"))
        if outcome.status == FAILED:
            described = f"The underlying channel reported: {outcome.reason.lower().replace('_', ' ')}"
            self._fail(message, place, Reason(outcome.reason, described))
        elif outcome.status in (DELIVERED, READ):
            self._report(message, identity, DELIVERED)
            if outcome.status == READ and identity.channel not in WITHOUT_READ:
                self._report(message, identity, READ)
        else:
            self._wait_for_report(message, place)

    def _wait_for_report(self, message: Message, place: int) -> None:
        """Nothing is heard of it any more; an app may try the next channel after a while."""
        fallback = message.app.fields.delivery_report_based_fallback
        if fallback.enabled and place + 1 < len(message.identities):
            reason = Reason("DELIVERY_REPORT_TIME_OUT", "No delivery report came in time.")
            self._later(fallback.delivery_report_waiting_time, partial(self._fail, message, place, reason))

    def _fail(self, message: Message, place: int, reason: Reason) -> None:
        identity = message.identities[place]
        if place + 1 == len(message.identities) or self._expired(message, self._clock()):
            self._report(message, identity, FAILED, reason)
            return
        self._report(message, identity, SWITCHING, reason)
        if self._start(message, place + 1):
            self._settle([message], place + 1)

    # What is in the way

    @staticmethod
    def _expired(message: Message, now: datetime) -> Reason | None:
        ttl_seconds = message.request.ttl_seconds
        if ttl_seconds is None or now < message.accepted_at + timedelta(seconds=ttl_seconds):
            return None
        return Reason("DELIVERY_TIMED_OUT", "The message's time to live ended before it was sent.")

    def _obstacle(self, message: Message, identity: Identity, now: datetime) -> Reason | None:
        """Why a channel doesn't take a message."""
        app, channel = message.app, identity.channel
        if app not in self._apps:
            return Reason("UNKNOWN_APP", "The app was deleted.")
        if message.missing:
            return Reason("BAD_REQUEST", f"There is no value for the parameter {min(message.missing)}.")
        if channel not in app.channels:
            return Reason("CHANNEL_CONFIGURATION_MISSING", f"The app has no {channel}.")
        status, description = self._apps.state_of(app, channel)
        if status != "ACTIVE":
            return Reason("CHANNEL_BAD_CONFIGURATION", description)
        if channel in BY_NUMBER and not _NUMBER.fullmatch(identity.identity):
            return Reason("RECIPIENT_INVALID_CHANNEL_IDENTITY", "The identity is no phone number.")
        if self._consents is not None and self._consents.blocks(
            app.id, message.content_type, (identity.identity, message.contact_id)
        ):
            return Reason("RECIPIENT_NOT_OPTED_IN", "The recipient has opted out.")
        if channel == "MMS" and not message.request.channel_properties.get("MMS_SENDER"):
            return Reason("BAD_REQUEST", "MMS needs the channel property MMS_SENDER.")
        return self._template_obstacle(message, channel) or self._channel_obstacle(message, identity, now)

    def _channel_obstacle(self, message: Message, identity: Identity, now: datetime) -> Reason | None:
        if (
            identity.channel == "WHATSAPP"
            and not self._is_template(message, "WHATSAPP")
            and not self._sessions.is_open(message.app.id, identity, now)
        ):
            return Reason(
                "OUTSIDE_ALLOWED_SENDING_WINDOW",
                "The underlying channel reported: Message failed to send because more than 24 hours have passed "
                "since the customer last replied to this number",
            )
        most = message.request.channel_properties.get("SMS_MAX_NUMBER_OF_MESSAGE_PARTS", "")
        if identity.channel == "SMS" and most.isdecimal():
            own = message.content.get("explicit_channel_omni_message", {}).get("SMS") or message.content
            if count_parts("\n".join(text_lines(own))) > int(most):
                return Reason("CHANNEL_REJECT", f"The message takes more than {most} parts.")
        return None

    def _template_obstacle(self, message: Message, channel: str) -> Reason | None:
        template_message = message.content.get("template_message")
        if template_message is None or _instead(message, channel) is not None:
            return None
        if (template_message.get("channel_template") or {}).get(channel):
            return None
        omni = template_message.get("omni_template")
        template = None if omni is None else self._templates.get(omni["template_id"])
        if omni is None or template is None:
            return Reason("TEMPLATE_NOT_FOUND", f"There is no template for {channel}.")
        wanted = omni.get("language_code") or template.fields.default_translation
        found = template.translations(wanted, str(omni["version"]))
        if not found:
            return Reason("TEMPLATE_NON_EXISTING_LANGUAGE_OR_VERSION", f"The template has no such version in {wanted}.")
        given = omni.get("parameters") or {}
        lacking = [each["key"] for each in found[0]["variables"] if each["key"] not in given]
        if lacking:
            return Reason("TEMPLATE_INSUFFICIENT_PARAMETERS", f"There is no value for {lacking[0]}.")
        return None

    def _is_template(self, message: Message, channel: str) -> bool:
        """Whether a message is one of the channel's own templates there."""
        instead = _instead(message, channel)
        if instead is not None:
            return isinstance(instead, str) and '"template"' in instead
        template_message = message.content.get("template_message") or {}
        if (template_message.get("channel_template") or {}).get(channel):
            return True
        omni = template_message.get("omni_template") or {}
        template: Template | None = self._templates.get(omni.get("template_id", ""))
        return template is not None and any(
            channel in each["channel_template_overrides"] for each in template.translations(omni.get("language_code"))
        )

    # Reports

    def _submit(self, message: Message, identity: Identity) -> None:
        about = {**message.about(identity), "submitted_message": message.content}
        self._callbacks.tell(
            message.app,
            "MESSAGE_SUBMIT",
            about,
            accepted_at=message.accepted_at,
            metadata=message.conversation_metadata,
            correlation_id=message.correlation_id,
        )

    def _report(self, message: Message, identity: Identity, status: str, reason: Reason | None = None) -> None:
        report = {**message.about(identity), "status": status}
        if reason is not None:
            report["reason"] = {
                "code": reason.code,
                "description": reason.description,
                "sub_code": "UNSPECIFIED_SUB_CODE",
                "channel_code": "",
            }
        self._callbacks.tell(
            message.app,
            "MESSAGE_DELIVERY",
            report,
            accepted_at=message.accepted_at,
            callback_url=message.request.callback_url,
            metadata=message.conversation_metadata,
            correlation_id=message.correlation_id,
        )

    def _report_nowhere(self, message: Message) -> None:
        nobody = Identity.model_construct(channel="SMS", identity="", app_id="")
        reason = Reason("NO_CHANNEL_IDENTITY_FOR_CONTACT", "The recipient has no identity on any of the channels.")
        self._report(message, nobody, FAILED, reason)


def _instead(message: Message, channel: str) -> Any:
    """What a message has for a channel in place of its content; None where it has nothing."""
    for name in ("explicit_channel_message", "explicit_channel_omni_message", "channel_specific_message"):
        if (own := message.content.get(name, {}).get(channel)) is not None:
            return own
    return None
