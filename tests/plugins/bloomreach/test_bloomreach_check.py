"""What `connector check` says of a project: the same as delivery would, under the name of what is to be mended."""

from typing import Any

import pytest
from answering_api import Api
from connector_bloomreach.settings import BloomreachSettings
from connector_bloomreach.sink import Bloomreach

from connector.extension.secret import Secret
from connector.http import Http
from connector.model.errors import SinkStopped
from connector.testing.sink_contract import sample_events

CLOSED = "http://127.0.0.1:9"
"""Where nothing listens: the port of a service that nobody runs."""


def sink_at(url: str, http: Http) -> Bloomreach:
    token = Secret("env:TOKEN", lambda reference: "token")
    return Bloomreach(BloomreachSettings(base_url=url, project_token="project", api_token=token), http)


def test_an_answer_with_the_time_proves_the_address(api: Api, http: Http) -> None:
    api.will(200, {"success": True, "time": 1_764_000_000.25})
    proved, permission = sink_at(api.url, http).check()
    assert (proved.name, proved.ok, permission.ok) == ("address", True, None)
    assert [seen.path for seen in api.seen] == ["/track/v2/projects/project/system/time"]


@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b"", {}, [], {"success": True}, {"success": True, "time": "noon"}, {"time": 1.5}]
)
def test_what_answers_anything_is_not_the_platform(api: Api, http: Http, body: Any) -> None:
    api.will(200, body)
    (result,) = sink_at(api.url, http).check()
    assert (result.name, result.ok) == ("address", False)
    assert "check base_url" in result.message


REFUSALS = [
    (302, b"", "address", "HTTP 302"),
    (404, {"success": False, "error": "Not found"}, "address", "HTTP 404"),
    (402, b"<html>pay</html>", "address", "HTTP 402"),
    (401, {"success": False, "errors": ["Access key not found"]}, "credentials", "HTTP 401: Access key not found"),
    (403, {"success": False, "errors": ["invalid secret"]}, "credentials", "HTTP 403: invalid secret"),
    (400, {"success": False, "error": "Could not authenticate"}, "project", "Could not authenticate"),
    (200, {"success": False, "errors": ["invalid project id"]}, "project", "invalid project id"),
]


@pytest.mark.parametrize(("status", "body", "about", "words"), REFUSALS)
def test_check_and_delivery_say_the_same(api: Api, http: Http, status: int, body: Any, about: str, words: str) -> None:
    api.will(status, body)
    sink = sink_at(api.url, http)
    (result,) = sink.check()
    assert (result.name, result.ok) == (about, False)
    assert words in result.message
    with pytest.raises(SinkStopped) as caught:
        sink.deliver(sample_events(1))
    assert str(caught.value) == result.message


def test_a_request_that_is_refused_in_other_words_is_the_addresses(api: Api, http: Http) -> None:
    api.will(400, {"success": False, "error": "Unknown path"})
    (result,) = sink_at(api.url, http).check()
    assert (result.name, result.ok) == ("address", False)
    assert "HTTP 400: Unknown path" in result.message


def test_an_address_that_does_not_answer_is_not_called_wrong_credentials(http: Http) -> None:
    (result,) = sink_at(CLOSED, http).check()
    assert (result.name, result.ok, result.reached) == ("address", False, False)
    assert "can't be reached" in result.message and "base_url" in result.message
