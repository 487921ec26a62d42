"""A running simulator: a plain ASGI application with a provider's paths and, beside them, its own.

The simulator's own paths, for tests and people:

    GET  /_simulator/account      how often each number was accepted, requests by status, callbacks
    GET  /_simulator/batches      what was accepted, as the provider knows it
    GET  /_simulator/idle         answers once nothing waits to be sent, reported or called back
    POST /_simulator/faults       {name: probability}: replaces all faults but those of phases
    POST /_simulator/inbound      a message from a person; the body is the provider's matter
    POST /_simulator/hold         {"at": POINT}: before, after (of accepting a send), queue or callbacks
    GET  /_simulator/held         ?count=N: answers once N sends are held
    POST /_simulator/release      lets go of everything that is held
    POST /_simulator/reset        forgets batches and counts; phases begin anew
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic_core import from_json, to_json

from connector.http import Answer
from connector.model.errors import InputError
from connector.simulator.callbacks import Deliverer
from connector.simulator.faults import Faults
from connector.simulator.options import Options
from connector.simulator.outcomes import Fate, Outcomes
from connector.simulator.queue import AccountQueue
from connector.simulator.tally import Tally

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Entry = TypeVar("Entry")

OWN_PATHS = "/_simulator/"
LONGEST_WAIT_SECONDS = 30.0
"""How long `idle` and `held` wait before they answer 504."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the simulated API."""

    method: str
    path: str
    query: dict[str, str]
    """What is given several times is joined by commas."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class Dropped(Exception):
    """Close the connection without an answer."""


def json_answer(status: int, content: Any) -> Answer:
    return Answer(status, {"content-type": "application/json"}, to_json(content))


class Service(ABC):
    """The state of one running simulator, in memory, and its ASGI application.

    Runs in one event loop; only callbacks leave from threads of their own.
    """

    def __init__(self, options: Options, retry_waits: tuple[float, ...]) -> None:
        """`retry_waits`: the waits between a callback's tries, in units of `options.retry_seconds`.

        Raises `InputError`.
        """
        self._phased = options
        self._turns: list[asyncio.TimerHandle] = []
        self.faults = Faults(options.faults, options.seed)
        self.tally = Tally()
        self.queue: AccountQueue[Any] = AccountQueue(options.messages_per_second, self.leave)
        self._turn(0.0)
        self.callbacks = Deliverer(
            self.faults,
            waits_seconds=[wait * options.retry_seconds for wait in retry_waits],
            sign=self.sign,
            connections=options.callback_connections,
            per_second=self.callbacks_per_second(options),
        )
        self.reports_due = 0
        """Messages that were sent and whose end is not reported yet."""
        self._held_at: set[str] = set()
        self._held = 0
        self._released = asyncio.Event()
        self._stopping = asyncio.Event()

    def callbacks_per_second(self, options: Any) -> float | None:
        """How many callbacks go out for the first time in a second, at most; None: as many as may be on their way."""
        return None

    @abstractmethod
    async def answer(self, call: Call) -> Answer:
        """Answer a request to the provider's paths. May raise `Dropped`."""

    @abstractmethod
    def leave(self, batch: Any, start: int, stop: int) -> None:
        """Messages of a batch, by position, leave the account's queue."""

    @abstractmethod
    def sign(self, body: bytes) -> dict[str, str]:
        """The headers of a callback with this body."""

    @abstractmethod
    def inbound(self, content: dict[str, Any]) -> Answer:
        """Make a message from a person."""

    @abstractmethod
    def batches(self) -> list[dict[str, Any]]:
        """What was accepted."""

    @abstractmethod
    def forget(self) -> None:
        """Drop all state of the provider's."""

    def _turn(self, second: float) -> None:
        """Let hold what the phases say of this second."""
        held = self._phased.at(second)
        self.faults.during(held["faults"])
        self.take_up(held)
        self.queue.pace(held["messages_per_second"])

    def take_up(self, held: Mapping[str, Any]) -> None:
        """Let hold from now on what the settings say that a phase may change."""
        self.outcomes = Outcomes(
            held["outcomes"],
            held["endings"],
            self._phased.seed,
            read=Fate.read,
            beginnings=held["beginnings"],
            countries=held["countries"],
        )

    def _start_phases(self) -> None:
        """Count seconds from now."""
        loop = asyncio.get_running_loop()
        self._turns = [loop.call_later(second, self._turn, second) for second in self._phased.turns()]

    def _stop_phases(self) -> None:
        for turn in self._turns:
            turn.cancel()
        self._turns.clear()

    async def accepting(self, accept: Callable[[], Answer]) -> Answer:
        """Answer a request that sends messages, with the faults that belong to one.

        `accept` does it and answers 2xx, or refuses. The first one begins the time that phases are counted in.
        """
        if not self._turns and self._phased.phases:
            self._start_phases()
        self.tally.asked_to_send(time.monotonic())
        try:
            answer = await self._accepting(accept)
        except Dropped:
            self.tally.sends["dropped"] += 1
            raise
        self.tally.sends[str(answer.status)] += 1
        return answer

    async def _accepting(self, accept: Callable[[], Answer]) -> Answer:
        if self.faults.happens("drop_before"):
            raise Dropped
        if self.faults.happens("error_before"):
            return Answer(503, {}, b"")
        if self.faults.happens("throttled"):
            return Answer(429, {}, b"")
        await self._hold_here("before")
        answer = accept()
        if answer.status >= 300:
            return answer
        await self._hold_here("after")
        if self.faults.happens("slow"):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self.faults.seconds("slow_seconds"))
        if self.faults.happens("error_after"):
            return Answer(503, {}, b"")
        if self.faults.happens("drop_after"):
            raise Dropped
        return answer

    def listing_fault(self) -> Answer | None:
        """The answer to a look-up that a fault spoils, or None."""
        return Answer(503, {}, b"") if self.faults.happens("listing_error") else None

    def shown(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The entries of a page that a listing shows: all, or the first half where a fault says so."""
        return entries[: len(entries) // 2] if self.faults.happens("listing_truncated") else entries

    async def _hold_here(self, point: str) -> None:
        if point not in self._held_at or self._stopping.is_set():
            return
        self._held += 1
        try:
            await self._released.wait()
        finally:
            self._held -= 1

    def release(self) -> None:
        """Let go of everything that is held."""
        self._held_at.clear()
        self._released.set()
        self._released = asyncio.Event()
        self.queue.hold(False)
        self.callbacks.hold(False)

    def stop_waiting(self) -> None:
        """Answer what is held or slow now: the simulator stops."""
        self._stopping.set()
        self.release()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        call = await _read(scope, receive)
        if call is None:
            return
        own = call.path.startswith(OWN_PATHS)
        try:
            if own:
                answer = await self._own(call)
            elif self.faults.happens("unauthorized"):
                answer = Answer(401, {}, b"")
            elif self.faults.happens("overloaded"):
                answer = Answer(429, {}, b"")
            else:
                answer = await self.answer(call)
        except Dropped:
            self.tally.requests["dropped"] += 1
            scope["state"]["transport"].abort()
            await _gone(receive)
            return
        if not own:
            self.tally.requests[str(answer.status)] += 1
        headers = {**answer.headers, "content-length": str(len(answer.body))}
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": answer.body})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.callbacks.start()
        draining = asyncio.create_task(self.queue.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._stop_phases()
        draining.cancel()
        with suppress(asyncio.CancelledError):
            await draining
        await asyncio.to_thread(self.callbacks.close)
        await send({"type": "lifespan.shutdown.complete"})

    async def _own(self, call: Call) -> Answer:
        name = f"{call.method} {call.path.removeprefix(OWN_PATHS)}"
        try:
            content = from_json(call.body) if call.body else {}
        except ValueError:
            return json_answer(400, {"error": "The body is not JSON."})
        if not isinstance(content, dict):
            return json_answer(400, {"error": "The body is not a JSON object."})
        match name:
            case "GET account":
                return json_answer(200, {**self.tally.account(), "callbacks": self.callbacks.account()})
            case "GET batches":
                batches = self.batches()
                return json_answer(200, {"count": len(batches), "batches": batches})
            case "GET idle":
                return await self._once(lambda: not (self.queue.waiting or self.reports_due or self.callbacks.waiting))
            case "GET held":
                wanted = int(call.query.get("count", "1"))
                return await self._once(lambda: self._held >= wanted)
            case "POST faults":
                try:
                    self.faults.set(content)
                except InputError as error:
                    return json_answer(400, {"error": str(error)})
                return json_answer(200, {})
            case "POST inbound":
                return self.inbound(content)
            case "POST hold":
                return self._hold(content.get("at"))
            case "POST release":
                self.release()
                return json_answer(200, {})
            case "POST reset":
                self.queue.clear()
                self.callbacks.clear()
                self.tally = Tally()
                self._stop_phases()
                self._turn(0.0)
                self.forget()
                return json_answer(200, {})
        return json_answer(404, {"error": f"The simulator has no {name}."})

    def _hold(self, point: Any) -> Answer:
        if point in ("before", "after"):
            self._held_at.add(point)
        elif point == "queue":
            self.queue.hold(True)
        elif point == "callbacks":
            self.callbacks.hold(True)
        else:
            return json_answer(400, {"error": "Hold at before, after, queue or callbacks."})
        return json_answer(200, {})

    async def _once(self, happened: Callable[[], bool]) -> Answer:
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while not happened():
            if time.monotonic() > deadline or self._stopping.is_set():
                return json_answer(504, {"error": "It did not come to that in time."})
            # Callbacks are settled in threads, which have no event of this loop to set.
            await asyncio.sleep(0.005)
        return json_answer(200, {})


async def _read(scope: Scope, receive: Receive) -> Call | None:
    """The whole request; None when the other side went away."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return Call(
        scope["method"],
        scope["path"],
        _query(scope["query_string"].decode("latin-1")),
        {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body,
    )


def _query(text: str) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
