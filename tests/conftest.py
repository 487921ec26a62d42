"""Fixtures that every folder of tests may use; the kits beside this file are importable from all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recording import Hiding, vcr_config_of
from sending_kit import Host, hosting


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A folder for a ledger, with simulated service plans and connectors that end with the test."""
    yield from hosting(tmp_path)


@pytest.fixture
def vcr_config(hiding: Hiding) -> dict[str, Any]:
    """How cassettes are recorded; each file of tests says what is hidden on its own, by `hiding`."""
    return vcr_config_of(hiding)


@pytest.fixture(autouse=True)
def _everything_on_the_cassette_is_asked_for(vcr: Any, record_mode: str) -> Iterator[None]:
    yield
    if vcr is not None and record_mode == "none":
        assert vcr.all_played
