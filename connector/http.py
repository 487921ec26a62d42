"""HTTP to providers and platforms: the only room that knows httpx.

What a caller needs to know of a request is told apart here: whether it left, whether an answer came, and
which. A request that may have left is never repeated here, unless it was surely refused; safe reads are.
"""

import email.utils
import logging
import math
import re
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx
import stamina
from pydantic_core import from_json

from connector.model.errors import (
    ConfigurationError,
    NotReached,
    NotSent,
    NotTaken,
    ReadFailed,
    ReadRefused,
    SinkStopped,
    Stopped,
    Throttled,
)
from connector.network import Network, NotPublic, PublicNetwork, addresses_of, is_public

log = logging.getLogger("connector.http")

MAX_CONNECTIONS = 32
KEPT_SECONDS = 5.0
"""A connection that nobody uses is kept for so long, as the library does."""
READ_ATTEMPTS = 4
EARLY_SECONDS = 60.0
"""A token is renewed so long before its end, or in the last tenth of its life where that is shorter."""
EARLY_PAUSE_SECONDS = 5.0
"""After a renewal ahead of time has failed, the next one waits so long."""
UNSAID_LIFE_SECONDS = 300.0
"""How long a token is used whose end isn't told."""
MOST_WORDS_BYTES = 1_000_000
"""So much is read of what a platform says to events: anybody's webhook may answer, and with anything."""

_url = lru_cache(maxsize=256)(httpx.URL)
"""An address, which is taken apart once: most are posted to again and again."""

_silent: ContextVar[bool] = ContextVar("silent", default=False)
logging.getLogger("httpx").addFilter(lambda record: not _silent.get())


def _over(network: httpcore.NetworkBackend, transport: httpx.BaseTransport | None) -> None:
    # The library offers no way to hand over how a connection is made; its pool does.
    if isinstance(transport, httpx.HTTPTransport):
        transport._pool._network_backend = network


class _Silent(httpx.Client):
    """Writes no request into the log of its library, which a host may have turned on: addresses have people in them."""

    def __init__(
        self,
        *,
        network: httpcore.NetworkBackend | None = None,
        proxies: dict[str, httpx.Proxy | None] | None = None,
        **options: Any,
    ) -> None:
        self.proxies = proxies
        """By the addresses that they are for; None: those of the environment, which are read now."""
        super().__init__(**options)
        for transport in (self._transport, *self._mounts.values()):
            _over(network or Network(), transport)
        self.way = self._transport_for_url(self.base_url)
        """To the base URL: by a proxy of the environment, or without, as the library reads it."""

    def _get_proxy_map(self, proxy: Any, allow_env_proxies: bool) -> dict[str, httpx.Proxy | None]:
        if self.proxies is None:
            self.proxies = super()._get_proxy_map(proxy, allow_env_proxies)
        return self.proxies

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        before = _silent.set(True)
        try:
            return super().send(request, **options)
        finally:
            _silent.reset(before)


class _Connections:
    """Connections to one address, each of which one thread has at a time.

    The library's own pool looks at all of its connections for every request, which takes as long as a small post.
    """

    def __init__(self, make: Callable[[], _Silent]) -> None:
        self._make = make
        self._guard = threading.Lock()
        self._free: deque[tuple[_Silent, float]] = deque()
        """With the time of its last use on the monotonic clock; the one that was used last is taken first."""
        self._is_closed = False

    @contextmanager
    def one(self) -> Iterator[httpx.BaseTransport]:
        """What carries a request. Raises `httpx.TransportError` after `close`."""
        with self._guard:
            if self._is_closed:
                raise httpx.TransportError("closed")
            had = self._free.pop()[0] if self._free else None
        connection = had or self._make()
        try:
            yield connection.way
        finally:
            self._give_back(connection)

    def _give_back(self, connection: _Silent) -> None:
        now = time.monotonic()
        idle = []
        with self._guard:
            if self._is_closed:
                idle.append(connection)
            else:
                self._free.append((connection, now))
            while self._free and self._free[0][1] < now - KEPT_SECONDS:
                idle.append(self._free.popleft()[0])
        for each in idle:
            each.close()

    def close(self) -> None:
        """Those that are in use are closed when they are given back."""
        with self._guard:
            self._is_closed = True
            free = [each for each, _ in self._free]
            self._free.clear()
        for each in free:
            each.close()


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


