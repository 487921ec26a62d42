from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from callback_receiver import Receiver, receiving
from letter_simulator import LetterSimulator

from connector.simulator import running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def letters() -> Iterator[Callable[..., httpx.Client]]:
    """Starts the letter simulator with some options; gives a client to it."""
    with ExitStack() as stack:

        def start(**options: Any) -> httpx.Client:
            options.setdefault("outcomes", {"Delivered:0": 1})
            base_url = stack.enter_context(running(LetterSimulator(), LetterSimulator.Options(**options)))
            return stack.enter_context(httpx.Client(base_url=base_url, timeout=40))

        yield start
