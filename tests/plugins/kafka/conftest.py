"""A cluster with a topic of one partition, for these tests."""

from collections.abc import Iterator

import pytest
from kafka_kit import Cluster


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.close()
