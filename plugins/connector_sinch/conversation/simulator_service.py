"""The simulated Conversation API: its own host, those of batches and templates, and the one of access tokens.

Source: the Conversation API's reference, with the pages "Batch API" and "Template Management API".
"""

import asyncio
import base64
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import to_json

from connector.http import Answer
from connector.simulator.oauth import Bucket, TokenIssuer, TokenState
from connector.simulator.service import Call, Service, json_answer
from connector_sinch.conversation.simulator_apps import App, Apps
from connector_sinch.conversation.simulator_batches import (
    CANCELLED,
    PROCESSED,
    READY,
    SCHEDULED,
    Batch,
    Batches,
    BatchId,
    counted,
    moment_to_send,
)
from connector_sinch.conversation.simulator_callbacks import Callbacks, stamp
from connector_sinch.conversation.simulator_consents import Consents
from connector_sinch.conversation.simulator_contacts import Contacts
from connector_sinch.conversation.simulator_conversations import Conversations
from connector_sinch.conversation.simulator_delivery import Delivery
from connector_sinch.conversation.simulator_inbounds import Inbounds
from connector_sinch.conversation.simulator_messages import TO_CONTACT, Kept, Message, Messages
from connector_sinch.conversation.simulator_options import ConversationOptions, outcomes_by_channel
from connector_sinch.conversation.simulator_recipients import Recipients
from connector_sinch.conversation.simulator_request import (
    BatchRequest,
    Problem,
    Recipient,
    Sending,
    SendRequest,
    error_answer,
    fill,
    invalid,
    read,
)
from connector_sinch.conversation.simulator_resources import Resources
from connector_sinch.conversation.simulator_sessions import Sessions
from connector_sinch.conversation.simulator_templates import Templates
from connector_sinch.ulid import new_ulid

RETRY_WAITS = tuple(2.0**n for n in range(15))
"""A callback's tries are 5, 10, 20 ... 81,920 seconds apart, as those of the SMS API: no page says it of this one."""
TOKENS_AT_ONCE, TOKENS_PER_SECOND = 30, 10.0
"""The limit on asking for access tokens."""
BATCH_QUERY = {"metadataKey", "metadataValue"}


