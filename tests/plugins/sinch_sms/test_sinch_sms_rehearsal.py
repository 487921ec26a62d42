"""A rehearsed callback passes for the provider's, and people are told what they have to do in the dashboard."""

import pytest
from connector_sinch.signature import SIGNATURE
from connector_sinch.sms.provider import SinchSms
from sinch_sms_kit import NOW, OF_PROJECT, PLAN, secret

from connector.extension import Secret
from connector.model.callback import Request, Verdict
from connector.model.errors import ConfigurationError
from connector.model.event import Status
from connector.model.report import ReceiptKind, Report, ReportSource

SIGNED = {"callback_secret": secret("s")}
IN_CHANGE = {"callback_secret": [secret("new"), secret("old")]}
BASIC = {"callback_username": "user", "callback_password": secret("pass:wörd")}


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({}, Verdict.not_checked),
        (SIGNED, Verdict.genuine),
        (IN_CHANGE, Verdict.genuine),
        (BASIC, Verdict.genuine),
        (SIGNED | BASIC, Verdict.genuine),
    ],
    ids=["open", "signed", "in change", "basic", "both"],
)
def test_a_rehearsed_callback_is_as_genuine_as_one_of_the_provider(make_provider, settings, verdict):
    provider: SinchSms = make_provider(**settings)
    request = provider.rehearse("d1-0-0", NOW)
    assert provider.verify(request, now_seconds=NOW.timestamp()) is verdict
    assert (request.method, request.path) == ("POST", "")
    assert (SIGNATURE in request.headers) == ("callback_secret" in settings)
    assert ("authorization" in request.headers) == ("callback_username" in settings)
    # What it proves is that both ways are set right: each alone would do.
    for name in ("authorization", SIGNATURE):
        rest = {key: value for key, value in request.headers.items() if key != name}
        left = Request("POST", "", rest, request.body)
        if len(settings) == 3:
            assert provider.verify(left, now_seconds=NOW.timestamp()) is Verdict.genuine


def test_a_rehearsed_callback_is_a_report_on_a_batch_that_is_not_there(make_provider):
    provider: SinchSms = make_provider()
    request = provider.rehearse("d1-0-0", NOW)
    (receipt,) = provider.parse(Report(ReportSource.callback, request.body, NOW))
    assert (receipt.kind, receipt.status, receipt.final) == (ReceiptKind.message, Status.delivered, True)
    assert (receipt.batch_key, receipt.occurred_at, receipt.status_code) == ("d1-0-0", NOW, 0)
    assert receipt.recipient.startswith("1201555010")
    assert "REHEARSAL" in receipt.provider_batch_id


def test_two_rehearsals_are_signed_anew(make_provider):
    provider: SinchSms = make_provider(**SIGNED)
    assert provider.rehearse("a", NOW).headers != provider.rehearse("a", NOW).headers


def test_a_secret_that_cannot_be_read_is_told(make_provider):
    def absent(reference: str) -> str:
        raise ConfigurationError("The variable OF_TESTS is not set.")

    with pytest.raises(ConfigurationError, match="OF_TESTS"):
        make_provider(callback_secret=Secret("env:OF_TESTS", absent)).rehearse("a", NOW)


def test_replies_are_brought_by_the_dashboard(make_provider):
    address = "https://hooks.example.com/webhooks/x"
    told = make_provider().reply_guidance(address)
    assert all(words in told for words in (address, PLAN, "Service APIs", "Callback URLs", "Incoming URL"))
    assert address in make_provider(**OF_PROJECT).reply_guidance(address)


def test_who_sets_it_up_is_told_what_is_needed_and_what_else_there_is():
    for words in ("service plan", "API token", "Service APIs", "Access Keys", "sinch-conversation", "16 April 2026"):
        assert words in SinchSms.guidance
    assert SinchSms.supports("rehearse")
    assert SinchSms.supports("dry_run")
    assert SinchSms.supports("feedback")
    assert SinchSms.declines == {}
