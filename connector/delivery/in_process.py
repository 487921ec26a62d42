"""Sinks that live in the host's own process: its objects, and its function."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from connector.extension.sink import NAME, Sink, misfits
from connector.model.errors import ConfigurationError, Fault, PluginError
from connector.model.event import Event

ON_EVENT = "on_event"
"""The name under which a host's function is a sink."""


class OnEvent(Sink):
    """Calls a function with each event; one that it raises for comes again, and those before it don't."""

    batch_events: ClassVar[int] = 1

    def __init__(self, function: Callable[[Event], object]) -> None:
        self._function = function

    def deliver(self, events: Sequence[Event]) -> None:
        for event in events:
            answer: Any = self._function(event)
            if inspect.iscoroutine(answer):
                answer.close()
                raise PluginError(f"{ON_EVENT} gave back a coroutine, which nobody waits for: write it with def.")


def sinks_of(
    given: Mapping[str, Sink], on_event: Callable[[Event], object] | None, configured: Collection[str]
) -> dict[str, Sink]:
    """A host's sinks by their names, its function among them.

    Raises `ConfigurationError`, also for names that are `configured`.
    """
    sinks = dict(given)
    wrong = []
    for name, sink in sinks.items():
        place = f"sinks.{name}"
        if not re.fullmatch(NAME, name):
            wrong.append(Fault(place, "A sink's name is made of letters, digits, - and _, at most 100 of them."))
        if not isinstance(sink, Sink):
            wrong.append(Fault(place, "This is no sink: write a subclass of connector.Sink, and give an instance."))
        else:
            unfit = misfits(sink)
            if sink.start not in ("now", "beginning"):
                unfit.append('its start is "now" or "beginning"')
            if unfit:
                wrong.append(Fault(place, f"This sink can't be used: {'; '.join(unfit)}."))
    if on_event is not None:
        if ON_EVENT in sinks:
            wrong.append(Fault(f"sinks.{ON_EVENT}", f"This is the name of the function given as {ON_EVENT}."))
        if not callable(on_event) or _is_async(on_event):
            wrong.append(Fault(ON_EVENT, "This is a function of one event, called from a thread: write it with def."))
        sinks[ON_EVENT] = OnEvent(on_event)
    wrong += [
        Fault(f"sinks.{name}", "The settings have a sink of this name already; give one of them another name.")
        for name in sinks
        if name in configured
    ]
    if wrong:
        raise ConfigurationError(wrong)
    return sinks


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
