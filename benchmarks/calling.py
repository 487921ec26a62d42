"""Calls back as the provider does: signed reports over connections that are kept, in a process of its own.

    python benchmarks/calling.py BODIES URL SECRET CONNECTIONS [RATE]

Posts each line of BODIES once. Without RATE every connection posts again as soon as it is answered. With it, the
moments are fixed in advance, at random and that many a second on average, until standard input is closed; then the time
that a callback took counts from its moment, so that waiting for a connection, or for this process, counts too.

Prints as JSON what came of each, and the part of its time that this process was busy.
"""

import asyncio
import json
import random
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from connector_sinch.signature import ALGORITHM, HMAC_SHA256, NONCE, SIGNATURE, TIMESTAMP, sign

WARM_UP = 1000
"""So many callbacks come before the clock: the first ones find nothing imported and nothing in memory."""

_content_length = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search

Due = tuple[int, float]
"""The number of a request, and the moment that its time counts from."""


class Caller:
    """Posts what is due on whichever connection is free."""

    def __init__(self, requests: list[bytes]) -> None:
        self.requests = requests
        self.free: deque[Connection] = deque()
        """The longest idle first: the server closes a connection that idles for seconds."""
        self.calls: list[tuple[int, int, float, float]] = []
        """Number of the request, HTTP status, the moment that its time counts from, the seconds that it took."""
        self.due: Callable[[], Due | None] = lambda: None
        self._answered = asyncio.Event()

    def go_on(self) -> None:
        """Post what is due, as far as connections are free."""
        while self.free and (due := self.due()) is not None:
            self.free.popleft().post(*due)

    def answered(self, connection: "Connection", number: int, status: int, since: float) -> None:
        self.calls.append((number, status, since, time.perf_counter() - since))
        self.free.append(connection)
        self.go_on()
        self._answered.set()

    async def post_all(self, numbers: Iterable[int]) -> None:
        """Post these, each as soon as a connection is free."""
        expected = list(numbers)
        coming = iter(expected)
        self.due = lambda: None if (number := next(coming, None)) is None else (number, time.perf_counter())
        before = len(self.calls)
        self.go_on()
        await self._until(before + len(expected))

    async def post_at(self, moments: Iterator[Due]) -> None:
        """Post each at its moment."""
        waiting: deque[Due] = deque()
        self.due = lambda: waiting.popleft() if waiting else None
        expected = len(self.calls)
        for number, moment in moments:
            await asyncio.sleep(max(0.0, moment - time.perf_counter()))
            waiting.append((number, moment))
            expected += 1
            self.go_on()
        await self._until(expected)

    async def _until(self, count: int) -> None:
        while len(self.calls) < count:
            self._answered.clear()
            await self._answered.wait()


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._caller.free.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        sys.exit("The server closed a connection.")

    def post(self, number: int, since: float) -> None:
        self._number, self._since = number, since
        self._transport.write(self._caller.requests[number])

    def data_received(self, data: bytes) -> None:
        self._answer += data
        end = self._answer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _content_length(self._answer, 0, end + 2)
        if length is None or len(self._answer) < end + 4 + int(length[1]):
            return
        status = int(self._answer[9:12])
        self._answer = b""
        self._caller.answered(self, self._number, status, self._since)


def requests_of(bodies: list[bytes], url: str, secret: str) -> list[bytes]:
    """Whole requests, signed now."""
    where = urlsplit(url)
    timestamp = str(int(time.time()))
    made = []
    for number, body in enumerate(bodies):
        nonce = f"01{number:024}"
        head = (
            f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
            f"Content-Type: application/json\r\n{SIGNATURE}: {sign(secret, body, nonce, timestamp)}\r\n"
            f"{NONCE}: {nonce}\r\n{TIMESTAMP}: {timestamp}\r\n{ALGORITHM}: {HMAC_SHA256}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def moments(count: int, rate: float, ended: Callable[[], bool]) -> Iterator[Due]:
    """Request after request with its moment, as the arrivals of many independent senders."""
    gaps = random.Random(1)
    moment = time.perf_counter()
    for number in range(WARM_UP, count):
        moment += gaps.expovariate(rate)
        yield number, moment
        if ended():
            return
    sys.exit("There are too few callbacks to go on at this rate.")


async def main(bodies: Path, url: str, secret: str, connections: int, rate: float | None) -> None:
    caller = Caller(requests_of(bodies.read_bytes().splitlines(), url, secret))
    loop = asyncio.get_running_loop()
    where = urlsplit(url)
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(caller), where.hostname, where.port)
    await caller.post_all(range(WARM_UP))
    print("ready", file=sys.stderr, flush=True)
    wall, started, busy = time.time(), time.perf_counter(), time.process_time()
    if rate is None:
        await caller.post_all(range(WARM_UP, len(caller.requests)))
    else:
        closed = loop.run_in_executor(None, sys.stdin.read)
        await caller.post_at(moments(len(caller.requests), rate, closed.done))
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {
                "seconds": seconds,
                "busy": (time.process_time() - busy) / seconds,
                "calls": [
                    (number, status, since - started + wall, took) for number, status, since, took in caller.calls
                ],
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(
        main(
            Path(sys.argv[1]),
            sys.argv[2],
            sys.argv[3],
            int(sys.argv[4]),
            float(sys.argv[5]) if len(sys.argv) > 5 else None,
        )
    )
