"""What goes over the wire for a batch, by the Batch API and by messages:send."""

from datetime import timedelta

import pytest
from answering_api import Api
from connector_sinch.conversation.provider import SinchConversation
from pydantic_core import from_json
from sinch_conversation_kit import APP, MESSAGES, NOW, SEND, make_batch

from connector.model.campaign import Message
from connector.model.errors import Stopped
from connector.model.outcome import Accepted

BATCH_ID = "01JBATCH000000000000000000"
CARD = {"title": "For ${name}", "choices": [{"url_message": {"title": "Look", "url": "https://shop.example/${code}"}}]}


def sent(provider: SinchConversation, api: Api, batch):
    api.at(MESSAGES).will(200, {"batch_id": BATCH_ID})
    assert provider.send(batch) == Accepted(BATCH_ID)
    (seen,) = api.at(MESSAGES).seen
    assert seen.headers["authorization"] == "Bearer token-of-tests"
    return seen.json


def sent_alone(provider: SinchConversation, api: Api, batch):
    api.at(SEND).will(200, {"message_id": "01JMESSAGE", "accepted_time": "2026-11-23T09:30:00Z"})
    assert provider.send(batch) == Accepted("01JMESSAGE")
    (seen,) = api.at(SEND).seen
    return seen.json


def test_a_text_goes_to_many_in_one_request_with_each_ones_values(provider, api):
    batch = make_batch(
        {"text": "Hi ${name}", "defaults": {"name": "friend"}},
        [{"name": "Ada"}, {}],
        callback_url="https://hooks.example/x",
    )
    assert sent(provider, api, batch) == {
        "app_id": APP,
        "message": {"text_message": {"text": "Hi ${name}"}},
        "recipient_and_params": [
            {
                "recipient": {
                    "identified_by": {"channel_identities": [{"channel": "SMS", "identity": "+12015550101"}]}
                },
                "parameters": {"name": "Ada"},
                "message_metadata": {"batch": "d1-0-0", "message": "d1-0"},
            },
            {
                "recipient": {
                    "identified_by": {"channel_identities": [{"channel": "SMS", "identity": "+12015550102"}]}
                },
                "parameters": {"name": "friend"},
                "message_metadata": {"batch": "d1-0-0", "message": "d1-1"},
            },
        ],
        "batch_metadata": {"batch": "d1-0-0"},
        "channel_properties": {"SMS_SENDER": "Shop", "SMS_MAX_NUMBER_OF_MESSAGE_PARTS": "3"},
        "callback_url": "https://hooks.example/x",
    }


def test_a_message_that_came_by_itself_goes_alone_with_its_values_put_in(provider, api):
    body = sent_alone(provider, api, make_batch({"text": "Hi ${name}, $${code}"}, [{"name": "Ada"}], prompt=True))
    assert body["message"] == {"text_message": {"text": "Hi Ada, ${code}"}}
    assert body["recipient"]["identified_by"]["channel_identities"] == [{"channel": "SMS", "identity": "+12015550101"}]
    assert body["message_metadata"] == '{"batch":"d1-0-0","message":"d1-0"}'
    assert "recipient_and_params" not in body


def test_the_only_one_of_a_list_can_be_looked_up(provider, api):
    assert len(sent(provider, api, make_batch(None, [{}]))["recipient_and_params"]) == 1


def test_a_message_with_a_time_to_send_at_goes_by_the_batch_api(provider, api):
    body = sent(provider, api, make_batch(None, [{}], send_at=NOW + timedelta(minutes=10), prompt=True))
    assert body["send_after"] == "2026-11-23T09:40:00Z"


@pytest.mark.parametrize(
    "more",
    [
        {"queue": "HIGH_PRIORITY"},
        {"message_content_type": "CONTENT_NOTIFICATION"},
        {"correlation_id": "spring"},
        {"conversation_metadata_update_strategy": "MERGE_PATCH"},
    ],
)
def test_what_the_batch_api_does_not_take_goes_alone(provider, api, more):
    message = {"text": "Hello", **more}
    limits = provider.limits_of(Message.model_validate(message))
    assert (limits.batch_recipients, limits.schedules) == (1, False)
    body = sent_alone(provider, api, make_batch(message, [{}]))
    assert body.items() >= more.items()


