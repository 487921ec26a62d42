"""The catalogue of codes."""

import pytest
from connector_sinch.sms.codes import CODES, source_of
from connector_sinch.sms.provider import SinchSms

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
