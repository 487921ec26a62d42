"""Certificates: those of the brokers are checked, and one of ours is shown to them."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from kafka_front import Front, behind_tls
from kafka_kit import TOPIC, Cluster
from sending_kit import CAMPAIGN, Host, hosting, people

from connector import ConfigurationError, Connector

NAME = "campaigns.example.com"
PASSWORD = "open sesame"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield from hosting(tmp_path)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def front(cluster: Cluster, authority: trustme.CA) -> Iterator[Front]:
    """In front of the cluster, where nobody comes past who shows no certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with behind_tls(cluster, context) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> dict[str, str]:
    """The settings that name files: the authority's certificate, and ours with its key, which is encrypted."""
    paths = {name: tmp_path / f"{name}.pem" for name in ("ca_file", "certificate_file", "key_file")}
    ours = authority.issue_cert(NAME)
    authority.cert_pem.write_to_path(paths["ca_file"])
    paths["certificate_file"].write_bytes(b"".join(blob.bytes() for blob in ours.cert_chain_pems))
    key = load_pem_private_key(ours.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode()))
    paths["key_file"].write_bytes(locked)
    return {name: str(path) for name, path in paths.items()}


def connected(host: Host, cluster: Cluster | Front, password: str = PASSWORD, **settings: Any) -> Connector:
    own = {"bootstrap_servers": cluster.servers, "tls": True, "key_password": "env:KAFKA_KEY_PASSWORD"}
    table = {"topic": TOPIC, "request_timeout_seconds": 60, **own, **settings}
    sinks = {"log": {"sink": "kafka", **{name: value for name, value in table.items() if value is not None}}}
    return host.connector(host.plan(), more_secrets={"KAFKA_KEY_PASSWORD": password}, sinks=sinks)


def test_the_brokers_are_shown_our_certificate(
    host: Host, cluster: Cluster, front: Front, files: dict[str, str]
) -> None:
    connector = connected(host, front, **files)
    connector.send(CAMPAIGN, people(3))
    assert (connector.sinks()[0].lag, connector.sinks()[0].trouble) == (0, None)
    assert {event["id"] for event in cluster.events()} == {event.id for event in connector.events()}
    assert front.shown
    assert all(shown and shown["subjectAltName"] == (("DNS", NAME),) for shown in front.shown)
    assert [each.result for each in connector.try_sink("log")] == ["ok", "not_proved"]


@pytest.mark.parametrize("setting", ["ca_file", "certificate_file", "key_file"])
def test_a_file_that_is_not_there_is_told_by_its_name(
    host: Host, cluster: Cluster, files: dict[str, str], setting: str
) -> None:
    missing = files[setting] + ".old"
    connector = connected(host, cluster, **{**files, setting: missing})
    (found,) = connector.try_sink("log")[:1]
    assert (found.result, found.message) == (
        "wrong",
        f"{setting} can't be read (No such file or directory): {missing}.",
    )
    connector.send(CAMPAIGN, people(1))
    (state,) = connector.sinks()
    assert (state.is_stopped, state.trouble, state.lag) == (True, found.message, 1)


@pytest.mark.parametrize("setting", ["ca_file", "certificate_file", "key_file"])
def test_a_file_of_something_else_is_told_by_its_name(
    host: Host, cluster: Cluster, files: dict[str, str], setting: str
) -> None:
    Path(files[setting]).write_text("Dear diary")
    (found,) = connected(host, cluster, **files).try_sink("log")[:1]
    assert (found.result, found.message.split(", ")[0]) == ("wrong", f"{setting} can't be used")
    assert files[setting] in found.message


@pytest.mark.parametrize("password", [None, "barley"])
def test_a_key_that_is_not_opened_is_told(
    host: Host, cluster: Cluster, files: dict[str, str], password: str | None
) -> None:
    given = {"key_password": None} if password is None else {"password": password}
    (found,) = connected(host, cluster, **{**files, **given}).try_sink("log")[:1]
    assert (found.result, "key_password doesn't open" in found.message) == ("wrong", True), found.message
    assert PASSWORD not in found.message and "barley" not in found.message


def test_the_key_of_another_certificate_is_told(
    host: Host, cluster: Cluster, files: dict[str, str], authority: trustme.CA
) -> None:
    authority.issue_cert("another.example.com").private_key_pem.write_to_path(files["key_file"])
    (found,) = connected(host, cluster, **files, key_password=None).try_sink("log")[:1]
    assert (found.result, "that of another certificate" in found.message) == ("wrong", True), found.message


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"certificate_file": "ours.pem"}, "key_file"),
        ({"key_file": "ours.key"}, "certificate_file"),
        ({"key_password": "env:KAFKA_KEY_PASSWORD"}, "key_file"),
        ({"certificate_file": "ours.pem", "key_file": "ours.key", "tls": False}, "tls"),
    ],
)
def test_settings_that_belong_together(host: Host, cluster: Cluster, settings: dict[str, Any], word: str) -> None:
    given = {"key_password": None, **settings}
    with pytest.raises(ConfigurationError) as caught:
        connected(host, cluster, **given)
    assert "sinks.log" in str(caught.value) and word in str(caught.value)
