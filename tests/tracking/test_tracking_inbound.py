"""Messages of people that are asked for: each once, none missed, whatever fails, and not too often."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from receiving_kit import ADA, BO, NOW, SECRETS, Api, Clock, connect, inbound, send_to, settings_of, sql, take, told

from connector.connector import Connector
from connector.extension import CheckResult, hookimpl
from connector.extension.plugins import Plugins
from connector.ledger.tables import WhyKept, to_microseconds
from connector.model.errors import NotReached, ReadFailed
from connector.model.event import Event, Status, provider_event_id
from connector.overview import AccountState
from connector.tracking.inbound import LONGEST_PAUSE, LONGEST_PAUSE_CALLED_BACK, OVERLAP

PAGE = 2
LISTED = timedelta(days=14)


@dataclass
class Inbox:
    """The provider's list of what people wrote: newest first, some to a page, no longer than its retention."""

    clock: Clock
    written: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)
    """Since when, each time that it was asked for."""
    asked_at: list[datetime] = field(default_factory=list)
    fails_at_page: int | None = None

    def write(self, person: str = ADA, *, at: datetime | None = None) -> str:
        """Let a person write; gives the message's id."""
        at = at or self.clock()
        identity = f"01REPLY{len(self.written):03}"
        self.written.append((at, inbound(person, identity, received_at=at.isoformat())))
        return identity

    def since(self, since: datetime) -> Iterator[dict[str, Any]]:
        self.asked.append(since)
        self.asked_at.append(self.clock())
        listed = [body for at, body in reversed(self.written) if at >= max(since, self.clock() - LISTED)]
        for number, start in enumerate(range(0, max(len(listed), 1), PAGE)):
            if self.fails_at_page == number:
                raise ReadFailed("The list is out of order.")
            yield {"inbounds": listed[start : start + PAGE]}


@pytest.fixture
def inbox(api: Api, clock: Clock) -> Inbox:
    made = Inbox(clock)
    api.inbound = made.since
    return made


def replies(connector: Connector) -> list[str]:
    """The ids of the messages that made events, sorted."""
    return sorted(event.payload["id"] for event in told(connector) if event.status is Status.replied)


def account(connector: Connector) -> AccountState:
    (found,) = connector.accounts()
    return found


def integration_id(connector: Connector, name: str = "sms") -> str:
    return connector.callback_addresses()[name].rpartition("/")[2]


def shared(path: Path, api: Api, clock: Clock) -> Connector:
    """A connector with two integrations on one account."""
    settings = settings_of(path)
    settings["integrations"]["sms2"] = dict(settings["integrations"]["sms"])
    settings["defaults"] = {"integration": "sms"}
    return Connector(settings, plugins=Plugins([api], installed=False), secrets=SECRETS.__getitem__, clock=clock)


def pass_time(connector: Connector, clock: Clock, until: timedelta, step: timedelta = timedelta(seconds=20)) -> None:
    """Let time pass, with a worker that looks in often."""
    ends = clock() + until
    while clock() < ends:
        clock.now += step
        connector.work()


def test_what_people_wrote_is_found_without_a_callback(connector: Connector, inbox: Inbox) -> None:
    connector.prepare()
    identity = inbox.write(ADA)
    connector.work()
    (event,) = told(connector)
    assert (event.status, event.recipient, event.text, event.integration) == (Status.replied, ADA, "Yes please", "sms")
    assert event.id == provider_event_id(integration_id(connector), identity, "replied")


@pytest.mark.parametrize("called_back_first", [True, False])
def test_called_back_and_asked_for_is_one_event(connector: Connector, inbox: Inbox, called_back_first: bool) -> None:
    connector.prepare()
    inbox.write()
    body = inbox.written[0][1]
    if called_back_first:
        take(connector, body)
        connector.work()
    else:
        connector.work()
        take(connector, body)
    (event,) = told(connector)
    assert event.id == provider_event_id(integration_id(connector), body["id"], "replied")
    assert connector.counters()["sms"]["repeated"] == 1


