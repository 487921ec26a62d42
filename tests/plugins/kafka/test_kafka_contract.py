"""The contract of sinks, kept by `kafka`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import KafkaError
from connector_kafka.sink import Kafka
from kafka_kit import Cluster, settings_of

from connector.testing.sink_contract import SinkContract


class TestKafka(SinkContract):
    offered = Kafka

    @pytest.fixture(autouse=True)
    def _beside(self, cluster: Cluster) -> None:
        self.cluster = cluster

    @property
    def settings(self) -> dict[str, Any]:
        return settings_of(self.cluster)

    def received(self) -> Sequence[str]:
        return [event["id"] for event in self.cluster.events()]

    @contextmanager
    def away(self) -> Iterator[None]:
        self.cluster.say_of_the_topic(KafkaError.TOPIC_AUTHORIZATION_FAILED)
        yield
        self.cluster.say_of_the_topic(0)
