"""A provider that a test scripts, a clock that it sets, and a connector on both."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from receiving_kit import Api, Clock, connect

from connector.connector import Connector


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connector(tmp_path: Path, api: Api, clock: Clock) -> Iterator[Connector]:
    with connect(tmp_path, api, clock) as made:
        yield made
