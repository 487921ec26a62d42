"""Several processes add to one open dispatch, and are killed: what was added is sent once, whoever dies."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from open_adder import CAMPAIGN
from sending_kit import Host, Plan, agrees, wait_until

from connector import Connector, OpenDispatch

ADDER = Path(__file__).with_name("open_adder.py")
ORDERS = 40


class Adders:
    """Processes that add, and what they said."""

    def __init__(self, settings: Path) -> None:
        self._settings = settings
        self._processes: list[subprocess.Popen[str]] = []
        self.said: dict[int, set[str]] = {}
        """Order to the ids of messages that were given for it."""
        self._readers: dict[int, threading.Thread] = {}

    def start(self, first: int, *, works: bool = False) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, ADDER, self._settings, str(first), str(ORDERS), *(["work"] if works else [])],
            cwd=ADDER.parent.parent,
            env={"PYTHONPATH": ":".join([str(ADDER.parent.parent), *filter(None, sys.path)])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        reader = threading.Thread(target=self._read, args=(process,))
        reader.start()
        self._readers[process.pid] = reader
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End one in the midst of it; all that it said is read then."""
        assert process.poll() is None, "it ended before that moment came"
        process.send_signal(signal.SIGKILL)
        process.wait()
        self._readers[process.pid].join()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            # The last line of who was killed may be torn.
            if line.endswith("\n"):
                order, message = line.split()
                self.said.setdefault(int(order), set()).add(message)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for reader in self._readers.values():
            reader.join()
        for process in self._processes:
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()


@pytest.fixture
def plan(host: Host) -> Plan:
    return host.plan()


TRACKING = {"doubt_window_seconds": 0.2, "resend_lead_seconds": 1}


@pytest.fixture
def adders(host: Host, plan: Plan, tmp_path: Path) -> Iterator[Adders]:
    settings = host.settings({"sms": plan}, tracking=TRACKING, integration={"request_timeout_seconds": 3})
    (tmp_path / "settings.json").write_text(json.dumps({"settings": settings, "token": plan.options.api_token}))
    made = Adders(tmp_path / "settings.json")
    yield made
    made.close()


def orders_sent(plan: Plan) -> Counter[str]:
    """How often each order was taken by the provider, whatever was posted for it."""
    standing = {batch["client_reference"] for batch in plan.standing()}
    content = {posted.content["client_reference"]: posted.content for posted in plan.posted}
    taken: Counter[str] = Counter()
    for key in standing:
        orders = content[key]["parameters"]["order"]
        taken.update(orders[number] for number in content[key]["to"])
    return taken


def test_what_was_added_is_sent_once_whoever_is_killed(host: Host, plan: Plan, adders: Adders) -> None:
    first, second = adders.start(0, works=True), adders.start(ORDERS)
    # One adds and sends, the other only adds: both end in the midst of it.
    wait_until(lambda: len([order for order in list(adders.said) if order < ORDERS]) > 15 and bool(plan.posted))
    adders.kill(first)
    wait_until(lambda: len([order for order in list(adders.said) if order >= ORDERS]) > 25)
    adders.kill(second)
    connector = host.connector(plan, tracking=TRACKING, integration={"request_timeout_seconds": 3})
    opened = connector.dispatch("confirmed")
    assert isinstance(opened, OpenDispatch)
    assert agrees(connector)
    said = len(adders.said)
    assert said <= opened.report().recipients <= said + 2

    # Both again, from the beginning; a third has the orders of both halves.
    for start in (0, ORDERS, ORDERS // 2):
        adders.start(start, works=start == 0)
    wait_until(lambda: len(adders.said) == 2 * ORDERS and opened.report().is_settled)
    assert {len(ids) for ids in adders.said.values()} == {1}
    assert len(set[str]().union(*adders.said.values())) == 2 * ORDERS
    report = opened.report()
    assert (report.recipients, report.enqueued, report.double_send) == (2 * ORDERS, 2 * ORDERS, 0)
    assert orders_sent(plan) == Counter(f"n{order}" for order in range(2 * ORDERS))
    assert agrees(connector)


def test_it_balances_at_every_moment(host: Host, plan: Plan, adders: Adders) -> None:
    """Counted again and again while others add, send and are reported on."""
    adders.start(0, works=True)
    adders.start(ORDERS // 2)
    with Connector(host.settings({"sms": plan}), secrets=lambda reference: plan.options.api_token) as connector:
        opened = connector.open(CAMPAIGN, key="confirmed")
        times = 0
        while opened.report().enqueued < ORDERS + ORDERS // 2:
            assert agrees(connector)
            times += 1
        assert times > 3
        assert {len(ids) for ids in adders.said.values()} == {1}
