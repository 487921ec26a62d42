"""Consents: lists of identities that must not be messaged by an app, where Sinch has enabled them for it.

Source: the page "Consent management", the schemas of consents in the API's OpenAPI document, and the page "Batch
API, Consents" (writing).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from connector.model.errors import ConnectorError, ReadFailed
from connector_sinch.conversation.resources import limits
from connector_sinch.conversation.resources.host import Host
from connector_sinch.conversation.resources.resource import Resource, Time, read, read_each

LISTS = ("OPT_OUT_ALL", "OPT_OUT_MARKETING", "OPT_OUT_NOTIFICATION")


class ConsentIdentity(Resource):
    """An identity on a list."""

    identity: str = ""


class AuditRecord(Resource):
    """One change of an identity's consent."""

    origin: str = ""
    operation: str = ""
    list_type: str = ""
    app_id: str = ""
    datetime: Time = None


class Audit(Resource):
    """All changes of an identity's consent."""

    identity: ConsentIdentity = ConsentIdentity()
    audit_records: list[AuditRecord] = Field(default_factory=list)


def record(identification: str, list_type: str) -> dict[str, str]:
    """One consent to write: a phone number or a contact's id, and the list that it goes on. Raises `InputError`."""
    limits.needed("identification", identification)
    limits.one_of("consent_type", list_type, LISTS)
    return {"identification": identification, "consent_type": list_type}


class Consents:
    """The consents of a project's apps."""

    def __init__(self, api: Host, batches: Host) -> None:
        self._api = api
        self._batches = batches

    def list(self, app_id: str, list_type: str, *, page_size: int | None = None) -> Iterator[ConsentIdentity]:
        """Everybody on one list of an app."""
        limits.one_of("list_type", list_type, LISTS)
        found = self._api.pages(
            "apps", app_id, "consents", list_type, entries="identities", size=page_size, limit=limits.CONSENTS
        )
        return read_each(ConsentIdentity, found)

    def audit(self, app_id: str, identity: str) -> Audit:
        """What happened to an identity's consent; phone numbers are without a plus."""
        return read(Audit, self._api.get("apps", app_id, "consents", "identities", identity.removeprefix("+")))

    def add_many(self, app_id: str, records: Iterable[Mapping[str, Any]]) -> Iterator[int]:
        """Write consents by the Batch API, 1,000 a request; yields how many it has taken so far.

        After a failure some or none of a request may be stored; writing them again does no harm. Raises
        `ReadFailed`, which says how many were taken before.
        """
        taken = 0
        for piece in limits.slices(records, limits.BATCH):
            try:
                self._batches.change("POST", "consents", body={"app_id": app_id, "consent_records": piece})
            except ConnectorError as error:
                if not taken:
                    raise
                raise ReadFailed(f"{error} {taken:,} were taken before that; all may be written again.") from error
            taken += len(piece)
            yield taken
