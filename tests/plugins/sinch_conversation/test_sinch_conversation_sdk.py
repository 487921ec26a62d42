"""Against self-agreement: what leaves us is what the official SDK sends, and what we recorded it can read."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import pytest
import yaml
from answering_api import Api, Seen
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.provider import SinchConversation
from connector_sinch.conversation.resources import Project
from connector_sinch.conversation.resources.apps import bearer
from connector_sinch.conversation.resources.contacts import contact, identity
from connector_sinch.conversation.resources.recipient import recipient
from connector_sinch.conversation.settings import ConversationSettings
from pydantic import BaseModel
from sinch import SinchClient
from sinch.domains.authentication.models.v1.authentication import OAuthToken
from sinch_conversation_kit import (
    APP,
    APPS,
    KEY,
    KEY_SECRET,
    MESSAGES,
    NUMBERS,
    PROJECT,
    ROOT,
    SEND,
    TOKENS,
    make_batch,
    secret,
    settings,
)

from connector.extension import Integration
from connector.http import Http

CASSETTES = Path(__file__).parents[3] / "cassettes" / "sinch-conversation"
SINCE = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
CALLBACK = "https://hooks.example.com/webhooks/x/d1-0-0"
METADATA = '{"batch":"d1-0-0","message":"d1-0"}'
THE_APP = {"id": APP, "display_name": "Shop", "processing_mode": "DISPATCH", "channel_credentials": []}
CONTACT = {"id": "01JC", "channel_identities": [], "language": "EN_US"}
MESSAGE = {
    "id": "01JM",
    "direction": "TO_APP",
    "contact_message": {"text_message": {"text": "Hi"}},
    "channel_identity": {"channel": "SMS", "identity": "12015550101", "app_id": ""},
    "metadata": "",
}
TAKEN = {"message_id": "01JM", "accepted_time": "2026-11-23T09:30:00Z"}
TOKEN_GRANTED = {"access_token": "t1", "expires_in": 3599, "scope": "", "token_type": "bearer"}


class Ours(NamedTuple):
    """The plugin as the SDK's calls have their like in it."""

    provider: SinchConversation
    project: Project


class Call(NamedTuple):
    """The same thing done by us and by the SDK."""

    path: str
    answer: Any
    ours: Callable[[Ours], Any]
    theirs: Callable[[Any], Any]


def alone(message: dict[str, Any], **attempt: Any) -> Any:
    return make_batch(message, [{"name": "Ada"}], prompt=True, **attempt)


