"""What all cassettes share: what is hidden before anything is written, and that nothing is left."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic_core import from_json, to_json

SHOWN_HEADERS = ("content-type", "date", "retry-after", "www-authenticate")
A_TIME = "2026-12-01T09:00:00.000Z"
"""Stands for every time that is asked for."""
MATCHED = ["method", "scheme", "host", "port", "path", "query", "body"]

_NOTHING = re.compile(r"(?!)")
_PLATFORMS = ("SINCH_", "BLOOMREACH_", "SEGMENT_")
_RESERVED = re.compile(r"\+?(1[2-9]\d\d55501\d\d|447700900\d{3}|467017406\d\d)")
_NEVER = (
    r"authorization|bearer [\w.~+/-]{12,}|basic [\w+/=]{8,}|eyJ[\w-]{10,}|cookie|another-(token|secret)"
    r"|127\.0\.0\.1|localhost"
)


class Hiding:
    """Puts the made-up in place of the real, before anything is written or compared."""

    wished_times: re.Pattern[str] = _NOTHING
    """Times in the body of a request."""
    since: re.Pattern[str] = _NOTHING
    """The time in the query of a request."""

    def __init__(self) -> None:
        self._hidden: dict[str, str] = {}

    def hide_texts(self, hidden: Mapping[str, str]) -> None:
        """From now on put these values in place of their keys; nothing: in replay nothing is real."""
        # The longest first: one may be a part of another.
        self._hidden = dict(sorted(hidden.items(), key=lambda each: -len(each[0])))

    def host_of(self, address: Any, path: str) -> str | None:
        """The host that stands for that of a real request; None: it is not the API's."""
        raise NotImplementedError

    def show(self, said: Any) -> Any:
        """An answer without what others have in the same account."""
        return said

    def request(self, request: Any) -> Any:
        """A request without host, account, credentials, people and times; None: it is not the API's."""
        address = urlsplit(request.uri)
        path = self.text(address.path)
        # In replay hosts have to be the right ones.
        host = self.host_of(address, path) if self._hidden else f"{address.scheme}://{address.netloc}"
        if host is None:
            return None
        query = self.since.sub(A_TIME, self.text(address.query))
        request.uri = urlunsplit((*urlsplit(host)[:2], path, query, ""))
        if request.body:
            request.body = self.wished_times.sub(A_TIME, self.text(request.body.decode())).encode()
        kind = request.headers.get("content-type")
        request.headers = {} if kind is None else {"content-type": kind}
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        """An answer without them, and without what others have in the same account."""
        response["headers"] = {
            name.lower(): values for name, values in response["headers"].items() if name.lower() in SHOWN_HEADERS
        }
        content = response["body"]["string"]
        try:
            said = from_json(content)
        except ValueError:
            said = None
        if isinstance(said, dict) and "access_token" in said:
            said["access_token"] = "ACCESS-TOKEN"
        if isinstance(said, dict | list):
            content = to_json(self.show(said))
        response["body"]["string"] = self.text(content.decode()).encode()
        return response

    def text(self, text: str) -> str:
        """A text with everything real in it hidden."""
        for real, shown in self._hidden.items():
            text = text.replace(real, shown)
        return text


def vcr_config_of(hiding: Hiding) -> dict[str, Any]:
    """How requests are recorded, and told from each other."""
    return {
        # Functions, as of objects a copy would be used.
        "before_record_request": lambda request: hiding.request(request),
        "before_record_response": lambda response: hiding.response(response),
        "decode_compressed_response": True,
        "match_on": MATCHED,
    }


def assert_nothing_real(cassette: Path, addresses: re.Pattern[str], simulated: Mapping[str, str]) -> None:
    """That a cassette holds no secret, nobody's number, no header and no host but those that are shown."""
    text = cassette.read_text(encoding="utf-8")
    loaded = yaml.safe_load(text)
    # In the file a text may be broken into lines anywhere.
    text += str(loaded)
    given_away = re.findall(f"(?i){_NEVER}|{'|'.join(map(re.escape, simulated.values()))}", text)
    assert not given_away, f"{cassette.name}: {len(given_away)} words that may be secret"
    numbers = re.findall(r"(?<![\w.:-])\d{8,15}(?![\w.:-])", text)
    assert all(map(_RESERVED.fullmatch, numbers)), f"{cassette.name}: a number that may be somebody's"
    for interaction in loaded["interactions"]:
        request, response = interaction["request"], interaction["response"]
        assert addresses.fullmatch(request["uri"]), request["uri"]
        assert set(request["headers"]) <= {"content-type"}
        assert set(response["headers"]) <= set(SHOWN_HEADERS)
        if '"access_token"' in response["body"]["string"]:
            assert '"access_token":"ACCESS-TOKEN"' in response["body"]["string"]


def recording_tests(module: Mapping[str, object]) -> set[str]:
    """The names of the tests of a module that have a cassette."""
    return {
        name for name, member in module.items() if any(mark.name == "vcr" for mark in getattr(member, "pytestmark", []))
    }


def record_apart(
    folder: Path, tests: Path, module: str, only: str, mode: str, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run some tests of a module in a copy of their folder, in an environment of its own, with cassettes beside."""
    copy = folder / "tests" / "plugins" / tests.name
    if not copy.exists():
        shutil.copytree(tests, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for shared in tests.parents[1].glob("*.py"):
            if not shared.name.startswith(("test_", "conftest")):
                shutil.copy(shared, folder / "tests")
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*_PLATFORMS, "PYTEST_"))}
    paths = os.pathsep.join(filter(None, [str(folder / "tests"), kept.get("PYTHONPATH")]))
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", only]
    return subprocess.run(
        [*pytest, f"--record-mode={mode}", f"--rootdir={folder}", str(copy / module)],
        cwd=folder,
        env={**kept, **environment, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def assert_nothing_given_away(cassettes: Path, count: int, words: Sequence[str]) -> str:
    """That a recording holds none of the words; all of it, as it reads when it is loaded."""
    files = sorted(cassettes.glob("*.yaml"))
    assert len(files) == count, files
    written = str([yaml.safe_load(file.read_text(encoding="utf-8")) for file in files])
    given_away = [word for word in words if word in written]
    assert not given_away, given_away
    return written
