"""The resources of a Conversation API project: pages, limits, changes, what is secret, what is not known."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from answering_api import Api, answering
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.resources import Project
from connector_sinch.conversation.resources.apps import bearer
from connector_sinch.conversation.resources.consents import record
from connector_sinch.conversation.resources.contacts import contact, identity
from connector_sinch.conversation.resources.recipient import recipient
from connector_sinch.conversation.resources.resource import Channel
from connector_sinch.conversation.settings import ConversationSettings

from connector.extension import Integration
from connector.http import Http
from connector.model.errors import ConnectorError, InputError, NotFound, ReadFailed, ReadRefused, Throttled

PROJECT = "/v1/projects/p"
TEMPLATES = "/v2/projects/p/templates"
APP = {
    "id": "A1",
    "display_name": "Shop",
    "channel_credentials": [
        {
            "channel": "WHATSAPP",
            "static_bearer": {"claimed_identity": "shop", "token": "TOKEN-ONE"},
            "callback_secret": "SIGNS-ONE",
            "state": {"status": "FAILING", "description": "permission revoked"},
            "channel_known_id": "wa-7",
        },
        {"channel": "SMS", "static_bearer": {"claimed_identity": "plan", "token": "TOKEN-TWO"}, "callback_secret": ""},
        {"channel": "CARRIERPIGEON", "pigeon_credentials": {"whistle": "TOKEN-THREE"}},
    ],
    "callback_settings": {"secret_for_overridden_callback_urls": "SIGNS-TWO"},
    "new_secret_of_tomorrow": "TOKEN-FOUR",
    "message_retry_settings": None,
}
SECRETS = ("TOKEN-ONE", "TOKEN-TWO", "TOKEN-THREE", "TOKEN-FOUR", "SIGNS-ONE", "SIGNS-TWO")


@pytest.fixture
def api() -> Iterator[Api]:
    with answering() as told:
        told.at("/oauth2/token").will(200, {"access_token": "A-TOKEN", "expires_in": 3600})
        yield told


@pytest.fixture
def project(api: Api) -> Iterator[Project]:
    settings = ConversationSettings.model_validate(
        {
            "project_id": "p",
            "app_id": "A1",
            "region": "eu",
            "key_id": "key",
            "key_secret": "secret",
            "base_url": api.url,
            "auth_url": api.url,
        },
        context={"read_secret": lambda reference: reference},
    )
    http = Http()
    yield Project(Connection(Integration("conv", settings), http))
    http.close()


def test_pages_are_followed_as_they_are_used_with_the_same_filters(api: Api, project: Project) -> None:
    contacts = api.at(f"{PROJECT}/contacts")
    contacts.will(200, {"contacts": [{"id": "1"}, {"id": "2"}], "next_page_token": "T"})
    contacts.will(200, {"contacts": [{"id": "3"}], "next_page_token": ""})
    found = project.contacts.list(channel="SMS", identity="12015550123")
    assert contacts.seen == []
    assert next(found).id == "1"
    assert len(contacts.seen) == 1
    assert [each.id for each in found] == ["2", "3"]
    first, second = (seen.query for seen in contacts.seen)
    assert first == {"channel": "SMS", "identity": "12015550123", "page_size": "20"}
    assert second == {**first, "page_token": "T"}
    assert len(api.at("/oauth2/token").seen) == 1


def test_a_list_that_goes_in_circles_ends_with_an_error(api: Api, project: Project) -> None:
    api.at(f"{PROJECT}/contacts").will(200, {"contacts": [], "next_page_token": "T"})
    with pytest.raises(ReadFailed, match="same page"):
        list(project.contacts.list())


def test_recent_conversations_are_always_asked_for_with_a_size(api: Api, project: Project) -> None:
    recent = api.at(f"{PROJECT}/conversations:recent")
    recent.will(200, {"conversations": [{"conversation": {"id": "C"}, "last_message": {"id": "M"}}]})
    (found,) = project.conversations.recent("A1")
    assert (found.conversation.id, found.last_message.id) == ("C", "M")
    assert recent.seen[0].query == {"app_id": "A1", "page_size": "50"}


def test_what_is_not_known_is_borne(api: Api, project: Project) -> None:
    api.at(f"{PROJECT}/messages/M").will(
        200,
        {
            "id": "M",
            "direction": "SIDEWAYS",
            "accept_time": "2024-02-22T07:40:46.379863404Z",
            "channel_identity": {"channel": "CARRIERPIGEON", "identity": "x", "app_id": None},
            "metadata": None,
            "mood": {"is": "new"},
        },
    )
    message = project.messages.get("M")
    assert message.channel_identity.channel == "CARRIERPIGEON"
    assert message.metadata == ""
    assert message.accept_time == datetime(2024, 2, 22, 7, 40, 46, 379863, tzinfo=UTC)
    assert message.as_dict()["mood"] == {"is": "new"}
    api.at(f"{PROJECT}/messages/N").will(200, {"id": "N", "accept_time": "yesterday"})
    assert project.messages.get("N").accept_time is None


def test_an_answer_that_cannot_be_read_repeats_nothing_of_it(api: Api, project: Project) -> None:
    api.at(f"{PROJECT}/contacts/C").will(200, {"id": "C", "channel_identities": "+12015550123"})
    with pytest.raises(ReadFailed, match="channel_identities") as raised:
        project.contacts.get("C")
    assert "5550123" not in str(raised.value)


def test_an_app_shows_no_secret(api: Api, project: Project) -> None:
    api.at(f"{PROJECT}/apps/A1").will(200, APP)
    app = project.apps.get("A1")
    first, second, third = app.channel_credentials
    assert first.channel is Channel.WHATSAPP
    assert (first.state.status, first.state.description, first.channel_known_id) == (
        "FAILING",
        "permission revoked",
        "wa-7",
    )
    assert (first.has_callback_secret, second.has_callback_secret) == (True, False)
    assert third.channel == "CARRIERPIGEON"
    assert app.signs_callbacks_of_messages
    for shown in (repr(app), str(app), repr(first), app.model_dump_json(), str(app.as_dict())):
        assert not [secret for secret in SECRETS if secret in shown]


def test_channels_are_put_in_order_with_the_credentials_that_they_have(api: Api, project: Project) -> None:
    app = api.at(f"{PROJECT}/apps/A1").will(200, APP)
    project.apps.order_channels("A1", ["SMS"])
    patch = app.seen[-1]
    assert (patch.method, patch.asked) == ("PATCH", "update_mask=channel_credentials")
    sms, whatsapp, pigeon = patch.json["channel_credentials"]
    assert sms == APP["channel_credentials"][1]
    assert whatsapp == {
        "channel": "WHATSAPP",
        "static_bearer": {"claimed_identity": "shop", "token": "TOKEN-ONE"},
        "callback_secret": "SIGNS-ONE",
    }
    assert pigeon["pigeon_credentials"] == {"whistle": "TOKEN-THREE"}


def test_a_channel_is_added_replaced_signed_and_removed(api: Api, project: Project) -> None:
    app = api.at(f"{PROJECT}/apps/A1").will(200, APP)

    def channels() -> list[tuple[str, str]]:
        return [(each["channel"], each.get("callback_secret", "")) for each in app.seen[-1].json["channel_credentials"]]

    project.apps.add_channel("A1", bearer("RCS", "agent", "TOKEN-FIVE", callback_secret="S"))
    assert channels()[-1] == ("RCS", "S")
    project.apps.add_channel("A1", bearer("SMS", "plan", "TOKEN-SIX"))
    assert app.seen[-1].json["channel_credentials"][1]["static_bearer"]["token"] == "TOKEN-SIX"
    assert len(channels()) == 3
    project.apps.sign_channel("A1", "SMS", "NEW")
    assert ("SMS", "NEW") in channels()
    project.apps.remove_channel("A1", "WHATSAPP")
    assert [channel for channel, _ in channels()] == ["SMS", "CARRIERPIGEON"]
    with pytest.raises(InputError, match="no channel MMS; it has WHATSAPP, SMS"):
        project.apps.remove_channel("A1", "MMS")


@pytest.mark.parametrize("token", ["", "********"])
def test_credentials_that_the_api_hides_are_never_written_back(api: Api, project: Project, token: str) -> None:
    hidden = {"channel": "SMS", "static_bearer": {"claimed_identity": "plan", "token": token}}
    app = api.at(f"{PROJECT}/apps/A1").will(200, {"id": "A1", "channel_credentials": [hidden]})
    with pytest.raises(InputError, match="add it anew"):
        project.apps.order_channels("A1", ["SMS"])
    assert {seen.method for seen in app.seen} == {"GET"}


def test_only_what_is_given_is_changed(api: Api, project: Project) -> None:
    app = api.at(f"{PROJECT}/apps/A1").will(200, APP)
    project.apps.update("A1", dispatch_retention_days=7, display_name="Shop 2")
    assert app.seen[0].asked == "update_mask=display_name&update_mask=dispatch_retention_policy"
    assert app.seen[0].json == {
        "display_name": "Shop 2",
        "dispatch_retention_policy": {"retention_type": "MESSAGE_EXPIRE_POLICY", "ttl_days": 7},
    }


def test_a_webhook_shows_no_secret(api: Api, project: Project) -> None:
    webhook = {
        "id": "W",
        "target": "https://hooks.example.com/x",
        "target_type": "HTTP",
        "triggers": ["MESSAGE_DELIVERY", "TOMORROW"],
        "secret": "SIGNS-ONE",
        "client_credentials": {"client_secret": "SIGNS-TWO"},
    }
    api.at(f"{PROJECT}/apps/A1/webhooks").will(200, {"webhooks": [webhook]})
    (found,) = project.webhooks.list("A1")
    assert found.has_secret
    assert found.triggers == ["MESSAGE_DELIVERY", "TOMORROW"]
    assert "SIGNS" not in repr(found) + found.model_dump_json()


def test_an_identity_is_added_to_a_contact_and_taken_away(api: Api, project: Project) -> None:
    there = {"id": "C", "channel_identities": [{"channel": "SMS", "identity": "12015550123"}]}
    contact_ = api.at(f"{PROJECT}/contacts/C").will(200, there)
    project.contacts.add_identity("C", identity("MESSENGER", "fan", "A1"))
    assert contact_.seen[-1].json == {
        "channel_identities": [
            {"channel": "SMS", "identity": "12015550123"},
            {"channel": "MESSENGER", "identity": "fan", "app_id": "A1"},
        ]
    }
    project.contacts.add_identity("C", identity("SMS", "12015550124"))
    assert contact_.seen[-1].json == {"channel_identities": [{"channel": "SMS", "identity": "12015550124"}]}
    with pytest.raises(InputError, match="at least one identity"):
        project.contacts.remove_identity("C", "SMS")
    with pytest.raises(InputError, match="no identity on RCS"):
        project.contacts.remove_identity("C", "RCS")


def test_contacts_are_merged(api: Api, project: Project) -> None:
    merge = api.at(f"{PROJECT}/contacts/C:merge").will(200, {"id": "C"})
    assert project.contacts.merge("C", "D").id == "C"
    assert merge.seen[0].json == {"source_id": "D", "strategy": "MERGE"}


def test_contacts_and_consents_go_in_bulk_by_a_thousand(api: Api, project: Project) -> None:
    contacts, consents = api.at(f"{PROJECT}/contacts").will(200), api.at(f"{PROJECT}/consents")
    new = (contact(channel_identities=[identity("SMS", f"1201555{place:04}")]) for place in range(2500))
    assert list(project.contacts.create_many(new)) == [1000, 2000, 2500]
    assert [len(seen.json["contacts"]) for seen in contacts.seen] == [1000, 1000, 500]
    assert list(project.contacts.delete_many(f"c{place}" for place in range(1001))) == [1000, 1001]
    assert contacts.seen[-1].json == {"contact_ids": ["c1000"]}
    assert contacts.seen[-1].method == "DELETE"
    consents.will(200, {"batch_id": "B"}).will(403, {"error": {"code": 403, "status": "PERMISSION_DENIED"}})
    with pytest.raises(ReadFailed, match=r"PERMISSION_DENIED.* 1,000 were taken"):
        list(project.consents.add_many("A1", [record("12015550123", "OPT_OUT_ALL")] * 1001))
    assert consents.seen[0].json["app_id"] == "A1"


def test_what_may_have_been_done_is_not_done_again(api: Api, project: Project) -> None:
    contacts = api.at(f"{PROJECT}/contacts").will(0).will(503).will(429)
    new = contact(channel_identities=[identity("SMS", "12015550123")])
    for _ in range(2):
        with pytest.raises(ReadFailed, match="is not known: look"):
            project.contacts.create(new)
    with pytest.raises(Throttled):
        project.contacts.create(new)
    assert len(contacts.seen) == 3


def test_a_template_is_replaced_under_the_version_that_was_read(api: Api, project: Project) -> None:
    template = api.at(f"{TEMPLATES}/T").will(200, {"id": "T", "version": 3})
    english = {"language_code": "en-US", "text_message": {"text": "Hi ${name}"}}
    assert project.templates.update("T", 2, [english], default_translation="en-US").version == 3
    assert template.seen[0].method == "PUT"
    assert template.seen[0].json == {"version": 2, "default_translation": "en-US", "translations": [english]}
    api.at(f"{TEMPLATES}/T/translations").will(200, {"translations": [{**english, "version": "1"}]})
    (found,) = project.templates.translations("T", language_code="en-US")
    assert found.as_dict()["text_message"] == {"text": "Hi ${name}"}


def test_the_last_messages_are_followed_page_by_page(api: Api, project: Project) -> None:
    last = api.at(f"{PROJECT}/messages:fetch-last-message")
    last.will(200, {"messages": [{"id": "1"}], "next_page_token": "T"}).will(200, {"messages": [{"id": "2"}]})
    assert [each.id for each in project.messages.last("A1", channel_identities=["12015550123"])] == ["1", "2"]
    assert [seen.json.get("page_token") for seen in last.seen] == [None, "T"]


def test_asking_and_sending(api: Api, project: Project) -> None:
    whom = recipient(identities=[identity("RCS", "12015550123")])
    events = api.at(f"{PROJECT}/events:send").will(200, {"event_id": "E", "accepted_time": "2024-06-18T12:34:56Z"})
    assert project.events.send("A1", whom, "composing_event", channel="RCS").event_id == "E"
    assert events.seen[0].json == {
        "app_id": "A1",
        "recipient": whom,
        "event": {"composing_event": {}},
        "channel_priority_order": ["RCS"],
    }
    api.at(f"{PROJECT}/capability:query").will(200, {"app_id": "A1", "request_id": "R"})
    assert project.capability.query("A1", whom).request_id == "R"
    api.at(f"{PROJECT}/messages:transcode").will(200, {"transcoded_message": {"SMS": "Hi"}})
    assert project.messages.transcode("A1", {"text_message": {"text": "Hi"}}, ["SMS"]) == {"SMS": "Hi"}
    api.at(f"{PROJECT}/contacts:getChannelProfile").will(200, {"profile_name": "Ada"})
    assert project.channel_profiles.name("A1", recipient(contact_id="C"), "MESSENGER") == "Ada"
    audit = api.at(f"{PROJECT}/apps/A1/consents/identities/12015550123")
    audit.will(200, {"audit_records": [{"operation": "OPERATION_INSERT", "list_type": "OPT_OUT_ALL"}]})
    assert project.consents.audit("A1", "+12015550123").audit_records[0].list_type == "OPT_OUT_ALL"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda p: list(p.contacts.list(page_size=21)), "page_size is 21; the API takes 1 to 20"),
        (lambda p: list(p.messages.list(page_size=1001)), "page_size is 1,001"),
        (lambda p: list(p.contacts.list(channel="SMS")), "both together"),
        (lambda p: list(p.contacts.list(channel="SMS", identity="1", external_id="2")), "either by it"),
        (lambda p: p.contacts.update("C", metadata="x" * 1025), "metadata has 1,025 characters; .* up to 1,024"),
        (lambda p: p.contacts.update("C"), "Nothing is to be changed"),
        (lambda p: identity("LINE", "x"), "belongs to an app"),
        (lambda p: contact(channel_identities=[]), "channel_identities is missing"),
        (lambda p: p.contacts.merge("C", "C"), "into itself"),
        (lambda p: list(p.conversations.list()), "app_id or contact_id"),
        (lambda p: p.conversations.create("A1", "C", correlation_id="x" * 129), "correlation_id has 129"),
        (lambda p: p.messages.set_metadata("M", "x" * 1025), "metadata has 1,025"),
        (lambda p: list(p.messages.list(source="DISPATCH_SOURCE", contact_id="C")), "CONVERSATION_SOURCE only"),
        (lambda p: p.messages.transcode("A1", {}, []), "channels is missing"),
        (lambda p: p.webhooks.create("A1", "https://x.example.com/" + "x" * 742, ["OPT_IN"]), "target has 764"),
        (lambda p: p.webhooks.create("A1", "https://conversation-api.eu.sinch.com/x", ["OPT_IN"]), "of its own"),
        (lambda p: p.webhooks.create("A1", "https://x.example.com", []), "triggers is missing"),
        (lambda p: p.webhooks.create("A1", "https://x.example.com", ["OPT_INN"]), "triggers is 'OPT_INN'"),
        (lambda p: p.apps.update("A1", dispatch_retention_days=8), "ttl_days is 8; the API takes 0 to 7"),
        (lambda p: p.apps.update("A1", retention_policy=("MESSAGE_EXPIRE_POLICY", 0)), "1 to 3,650"),
        (lambda p: p.apps.sign_channel("A1", "SMS", "x" * 257), "callback_secret has 257"),
        (lambda p: bearer("LINE", "x", "y"), "channel is 'LINE'; the API knows SMS, RCS"),
        (lambda p: list(p.consents.list("A1", "OPT_OUT")), "list_type is 'OPT_OUT'"),
        (lambda p: p.templates.update("T", 0, [{"language_code": "en"}], default_translation="en"), "version is 0"),
        (lambda p: p.templates.create([{"language_code": "en"}], default_translation="sv"), "the API knows en"),
        (lambda p: p.channel_profiles.name("A1", {}, "SMS"), "MESSENGER, INSTAGRAM, VIBER, LINE"),
        (lambda p: p.events.send("A1", {}, "dancing_event"), "event is 'dancing_event'"),
        (lambda p: recipient(), "either a contact's id, or"),
    ],
)
def test_limits_are_told_before_the_api_is_asked(
    api: Api, project: Project, wrong: Callable[[Project], Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        wrong(project)
    assert api.seen == []


def test_a_message_is_injected_only_within_thirty_days(api: Api, project: Project) -> None:
    inject = api.at(f"{PROJECT}/conversations/C:inject-message").will(200)
    now = datetime(2026, 6, 1, tzinfo=UTC)

    def put(at: datetime) -> None:
        project.conversations.inject_message(
            "C",
            message={"text_message": {"text": "Hi"}},
            direction="TO_APP",
            channel_identity=identity("SMS", "12015550123"),
            contact_id="P",
            accept_time=at,
            now=now,
        )

    put(now - timedelta(days=30))
    assert inject.seen[0].json["contact_message"] == {"text_message": {"text": "Hi"}}
    assert inject.seen[0].json["accept_time"] == "2026-05-02T00:00:00.000Z"
    for at in (now - timedelta(days=30, seconds=1), now + timedelta(seconds=1)):
        with pytest.raises(InputError, match="accept_time"):
            put(at)


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (404, {"code": 404, "message": "information not found", "status": "NOT_FOUND"}, NotFound, "the region eu"),
        (401, {"error": {"code": 401, "message": "Bad", "status": "UNAUTHENTICATED"}}, ReadRefused, "key_secret"),
        (403, {"code": 403, "message": "No access", "status": "UNAUTHORIZED"}, ReadRefused, "UNAUTHORIZED: No access"),
        (400, {"type": "x", "title": "Wrong", "detail": "no +12015550123"}, ReadRefused, r"400: no \(number\)"),
    ],
)
def test_refusals_are_told_in_the_api_s_words_without_numbers(
    api: Api, project: Project, status: int, body: Any, error: type[ConnectorError], words: str
) -> None:
    api.at(f"{PROJECT}/contacts/C").will(status, body)
    with pytest.raises(error, match=words):
        project.contacts.get("C")
