"""Looking up what the API has of ours: batches by our key, a batch's state, what people wrote.

Source: the pages "Batch API" (batch_getbatchstatus, batch_getbatchstatusesbymetadata, batch_cancelbatch), "Messages".
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from connector.http import Answer
from connector.model.batch import Batch, utc_now
from connector.model.errors import ReadFailed
from connector.model.outcome import Found, FoundState
from connector.model.report import Report, ReportSource
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.reports import BATCH_KEY
from connector_sinch.conversation.resources import limits
from connector_sinch.conversation.resources.host import api_time, next_token

CANCELLED = "CANCELLED"
MOST_PAGES = 10_000


def find(connection: Connection, batch: Batch, *, alone: bool) -> Found:
    """The batches that carry our key; `alone`: it may have been sent by messages:send, which can't be looked up.

    Copies that are all cancelled don't count as absent. Raises `ReadFailed`.
    """
    query = {"metadataKey": BATCH_KEY, "metadataValue": batch.key}
    entries = _batches(connection.batches.get(connection.path("messages"), query))
    if entries is None:
        return Found(FoundState.cannot_tell, cause="The API's list of batches can't be read.")
    ours = [entry for entry in entries if (_metadata(entry) or {}).get(BATCH_KEY) == batch.key]
    standing = [entry for entry in ours if entry.get("status") != CANCELLED]
    ids = tuple(entry["batch_id"] for entry in standing if isinstance(entry.get("batch_id"), str) and entry["batch_id"])
    if len(ids) != len(standing):
        return Found(FoundState.cannot_tell, cause="The API lists the batch without an id.")
    if ids:
        return Found(FoundState.accepted, ids)
    if ours:
        return Found(FoundState.cannot_tell, cause="The API lists the batch as cancelled.")
    if len(entries) > len(ours):
        return Found(
            FoundState.cannot_tell, cause="The API lists batches under another key than the one that was asked for."
        )
    if alone:
        return Found(
            FoundState.cannot_tell,
            cause="A message that is sent alone can't be looked up: only a callback can show that it was taken.",
        )
    return Found(FoundState.absent)


def cancel(connection: Connection, provider_batch_id: str) -> bool:
    """Cancel a batch that waits for its time; True when the API shows it as cancelled.

    The answer to the cancelling says nothing, so the batch is looked at after it. Raises `ReadFailed`.
    """
    if _state(connection, provider_batch_id) is None:
        # A message that was sent alone, or one that the API has no trace of: neither can be called back.
        return False
    connection.batches.delete(connection.path("messages"), to_json({"batch_id": provider_batch_id}))
    return _state(connection, provider_batch_id) == CANCELLED


def inbound(connection: Connection, since: datetime) -> Iterator[Report]:
    """What people wrote to the app since a time, page by page, newest first, as far as the API keeps it.

    Raises `ReadFailed`.
    """
    query = {
        "app_id": connection.settings.app_id,
        "direction": "TO_APP",
        "start_time": api_time(since),
        "page_size": str(limits.MESSAGES.most),
        "messages_source": "DISPATCH_SOURCE" if _dispatches(connection) else "CONVERSATION_SOURCE",
    }
    token = ""
    for _ in range(MOST_PAGES):
        answer = connection.api.get(connection.path("messages"), {**query, **({"page_token": token} if token else {})})
        said = answer.json()
        if answer.status != 200 or not isinstance(said, dict) or not isinstance(said.get("messages", []), list):
            raise ReadFailed(f"The API's list of messages can't be read (HTTP {answer.status}).")
        if said.get("messages"):
            yield Report(ReportSource.poll, answer.body, utc_now())
        token = next_token(said)
        if not token:
            return
    raise ReadFailed("The API's list of messages has no end.")


def _dispatches(connection: Connection) -> bool:
    """Whether the app keeps no conversations: its messages are in another list."""
    answer = connection.api.get(connection.path("apps", connection.settings.app_id))
    said = answer.json()
    if answer.status != 200 or not isinstance(said, dict):
        raise ReadFailed(f"The API does not show the app (HTTP {answer.status}).")
    return said.get("processing_mode") == "DISPATCH"


def _state(connection: Connection, provider_batch_id: str) -> str | None:
    """The state of a batch; None: there is none with this id. Raises `ReadFailed`."""
    answer = connection.batches.get(connection.path("messages", provider_batch_id))
    if answer.status == 404:
        return None
    said = answer.json()
    state = said.get("status") if isinstance(said, dict) else None
    if answer.status != 200 or not isinstance(state, str):
        raise ReadFailed(f"The API's state of the batch can't be read (HTTP {answer.status}).")
    return state


def _batches(answer: Answer) -> list[dict[str, Any]] | None:
    """The batches in an answer, whose outer form is not documented: a list, one alone, or a list in an object."""
    if answer.status == 404:
        return []
    said: Any = answer.json()
    if answer.status != 200:
        return None
    if isinstance(said, dict) and "batch_id" not in said:
        lists = [value for value in said.values() if isinstance(value, list)]
        if len(lists) != 1:
            return None if said else []
        (said,) = lists
    entries = said if isinstance(said, list) else [said]
    return entries if all(isinstance(entry, dict) for entry in entries) else None


def _metadata(entry: dict[str, Any]) -> dict[str, Any] | None:
    for name in ("meta_data", "batch_metadata", "metadata"):
        found = entry.get(name)
        if isinstance(found, dict):
            return found
    return None