def test_other_messages_travel_in_batches(provider):
    limits = provider.limits_of(Message.model_validate({"text": "Hello", "ttl": "60s"}))
    assert (limits.batch_recipients, limits.schedules, limits.requests_per_second) == (1000, True, 800)


def test_consent_management_says_what_kind_of_message_it_is(make_provider, api):
    provider = make_provider(consent_management=True)
    assert provider.limits_of(Message.model_validate({"text": "Hello"})).batch_recipients == 1
    assert sent_alone(provider, api, make_batch(None, [{}]))["message_content_type"] == "CONTENT_MARKETING"


def test_what_people_asked_for_is_a_notification(make_provider, api):
    body = sent_alone(make_provider(consent_management=True), api, make_batch(None, [{}], transactional=True))
    assert body["message_content_type"] == "CONTENT_NOTIFICATION"


def test_the_campaigns_own_content_type_comes_first(make_provider, api):
    batch = make_batch({"text": "Hello", "message_content_type": "CONTENT_UNKNOWN"}, [{}])
    assert sent_alone(make_provider(consent_management=True), api, batch)["message_content_type"] == "CONTENT_UNKNOWN"


def test_without_consent_management_nothing_is_said_of_the_kind(provider, api):
    assert "message_content_type" not in sent_alone(provider, api, make_batch(None, [{}], prompt=True))


def test_a_batch_that_was_planned_before_consent_management_is_not_sent(make_provider, api):
    with pytest.raises(Stopped, match="consent_management"):
        make_provider(consent_management=True).send(make_batch())
    assert api.seen == []


def test_parameters_are_found_in_every_field(provider, api):
    message = {"card_message": CARD, "channel_properties": {"RCS_WEBVIEW_MODE": "${mode}"}}
    rows = [{"name": "Ada", "code": "a1", "mode": "FULL"}, {"name": "Bo", "code": "b2", "mode": "HALF"}]
    body = sent(provider, api, make_batch(message, rows))
    assert body["message"] == {"card_message": CARD}
    assert [entry["parameters"] for entry in body["recipient_and_params"]] == rows
    assert body["channel_properties"]["RCS_WEBVIEW_MODE"] == "${mode}"


def test_a_message_in_the_channels_own_json_takes_values_with_quotes(provider, api):
    message = {"text": "Hi ${name}", "explicit_channel_message": {"KAKAOTALK": '{"text":"Hi ${name}"}'}}
    body = sent(provider, api, make_batch(message, [{"name": 'Ada "the first"'}, {"name": "Bo"}]))
    raw = body["message"]["explicit_channel_message"]["KAKAOTALK"]
    for entry, name in zip(body["recipient_and_params"], ['Ada "the first"', "Bo"], strict=True):
        filled = raw
        for wire, value in entry["parameters"].items():
            filled = filled.replace(f"${{{wire}}}", value)
        assert from_json(filled) == {"text": f"Hi {name}"}
    assert body["message"]["text_message"] == {"text": "Hi ${name}"}


def test_a_message_in_the_channels_own_json_alone_too(provider, api):
    message = {"text": "x", "explicit_channel_message": {"KAKAOTALK": '{"text":"Hi ${name}"}'}}
    body = sent_alone(provider, api, make_batch(message, [{"name": 'a\\"b\n'}], prompt=True))
    assert from_json(body["message"]["explicit_channel_message"]["KAKAOTALK"]) == {"text": 'Hi a\\"b\n'}


def test_odd_names_and_literal_marks_get_names_that_the_api_takes(provider, api):
    body = sent(provider, api, make_batch({"text": "${first name}: $${x} for $$5"}, [{"first name": "Ada"}] * 2))
    text = body["message"]["text_message"]["text"]
    for wire, value in body["recipient_and_params"][0]["parameters"].items():
        assert wire.isidentifier()
        text = text.replace(f"${{{wire}}}", value)
    assert text == "Ada: ${x} for $$5"


def test_whole_texts_of_the_platform_stand_in_place_of_the_message(provider, api):
    message = {"card_message": CARD, "ttl": "60s", "defaults": {"name": "n", "code": "c"}}
    body = sent(provider, api, make_batch(message, [{"text": "A ${b}"}, {"text": "C"}], own_texts=True))
    assert body["message"] == {"text_message": {"text": "${text}"}}
    assert [entry["parameters"]["text"] for entry in body["recipient_and_params"]] == ["A ${b}", "C"]
    assert body["ttl"] == "60s"


