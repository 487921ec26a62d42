"""Whom a request is for: a contact, or identities on channels."""

from collections.abc import Mapping, Sequence
from typing import Any

from connector.model.errors import InputError


def recipient(*, contact_id: str | None = None, identities: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """Exactly one of both, as the API takes it. Raises `InputError`."""
    if (contact_id is None) == (not identities):
        raise InputError("recipient: give either a contact's id, or an identity on a channel.")
    if contact_id is not None:
        return {"contact_id": contact_id}
    return {"identified_by": {"channel_identities": [dict(each) for each in identities]}}
