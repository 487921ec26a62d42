"""A ready provider of the Conversation API, and an API on loopback that only answers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina
from answering_api import Api, answering
from connector_sinch.conversation.provider import SinchConversation
from connector_sinch.conversation.settings import ConversationSettings
from conversation_stage import Stage, staging
from sinch_conversation_kit import KEY_SECRET, TOKEN, TOKENS, secret, settings

from connector.extension import Integration
from connector.http import Http


@pytest.fixture
def api() -> Iterator[Api]:
    with answering() as told:
        told.at(TOKENS).will(200, TOKEN)
        yield told


@pytest.fixture
def http() -> Iterator[Http]:
    made = Http()
    yield made
    made.close()


@pytest.fixture
def make_provider(http: Http, api: Api) -> Callable[..., SinchConversation]:
    def make(**more: Any) -> SinchConversation:
        given = {**settings(api), "key_secret": secret(KEY_SECRET), **more}
        del given["provider"]
        return SinchConversation(Integration("conv", ConversationSettings(**given)), http)

    return make


@pytest.fixture
def provider(make_provider: Callable[..., SinchConversation]) -> SinchConversation:
    return make_provider()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    with staging(tmp_path) as start:
        yield start


@pytest.fixture(autouse=True)
def _reads_are_not_waited_for() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield
