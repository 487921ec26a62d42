from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from callback_receiver import Receiver, receiving
from connector_sinch.sms.simulator import SIMULATOR
from plan_client import Plan

from connector.simulator import running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def plan() -> Iterator[Callable[..., Plan]]:
    """Starts a simulated service plan with some options; gives a client to it."""
    with ExitStack() as stack:

        def start(**options: Any) -> Plan:
            options.setdefault("outcomes", {"Delivered:0": 1})
            options.setdefault("retry_seconds", 0.01)
            checked = SIMULATOR.Options(**options)
            base_url = stack.enter_context(running(SIMULATOR, checked))
            headers = {"authorization": f"Bearer {checked.api_token}"}
            http = stack.enter_context(httpx.Client(base_url=base_url, headers=headers, timeout=40))
            return Plan(http, f"/xms/v1/{checked.service_plan_id}")

        yield start
