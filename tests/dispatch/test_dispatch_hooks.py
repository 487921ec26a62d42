"""What a host's plugins can do to a dispatch, and what their mistakes cost."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from sending_kit import CAMPAIGN, Host, agrees, batches_of_one, closes, people

from connector.extension import hookimpl
from connector.model.errors import Stopped


class Gate:
    """Stops a dispatch before it sends, while it is shut."""

    def __init__(self) -> None:
        self.shut = True
        self.seen: list[Any] = []

    @hookimpl(hookwrapper=True)
    def connector_dispatch(self, provider: Any, batch: Any) -> Iterator[None]:
        if self.shut:
            raise Stopped("The budget of this week is spent.")
        outcome = yield
        self.seen.append(outcome.get_result())


def test_a_host_stops_a_dispatch_and_it_goes_on_when_resumed(host: Host) -> None:
    plan = host.plan()
    gate = Gate()
    connector = host.connector(plan, plugins=[gate])
    dispatch = connector.send(CAMPAIGN, batches_of_one(20))
    report = dispatch.report()
    assert (report.state, report.cause) == ("paused", "The budget of this week is spent.")
    assert (report.waiting, report.in_doubt, report.enqueue_failed) == (20, 0, 0)
    assert plan.posted == []
    assert closes(report) and agrees(connector)
    # Again, it names its cause and sends nothing.
    assert connector.send(CAMPAIGN, batches_of_one(20)).report().state == "paused"
    gate.shut = False
    dispatch.resume()
    dispatch.drain()
    assert dispatch.report().enqueued == 20
    assert plan.account()["accepted_once"] == 20
    assert len(gate.seen) == 20
    assert closes(dispatch.report()) and agrees(connector)


def test_one_dispatch_that_is_stopped_leaves_the_others_alone(host: Host) -> None:
    class ForOne:
        @hookimpl(hookwrapper=True)
        def connector_dispatch(self, provider: Any, batch: Any) -> Iterator[None]:
            if batch.sender == "Bookshop":
                raise Stopped("Not now.")
            yield

    connector = host.connector(host.plan(), plugins=[ForOne()])
    stopped = connector.send(CAMPAIGN, people(3), drain=False)
    other = connector.send({**CAMPAIGN, "sender": "Library"}, people(3))
    connector.work()
    assert stopped.report().state == "paused"
    assert other.report().enqueued == 3


def answering(answer: Callable[[], Any]) -> object:
    """A host's plugin that answers in the place of the provider, once."""

    class Meddler:
        calls = 0

        @hookimpl(tryfirst=True)
        def connector_dispatch(self, provider: Any, batch: Any) -> Any:
            self.calls += 1
            return answer() if self.calls == 1 else None

    return Meddler()


def raising() -> Any:
    raise KeyError("a number that must not be shown")


@pytest.mark.parametrize(("answer", "cause"), [(raising, "KeyError"), (lambda: "sent", "str")], ids=["error", "text"])
def test_a_plugin_that_breaks_its_contract_leaves_the_batch_in_doubt(
    host: Host, answer: Callable[[], Any], cause: str
) -> None:
    """Nobody knows what it did, so it is looked up, and never sent again on its word."""
    plan = host.plan()
    connector = host.connector(plan, plugins=[answering(answer)])
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    connector.work()
    (batch,) = dispatch.in_doubt()
    assert "plugin of sinch-sms" in (batch.cause or "") and cause in (batch.cause or "")
    assert "must not be shown" not in (batch.cause or "")
    assert plan.posted == []
    report = dispatch.report()
    assert (report.in_doubt, report.enqueued) == (3, 0)
    assert closes(report) and agrees(connector)


def test_an_error_after_the_provider_took_it_leaves_the_batch_in_doubt(host: Host) -> None:
    class Careless:
        @hookimpl(wrapper=True)
        def connector_dispatch(self, provider: Any, batch: Any) -> Generator[None, Any, Any]:
            yield
            raise ZeroDivisionError

    plan = host.plan()
    connector = host.connector(plan, plugins=[Careless()])
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    connector.work()
    assert dispatch.report().in_doubt == 3
    report = host.settle(dispatch)
    assert (report.enqueued, len(plan.posted)) == (3, 1)


def test_the_hook_is_shown_what_is_sent(host: Host) -> None:
    shown = []

    class Watcher:
        @hookimpl(hookwrapper=True)
        def connector_dispatch(self, provider: Any, batch: Any) -> Iterator[None]:
            shown.append((provider.name, batch.size, batch.sender, batch.attempt.number))
            yield

    connector = host.connector(host.plan(), plugins=[Watcher()])
    connector.send(CAMPAIGN, people(3))
    assert shown == [("sinch-sms", 3, "Bookshop", 1)]