class ConversationService(Service):
    """One project of the Conversation API."""

    def __init__(self, options: ConversationOptions) -> None:
        self._options = options
        self._apps: Apps | None = None
        super().__init__(options, RETRY_WAITS)
        self._dice = random.Random(f"{options.seed}:ids")
        self._tokens = TokenIssuer(
            options.key_id,
            options.key_secret,
            life_seconds=options.token_life_seconds,
            bucket=Bucket(TOKENS_AT_ONCE, TOKENS_PER_SECOND),
            seed=options.seed,
        )
        self._basic = base64.b64encode(f"{options.key_id}:{options.key_secret}".encode()).decode()
        self._requests = Bucket(options.requests_per_second, options.requests_per_second)
        self.forget()

    def callbacks_per_second(self, options: ConversationOptions) -> float:
        return options.callbacks_per_second

    def take_up(self, held: Mapping[str, Any]) -> None:
        self._outcome = outcomes_by_channel(held, self._options.seed)
        self._failing: Mapping[str, str] = held["failing"]
        if self._apps is not None:
            self._apps.failing = self._failing

    def forget(self) -> None:
        options = self._options
        self.reports_due = 0
        self._life = object()
        self._apps = Apps(self._dice, options)
        self._apps.failing = self._failing
        self._callbacks = Callbacks(self.callbacks.submit, self._dice, options.project_id)
        self._contacts = Contacts(self._dice)
        self._conversations = Conversations(self._dice)
        self._consents = Consents(options.project_id)
        self._templates = Templates(self._dice)
        self._messages = Messages()
        self._batches = Batches()
        self._sessions = Sessions(options.session_seconds)
        self._recipients = Recipients(self._contacts, self._conversations, self._callbacks)
        self._delivery = Delivery(
            self._apps,
            self._callbacks,
            self._consents if options.consent_management else None,
            self._templates,
            self._sessions,
            outcome=lambda channel, number: self._outcome(channel, number),
            later=self._later,
            report_delay_seconds=options.report_delay_seconds,
        )
        self._inbounds = Inbounds(
            options,
            self._dice,
            self._apps,
            self._callbacks,
            self._consents,
            self._messages,
            self._recipients,
            self._sessions,
        )
        self._resources = Resources(
            self._dice,
            options,
            self._apps,
            self._callbacks,
            self._consents,
            self._contacts,
            self._conversations,
            self._messages,
            self._templates,
            self._recipients,
            shown=self.shown,
        )

    def batches(self) -> list[dict[str, Any]]:
        return [
            {**batch.as_answered(), "size": batch.size, "left": batch.left, "app_id": batch.app.id}
            for batch in self._batches.all()
        ]

    def sign(self, body: bytes) -> dict[str, str]:
        """Nothing: each webhook has a secret of its own."""
        return {}

    def inbound(self, content: dict[str, Any]) -> Answer:
        """Let a person write, or something happen that is called back."""
        try:
            return json_answer(201, self._inbounds.receive(content))
        except Problem as problem:
            return json_answer(400, {"error": problem.message})

    # Requests

    async def answer(self, call: Call) -> Answer:
        if call.path == "/oauth2/token":
            return self._tokens.answer(call) if call.method == "POST" else Answer(405, {}, b"")
        refusal = self._refusal(call)
        if refusal is not None:
            return refusal
        if not self._requests.take():
            return error_answer(429, "RESOURCE_EXHAUSTED", "The project makes too many requests.")
        try:
            match call.path.strip("/").split("/"):
                case ["v1" | "v2", "projects", project_id, *_] if project_id != self._options.project_id:
                    return error_answer(403, "PERMISSION_DENIED", "The access key is not one of this project.")
                case ["v1", "projects", _, *rest]:
                    return await self._answer(call, rest)
                case ["v2", "projects", _, "templates", *rest]:
                    return self._resources.about_templates(call, rest)
        except Problem as problem:
            return problem.answer()
        return error_answer(404, "NOT_FOUND", "There is no such path.")

    def _refusal(self, call: Call) -> Answer | None:
        """Why the credentials open nothing, or None."""
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        if kind == "Basic" and token == self._basic:
            return None
        state = self._tokens.state_of(token) if kind == "Bearer" else TokenState.unknown
        if state is TokenState.unknown:
            told = {"www-authenticate": 'Bearer error="invalid_token"'}
            return error_answer(401, "UNAUTHENTICATED", "The request has no valid credentials.", told)
        if state is TokenState.expired or self.faults.happens("token_expired"):
            told = {"www-authenticate": 'Bearer error="invalid_token", error_description="The access token expired"'}
            problem = {
                "type": "https://developers.sinch.com/docs/errors/registry/access-token-expired",
                "title": "Token expired",
                "detail": "The access token has expired.",
            }
            return Answer(401, {"content-type": "application/problem+json", **told}, to_json(problem))
        return None

    async def _answer(self, call: Call, path: list[str]) -> Answer:
        """Of what is on the hosts of the API and of batches: which host was meant shows in the request."""
        match call.method, path:
            case "POST", ["messages:send"]:
                return await self.accepting(lambda: self._send(call))
            case "POST", ["messages"]:
                return await self.accepting(lambda: self._send_batch(call))
            case "GET", ["messages"] if call.query.keys() & BATCH_QUERY:
                return self.listing_fault() or self._find_batches(call)
            case "DELETE", ["messages"]:
                return self._cancel(call)
            case "GET", ["messages", batch_id] if self._batches.get(batch_id) is not None:
                return json_answer(200, self._batches.by_id(batch_id).as_answered())
            case "GET", ["messages" | "contacts" | "conversations" | "events"]:
                return self.listing_fault() or self._resources.answer(call, path)
        return self._resources.answer(call, path)

    def _app(self, app_id: str) -> App:
        """The app that a request names. Raises `Problem`."""
        assert self._apps is not None
        return self._apps.by_id(app_id)

    # Sending

    def _send(self, call: Call) -> Answer:
        try:
            request = read(SendRequest, call)
            app = self._app(request.app_id)
            self._recipients.check(app, request, [request.recipient])
            self._check_queue(app, 1)
        except Problem as problem:
            return problem.answer()
        message = self._message(
            app,
            request,
            request.recipient,
            request.message,
            metadata=request.message_metadata,
            conversation_metadata=request.conversation_metadata,
            merge=request.conversation_metadata_update_strategy == "MERGE_PATCH",
            correlation_id=request.correlation_id,
            content_type=request.message_content_type,
        )
        self.tally.accept([counted(request.recipient)])
        app.queued += 1
        self.queue.put(message, 1, None)
        return json_answer(200, {"message_id": message.id, "accepted_time": stamp(message.accepted_at)})

    def _check_queue(self, app: App, more: int) -> None:
        if app.queued + more > self._options.queue_limit:
            raise Problem(429, "RESOURCE_EXHAUSTED", "The app's queue is full.")

    def _message(
        self,
        app: App,
        request: Sending,
        recipient: Recipient,
        content: dict[str, Any],
        *,
        missing: frozenset[str] = frozenset(),
        metadata: str,
        conversation_metadata: dict[str, Any] | None,
        merge: bool = False,
        correlation_id: str = "",
        content_type: str = "CONTENT_UNKNOWN",
    ) -> Message:
        now = datetime.now(UTC)
        order = request.channel_priority_order or ()
        addressed = self._recipients.address(app, recipient, order, request.processing_strategy == "DISPATCH_ONLY")
        told = self._recipients.remember(app, addressed, conversation_metadata, correlation_id, merge)
        message = Message(
            id=new_ulid(self._dice),
            app=app,
            request=request,
            content=content,
            missing=missing,
            identities=addressed.identities,
            contact_id="" if addressed.contact is None else addressed.contact.id,
            conversation_id="" if addressed.conversation is None else addressed.conversation.id,
            mode=addressed.mode,
            metadata=metadata,
            conversation_metadata=told,
            correlation_id=correlation_id,
            content_type=content_type,
            accepted_at=now,
        )
        if addressed.identities and self._messages.keeps(app, addressed.mode):
            self._messages.keep(
                Kept(
                    id=message.id,
                    app_id=app.id,
                    direction=TO_CONTACT,
                    content={"app_message": content},
                    identity=addressed.identities[0],
                    conversation_id=message.conversation_id,
                    contact_id=message.contact_id,
                    metadata=metadata,
                    accepted_at=now,
                    mode=addressed.mode,
                )
            )
        return message

    # Batches

    def _send_batch(self, call: Call) -> Answer:
        now = datetime.now(UTC)
        try:
            request = read(BatchRequest, call)
            app = self._app(request.app_id)
            self._recipients.check(app, request, [each.recipient for each in request.recipient_and_params])
            self._check_queue(app, len(request.recipient_and_params))
            batch_id = new_ulid(self._dice)
            for each in request.recipient_and_params:
                request.check_metadata(each, batch_id)
            send_after = moment_to_send(request.send_after, now)
        except Problem as problem:
            return problem.answer()
        batch = Batch(batch_id, app, request, now, send_after, READY if send_after is None else SCHEDULED)
        self._batches.add(batch)
        self.tally.accept(batch.names)
        app.queued += batch.size
        self.queue.put(batch, batch.ready, send_after)
        answer = {"batch_id": batch.id}
        if send_after is not None:
            answer["send_after"] = stamp(send_after)
        return json_answer(200, answer)

    def _find_batches(self, call: Call) -> Answer:
        if call.query.keys() != BATCH_QUERY:
            raise invalid("Both metadataKey and metadataValue are needed, and nothing else.")
        if not self._options.batch_lookup:
            return json_answer(200, [])
        until = datetime.now(UTC) - timedelta(seconds=self.faults.seconds("listing_lag"))
        found = list(self._batches.with_metadata(call.query["metadataKey"], call.query["metadataValue"], until))
        return json_answer(200, [batch.as_answered() for batch in self.shown(found)])

    def _cancel(self, call: Call) -> Answer:
        """Cancel what is scheduled; the answer is the same whether it was, or is not there at all."""
        batch = self._batches.get(read(BatchId, call).batch_id)
        if batch is not None and batch.status == SCHEDULED and self.queue.drop(batch) is not None:
            batch.status = CANCELLED
            self.tally.take_back(batch.names)
            batch.app.queued -= batch.size
            self._callbacks.tell(batch.app, "BATCH_STATUS_UPDATE", batch.notification())
        return json_answer(200, {})

    # What becomes of messages

    def leave(self, batch: Any, start: int, stop: int) -> None:
        if isinstance(batch, Message):
            batch.app.queued -= 1
            self._delivery.take([batch])
            return
        if not start:
            batch.status = PROCESSED
            self._callbacks.tell(batch.app, "BATCH_STATUS_UPDATE", batch.notification())
        batch.left = stop
        batch.app.queued -= stop - start
        self._delivery.take([self._message_of(batch, place) for place in range(start, stop)])

    def _message_of(self, batch: Batch, place: int) -> Message:
        request = batch.request
        recipient = request.recipient_and_params[place]
        missing: set[str] = set()
        content = fill(request.message, recipient.parameters, missing)
        return self._message(
            batch.app,
            request,
            recipient.recipient,
            content,
            missing=frozenset(missing),
            metadata=request.metadata_of(recipient, batch.id),
            conversation_metadata=request.conversation_metadata_of(recipient, batch.id),
        )

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something that a report depends on after a while, unless all is forgotten by then."""
        life = self._life
        self.reports_due += 1

        def due() -> None:
            if self._life is life:
                self.reports_due -= 1
                do()

        asyncio.get_running_loop().call_later(seconds, due)
