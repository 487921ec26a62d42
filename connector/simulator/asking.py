"""Asking a running simulator what it did, and having people in it write."""

from typing import Any

from pydantic_core import to_json

from connector.http import AnswerLost, Client
from connector.model.errors import InputError, NotReached, ReadFailed
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


def have_somebody_write(base_url: str, number: str, text: str) -> dict[str, Any]:
    """Let a person write a text; the message as the simulated provider has it.

    Raises `InputError` when the simulator doesn't take it, `ReadFailed` when there is none.
    """
    client = Client(base_url)
    try:
        answer = client.post_once(f"{OWN_PATHS}inbound", to_json({"from": number, "body": text}))
    except (NotReached, AnswerLost) as error:
        raise ReadFailed(f"{error} Is a simulator running there?") from error
    finally:
        client.close()
    message = answer.json()
    if answer.status == 400 and isinstance(message, dict):
        raise InputError(f"The simulator did not take it: {message.get('error')}")
    if answer.status != 201:
        raise ReadFailed(f"{base_url} is no simulator: it answered with HTTP {answer.status}.")
    inbound: dict[str, Any] = message
    return inbound
