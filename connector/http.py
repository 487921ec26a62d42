"""HTTP to providers and platforms: the only room that knows httpx.

What a caller needs to know of a request is told apart here: whether it left, whether an answer came, and
which. A request that may have left is never repeated here; safe reads are.
"""

import email.utils
import logging
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import httpx
import stamina
from pydantic_core import from_json

from connector.model.errors import NotReached, ReadFailed, ReadRefused

log = logging.getLogger("connector.http")

MAX_CONNECTIONS = 32
READ_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None where it isn't."""
        try:
            return from_json(self.body)
        except ValueError:
            return None

    def retry_after_seconds(self, now: datetime) -> float | None:
        """`Retry-After`, given in seconds or as a date; None where absent or unreadable."""
        value = self.headers.get("retry-after")
        if not value:
            return None
        try:
            seconds = float(value)
        except ValueError:
            try:
                at = email.utils.parsedate_to_datetime(value)
            except ValueError:
                return None
            seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
        return min(max(seconds, 0.0), 86_400.0) if math.isfinite(seconds) else None


class AnswerLost(Exception):
    """The request may have been received, but no answer came."""


class Silence(StrEnum):
    """Why no answer came from an address."""

    unknown_host = "unknown_host"
    """No machine has this name."""
    refused = "refused"
    """The machine is there, and nothing listens on this port."""
    unreachable = "unreachable"
    """No way leads there: network, firewall, a proxy of this machine."""
    certificate = "certificate"
    """It shows no certificate that can be trusted for this name."""
    encryption = "encryption"
    """It doesn't speak TLS as it should."""
    too_slow = "too_slow"
    """It did not answer in time."""
    broken_off = "broken_off"
    """It broke the connection off, or answered something that is not HTTP."""


class NoAnswer(Exception):
    """No answer came from an address."""

    def __init__(self, why: Silence) -> None:
        self.why = why
        super().__init__(why)


class Client:
    """One integration's connection to one host.

    Synchronous and safe to share between threads. `close` gives its connections back.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        connect_timeout_seconds: float = 10.0,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._client = httpx.Client(
            base_url=self.base_url,
            headers=dict(headers or {}),
            timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, connect_timeout_seconds)),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            follow_redirects=False,
        )

    def close(self) -> None:
        self._client.close()

    def post_once(self, path: str, content: bytes, *, before_write: Callable[[], None] | None = None) -> Answer:
        """Post a JSON body once and never again.

        `before_write` runs after the connection stands, at the last moment before the request is
        written; what it raises keeps the request from leaving.

        Raises `NotReached` when the request surely did not leave, `AnswerLost` when it may have.
        """
        leaving = False

        def watch(event: str, info: dict[str, Any]) -> None:
            nonlocal leaving
            if event.endswith("send_request_headers.started"):
                if before_write is not None:
                    before_write()
                leaving = True

        try:
            with self._client.stream(
                "POST",
                path,
                content=content,
                headers={"content-type": "application/json"},
                extensions={"trace": watch},
            ) as response:
                body = self._read_within(response, time.monotonic() + self._timeout_seconds)
        except httpx.HTTPError as error:
            what = _describe(error, self.base_url)
            if leaving:
                raise AnswerLost(what) from error
            raise NotReached(what) from error
        return Answer(response.status_code, _headers(response), body)

    def _read_within(self, response: httpx.Response, ends: float) -> bytes:
        """The body of an answer, which may not drip for ever: timeouts of the library are for each piece."""
        chunks = []
        for chunk in response.iter_bytes():
            chunks.append(chunk)
            if time.monotonic() > ends:
                raise AnswerLost(f"{self.base_url} did not end its answer in time.")
        return b"".join(chunks)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Read, asking again after failures of the network, 5xx and 429.

        Raises `ReadFailed` when no good answer comes, `ReadRefused` on 4xx except 404, which is returned.
        """
        return self._read("GET", path, params)

    def delete(self, path: str) -> Answer:
        """Delete, which may be repeated; errors as for `get`."""
        return self._read("DELETE", path, None)

    def _read(self, method: str, path: str, params: Mapping[str, str] | None) -> Answer:
        def waits(error: Exception) -> bool | float:
            if isinstance(error, _TryAgain):
                return error.wait_seconds or True
            return isinstance(error, httpx.HTTPError)

        try:
            for attempt in stamina.retry_context(
                on=waits, attempts=READ_ATTEMPTS, timeout=60.0, wait_initial=0.2, wait_max=5.0
            ):
                with attempt:
                    response = self._client.request(method, path, params=params)
                    answer = _answer(response)
                    if answer.status == 429 or answer.status >= 500:
                        wait_seconds = answer.retry_after_seconds(datetime.now(UTC))
                        raise _TryAgain(f"HTTP {answer.status}", wait_seconds)
        except _TryAgain as error:
            raise ReadFailed(f"{self.base_url} answered {error} to a look-up.") from error
        except httpx.HTTPError as error:
            raise ReadFailed(_describe(error, self.base_url)) from error
        if answer.status in (401, 403):
            raise ReadRefused(
                f"{self.base_url} refused the credentials (HTTP {answer.status}).", http_status=answer.status
            )
        if answer.status >= 300 and answer.status != 404:
            raise ReadRefused(f"{self.base_url} refused a look-up (HTTP {answer.status}).", http_status=answer.status)
        return answer


