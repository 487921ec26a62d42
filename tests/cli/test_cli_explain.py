"""`connector explain`."""

import json

import pytest
from click.testing import CliRunner, Result
from connector_sinch.sms.codes import CODES

from connector.cli.main import cli
from connector.model.codes import Turn
from connector.model.event import StatusCodeSource
from connector.model.outcome import Scope
from connector.model.words import SCOPES, TOLD_BY, TURNS, retry


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["explain", *arguments])


def test_a_number_of_two_catalogues_is_explained_twice() -> None:
    result = explain("402")
    assert result.exit_code == 0
    for source in (StatusCodeSource.report, StatusCodeSource.http):
        assert f"{source}:402" in result.stdout.splitlines()
        assert CODES[source, "402"].meaning in result.stdout
    found = json.loads(explain("402", "--json").stdout)["found"]
    assert {(each["provider"], each["source"]) for each in found} == {("sinch-sms", "report"), ("sinch-sms", "http")}
    assert found[0].keys() == {"provider", "code", "source", "meaning", "turn", "scope", "final", "retry"}


def test_the_one_that_is_meant_is_named_by_its_source() -> None:
    result = explain("Report:402")
    assert result.exit_code == 0
    assert CODES[StatusCodeSource.report, "402"].meaning in result.stdout
    assert CODES[StatusCodeSource.http, "402"].meaning not in result.stdout
    assert "whoever runs the campaign" in result.stdout
    assert "sending again  does not help" in result.stdout


def test_a_code_of_letters() -> None:
    result = explain("syntax_invalid_json")
    assert CODES[StatusCodeSource.http, "syntax_invalid_json"].meaning in result.stdout


def test_what_concerns_the_whole_account_ends_nobodys_message() -> None:
    assert "final          no: who is left waits until it is mended" in explain("http:402").stdout
    assert "final          yes" in explain("smpp:150").stdout


@pytest.mark.parametrize(
    ("code", "nearest"),
    [("syntax_invalid_jsn", "syntax_invalid_json"), ("4022", "402"), ("smpp:777777", None), ("klingon", None)],
)
def test_an_unknown_code_is_said_with_the_nearest(code: str, nearest: str | None) -> None:
    result = explain(code)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"knows a code {code}." in result.stderr
    assert nearest is None or nearest in result.stderr
    document = json.loads(explain(code, "--json").stdout)
    assert (document["code"], document["found"]) == (code, [])
    assert nearest is None or nearest in document["nearest"]


def test_an_unknown_source_is_wrong_usage() -> None:
    result = explain("reprt:402")
    assert (result.exit_code, result.stdout) == (2, "")
    assert 'did you mean "report"?' in result.stderr


def test_there_are_words_for_everything_that_a_catalogue_can_say() -> None:
    assert set(TURNS) == set(Turn)
    assert set(SCOPES) == set(Scope)
    assert set(TOLD_BY) == set(StatusCodeSource)
    assert len({retry(helps) for helps in (True, False, None)}) == 3
