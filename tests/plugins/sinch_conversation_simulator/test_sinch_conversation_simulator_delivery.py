from collections.abc import Callable
from typing import Any

import pytest
from callback_receiver import Receiver
from connector_sinch.conversation.simulator import SIMULATOR
from project_client import ANNA, BERT, TEMPLATE, TEXT, Project, course, on, told
from pydantic import ValidationError

Projects = Callable[..., Project]

REJECTED = "FAILED:CHANNEL_REJECT"
NO_WHATSAPP = {"WHATSAPP": {"outcomes": {REJECTED: 1}}}
BOTH = on(ANNA, "WHATSAPP", "SMS")
TEMPLATE_OR_TEXT = {**TEMPLATE, "explicit_channel_omni_message": {"SMS": TEXT}}


@pytest.mark.parametrize(
    ("outcome", "channel", "ends"),
    [
        ("DELIVERED", "SMS", ["DELIVERED"]),
        ("READ", "RCS", ["DELIVERED", "READ"]),
        ("READ", "SMS", ["DELIVERED"]),
        ("QUEUED_ON_CHANNEL", "SMS", []),
        ("FAILED:RECIPIENT_NOT_REACHABLE", "SMS", ["FAILED"]),
    ],
)
def test_a_message_comes_to_its_end(
    project: Projects, receiver: Receiver, outcome: str, channel: str, ends: list[str]
) -> None:
    project = project(webhook_url=receiver.url, outcomes={outcome: 1})
    project.send(recipient=on(ANNA, channel))
    assert [status for _, status, *_ in course(receiver)] == ["QUEUED_ON_CHANNEL", *ends]


def test_a_failure_has_its_reason(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, outcomes={REJECTED: 1})
    project.send()
    reason = told(receiver, "message_delivery_report")[-1]["reason"]
    assert reason.pop("description")
    assert reason == {"code": "CHANNEL_REJECT", "sub_code": "UNSPECIFIED_SUB_CODE", "channel_code": ""}


def test_a_message_falls_back_to_the_next_channel(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, channels=NO_WHATSAPP)
    project.send(recipient=BOTH, message=TEMPLATE_OR_TEXT)
    assert course(receiver) == [
        ("WHATSAPP", "QUEUED_ON_CHANNEL"),
        ("WHATSAPP", "SWITCHING_CHANNEL", "CHANNEL_REJECT"),
        ("SMS", "QUEUED_ON_CHANNEL"),
        ("SMS", "DELIVERED"),
    ]
    assert len({report["message_id"] for report in told(receiver, "message_delivery_report")}) == 1
    assert project.account()["accepted_once"] == 1


def test_a_message_fails_where_no_channel_is_left(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, outcomes={REJECTED: 1})
    project.send(recipient=BOTH, message=TEMPLATE_OR_TEXT, ttl="60s")
    assert [status for _, status, *_ in course(receiver)] == [
        "QUEUED_ON_CHANNEL",
        "SWITCHING_CHANNEL",
        "QUEUED_ON_CHANNEL",
        "FAILED",
    ]


def test_the_order_of_the_request_goes_before_that_of_the_identities(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url)
    project.send(recipient=BOTH, channel_priority_order=["SMS", "WHATSAPP"])
    project.send(recipient=BOTH, message=TEMPLATE, channel_priority_order=["WHATSAPP"])
    project.send(recipient=on(ANNA, "SMS"), channel_priority_order=["RCS"])
    assert course(receiver) == [
        ("SMS", "QUEUED_ON_CHANNEL"),
        ("SMS", "DELIVERED"),
        ("WHATSAPP", "QUEUED_ON_CHANNEL"),
        ("WHATSAPP", "DELIVERED"),
        ("SMS", "FAILED", "NO_CHANNEL_IDENTITY_FOR_CONTACT"),
    ]


def test_outcomes_go_by_channel_number_and_country(project: Projects, receiver: Receiver) -> None:
    project = project(
        webhook_url=receiver.url,
        endings={BERT[-4:]: "FAILED:RATE_LIMITED"},
        countries={"SE": "FAILED:CHANNEL_FAILURE"},
        channels={"RCS": {"endings": {BERT[-4:]: "DELIVERED"}, "beginnings": {"1": "READ"}}},
    )
    for number, channel in ((ANNA, "SMS"), (BERT, "SMS"), ("46701740605", "SMS"), (ANNA, "RCS"), (BERT, "RCS")):
        project.send(recipient=on(number, channel))
    ends = [report for report in course(receiver) if report[1] != "QUEUED_ON_CHANNEL"]
    assert ends == [
        ("SMS", "DELIVERED"),
        ("SMS", "FAILED", "RATE_LIMITED"),
        ("SMS", "FAILED", "CHANNEL_FAILURE"),
        ("RCS", "DELIVERED"),
        ("RCS", "READ"),
        ("RCS", "DELIVERED"),
    ]


