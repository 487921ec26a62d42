"""What holds for every sink, as tests: for the author of one.

class TestOurSink(SinkContract):
    offered = OurSink
    settings = {"url": ..., "key": "env:KEY"}
    secrets = {"env:KEY": "..."}   # where the settings have some
    def received(self): ...        # the ids of the events that the platform holds
    def away(self): ...            # a block in which the platform takes nothing
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from jsonschema import Draft202012Validator

from connector.config.load import check_settings
from connector.config.schema import compose
from connector.extension.hookspecs import hookimpl
from connector.extension.plugins import Plugins
from connector.extension.sink import DeadLetter, Sink, problems
from connector.http import Http
from connector.model.errors import NotTaken
from connector.model.event import Event, EventKind, Status, event_id, message_id

NUMBER = "12015550123"
BEGAN = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def sample_events(count: int, *, first: int = 0) -> list[Event]:
    """Events as a campaign makes them: each message is enqueued, and then something of any kind becomes of it."""
    ends = [status for status in Status if status is not Status.enqueued]
    events = []
    for place in range(first, first + count):
        message, course = message_id("5a3b", place // 2), place // 2 % len(ends)
        status = ends[course] if place % 2 else Status.enqueued
        failed = status in (Status.failed, Status.rejected, Status.enqueue_failed)
        at = BEGAN + timedelta(seconds=place)
        events.append(
            Event(
                id=event_id(message, f"{status}{place}"),
                position=place,
                kind=EventKind.message,
                status=status,
                occurred_at=at,
                recorded_at=at,
                integration="sms",
                dispatch="5a3b",
                campaign_id="cmp-42",
                campaign_name="opening",
                message_id=message,
                recipient=NUMBER,
                sender="Bookshop",
                customer_id=f"c-{place // 2}",
                metadata={"season": "spring"},
                number_of_message_parts=1,
                status_code=402 if failed else None,
                error="syntax_invalid_parameter_format" if failed else None,
                comment='It says "no".' if failed else None,
                text="Ja, tack: åäö €" if status is Status.replied else None,
                payload={"to": NUMBER},
            )
        )
    return events


class SinkContract:
    """Subclass it in a module of tests; pytest finds what it inherits. Nothing of it needs a ledger."""

    offered: ClassVar[type[Sink]]
    """The class that the plugin offers."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Its table of the configuration without `sink`, for a platform that takes everything."""
        raise NotImplementedError("settings")

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secrets that the settings refer to, by their references."""
        return {}

    def received(self) -> Sequence[str]:
        """The ids of the events that the platform holds, in the order that they came."""
        raise NotImplementedError("received")

    def away(self) -> AbstractContextManager[object]:
        """A block in which the platform takes nothing."""
        raise NotImplementedError("away")

    @contextmanager
    def _ready(self) -> Iterator[Sink]:
        offered = self.offered

        class Plugin:
            @hookimpl
            def connector_sink(self) -> type[Sink]:
                return offered

        plugins = Plugins([Plugin()], installed=False)
        assert plugins.broken == []
        table = {"sink": offered.name, **self.settings}
        checked = check_settings({"sinks": {"it": table}}, plugins, read_secret=dict(self.secrets).__getitem__)
        http = Http()
        sink = plugins.sink(offered.name, "it", checked.sinks["it"].settings, http)
        try:
            yield sink
        finally:
            sink.close()
            http.close()

    def _hand(self, sink: Sink, events: Sequence[Event]) -> list[DeadLetter]:
        dead: list[DeadLetter] = []
        for start in range(0, len(events), sink.batch_events):
            answer = sink.deliver(events[start : start + sink.batch_events])
            assert answer is None or all(isinstance(each, DeadLetter) for each in answer)
            dead += answer or []
        return dead

    def test_the_class_can_be_offered(self) -> None:
        assert problems(self.offered) == []

    def test_the_settings_have_a_schema(self) -> None:
        offered = self.offered

        class Plugin:
            @hookimpl
            def connector_sink(self) -> type[Sink]:
                return offered

        schema = compose(Plugins([Plugin()], installed=False))[f"sink.{offered.name}"]
        Draft202012Validator.check_schema(schema)
        assert all(each.get("title") for name, each in schema["properties"].items()), "a form needs titles"

    def test_every_event_is_taken_once(self) -> None:
        events = sample_events(2 * len(Status))
        with self._ready() as sink:
            assert self._hand(sink, events) == []
        received = list(self.received())
        assert sorted(received) == sorted({each.id for each in events} & set(received)), "none twice, none unknown"
        for one in {each.message_id for each in events}:
            of_one = [each.id for each in events if each.message_id == one and each.id in set(received)]
            assert [each for each in received if each in set(of_one)] == of_one, "those of a message in their order"
        assert received, "nothing came"

    def test_a_full_batch_is_taken(self) -> None:
        with self._ready() as sink:
            assert self._hand(sink, sample_events(sink.batch_events)) == []

    def test_an_event_of_nobody_known_fails_nothing(self) -> None:
        bare = Event("11111111-1111-5111-8111-111111111111", 7, EventKind.person, Status.opted_out, BEGAN, BEGAN)
        with self._ready() as sink:
            dead = self._hand(sink, [bare])
        assert all(each.event.position == 7 and each.reason for each in dead)

    def test_what_is_not_taken_comes_again(self) -> None:
        events = sample_events(4)
        with self._ready() as sink:
            with self.away():
                try:
                    self._hand(sink, events)
                except NotTaken as error:
                    assert str(error), "a person reads it"
                    assert NUMBER not in str(error)
                else:
                    raise AssertionError("it says that it has taken them")
            assert self._hand(sink, events) == []
        assert set(self.received()) <= {each.id for each in events}
        assert self.received()

    def test_a_check_writes_nothing(self) -> None:
        with self._ready() as sink:
            before = list(self.received())
            results = sink.check()
            assert all(each.name and each.message for each in results)
            assert all(each.ok is not False for each in results)
            assert list(self.received()) == before

    def test_it_may_be_closed_and_used_again(self) -> None:
        with self._ready() as sink:
            self._hand(sink, sample_events(2))
            sink.close()
            sink.close()
            assert self._hand(sink, sample_events(2, first=2)) == []
