"""Events in a topic: CloudEvents, in the partition of their message, taken only once the brokers have them."""

import gc
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from confluent_kafka import KafkaError, Producer
from connector_kafka import topic
from connector_kafka.sink import Kafka
from kafka_kit import IDEMPOTENCE, PRODUCE, TOPIC, Cluster, settings_of
from sending_kit import CAMPAIGN, Host, Plan, hosting, people

from connector import ConfigurationError, Connector
from connector.extension.plugins import Plugins
from connector.http import Http
from connector.model.errors import NotTaken
from connector.testing.sink_contract import sample_events

SECRETS = {"KAFKA_USER": "somebody", "KAFKA_PASSWORD": "open sesame"}
SASL = {"username": "env:KAFKA_USER", "password": "env:KAFKA_PASSWORD"}
WITHOUT_LIBRARY = "import sys; sys.modules['confluent_kafka'] = None; from connector.cli.main import main; main()"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield from hosting(tmp_path)


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


def connected(host: Host, plan: Plan, cluster: Cluster, **settings: Any) -> Connector:
    sinks = {"log": {"sink": "kafka", **settings_of(cluster, **settings)}}
    return host.connector(plan, more_secrets=SECRETS, sinks=sinks)


@pytest.fixture
def sink(cluster: Cluster) -> Iterator[Kafka]:
    http = Http()
    made = Plugins().sink("kafka", "log", Kafka.Settings.model_validate(settings_of(cluster)), http)
    assert isinstance(made, Kafka)
    yield made
    made.close()
    http.close()


def test_each_event_is_a_cloud_event_under_its_id(host: Host, plan: Plan, cluster: Cluster) -> None:
    connector = connected(host, plan, cluster, source="/shops/7", properties={"status": "what", "recipient": ""})
    connector.send(CAMPAIGN, people(3))
    told = {event.id: event for event in connector.events()}
    messages = cluster.written()
    assert len(messages) == len(told) == 3
    for message in messages:
        headers = dict(message.headers() or [])
        assert headers["content-type"].startswith(b"application/cloudevents+json")
        read = from_structured_event(KafkaMessage(headers, message.key(), message.value() or b""))
        event = told.pop(read.get_id())
        assert (read.get_source(), read.get_type()) == ("/shops/7", "campaign.message.enqueued")
        assert (read.get_subject(), message.key()) == (event.message_id, (event.message_id or "").encode())
        assert read.get_time() == event.occurred_at
        data = read.get_data()
        assert isinstance(data, dict)
        assert (data["what"], data.keys() & {"status", "recipient"}) == ("enqueued", set())


def test_events_of_a_message_are_in_one_partition_in_their_order() -> None:
    cluster = Cluster(partitions=2)
    sink = Plugins().sink("kafka", "log", Kafka.Settings.model_validate(settings_of(cluster)), Http())
    events = [event for part in (sample_events(200), sample_events(200, first=200)) for event in part]
    assert sink.deliver(events) == []
    where, order = defaultdict(set), defaultdict(list)
    for message in cluster.written():
        where[message.key()].add(message.partition())
        order[message.key()].append(json.loads(message.value() or b"")["id"])
    sink.close()
    cluster.close()
    assert {len(each) for each in where.values()} == {1}
    assert len(set.union(*where.values())) == 2, "the messages are spread"
    for key, ids in order.items():
        assert ids == [event.id for event in events if (event.message_id or "").encode() == key]


def test_what_the_broker_never_takes_is_kept_with_its_words(cluster: Cluster, sink: Kafka) -> None:
    events = sample_events(12)
    # They travel together and are refused together; then the first of them once more, alone.
    cluster.answer(PRODUCE, KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.MSG_SIZE_TOO_LARGE)
    (dead,) = sink.deliver(events)
    assert "Message size too large" in dead.reason
    assert {event["id"] for event in cluster.events()} == {event.id for event in events} - {dead.event.id}


def test_what_is_too_long_to_travel_is_kept_and_the_rest_goes_on(host: Host, plan: Plan, cluster: Cluster) -> None:
    rows = people(3)
    connector = connected(host, plan, cluster)
    connector.send(CAMPAIGN, [rows[0], {**rows[1], "metadata": {"note": "x" * 1_100_000}}, rows[2]])
    (refused,) = connector.refused_events("log")
    assert "too large" in refused.reason
    assert (len(cluster.written()), connector.sinks()[0].lag) == (2, 0)


def test_what_may_work_later_is_tried_by_the_library_and_comes_once(cluster: Cluster, sink: Kafka) -> None:
    cluster.answer(PRODUCE, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.REQUEST_TIMED_OUT)
    events = sample_events(6)
    assert sink.deliver(events) == []
    assert len(cluster.events()) == len(events)


def test_what_the_topic_has_already_of_a_call_that_failed_does_not_come_twice(cluster: Cluster, sink: Kafka) -> None:
    events = sample_events(6)
    # The first event of each message is taken, then a fatal error: a gap in the sequence of what was written.
    cluster.answer(PRODUCE, 0, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER)
    with pytest.raises(NotTaken, match="sequence"):
        sink.deliver(events)
    assert len(cluster.events()) == 3
    assert sink.deliver(events) == []
    assert len({event["id"] for event in cluster.events()}) == len(cluster.events()) == 6


