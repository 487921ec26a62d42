"""Refusing recipients of whom a platform could not be told, before anything is sent."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from connector.audience.screening import MessageRow
from connector.extension.sink import Sink
from connector.model.errors import Fault, PluginError, RecipientsError


class Lacking:
    """Finds the recipients that lack what one of the sinks needs."""

    def __init__(self, sinks: Mapping[str, Sink], campaign_metadata: Mapping[str, Any]) -> None:
        self._sinks = {name: sink for name, sink in sinks.items() if type(sink).lacks is not Sink.lacks}
        self._metadata = campaign_metadata
        self._found: dict[str, list[int]] = {}

    def note(self, rows: Iterable[MessageRow]) -> None:
        """Look at messages that are to be sent."""
        if not self._sinks:
            return
        for row in rows:
            sentence = self._of(row)
            if sentence is not None:
                self._found.setdefault(sentence, []).append(row[1])

    def refuse(self) -> None:
        """Raise `RecipientsError` if any of those so far lacks something."""
        found, self._found = self._found, {}
        if found:
            faults = [
                Fault(f"row {rows[0] + 1}", sentence + (f" The same in {len(rows) - 1} more rows." if rows[1:] else ""))
                for sentence, rows in found.items()
            ]
            raise RecipientsError(faults)

    def _of(self, row: MessageRow) -> str | None:
        address, customer_id, metadata = row[3], row[5], row[7]
        known = {**self._metadata, **json.loads(metadata)} if metadata else self._metadata
        for name, sink in self._sinks.items():
            try:
                what = sink.lacks(address, customer_id, known)
            except Exception as error:
                raise PluginError(
                    f"The sink {name} failed to say what a recipient lacks: {type(error).__name__}."
                ) from error
            if what is not None:
                return f"This recipient has {what}, without which the sink {name} can't take the events."
        return None