class TestAnAccountOfTwoIntegrations:
    @pytest.fixture
    def connector(self, tmp_path: Path, api: Api, clock: Clock) -> Iterator[Connector]:
        with shared(tmp_path, api, clock) as made:
            yield made

    def test_is_asked_once(self, connector: Connector, inbox: Inbox) -> None:
        connector.prepare()
        inbox.write()
        connector.work()
        assert len(inbox.asked) == 1
        assert [event.integration for event in told(connector)] == ["sms"]

    @pytest.mark.parametrize("called_back_first", [True, False])
    def test_knows_what_came_through_either(self, connector: Connector, inbox: Inbox, called_back_first: bool) -> None:
        """Whichever it came through first gives the event its integration and its id, for good."""
        connector.prepare()
        inbox.write()
        body = inbox.written[0][1]
        if called_back_first:
            take(connector, body, integration="sms2")
            connector.work()
        else:
            connector.work()
            take(connector, body, integration="sms2")
        (event,) = told(connector)
        first = "sms2" if called_back_first else "sms"
        assert event.integration == first
        assert event.id == provider_event_id(integration_id(connector, first), body["id"], "replied")


def test_the_first_question_begins_when_the_account_became_known(
    connector: Connector, inbox: Inbox, clock: Clock
) -> None:
    """What people wrote before that answers somebody else."""
    inbox.write(BO, at=NOW - timedelta(hours=1))
    connector.prepare()
    clock.go(minutes=30)
    late = inbox.write(ADA)
    connector.work()
    assert inbox.asked == [NOW - OVERLAP]
    assert replies(connector) == [late]


def test_every_page_is_read(connector: Connector, inbox: Inbox) -> None:
    connector.prepare()
    written = [inbox.write() for _ in range(2 * PAGE + 1)]
    connector.work()
    assert replies(connector) == written
    assert account(connector).inbound_failures == 0


def test_what_the_list_shows_late_is_not_missed(connector: Connector, inbox: Inbox, clock: Clock) -> None:
    """The provider had it before we last asked, and did not list it yet."""
    connector.prepare()
    connector.work()
    clock.go(minutes=5)
    connector.work()
    late = inbox.write(at=clock() - timedelta(minutes=9))
    clock.go(minutes=5)
    connector.work()
    assert replies(connector) == [late]


@pytest.mark.parametrize("page", [0, 1])
def test_a_question_that_fails_is_asked_again_without_a_gap(
    connector: Connector, inbox: Inbox, clock: Clock, page: int
) -> None:
    connector.prepare()
    connector.work()
    read_to = account(connector).inbound_read_to
    inbox.fails_at_page = page
    written = []
    for _ in range(5):
        written += [inbox.write() for _ in range(PAGE + 1)]
        pass_time(connector, clock, timedelta(minutes=7))
    failed = account(connector)
    assert failed.inbound_failures > 3
    assert failed.trouble == "What people wrote can't be asked for. The list is out of order."
    assert failed.inbound_read_to == read_to
    inbox.fails_at_page = None
    pass_time(connector, clock, LONGEST_PAUSE)
    assert replies(connector) == written
    healed = account(connector)
    assert (healed.inbound_failures, healed.trouble) == (0, None)