def test_a_cluster_that_is_away_is_waited_for(host: Host, plan: Plan, cluster: Cluster) -> None:
    with cluster.down():
        connector = connected(host, plan, cluster, request_timeout_seconds=1)
        connector.send(CAMPAIGN, people(2))
        (state,) = connector.sinks()
        assert (state.lag, state.is_stopped) == (2, False)
        assert state.trouble is not None and "Connection refused" in state.trouble
        (found,) = connector.try_sink("log")[:1]
        assert (found.result, "Connection refused" in found.message) == ("wrong", True)
    again = connected(host, plan, cluster)
    again.resume_sink("log")
    again.deliver()
    assert (len(cluster.written()), again.sinks()[0].lag) == (2, 0)


@pytest.mark.parametrize(
    ("request_number", "error", "words"),
    [
        (PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed"),
        (IDEMPOTENCE, KafkaError.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed"),
    ],
)
def test_permissions_that_are_missing_stop_the_sink(
    host: Host, plan: Plan, cluster: Cluster, request_number: int, error: int, words: str
) -> None:
    cluster.answer(request_number, error)
    connector = connected(host, plan, cluster)
    connector.send(CAMPAIGN, people(2))
    (state,) = connector.sinks()
    assert (state.lag, state.is_stopped) == (2, True)
    assert state.trouble is not None and words in state.trouble
    connector.resume_sink("log")
    connector.deliver()
    assert (len(cluster.written()), connector.sinks()[0].lag) == (2, 0)


def test_credentials_that_are_refused_stop_the_sink(host: Host, plan: Plan, cluster: Cluster) -> None:
    connector = connected(host, plan, cluster, **SASL)
    connector.send(CAMPAIGN, people(2))
    (state,) = connector.sinks()
    assert (state.lag, state.is_stopped) == (2, True)
    assert state.trouble is not None and "refused the user" in state.trouble
    assert not any(secret in state.trouble for secret in SECRETS.values())
    (found,) = connector.try_sink("log")[:1]
    assert (found.result, "SASL" in found.message) == ("wrong", True)


def test_a_topic_that_is_not_there_stops_the_sink(
    host: Host, plan: Plan, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic, "LONGEST_FOR_A_NEW_TOPIC_SECONDS", 0.5)
    cluster.say_of_the_topic(KafkaError.UNKNOWN_TOPIC_OR_PART)
    connector = connected(host, plan, cluster)
    (found,) = connector.try_sink("log")[:1]
    assert found.message == f"Kafka has no topic {TOPIC}: make it, or mend topic."
    connector.send(CAMPAIGN, people(1))
    (state,) = connector.sinks()
    assert (state.is_stopped, state.trouble) == (True, found.message)


def test_a_check_asks_for_the_topic_and_says_what_it_could_not_prove(host: Host, plan: Plan, cluster: Cluster) -> None:
    found = connected(host, plan, cluster).try_sink("log")
    assert [each.result for each in found] == ["ok", "not_proved"]
    assert "in 1 partitions" in found[0].message and cluster.written() == []


@pytest.mark.parametrize(
    "settings",
    [
        {"username": "env:KAFKA_USER"},
        {"bootstrap_servers": "kafka.example.com"},
        {"topic": "a topic"},
        {"ca_file": "ca.pem"},
    ],
)
def test_settings_that_make_no_sense_are_refused(
    host: Host, plan: Plan, cluster: Cluster, settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connected(host, plan, cluster, **settings)
    assert "sinks.log" in str(caught.value)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_lets_the_producer_of_its_parent_be(cluster: Cluster, sink: Kafka) -> None:
    assert sink.deliver(sample_events(2)) == []
    child = os.fork()
    if child == 0:
        freed = True
        try:
            sink._topic = None
            gc.collect()
            # Freed here, it might wait for threads that only the parent has. Asked for their class by `isinstance`,
            # some objects of other libraries raise.
            freed = not any(issubclass(type(each), Producer) for each in gc.get_objects())
        finally:
            os._exit(freed)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert sink.deliver(sample_events(2, first=2)) == []


def test_without_the_library_the_sink_says_what_to_install(
    host: Host, plan: Plan, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.delitem(sys.modules, "connector_kafka.topic", raising=False)
    file = {"sink": "jsonl", "path": str(tmp_path / "events.jsonl")}
    connector = host.connector(plan, sinks={"log": {"sink": "kafka", **settings_of(cluster)}, "file": file})
    assert connector.send(CAMPAIGN, people(2)).report().enqueued == 2
    well, stopped = connector.sinks()
    assert (well.lag, stopped.lag, stopped.is_stopped) == (0, 2, True)
    assert stopped.trouble is not None and "pip install 'campaign-connector[kafka]'" in stopped.trouble
    assert next(each.message for each in connector.try_sink("log")) == stopped.trouble


def test_without_the_library_the_plugin_and_its_schema_are_there() -> None:
    code = (
        "import sys\nsys.modules['confluent_kafka'] = None\n"
        "from connector.config.schema import compose\nfrom connector.extension.plugins import Plugins\n"
        "plugins = Plugins()\nprint(plugins.broken, 'sink.kafka' in compose(plugins))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] True\n"
