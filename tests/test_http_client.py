"""What a client keeps to itself, and how much it takes of an answer."""

import gzip
import logging

import httpx
import pytest
from answering_api import answering

from connector.http import MOST_WORDS_BYTES, Http


def test_no_address_is_written_into_the_log_of_a_host(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    http = Http()
    with answering() as api:
        api.will(200, b"{}")
        client = http.client(api.url)
        client.get("/contacts", {"identity": "12015550123"})
        client.post_once("/batches", b"{}")
        client.post_events("/hook?token=of-somebody", b"{}", {})
        http.close()
        assert caplog.records == []
        # What the host asks itself is told as ever.
        httpx.get(f"{api.url}/of-the-host")
    assert "of-the-host" in caplog.text


@pytest.mark.parametrize("encoded", [False, True])
def test_of_what_a_platform_says_no_more_is_read_than_words_need(encoded: bool) -> None:
    http = Http()
    words = b"x" * (3 * MOST_WORDS_BYTES)
    with answering() as api:
        if encoded:
            api.will(200, gzip.compress(words), content_encoding="gzip")
        else:
            api.will(200, words)
        answer = http.client(api.url).post_events("/hook", b"{}", {})
        http.close()
    assert (answer.status, len(answer.body)) == (200, MOST_WORDS_BYTES)
