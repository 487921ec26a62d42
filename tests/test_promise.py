"""The promise, with real processes: `send` is killed at a dozen moments, and nobody is missed or messaged twice."""

import csv
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from sending_kit import agrees, people, wait_until

from connector import Connector

COMMAND = [sys.executable, "-c", "from connector.cli.main import main; main()"]
PEOPLE_PER_BATCH = 5


class Wire:
    """What lies between the sender and the provider: it can be down, and it can swallow requests that send."""

    def __init__(self, port: int) -> None:
        self._provider = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._listening.close()
        self._guard = threading.Lock()
        self.to_swallow = 0
        self.swallowed = 0
        self.up()

    def up(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections."""
        with suppress(OSError):
            # Wakes the thread that accepts.
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def swallow(self, requests: int) -> None:
        """Let the next requests that send vanish."""
        with self._guard:
            self.to_swallow, self.swallowed = requests, 0

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                sender, _ = listening.accept()
                threading.Thread(target=self._carry, args=(sender,), daemon=True).start()

    def _carry(self, sender: socket.socket) -> None:
        with sender, socket.create_connection(self._provider) as provider:
            ends = [sender, provider]
            swallows = False
            with suppress(OSError):
                while True:
                    for end in select.select(ends, [], [])[0]:
                        data = end.recv(65536)
                        if not data:
                            return
                        if end is provider:
                            sender.sendall(data)
                            continue
                        swallows = swallows or self._takes(data)
                        if not swallows:
                            provider.sendall(data)

    def _takes(self, data: bytes) -> bool:
        with self._guard:
            if not (self.to_swallow and data.startswith(b"POST ")):
                return False
            self.to_swallow -= 1
            self.swallowed += 1
            return True


class Stage:
    """A simulator in a process of its own, a wire to it, a ledger, and senders that are killed."""

    def __init__(self, folder: Path, simulated: dict[str, Any]) -> None:
        self.folder = folder
        self.plan = httpx.Client(base_url=simulated["url"], timeout=40)
        self.wire = Wire(int(simulated["url"].rpartition(":")[2]))
        self._environment = {**os.environ, **simulated["environment"]}
        settings = {**simulated["settings"], "base_url": f"http://127.0.0.1:{self.wire.port}"}
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        (folder / "connector.toml").write_text(
            "[integrations.sms]\nrequest_timeout_seconds = 2\n"
            + "\n".join(lines)
            + f'\n[defaults]\nintegration = "sms"\n[storage]\nurl = "sqlite:///{folder}/ledger.db"\n'
            "[tracking]\ndoubt_window_seconds = 0.2\nresend_lead_seconds = 1\n"
        )
        (folder / "campaign.toml").write_text('name = "promise"\n[message]\ntext = "Hi ${name}, we keep our word."\n')
        self._senders: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        for sender in self._senders:
            sender.kill()
            sender.wait()
            if sender.stdin:
                sender.stdin.close()
            if sender.stdout:
                sender.stdout.close()
        self.wire.down()
        self.plan.close()

    def recipients(self, name: str, count: int, *, after: int) -> list[dict[str, str]]:
        """A file of people, in small batches: their senders differ."""
        rows = [
            {**row, "sender": f"Shop {place // PEOPLE_PER_BATCH:03}"}
            for place, row in enumerate(people(count, after=after))
        ]
        with (self.folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return rows

    def send(self, file: str, key: str) -> subprocess.Popen[bytes]:
        sender = subprocess.Popen(
            [*COMMAND, "send", "campaign.toml", "--recipients", file, "--key", key, "--wait", "--json"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._senders.append(sender)
        return sender

    def killed_when(self, file: str, key: str, happened: Callable[[], bool]) -> None:
        """Start a sender, and end it at a moment that is seen from outside; the ledger's sums close then."""
        sender = self.send(file, key)
        wait_until(lambda: happened() or sender.poll() is not None)
        assert sender.poll() is None, "it ended before that moment came"
        self.kill(sender)

    def kill(self, sender: subprocess.Popen[bytes]) -> None:
        sender.send_signal(signal.SIGKILL)
        sender.wait()
        self.post("release")
        self.faults()
        self.wire.swallow(0)
        self.sums_close()

    def sums_close(self) -> None:
        with Connector.from_config(self.folder / "connector.toml") as connector:
            assert agrees(connector)

    # What can be seen from outside

    def count(self, query: str) -> int:
        try:
            with closing(sqlite3.connect(f"file:{self.folder / 'ledger.db'}?mode=ro", uri=True)) as ledger:
                return int(ledger.execute(f"SELECT count(*) FROM {query}").fetchone()[0])
        except sqlite3.OperationalError:
            # It isn't there yet.
            return 0

    def post(self, path: str, **content: Any) -> None:
        assert self.plan.post(f"/_simulator/{path}", json=content).status_code == 200

    def faults(self, **values: Any) -> None:
        self.post("faults", **values)

    def account(self) -> dict[str, Any]:
        return self.plan.get("/_simulator/account").json()

    def held(self, count: int) -> bool:
        return self.plan.get("/_simulator/held", params={"count": count}).status_code == 200


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    simulator = subprocess.Popen(
        [*COMMAND, "simulate", "sinch-sms", "--json", "--set", "outcomes.Delivered:0=1"], stdout=subprocess.PIPE
    )
    assert simulator.stdout is not None
    staged = Stage(tmp_path, json.loads(simulator.stdout.readline()))
    try:
        yield staged
    finally:
        staged.close()
        simulator.kill()
        simulator.wait()
        simulator.stdout.close()


def test_a_sender_that_is_killed_at_any_moment_is_started_again_until_done(stage: Stage) -> None:
    rows = stage.recipients("many.csv", 500, after=0)
    many = ("many.csv", "first")

    # While it reads: more is to come.
    sender = stage.send("-", "first")
    assert sender.stdin is not None
    lines = (stage.folder / "many.csv").read_bytes().splitlines(keepends=True)
    sender.stdin.writelines([lines[0], *lines[1:400] * 4])
    sender.stdin.flush()
    wait_until(lambda: stage.count("messages") >= 1000)
    assert stage.count("dispatches WHERE state = 'planning'") == 1
    stage.kill(sender)
    assert stage.account()["numbers"] == 0

    # Nobody answers at first; it goes on by itself when somebody does.
    stage.wire.down()
    sender = stage.send(*many)
    wait_until(lambda: stage.count("attempts WHERE ended = 'not_sent'") > 0)
    assert stage.count("dispatches") == 1
    stage.wire.up()
    wait_until(lambda: stage.count("batches WHERE state = 'accepted'") > 0)
    stage.kill(sender)

    # Its requests are under way, and never arrive.
    stage.wire.swallow(8)
    stage.killed_when(*many, lambda: stage.wire.swallowed == 8)

    # The provider has just taken them, and hasn't answered.
    stage.post("hold", at="after")
    stage.killed_when(*many, lambda: stage.held(8))

    # While it is told to wait.
    stage.faults(throttled=1)
    stage.killed_when(*many, lambda: stage.count("attempts WHERE ended = 'throttled'") > 0)

    # In full swing.
    stage.killed_when(*many, lambda: stage.count("batches WHERE state = 'accepted'") > 50)

    # Answers were lost.
    stage.faults(error_after=1)
    stage.killed_when(*many, lambda: stage.count("attempts WHERE ended = 'in_doubt' AND cause LIKE '%503%'") > 2)

    # While it looks up in vain.
    stage.faults(listing_error=1, drop_after="1x1")
    stage.killed_when(*many, lambda: stage.count("batches WHERE last_look_up LIKE 'can''t tell%'") > 0)

    # While reports are missing.
    stage.post("hold", at="queue")
    stage.killed_when(
        *many,
        lambda: stage.count("batches WHERE state != 'accepted'") == 0 and stage.count("batches WHERE polls > 0") > 0,
    )

    few_rows = stage.recipients("few.csv", 20, after=500)
    few = ("few.csv", "second")

    # None of its requests arrives.
    stage.wire.swallow(4)
    stage.killed_when(*few, lambda: stage.wire.swallowed == 4)

    # Half of those that are sent again arrive, and wait to be looked up once more.
    stage.wire.swallow(2)
    stage.killed_when(*few, lambda: stage.wire.swallowed == 2 and stage.count("batches WHERE task = 'recheck'") > 0)

    # The others are sent for the third time, and their answers are lost.
    stage.post("hold", at="after")
    third = "attempts JOIN batches ON batch = batches.number WHERE attempts.number = 3 AND state = 'sending'"
    stage.killed_when(*few, lambda: stage.count(third) > 0 and stage.held(1))

    for file, key, count in ((*many, len(rows)), (*few, len(few_rows))):
        sender = stage.send(file, key)
        told, _ = sender.communicate(timeout=300)
        assert sender.returncode == 0, told
        report = json.loads(told)
        assert (report["state"], report["recipients"], report["delivered"]) == ("finished", count, count)
        assert (report["double_send"], report["open"], report["waiting"], report["in_doubt"]) == (0, 0, 0, 0)
    stage.sums_close()
    account = stage.account()
    assert (account["accepted_once"], account["accepted_more"]) == (len(rows) + len(few_rows), 0)
