"""What people write, and what else happens, in the simulated Conversation API. Source: its page "Callbacks"."""

import random
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from connector_sinch.conversation.simulator_apps import App, Apps, Trigger
from connector_sinch.conversation.simulator_callbacks import Callbacks, stamp
from connector_sinch.conversation.simulator_consents import Consents
from connector_sinch.conversation.simulator_contacts import APP_SCOPED
from connector_sinch.conversation.simulator_messages import CONVERSATION, DISPATCH, TO_APP, Kept, Message, Messages
from connector_sinch.conversation.simulator_options import Channel, ConversationOptions
from connector_sinch.conversation.simulator_recipients import Recipients
from connector_sinch.conversation.simulator_request import Identity, Request, invalid, read_object
from connector_sinch.conversation.simulator_sessions import Sessions
from connector_sinch.ulid import new_ulid

OWN_NUMBER = "12015550100"
"""The app's number, where people write to who answer no number."""
STOP, START = ("STOP", "UNSUBSCRIBE"), ("START", "UNSTOP")


class Written(Request):
    """What somebody is to write, or do."""

    sender: Annotated[str, Field(alias="from", min_length=1)]
    body: str = ""
    """A text; or one of the next three."""
    contact_message: dict[str, Any] | None = None
    contact_event: dict[str, Any] | None = None
    contact_message_event: dict[str, Any] | None = None
    channel: Channel | None = None
    """Without it where the last message to them went."""
    app_id: str | None = None
    to: str | None = None
    reply_to: str | None = None
    """The message that they answer."""
    postback: str | None = None
    """They choose this of what the last message offered them."""


class Happening(Request):
    """Anything that is called back, as it is."""

    trigger: Trigger
    payload: dict[str, Any]
    app_id: str | None = None


class Inbounds:
    """Takes what people write, and calls it back."""

    def __init__(
        self,
        options: ConversationOptions,
        dice: random.Random,
        apps: Apps,
        callbacks: Callbacks,
        consents: Consents,
        messages: Messages,
        recipients: Recipients,
        sessions: Sessions,
    ) -> None:
        self._options = options
        self._dice = dice
        self._apps = apps
        self._callbacks = callbacks
        self._consents = consents
        self._messages = messages
        self._recipients = recipients
        self._sessions = sessions

    def receive(self, content: dict[str, Any]) -> dict[str, Any]:
        """What was told to happen, as it was called back. Raises `Problem`."""
        if "trigger" in content:
            happening = read_object(Happening, content)
            app = self._apps.by_id(happening.app_id or self._options.app_id)
            self._callbacks.tell(app, happening.trigger, happening.payload)
            return {"trigger": happening.trigger, "payload": happening.payload}
        written = read_object(Written, content)
        last = self._sessions.last_sent(written.sender)
        app = self._apps.by_id(written.app_id or (last[0].app.id if last else self._options.app_id))
        identity = self._identity(app, written, last[1] if last else None)
        now = datetime.now(UTC)
        self._sessions.written(app.id, identity, now)
        to = written.to or (last[0].request.channel_properties.get("SMS_SENDER") if last else None) or OWN_NUMBER
        about = self._about(app, identity, now)
        metadata, correlation_id = self._recipients.remembered(app, identity)
        trigger, shown = self._shown(written, about, to, last[0] if last else None)
        self._callbacks.tell(app, trigger, shown, accepted_at=now, metadata=metadata, correlation_id=correlation_id)
        self._keep(app, shown, identity, now)
        self._obey(app, identity, written.body)
        return {
            "from": identity.identity,
            "to": to,
            "body": written.body,
            "channel": identity.channel,
            "id": shown["id"],
        }

    @staticmethod
    def _identity(app: App, written: Written, last: Identity | None) -> Identity:
        channel = written.channel or (last.channel if last else None) or app.channels[0]
        if channel not in app.channels:
            raise invalid(f"channel: the app has no {channel}.")
        scoped = app.id if channel in APP_SCOPED else ""
        return Identity.model_validate(
            {"channel": channel, "identity": written.sender.removeprefix("+"), "app_id": scoped}
        )

    def _about(self, app: App, identity: Identity, now: datetime) -> dict[str, Any]:
        contact_id = conversation_id = ""
        if not app.dispatches:
            contact, conversation = self._recipients.written(app, identity, now)
            contact_id, conversation_id = contact.id, conversation.id
        return {
            "id": new_ulid(self._dice),
            "direction": TO_APP,
            "channel_identity": identity.shown(),
            "conversation_id": conversation_id,
            "contact_id": contact_id,
            "accept_time": stamp(now),
            "processing_mode": DISPATCH if app.dispatches else CONVERSATION,
        }

    @staticmethod
    def _shown(written: Written, about: dict[str, Any], to: str, last: Message | None) -> tuple[str, dict[str, Any]]:
        """The trigger, and its payload."""
        for name in ("contact_event", "contact_message_event"):
            if (event := getattr(written, name)) is not None:
                return "EVENT_INBOUND", {**about, name: event}
        message: dict[str, Any]
        metadata = ""
        if written.postback is not None:
            if last is None:
                raise invalid("postback: nothing was sent to them that they could choose from.")
            answered = written.reply_to or last.id
            message = {"choice_response_message": {"message_id": answered, "postback_data": written.postback}}
            metadata = last.metadata if answered == last.id else ""
        elif written.contact_message is not None:
            message = dict(written.contact_message)
        else:
            message = {"text_message": {"text": written.body}}
        if written.reply_to is not None:
            message["reply_to"] = {"message_id": written.reply_to}
        return "MESSAGE_INBOUND", {
            **about,
            "contact_message": message,
            "metadata": metadata,
            "sender_id": to,
            "injected": False,
        }

    def _keep(self, app: App, shown: dict[str, Any], identity: Identity, now: datetime) -> None:
        mode = shown["processing_mode"]
        if "contact_message" in shown and self._messages.keeps(app, mode):
            self._messages.keep(
                Kept(
                    id=shown["id"],
                    app_id=app.id,
                    direction=TO_APP,
                    content={"contact_message": shown["contact_message"]},
                    identity=identity,
                    conversation_id=shown["conversation_id"],
                    contact_id=shown["contact_id"],
                    metadata=shown["metadata"],
                    accepted_at=now,
                    mode=mode,
                    sender_id=shown["sender_id"],
                )
            )

    def _obey(self, app: App, identity: Identity, text: str) -> None:
        """Who writes STOP is on the list of those who opted out, until they write START."""
        if not self._options.consent_management:
            return
        word = text.strip().upper()
        if word in STOP:
            self._consents.add(app.id, "OPT_OUT_ALL", identity.identity, "ORIGIN_MO")
        elif word in START:
            self._consents.remove(app.id, "OPT_OUT_ALL", identity.identity, "ORIGIN_MO")