CALLS = {
    "send": Call(
        SEND,
        TAKEN,
        lambda ours: ours.provider.send(alone({"text": "Hi ${name}", "ttl": "3600s"}, callback_url=CALLBACK)),
        lambda sdk: sdk.messages.send(
            app_id=APP,
            message={"text_message": {"text": "Hi Ada"}},
            recipient_identities=[{"channel": "SMS", "identity": f"+{NUMBERS[0]}"}],
            ttl="3600s",
            event_destination_target=CALLBACK,
            channel_properties={"SMS_SENDER": "Shop", "SMS_MAX_NUMBER_OF_MESSAGE_PARTS": "3"},
            message_metadata=METADATA,
        ),
    ),
    "send with a fallback": Call(
        SEND,
        TAKEN,
        lambda ours: ours.provider.send(
            alone(
                {
                    "text": "Hi ${name}",
                    "channel_priority_order": ["RCS", "SMS"],
                    "queue": "HIGH_PRIORITY",
                    "correlation_id": "autumn",
                    "message_content_type": "CONTENT_MARKETING",
                    "conversation_metadata": {"campaign": "autumn"},
                }
            )
        ),
        lambda sdk: sdk.messages.send(
            app_id=APP,
            message={"text_message": {"text": "Hi Ada"}},
            recipient_identities=[{"channel": each, "identity": f"+{NUMBERS[0]}"} for each in ("RCS", "SMS")],
            channel_priority_order=["RCS", "SMS"],
            channel_properties={"SMS_SENDER": "Shop", "SMS_MAX_NUMBER_OF_MESSAGE_PARTS": "3"},
            message_metadata=METADATA,
            conversation_metadata={"campaign": "autumn"},
            queue="HIGH_PRIORITY",
            correlation_id="autumn",
            message_content_type="CONTENT_MARKETING",
        ),
    ),
    "what people wrote": Call(
        MESSAGES,
        {"messages": [], "next_page_token": ""},
        lambda ours: list(ours.provider.inbound(SINCE)),
        lambda sdk: sdk.messages.list(
            app_id=APP, direction="TO_APP", start_time=SINCE, page_size=1000, messages_source="DISPATCH_SOURCE"
        ),
    ),
    "the app": Call(APPS, THE_APP, lambda ours: ours.provider.check(), lambda sdk: sdk.apps.get(APP)),
    "all apps": Call(
        f"{ROOT}/apps", {"apps": []}, lambda ours: list(ours.project.apps.list()), lambda sdk: sdk.apps.list()
    ),
    "a new app": Call(
        f"{ROOT}/apps",
        THE_APP,
        lambda ours: ours.project.apps.create("Shop", [bearer("SMS", "plan", "token", callback_secret="signs")]),
        lambda sdk: sdk.apps.create(
            display_name="Shop",
            channel_credentials={"SMS": {"claimed_identity": "plan", "token": "token", "callback_secret": "signs"}},
        ),
    ),
    "what signs callbacks of messages": Call(
        APPS,
        THE_APP,
        lambda ours: ours.project.apps.update(APP, callback_secret="signs"),
        lambda sdk: sdk.apps.update(APP, event_destination_settings={"secret_for_overridden_target": "signs"}),
    ),
    "a contact": Call(
        f"{ROOT}/contacts/01JC",
        CONTACT,
        lambda ours: ours.project.contacts.get("01JC"),
        lambda sdk: sdk.contacts.get("01JC"),
    ),
    "contacts": Call(
        f"{ROOT}/contacts",
        {"contacts": []},
        lambda ours: list(ours.project.contacts.list(external_id="7", page_size=5)),
        lambda sdk: sdk.contacts.list(external_id="7", page_size=5),
    ),
    "a new contact": Call(
        f"{ROOT}/contacts",
        CONTACT,
        lambda ours: ours.project.contacts.create(
            contact(channel_identities=[identity("SMS", NUMBERS[0])], language="EN_US", external_id="7")
        ),
        lambda sdk: sdk.contacts.create(
            channel_identities=[{"channel": "SMS", "identity": NUMBERS[0]}], language="EN_US", external_id="7"
        ),
    ),
    "a contact less": Call(
        f"{ROOT}/contacts/01JC",
        {},
        lambda ours: ours.project.contacts.delete("01JC"),
        lambda sdk: sdk.contacts.delete("01JC"),
    ),
    "a contact changed": Call(
        f"{ROOT}/contacts/01JC",
        CONTACT,
        lambda ours: ours.project.contacts.update("01JC", display_name="Ada", metadata="m", channel_priority=["SMS"]),
        lambda sdk: sdk.contacts.update("01JC", display_name="Ada", metadata="m", channel_priority=["SMS"]),
    ),
    "two contacts made one": Call(
        f"{ROOT}/contacts/01JC:merge",
        CONTACT,
        lambda ours: ours.project.contacts.merge("01JC", "01JD"),
        lambda sdk: sdk.contacts.merge_contact("01JC", "01JD", strategy="MERGE"),
    ),
    "identities that several contacts have": Call(
        f"{ROOT}/contacts:identityConflicts",
        {"conflicts": []},
        lambda ours: list(ours.project.contacts.conflicts(page_size=7)),
        lambda sdk: sdk.contacts.list_identity_conflicts(page_size=7),
    ),
    "a name on a channel": Call(
        f"{ROOT}/contacts:getChannelProfile",
        {"profile_name": "Ada"},
        lambda ours: ours.project.channel_profiles.name(
            APP, recipient(identities=[identity("MESSENGER", "fan", APP)]), "MESSENGER"
        ),
        lambda sdk: sdk.contacts.get_channel_profile_by_channel_identity(
            APP, "MESSENGER", [{"channel": "MESSENGER", "identity": "fan", "app_id": APP}]
        ),
    ),
    "a contact's name on a channel": Call(
        f"{ROOT}/contacts:getChannelProfile",
        {"profile_name": "Ada"},
        lambda ours: ours.project.channel_profiles.name(APP, recipient(contact_id="01JC"), "LINE"),
        lambda sdk: sdk.contacts.get_channel_profile_by_contact_id(APP, "LINE", "01JC"),
    ),
    "an app changed": Call(
        APPS,
        THE_APP,
        lambda ours: ours.project.apps.update(
            APP,
            display_name="Books",
            processing_mode="DISPATCH",
            conversation_metadata_report_view="FULL",
            retention_policy=("MESSAGE_EXPIRE_POLICY", 30),
            dispatch_retention_days=7,
            retry_seconds=60,
            fallback_seconds=600,
        ),
        lambda sdk: sdk.apps.update(
            APP,
            display_name="Books",
            processing_mode="DISPATCH",
            conversation_metadata_report_view="FULL",
            retention_policy={"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": 30},
            dispatch_retention_policy={"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": 7},
            message_retry_settings={"retry_duration": 60},
            delivery_report_based_fallback={"enabled": True, "delivery_report_waiting_time": 600},
        ),
    ),
    "an app less": Call(APPS, {}, lambda ours: ours.project.apps.delete(APP), lambda sdk: sdk.apps.delete(APP)),
    "messages": Call(
        MESSAGES,
        {"messages": [], "next_page_token": ""},
        lambda ours: list(
            ours.project.messages.list(
                app_id=APP,
                channel_identity=NUMBERS[0],
                channel="SMS",
                start=SINCE,
                end=SINCE,
                source="DISPATCH_SOURCE",
                only_recipient_originated=True,
                with_metadata=False,
                page_size=5,
            )
        ),
        lambda sdk: sdk.messages.list(
            app_id=APP,
            channel_identity=NUMBERS[0],
            channel="SMS",
            start_time=SINCE,
            end_time=SINCE,
            messages_source="DISPATCH_SOURCE",
            only_recipient_originated=True,
            view="WITHOUT_METADATA",
            page_size=5,
        ),
    ),
    "the last message of each": Call(
        f"{MESSAGES}:fetch-last-message",
        {"messages": [], "next_page_token": ""},
        lambda ours: list(
            ours.project.messages.last(
                APP,
                channel_identities=NUMBERS[:2],
                channel="SMS",
                direction="TO_APP",
                start=SINCE,
                source="DISPATCH_SOURCE",
                page_size=5,
            )
        ),
        lambda sdk: sdk.messages.list_last_messages_by_channel_identity(
            app_id=APP,
            channel_identities=NUMBERS[:2],
            channel="SMS",
            direction="TO_APP",
            start_time=SINCE,
            messages_source="DISPATCH_SOURCE",
            page_size=5,
        ),
    ),
    "a message": Call(
        f"{MESSAGES}/01JM",
        MESSAGE,
        lambda ours: ours.project.messages.get("01JM", source="DISPATCH_SOURCE"),
        lambda sdk: sdk.messages.get("01JM", messages_source="DISPATCH_SOURCE"),
    ),
    "a message's metadata": Call(
        f"{MESSAGES}/01JM",
        MESSAGE,
        lambda ours: ours.project.messages.set_metadata("01JM", "seen"),
        lambda sdk: sdk.messages.update("01JM", "seen"),
    ),
    "a message less": Call(
        f"{MESSAGES}/01JM",
        {},
        lambda ours: ours.project.messages.delete("01JM", source="DISPATCH_SOURCE"),
        lambda sdk: sdk.messages.delete("01JM", messages_source="DISPATCH_SOURCE"),
    ),
}


