"""A topic of a cluster: records are written, and waited for until the brokers have them.

The only module that knows `confluent_kafka`; imported when it is first used, as the library is optional and slow to
import. Source: librdkafka's "Introduction" (idempotent producer, errors) and "Configuration properties".
"""

import ctypes
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from connector.model.errors import NotTaken, SinkStopped
from connector_kafka.settings import KafkaSettings

logger = logging.getLogger("connector.kafka")

STOPPING = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.ILLEGAL_SASL_STATE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.TOPIC_EXCEPTION,
    }
)
"""A person has to mend credentials, permissions, the topic or a setting."""

REFUSING = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.POLICY_VIOLATION,
    }
)
"""The brokers will never take it as it is."""

VAGUE = frozenset({KafkaError._MSG_TIMED_OUT, KafkaError._TIMED_OUT, KafkaError._TRANSPORT})
"""Why it is so was said before."""

FILES = {
    "ca_file": "ssl.ca.location",
    "certificate_file": "ssl.certificate.location",
    "key_file": "ssl.key.location",
}
"""Settings that name a file, by the library's names for them."""

WRONG = {
    "ca_file": "it holds no certificate",
    "certificate_file": "it holds no certificate",
    "key_file": "it holds no key, that of another certificate, or one that key_password doesn't open",
}
"""What the library means when it refuses such a file."""

LONGEST_FOR_A_NEW_TOPIC_SECONDS = 10.0
FIRST_LOOK_SECONDS = 0.5
SILENT = "Kafka says nothing of the topic"

_Client = TypeVar("_Client", Producer, AdminClient)


@dataclass(frozen=True, slots=True)
class Record:
    """What is written: those with the same key are in one partition."""

    key: bytes
    value: bytes
    headers: Mapping[str, bytes]


