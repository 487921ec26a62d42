"""The sink: a structured CloudEvent for each event, in the partition of its message."""

import importlib
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

from cloudevents.core.bindings.kafka import to_structured

from connector.extension import CheckResult, DeadLetter, Sink, SinkSettings
from connector.extension.cloud_event import CloudEventJson, cloud_event
from connector.http import Http
from connector.model.errors import ConfigurationError, NotTaken, SinkStopped
from connector.model.event import Event
from connector_kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from connector_kafka.topic import Record, Topic

LIBRARY = "confluent_kafka"
MISSING = "The sink kafka needs a library: pip install 'campaign-connector[kafka]'."


class Kafka(Sink):
    """Writes each event to a topic, and waits until all replicas that are in step have it.

    The key is the message's id, so that its events are in one partition, in order; those of no message have their
    own id as key. Of one message never two are on their way together. Source: the CloudEvents specification 1.0, its
    Kafka protocol binding (structured mode).
    """

    name = "kafka"
    title = "Apache Kafka"
    Settings: ClassVar[type[SinkSettings]] = KafkaSettings
    guidance = (
        "You need a topic, and where it has access control a user with the permission to write to it (Write and "
        "Describe on the topic). Where the cluster wants a certificate, it goes into certificate_file and key_file. "
        "The library comes with pip install 'campaign-connector[kafka]'."
    )
    asked: ClassVar[Sequence[str]] = ("tls", "username", "password", "start")

    def __init__(self, settings: KafkaSettings, http: Http) -> None:
        self._settings = settings
        self._topic: Topic | None = None
        self._had: set[str] = set()
        """Of a call that failed, the ids that the topic has already: all of that call come again."""

    def deliver(self, events: Sequence[Event]) -> list[DeadLetter]:
        dead: list[DeadLetter] = []
        try:
            if self._topic is None:
                self._topic = self._made()
            for turn in _turns(events):
                dead += self._write(self._topic, [event for event in turn if event.id not in self._had])
        except BaseException:
            self.close()
            raise
        self._had.clear()
        return dead

    def _write(self, topic: "Topic", events: Sequence[Event]) -> list[DeadLetter]:
        make: type[Record] = _library().Record
        reasons = topic.write(
            [self._record(make, event) for event in events], lambda place: self._had.add(events[place].id)
        )
        return [DeadLetter(event, reason) for event, reason in zip(events, reasons, strict=True) if reason is not None]

    def _record(self, make: "type[Record]", event: Event) -> "Record":
        message = to_structured(
            cloud_event(event, self._settings.properties, self._settings.source),
            CloudEventJson(),
            key_mapper=lambda _: event.message_id or event.id,
        )
        return make(str(message.key).encode(), message.value, message.headers)

    def _made(self) -> "Topic":
        settings = self._settings
        user = key_password = None
        try:
            if settings.username is not None and settings.password is not None:
                user = settings.username.recent(), settings.password.recent()
            if settings.key_password is not None:
                key_password = settings.key_password.recent()
        except ConfigurationError as error:
            raise SinkStopped(str(error)) from error
        made: Topic = _library().Topic(settings, user, key_password)
        return made

    def check(self) -> list[CheckResult]:
        """Ask for the topic; whether it may be written to can't be tried without writing."""
        try:
            partitions = self._made().partitions()
        except SinkStopped as error:
            return [CheckResult("topic", False, str(error))]
        except NotTaken as error:
            return [CheckResult("topic", False, str(error), reached=False)]
        topic = self._settings.topic
        return [
            CheckResult("topic", True, f"Kafka has the topic {topic}, in {partitions} partitions."),
            CheckResult("permission", None, "Whether events may be written to it can't be tried without writing one."),
        ]

    def close(self) -> None:
        if self._topic is not None:
            self._topic.close()
            self._topic = None


def _library() -> ModuleType:
    try:
        # Optional, and slow to import: only who writes to a topic pays for it.
        return importlib.import_module("connector_kafka.topic")
    except ModuleNotFoundError as error:
        if error.name != LIBRARY:
            raise
        raise SinkStopped(MISSING) from error


def _turns(events: Sequence[Event]) -> Iterator[list[Event]]:
    """The first event of each message, then the second of each ..."""
    turns: list[list[Event]] = []
    seen: dict[str, int] = {}
    for event in events:
        key = event.message_id or event.id
        turn = seen.get(key, 0)
        seen[key] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(event)
    yield from turns
