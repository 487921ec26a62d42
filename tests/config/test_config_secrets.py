"""Reading secrets from the environment, files and the keyring."""

import re
import sys
from pathlib import Path
from typing import Any, ClassVar

import keyring
import keyring.backend
import keyring.errors
import pytest

from connector.config.secrets import read_secret
from connector.model.errors import ConfigurationError


def complaint(reference: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_secret(reference)
    assert caught.value.__context__ is None
    return str(caught.value)


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIRD_SONG", "tweet\n")
    assert read_secret("env:BIRD_SONG") == "tweet\n"
    monkeypatch.setenv("BIRD_SONG", "")
    assert complaint("env:BIRD_SONG") == "The environment variable BIRD_SONG is empty: it should hold a secret."
    monkeypatch.delenv("BIRD_SONG")
    assert complaint("env:BIRD_SONG") == "The environment variable BIRD_SONG is not set: it should hold a secret."


@pytest.mark.parametrize(
    ("data", "secret"),
    [(b"tweet", "tweet"), (b"tweet\n", "tweet"), (b"tweet\r\n", "tweet"), (b"tweet\n\n", "tweet\n"), (b" t ", " t ")],
)
def test_from_a_file(tmp_path: Path, data: bytes, secret: str) -> None:
    (tmp_path / "song").write_bytes(data)
    assert read_secret(f"file:{tmp_path / 'song'}") == secret


def test_a_relative_file_starts_at_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "song").write_text("tweet\n")
    assert read_secret("file:song") == "tweet"


def test_from_a_file_that_has_none(tmp_path: Path) -> None:
    path = tmp_path / "song"
    assert complaint(f"file:{path}") == f"There is no file {path}: it should hold a secret."
    path.write_bytes(b"\n")
    assert complaint(f"file:{path}") == f"The file {path} is empty: it should hold a secret."
    path.write_bytes(b"tw\xffeet")
    assert complaint(f"file:{path}") == f"The file {path} is not UTF-8 text: it should hold a secret."
    assert complaint(f"file:{tmp_path}").startswith(f"The file {tmp_path}, which should hold a secret, can't be read (")


class Nest(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority: ClassVar[float] = 1
    held: ClassVar[dict[tuple[str, str], str]] = {("campaign-connector", "song"): "tweet"}
    locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked("tweet")
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


@pytest.fixture
def nest() -> Any:
    before = keyring.get_keyring()
    nest = Nest()
    keyring.set_keyring(nest)
    yield nest
    keyring.set_keyring(before)


def test_from_the_keyring(nest: Nest) -> None:
    assert read_secret("keyring:song") == "tweet"
    assert complaint("keyring:hymn") == (
        "The keyring holds no hymn for campaign-connector: keyring set campaign-connector hymn puts it there."
    )
    nest.locked = True
    assert complaint("keyring:song") == "The keyring can't be asked for song (KeyringLocked)."


def test_without_the_keyring_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert re.search(
        r"needs the keyring package: pip install 'campaign-connector\[keyring\]'", complaint("keyring:song")
    )


@pytest.mark.parametrize("reference", ["tweet", "env:", "vault:tweet", ":tweet", ""])
def test_what_is_no_reference_is_not_repeated(reference: str) -> None:
    assert complaint(reference) == "A secret is given as env:NAME, file:PATH or keyring:NAME."