class Unanswered(StrEnum):
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

    def __init__(self, why: Unanswered) -> None:
        self.why = why
        super().__init__(why)


class NoToken(Stopped):
    """The credentials for access tokens are wrong, or can't be read."""

    def __init__(self, message: str | None = None, *, http_status: int | None = None, error: str | None = None) -> None:
        self.http_status = http_status
        """None: nobody was asked."""
        self.error = error
        """The token endpoint's own word: `invalid_client`."""
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renew_at: float
    ends_at: float
    """On the monotonic clock."""


class ClientCredentials:
    """OAuth2 by client credentials (RFC 6749, section 4.4): one access token, shared by all threads.

    It is fetched at first use and renewed ahead of its end, by one thread at a time: while it holds the others
    go on with it, else they wait and share what comes of it. The secret is read for every token anew.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        read_secret: Callable[[], str],
        *,
        timeout_seconds: float = 30.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(token_url)
        self._host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._url = token_url
        self._client_id = client_id
        self._read_secret = read_secret
        self._monotonic = monotonic
        self._timeout_seconds = timeout_seconds
        self._client = _Silent(
            timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, 10.0)), follow_redirects=False
        )
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._failures = 0
        self._failure: NotSent | None = None

    def close(self) -> None:
        self._client.close()

    def token(self) -> str:
        """An access token.

        Raises `NotReached` when the token endpoint doesn't answer as it should, `Throttled` when it asks to
        wait, `NoToken` when it refuses the credentials or the secret can't be read.
        """
        token, now = self._token, self._monotonic()
        if token is None or now >= token.ends_at:
            return self._fetched(instead_of=token)
        if now >= token.renew_at and self._lock.acquire(blocking=False):
            try:
                if self._token is token:
                    self._renew_early(token, now)
            finally:
                self._lock.release()
            # Whichever holds now.
            return (self._token or token).value
        return token.value

    def renewed(self, refused: str) -> str:
        """Another token than the one that was refused as expired; raises as `token` does."""
        token = self._token
        if token is not None and token.value != refused:
            return self.token()
        return self._fetched(instead_of=token)

    def _fetched(self, *, instead_of: _Token | None) -> str:
        failures = self._failures
        with self._lock:
            if self._token is not None and (instead_of is None or self._token.value != instead_of.value):
                return self._token.value
            if self._failure is not None and self._failures != failures:
                # Somebody else has asked while this thread waited.
                raise self._failure
            try:
                self._token = self._fetch()
            except NotSent as error:
                self._failures += 1
                self._failure = error
                raise
            return self._token.value

    def _renew_early(self, token: _Token, now: float) -> None:
        try:
            self._token = self._fetch()
        except NotSent as error:
            log.warning("The access token could not be renewed ahead of its end: %s", error)
            self._token = replace(token, renew_at=now + EARLY_PAUSE_SECONDS)

    def _fetch(self) -> _Token:
        try:
            secret = self._read_secret()
        except ConfigurationError as error:
            raise NoToken(str(error)) from error
        try:
            with self._client.stream(
                "POST", self._url, data={"grant_type": "client_credentials"}, auth=(self._client_id, secret)
            ) as response:
                answer = _answer(response, response.read())
        except httpx.HTTPError as error:
            raise NotReached(_describe(error, self._host)) from error
        if answer.status == 429:
            raise Throttled(
                f"{self._host} gives no access token for now: too many were asked for.",
                retry_after_seconds=answer.retry_after_seconds(datetime.now(UTC)),
            )
        parsed = answer.json()
        said = parsed if isinstance(parsed, dict) else {}
        if 300 <= answer.status < 500 and answer.status != 408:
            raise self._refused(answer.status, said.get("error"))
        value = said.get("access_token")
        if answer.status != 200 or not isinstance(value, str) or not _fits_header(value):
            raise NotReached(f"{self._host} answered without an access token (HTTP {answer.status}).")
        return self._holding(value, said.get("expires_in"))

    def _refused(self, status: int, word: Any) -> NoToken:
        if status not in (400, 401, 403):
            return NoToken(f"{self._host} gives no access tokens at this address (HTTP {status}).", http_status=status)
        error = word if isinstance(word, str) and re.fullmatch(r"[a-z_]{1,40}", word) else None
        said = f" {error}" if error else ""
        return NoToken(f"{self._host} refused the credentials (HTTP {status}{said}).", http_status=status, error=error)

    def _holding(self, value: str, expires_in: Any) -> _Token:
        now = self._monotonic()
        known = isinstance(expires_in, int | float) and not isinstance(expires_in, bool) and expires_in > 0
        life_seconds = float(expires_in) if known else UNSAID_LIFE_SECONDS
        return _Token(value, now + life_seconds - min(EARLY_SECONDS, life_seconds / 10), now + life_seconds)


def _fits_header(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


class Client:
    """One integration's connection to one host.

    Synchronous and safe to share between threads. With `credentials` every request carries a token of theirs.
    `close` gives its connections back.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: ClientCredentials | None = None,
        timeout_seconds: float = 30.0,
        connect_timeout_seconds: float = 10.0,
        only_public: bool = False,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._only_public = only_public
        # A proxy of the environment would look names up itself.
        trust_env = not only_public
        make = partial(
            _Silent,
            base_url=self.base_url,
            headers=dict(headers or {}),
            timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, connect_timeout_seconds)),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            follow_redirects=False,
            verify=httpx.create_ssl_context(trust_env=trust_env),
            trust_env=trust_env,
            network=PublicNetwork() if only_public else None,
        )
        self._client = make()
        # One way for all, also where the environment is another by then.
        self._posts = _Connections(partial(make, proxies=self._client.proxies))
        self._headers = {**self._client.headers, "content-type": "application/json"}
        self._timeouts = self._client.timeout.as_dict()

    def close(self) -> None:
        self._client.close()
        self._posts.close()

    def post_once(self, path: str, content: bytes, *, before_write: Callable[[], None] | None = None) -> Answer:
        """Post a JSON body once and never again, unless it was surely refused because its token has expired.

        `before_write` runs after the connection stands, at the last moment before the request is
        written, also when it is repeated; what it raises keeps the request from leaving.

        Raises `NotReached` when the request surely did not leave, `AnswerLost` when it may have; where a token
        is needed, as `ClientCredentials.token` does.
        """
        return self._with_token(lambda token: self._post(path, content, token, before_write))

    def _with_token(self, ask: Callable[[dict[str, str]], Answer]) -> Answer:
        """The answer to what is asked with a token; with another one where the first has expired meanwhile."""
        if self._credentials is None:
            return ask({})
        token = self._credentials.token()
        answer = ask(_bearer(token))
        if answer.status == 401 and "expired" in answer.headers.get("www-authenticate", "").lower():
            answer = ask(_bearer(self._credentials.renewed(token)))
        return answer

    def _post(
        self, path: str, content: bytes, token: dict[str, str], before_write: Callable[[], None] | None
    ) -> Answer:
        leaving = False

        def watch(event: str, info: dict[str, Any]) -> None:
            nonlocal leaving
            # What a proxy is asked for the way there isn't the request.
            if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
                if before_write is not None:
                    before_write()
                leaving = True

        try:
            return self._exchange(path, content, token, trace=watch)
        except httpx.HTTPError as error:
            what = _describe(error, self.base_url)
            if leaving:
                raise AnswerLost(what) from error
            raise NotReached(what) from error

    def _exchange(
        self, path: str, content: bytes, headers: Mapping[str, str], most_bytes: int | None = None, **extensions: Any
    ) -> Answer:
        """Post once, past the library's redirects, cookies and hooks, which take half of the time of a small post."""
        request = httpx.Request(
            "POST",
            _url(self.base_url + path),
            content=content,
            headers={**self._headers, **headers},
            extensions={"timeout": self._timeouts, **extensions},
        )
        with self._posts.one() as way, closing(way.handle_request(request)) as response:
            return _answer(response, _read(response, most_bytes))

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Read, asking again after failures of the network, 5xx and 429.

        Raises `ReadFailed` when no good answer comes, `ReadRefused` on 4xx except 404, which is returned.
        """
        return self._read("GET", path, params)

    def delete(self, path: str, content: bytes | None = None) -> Answer:
        """Delete what a path, or a JSON body, names; it may be repeated. Errors as for `get`."""
        return self._read("DELETE", path, None, content)

    def post_repeatable(self, path: str, content: bytes) -> Answer:
        """Post a JSON body that does no more when it is posted twice, asking again as `get` does.

        A refusal is returned as it came. Raises `ReadFailed` when no good answer comes, and `ReadRefused` when
        no token can be had.
        """
        return self.repeatable("POST", path, content)

    def repeatable(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask for something that does no more when it is asked twice, such as a change by PATCH or PUT.

        Asks again as `get` does; a refusal is returned as it came. Raises `ReadFailed` when no good answer comes,
        and `ReadRefused` when no token can be had.
        """
        return self._ask(method, path, params, content, headers or {})

    def post_events(self, path: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Post events to a platform, once: whoever hands them over does so again later.

        `headers`: their names in lower case. A refusal is returned as it came. Raises `NotTaken` when no answer
        comes, or one that asks to try again later (408, 429, 5xx); `SinkStopped` when the address leads to where
        this client may not go.
        """
        try:
            answer = self._exchange(path, content, headers, MOST_WORDS_BYTES)
        except httpx.HTTPError as error:
            if _leads_inside(error):
                raise SinkStopped(_describe(error, self.base_url)) from error
            raise NotTaken(_describe(error, self.base_url)) from error
        if answer.status in (408, 429) or answer.status >= 500:
            raise NotTaken(
                f"{self.base_url} answered HTTP {answer.status}.",
                retry_after_seconds=answer.retry_after_seconds(datetime.now(UTC)),
            )
        return answer

    def look_up(self) -> None:
        """Look up where the address leads, and connect to nothing; what a proxy would look up is left to it.

        Raises `NotTaken` when no machine is known by its name, `SinkStopped` as `post_events`.
        """
        if self._client.way is not self._client._transport:
            return
        url = httpx.URL(self.base_url)
        try:
            found = addresses_of(url.raw_host.decode(), url.port or 443)
        except OSError as error:
            raise NotTaken(f"{self.base_url} can't be reached: no machine is known by this name.") from error
        if self._only_public and not all(map(is_public, found)):
            raise SinkStopped(_describe(NotPublic(), self.base_url))

    def _read(self, method: str, path: str, params: Mapping[str, str] | None, content: bytes | None = None) -> Answer:
        answer = self._ask(method, path, params, content)
        if answer.status in (401, 403):
            raise ReadRefused(
                f"{self.base_url} refused the credentials (HTTP {answer.status}).", http_status=answer.status
            )
        if answer.status >= 300 and answer.status != 404:
            raise ReadRefused(f"{self.base_url} refused a look-up (HTTP {answer.status}).", http_status=answer.status)
        return answer

    def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        content: bytes | None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """What may be asked more than once, until it is answered."""
        kind = {**headers} if content is None else {"content-type": "application/json", **headers}

        def once(token: dict[str, str]) -> Answer:
            headers = {**kind, **token}
            with self._client.stream(method, path, params=params, content=content, headers=headers) as response:
                return _answer(response, response.read())

        def waits(error: Exception) -> bool | float:
            if isinstance(error, _TryAgain):
                return error.wait_seconds or True
            return isinstance(error, httpx.HTTPError)

        try:
            for attempt in stamina.retry_context(
                on=waits, attempts=READ_ATTEMPTS, timeout=60.0, wait_initial=0.2, wait_max=5.0
            ):
                with attempt:
                    answer = self._once_with_token(once)
        except _TryAgain as error:
            raise ReadFailed(str(error)) from error
        except httpx.HTTPError as error:
            raise ReadFailed(_describe(error, self.base_url)) from error
        return answer

    def _once_with_token(self, once: Callable[[dict[str, str]], Answer]) -> Answer:
        try:
            answer = self._with_token(once)
        except NoToken as error:
            raise ReadRefused(str(error), http_status=error.http_status) from error
        except Throttled as error:
            raise _TryAgain(str(error), error.retry_after_seconds) from error
        except NotReached as error:
            raise _TryAgain(str(error), None) from error
        if answer.status == 429 or answer.status >= 500:
            wait_seconds = answer.retry_after_seconds(datetime.now(UTC))
            raise _TryAgain(f"{self.base_url} answered HTTP {answer.status} to a look-up.", wait_seconds)
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
        _over(Network(), self._transport)
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
        with (
            _Silent(timeout=timeout_seconds, follow_redirects=False) as client,
            client.stream("POST", url, content=content, headers=dict(headers)) as response,
        ):
            return _answer(response, response.read())
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(_silence(error)) from None


def _silence(error: Exception) -> Unanswered:
    causes = list(_causes(error))
    kinds: list[tuple[type[BaseException], Unanswered]] = [
        (ssl.SSLCertVerificationError, Unanswered.certificate),
        (ssl.SSLError, Unanswered.encryption),
        (socket.gaierror, Unanswered.unknown_host),
        (httpx.InvalidURL, Unanswered.unknown_host),
        (ConnectionRefusedError, Unanswered.refused),
        (httpx.TimeoutException, Unanswered.too_slow),
        (httpx.ConnectError, Unanswered.unreachable),
        (httpx.ProxyError, Unanswered.unreachable),
    ]
    for kind, silence in kinds:
        if any(isinstance(cause, kind) for cause in causes):
            return silence
    return Unanswered.broken_off


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it: the library's own errors hide which of the system's it was."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _read(response: httpx.Response, most_bytes: int | None) -> bytes:
    """The body of an answer; what is over `most_bytes` is not read."""
    if most_bytes is None:
        return response.read()
    chunks = []
    size = 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > most_bytes:
            break
    return b"".join(chunks)[:most_bytes]


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def _leads_inside(error: BaseException) -> bool:
    return any(isinstance(cause, NotPublic) for cause in _causes(error))


def _describe(error: Exception, base_url: str) -> str:
    """A sentence without the request: paths carry account ids, bodies carry people."""
    if _leads_inside(error):
        return f"{base_url} leads into a private network or to this machine, which is not allowed."
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
        self._made: list[Client | ClientCredentials] = []

    def client(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: ClientCredentials | None = None,
        timeout_seconds: float = 30.0,
        only_public: bool = False,
    ) -> Client:
        """A client for one host; it is closed with this object.

        With `only_public` it never connects to an address of a private network or of this machine.
        """
        made = Client(
            base_url,
            headers=headers,
            credentials=credentials,
            timeout_seconds=timeout_seconds,
            only_public=only_public,
        )
        self._made.append(made)
        return made

    def client_credentials(
        self, token_url: str, client_id: str, read_secret: Callable[[], str], *, timeout_seconds: float = 30.0
    ) -> ClientCredentials:
        """Credentials that fetch access tokens; they are closed with this object."""
        made = ClientCredentials(token_url, client_id, read_secret, timeout_seconds=timeout_seconds)
        self._made.append(made)
        return made

    def close(self) -> None:
        for made in self._made:
            made.close()
        self._made.clear()