class _TryAgain(Exception):
    def __init__(self, message: str, wait_seconds: float | None) -> None:
        self.wait_seconds = None if wait_seconds is None else min(wait_seconds, 5.0)
        super().__init__(message)


class Poster:
    """Posts JSON to any address, each body once; safe to share between threads.

    Goes past the client's redirects, cookies, proxies and hooks, which cost half of the time of a small post.
    """

    def __init__(self, *, timeout_seconds: float, connections: int) -> None:
        self._transport = httpx.HTTPTransport(
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        )
        self._extensions = {"timeout": httpx.Timeout(timeout_seconds).as_dict()}

    def close(self) -> None:
        self._transport.close()

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> int:
        """The status that is answered. Raises `AnswerLost` when none is, or the request couldn't leave."""
        try:
            request = httpx.Request(
                "POST",
                url,
                content=content,
                headers={"content-type": "application/json", **headers},
                extensions=self._extensions,
            )
            response = self._transport.handle_request(request)
            try:
                response.read()
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AnswerLost(type(error).__name__) from error
        return response.status_code


def knock(url: str, content: bytes, headers: Mapping[str, str], *, timeout_seconds: float) -> Answer:
    """Post a body once to an address of our own, to see what answers there; nothing is followed or repeated.

    Raises `NoAnswer`.
    """
    try:
        with httpx.Client(timeout=timeout_seconds, follow_redirects=False) as client:
            return _answer(client.post(url, content=content, headers=dict(headers)))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(_silence(error)) from None


def _silence(error: Exception) -> Silence:
    causes = list(_causes(error))
    kinds: list[tuple[type[BaseException], Silence]] = [
        (ssl.SSLCertVerificationError, Silence.certificate),
        (ssl.SSLError, Silence.encryption),
        (socket.gaierror, Silence.unknown_host),
        (httpx.InvalidURL, Silence.unknown_host),
        (ConnectionRefusedError, Silence.refused),
        (httpx.TimeoutException, Silence.too_slow),
        (httpx.ConnectError, Silence.unreachable),
        (httpx.ProxyError, Silence.unreachable),
    ]
    for kind, silence in kinds:
        if any(isinstance(cause, kind) for cause in causes):
            return silence
    return Silence.broken_off


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it: the library's own errors hide which of the system's it was."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, _headers(response), response.content)


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _describe(error: httpx.HTTPError, base_url: str) -> str:
    """A sentence without the request: paths carry account ids, bodies carry people."""
    sentences: list[tuple[type[httpx.HTTPError], str]] = [
        (httpx.ConnectTimeout, "did not take the connection in time"),
        (httpx.ConnectError, "can't be reached"),
        (httpx.PoolTimeout, "had no free connection in time"),
        (httpx.TimeoutException, "did not answer in time"),
        (httpx.RemoteProtocolError, "broke off the connection"),
        (httpx.NetworkError, "broke off the connection"),
    ]
    for kind, sentence in sentences:
        if isinstance(error, kind):
            return f"{base_url} {sentence}."
    return f"{base_url} could not be talked to ({type(error).__name__})."


class Http:
    """Makes and closes the clients of one process.

    Handed to a provider's setup, so that whoever runs the connector owns every connection.
    """

    def __init__(self) -> None:
        self._clients: list[Client] = []

    def client(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
    ) -> Client:
        """A client for one host; it is closed with this object."""
        made = Client(base_url, headers=headers, timeout_seconds=timeout_seconds)
        self._clients.append(made)
        return made

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()
