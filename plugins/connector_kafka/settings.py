"""Settings of a topic."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from connector.extension import Secret
from connector.extension.neutral import NeutralSettings


class KafkaSettings(NeutralSettings):
    """A topic of a Kafka cluster.

    Source: librdkafka's "Configuration properties", and the documentation of Apache Kafka, section "Security".
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"dependentRequired": {"username": ["password"], "password": ["username"]}},
    )

    bootstrap_servers: Annotated[
        str,
        Field(
            title="Bootstrap servers",
            description="Where the cluster is first asked, as host:port, several with commas between them.",
            pattern=r"^[^\s,/@]+:\d+(, ?[^\s,/@]+:\d+)*$",
            examples=["kafka-1.example.com:9093,kafka-2.example.com:9093"],
        ),
    ]
    topic: Annotated[
        str,
        Field(
            title="Topic",
            description="Where events are written to; it has to be there.",
            pattern=r"^[A-Za-z0-9._-]{1,249}$",
            examples=["campaign-events"],
        ),
    ]
    tls: Annotated[
        bool,
        Field(title="TLS", description="Whether the connection is encrypted; false only in a network of your own."),
    ] = True
    ca_file: Annotated[
        str | None,
        Field(
            min_length=1,
            title="CA file",
            description="The certificates (PEM) that the brokers' are checked against; absent: those of this machine.",
        ),
    ] = None
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        Field(title="SASL mechanism", description="How user name and password are shown, where they are given."),
    ] = "PLAIN"
    username: Annotated[
        Secret | None, Field(title="User name", description="Of SASL; also called API key. Goes with password.")
    ] = None
    password: Annotated[
        Secret | None, Field(title="Password", description="Of SASL; also called API secret. Goes with username.")
    ] = None
    source: Annotated[
        str,
        Field(
            min_length=1, title="Source", description="The source of CloudEvents, which tells whose connector it is."
        ),
    ] = "/campaign-connector"

    @model_validator(mode="after")
    def _together_or_not_at_all(self) -> "KafkaSettings":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password are given together or not at all")
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file is for tls, which is false")
        return self