def test_free_messages_on_whatsapp_need_an_open_session_and_templates_do_not(
    project: Projects, receiver: Receiver
) -> None:
    project = project(webhook_url=receiver.url)
    project.send(recipient=on(ANNA, "WHATSAPP"))
    project.send(recipient=on(ANNA, "WHATSAPP"), message=TEMPLATE)
    project.written(**{"from": ANNA, "body": "Hi", "channel": "WHATSAPP"})
    project.send(recipient=on(ANNA, "WHATSAPP"))
    project.send(recipient=on(BERT, "WHATSAPP"))
    closed = ("WHATSAPP", "FAILED", "OUTSIDE_ALLOWED_SENDING_WINDOW")
    through = [("WHATSAPP", "QUEUED_ON_CHANNEL"), ("WHATSAPP", "DELIVERED")]
    assert course(receiver) == [closed, *through, *through, closed]


def test_a_session_closes_again(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, session_seconds=0)
    project.written(**{"from": ANNA, "body": "Hi", "channel": "WHATSAPP"})
    project.send(recipient=BOTH)
    assert course(receiver)[0] == ("WHATSAPP", "SWITCHING_CHANNEL", "OUTSIDE_ALLOWED_SENDING_WINDOW")
    assert course(receiver)[-1] == ("SMS", "DELIVERED")


@pytest.mark.parametrize(
    ("options", "fields", "reason"),
    [
        ({"failing": {"SMS": "The account is closed."}}, {}, "CHANNEL_BAD_CONFIGURATION"),
        ({"pending_seconds": 60}, {}, "CHANNEL_BAD_CONFIGURATION"),
        ({}, {"recipient": on("77", "KAKAOTALK")}, "CHANNEL_CONFIGURATION_MISSING"),
        ({}, {"recipient": on("anna", "SMS")}, "RECIPIENT_INVALID_CHANNEL_IDENTITY"),
        ({"app_channels": ["MMS"]}, {"recipient": on(ANNA, "MMS")}, "BAD_REQUEST"),
        (
            {},
            {
                "message": {"text_message": {"text": "x" * 161}},
                "channel_properties": {"SMS_MAX_NUMBER_OF_MESSAGE_PARTS": "1"},
            },
            "CHANNEL_REJECT",
        ),
        ({}, {"message": TEMPLATE}, "TEMPLATE_NOT_FOUND"),
        (
            {},
            {"message": {"template_message": {"omni_template": {"template_id": "none", "version": "1"}}}},
            "TEMPLATE_NOT_FOUND",
        ),
    ],
    ids=str,
)
def test_what_a_channel_does_not_take_fails_after_it_was_accepted(
    project: Projects, receiver: Receiver, options: dict[str, Any], fields: dict[str, Any], reason: str
) -> None:
    project = project(webhook_url=receiver.url, **options)
    project.send(**fields)
    ((_, status, code),) = course(receiver)
    assert (status, code) == ("FAILED", reason)


def test_a_channel_that_fails_says_why(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, failing={"SMS": "The account is closed."})
    project.send()
    assert told(receiver, "message_delivery_report")[0]["reason"]["description"] == "The account is closed."


FROM_SOON = {"from_second": 0.1, "failing": {"SMS": "The account was closed."}}


def state_of(project: Project) -> dict[str, str]:
    """The state of the app's first channel."""
    return project.get(f"apps/{project.app_id}")["channel_credentials"][0]["state"]


def test_a_channel_may_begin_to_fail_in_a_phase(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, phases=[FROM_SOON])
    assert state_of(project) == {"status": "ACTIVE", "description": ""}
    project.send()
    while state_of(project)["status"] == "ACTIVE":
        pass
    assert state_of(project) == {"status": "FAILING", "description": "The account was closed."}
    project.send()
    assert course(receiver)[-1] == ("SMS", "FAILED", "CHANNEL_BAD_CONFIGURATION")


def test_a_report_comes_after_its_delay(project: Projects, receiver: Receiver) -> None:
    project = project(webhook_url=receiver.url, report_delay_seconds=0.05, channels=NO_WHATSAPP)
    project.send(recipient=BOTH, message=TEMPLATE_OR_TEXT)
    assert course(receiver)[-1] == ("SMS", "DELIVERED")


@pytest.mark.parametrize(
    "options",
    [
        {"outcomes": {"DELIVERED:0": 1}},
        {"outcomes": {"FAILED": 1}},
        {"outcomes": {}},
        {"countries": {"XX": "DELIVERED"}},
        {"channels": {"PIGEON": {}}},
        {"channels": {"SMS": {"outcomes": {"LOST": 1}}}},
    ],
    ids=str,
)
def test_wrong_outcomes_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SIMULATOR.Options(**options)