def test_it_is_asked_less_and_less_while_it_fails(connector: Connector, inbox: Inbox, clock: Clock) -> None:
    connector.prepare()
    inbox.fails_at_page = 0
    pass_time(connector, clock, timedelta(hours=1))
    pauses = [later - earlier for earlier, later in zip(inbox.asked_at, inbox.asked_at[1:], strict=False)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= timedelta(minutes=2) and pauses[-1] >= LONGEST_PAUSE


def test_a_plugin_that_fails_is_named_and_nothing_is_passed_over(
    tmp_path: Path, api: Api, inbox: Inbox, clock: Clock
) -> None:
    class Wrong:
        broken = True

        @hookimpl
        def connector_map_events(self, provider: Any, report: Any) -> None:
            if self.broken:
                raise KeyError(ADA)

    wrong = Wrong()
    with connect(tmp_path, api, clock, wrong) as connector:
        connector.prepare()
        identity = inbox.write()
        connector.work()
        assert account(connector).trouble == (
            "What people wrote can't be asked for. The plugin of scripted-sms failed: KeyError."
        )
        wrong.broken = False
        clock.go(minutes=2)
        connector.work()
        assert replies(connector) == [identity]


def test_after_a_long_time_everything_that_is_still_listed_is_asked_for(
    connector: Connector, inbox: Inbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    connector.prepare()
    connector.work()
    written = [inbox.write(at=NOW + timedelta(days=day)) for day in (1, 5, 9)]
    clock.go(days=10)
    connector.work()
    assert replies(connector) == written
    assert inbox.asked[-1] == NOW - OVERLAP
    assert not caplog.records

    inbox.write(at=clock() + timedelta(days=1))
    listed = inbox.write(at=clock() + timedelta(days=7))
    clock.go(days=20)
    connector.work()
    assert replies(connector) == [*written, listed]
    assert inbox.asked[-1] == clock() - LISTED
    (warning,) = caplog.messages
    assert "between 2026-12-03 09:30 and 2026-12-09 09:30 UTC" in warning


def test_after_a_clock_that_was_ahead_everything_that_is_listed_is_asked_for(
    connector: Connector, inbox: Inbox, clock: Clock
) -> None:
    connector.prepare()
    clock.go(days=3)
    connector.work()
    clock.now = NOW + timedelta(hours=2)
    identity = inbox.write(at=NOW + timedelta(hours=1))
    connector.poll()
    assert inbox.asked[-1] == clock() - LISTED
    assert replies(connector) == [identity]
    clock.go(minutes=5)
    connector.work()
    assert inbox.asked[-1] == NOW + timedelta(hours=2) - OVERLAP


def pauses(inbox: Inbox) -> list[int]:
    """The minutes between questions."""
    return [
        round((later - earlier) / timedelta(minutes=1))
        for earlier, later in zip(inbox.asked_at, inbox.asked_at[1:], strict=False)
    ]


def test_where_nobody_is_called_back_it_is_asked_every_few_minutes(
    connector: Connector, inbox: Inbox, clock: Clock
) -> None:
    connector.prepare()
    connector.work()
    pass_time(connector, clock, timedelta(minutes=20))
    longest = round(LONGEST_PAUSE / timedelta(minutes=1))
    assert pauses(inbox) == [1, 2, 4, longest, longest]
    inbox.asked_at.clear()
    inbox.write()
    pass_time(connector, clock, timedelta(minutes=11))
    assert pauses(inbox)[:2] == [1, 2]


def test_where_callbacks_arrive_it_is_asked_once_an_hour(connector: Connector, inbox: Inbox, clock: Clock) -> None:
    connector.prepare()

    def hours(count: int) -> None:
        for _ in range(count * 60):
            clock.go(minutes=1)
            with sql(connector) as ledger:
                ledger.execute("DELETE FROM receivers")
                seen_at = to_microseconds(clock())
                ledger.execute("INSERT INTO receivers (id, seen_at, backlog) VALUES ('r', ?, 0)", (seen_at,))
            connector.work()

    hours(4)
    assert pauses(inbox)[-2:] == [round(LONGEST_PAUSE_CALLED_BACK / timedelta(minutes=1))] * 2
    # What comes by callback, too, changes nothing; what came by asking alone shows that callbacks get lost.
    inbox.write()
    take(connector, inbox.written[-1][1])
    inbox.asked_at.clear()
    hours(2)
    assert pauses(inbox) == [60]
    inbox.write()
    inbox.asked_at.clear()
    hours(2)
    assert pauses(inbox)[:3] == [1, 2, 4]


def test_a_worker_that_idles_does_not_ask_again(connector: Connector, inbox: Inbox) -> None:
    connector.worker().run(max_seconds=1.2)
    assert len(inbox.asked) == 1


def test_an_account_out_of_reach_is_not_asked(
    connector: Connector, api: Api, inbox: Inbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = [CheckResult("reach", False, "Nobody answers.", reached=False)]
    monkeypatch.setattr(api.provider, "check", lambda provider: down)
    connector.prepare()
    connector.work()
    accepts = api.send

    def refuse(batch: Any) -> Any:
        raise NotReached("Nobody answers.")

    api.send = refuse
    send_to(connector, ADA)
    while account(connector).probe_at is None:
        clock.go(seconds=5)
        connector.work()
    inbox.asked.clear()
    pass_time(connector, clock, timedelta(minutes=15))
    assert account(connector).probe_at is not None and not inbox.asked
    monkeypatch.undo()
    api.send = accepts
    identity = inbox.write()
    pass_time(connector, clock, timedelta(minutes=6))
    assert replies(connector) == [identity]


def test_what_sends_into_trouble_is_not_hidden(connector: Connector, api: Api, inbox: Inbox, clock: Clock) -> None:
    """That nothing can be sent is worse than that replies can't be listed."""
    connector.prepare()
    connector.work()

    def refuse(batch: Any) -> Any:
        raise NotReached("Nobody answers.")

    api.send = refuse
    send_to(connector, ADA)
    inbox.fails_at_page = 0
    clock.go(minutes=3)
    connector.work()
    assert account(connector).inbound_failures == 1
    assert account(connector).trouble == "Nobody answers."


def test_a_provider_that_declines_is_not_asked(
    connector: Connector, api: Api, inbox: Inbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.provider, "declines", {"inbound": "nobody writes back"})
    pass_time(connector, clock, timedelta(minutes=10))
    assert not inbox.asked


def test_who_leaves_does_not_wait_for_the_last_page(connector: Connector, api: Api, clock: Clock) -> None:
    """What was read is kept, and all of it is asked for once more."""
    connector.prepare()
    read_to = account(connector).inbound_read_to
    clock.go(minutes=1)
    pages, enough, stop = 0, threading.Event(), threading.Event()

    def endless(since: datetime) -> Iterator[dict[str, Any]]:
        nonlocal pages
        while True:
            pages += 1
            if pages > 3:
                enough.set()
            yield {"inbounds": [inbound(ADA, f"01REPLY{pages:05}")]}

    api.inbound = endless
    thread = threading.Thread(target=lambda: connector.worker().run(stop=stop))
    thread.start()
    assert enough.wait(120)
    stop.set()
    thread.join(120)
    assert not thread.is_alive()
    assert len(replies(connector)) >= 3
    assert (account(connector).inbound_read_to, account(connector).inbound_failures) == (read_to, 0)


def test_what_cannot_be_read_is_kept_once_and_the_rest_counts(connector: Connector, api: Api, clock: Clock) -> None:
    connector.prepare()
    strange = {**inbound(ADA, "01STRANGE"), "type": "mo_smoke_signal"}
    api.inbound = lambda since: [{"inbounds": [strange, inbound(BO, "01REPLY")]}]
    connector.work()
    clock.go(minutes=5)
    connector.work()
    assert replies(connector) == ["01REPLY"]
    assert connector.kept(WhyKept.unreadable) == 1


def events_of(connector: Connector, person: str) -> list[Event]:
    return [event for event in told(connector) if event.recipient == person]


def test_a_reply_to_a_campaign_carries_it(connector: Connector, api: Api, inbox: Inbox, clock: Clock) -> None:
    dispatch = send_to(connector, ADA)
    inbox.written.append((NOW, inbound(ADA, client_reference=api.sent[0].key)))
    clock.go(minutes=2)
    connector.work()
    (replied,) = [event for event in events_of(connector, ADA) if event.status is Status.replied]
    assert (replied.dispatch, replied.campaign_name) == (dispatch.id, "spring")
    assert replied.occurred_at == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
