"""A provider that sends letters, made up for these tests: what a plugin writes, and nothing more."""

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json

from connector.http import Answer
from connector.simulator import Options, Simulator
from connector.simulator.service import Call, Service, json_answer


class LetterService(Service):
    """`POST /letters` {"to": [...], "callback_url": ...} accepts; each letter is reported when it leaves."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, retry_waits=(1.0, 2.0))
        self.letters: list[dict[str, Any]] = []

    async def answer(self, call: Call) -> Answer:
        if (call.method, call.path) == ("POST", "/letters"):
            return await self.accepting(lambda: self._accept(from_json(call.body)))
        if (call.method, call.path) == ("GET", "/letters"):
            return self.listing_fault() or json_answer(200, self.letters)
        return Answer(404, {}, b"")

    def _accept(self, letter: dict[str, Any]) -> Answer:
        if not letter["to"]:
            return Answer(400, {}, b"")
        self.letters.append(letter)
        self.tally.accept(letter["to"])
        self.queue.put(letter, len(letter["to"]), None)
        return json_answer(201, letter)

    def leave(self, batch: dict[str, Any], start: int, stop: int) -> None:
        for number in batch["to"][start:stop]:
            if "callback_url" in batch:
                self.callbacks.submit(batch["callback_url"], to_json({"to": number}))

    def sign(self, body: bytes) -> dict[str, str]:
        return {"x-length": str(len(body))}

    def inbound(self, content: dict[str, Any]) -> Answer:
        return json_answer(201, content)

    def batches(self) -> list[dict[str, Any]]:
        return self.letters

    def forget(self) -> None:
        self.letters.clear()


class LetterSimulator(Simulator):
    name = "letters"
    title = "Letters"

    class Options(Options):
        pass

    def service(self, options: Options) -> LetterService:
        return LetterService(options)

    def settings(self, base_url: str, options: Options) -> dict[str, Any]:
        return {"provider": self.name, "base_url": base_url, "key": "env:LETTER_KEY", "urgent": True, "floors": [1, 2]}

    def secrets(self, options: Options) -> dict[str, str]:
        return {"LETTER_KEY": "open sesame"}

    def campaign(self) -> dict[str, Any]:
        return {"name": "letters", "message": {"text": "Dear reader"}}

    def recipients(self, count: int) -> Iterator[dict[str, str]]:
        return iter(())
