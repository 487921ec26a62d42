"""What a process goes through in the sweep: two dispatches, with doubt, refusals, throttling, callbacks, a cancel.

Or an open one, to which several threads add. The same call goes on where a process that was killed has left off.
"""

import json
import logging
import os
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from connector.connector import Connector
from connector.dispatch import cancelling, doubt, gathering, pace, sending
from connector.engine import worker
from connector.model.event import Event
from connector.server.serve import listen, serving
from connector.testing.moments import Count, Ends, watched

SENT, CALLED_OFF, OPENED = "sent", "called off", "opened"
"""The keys of the dispatches."""
SOON = timedelta(seconds=0.1)
ADDERS = 3

HANDED_OVER = "handed-over"
ADDED = "added"
MOMENTS = "moments.json"
MET = "met"
LOG = "log.txt"


@dataclass(frozen=True)
class Course:
    """All that a process needs, in what can be handed to another one."""

    folder: Path
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]
    port: int
    """Where callbacks are taken."""
    campaign: Mapping[str, Any]
    rows: list[dict[str, str]]
    called_off: list[dict[str, str]]
    """The recipients of the other dispatch, which is cancelled when the provider has it."""
    send_at: str
    """For when the other dispatch is scheduled."""
    opens: bool = False
    """Whether the recipients are added to an open dispatch, and there is no other."""

    def secret(self, reference: str) -> str:
        return self.secrets[reference.removeprefix("env:")]

    def connector(self, **more: Any) -> Connector:
        return Connector(self.settings, secrets=self.secret, **more)


@dataclass(frozen=True)
class Fate:
    """The moment, and its how-manieth time, at which a process is sent a signal."""

    moment: str
    times: int
    by: signal.Signals = signal.SIGKILL


def run(course: Course, fate: Fate | None = None) -> None:
    """Go through the course; the moments that were met are written down at the end."""
    logging.basicConfig(filename=course.folder / LOG, format="%(process)d %(asctime)s %(name)s %(message)s")
    _hurry()
    reached = Count() if fate is None else Ends(fate.moment, fate.times, fate.by, course.folder / MET)
    with watched(reached):
        _go(course)
    (course.folder / MOMENTS).write_text(json.dumps(reached.times))


def _hurry() -> None:
    """Shorten the pauses that leave a provider time: this one needs none."""
    sending.FIRST_LOOK_UP = sending.PROOF_AFTER = SOON
    doubt.FIRST_PAUSE_SECONDS = 0.05
    pace.FIRST_BACKOFF_SECONDS = 0.1
    gathering.GATHER = timedelta(seconds=0.02)
    cancelling.LOOK_AFTER = cancelling.AGAIN_AFTER = SOON
    worker.AFTER_FAILURE = SOON


def _go(course: Course) -> None:
    with (
        _Book(course.folder / HANDED_OVER) as book,
        course.connector(on_event=book.note) as connector,
        listen("127.0.0.1", course.port) as listening,
    ):
        connector.policy = replace(connector.policy, first_poll=timedelta(seconds=1))
        with serving(connector, listening=listening):
            (_add if course.opens else _send)(course, connector)
        connector.deliver()


def _send(course: Course, connector: Connector) -> None:
    sent = connector.plan(course.campaign, course.rows, key=SENT)
    later = {**course.campaign, "name": CALLED_OFF, "send_at": course.send_at}
    called_off = connector.plan(later, course.called_off, key=CALLED_OFF)
    while not called_off.report().is_settled:
        time.sleep(0.02)
    called_off.cancel()
    sent.wait()
    called_off.wait()


def _add(course: Course, connector: Connector) -> None:
    opened = connector.open(course.campaign, key=OPENED)
    with _Book(course.folder / ADDED) as book, ThreadPoolExecutor(ADDERS) as pool:

        def add(place: int) -> None:
            added = opened.add(course.rows[place], key=f"order {place}")
            book.write(f"{place} {added.message_id}")

        # In a batch of its own: what is lost of an account of which nothing was accepted yet waits for a person.
        add(0)
        while (told := opened.report()).waiting or told.sending:
            time.sleep(0.02)
        list(pool.map(add, range(1, len(course.rows))))
    opened.close()
    opened.wait()


class _Book:
    """Writes lines down that outlive the process; as a sink, the ids of events."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def __enter__(self) -> "_Book":
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._file)

    def write(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())

    def note(self, event: Event) -> None:
        self.write(str(event.id))
