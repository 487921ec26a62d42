"""Who opted out in the simulated Conversation API. Source: its pages "Consent management" and "Batch API"."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from connector_sinch.conversation.simulator_callbacks import stamp
from connector_sinch.conversation.simulator_request import AppId, Request

ListType = Literal["OPT_OUT_ALL", "OPT_OUT_MARKETING", "OPT_OUT_NOTIFICATION"]
LISTS: tuple[str, ...] = get_args(ListType)
BLOCKING = {
    "CONTENT_UNKNOWN": ("OPT_OUT_ALL",),
    "CONTENT_MARKETING": ("OPT_OUT_ALL", "OPT_OUT_MARKETING"),
    "CONTENT_NOTIFICATION": ("OPT_OUT_ALL", "OPT_OUT_NOTIFICATION"),
}
"""Kind of content to the lists that keep it from people."""


class ConsentRecord(Request):
    identification: Annotated[str, Field(min_length=1)]
    consent_type: ListType


class NewConsents(Request):
    """The Batch API's request to write many."""

    app_id: AppId
    consent_records: Annotated[list[ConsentRecord], Field(min_length=1, max_length=1000)]


class Consents:
    """By app: the lists, and how they came to be. Identities are kept without a plus."""

    def __init__(self, project_id: str) -> None:
        self._project_id = project_id
        self._lists: dict[tuple[str, str], dict[str, None]] = {}
        self._records: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def add(self, app_id: str, list_type: str, identity: str, origin: str) -> None:
        """Put an identity on a list; `origin` is ORIGIN_API or ORIGIN_MO."""
        identity = identity.removeprefix("+")
        listed = self._lists.setdefault((app_id, list_type), {})
        self._record(app_id, list_type, identity, origin, "UPDATE" if identity in listed else "INSERT")
        listed[identity] = None

    def remove(self, app_id: str, list_type: str, identity: str, origin: str) -> None:
        """Take an identity off a list, if it is there."""
        identity = identity.removeprefix("+")
        listed = self._lists.get((app_id, list_type), {})
        if identity in listed:
            del listed[identity]
            self._record(app_id, list_type, identity, origin, "DELETE")

    def _record(self, app_id: str, list_type: str, identity: str, origin: str, operation: str) -> None:
        self._records.setdefault((app_id, identity), []).append(
            {
                "origin": origin,
                "operation": f"OPERATION_{operation}",
                "list_type": list_type,
                "project_id": self._project_id,
                "app_id": app_id,
                "datetime": stamp(datetime.now(UTC)),
            }
        )

    def identities(self, app_id: str, list_type: str) -> list[str]:
        return list(self._lists.get((app_id, list_type), {}))

    def records(self, app_id: str, identity: str) -> list[dict[str, Any]]:
        return self._records.get((app_id, identity.removeprefix("+")), [])

    def blocks(self, app_id: str, content_type: str, names: Iterable[str]) -> bool:
        """Whether somebody has opted out of a kind of content, under any of the names: an identity, a contact id."""
        held = [self._lists.get((app_id, list_type), {}) for list_type in BLOCKING[content_type]]
        return any(name.removeprefix("+") in listed for name in names for listed in held)
