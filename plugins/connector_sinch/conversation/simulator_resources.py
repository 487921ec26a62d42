"""What belongs to a project of the simulated Conversation API: apps, webhooks, contacts, conversations and the rest.

Source: the Conversation API's reference, page by page, and the one of the Template Management API.
"""

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from connector.http import Answer
from connector.simulator.service import Call, json_answer
from connector_sinch.conversation.simulator_apps import App, AppFields, Apps, NewApp, NewWebhook, WebhookFields
from connector_sinch.conversation.simulator_callbacks import Callbacks, stamp
from connector_sinch.conversation.simulator_consents import LISTS, Consents, NewConsents
from connector_sinch.conversation.simulator_contacts import (
    Contact,
    ContactFields,
    ContactIds,
    Contacts,
    Merge,
    NewContact,
    NewContacts,
)
from connector_sinch.conversation.simulator_conversations import (
    Conversation,
    ConversationFields,
    Conversations,
    InjectedEvent,
    InjectedMessage,
    NewConversation,
)
from connector_sinch.conversation.simulator_listing import PAGED, Shown, page, read_query
from connector_sinch.conversation.simulator_messages import (
    TO_CONTACT,
    Kept,
    LastMessages,
    Messages,
    MetadataUpdate,
)
from connector_sinch.conversation.simulator_options import CHANNELS, Channel, ConversationOptions
from connector_sinch.conversation.simulator_recipients import Recipients
from connector_sinch.conversation.simulator_request import (
    NOT_FOUND,
    AppId,
    Identity,
    Metadata,
    Problem,
    Recipient,
    Request,
    Url,
    invalid,
    read,
)
from connector_sinch.conversation.simulator_templates import TemplateFields, Templates
from connector_sinch.conversation.simulator_transcoding import Transcode, transcode
from connector_sinch.ulid import new_ulid

MAX_MESSAGES, MAX_CONTACTS, MAX_CONVERSATIONS, MAX_RECENT, MAX_EVENTS, MAX_CONSENTS = 1000, 20, 20, 50, 20, 50
OLDEST_INJECTED = timedelta(days=30)

SOURCES = ("CONVERSATION_SOURCE", "DISPATCH_SOURCE")
LISTED_MESSAGES: Mapping[str, str | tuple[str, ...]] = {
    **PAGED,
    "conversation_id": "text",
    "contact_id": "text",
    "app_id": "text",
    "channel_identity": "text",
    "channel": CHANNELS,
    "direction": ("TO_APP", "TO_CONTACT"),
    "start_time": "time",
    "end_time": "time",
    "view": ("WITH_METADATA", "WITHOUT_METADATA"),
    "messages_source": SOURCES,
    "only_recipient_originated": "boolean",
}


class Event(Request):
    """What an app tells a person beside messages: one kind."""

    composing_event: dict[str, Any] | None = None
    composing_end_event: dict[str, Any] | None = None
    read_message_event: dict[str, Any] | None = None
    comment_reply_event: dict[str, Any] | None = None
    agent_joined_event: dict[str, Any] | None = None
    agent_left_event: dict[str, Any] | None = None
    generic_event: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Event":
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("must be exactly one kind of event")
        return self


class EventRequest(Request):
    app_id: AppId
    recipient: Recipient
    event: Event
    callback_url: Url | None = None
    channel_priority_order: Annotated[list[Channel], Field(max_length=1)] | None = None
    event_metadata: Metadata = ""
    queue: Literal["NORMAL_PRIORITY", "HIGH_PRIORITY"] = "NORMAL_PRIORITY"


class Capability(Request):
    app_id: AppId
    recipient: Recipient
    request_id: str | None = None


class ChannelProfile(Request):
    app_id: AppId
    recipient: Recipient
    channel: Literal["MESSENGER", "INSTAGRAM", "VIBER", "LINE"]


class ContactSettings(Request):
    unified_contact_id_enabled: bool = False


