"""Asking a running simulator what it did."""

from typing import Any

from connector.http import Client
from connector.simulator.service import LONGEST_WAIT_SECONDS, OWN_PATHS


def settled_account(base_url: str) -> dict[str, Any]:
    """The account of a simulator, as `GET /_simulator/account` answers it, once nothing is on its way any more.

    Raises `ReadFailed` when it doesn't come to rest.
    """
    client = Client(base_url, timeout_seconds=LONGEST_WAIT_SECONDS + 5)
    try:
        client.get(f"{OWN_PATHS}idle")
        account: dict[str, Any] = client.get(f"{OWN_PATHS}account").json()
        return account
    finally:
        client.close()
