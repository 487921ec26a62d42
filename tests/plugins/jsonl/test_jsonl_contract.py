"""The contract of sinks, kept by `jsonl`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from connector_jsonl.sink import JsonLines

from connector.testing.sink_contract import SinkContract


class TestJsonLines(SinkContract):
    offered = JsonLines

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.file = tmp_path / "here" / "events.jsonl"
        self.file.parent.mkdir()

    @property
    def settings(self) -> dict[str, Any]:
        return {"path": str(self.file)}

    def received(self) -> Sequence[str]:
        return [json.loads(line)["id"] for line in self.file.read_text().splitlines()] if self.file.exists() else []

    @contextmanager
    def away(self) -> Iterator[None]:
        elsewhere = self.file.parent.with_name("elsewhere")
        self.file.parent.rename(elsewhere)
        yield
        elsewhere.rename(self.file.parent)
