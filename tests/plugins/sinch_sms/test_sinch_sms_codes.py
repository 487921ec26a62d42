"""The catalogue of codes."""

import pytest
from connector_sinch.sms.codes import CODES, source_of
from connector_sinch.sms.provider import SinchSms
from sinch_sms_kit import make_batch

from connector.model.codes import Turn
from connector.model.event import StatusCodeSource
from connector.model.outcome import Scope

SMPP = [
    *range(20),
    40,
    *range(50, 57),
    *range(60, 68),
    *range(70, 78),
    *range(100, 115),
    *range(150, 165),
    *range(200, 218),
    *range(250, 258),
    *range(300, 305),
    *range(310, 313),
    *range(320, 323),
    *range(330, 351),
    360,
    361,
    362,
    370,
    399,
]


def codes_of(source):
    return {code for (from_source, code) in CODES if from_source is source}


def test_every_code_of_a_delivery_report_is_there():
    assert codes_of(StatusCodeSource.report) == {str(code) for code in range(400, 419) if code != 409}
    assert codes_of(StatusCodeSource.smpp) == set(map(str, SMPP))
    assert len(SMPP) == 137


@pytest.mark.parametrize("key", CODES, ids=str)
def test_every_code_is_explained_in_a_sentence(key):
    entry = CODES[key]
    assert (entry.source, entry.code) == key
    assert entry.meaning.endswith(".")
    assert entry.meaning[0].isupper()


@pytest.mark.parametrize(
    ("code", "source"), [(0, "smpp"), (15, "smpp"), (399, "smpp"), (400, "report"), (418, "report"), (419, "smpp")]
)
def test_the_source_of_a_code(code, source):
    assert source_of(code) == source


def test_codes_that_concern_the_whole_account_say_so():
    wide = {entry.code for entry in CODES.values() if entry.scope is Scope.account and entry.source != "http"}
    assert wide == {"413", "60"}


def test_only_queued_and_dispatched_are_not_final():
    assert {entry.code for entry in CODES.values() if not entry.final} == {"400", "401"}


@pytest.mark.parametrize(
    ("source", "code", "turn", "retry"),
    [
        ("report", "405", Turn.sender, False),
        ("report", "404", Turn.nobody, True),
        ("report", "412", Turn.integrator, False),
        ("smpp", "150", Turn.recipient, False),
        ("smpp", "153", Turn.recipient, True),
        ("smpp", "322", Turn.provider, None),
        ("http", "401", Turn.integrator, False),
        ("http", "blocked_account", Turn.integrator, False),
    ],
)
def test_whose_turn_it_is_and_whether_to_try_again(source, code, turn, retry, make_provider):
    provider: SinchSms = make_provider()
    entry = provider.explain(source, code)
    assert entry is not None
    assert (entry.turn, entry.retry) == (turn, retry)


def test_a_402_of_a_report_is_not_an_http_402(make_provider):
    provider = make_provider()
    assert provider.explain("report", "402").meaning != provider.explain("http", "402").meaning


def test_an_unknown_code_has_no_meaning(make_provider):
    assert make_provider().explain("smpp", "20000") is None


TEMPORARY = {
    *(4, 14, 18, 40, 50, 51, 52, 56, 70, 71, 73, 74, 75, 76, 101, 102, 106, 107, 109, 111, 112, 114),
    *(153, 155, 158, 159, 161, 162, 164, 200, 201, 202, 203, 207, 210, 211, 212, 214, 215, 217),
    *(350, 360, 361, 362, 370, 399),
}
"""What a network treats as passing; everything else is for good, but for the two that aren't told."""


def test_codes_of_networks_say_whether_to_try_again():
    retry = {int(code): entry.retry for (source, code), entry in CODES.items() if source is StatusCodeSource.smpp}
    assert {code for code, again in retry.items() if again} == TEMPORARY
    assert {code for code, again in retry.items() if again is None} == {0, 322}


STATUSES = {"400", "401", "402", "403", "404", "405", "408", "413", "415", "429", "500", "503"}
WORDS = {
    "syntax_invalid_json": 400,
    "syntax_invalid_parameter_format": 400,
    "syntax_constraint_violation": 400,
    "unknown_group": 403,
    "unknown_campaign": 403,
    "missing_callback_url": 403,
    "illegal_number_type": 403,
    "llegal_number_type": 403,
    "blocked_account": 403,
    "batch_already_dispatched": 403,
    "conflict_group_name": 403,
    "conflict_send_at": 400,
    "invalid_client": 401,
    "invalid_request": 400,
    "unauthorized_client": 400,
    "unsupported_grant_type": 400,
}


def test_every_error_of_a_request_is_there():
    assert codes_of(StatusCodeSource.http) == STATUSES | set(WORDS)


@pytest.mark.parametrize(
    "word", [word for word in WORDS if word.startswith(("syntax", "unknown", "missing", "ill", "ll", "blocked"))]
)
def test_a_refusal_of_a_batch_concerns_whom_its_code_says(word, provider, api):
    """What the catalogue says of a code is what is done when a batch is refused with it."""
    api.will(WORDS[word], {"code": word, "text": "No."})
    assert provider.send(make_batch()).scope is CODES[StatusCodeSource.http, word].scope


def test_a_code_alone_is_found_in_every_catalogue_that_has_it():
    found = {code: {source for source, each in CODES if each == code} for code in ("402", "15", "syntax_invalid_json")}
    assert found == {"402": {"http", "report"}, "15": {"smpp"}, "syntax_invalid_json": {"http"}}
