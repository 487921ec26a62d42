from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from callback_receiver import Receiver, receiving
from connector_sinch.conversation.simulator import SIMULATOR
from project_client import Project

from connector.simulator import running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@contextmanager
def starting() -> Iterator[Callable[..., Project]]:
    with ExitStack() as stack:

        def start(**options: Any) -> Project:
            options.setdefault("outcomes", {"DELIVERED": 1})
            options.setdefault("retry_seconds", 0.01)
            options.setdefault("callbacks_per_second", 10_000)
            # One after the other, so that they come in their order.
            options.setdefault("callback_connections", 1)
            checked = SIMULATOR.Options(**options)
            base_url = stack.enter_context(running(SIMULATOR, checked))
            http = stack.enter_context(
                httpx.Client(base_url=base_url, auth=(checked.key_id, checked.key_secret), timeout=40)
            )
            return Project(http, checked)

        yield start


@pytest.fixture
def project() -> Iterator[Callable[..., Project]]:
    """Starts a simulated project with some options; gives a client to it."""
    with starting() as start:
        yield start


@pytest.fixture(scope="module")
def unchanged() -> Iterator[Project]:
    """A project in conversation mode, for what changes nothing in it: one for all of a module's tests."""
    with starting() as start:
        yield start(processing_mode="CONVERSATION")
