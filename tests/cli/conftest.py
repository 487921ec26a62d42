from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli_kit import CAMPAIGN, SIMULATOR, Desk

from connector.simulator import running


@pytest.fixture
def open_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Desk]]:
    """Makes a folder to work in, beside a simulator with some options."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:

        def make(**given: Any) -> Desk:
            given.setdefault("outcomes", {"Delivered:0": 1})
            options = SIMULATOR.Options(**given)
            base_url = stack.enter_context(running(SIMULATOR, options))
            http = stack.enter_context(httpx.Client(base_url=base_url, timeout=40))
            desk = Desk(tmp_path, base_url, options, http, dict(SIMULATOR.secrets(options)))
            desk.configure()
            desk.write("campaign.toml", CAMPAIGN)
            return desk

        yield make


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """A folder to work in; everybody who is messaged gets the message."""
    return open_desk()
