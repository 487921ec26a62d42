"""The catalogue of reasons, sub codes and HTTP errors."""

import pytest
from click.testing import CliRunner
from connector_sinch.conversation.codes import CODES, status_of

from connector.cli.main import cli
from connector.model.codes import Turn
from connector.model.event import Status, StatusCodeSource
from connector.model.outcome import Scope

REJECTED = {
    "RECIPIENT_INVALID_CHANNEL_IDENTITY",
    "RECIPIENT_NOT_OPTED_IN",
    "OUTSIDE_ALLOWED_SENDING_WINDOW",
    "CHANNEL_BAD_CONFIGURATION",
    "CHANNEL_CONFIGURATION_MISSING",
    "MEDIA_TYPE_UNSUPPORTED",
    "MEDIA_TOO_LARGE",
    "MEDIA_NOT_REACHABLE",
    "TEMPLATE_NOT_FOUND",
    "TEMPLATE_INSUFFICIENT_PARAMETERS",
    "TEMPLATE_NON_EXISTING_LANGUAGE_OR_VERSION",
    "DELIVERY_REJECTED_DUE_TO_POLICY",
    "CONTACT_NOT_FOUND",
    "BAD_REQUEST",
    "UNKNOWN_APP",
    "NO_CHANNEL_IDENTITY_FOR_CONTACT",
    "CHANNEL_REJECT",
    "NO_PERMISSION",
    "NO_PROFILE_AVAILABLE",
    "UNSUPPORTED_OPERATION",
}
FAILED = {
    "UNKNOWN",
    "INTERNAL_ERROR",
    "RATE_LIMITED",
    "RECIPIENT_NOT_REACHABLE",
    "CHANNEL_FAILURE",
    "NO_CHANNELS_LEFT",
    "DELIVERY_TIMED_OUT",
}
ONLY_IN_THE_NODE_SDK = {
    "INACTIVE_CREDENTIAL",
    "MESSAGE_EXPIRED",
    "MESSAGE_SPLIT_REQUIRED",
    "DELIVERY_REPORT_TIME_OUT",
}
SUB_CODES = {"UNSPECIFIED_SUB_CODE", "ATTACHMENT_REJECTED", "MEDIA_TYPE_UNDETERMINED", "INACTIVE_SENDER"}
HTTP = {
    *("400", "401", "403", "404", "408", "413", "429", "500", "501", "503"),
    *("INVALID_ARGUMENT", "INVALID_REQUEST", "UNAUTHENTICATED", "UNAUTHORIZED", "PERMISSION_DENIED", "NOT_FOUND"),
    *("BILLING_CREDIT_LIMIT_BREACHED", "RESOURCE_EXHAUSTED", "INTERNAL_ERROR"),
    *("invalid_client", "invalid_request", "unauthorized_client", "unsupported_grant_type"),
}


def codes_of(source: StatusCodeSource) -> set[str]:
    return {code for from_source, code in CODES if from_source is source}


def test_every_code_is_there():
    assert len(REJECTED | FAILED) == 27
    assert codes_of(StatusCodeSource.conversation) == REJECTED | FAILED | ONLY_IN_THE_NODE_SDK | SUB_CODES
    assert codes_of(StatusCodeSource.http) == HTTP
    assert {source for source, _ in CODES} == {StatusCodeSource.conversation, StatusCodeSource.http}


@pytest.mark.parametrize("key", CODES, ids=str)
def test_every_code_is_explained_in_a_sentence(key):
    entry = CODES[key]
    assert (entry.source, entry.code) == key
    assert entry.meaning.endswith(".")
    assert entry.meaning[0].isupper()
    assert entry.final


@pytest.mark.parametrize("reason", sorted(REJECTED))
def test_reasons_that_reject(reason):
    assert status_of(reason) is Status.rejected


@pytest.mark.parametrize("reason", [*sorted(FAILED | ONLY_IN_THE_NODE_SDK), "OF_NEXT_YEAR", "", None])
def test_reasons_that_fail(reason):
    assert status_of(reason) is Status.failed


def test_reasons_that_concern_more_than_one_message_say_so():
    wide = {code: entry.scope for (source, code), entry in CODES.items() if source is StatusCodeSource.conversation}
    assert {code for code, scope in wide.items() if scope is Scope.account} == {
        "CHANNEL_BAD_CONFIGURATION",
        "CHANNEL_CONFIGURATION_MISSING",
        "UNKNOWN_APP",
        "INACTIVE_CREDENTIAL",
    }
    assert {code for code, scope in wide.items() if scope is Scope.campaign} == {
        "TEMPLATE_NOT_FOUND",
        "TEMPLATE_NON_EXISTING_LANGUAGE_OR_VERSION",
    }


@pytest.mark.parametrize(
    ("source", "code", "turn", "retry"),
    [
        ("conversation", "RECIPIENT_NOT_OPTED_IN", Turn.recipient, False),
        ("conversation", "OUTSIDE_ALLOWED_SENDING_WINDOW", Turn.sender, False),
        ("conversation", "CHANNEL_FAILURE", Turn.nobody, True),
        ("conversation", "INTERNAL_ERROR", Turn.provider, True),
        ("conversation", "INACTIVE_SENDER", Turn.integrator, False),
        ("http", "404", Turn.integrator, False),
        ("http", "429", Turn.nobody, True),
        ("http", "500", Turn.provider, None),
    ],
)
def test_whose_turn_it_is_and_whether_to_try_again(source, code, turn, retry):
    entry = CODES[StatusCodeSource(source), code]
    assert (entry.turn, entry.retry) == (turn, retry)


@pytest.mark.parametrize("code", ["RECIPIENT_NOT_OPTED_IN", "recipient_not_opted_in", "conversation:INTERNAL_ERROR"])
def test_reasons_are_explained_on_the_command_line(code):
    told = CliRunner().invoke(cli, ["explain", code])
    assert told.exit_code == 0
    assert "sinch-conversation" in told.output
    assert "whose turn" in told.output
