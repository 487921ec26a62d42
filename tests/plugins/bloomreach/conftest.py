"""Doubles of the SMS API and of Bloomreach, for these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from answering_api import Api, answering
from bloomreach_kit import Project, running_project
from sending_kit import Host, Plan, hosting

from connector.http import Http


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield from hosting(tmp_path)


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


@pytest.fixture
def project() -> Iterator[Project]:
    with running_project() as made:
        yield made


@pytest.fixture
def api() -> Iterator[Api]:
    with answering() as made:
        yield made


@pytest.fixture
def http() -> Iterator[Http]:
    made = Http()
    yield made
    made.close()