def meant(value: Any) -> Any:
    """The two write the same moments with and without milliseconds, and the SDK truth as Python does."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value)
    return {"True": "true", "False": "false"}.get(value, value) if isinstance(value, str) else value


def sent(seen: Seen) -> tuple[object, ...]:
    # One SDK repeats update_mask and another one joins its values by commas.
    query = {
        name: sorted(",".join(values).split(",")) if name == "update_mask" else [meant(value) for value in values]
        for name, values in parse_qs(seen.asked).items()
    }
    said = seen.json if seen.body else None
    if isinstance(said, dict):
        # To say of a field that it is null is not to say it.
        said = {name: meant(value) for name, value in said.items() if value is not None}
    return seen.method, seen.path, query, seen.headers["authorization"], said


@pytest.fixture(autouse=True)
def _tokens_as_the_sdk_reads_them(api: Api) -> None:
    api.at(TOKENS).answers[:] = []
    api.at(TOKENS).will(200, TOKEN_GRANTED)


@pytest.fixture
def ours(api: Api, provider: SinchConversation, http: Http) -> Ours:
    given = {**settings(api), "key_secret": secret(KEY_SECRET)}
    del given["provider"]
    return Ours(provider, Project(Connection(Integration("conv", ConversationSettings(**given)), http)))


@pytest.fixture
def sdk(api: Api) -> Iterator[SinchClient]:
    client = SinchClient(project_id=PROJECT, key_id=KEY, key_secret=KEY_SECRET, conversation_region="eu")
    client.configuration.auth_origin = client.configuration.conversation_domain = api.url
    with closing(client.configuration.transport.http_session):
        yield client


@pytest.mark.parametrize("name", CALLS)
def test_we_send_what_the_sdk_sends(name: str, ours: Ours, sdk: SinchClient, api: Api):
    call = CALLS[name]
    api.at(APPS).will(200, THE_APP)
    api.at(MESSAGES).will(200, [])
    api.at(call.path).answers[:] = []
    asked = api.at(call.path).will(200, call.answer).seen
    call.ours(ours)
    mine = asked[-1]
    call.theirs(sdk.conversation)
    theirs = asked[-1]
    assert theirs is not mine
    assert sent(mine) == sent(theirs)
    mine, theirs = api.at(TOKENS).seen
    for field in ("method", "path", "query", "body"):
        assert getattr(mine, field) == getattr(theirs, field)
    for header in ("authorization", "content-type"):
        assert mine.headers[header] == theirs.headers[header]


def test_an_expired_token_is_renewed_as_the_sdk_does(ours: Ours, sdk: SinchClient, api: Api):
    call = CALLS["send"]
    asked = []
    for send in (lambda: call.ours(ours), lambda: call.theirs(sdk.conversation)):
        api.at(TOKENS).answers[:] = []
        api.at(TOKENS).will(200, TOKEN_GRANTED | {"access_token": "t1"}).will(
            200, TOKEN_GRANTED | {"access_token": "t2"}
        )
        api.at(SEND).answers[:] = []
        api.at(SEND).will(401, www_authenticate='Bearer error_description="expired"').will(200, TAKEN)
        send()
        asked.append([sent(seen) for seen in api.at(SEND).seen])
        api.at(SEND).seen[:] = []
    assert asked[0] == asked[1]
    assert [request[3] for request in asked[0]] == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("region", ["us", "eu", "br"])
def test_a_region_is_at_the_hosts_that_the_sdk_names(region: str):
    sdk = SinchClient(project_id=PROJECT, key_id=KEY, key_secret=KEY_SECRET, conversation_region=region).configuration
    ours = ConversationSettings(project_id=PROJECT, app_id=APP, key_id=KEY, key_secret="env:S", region=region)
    assert (ours.url, ours.token_url) == (sdk.conversation_origin, f"{sdk.auth_origin}/oauth2/token")


# What was recorded of the calls that the SDK has, by method, path and query: its own call, which reads the answer.
READERS: dict[str, Callable[[SinchClient], Any]] = {
    r"POST /oauth2/token": lambda sdk: sdk.authentication.get_auth_token(),
    r"POST /v1/[^?]+/messages:send": lambda sdk: sdk.conversation.messages.send(
        app_id="APP",
        message={"text_message": {"text": "Hi"}},
        recipient_identities=[{"channel": "SMS", "identity": NUMBERS[0]}],
    ),
    r"GET /v1/[^?]+/messages\?app_id=.*": lambda sdk: sdk.conversation.messages.list(app_id="APP").content(),
    r"GET /v1/[^?]+/apps": lambda sdk: sdk.conversation.apps.list().content(),
    r"GET /v1/[^?]+/apps/[^/?]+": lambda sdk: sdk.conversation.apps.get("APP"),
    r"POST /v1/[^?]+/apps": lambda sdk: sdk.conversation.apps.create(
        display_name="Shop", channel_credentials={"SMS": {"claimed_identity": "plan", "token": "token"}}
    ),
    r"GET /v1/[^?]+/contacts(\?.*)?": lambda sdk: sdk.conversation.contacts.list().content(),
    r"(GET|PATCH) /v1/[^?]+/contacts/\w+(\?.*)?": lambda sdk: sdk.conversation.contacts.get("01JC"),
    r"POST /v1/[^?]+/contacts/\w+:merge": lambda sdk: sdk.conversation.contacts.merge_contact("01JC", "01JD"),
    r"GET /v1/[^?]+/contacts:identityConflicts.*": lambda sdk: (
        sdk.conversation.contacts.list_identity_conflicts().content()
    ),
    r"POST /v1/[^?]+/contacts:getChannelProfile": lambda sdk: (
        sdk.conversation.contacts.get_channel_profile_by_contact_id("APP", "MESSENGER", "01JC")
    ),
    r"(GET|PATCH) /v1/[^?]+/messages/\w+": lambda sdk: sdk.conversation.messages.get("01JM"),
    r"POST /v1/[^?]+/messages:fetch-last-message": lambda sdk: (
        sdk.conversation.messages.list_last_messages_by_channel_identity(contact_ids=["01JC"]).content()
    ),
    r"PATCH /v1/[^?]+/apps/[^/?]+\?.*": lambda sdk: sdk.conversation.apps.update("APP", display_name="Shop"),
}


def good_answers() -> dict[str, list[bytes]]:
    """The good answers on all cassettes, by the reader that takes them."""
    found: dict[str, list[bytes]] = {pattern: [] for pattern in READERS}
    for file in sorted(CASSETTES.rglob("*.yaml")):
        for interaction in yaml.safe_load(file.read_text(encoding="utf-8"))["interactions"]:
            request, response = interaction["request"], interaction["response"]
            asked = re.sub(r"https://[^/]+", "", f"{request['method']} {request['uri']}")
            if response["status"]["code"] < 300:
                for reader in (pattern for pattern in READERS if re.fullmatch(pattern, asked)):
                    found[reader].append(response["body"]["string"].encode())
    return found


RECORDED = good_answers()


@pytest.mark.parametrize("reader", READERS)
def test_the_sdk_reads_what_we_recorded(reader: str, sdk: SinchClient, api: Api):
    assert RECORDED[reader], "nothing of this is recorded"
    for body in RECORDED[reader]:
        api.answers[:] = []
        api.will(200, body)
        if reader.endswith("token"):
            api.at(TOKENS).answers[:] = []
            api.at(TOKENS).will(200, body)
        read = READERS[reader](sdk)
        for item in read if isinstance(read, list) else [read]:
            assert isinstance(item, BaseModel | OAuthToken)
