"""Dispatches that stay open, for messages that are added one at a time: their beginning, and the end of the adding."""

import secrets
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from connector.dispatch import pace, planning
from connector.ledger.tables import DispatchState, dispatches
from connector.model.campaign import Campaign
from connector.model.errors import KeyConflict
from connector.tracking import refusals


def find(connection: Connection, campaign: Campaign, *, integration: str, key: str) -> int | None:
    """The number of the dispatch that was opened under a key; None: there is none.

    Raises `KeyConflict` where the key belongs to another campaign, or to recipients from a list.
    """
    found = connection.execute(select(dispatches).where(dispatches.c.key == key)).first()
    if found is None:
        return None
    if found.open is None:
        raise KeyConflict(
            f"The key {key!r} belongs to the dispatch {found.id}, whose recipients come from a list. Give a new key."
        )
    if found.digest != _digest(campaign) or found.integration != integration:
        raise KeyConflict(
            f"The key {key!r} belongs to the dispatch {found.id}, which was opened with another campaign, or for "
            f"another integration. Give a new key."
        )
    return int(found.number)


def find_or_begin(
    connection: Connection, campaign: Campaign, *, integration: str, account: str, key: str, now: datetime
) -> int:
    """The number of the dispatch under a key, which runs from now on where there was none. Raises as `find` does."""
    found = find(connection, campaign, integration=integration, key=key)
    if found is not None:
        return found
    pace.register(connection, account, now)
    made = connection.execute(
        insert(dispatches).values(
            id=secrets.token_hex(8),
            key=key,
            key_is_given=True,
            digest=_digest(campaign),
            campaign=campaign.model_dump_json(),
            campaign_name=campaign.name,
            campaign_id=campaign.id,
            integration=integration,
            account=account,
            state=DispatchState.running,
            created_at=now,
            started_at=now,
            expire_at=campaign.expire_at,
            open=True,
        )
    )
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def close(connection: Connection, dispatch: int, *, now: datetime) -> bool:
    """End the adding; False: it was ended before."""
    of_dispatch = (dispatches.c.number == dispatch) & dispatches.c.open.is_(True)
    ended = bool(connection.execute(update(dispatches).where(of_dispatch).values(open=False)).rowcount)
    if ended:
        refusals.closed(connection, dispatch, now=now)
    return ended


def _digest(campaign: Campaign) -> str:
    # Its integration may get another name in the weeks that a dispatch is open.
    return planning.digest_of(campaign.model_copy(update={"integration": None}), "", "")
