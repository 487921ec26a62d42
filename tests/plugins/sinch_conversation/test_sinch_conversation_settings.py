"""Settings of an integration, where they lead, and what a campaign's message may be."""

import pytest
from connector_sinch.conversation.provider import SinchConversation
from connector_sinch.conversation.settings import ConversationSettings
from sinch_conversation_kit import secret

from connector.config.load import check_settings
from connector.config.message import message_faults
from connector.extension.plugins import Plugins
from connector.model.campaign import Message
from connector.model.errors import ConfigurationError

GIVEN = {"project_id": "p", "app_id": "a", "region": "br", "key_id": "k", "key_secret": secret("s")}


def test_every_region_has_its_hosts():
    settings = ConversationSettings(**GIVEN)
    assert settings.url == "https://br.conversation.api.sinch.com"
    assert settings.batch_url == "https://br.conversationbatch.api.sinch.com"
    assert settings.template_url == "https://br.template.api.sinch.com"
    assert settings.token_url == "https://auth.sinch.com/oauth2/token"


def test_a_simulator_serves_every_host_unless_one_has_its_own():
    settings = ConversationSettings(**GIVEN, base_url="http://127.0.0.1:9/", batch_base_url="http://127.0.0.1:8")
    assert (settings.url, settings.batch_url, settings.template_url) == (
        "http://127.0.0.1:9",
        "http://127.0.0.1:8",
        "http://127.0.0.1:9",
    )


def test_what_is_missing_is_named():
    table = {"provider": "sinch-conversation", "project_id": "p", "region": "de"}
    with pytest.raises(ConfigurationError) as thrown:
        check_settings({"integrations": {"conv": table}}, Plugins())
    places = {fault.place for fault in thrown.value.faults}
    names = ("app_id", "key_id", "key_secret", "region")
    assert places == {f"integrations.conv.{name}" for name in names}


def faults(provider: SinchConversation, message: dict) -> list[tuple[str, str]]:
    return [(fault.place, fault.message) for fault in message_faults(Message.model_validate(message), provider, "c")]


@pytest.mark.parametrize(
    "message",
    [
        {"text": "Hello"},
        {"text_message": {"text": "Hello"}},
        {"media_message": {"url": "https://shop.example/a.png"}},
        {"card_message": {"title": "Spring"}},
        {"carousel_message": {"cards": [{"title": "A"}, {"title": "B"}]}},
        {"choice_message": {"text_message": {"text": "Well?"}, "choices": [{"text_message": {"text": "Yes"}}]}},
        {"location_message": {"coordinates": {"latitude": 1, "longitude": 2.5}, "title": "Shop"}},
        {"list_message": {"title": "L", "sections": [{"title": "S", "items": [{"choice": {"title": "A"}}]}]}},
        {"template_message": {"channel_template": {"WHATSAPP": {"template_id": "t", "language_code": "en_US"}}}},
        {"template_message": {"omni_template": {"template_id": "t", "version": "1"}}},
        {"contact_info_message": {"name": {"full_name": "Shop"}, "phone_numbers": [{"phone_number": "12015550101"}]}},
        {"explicit_channel_message": {"KAKAOTALK": "{}"}},
        {"text": "x", "explicit_channel_omni_message": {"RCS": {"card_message": {"title": "T"}}}},
        {"text": "x", "channel_specific_message": {"WHATSAPP": {"message_type": "FLOWS", "message": {"flow_id": "1"}}}},
        {"text": "x", "channel_priority_order": ["NEWCHANNEL", "SMS"], "ttl": "3s", "queue": "HIGH_PRIORITY"},
        {"channel_priority_order": ["SMS"]},
    ],
)
def test_what_the_api_takes_is_taken(provider, message):
    assert faults(provider, message) == []


