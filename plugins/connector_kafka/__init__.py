"""Apache Kafka: events into a topic, as CloudEvents."""
