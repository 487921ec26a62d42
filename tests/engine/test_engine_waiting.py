"""What a call that waits for the last reports can wait for: who may be asked for them, and who takes them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from receiving_kit import (
    ADA,
    BO,
    NOW,
    SECRETS,
    Api,
    Clock,
    api,
    batch_report,
    clock,
    connect,
    connector,
    inbound,
    receipt,
    send_to,
    settings_of,
    take,
)
from sending_kit import wait_until

from connector.connector import Connector, Dispatch
from connector.extension.plugins import Plugins
from connector.model.batch import Batch
from connector.model.outcome import Accepted, Found, FoundState, InDoubt, Outcome

__all__ = ["api", "clock", "connector"]

TURNS = 800
"""Seconds that a waiting call is given, one for each turn; less than expected callbacks are waited for."""


@contextmanager
def waiting(dispatch: Dispatch) -> Iterator[threading.Thread]:
    """Wait for the last reports of a dispatch, until the block ends at the latest."""
    stop = threading.Event()
    thread = threading.Thread(target=lambda: dispatch.wait(stop=stop))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join()


def comes_back(thread: threading.Thread, clock: Clock) -> bool:
    """Whether a waiting call comes to its end by itself while the time goes on."""
    for _ in range(TURNS):
        clock.go(seconds=1)
        thread.join(0.05)
        if not thread.is_alive():
            return True
    return False


def receives(connector: Connector) -> None:
    """Take callbacks from now on, as a server does."""
    connector.recorder.start()
    wait_until(connector.server_is_running)


@pytest.fixture
def only_callbacks(api: Api) -> Api:
    """The provider can't be asked for reports."""
    api.provider.declines = {**api.provider.declines, "poll": "there is nothing to ask for"}
    return api


@pytest.fixture
def server(tmp_path: Path, api: Api, clock: Clock, connector: Connector) -> Iterator[Connector]:
    """Another connector on the ledger, as one that serves has it."""
    with connect(tmp_path, api, clock) as made:
        made.prepare()
        yield made


def delivers(batch: Batch) -> list[dict[str, object]]:
    return [batch_report(batch, dict.fromkeys(batch.recipients, ("Delivered", 0)))]


class TestCallbacksAlone:
    def test_nobody_waits_for_what_nobody_takes(self, connector: Connector, only_callbacks: Api, clock: Clock) -> None:
        dispatch = send_to(connector, ADA)
        with waiting(dispatch) as thread:
            assert comes_back(thread, clock)
        assert dispatch.report().open == 1
        assert dispatch.is_left_to_callbacks()

    def test_a_server_that_is_starting_is_waited_for(
        self, connector: Connector, only_callbacks: Api, clock: Clock, server: Connector
    ) -> None:
        begun = threading.Event()

        def accept(batch: Batch) -> Outcome:
            begun.set()
            return Accepted(f"01-{batch.key}")

        only_callbacks.send = accept
        dispatch = connector.send(
            {"name": "spring", "message": {"text": "Hello"}, "sender": "Shop"}, [{"to": f"+{ADA}"}], drain=False
        )
        with waiting(dispatch) as thread:
            assert begun.wait(60)
            wait_until(lambda: dispatch.report().open == 1)
            receives(server)
            # Nobody is patient so long with one who doesn't show itself.
            for _ in range(14):
                clock.go(seconds=1)
            assert thread.is_alive() and not dispatch.is_left_to_callbacks()
            take(server, receipt(ADA, batch_id=f"01-{only_callbacks.sent[0].key}"))
            assert comes_back(thread, clock)
        assert dispatch.report().delivered == 1

    def test_a_server_that_ends_is_not_waited_for(
        self, connector: Connector, only_callbacks: Api, clock: Clock, server: Connector
    ) -> None:
        receives(server)
        dispatch = send_to(connector, ADA)
        assert not dispatch.is_left_to_callbacks()
        with waiting(dispatch) as thread:
            server.close()
            assert comes_back(thread, clock)
        assert dispatch.report().open == 1
        assert dispatch.is_left_to_callbacks()


class TestAskedFor:
    def test_at_once_where_the_server_ended_that_was_to_take_them(
        self, connector: Connector, api: Api, clock: Clock, server: Connector
    ) -> None:
        api.poll = delivers
        # The first batch of an account is asked about soon, as it shows that it can be looked up.
        with waiting(send_to(connector, BO)) as thread:
            assert comes_back(thread, clock)
        receives(server)
        dispatch = send_to(connector, ADA, name="autumn")
        server.close()
        with waiting(dispatch) as thread:
            assert comes_back(thread, clock)
        assert dispatch.report().delivered == 1

    def test_not_while_a_server_takes_them(
        self, connector: Connector, api: Api, clock: Clock, server: Connector
    ) -> None:
        receives(server)
        dispatch = send_to(connector, ADA)
        with waiting(dispatch) as thread:
            take(server, receipt(ADA, batch_id=f"01-{api.sent[0].key}"))
            assert comes_back(thread, clock)
        assert (dispatch.report().delivered, api.polled) == (1, 0)

    def test_at_once_where_a_person_says_that_it_was_accepted(
        self, connector: Connector, api: Api, clock: Clock
    ) -> None:
        api.send = lambda batch: InDoubt("the answer was lost")
        api.find = lambda batch: Found(FoundState.cannot_tell)
        api.poll = delivers
        dispatch = send_to(connector, ADA)
        dispatch.retry("accepted")
        clock.go(seconds=2)
        connector.work()
        assert dispatch.report().delivered == 1

    def test_at_once_where_a_reply_that_was_asked_for_proves_it(self, tmp_path: Path, api: Api, clock: Clock) -> None:
        api.send = lambda batch: InDoubt("the answer was lost")
        api.find = lambda batch: Found(FoundState.cannot_tell)
        api.poll = delivers
        api.inbound = lambda since: (
            [{"count": 1, "page": 0, "page_size": 1, "inbounds": [inbound(ADA, client_reference=api.sent[0].key)]}]
            if api.sent
            else []
        )
        settings = settings_of(tmp_path)
        del settings["server"]
        plugins = Plugins([api], installed=False)
        with Connector(settings, plugins=plugins, secrets=SECRETS.__getitem__, clock=clock) as connector:
            dispatch = send_to(connector, ADA)
            while clock() < NOW.replace(hour=NOW.hour, minute=NOW.minute + 10):
                clock.go(seconds=10)
                connector.work()
            assert dispatch.report().delivered == 1