class Settings(Request):
    contact_settings: ContactSettings = Field(default_factory=ContactSettings)


class Resources:
    """Answers requests about them. What is wrong with one raises `Problem`."""

    def __init__(
        self,
        dice: random.Random,
        options: ConversationOptions,
        apps: Apps,
        callbacks: Callbacks,
        consents: Consents,
        contacts: Contacts,
        conversations: Conversations,
        messages: Messages,
        templates: Templates,
        recipients: Recipients,
        *,
        shown: Shown,
    ) -> None:
        self._dice = dice
        self._options = options
        self._apps = apps
        self._callbacks = callbacks
        self._consents = consents
        self._contacts = contacts
        self._conversations = conversations
        self._messages = messages
        self._templates = templates
        self._recipients = recipients
        self._shown = shown
        self._events: dict[str, dict[str, Any]] = {}

    def answer(self, call: Call, path: list[str]) -> Answer:
        """Answer a request to a path under the project."""
        name, colon, action = path[-1].partition(":")
        area, rest = path[0].partition(":")[0], [*path[1:-1], name] if len(path) > 1 else []
        answers = {
            "apps": self._about_apps,
            "webhooks": self._about_webhooks,
            "messages": self._about_messages,
            "contacts": self._about_contacts,
            "conversations": self._about_conversations,
            "consents": self._about_consents,
            "events": self._about_events,
            "capability": self._about_capability,
            "settings": self._about_settings,
        }
        if area not in answers:
            raise Problem(404, NOT_FOUND, "There is no such path.")
        return answers[area](call, rest, action if colon else "")

    # Apps and webhooks

    def _about_apps(self, call: Call, path: list[str], action: str) -> Answer:
        match call.method, path, action:
            case "GET", [], "":
                return json_answer(200, {"apps": [self._apps.as_answered(app) for app in self._apps.all()]})
            case "POST", [], "":
                return json_answer(200, self._apps.as_answered(self._apps.create(read(NewApp, call))))
            case "GET", [app_id], "":
                return json_answer(200, self._apps.as_answered(self._apps.by_id(app_id)))
            case "PATCH", [app_id], "":
                app = self._apps.by_id(app_id)
                self._apps.update(app, read(AppFields, call), _mask(call))
                return json_answer(200, self._apps.as_answered(app))
            case "DELETE", [app_id], "":
                self._apps.delete(self._apps.by_id(app_id))
                return json_answer(200, {})
            case "GET", [app_id, "webhooks"], "":
                webhooks = self._apps.by_id(app_id).webhooks.values()
                return json_answer(200, {"webhooks": [webhook.as_answered() for webhook in webhooks]})
            case "GET", [app_id, "consents", "identities", identity], "":
                records = self._consents.records(self._apps.by_id(app_id).id, identity)
                return json_answer(
                    200, {"identity": {"identity": identity.removeprefix("+")}, "audit_records": records}
                )
            case "GET", [app_id, "consents", list_type], "":
                return self._list_consents(call, self._apps.by_id(app_id), list_type)
        return Answer(405, {}, b"")

    def _about_webhooks(self, call: Call, path: list[str], action: str) -> Answer:
        match call.method, path, action:
            case "POST", [], "":
                return json_answer(200, self._apps.add_webhook(read(NewWebhook, call)).as_answered())
            case "GET", [webhook_id], "":
                return json_answer(200, self._apps.webhook(webhook_id).as_answered())
            case "PATCH", [webhook_id], "":
                webhook = self._apps.webhook(webhook_id)
                self._apps.update_webhook(webhook, read(WebhookFields, call), _mask(call))
                return json_answer(200, webhook.as_answered())
            case "DELETE", [webhook_id], "":
                self._apps.delete_webhook(self._apps.webhook(webhook_id))
                return json_answer(200, {})
        return Answer(405, {}, b"")

    # Messages

    def _about_messages(self, call: Call, path: list[str], action: str) -> Answer:
        match call.method, path, action:
            case "GET", [], "":
                return self._list_messages(call)
            case "POST", [], "transcode":
                request = read(Transcode, call)
                self._apps.by_id(request.app_id)
                return json_answer(200, {"transcoded_message": transcode(request)})
            case "POST", [], "fetch-last-message":
                return self._last_messages(read(LastMessages, call))
        query = read_query(call.query, {"messages_source": SOURCES})
        source = query.get("messages_source", SOURCES[0])
        match call.method, path, action:
            case "GET", [message_id], "":
                return json_answer(200, self._messages.by_id(message_id, source).as_answered())
            case "PATCH", [message_id], "":
                message = self._messages.by_id(message_id, source)
                message.metadata = read(MetadataUpdate, call).metadata
                return json_answer(200, message.as_answered())
            case "DELETE", [message_id], "":
                self._messages.delete(self._messages.by_id(message_id, source))
                return json_answer(200, {})
        return Answer(405, {}, b"")

    def _list_messages(self, call: Call) -> Answer:
        query = read_query(call.query, LISTED_MESSAGES)
        if query.get("messages_source") == SOURCES[1] and query.keys() & {"conversation_id", "contact_id"}:
            raise invalid("conversation_id and contact_id go with messages_source CONVERSATION_SOURCE only.")
        found = self._messages.newest_first(query)
        show = partial(Kept.as_answered, with_metadata=query.get("view") != "WITHOUT_METADATA")
        return json_answer(200, page("messages", found, show, query, self._shown, most=MAX_MESSAGES))

    def _last_messages(self, request: LastMessages) -> Answer:
        wanted = request.model_dump(exclude_none=True)
        identities = {each.removeprefix("+") for each in request.channel_identities or ()}
        contact_ids = {*(request.contact_ids or ())}
        if bool(identities) == bool(contact_ids):
            raise invalid("Either channel_identities or contact_ids are needed.")
        last: dict[str, Kept] = {}
        for message in self._messages.newest_first(wanted):
            name = message.contact_id if contact_ids else message.identity.identity.removeprefix("+")
            if name in contact_ids | identities:
                last.setdefault(name, message)
        show = partial(Kept.as_answered, with_metadata=request.view == "WITH_METADATA")
        return json_answer(200, page("messages", last.values(), show, wanted, self._shown, most=MAX_MESSAGES))

    # Contacts

    def _about_contacts(self, call: Call, path: list[str], action: str) -> Answer:
        match call.method, path, action:
            case "GET", [], "":
                return self._list_contacts(call)
            case "POST", [], "":
                return self._create_contacts(call)
            case "DELETE", [], "":
                for contact_id in read(ContactIds, call).contact_ids:
                    if self._contacts.get(contact_id) is not None:
                        self._delete_contact(contact_id)
                return Answer(200, {}, b"")
            case "GET", [], "identityConflicts":
                query = read_query(call.query, PAGED)
                found = self._contacts.conflicts()
                return json_answer(200, page("conflicts", found, dict, query, self._shown, most=MAX_CONTACTS))
            case "POST", [], "getChannelProfile":
                return self._channel_profile(read(ChannelProfile, call))
            case "GET", [contact_id], "":
                return json_answer(200, self._contacts.by_id(contact_id).as_answered())
            case "PATCH", [contact_id], "":
                contact = self._contacts.by_id(contact_id)
                self._contacts.update(contact, read(ContactFields, call), _mask(call))
                self._tell("CONTACT_UPDATE", {"contact": contact.as_answered()})
                return json_answer(200, contact.as_answered())
            case "DELETE", [contact_id], "":
                self._delete_contact(contact_id)
                return json_answer(200, {})
            case "POST", [contact_id], "merge":
                return self._merge(contact_id, read(Merge, call))
        return Answer(405, {}, b"")

    def _tell(self, trigger: str, payload: Any) -> None:
        """Contacts belong to the project: all of its apps are told."""
        for app in self._apps.all():
            self._callbacks.tell(app, trigger, payload)

    def _list_contacts(self, call: Call) -> Answer:
        query = read_query(call.query, {**PAGED, "external_id": "text", "channel": CHANNELS, "identity": "text"})
        external_id, channel, identity = query.get("external_id"), query.get("channel"), query.get("identity")
        if (channel is None) != (identity is None) or (channel is not None and external_id is not None):
            raise invalid("Either external_id, or channel and identity together, can be asked for.")
        found = [
            contact
            for contact in self._contacts.newest_first()
            if external_id in (None, contact.fields.external_id)
            and (
                identity is None
                or any(
                    each.channel == channel and each.identity.removeprefix("+") == identity.removeprefix("+")
                    for each in contact.identities
                )
            )
        ]
        return json_answer(200, page("contacts", found, Contact.as_answered, query, self._shown, most=MAX_CONTACTS))

    def _create_contacts(self, call: Call) -> Answer:
        """One by the API itself, or many by the Batch API, of which those that fail stay silent."""
        if b'"contacts"' not in call.body:
            contact = self._contacts.create(read(NewContact, call))
            self._tell("CONTACT_CREATE", {"contact": contact.as_answered()})
            return json_answer(200, contact.as_answered())
        for each in read(NewContacts, call).contacts:
            try:
                contact = self._contacts.create(each)
            except Problem:
                continue
            self._tell("CONTACT_CREATE", {"contact": contact.as_answered()})
        return Answer(200, {}, b"")

    def _delete_contact(self, contact_id: str) -> None:
        contact = self._contacts.by_id(contact_id)
        self._contacts.delete(contact)
        for conversation in self._conversations.of_contact(contact_id):
            self._conversations.delete(conversation)
        self._messages.drop(lambda message: message.contact_id == contact_id)
        self._tell("CONTACT_DELETE", {"contact": contact.as_answered()})

    def _merge(self, contact_id: str, request: Merge) -> Answer:
        destination, source = self._contacts.by_id(contact_id), self._contacts.by_id(request.source_id)
        self._contacts.merge(destination, source)
        self._conversations.move(source.id, destination.id)
        self._messages.move(source.id, destination.id)
        preserved = destination.as_answered()
        self._tell("CONTACT_MERGE", {"preserved_contact": preserved, "deleted_contact": source.as_answered()})
        return json_answer(200, preserved)

    def _channel_profile(self, request: ChannelProfile) -> Answer:
        self._apps.by_id(request.app_id)
        identities = self._identities(request.recipient)
        identity = next((each for each in identities if each.channel == request.channel), None)
        if identity is None:
            raise Problem(404, NOT_FOUND, f"The recipient has no identity on {request.channel}.")
        return json_answer(200, {"profile_name": f"Simulated {identity.identity[-4:]}"})

    def _identities(self, recipient: Recipient) -> list[Identity]:
        if recipient.contact_id is not None:
            return self._contacts.by_id(recipient.contact_id).identities
        assert recipient.identified_by is not None
        return recipient.identified_by.channel_identities

    # Conversations

    def _about_conversations(self, call: Call, path: list[str], action: str) -> Answer:
        conversations = self._conversations
        match call.method, path, action:
            case "GET", [], "":
                return self._list_conversations(call)
            case "GET", [], "recent":
                return self._list_recent(call)
            case "POST", [], "":
                request = read(NewConversation, call)
                app = self._apps.by_id(request.app_id)
                self._contacts.by_id(request.contact_id)
                conversation = conversations.create(request)
                self._callbacks.tell(app, "CONVERSATION_START", {"conversation": conversation.as_answered()})
                return json_answer(200, conversation.as_answered())
        if not path:
            return Answer(405, {}, b"")
        conversation = conversations.by_id(path[0])
        app = self._apps.by_id(conversation.app_id)
        match call.method, path[1:], action:
            case "GET", [], "":
                return json_answer(200, conversation.as_answered())
            case "PATCH", [], "":
                query = read_query(
                    call.query, {"update_mask": "words", "metadata_update_strategy": ("REPLACE", "MERGE_PATCH")}
                )
                conversations.update(conversation, read(ConversationFields, call), query.get("update_mask", ()))
                return json_answer(200, conversation.as_answered())
            case "DELETE", [], "":
                conversations.delete(conversation)
                self._messages.drop(lambda message: message.conversation_id == conversation.id)
                self._callbacks.tell(app, "CONVERSATION_DELETE", {"conversation": conversation.as_answered()})
                return json_answer(200, {})
            case "POST", [], "stop":
                conversations.stop(conversation)
                self._callbacks.tell(app, "CONVERSATION_STOP", {"conversation": conversation.as_answered()})
                return json_answer(200, {})
            case "POST", [], "inject-message":
                self._inject(app, conversation.id, read(InjectedMessage, call))
                return json_answer(200, {})
            case "POST", [], "inject-event":
                return self._inject_event(app, conversation.id, conversation.contact_id, read(InjectedEvent, call))
        return Answer(405, {}, b"")

    def _list_conversations(self, call: Call) -> Answer:
        query = read_query(
            call.query,
            {
                **PAGED,
                "app_id": "text",
                "contact_id": "text",
                "only_active": "boolean",
                "active_channel": CHANNELS,
            },
        )
        if not query.keys() & {"app_id", "contact_id"}:
            raise invalid("app_id or contact_id is needed.")
        found = [
            conversation
            for conversation in self._conversations.newest_first()
            if query.get("app_id") in (None, conversation.app_id)
            and query.get("contact_id") in (None, conversation.contact_id)
            and (conversation.fields.active or not query.get("only_active"))
            and query.get("active_channel") in (None, conversation.fields.active_channel)
        ]
        listed = page("conversations", found, Conversation.as_answered, query, self._shown, most=MAX_CONVERSATIONS)
        return json_answer(200, {**listed, "total_size": len(found)})

    def _list_recent(self, call: Call) -> Answer:
        query = read_query(call.query, {**PAGED, "app_id": "text", "only_active": "boolean", "order": ("ASC", "DESC")})
        if "app_id" not in query:
            raise invalid("app_id is needed.")
        self._apps.by_id(query["app_id"])
        last: dict[str, Kept] = {}
        for message in self._messages.newest_first({"app_id": query["app_id"]}):
            last.setdefault(message.conversation_id, message)
        known = [(self._conversations.get(conversation_id), message) for conversation_id, message in last.items()]
        found = [
            {"conversation": conversation.as_answered(), "last_message": message.as_answered()}
            for conversation, message in (reversed(known) if query.get("order") == "ASC" else known)
            if conversation is not None and (conversation.fields.active or not query.get("only_active"))
        ]
        listed = page("conversations", found, dict, query, self._shown, most=MAX_RECENT)
        return json_answer(200, {**listed, "total_size": len(found)})

    @staticmethod
    def _check_injected(accept_time: datetime) -> None:
        now = datetime.now(UTC)
        if not now - OLDEST_INJECTED <= accept_time <= now:
            raise invalid("accept_time must be in the past, and at most 30 days old.")

    def _inject(self, app: App, conversation_id: str, request: InjectedMessage) -> None:
        self._check_injected(request.accept_time)
        content = {"app_message": request.app_message, "contact_message": request.contact_message}
        self._messages.keep(
            Kept(
                id=new_ulid(self._dice),
                app_id=app.id,
                direction=request.direction,
                content={name: each for name, each in content.items() if each is not None},
                identity=request.channel_identity,
                conversation_id=conversation_id,
                contact_id=request.contact_id,
                metadata=request.metadata,
                accepted_at=request.accept_time,
                mode=request.processing_mode,
                sender_id=request.sender_id,
                injected=True,
            )
        )

    def _inject_event(self, app: App, conversation_id: str, contact_id: str, request: InjectedEvent) -> Answer:
        self._check_injected(request.accept_time)
        if app.dispatches:
            raise invalid("Events can be injected in conversation mode only.")
        identity = request.channel_identity
        event = self._keep_event(
            app,
            {"app_event": request.app_event},
            identity,
            contact_id,
            conversation_id,
            request.accept_time,
        )
        return json_answer(200, {"event_id": event["id"], "accepted_time": event["accept_time"]})

    # Events

    def _keep_event(
        self,
        app: App,
        content: dict[str, Any],
        identity: Identity | None,
        contact_id: str,
        conversation_id: str,
        at: datetime,
    ) -> dict[str, Any]:
        event = {
            "id": new_ulid(self._dice),
            "direction": TO_CONTACT,
            **content,
            "channel_identity": None if identity is None else identity.shown(),
            "contact_id": contact_id,
            "conversation_id": conversation_id,
            "accept_time": stamp(at),
            "processing_mode": app.fields.processing_mode,
        }
        if not app.dispatches:
            self._events[event["id"]] = event
        return event

    def _about_events(self, call: Call, path: list[str], action: str) -> Answer:
        match call.method, path, action:
            case "POST", [], "send":
                return self._send_event(read(EventRequest, call))
            case "GET", [], "":
                query = read_query(call.query, {**PAGED, "conversation_id": "text", "contact_id": "text"})
                events = [
                    event
                    for event in reversed(self._events.values())
                    if query.get("conversation_id") in (None, event["conversation_id"])
                    and query.get("contact_id") in (None, event["contact_id"])
                ]
                return json_answer(200, page("events", events, dict, query, self._shown, most=MAX_EVENTS))
            case "GET" | "DELETE", [event_id], "":
                if event_id not in self._events:
                    raise Problem(404, NOT_FOUND, f"Event {event_id} was not found.")
                if call.method == "GET":
                    return json_answer(200, self._events[event_id])
                del self._events[event_id]
                return json_answer(200, {})
        return Answer(405, {}, b"")

    def _send_event(self, request: EventRequest) -> Answer:
        """Taken by the first channel, and reported on at once."""
        app = self._apps.by_id(request.app_id)
        if app.dispatches and request.recipient.contact_id is not None:
            raise invalid("recipient: in dispatch mode only identified_by can be used.")
        order: list[str] = list(request.channel_priority_order or ())
        addressed = self._recipients.address(app, request.recipient, order, dispatch_only=False)
        now = datetime.now(UTC)
        identity = addressed.identities[0] if addressed.identities else None
        contact_id = "" if addressed.contact is None else addressed.contact.id
        conversation_id = "" if addressed.conversation is None else addressed.conversation.id
        content = {"app_event": request.event.model_dump(exclude_none=True)}
        event = self._keep_event(app, content, identity, contact_id, conversation_id, now)
        failed = identity is None or identity.channel not in app.channels
        report = {
            "event_id": event["id"],
            "status": "FAILED" if failed else "DELIVERED",
            "channel_identity": event["channel_identity"],
            "contact_id": contact_id,
            "metadata": request.event_metadata,
            "processing_mode": addressed.mode,
        }
        if failed:
            report["reason"] = {"code": "CHANNEL_CONFIGURATION_MISSING", "description": "", "sub_code": ""}
        self._callbacks.tell(app, "EVENT_DELIVERY", report, accepted_at=now, callback_url=request.callback_url)
        return json_answer(200, {"event_id": event["id"], "accepted_time": stamp(now)})

    # Consents, capability, settings

    def _about_consents(self, call: Call, path: list[str], action: str) -> Answer:
        if (call.method, path, action) != ("POST", [], ""):
            return Answer(405, {}, b"")
        request = read(NewConsents, call)
        self._apps.by_id(request.app_id)
        for record in request.consent_records:
            self._consents.add(request.app_id, record.consent_type, record.identification, "ORIGIN_API")
        return json_answer(200, {"batch_id": new_ulid(self._dice)})

    def _list_consents(self, call: Call, app: App, list_type: str) -> Answer:
        if list_type not in LISTS:
            raise invalid(f"There is no list {list_type}; there are {', '.join(LISTS)}.")
        query = read_query(call.query, PAGED)
        found = [{"identity": identity} for identity in self._consents.identities(app.id, list_type)]
        return json_answer(200, page("identities", found, dict, query, self._shown, most=MAX_CONSENTS))

    def _about_capability(self, call: Call, path: list[str], action: str) -> Answer:
        """Answers at once; what each channel can do is called back."""
        if (call.method, path, action) != ("POST", [], "query"):
            return Answer(405, {}, b"")
        request = read(Capability, call)
        app = self._apps.by_id(request.app_id)
        request_id = request.request_id or new_ulid(self._dice)
        for identity in self._identities(request.recipient):
            reached = identity.channel in app.channels and self._apps.state_of(app, identity.channel)[0] == "ACTIVE"
            told: dict[str, Any] = {
                "contact_id": request.recipient.contact_id or "",
                "identity": identity.identity.removeprefix("+"),
                "channel": identity.channel,
                "capability_status": "CAPABILITY_FULL" if reached else "NO_CAPABILITY",
                "request_id": request_id,
                "channel_capabilities": [],
            }
            if not reached:
                told["reason"] = {
                    "code": "CHANNEL_CONFIGURATION_MISSING",
                    "description": f"The app has no active {identity.channel}.",
                    "sub_code": "UNSPECIFIED_SUB_CODE",
                }
            self._callbacks.tell(app, "CAPABILITY", told)
        recipient = request.recipient.model_dump(exclude_none=True)
        return json_answer(200, {"app_id": app.id, "recipient": recipient, "request_id": request_id})

    def _about_settings(self, call: Call, path: list[str], action: str) -> Answer:
        if path or action or call.method not in ("GET", "POST", "PATCH", "DELETE"):
            return Answer(405, {}, b"")
        if call.method in ("POST", "PATCH"):
            self._contacts.unified = read(Settings, call).contact_settings.unified_contact_id_enabled
        elif call.method == "DELETE":
            self._contacts.unified = False
        settings = {"contact_settings": {"unified_contact_id_enabled": self._contacts.unified}}
        return json_answer(200, {"project_id": self._options.project_id, "settings": settings})

    # Templates

    def about_templates(self, call: Call, path: list[str]) -> Answer:
        """Answer a request to the host of templates."""
        templates = self._templates
        match call.method, path:
            case "GET", []:
                return json_answer(200, {"templates": [each.as_answered() for each in templates.all()]})
            case "POST", []:
                return json_answer(200, templates.create(read(TemplateFields, call)).as_answered())
            case "GET", [template_id]:
                return json_answer(200, templates.by_id(template_id).as_answered())
            case "PUT", [template_id]:
                template = templates.by_id(template_id)
                templates.replace(template, read(TemplateFields, call))
                return json_answer(200, template.as_answered())
            case "DELETE", [template_id]:
                templates.delete(templates.by_id(template_id))
                return json_answer(200, {})
            case "GET", [template_id, "translations"]:
                query = read_query(call.query, {"language_code": "text", "translation_version": "text"})
                found = templates.by_id(template_id).translations(
                    query.get("language_code"), query.get("translation_version")
                )
                return json_answer(200, {"translations": found})
        return Answer(405, {}, b"")


def _mask(call: Call) -> Iterable[str]:
    """The fields that a PATCH is about."""
    mask: list[str] = read_query(call.query, {"update_mask": "words"}).get("update_mask", [])
    return mask
