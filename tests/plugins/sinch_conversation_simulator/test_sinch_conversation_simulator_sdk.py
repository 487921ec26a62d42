"""The official SDK takes the simulator for the API: every call of its Conversation part."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from callback_receiver import Receiver
from connector_sinch.conversation.simulator import SIMULATOR
from sinch import SinchClient
from sinch.domains.conversation.api.v1 import Apps, Contacts, Messages
from sinch.domains.conversation.exceptions import ConversationException

from connector.simulator import running

AREAS = {"apps": Apps, "contacts": Contacts, "messages": Messages}
ANNA, BERT, CARA = "12015550123", "12015550124", "12015550125"
SMS = {"claimed_identity": "plan", "token": "token"}
RCS = {"claimed_identity": "agent", "token": "token"}
PICTURE = {"url": "https://example.com/shop.png"}
CHOICES = [{"text_message": {"text": "Yes"}, "postback_data": "yes"}]
CONTENTS: dict[str, Any] = {
    "text": {"text": "We open on Monday."},
    "media": {"media_message": PICTURE},
    "card": {"card_message": {"title": "Opening", "description": "On Monday", "media_message": PICTURE}},
    "carousel": {"carousel_message": {"cards": [{"title": "One"}, {"title": "Two", "choices": CHOICES}]}},
    "choice": {"choice_message": {"text_message": {"text": "Coming?"}, "choices": CHOICES}},
    "location": {
        "location_message": {"coordinates": {"latitude": 55.6, "longitude": 13.0}, "title": "Shop", "label": "Here"}
    },
    "list": {"list_message": {"title": "Books", "sections": [{"items": [{"choice": {"title": "Atlas"}}]}]}},
    "contact_info": {
        "contact_info_message": {"name": {"full_name": "Ada"}, "phone_numbers": [{"phone_number": "+12015550100"}]}
    },
    "template": {
        "template_message": {
            "channel_template": {"SMS": {"template_id": "opening", "version": "1", "language_code": "en"}}
        }
    },
}


class Sdk:
    """The SDK, and which of its calls were made."""

    def __init__(self, base_url: str, options: Any) -> None:
        self.base_url = base_url
        self.app_id = options.app_id
        self.called: set[str] = set()
        self._client = SinchClient(
            project_id=options.project_id,
            key_id=options.key_id,
            key_secret=options.key_secret,
            conversation_region=options.region,
        )
        self._client.configuration.auth_origin = base_url
        self._client.configuration.conversation_domain = base_url

    def __call__(self, call: str, *arguments: Any, **fields: Any) -> Any:
        """Make a call, as in `apps.create`."""
        self.called.add(call)
        area, name = call.split(".")
        return getattr(getattr(self._client.conversation, area), name)(*arguments, **fields)

    def listed(self, call: str, *arguments: Any, **fields: Any) -> list[Any]:
        return list(self(call, *arguments, **fields).iterator())

    def settle(self) -> None:
        assert httpx.get(f"{self.base_url}/_simulator/idle", timeout=40).status_code == 200

    def written(self, **fields: Any) -> None:
        assert httpx.post(f"{self.base_url}/_simulator/inbound", json=fields).status_code == 201

    def events(self, secret: str) -> Any:
        return self._client.conversation.sinch_events(secret)

    def close(self) -> None:
        self._client.configuration.transport.http_session.close()


@contextmanager
def sdk_on(**options: Any) -> Iterator[Sdk]:
    checked = SIMULATOR.Options(processing_mode="CONVERSATION", **options)
    with running(SIMULATOR, checked) as base_url:
        sdk = Sdk(base_url, checked)
        try:
            yield sdk
        finally:
            sdk.close()


def drive_apps(sdk: Sdk) -> None:
    app = sdk("apps.create", channel_credentials={"SMS": SMS}, display_name="Shop", processing_mode="CONVERSATION")
    assert (app.display_name, app.processing_mode, app.rate_limits.events) == ("Shop", "CONVERSATION", 25)
    assert app.channel_credentials.sms.state.status == "ACTIVE"
    assert sdk("apps.get", app.id) == app
    updated = sdk(
        "apps.update",
        app.id,
        channel_credentials={"RCS": RCS, "SMS": SMS},
        dispatch_retention_policy={"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": 7},
    )
    assert updated.channel_credentials.model_fields_set == {"rcs", "sms"}
    assert (updated.display_name, updated.dispatch_retention_policy.ttl_days) == ("Shop", 7)
    assert [each.id for each in sdk.listed("apps.list")] == [sdk.app_id, app.id]
    sdk("apps.delete", app.id)
    with pytest.raises(ConversationException, match="NOT_FOUND"):
        sdk("apps.get", app.id)


def drive_messages(sdk: Sdk) -> None:
    to = {"recipient_identities": [{"channel": "SMS", "identity": f"+{ANNA}"}], "app_id": sdk.app_id}
    sent = sdk("messages.send", message={"text_message": {"text": "Hi"}}, **to, message_metadata='{"order":7}')
    for kind, content in CONTENTS.items():
        assert sdk(f"messages.send_{kind}_message", **content, **to).message_id
    sdk.settle()
    sdk.written(**{"from": ANNA, "body": "When?"})
    message = sdk("messages.get", sent.message_id)
    assert (message.app_message.text_message.text, message.metadata) == ("Hi", '{"order":7}')
    assert (message.direction, message.channel_identity.identity) == ("TO_CONTACT", ANNA)
    assert sdk("messages.update", sent.message_id, metadata="changed").metadata == "changed"
    listed = sdk.listed("messages.list", page_size=3, app_id=sdk.app_id, direction="TO_CONTACT")
    assert len(listed) == len(CONTENTS) + 1
    since = datetime.now(UTC) - timedelta(minutes=1)
    (inbound,) = sdk.listed("messages.list", contact_id=message.contact_id, direction="TO_APP", start_time=since)
    assert inbound.contact_message.text_message.text == "When?"
    (last,) = sdk.listed("messages.list_last_messages_by_channel_identity", channel_identities=[ANNA, BERT])
    assert last == inbound
    sdk("messages.delete", sent.message_id)
    with pytest.raises(ConversationException, match="NOT_FOUND"):
        sdk("messages.get", sent.message_id)


def drive_contacts(sdk: Sdk) -> None:
    identities = [{"channel": "MESSENGER", "identity": "7746490198930851", "app_id": sdk.app_id}]
    contact = sdk("contacts.create", channel_identities=identities, language="EN_US", external_id="customer-7")
    assert (contact.display_name, contact.channel_priority) == ("Unknown", ["MESSENGER"])
    assert sdk("contacts.get", contact.id) == contact
    other = sdk(
        "contacts.create",
        channel_identities=[{"channel": "SMS", "identity": BERT}, {"channel": "RCS", "identity": CARA}],
        language="SV",
        display_name="Bert",
        email="bert@example.com",
    )
    third = sdk("contacts.create", channel_identities=[{"channel": "RCS", "identity": BERT}], language="SV")
    (conflict,) = sdk.listed("contacts.list_identity_conflicts")
    assert (conflict.identity, set(conflict.contact_ids)) == (BERT, {other.id, third.id})
    sdk("contacts.delete", third.id)
    assert sdk("contacts.update", contact.id, metadata="likes maps").metadata == "likes maps"
    merged = sdk("contacts.merge_contact", contact.id, source_id=other.id)
    assert [each.channel for each in merged.channel_identities] == ["MESSENGER", "SMS", "RCS"]
    assert (merged.display_name, merged.email, merged.metadata) == ("Bert", "bert@example.com", "likes maps")
    assert [each.id for each in sdk.listed("contacts.list", external_id="customer-7")] == [contact.id]
    assert [each.id for each in sdk.listed("contacts.list", channel="SMS", identity=BERT)] == [contact.id]
    assert len(sdk.listed("contacts.list", page_size=1)) == 2
    for call, whom in (
        ("contacts.get_channel_profile", {"recipient": {"contact_id": contact.id}}),
        ("contacts.get_channel_profile_by_contact_id", {"contact_id": contact.id}),
        ("contacts.get_channel_profile_by_channel_identity", {"recipient_identities": identities}),
    ):
        assert sdk(call, app_id=sdk.app_id, channel="MESSENGER", **whom).profile_name == "Simulated 0851"


def test_every_call_of_the_official_sdk_is_answered() -> None:
    with sdk_on() as sdk:
        drive_apps(sdk)
        drive_messages(sdk)
        drive_contacts(sdk)
    calls = {f"{area}.{name}" for area, kind in AREAS.items() for name in vars(kind) if not name.startswith("_")}
    assert sdk.called == calls


def test_the_official_sdk_asks_for_another_token_when_one_has_expired() -> None:
    with sdk_on(faults={"token_expired": "1x1"}) as sdk:
        assert sdk.listed("apps.list")
        requests = httpx.get(f"{sdk.base_url}/_simulator/account").json()["requests"]
    assert requests == {"200": 3, "401": 1}


def test_the_official_sdk_takes_callbacks_for_genuine_and_reads_them(receiver: Receiver) -> None:
    with sdk_on(webhook_url=receiver.url, callback_secret="secret", outcomes={"READ": 1}, app_channels=["RCS"]) as sdk:
        to = [{"channel": "RCS", "identity": ANNA}]
        sent = sdk("messages.send_text_message", app_id=sdk.app_id, recipient_identities=to, text="Hi")
        sdk.settle()
        sdk.written(**{"from": ANNA, "body": "When?", "reply_to": sent.message_id})
        sdk.settle()
        handler = sdk.events("secret")
        assert all(handler.validate_authentication_header(each.headers, each.body) for each in receiver.received)
        read = [handler.parse_event(each.body, each.headers) for each in receiver.received]
    reports = [each.message_delivery_report for each in read if hasattr(each, "message_delivery_report")]
    assert {report.status for report in reports} == {"QUEUED_ON_CHANNEL", "DELIVERED", "READ"}
    assert {report.message_id for report in reports} == {sent.message_id}
    (inbound,) = [each.message for each in read if hasattr(each, "message")]
    assert inbound.contact_message.reply_to.message_id == sent.message_id