def test_channels_in_their_order_for_a_phone_number(provider, api):
    body = sent(provider, api, make_batch({"text": "Hello", "channel_priority_order": ["WHATSAPP", "SMS"]}))
    assert body["channel_priority_order"] == ["WHATSAPP", "SMS"]
    assert body["recipient_and_params"][0]["recipient"]["identified_by"]["channel_identities"] == [
        {"channel": "WHATSAPP", "identity": "+12015550101"},
        {"channel": "SMS", "identity": "+12015550101"},
    ]


def test_properties_of_sms_go_only_where_sms_is_tried(provider, api):
    message = {"text": "Hello", "channel_priority_order": ["WHATSAPP"]}
    assert "channel_properties" not in sent(provider, api, make_batch(message))


def test_the_campaigns_own_properties_come_first(provider, api):
    message = {"text": "Hello", "channel_properties": {"SMS_SENDER": "Own", "SMS_FLASH_MESSAGE": "true"}}
    assert sent(provider, api, make_batch(message))["channel_properties"] == {
        "SMS_SENDER": "Own",
        "SMS_MAX_NUMBER_OF_MESSAGE_PARTS": "3",
        "SMS_FLASH_MESSAGE": "true",
    }


def test_contacts_and_identities(provider, api):
    batch = make_batch(
        recipients=["contact:01JC", "MESSENGER:7746", "12015550101"],
        identities=[(), (), ("WHATSAPP:12015550101", "LINE:U1")],
    )
    entries = sent(provider, api, batch)["recipient_and_params"]
    assert [entry["recipient"] for entry in entries] == [
        {"contact_id": "01JC"},
        {"identified_by": {"channel_identities": [{"channel": "MESSENGER", "identity": "7746"}]}},
        {
            "identified_by": {
                "channel_identities": [
                    {"channel": "WHATSAPP", "identity": "+12015550101"},
                    {"channel": "LINE", "identity": "U1"},
                ]
            }
        },
    ]


@pytest.mark.parametrize(
    ("ttl", "expires_in", "send_in", "expected"),
    [
        (None, None, None, None),
        ("600s", None, None, "600s"),
        (None, 90, None, "90s"),
        ("600s", 90, None, "90s"),
        ("30s", 90, None, "30s"),
        (None, 1, None, "3s"),
        (None, 900, 600, "300s"),
    ],
)
def test_it_waits_no_longer_than_until_it_expires(provider, api, ttl, expires_in, send_in, expected):
    def at(seconds):
        return None if seconds is None else NOW + timedelta(seconds=seconds)

    message = {"text": "Hello"} | ({"ttl": ttl} if ttl else {})
    body = sent(provider, api, make_batch(message, expire_at=at(expires_in), send_at=at(send_in)))
    assert body.get("ttl") == expected


def test_conversation_metadata_stays_an_object(provider, api):
    message = {"text": "Hello", "conversation_metadata": {"of": "${name}"}}
    body = sent(provider, api, make_batch(message, [{"name": "Ada"}, {"name": "Bo"}]))
    assert body["conversation_metadata"] == {"of": "${name}"}
    body = sent_alone(provider, api, make_batch(message, [{"name": "Ada"}], prompt=True))
    assert body["conversation_metadata"] == {"of": "Ada"}


def test_the_first_message_is_translated_for_each_channel(provider, api):
    api.at("/v1/projects/project-of-tests/messages:transcode").will(
        200, {"transcoded_message": {"WHATSAPP": '{"type":"text"}'}}
    )
    message = {"text": "Hi ${name}", "channel_priority_order": ["WHATSAPP", "SMS"]}
    told = provider.dry_run(make_batch(message, [{"name": "Ada"}, {"name": "Bo"}]))
    assert (told.messages, told.parts, told.by_channel) == (2, None, {"WHATSAPP": '{"type":"text"}'})
    (seen,) = api.at("/v1/projects/project-of-tests/messages:transcode").seen
    assert seen.json == {
        "app_id": APP,
        "app_message": {"text_message": {"text": "Hi Ada"}},
        "channels": ["WHATSAPP", "SMS"],
        "from": "Shop",
    }
