"""A Kafka cluster as librdkafka brings it along for tests, with faults, and what was written to it."""

import ctypes
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition, cimpl

TOPIC = "campaign-events"
PRODUCE, IDEMPOTENCE = 0, 22
"""Requests of the protocol by their numbers."""

_Pointer = ctypes.c_void_p
_LIBRARY = ctypes.CDLL(cimpl.__file__)
_LIBRARY.rd_kafka_new.restype = _Pointer
_LIBRARY.rd_kafka_conf_new.restype = _Pointer
_LIBRARY.rd_kafka_mock_cluster_new.restype = _Pointer
_LIBRARY.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p


class Cluster:
    """One broker that speaks the protocol, in this process."""

    def __init__(self, *, partitions: int = 1) -> None:
        settings = _Pointer(_LIBRARY.rd_kafka_conf_new())
        # Nothing is written by the client that the cluster hangs on, and nothing logged.
        for name, value in ((b"log_level", b"0"), (b"bootstrap.servers", b"127.0.0.1:9")):
            _LIBRARY.rd_kafka_conf_set(settings, name, value, None, 0)
        self._client = _Pointer(_LIBRARY.rd_kafka_new(0, settings, None, 0))
        self._cluster = _Pointer(_LIBRARY.rd_kafka_mock_cluster_new(self._client, 1))
        self.servers = _LIBRARY.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        assert _LIBRARY.rd_kafka_mock_topic_create(self._cluster, TOPIC.encode(), partitions, 1) == 0

    def close(self) -> None:
        _LIBRARY.rd_kafka_mock_cluster_destroy(self._cluster)
        _LIBRARY.rd_kafka_destroy(self._client)

    def answer(self, request: int, *errors: int) -> None:
        """Have the next requests of a kind answered with these errors."""
        listed = (ctypes.c_int * len(errors))(*errors)
        _LIBRARY.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(request), ctypes.c_size_t(len(errors)), listed
        )

    def say_of_the_topic(self, error: int) -> None:
        """Have everybody who asks for the topic answered with this error; 0: with what is right."""
        _LIBRARY.rd_kafka_mock_topic_set_error(self._cluster, TOPIC.encode(), error)

    @contextmanager
    def down(self) -> Iterator[None]:
        _LIBRARY.rd_kafka_mock_broker_set_down(self._cluster, ctypes.c_int32(1))
        yield
        _LIBRARY.rd_kafka_mock_broker_set_up(self._cluster, ctypes.c_int32(1))

    def written(self) -> list[Message]:
        """What is in the topic, partition by partition."""
        settings = {"bootstrap.servers": self.servers, "group.id": "test", "fetch.wait.max.ms": 10, "log_level": 0}
        consumer = Consumer(settings)
        try:
            found: list[Message] = []
            for partition in consumer.list_topics(TOPIC, timeout=60).topics[TOPIC].partitions:
                place = TopicPartition(TOPIC, partition, 0)
                _, end = consumer.get_watermark_offsets(place, timeout=60)
                consumer.assign([place])
                came: list[Message] = []
                while not came or (last := came[-1].offset()) is None or last < end - 1:
                    if not end:
                        break
                    message = consumer.poll(60)
                    assert message is not None and message.error() is None
                    came.append(message)
                found += came
            return found
        finally:
            consumer.close()

    def events(self) -> list[dict[str, Any]]:
        """The same, as CloudEvents."""
        return [json.loads(message.value() or b"") for message in self.written()]


def settings_of(cluster: Cluster, **settings: Any) -> dict[str, Any]:
    """A sink's table for it."""
    given = {"bootstrap_servers": cluster.servers, "topic": TOPIC, "tls": False, "request_timeout_seconds": 60}
    return {**given, **settings}
