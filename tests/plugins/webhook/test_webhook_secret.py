"""What signs webhooks: 24 to 64 bytes in base64, and nothing that only looks like it."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from answering_api import Api, answering
from connector_webhook.settings import WebhookSettings
from connector_webhook.sink import WebhookSink
from standardwebhooks.webhooks import Webhook

from connector.extension.secret import Secret
from connector.http import Http
from connector.model.errors import SinkStopped
from connector.testing.sink_contract import sample_events


@pytest.fixture
def api() -> Iterator[Api]:
    with answering() as made:
        yield made.will(204)


@pytest.fixture
def http() -> Iterator[Http]:
    made = Http()
    yield made
    made.close()


def sink_with(api: Api, http: Http, *secrets: str) -> WebhookSink:
    settings: dict[str, Any] = {"url": api.url, "allow_private_addresses": True}
    references = [Secret(f"env:SECRET_{place}", lambda _, value=value: value) for place, value in enumerate(secrets)]
    return WebhookSink(WebhookSettings(secret=references, **settings), http)


def secret_of(count: int) -> str:
    return "whsec_" + base64.b64encode(bytes(range(100, 100 + count))).decode()


WRONG = [
    ("plain-secret", "not in base64"),
    ("my secret is not base64 at all!!", "not in base64"),
    ("whsec_åäö", "not in base64"),
    ("whsec_", "is too short"),
    (secret_of(1), "is too short"),
    (secret_of(23), "is too short"),
    (secret_of(65), "is too long"),
]


@pytest.mark.parametrize(("secret", "what"), WRONG)
def test_a_secret_that_is_none_is_told_and_stops_the_sink(api: Api, http: Http, secret: str, what: str) -> None:
    for secrets in ((secret,), (secret_of(24), secret)):
        sink = sink_with(api, http, *secrets)
        (result,) = sink.check()
        assert (result.name, result.ok) == ("secret", False)
        assert what in result.message and "24 to 64" in result.message
        assert secret.removeprefix("whsec_")[:4] not in result.message or secret == "whsec_"
        with pytest.raises(SinkStopped, match=what):
            sink.deliver(sample_events(1))
    assert api.seen == []


@pytest.mark.parametrize("secret", [secret_of(24), secret_of(64), secret_of(25).rstrip("="), secret_of(32)[6:]])
def test_a_secret_of_the_right_length_signs(api: Api, http: Http, secret: str) -> None:
    sink = sink_with(api, http, secret)
    assert [result.ok for result in sink.check()] == [True, None]
    assert sink.deliver(sample_events(1)) == []
    (seen,) = api.seen
    Webhook(secret).verify(seen.body, seen.headers)
