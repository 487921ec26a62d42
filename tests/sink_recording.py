"""What the cassettes of sinks share: an account that is named by the environment, the simulator, or nothing real."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from recording import Hiding

from connector.extension import Secret
from connector.model.event import Event
from connector.simulator import SinkSimulator, running
from connector.testing.sink_contract import sample_events

CUSTOMER = "connector-cassette"


@dataclass(frozen=True)
class Account:
    """What names an account and opens it, by the names of the environment."""

    simulator: SinkSimulator
    address: str
    """Names where the platform's API is."""
    url: str
    """What stands for that."""
    shown: Mapping[str, str]
    """What stands for everything else."""
    simulated: Mapping[str, str]
    """What the simulator has."""


@contextmanager
def telling(account: Account, hiding: Hiding, record_mode: str) -> Iterator[Callable[..., Mapping[str, str]]]:
    """A function that gives the values of an account, and has them hidden while it is recorded.

    It is the real one if the environment has `needed`; with options of the simulator it is the simulator's anyhow.
    """
    with ExitStack() as stack:

        def tell(needed: str, **options: Any) -> Mapping[str, str]:
            if record_mode == "none":
                return {**account.shown, account.address: account.url}
            given: Mapping[str, str] = os.environ
            if options or needed not in os.environ:
                url = stack.enter_context(running(account.simulator, account.simulator.Options(**options)))
                given = {**account.simulated, account.address: url}
            hiding.hide_texts({given[name]: shown for name, shown in account.shown.items() if given.get(name)})
            return {account.address: account.url, **given}

        yield tell


def secret(value: str) -> Secret:
    return Secret("env:OF_TESTS", lambda reference: value)


def events_of_a_customer(count: int, *, first: int = 0) -> list[Event]:
    """What became of messages to one made-up customer."""
    return [replace(event, customer_id=CUSTOMER) for event in sample_events(count, first=first)]
