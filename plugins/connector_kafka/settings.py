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
        json_schema_extra={
            "dependentRequired": {
                "username": ["password"],
                "password": ["username"],
                "certificate_file": ["key_file"],
                "key_file": ["certificate_file"],
                "key_password": ["key_file"],
            }
        },
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
    certificate_file: Annotated[
        str | None,
        Field(
            min_length=1,
            title="Certificate file",
            description="The certificate (PEM) that is shown to the brokers, with those between it and its CA behind "
            "it, where the cluster wants one. Goes with key_file.",
        ),
    ] = None
    key_file: Annotated[
        str | None, Field(min_length=1, title="Key file", description="The key (PEM) of certificate_file.")
    ] = None
    key_password: Annotated[
        Secret | None, Field(title="Key password", description="Opens key_file, where that is encrypted.")
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
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file are given together or not at all")
        if self.key_password is not None and self.key_file is None:
            raise ValueError("key_password is for key_file, which is not given")
        for name in self.files if not self.tls else ():
            raise ValueError(f"{name} is for tls, which is false")
        return self

    @property
    def files(self) -> dict[str, str]:
        """The files of certificates and keys that are named, by their settings."""
        named = {"ca_file": self.ca_file, "certificate_file": self.certificate_file, "key_file": self.key_file}
        return {name: path for name, path in named.items() if path is not None}