@pytest.mark.parametrize(
    ("message", "place", "words"),
    [
        ({"text_mesage": {"text": "x"}}, "message.text_mesage", "text_message"),
        ({"card_message": {"titel": "x"}}, "message.card_message.titel", "title"),
        ({"card_message": {"title": ""}}, "message.card_message.title", "empty"),
        ({"text": "x", "card_message": {"title": "y"}}, "message", "one kind"),
        ({"location_message": {"title": "x"}}, "message.location_message.coordinates", "missing"),
        ({"media_message": {"url": 7}}, "message.media_message.url", "Found 7"),
        ({"choice_message": {"choices": [{}]}}, "message.choice_message.choices[0]", "exactly one of"),
        ({"choice_message": {"choices": []}}, "message.choice_message.choices", "empty"),
        ({"carousel_message": {"cards": [{}] * 11}}, "message.carousel_message.cards", "11 entries"),
        ({"template_message": {}}, "message.template_message", "neither"),
        ({"template_message": {"omni_template": {"template_id": "t"}}}, "message.template_message", "version"),
        (
            {"template_message": {"channel_template": {"WHATSAPP": {"template_id": "t", "language_code": "en-US"}}}},
            "message.template_message",
            "en_US",
        ),
        (
            {"list_message": {"title": "L", "sections": [{"items": [{"product": {"id": "1", "marketplace": "m"}}]}]}},
            "message.list_message",
            "catalog_id",
        ),
        ({"text": "x", "ttl": "1s"}, "message.ttl", "3s"),
        ({"text": "x", "ttl": "1h"}, "message.ttl", "1h"),
        ({"text": "x", "queue": "FAST"}, "message.queue", "HIGH_PRIORITY"),
        ({"text": "x", "channel_priority_order": ["WHATSAP"]}, "message.channel_priority_order[0]", "WHATSAPP"),
        ({"text": "x", "channel_properties": {"A": "b" * 1025}}, "message.channel_properties.A", "1024"),
        ({"text": "x", "conversation_metadata": {"a": "b" * 2048}}, "message", "2,048"),
        ({"text": "x", "correlation_id": "c" * 129}, "message.correlation_id", "128"),
        ({"text": "x", "callback_url": "https://a.example"}, "message.callback_url", "no such key"),
        ({"card_message": {"title": "Hi ${name"}}, "message.card_message.title", "}"),
        ({"card_message": {"title": "Hi ${}"}}, "message.card_message.title", "names no parameter"),
    ],
)
def test_what_is_wrong_names_its_field(provider, message, place, words):
    ((found, sentence),) = faults(provider, message)
    assert found == place
    assert words in sentence


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"text": "Hello"}, "Hello"),
        ({"text_message": {"text": "Hello"}}, "Hello"),
        ({"text": "Hello", "channel_priority_order": ["WHATSAPP"]}, ""),
        ({"text": "Hello", "channel_priority_order": ["WHATSAPP", "SMS"]}, "Hello"),
        ({"card_message": {"title": "T"}}, ""),
        ({"text": "x", "explicit_channel_omni_message": {"SMS": {"text_message": {"text": "Short"}}}}, "Short"),
        ({"text": "x", "explicit_channel_omni_message": {"SMS": {"media_message": {"url": "u"}}}}, ""),
        ({"text": "x", "explicit_channel_message": {"SMS": "{}"}}, ""),
        ({"text": "x", "explicit_channel_message": {"RCS": "{}"}}, "x"),
        ({}, None),
        ({"channel_priority_order": ["SMS"], "ttl": "60s"}, None),
    ],
)
def test_the_text_whose_parts_count_is_what_goes_out_as_sms(provider, message, text):
    assert provider.text_of(Message.model_validate(message)) == text


def test_senders_are_those_of_sms(provider):
    assert provider.screen_sender("Shop") is None
    assert "12 characters" in provider.screen_sender("TwelveLetter")


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("01JC0NTACT000000000000000A", "contact:01JC0NTACT000000000000000A"),
        ("contact:any-id", "contact:any-id"),
        (" MESSENGER:7746490198930851 ", "MESSENGER:7746490198930851"),
        ("WHATSAPP:+1 201", None),
        ("WHATSAPP:+12015550101", "WHATSAPP:12015550101"),
        ("WHATSAPP:12", None),
        ("somebody", None),
        ("messenger:7746", None),
        ("MESSENGER:", None),
    ],
)
def test_addresses_that_are_no_numbers(provider, written, address):
    assert provider.address_of(written) == address


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("WHATSAPP:+12015550101 SMS:12015550101", ("WHATSAPP:12015550101", "SMS:12015550101")),
        ("MESSENGER:77, SMS:0046701740605;", ("MESSENGER:77", "SMS:46701740605")),
        ("MESSENGER:77 MESSENGER:77", ("MESSENGER:77",)),
        ("MESSENGER/another:77;MESSENGER/01JTESTAPP0000000000000000:78", ("MESSENGER:78",)),
        ('[{"channel": "MESSENGER", "identity": "77"}]', ("MESSENGER:77",)),
        ('{"channel": "LINE", "identity": "U1", "app_id": "01JTESTAPP0000000000000000"}', ("LINE:U1",)),
        ('[{"channel":"LINE","identity":"U1","app_id":"another"},{"channel":"LINE","identity":"U2"}]', ("LINE:U2",)),
        ('[{"channel":"SMS","identity":"+12015550101","app_id":"another"}]', ("SMS:12015550101",)),
        ('[{"channel":"LINE","identity":"U1","app_id":"another"}]', ()),
        ("MESSENGER:77 SMS:12", ()),
        ("MESSENGER", ()),
        ("[]", ()),
        ("[7]", ()),
        ('[{"channel": 7}]', ()),
        ("{", ()),
        (" ", ()),
    ],
)
def test_identities_of_one_person(provider, written, found):
    assert tuple(provider.identities_of(written)) == found
