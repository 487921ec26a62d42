"""Fixtures that every folder of tests may use; the kits beside this file are importable from all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sending_kit import Host, hosting


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A folder for a ledger, with simulated service plans and connectors that end with the test."""
    yield from hosting(tmp_path)