class Topic:
    """Writes to one topic, with `acks=all` and without repeats of the library's own.

    After `write` has raised it is of no use any more.
    """

    def __init__(self, settings: KafkaSettings, user: tuple[str, str] | None, key_password: str | None) -> None:
        """`user`: name and password; `key_password` opens the key of the certificate.

        Raises `SinkStopped` where a file that the settings name can't be read.
        """
        self._name = settings.topic
        self._timeout_seconds = settings.request_timeout_seconds
        self._connection = {**_connection(settings, user, key_password), "error_cb": self._note}
        self._producer: Producer | None = None
        self._words = ""
        """What the brokers, or the way to them, said last."""
        self._final: KafkaError | None = None
        """What nothing can be written after."""

    def write(self, records: Sequence[Record], taken: Callable[[int], object]) -> list[str | None]:
        """Write records whose keys differ; of each, why the brokers will never take it, or None.

        `taken` is called with the place of each that they have. Raises `NotTaken` when others are to come again,
        `SinkStopped` when a person has to do something first.
        """
        producer = self._producing()
        ends = self._written(producer, dict(enumerate(records)), taken)
        refused = {place for place, error in ends.items() if error is not None}
        if len(records) > 1:
            # They travel in batches, which are refused as a whole: which of them is to blame isn't said.
            for place in refused:
                ends |= self._written(producer, {place: records[place]}, taken)
        return [None if error is None else f"Kafka refused it: {_said(error)}." for _, error in sorted(ends.items())]

    def _written(
        self, producer: Producer, records: Mapping[int, Record], taken: Callable[[int], object]
    ) -> dict[int, KafkaError | None]:
        """By their places, records that are taken, or refused with an error."""
        ends: dict[int, KafkaError | None] = {}

        def ended(place: int, error: KafkaError | None) -> None:
            ends[place] = error
            if error is None:
                taken(place)

        try:
            for place, record in records.items():

                def told(error: KafkaError | None, message: Message, place: int = place) -> None:
                    ended(place, error)

                try:
                    producer.produce(
                        self._name, record.value, record.key, on_delivery=told, headers=dict(record.headers)
                    )
                except KafkaException as error:
                    # Too long to travel.
                    ended(place, error.args[0])
            while len(ends) < len(records) and self._final is None:
                # Unlike polling it sends the last ones at once.
                producer.flush(1.0)
        except KafkaException as error:
            self._final = error.args[0]
        failed = [error for error in ends.values() if error is not None and error.code() not in REFUSING]
        if self._final is not None or failed:
            raise self._failure("Kafka has not taken all events", [*filter(None, [self._final]), *failed])
        return ends

    def partitions(self) -> int:
        """In how many partitions the topic is; asks without writing or making anything.

        Raises `NotTaken` when nothing answers, `SinkStopped` when a person has to do something first.
        """
        asking = _made(AdminClient, self._connection)
        until = time.monotonic() + self._timeout_seconds
        patience = FIRST_LOOK_SECONDS
        while True:
            left = until - time.monotonic()
            try:
                found = asking.list_topics(self._name, timeout=max(0.01, min(patience, left))).topics[self._name]
            except KafkaException as error:
                # Why nothing answers is told beside.
                asking.poll(0)
                if self._final is not None or left <= patience:
                    raise self._failure(SILENT, [self._final or error.args[0]]) from error
                patience *= 2
                continue
            if found.error is not None:
                raise self._failure(SILENT, [found.error])
            return len(found.partitions)

    def close(self) -> None:
        """Let go of it, and of what it still holds."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.close()
            _open.pop(id(self._producer), None)
            self._producer = None

    def _producing(self) -> Producer:
        if self._producer is None:
            milliseconds = int(self._timeout_seconds * 1000)
            for_a_new_topic = min(milliseconds // 2, int(LONGEST_FOR_A_NEW_TOPIC_SECONDS * 1000))
            settings = {
                "acks": "all",
                "enable.idempotence": True,
                # As other clients choose a key's partition.
                "partitioner": "murmur2_random",
                "message.timeout.ms": milliseconds,
                "topic.metadata.propagation.max.ms": for_a_new_topic,
            }
            self._producer = _made(Producer, {**self._connection, **settings})
            _open[id(self._producer)] = self._producer
        return self._producer

    def _note(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._words = _said(error)
        if error.code() in STOPPING:
            self._final = error

    def _failure(self, what: str, errors: Sequence[KafkaError]) -> NotTaken:
        for error in errors:
            if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
                return SinkStopped(f"Kafka has no topic {self._name}: make it, or mend topic.")
            if error.code() in STOPPING:
                return SinkStopped(f"Kafka refused the user, or what it may do: {_said(error)}.")
        said = _said(errors[0])
        if self._words and errors[0].code() in VAGUE:
            said = self._words
        return NotTaken(f"{what}: {said}.")


def _connection(settings: KafkaSettings, user: tuple[str, str] | None, key_password: str | None) -> dict[str, Any]:
    security = "SSL" if settings.tls else "PLAINTEXT"
    found: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": "campaign-connector",
        # It would write to standard error by itself, and what it has to say comes as errors, too.
        "log_level": 0,
        "logger": logger,
        "security.protocol": security if user is None else f"SASL_{security}",
    }
    for name, path in settings.files.items():
        try:
            # The library says of a file neither where it is nor why it can't be read.
            with Path(path).open("rb"):
                found[FILES[name]] = path
        except OSError as error:
            raise SinkStopped(f"{name} can't be read ({error.strerror}): {path}.") from error
    if key_password is not None:
        found["ssl.key.password"] = key_password
    if user is not None:
        found |= {"sasl.mechanism": settings.sasl_mechanism, "sasl.username": user[0], "sasl.password": user[1]}
    return found


def _made(client: type[_Client], settings: Mapping[str, Any]) -> _Client:
    try:
        return client(dict(settings))
    except KafkaException as error:
        said = _said(error.args[0])
        for setting, words in WRONG.items():
            if f"{setting} failed" in said:
                path = settings[FILES[setting]]
                raise SinkStopped(f"{setting} can't be used, as {words}: {path} ({said}).") from error
        raise SinkStopped(f"These settings can't be used: {said}.") from error


def _said(error: KafkaError) -> str:
    said = f"{error.str()} ({error.name()})".replace("\n", " ")
    for setting, name in FILES.items():
        said = said.replace(name, setting)
    return said


_open: dict[int, Producer] = {}


def _keep_those_of_the_parent() -> None:
    """A producer's threads are the parent's: freed in a forked child it might wait for them, or for locks of theirs."""
    for producer in _open.values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_those_of_the_parent)
